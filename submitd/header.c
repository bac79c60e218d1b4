/* SPDX-License-Identifier: ISC */
/* The header of a submitted message is put right (RFC 6409 8). */
#include "base/clock.h"
#include "base/rand.h"
#include "mail/date.h"
#include "mail/submission.h"
#include "receive/worker.h"
#include "submitd.h"

void
header_fix(struct session *s)
{
	const struct receive_conf *c = &s->w->conf;
	time_t now = (time_t)(clock_wall_us() / 1000000);
	char date[DATE_TEXT_MAX], id[33];
	struct str header = txn_own_header(&s->txn);
	struct submission how = {
		.origin = c->origin,
		.sender = path_str(&s->txn.sender),
		.date = str_of(date_format(date, now)),
		.id_right = c->hostname,
	};
	struct buf out;
	struct err err;

	snprintf(id, sizeof(id), "%016llx%016llx",
		 (unsigned long long)rand_u64(),
		 (unsigned long long)rand_u64());
	how.id_left = str_of(id);
	/* Each address may get the domain; each is two bytes or more. */
	buf_init(&out, header.n * (1 + c->origin.n) + 2048);
	if (submission_fix(&out, header, &how, &err) < 0)
		txn_fail(&s->txn, 451, "4.3.0", "Error: out of memory");
	else if (out.n > c->header_size) /* domains add up */
		txn_fail(&s->txn, 552, "5.3.4",
			 "Error: message header too long");
	else if (txn_put_header(&s->txn, buf_str(&out)) < 0)
		txn_fail(&s->txn, 451, "4.3.0", "Error: out of memory");
	buf_fini(&out);
}
