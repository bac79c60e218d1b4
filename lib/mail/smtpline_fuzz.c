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
	int strict;

	smtpline_parse(s, &l);
	BUG_ON(l.verb >= SMTP_VERBS || l.name.n + l.args.n > size);
	for (strict = 0; strict < 2; strict++) {
		if (smtpline_mail(l.args, strict, &m, &bad) == SMTP_SYNTAX_OK)
			BUG_ON(m.size > INT64_MAX ||
			       m.sender.n > PATH_TEXT_MAX);
		BUG_ON(bad.n > l.args.n);
		if (smtpline_rcpt(l.args, strict, &r, &bad) == SMTP_SYNTAX_OK)
			BUG_ON(r.rcpt.n == 0);
		BUG_ON(bad.n > l.args.n);
	}
	return 0;
}
