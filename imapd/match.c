/* SPDX-License-Identifier: ISC */
#include "match.h"
#include "store/store.h"

bool
imap_pattern_init(struct imap_pattern *p, struct str text)
{
	p->text = text;
	p->has_percent = text.p && str_find(text, '%') >= 0;
	return text.p && text.n <= IMAP_PATTERN_MAX;
}

/*
 * reach[k]: the first k bytes of the pattern can match what was read of the
 * name.  One pass over the name, no recursion.
 */
bool
imap_match(const struct imap_pattern *p, struct str name)
{
	bool reach[IMAP_PATTERN_MAX + 1] = { true }, before, here;
	/* INBOX is one name in any case (RFC 3501 5.1), also as a level. */
	bool inbox =
		str_eq(name, STR("INBOX")) || str_starts(name, STR("INBOX."));
	bool any = true;
	size_t i, k;
	char c, want;

	for (k = 0; k < p->text.n; k++)
		if (reach[k] && strchr("*%", p->text.p[k]) && p->text.p[k])
			reach[k + 1] = true;
	for (i = 0; i < name.n && any; i++) {
		c = name.p[i];
		before = reach[0];
		reach[0] = any = false;
		for (k = 0; k < p->text.n; k++) {
			want = p->text.p[k];
			here = reach[k + 1];
			if (want == '*')
				reach[k + 1] = here || reach[k];
			else if (want == '%')
				reach[k + 1] = (here && c != STORE_SEPARATOR) ||
					       reach[k];
			else
				reach[k + 1] =
					before &&
					(inbox && i < 5 ? ascii_upper(want) == c
							: want == c);
			before = here;
			any |= reach[k + 1];
		}
	}
	return reach[p->text.n];
}
