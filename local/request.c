/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "request.h"

enum { RESULTS_MAX = 60000 };

struct request *
request_new(struct chan *c, uint32_t tag, const struct msg_deliver *m)
{
	struct request *req;

	req = calloc(1, sizeof(*req) + m->rcpts.count * sizeof(struct result));
	if (!req)
		return NULL;
	req->chan = chan_ref(c);
	req->tag = tag;
	if (!str_copy(req->id, sizeof(req->id), m->id))
		req->id[0] = '\0';
	return req;
}

struct result *
request_add(struct request *req, uint32_t slot)
{
	struct result *r = &req->results[req->n++];

	r->slot = slot;
	r->class = DELIVER_OK;
	r->dsn = "2.0.0";
	return r;
}

/* All but a full mailbox are temporary: the mail is whole in the queue, and
 * somebody can put the mailbox right (RFC 3463 3.3, 3.4). */
static const char *
dsn_of(int code)
{
	switch (code) {
	case EDQUOT:
		return "4.2.2";
	case EFBIG:
		return "5.2.2";
	case ENOSPC:
		return "4.3.1";
	case EACCES:
	case EAGAIN:
	case EPERM:
	case EROFS:
		return "4.2.0";
	case EINVAL:
	case ELOOP:
	case ENOTDIR:
	case ENAMETOOLONG:
		return "4.3.5";
	default:
		return "4.3.0";
	}
}

void
request_fail(struct request *req, struct result *r, const char *what,
	     const struct err *err)
{
	log_line(LOG_WARN_, req->id, "%s delivery failed: %s", what,
		 LOGQ(str_of(err->text)));
	r->dsn = dsn_of(err->code);
	r->class = r->dsn[0] == '5' ? DELIVER_PERM : DELIVER_TEMP;
	free(r->text);
	if (asprintf(&r->text, "%s delivery failed: %s", what, err->text) < 0)
		r->text = NULL;
}

void
request_free(struct request *req)
{
	unsigned i;

	for (i = 0; i < req->n; i++)
		free(req->results[i].text);
	chan_unref(req->chan);
	free(req);
}

void
request_answer(struct request *req, struct str ok_text)
{
	struct msg_deliver_result out;
	struct msg_delivered msg;
	const struct result *r;
	struct err err;
	struct buf b;
	unsigned i;

	buf_init(&b, RESULTS_MAX);
	for (i = 0; i < req->n; i++) {
		r = &req->results[i];
		out = (struct msg_deliver_result){
			.slot = r->slot,
			.class = r->class,
			.dsn = str_of(r->dsn),
			.text = r->text			 ? str_of(r->text)
				: r->class == DELIVER_OK ? ok_text
							 : STR("out of memory"),
		};
		if (msg_list_add(&b, &msg_deliver_result_def, &out, &err) < 0)
			BUG("result: %s", err.text);
	}
	msg.results = msg_list_of(&b, req->n, &msg_deliver_result_def);
	chan_send(req->chan, req->tag, &msg_delivered_def, &msg);
	buf_fini(&b);
	request_free(req);
}
