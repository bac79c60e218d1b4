/* SPDX-License-Identifier: ISC */
/* To router: who are the recipients really?  Asked once, before commit. */
#include <stdlib.h>

#include "base/enc.h"
#include "frame/msg_router.h"
#include "intake.h"
#include "report_conf.h"

enum { EXPAND_MS = 60 * 1000 };

/* Take a list of msg_rcpt; false: too many. */
static bool
add_list(struct intake *it, const struct msg_list *l)
{
	if (l->count > RCPTS_MAX - it->nrcpts)
		return false;
	it->nrcpts += l->count;
	return buf_add_str(&it->rcpts, l->raw) == 0;
}

/* Refused for good; "4.x.y" is to be tried again, as if it had been. */
static bool
is_refused(const struct msg_rcpt *r)
{
	return r->type == RCPT_ERROR && !str_starts(r->dsn, STR("4"));
}

/* Those that one address became stand together: how many are there? */
static uint32_t
run_of(struct str in, struct str original)
{
	struct msg_rcpt r;
	uint32_t n = 0;

	while (msg_list_next(&in, &msg_rcpt_def, &r) &&
	       str_eq(r.original, original))
		n++;
	return n;
}

/*
 * RFC 3461 5.2.7.2: where an address became several, success is not reported
 * for each of them, but the expansion is.  -1: no memory.
 */
static int
note_expansions(struct intake *it)
{
	struct str in = buf_str(&it->rcpts), from;
	struct msg_rcpt r;
	struct buf out;
	uint32_t left = 0, n = 0;
	bool first;
	int rc = 0;

	buf_init(&out, it->rcpts.limit);
	for (from = in; rc == 0 && msg_list_next(&in, &msg_rcpt_def, &r);
	     from = in) {
		first = left == 0;
		if (first)
			left = n = run_of(from, r.original);
		if (left-- && n > 1 && r.notify & NOTIFY_SUCCESS) {
			r.notify &= (uint8_t)~NOTIFY_SUCCESS;
			r.notify |= r.notify ? 0 : NOTIFY_NEVER;
			r.notify |= first ? NOTIFY_EXPANDED : 0;
		}
		rc = msg_list_add(&out, &msg_rcpt_def, &r, NULL);
	}
	if (rc < 0) {
		buf_fini(&out);
		return -1;
	}
	buf_fini(&it->rcpts);
	it->rcpts = out;
	return 0;
}

/* Every recipient that is settled before delivery gets its state now.  With
 * soft_bounce those in error are tried, in vain, until they are not. */
static int
set_states(struct intake *it)
{
	struct str in = buf_str(&it->rcpts);
	bool soft = it->q->reports->soft_bounce;
	struct msg_rcpt r;
	uint32_t i;

	it->rcpt_state = calloc(it->nrcpts, 1);
	for (i = 0; it->rcpt_state && msg_list_next(&in, &msg_rcpt_def, &r);
	     i++)
		if (is_refused(&r) && !soft)
			it->rcpt_state[i] = QFILE_GAVE_UP;
		else if (r.type == RCPT_DISCARD)
			it->rcpt_state[i] = QFILE_DONE;
	return it->rcpt_state ? 0 : -1;
}

/* If all are in error the message is refused. */
static void
judge(struct intake *it)
{
	struct str in = buf_str(&it->rcpts);
	uint32_t i, errors = 0, discards = 0, success = 0;
	struct msg_rcpt r, first = { 0 };

	for (i = 0; i < it->nrcpts; i++) {
		if (!msg_list_next(&in, &msg_rcpt_def, &r))
			break;
		if (is_refused(&r) && errors++ == 0)
			first = r;
		discards += r.type == RCPT_DISCARD;
		success += (r.notify & NOTIFY_SUCCESS) != 0;
	}
	if (i < it->nrcpts || it->nrcpts == 0) {
		intake_refuse(it, 451, STR("4.3.5"),
			      "Error: no recipients after expansion");
		return;
	}
	if (errors == it->nrcpts) {
		char text[TEXT_MAX + 1];

		if (!str_copy(text, sizeof(text), first.text))
			text[0] = '\0';
		intake_refuse(it, 550, first.dsn, text);
		return;
	}
	if ((errors + discards && set_states(it) < 0) ||
	    (success && note_expansions(it) < 0))
		intake_refuse(it, 451, STR("4.3.0"), "Error: out of memory");
	else
		intake_store(it);
}

static void
on_expanded(void *arg, const struct msg_def *def, void *msg)
{
	struct intake *it = arg;
	struct msg_expanded *e = msg;
	char text[TEXT_MAX + 1];

	if (def == &msg_expanded_part_def) {
		struct msg_expanded_part *part = msg;

		/* One too many is noticed at the end. */
		if (!add_list(it, &part->rcpts))
			it->rcpts.overflown = true;
		return;
	}
	it->router_tag = 0;
	if (def != &msg_expanded_def) {
		intake_refuse(it, 451, STR("4.3.0"),
			      "Temporary lookup failure");
	} else if (e->temp) {
		if (!str_copy(text, sizeof(text), e->text) || !text[0])
			str_copy(text, sizeof(text),
				 STR("Temporary lookup failure"));
		intake_refuse(it, 451, STR("4.3.0"), text);
	} else if (!add_list(it, &e->rcpts) || buf_overflown(&it->rcpts)) {
		intake_refuse(it, 452, STR("4.5.3"),
			      "Error: too many recipients");
	} else {
		judge(it);
	}
}

/* What came in RCPTS frames goes in as many parts. */
static int
send_parts(struct intake *it, uint32_t tag, uint32_t *count)
{
	struct str in = buf_str(&it->stream->rcpts);
	struct msg_expand_part part;
	size_t n;

	while (in.n >= 8) {
		n = enc_get32(in.p);
		part.rcpts = (struct msg_list){ str_head(str_from(in, 8), n),
						enc_get32(in.p + 4),
						&msg_rcpt_in_def };
		*count += part.rcpts.count;
		if (asker_send_part(it->q->router, tag, &msg_expand_part_def,
				    &part) < 0)
			return -1;
		in = str_from(in, 8 + n);
	}
	return 0;
}

void
expand_start(struct intake *it, const struct msg_list *last)
{
	struct msg_expand msg = { .sender = intake_sender(it),
				  .rcpts = { .elem = &msg_rcpt_in_def } };
	struct asker *router = it->q->router;
	uint32_t tag = 0;

	it->state = INTAKE_EXPANDING;
	if (last)
		msg.rcpts = *last;
	msg.count = msg.rcpts.count;
	if (!it->stream) {
		tag = asker_send(router, &msg_expand_def, &msg, EXPAND_MS,
				 on_expanded, it);
	} else {
		tag = asker_tag(router);
		if (send_parts(it, tag, &msg.count) < 0)
			tag = 0;
		else
			tag = asker_send_tagged(router, tag, &msg_expand_def,
						&msg, EXPAND_MS, on_expanded,
						it);
	}
	if (tag)
		it->router_tag = tag;
	else
		intake_refuse(it, 451, STR("4.3.0"),
			      "Temporary lookup failure");
}
