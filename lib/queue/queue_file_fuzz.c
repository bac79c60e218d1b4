/* SPDX-License-Identifier: ISC */
/*
 * The reader of queue files and of attempt logs, with any bytes: whatever a
 * broken disk returns, nothing outside the file is read, and what is found
 * good says the same when it is written again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "queue/qfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_slots(const struct qfile_head *h, struct str file)
{
	uint8_t slot[QFILE_SLOT];
	struct qfile_rcpt r;
	struct qfile_msg m;
	uint32_t i, reports = 0;

	if (qfile_get_msg(h, file, &m)) {
		qfile_put_msg(h, &m, slot);
		reports = m.reports;
		if (m.state == 0 || m.seq == 0)
			abort();
	} else if (m.state != QFILE_HELD) {
		abort();
	}
	for (i = 0; i < h->nrcpts; i++) {
		if (qfile_get_rcpt(h, file, i, reports, &r))
			qfile_put_rcpt(h, i, &r, slot);
		else if (r.state != QFILE_TODO)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str file = str_mem(data, size), log = file;
	uint8_t head[QFILE_HEAD];
	uint8_t *rec = malloc(QLOG_HEAD + QLOG_TEXT_MAX);
	struct qfile_head h, again;
	struct qfile_env env;
	struct qlog_text t;
	struct qlog r;
	struct err err;
	uint64_t id = 1;

	if (size < 8 || !rec) {
		free(rec);
		return 0;
	}
	/* The id the name would say, and with it the CRCs' salt. */
	memcpy(&id, data + (size >= 16 ? 8 : 0), sizeof(id));
	if (qfile_get_head(file, size, id, &h, &err) == QFILE_GOOD) {
		qfile_put_head(&h, head);
		if (memcmp(head, data, 4) != 0 ||
		    qfile_get_head(str_mem(head, sizeof(head)), h.file_len, id,
				   &again, &err) != QFILE_GOOD)
			abort();
		check_slots(&h, file);
		if (qfile_get_env(
			    &h, str_head(str_from(file, h.env_off), h.env_len),
			    &env, &err) == 0 &&
		    env.sender.n + env.envid.n + env.rcpts.n != h.env_len)
			abort();
	}
	while (qlog_next(1, &log, &r)) {
		if (qlog_put(1, &r, rec) != QLOG_HEAD + r.text.n)
			abort();
		t = qlog_split(r.text);
		if (t.dsn.n + t.text.n + t.mta.n + t.reply.n > r.text.n)
			abort();
	}
	if (qid_parse(file, &id) && id == 0)
		abort();
	free(rec);
	return 0;
}
