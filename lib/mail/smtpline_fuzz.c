/* SPDX-License-Identifier: ISC */
#include "mail/smtpline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_mem(data, size), bad;
	struct smtp_line l;
	struct smtp_mail m;
	struct smtp_rcpt r;
	unsigned offer;

	smtpline_parse(s, &l);
	BUG_ON(l.verb >= SMTP_VERBS || l.name.n + l.args.n > size);
	for (offer = 0; offer < 16; offer++) {
		if (smtpline_mail(l.args, offer, &m, &bad) == SMTP_SYNTAX_OK)
			BUG_ON(m.size > INT64_MAX ||
			       m.sender.n > PATH_TEXT_MAX ||
			       m.envid_n > SMTP_ENVID_MAX ||
			       (m.envid_n && !(offer & SMTP_OFFER_DSN)) ||
			       (m.sender.utf8 && !m.smtputf8));
		BUG_ON(bad.n > l.args.n);
		if (smtpline_rcpt(l.args, offer, &r, &bad) == SMTP_SYNTAX_OK)
			BUG_ON(r.rcpt.n == 0 || r.orcpt_n > SMTP_ORCPT_MAX ||
			       ((r.notify || r.orcpt_n) &&
				!(offer & SMTP_OFFER_DSN)));
		BUG_ON(bad.n > l.args.n);
	}
	return 0;
}
