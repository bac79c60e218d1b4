/* SPDX-License-Identifier: ISC */
#include "base/rand.h"
#include "mail/dsn.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
field(struct str *in)
{
	struct str s;

	if (!str_cut(in, '\1', &s)) {
		s = *in;
		*in = STR_NULL;
	}
	return s;
}

/* The boundary of a report whose header block this is. */
static struct str
boundary_of(struct str header)
{
	struct header_field f;
	struct str v, b;

	BUG_ON(!header_find(header, STR("Content-Type"), &f));
	v = f.value;
	BUG_ON(!str_starts(str_trim(v), STR("multipart/report;")));
	BUG_ON(!str_cut(&v, '"', &b) || !str_cut(&v, '"', &b));
	return b;
}

static void
check_header(struct str header)
{
	static const char *const names[] = { "Received", "Date",
					     "From",	 "Subject",
					     "To",	 "Auto-Submitted" };
	struct header_field f;
	size_t i, fields = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		BUG_ON(!header_find(header, str_of(names[i]), &f));
	while (header_next(&header, &f))
		fields++;
	BUG_ON(header.n || fields < 9 || fields > 10);
}

/* Three parts, and nothing else looks like a delimiter. */
static void
check_parts(struct str body, struct str boundary, bool eight, bool utf8)
{
	unsigned delimiters = 0, ends = 0;
	struct str line, rest = body;
	size_t i;

	while (str_cut(&rest, '\n', &line)) {
		if (str_search(line, boundary) < 0)
			continue;
		BUG_ON(!str_starts(line, STR("--")) ||
		       !str_starts(str_from(line, 2), boundary) || ends);
		delimiters++;
		ends += line.n == boundary.n + 4;
	}
	BUG_ON(rest.n || delimiters != 4 || ends != 1);
	for (i = 0; i < body.n; i++) {
		BUG_ON(body.p[i] == '\r' || body.p[i] == '\0');
		BUG_ON((unsigned char)body.p[i] > 127 && !eight && !utf8);
	}
}

/* Whatever stands in a message and its envelope, the report is well-formed. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bounce_value values[] = {
		{ "myhostname", { "host.test", 9 } },
		{ "delay_warning_time_hours", { "4", 1 } },
		{ "maximal_queue_lifetime_days", { "5", 1 } },
	};
	struct str in = str_mem(data, size);
	struct dsn_rcpt rcpts[2] = { 0 };
	struct dsn_built built;
	unsigned flags, i;
	struct buf out;
	struct err err;
	struct dsn d;

	if (size < 1)
		return 0;
	flags = data[0];
	in = str_from(in, 1);
	d = (struct dsn){
		.template = &bounce_defaults.of[flags % BOUNCE_KINDS],
		.values = values,
		.nvalues = sizeof(values) / sizeof(values[0]),
		.postmaster = flags & 4,
		.hostname = STR("host.test"),
		.mail_name = STR("Posthouse"),
		.origin = STR("host.test"),
		.id = STR("0123456789AB"),
		.now_us = 1700000000000000,
		.seed = 1,
		.about = STR("0123456789AA"),
		.arrival_us = 1600000000000000,
		.utf8 = flags & 8,
		.full = flags & 16,
		.size = flags & 32 ? 100 : 50000,
		.rcpts = rcpts,
		.nrcpts = 2,
	};
	d.to = d.sender = field(&in);
	d.envid = field(&in);
	for (i = 0; i < 2; i++) {
		rcpts[i].action = (enum dsn_action)((flags >> 6) + i);
		rcpts[i].address = field(&in);
		rcpts[i].original = field(&in);
		rcpts[i].orcpt = field(&in);
		rcpts[i].status = field(&in);
		rcpts[i].text = field(&in);
		rcpts[i].mta = field(&in);
		rcpts[i].reply = field(&in);
		rcpts[i].last_us = flags & 64 ? 1 : 1650000000000000;
	}
	d.header = field(&in);
	d.body = in;
	buf_init(&out, DSN_MAX);
	BUG_ON(dsn_build(&out, &d, &built, &err) < 0);
	check_header(str_head(buf_str(&out), built.header_len));
	check_parts(str_from(buf_str(&out), built.header_len),
		    boundary_of(buf_str(&out)), built.eight, built.utf8);
	buf_fini(&out);
	return 0;
}
