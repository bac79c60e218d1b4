/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "frame/msg_deliver.h"
#include "frame/msg_spawner.h"
#include "place.h"
#include "spawner.h"
#include "survey.h"
#include "take.h"

enum {
	REDEEM_MS = 10000,
	TAKEN_MS = 20000,
	JOB_MEMORY = 12 * 1024,
	PASSWD_MAX = 64 * 1024 * 1024,
	BLIND_AGAIN_MS = 3600 * 1000,
	FORKS_MAX = 2, /* for one request: a process may die once under it */
};

struct job {
	struct list link;
	struct spawner *s;
	struct chan *asker; /* a reference */
	uint32_t tag;
	struct child_spec spec;
	struct proc *proc; /* that has been sent the client */
	struct proc_waiter waiter;
	unsigned forks;
	struct take_wait mbox; /* mail in an mbox is taken in first */
	/* START: */
	struct pool pool;
	struct msg_client client; /* .fd: our duplicate until it is taken */
};

/* --- the end of a job ---------------------------------------------------- */

static void
job_free(struct job *j)
{
	struct spawner *s = j->s;

	list_remove(&j->link);
	if (j->client.fd >= 0)
		close(j->client.fd);
	pool_fini(&j->pool);
	chan_unref(j->asker);
	free(j);
	if (s->idle && list_empty(&s->jobs))
		s->idle(s);
}

/* RFC 3463: addresses 1, mailbox 2, system 3. */
static const char *
dsn_of(const struct err *err)
{
	if (err->class == ERR_PERM)
		return err->code == ENOENT ? "5.1.1" : "5.3.0";
	switch (err->code) {
	case EACCES:
		return "4.2.0";
	case EPERM:
	case EINVAL:
		return "4.3.5";
	default:
		return "4.3.0";
	}
}

static void
send_fail(struct chan *c, uint32_t tag, const struct err *err)
{
	struct msg_spawn_fail msg = {
		.class = err->class == ERR_PERM ? DELIVER_PERM : DELIVER_TEMP,
		.dsn = str_of(dsn_of(err)),
		.text = str_of(err->text),
	};

	chan_send(c, tag, &msg_spawn_fail_def, &msg);
}

static void
job_fail(struct job *j, const struct err *err)
{
	log_warn("%s of %s: %s", services[j->spec.service].name,
		 j->spec.id.user[0] ? LOGQ(str_of(j->spec.id.user)) : "a user",
		 LOGQ(str_of(err->text)));
	send_fail(j->asker, j->tag, err);
	job_free(j);
}

/* --- a process for it ---------------------------------------------------- */

static void give_client(struct job *j, struct proc *p);
static void give_channel(struct job *j, struct proc *p);

static void
on_proc(struct proc_waiter *w, struct proc *p, const struct err *err)
{
	struct job *j = LIST_OF(w, struct job, waiter);

	if (!p && err->code == ECHILD && j->forks < FORKS_MAX) {
		j->forks++;
		procs_get(&j->s->procs, &j->spec, &j->waiter);
	} else if (!p) {
		job_fail(j, err);
	} else if (j->spec.service == SVC_DELIVER ||
		   j->spec.service == SVC_MBOX) {
		give_channel(j, p);
	} else {
		give_client(j, p);
	}
}

static void
job_go(struct take_wait *w)
{
	struct job *j = LIST_OF(w, struct job, mbox);

	j->forks = 1;
	j->waiter.fn = on_proc;
	procs_get(&j->s->procs, &j->spec, &j->waiter);
}

/* spec.id is known: check it, find its place, find or fork its process. */
static void
job_run(struct job *j)
{
	bool reader =
		j->spec.service == SVC_IMAPD || j->spec.service == SVC_POP3D;
	struct spawner *s = j->s;
	struct err err;

	j->mbox.fn = job_go;
	if (place_check(s, &j->spec, &err) < 0)
		job_fail(j, &err);
	else if (!reader || !take_before(s, &j->spec, &j->mbox))
		job_go(&j->mbox);
}

/* The kernel counts by uid, and it is all virtual users' process: said once in
 * a while, not for each of them. */
static void
warn_blind(struct job *j)
{
	uint64_t now = clock_mono_ms();

	if (j->s->blind_ms && now - j->s->blind_ms < BLIND_AGAIN_MS)
		return;
	j->s->blind_ms = now;
	log_warn("uid %u has no inotify instance left for the imapd of %s: "
		 "mail and changes by other programs are seen some seconds "
		 "late; the sysctl fs.inotify.max_user_instances is too low "
		 "for so many users at a time",
		 j->spec.id.uid, LOGQ(str_of(j->spec.id.user)));
}

static void
on_taken(void *arg, const struct msg_def *def, void *msg)
{
	struct msg_started started = { 0 };
	struct job *j = arg;
	struct err err;

	if (def && def->flags & MSG_PART)
		return; /* it was not asked who is there */
	if (def == &msg_client_taken_def) {
		if (((struct msg_client_taken *)msg)->blind)
			warn_blind(j);
		chan_send(j->asker, j->tag, &msg_started_def, &started);
		job_free(j);
		return;
	}
	proc_retire(j->proc);
	if (!asker_is_up(j->proc->asker) && j->forks < FORKS_MAX) {
		/* It ended just then: the next one gets the duplicate. */
		j->forks++;
		procs_get(&j->s->procs, &j->spec, &j->waiter);
		return;
	}
	err_set(&err, ERR_TEMP, ETIMEDOUT,
		"the process did not take the client");
	job_fail(j, &err);
}

static void
give_client(struct job *j, struct proc *p)
{
	struct err err;

	j->proc = p;
	if (asker_send(p->asker, &msg_client_def, &j->client, TAKEN_MS,
		       on_taken, j))
		return;
	err_set(&err, ERR_TEMP, EAGAIN, "too many clients wait");
	job_fail(j, &err);
}

static void
give_channel(struct job *j, struct proc *p)
{
	struct msg_user_peer peer;
	struct msg_opened opened;
	struct err err;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(&err, errno, "socketpair");
		job_fail(j, &err);
		return;
	}
	peer.fd = pair[0];
	opened.fd = pair[1];
	if (asker_send_part(p->asker, 0, &msg_user_peer_def, &peer) < 0) {
		err_set(&err, ERR_TEMP, EAGAIN, "the process has ended");
		job_fail(j, &err);
	} else {
		chan_send(j->asker, j->tag, &msg_opened_def, &opened);
		job_free(j);
	}
	close(pair[0]);
	close(pair[1]);
}

/* --- START --------------------------------------------------------------- */

static void
on_identity(void *arg, const struct msg_def *def, void *msg)
{
	struct job *j = arg;
	struct err err;

	if (def == &msg_identity_def) {
		if (policy_identity(msg, &j->spec.id, &err) == 0) {
			j->client.user = str_of(j->spec.id.user);
			job_run(j);
			return;
		}
	} else if (def == &msg_auth_fail_def) {
		const struct msg_auth_fail *f = msg;

		err_set(&err, f->temp ? ERR_TEMP : ERR_PERM, EACCES, "%.*s",
			STR_FMT(f->text));
	} else {
		err_set(&err, ERR_TEMP, EAGAIN, "authd does not answer");
	}
	job_fail(j, &err);
}

static struct job *
job_new(struct spawner *s, struct chan *c, uint32_t tag)
{
	struct job *j = calloc(1, sizeof(*j));
	struct err err;

	if (!j) {
		err_sys(&err, ENOMEM, "request");
		send_fail(c, tag, &err);
		return NULL;
	}
	j->s = s;
	j->asker = chan_ref(c);
	j->tag = tag;
	j->client.fd = -1;
	pool_init(&j->pool, JOB_MEMORY);
	list_append(&s->jobs, &j->link);
	return j;
}

static void
on_start(struct spawner *s, struct chan *c, uint32_t tag, struct msg_start *m)
{
	struct msg_redeem redeem = { m->service, m->ticket };
	struct job *j = job_new(s, c, tag);
	struct err err;

	if (!j)
		return;
	j->spec.service = m->service;
	j->client = (struct msg_client){
		.tag = pool_str(&j->pool, m->tag),
		.pending = pool_str(&j->pool, m->pending),
		.client = pool_str(&j->pool, m->client),
		.local = pool_str(&j->pool, m->local),
		.secured = m->secured,
		.fd = m->fd,
		.session = pool_str(&j->pool, m->session),
	};
	m->fd = -1; /* ours now */
	if (m->service != SVC_IMAPD && m->service != SVC_POP3D) {
		j->spec.service = SVC_LOGIN; /* for the log: who asked so */
		err_set(&err, ERR_PERM, EINVAL, "a service users have not");
	} else if (!j->client.local.p || !j->client.client.p ||
		   !j->client.pending.p || !j->client.tag.p ||
		   !j->client.session.p) {
		err_sys(&err, ENOMEM, "request");
	} else if (asker_send(s->authd, &msg_redeem_def, &redeem, REDEEM_MS,
			      on_identity, j)) {
		return;
	} else {
		err_set(&err, ERR_TEMP, EAGAIN, "authd does not answer");
	}
	job_fail(j, &err);
}

/* --- OPEN ---------------------------------------------------------------- */

static void
on_open(struct spawner *s, struct chan *c, uint32_t tag,
	const struct msg_open *m)
{
	struct job *j = job_new(s, c, tag);
	struct err err;
	int rc;

	if (!j)
		return;
	j->spec.service = SVC_DELIVER;
	if (m->kind == OPEN_LOCAL) {
		rc = place_local(s, m->user, &j->spec, &err);
	} else if (m->kind == OPEN_VIRTUAL) {
		rc = place_virtual(s, STR_NULL, &j->spec, &err);
	} else if (m->kind == OPEN_VIRTUAL_MBOX && m->path.n) {
		rc = place_virtual(s, m->path, &j->spec, &err);
	} else {
		rc = err_set(&err, ERR_PERM, EINVAL, "no such kind");
	}
	if (rc < 0)
		job_fail(j, &err);
	else
		job_run(j);
}

/* --- askers -------------------------------------------------------------- */

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct spawner *s = arg;

	if (def == &msg_start_def)
		on_start(s, c, tag, msg);
	else if (def == &msg_open_def)
		on_open(s, c, tag, msg);
	else if (def == &msg_who_def)
		survey_who(&s->procs, c, tag, msg);
	else
		survey_kick(&s->procs, c, tag, msg);
}

static void
on_close(struct chan *c, void *arg)
{
	/* Its jobs go on: they hold the channel, their answers are dropped. */
	(void)c;
	(void)arg;
}

void
spawner_peer(struct spawner *s, const struct chan_row *row, int fd)
{
	static const struct chan_ops ops = { on_msg, on_close };

	if (!chan_new(s->loop, fd, row, CHAN_SERVICE, &ops, s))
		log_warn("channel %s: out of memory", row->name);
}

void
spawner_passwd(struct spawner *s, int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0 || st.st_size > PASSWD_MAX)
		log_warn("passwd: not taken");
	else if (st.st_size == 0)
		log_warn("passwd is empty: the old one stays");
	else if ((p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
			   0)) == MAP_FAILED)
		log_warn("passwd: %m");
	else {
		if (s->passwd.n)
			munmap((void *)(uintptr_t)s->passwd.p, s->passwd.n);
		s->passwd = str_mem(p, (size_t)st.st_size);
	}
	close(fd);
}

int
spawner_init(struct spawner *s, struct loop *l, const struct params *params,
	     struct err *err)
{
	s->loop = l;
	s->params = params;
	list_init(&s->jobs);
	list_init(&s->takes);
	return procs_init(&s->procs, l, err);
}

void
spawner_fini(struct spawner *s)
{
	take_fini(s);
	procs_fini(&s->procs);
	complaints_fini(&s->complaints);
	if (s->authd)
		asker_free(s->authd);
	if (s->passwd.n)
		munmap((void *)(uintptr_t)s->passwd.p, s->passwd.n);
}
