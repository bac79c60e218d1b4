/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <unistd.h>

#include "base/enc.h"
#include "ctl.h"
#include "frame/dns_client.h"

/* posthouse dns: what dnsd answers, as the other processes get it. */

/* More than the greatest dns_timeout. */
enum { DNS_ANSWER_MS = 130 * 1000 };

static const struct {
	const char *name;
	enum dns_type type;
} types[] = {
	{ "A", DNS_A },	    { "AAAA", DNS_AAAA }, { "CNAME", DNS_CNAME },
	{ "MX", DNS_MX },   { "NS", DNS_NS },	  { "PTR", DNS_PTR },
	{ "TXT", DNS_TXT }, { "TLSA", DNS_TLSA },
};

enum { NTYPES = sizeof(types) / sizeof(types[0]) };

struct dns_result {
	const char *name, *type_name;
	enum dns_type type;
	int status;
};

/* --- records as zone files have them (RFC 1035 5.1) ----------------------- */

static void
print_hex(struct str s)
{
	struct buf b;

	buf_init(&b, 2 * (size_t)DNS_RDATA_MAX);
	if (enc_hex(&b, s) == 0)
		(void)fwrite(b.p, 1, b.n, stdout);
	buf_fini(&b);
}

static bool
print_strings(struct str rdata)
{
	struct str s, all = rdata;
	size_t i;

	while (all.n) { /* all of them are there */
		if ((unsigned char)all.p[0] >= all.n)
			return false;
		all = str_from(all, 1 + (unsigned char)all.p[0]);
	}
	for (; rdata.n; rdata = str_from(rdata, 1 + s.n)) {
		s = str_head(str_from(rdata, 1), (unsigned char)rdata.p[0]);
		(void)fputs("\"", stdout);
		for (i = 0; i < s.n; i++) {
			unsigned char c = (unsigned char)s.p[i];

			if (c < ' ' || c > '~')
				(void)printf("\\%03u", c);
			else
				(void)printf(c == '"' || c == '\\' ? "\\%c"
								   : "%c",
					     c);
		}
		(void)fputs(rdata.n > 1 + s.n ? "\" " : "\"", stdout);
	}
	return true;
}

static bool
print_known(enum dns_type type, struct str rdata)
{
	char name[DNS_NAME_MAX + 1], text[ADDR_TEXT_MAX];
	struct dns_mx mx;
	struct addr a;

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return dns_get_addr(type, rdata, &a) == 0 &&
		       fputs(addr_text(&a, text), stdout) >= 0;
	case DNS_MX:
		return dns_get_mx(rdata, &mx) == 0 &&
		       printf("%u %s", mx.preference, mx.host) > 0;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return dns_get_name(&rdata, name) == 0 && rdata.n == 0 &&
		       fputs(name, stdout) >= 0;
	case DNS_TXT:
		return print_strings(rdata);
	case DNS_TLSA:
		if (rdata.n < 4)
			return false;
		(void)printf("%u %u %u ", (unsigned char)rdata.p[0],
			     (unsigned char)rdata.p[1],
			     (unsigned char)rdata.p[2]);
		print_hex(str_from(rdata, 3));
		return true;
	}
	return false;
}

static void
print_record(enum dns_type type, struct str rdata)
{
	if (!print_known(type, rdata)) { /* RFC 3597 5 */
		(void)printf("\\# %zu ", rdata.n);
		print_hex(rdata);
	}
	(void)putchar('\n');
}

/* --- the answer ----------------------------------------------------------- */

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	static const struct {
		const char *text;
		int status;
	} verdicts[] = {
		[DNS_OK] = { "found", 0 },
		[DNS_NXDOMAIN] = { "no such name", 1 },
		[DNS_NODATA] = { "no such records", 1 },
		[DNS_TEMP] = { "nobody knows now", EX_TEMPFAIL },
		[DNS_BAD] = { "cannot be asked", EX_DATAERR },
	};
	const struct msg_dns_answer *m = msg;
	struct dns_result *r = arg;
	struct msg_dns_record record;
	struct str it;

	if (def != &msg_dns_answer_def)
		return;
	r->status = verdicts[m->status].status;
	(void)printf("%s %s: %s", r->name, r->type_name,
		     verdicts[m->status].text);
	if (m->text.n)
		(void)printf(": %.*s\n", STR_FMT(m->text));
	else
		(void)printf(" (%s, ttl %u)\n",
			     m->secure ? "secure" : "not secure", m->ttl);
	if (m->canonical.n)
		(void)printf("is an alias of %.*s\n", STR_FMT(m->canonical));
	it = m->records.raw;
	while (msg_list_next(&it, m->records.elem, &record))
		print_record(r->type, record.rdata);
}

static bool
find_type(const char *name, struct dns_result *r)
{
	size_t i;

	for (i = 0; i < NTYPES; i++)
		if (str_ieq(str_of(name), str_of(types[i].name))) {
			r->type = types[i].type;
			r->type_name = types[i].name;
			return true;
		}
	return false;
}

int
cmd_dns(struct ctl *c, int argc, char **argv)
{
	struct dns_result r = { .status = EX_UNAVAILABLE };
	const struct chan_row *row;
	struct msg_dns_query ask;
	struct err err;
	int fd, rc;

	if (argc < 2 || argc > 3 || !find_type(argc > 2 ? argv[2] : "MX", &r))
		return ctl_usage(argv[0]);
	r.name = argv[1];
	ask = (struct msg_dns_query){ str_of(argv[1]), (uint16_t)r.type };
	if (ctl_connect(c, SVC_DNSD, &fd, &row, &err) < 0) {
		ctl_error(argv[0], "%s", err.text);
		return ctl_status(&err);
	}
	rc = ctl_call(fd, row, &msg_dns_query_def, &ask, DNS_ANSWER_MS,
		      on_answer, &r, &err);
	close(fd);
	if (rc < 0) {
		ctl_error(argv[0], "%s", err.text);
		return ctl_status(&err);
	}
	return r.status;
}
