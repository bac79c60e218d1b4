/* SPDX-License-Identifier: ISC */
/* who, kick and poke: users' processes are played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "poke.h"
#include "survey.h"

struct played {
	struct proc proc;
	struct chan *chan; /* its end */
	unsigned rows;	   /* it answers WHO with so many */
	bool mute, kicked;
	bool lies; /* it answers what was not asked */
	unsigned pokes;
	char folder[100];
};

struct rig {
	struct loop loop;
	struct procs procs;
	struct played p[4];
	struct chan *asked, *ctl; /* spawner's end, the administrator's */
	unsigned rows;
	struct buf users; /* of the first rows */
	bool answered;
	struct msg_who_done done;
};

static void
on_asked(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	 void *msg)
{
	struct played *p = arg;
	struct msg_who_row row = { .user = STR("root"),
				   .pid = 1,
				   .session = STR("id"),
				   .state = STR("INBOX") };
	struct msg_who_done done = { .count = p->rows };
	struct msg_client_taken taken = { 0 };
	unsigned i;

	if (def == &msg_poke_def) {
		p->pokes++;
		(void)!str_copy(p->folder, sizeof(p->folder),
				((struct msg_poke *)msg)->path);
		return;
	}
	p->kicked |= def == &msg_kick_def;
	if (p->mute)
		return;
	if (p->lies) {
		chan_send(c, tag, &msg_client_taken_def, &taken);
		return;
	}
	for (i = 0; def == &msg_who_def && i < p->rows; i++)
		chan_send(c, tag, &msg_who_row_def, &row);
	chan_send(c, tag, &msg_who_done_def, &done);
}

static void
on_closed(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
on_row(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct rig *r = arg;

	(void)c;
	assert_int_equal(tag, 7);
	if (def == &msg_who_row_def) {
		const struct msg_who_row *m = msg;

		assert_int_equal(m->service, SVC_IMAPD);
		assert_int_equal(m->pid, 4711);
		if (r->rows++ < 10)
			(void)!buf_addf(&r->users, "%.*s ", STR_FMT(m->user));
	} else {
		r->done = *(struct msg_who_done *)msg;
		r->answered = true;
	}
}

static void
set(char *to, size_t size, const char *text)
{
	assert_true(str_copy(to, size, str_of(text)));
}

static void
play(struct rig *r, struct played *p, uint8_t service, const char *user,
     const char *home)
{
	static const struct chan_ops ops = { on_asked, on_closed };
	const struct chan_row *row =
		service == SVC_MBOX    ? &channels[CH_SPAWNER_MBOX]
		: service == SVC_TAKER ? &channels[CH_SPAWNER_TAKER]
				       : &channels[CH_SPAWNER_IMAPD];
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	p->proc = (struct proc){ .state = PROC_RUNNING,
				 .spec.service = service,
				 .pid = 4711,
				 .all = &r->procs };
	set(p->proc.spec.id.user, sizeof(p->proc.spec.id.user), user);
	set(p->proc.spec.id.home, sizeof(p->proc.spec.id.home), home);
	set(p->proc.spec.id.mail, sizeof(p->proc.spec.id.mail), "Maildir");
	p->rows = 1;
	p->proc.asker = asker_new_fd(&r->loop, pair[0], row, NULL, NULL);
	p->chan = chan_new(&r->loop, pair[1], row, CHAN_SERVICE, &ops, p);
	assert_non_null(p->proc.asker);
	assert_non_null(p->chan);
	list_append(&r->procs.list, &p->proc.link);
	poke_enter(&p->proc);
}

static void
rig_open(struct rig *r)
{
	static const struct chan_ops none = { on_asked, on_closed };
	static const struct chan_ops ctl = { on_row, on_closed };
	struct err err;
	int pair[2];

	*r = (struct rig){ .rows = 0 };
	buf_init(&r->users, 1000);
	assert_int_equal(loop_init(&r->loop, &err), 0);
	r->procs.loop = &r->loop;
	list_init(&r->procs.list);
	play(r, &r->p[0], SVC_IMAPD, "alice", "/mail/x/alice");
	play(r, &r->p[1], SVC_IMAPD, "bob", "/mail/x/bob");
	play(r, &r->p[2], SVC_IMAPD, "bob-too", "/mail/x/bob");
	play(r, &r->p[3], SVC_IMAPD, "bob-three", "/mail/x/bob");
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->asked = chan_new(&r->loop, pair[0], &channels[CH_CTL_SPAWNER],
			    CHAN_SERVICE, &none, r);
	r->ctl = chan_new(&r->loop, pair[1], &channels[CH_CTL_SPAWNER],
			  CHAN_ASKER, &ctl, r);
}

static void
leave(struct played *p)
{
	if (!p->proc.asker)
		return;
	poke_leave(&p->proc);
	asker_free(p->proc.asker);
	p->proc.asker = NULL;
	chan_close(p->chan);
	list_remove(&p->proc.link);
}

static void
rig_close(struct rig *r)
{
	size_t i;

	for (i = 0; i < 4; i++)
		leave(&r->p[i]);
	assert_int_equal(r->procs.by_place.n, 0);
	map_fini(&r->procs.by_place);
	chan_close(r->asked);
	chan_close(r->ctl);
	buf_fini(&r->users);
	loop_fini(&r->loop);
}

static void
until_answered(struct rig *r)
{
	loop_turn(&r->loop, false); /* sends what is queued */
	while (!r->answered)
		loop_turn(&r->loop, true);
}

static void
all_are_asked(void **state)
{
	struct msg_who m = { .user = STR("") };
	struct rig r;

	(void)state;
	rig_open(&r);
	r.p[1].rows = 2;
	survey_who(&r.procs, r.asked, 7, &m);
	until_answered(&r);
	assert_int_equal(r.done.count, 5);
	assert_int_equal(r.done.silent, 0);
	assert_int_equal(r.rows, 5);
	/* Whatever they say who they are. */
	assert_non_null(strstr(buf_cstr(&r.users), "alice "));
	assert_null(strstr(buf_cstr(&r.users), "root"));
	rig_close(&r);
}

/* A taker, or the process of an mbox, would close the channel. */
static void
who_has_no_sessions_is_not_asked(void **state)
{
	struct msg_who m = { .user = STR("") };
	struct msg_kick k = { .user = STR("alice") };
	struct played mbox = { .pokes = 0 }, taker = { .pokes = 0 };
	struct rig r;
	int i;

	(void)state;
	rig_open(&r);
	play(&r, &mbox, SVC_MBOX, "alice", "/var/mail");
	play(&r, &taker, SVC_TAKER, "alice", "/mail/x/alice");
	survey_who(&r.procs, r.asked, 7, &m);
	until_answered(&r);
	assert_int_equal(r.done.count, 4);
	assert_int_equal(r.done.silent, 0);
	r.answered = false;
	survey_kick(&r.procs, r.asked, 7, &k);
	until_answered(&r);
	for (i = 0; i < 5; i++)
		loop_turn(&r.loop, false);
	assert_int_equal(r.done.silent, 0);
	assert_true(asker_is_up(mbox.proc.asker));
	assert_true(asker_is_up(taker.proc.asker));
	leave(&mbox);
	leave(&taker);
	rig_close(&r);
}

static void
one_user_is_asked(void **state)
{
	struct msg_who m = { .user = STR("bob") };
	struct msg_kick none = { .user = STR("") };
	struct rig r;

	(void)state;
	rig_open(&r);
	r.p[1].rows = SURVEY_ROWS_MAX + 5; /* it would fill our memory */
	survey_who(&r.procs, r.asked, 7, &m);
	until_answered(&r);
	assert_int_equal(r.rows, SURVEY_ROWS_MAX);
	assert_string_equal(buf_cstr(&r.users),
			    "bob bob bob bob bob bob bob bob bob bob ");
	/* Nobody at all. */
	m.user = STR("carol");
	r.answered = false;
	survey_who(&r.procs, r.asked, 7, &m);
	until_answered(&r);
	assert_int_equal(r.done.count + r.done.silent, 0);
	r.answered = false;
	survey_kick(&r.procs, r.asked, 7, &none);
	until_answered(&r);
	assert_int_equal(r.done.count, 0);
	assert_false(r.p[0].kicked || r.p[1].kicked);
	rig_close(&r);
}

static void
who_does_not_answer_is_counted(void **state)
{
	struct msg_kick m = { .session = STR("id") };
	struct rig r;

	(void)state;
	rig_open(&r);
	r.p[0].mute = true;
	r.p[1].mute = true;
	survey_kick(&r.procs, r.asked, 7, &m);
	loop_turn(&r.loop, false);
	loop_turn(&r.loop, true);
	leave(&r.p[1]); /* it dies meanwhile */
	until_answered(&r);
	assert_true(r.p[0].kicked);
	assert_int_equal(r.done.count, 2);
	assert_int_equal(r.done.silent, 2);
	rig_close(&r);
}

/* An intruder in a user's process answers with what is no answer, and with
 * numbers that are none. */
static void
lies_are_no_answers(void **state)
{
	struct msg_who m = { .user = STR("") };
	struct msg_kick k = { .session = STR("id") };
	struct rig r;

	(void)state;
	rig_open(&r);
	r.p[0].lies = true;
	survey_who(&r.procs, r.asked, 7, &m);
	until_answered(&r);
	assert_int_equal(r.done.count, 3);
	assert_int_equal(r.done.silent, 1);
	r.answered = false;
	r.p[1].rows = UINT32_MAX;
	survey_kick(&r.procs, r.asked, 7, &k);
	until_answered(&r);
	assert_int_equal(r.done.count, SURVEY_ROWS_MAX + 2);
	assert_int_equal(r.done.silent, 1);
	rig_close(&r);
}

/* Who does not read what it is told of mail is not told; it keeps its channel,
 * and spawner its memory. */
static void
mail_for_who_does_not_read(void **state)
{
	struct proc deliver = { .spec.whole_tree = true };
	struct rig r;
	int i;

	(void)state;
	rig_open(&r);
	set(deliver.spec.id.home, sizeof(deliver.spec.id.home), "/mail");
	chan_pause(r.p[0].chan);
	for (i = 0; i < 300000; i++) {
		poke(&r.procs, &deliver,
		     STR("x/alice/Maildir/.Whatever.It.Is.Called/"));
		if (i % 1000 == 0)
			loop_turn(&r.loop, false);
	}
	loop_turn(&r.loop, false);
	assert_true(asker_is_up(r.p[0].proc.asker));
	chan_resume(r.p[0].chan);
	for (i = 0; i < 100; i++)
		loop_turn(&r.loop, false);
	assert_true(r.p[0].pokes > 0);
	rig_close(&r);
}

static void
mail_is_told_by_its_place(void **state)
{
	static const struct {
		const char *root, *path;
		unsigned alice, bobs; /* are poked */
		const char *folder;
	} rows[] = {
		{ "/mail", "x/alice/Maildir/", 1, 0, "" },
		{ "/mail", "x/alice/Maildir", 1, 0, "" },
		{ "/mail/x/alice/Maildir", "", 1, 0, "" },
		{ "/mail/x/alice/Maildir", ".", 1, 0, "" },
		{ "/mail", "x/alice/Maildir/.Spam.New/", 1, 0, "Spam.New" },
		{ "/mail", "x/bob/Maildir/", 0, 3, "" },
		{ "/mail", "x/alice/", 0, 0, "" },
		{ "/mail", "x/alice/Maildir/Spam/", 0, 0, "" },
		{ "/mail", "x/carol/Maildir/", 0, 0, "" },
		/* By string alone: no way out of its own root. */
		{ "/mail/x/bob", "../alice/Maildir/", 0, 0, "" },
		{ "/mail/x/bob", "/mail/x/alice/Maildir/", 0, 0, "" },
	};
	struct proc deliver = { .spec.whole_tree = true };
	struct rig r;
	size_t i;
	int k;

	(void)state;
	rig_open(&r);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set(deliver.spec.id.home, sizeof(deliver.spec.id.home),
		    rows[i].root);
		poke(&r.procs, &deliver, str_of(rows[i].path));
		for (k = 0; k < 6; k++)
			loop_turn(&r.loop, false);
		assert_int_equal(r.p[0].pokes, rows[i].alice);
		assert_int_equal(r.p[1].pokes + r.p[2].pokes + r.p[3].pokes,
				 rows[i].bobs);
		if (rows[i].alice)
			assert_string_equal(r.p[0].folder, rows[i].folder);
		for (k = 0; k < 4; k++)
			r.p[k].pokes = 0;
	}
	/* Whichever of them leaves, the others are found. */
	set(deliver.spec.id.home, sizeof(deliver.spec.id.home), "/mail");
	leave(&r.p[2]);
	leave(&r.p[1]);
	poke(&r.procs, &deliver, STR("x/bob/Maildir/"));
	for (k = 0; k < 6; k++)
		loop_turn(&r.loop, false);
	assert_int_equal(r.p[3].pokes, 1);
	rig_close(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_asked),
		cmocka_unit_test(who_has_no_sessions_is_not_asked),
		cmocka_unit_test(one_user_is_asked),
		cmocka_unit_test(who_does_not_answer_is_counted),
		cmocka_unit_test(lies_are_no_answers),
		cmocka_unit_test(mail_is_told_by_its_place),
		cmocka_unit_test(mail_for_who_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
