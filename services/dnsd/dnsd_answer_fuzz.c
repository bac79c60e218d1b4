/* SPDX-License-Identifier: ISC */
#include "answer.h"
#include "frame/dns_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is handed on keeps the limits of the message it travels in, and names
 * in it can be read. */
static void
check(const struct answer *a, uint16_t type)
{
	struct msg_list l = msg_list_of(&a->records, a->n, &msg_dns_record_def);
	struct str it = l.raw;
	struct msg_dns_record r;
	size_t bytes = 0;
	uint32_t count = 0;

	while (msg_list_next(&it, l.elem, &r)) {
		BUG_ON(r.rdata.n > DNS_RDATA_MAX);
		BUG_ON(type == DNS_A && r.rdata.n != 4);
		BUG_ON(type == DNS_AAAA && r.rdata.n != 16);
		BUG_ON(type == DNS_MX && (r.rdata.n < 3 || r.rdata.n > 257));
		bytes += r.rdata.n;
		count++;
	}
	BUG_ON(count != a->n || count > DNS_RECORDS_MAX);
	BUG_ON(bytes > DNS_ANSWER_MAX);
	BUG_ON((a->status == DNS_OK) != (a->n > 0));
	BUG_ON((a->status == DNS_TEMP) != (a->text[0] != '\0'));
	BUG_ON(a->status == DNS_BAD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint16_t types[] = {
		DNS_A,	DNS_NS,	 DNS_CNAME, DNS_PTR,
		DNS_MX, DNS_TXT, DNS_AAAA,  DNS_TLSA
	};
	struct msg_dns_answer m = { 0 };
	int fds[MSG_FDS_MAX];
	struct answer a;
	struct buf frame;
	size_t i, nfds = 0;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		answer_init(&a);
		answer_read(&a, str_mem(data, n), types[i]);
		check(&a, types[i]);
		m.status = (uint8_t)a.status;
		m.ttl = a.ttl;
		m.canonical = str_of(a.canonical);
		m.text = str_of(a.text);
		m.records = msg_list_of(&a.records, a.n, &msg_dns_record_def);
		buf_init(&frame, MSG_FRAME_MAX);
		BUG_ON(msg_encode(&frame, &msg_dns_answer_def, 1, &m, fds,
				  &nfds, NULL) < 0);
		buf_fini(&frame);
		answer_fini(&a);
	}
	return 0;
}
