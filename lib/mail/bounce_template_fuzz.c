/* SPDX-License-Identifier: ISC */
#include "mail/bounce_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted can be used. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bounce_value values[] = {
		{ "myhostname", { "host.test", 9 } },
		{ "delay_warning_time_hours", { "4", 1 } },
		{ "maximal_queue_lifetime_days", { "5", 1 } },
	};
	size_t n = sizeof(values) / sizeof(values[0]), i;
	struct bounce_templates t;
	struct buf out;
	struct err err;

	(void)!bounce_templates_parse(&t, str_mem(data, size), values, n, &err);
	buf_init(&out, 2 * BOUNCE_TEXT_MAX);
	for (i = 0; i < BOUNCE_KINDS; i++) {
		const struct bounce_template *b = &t.of[i];

		buf_reset(&out);
		BUG_ON(bounce_expand(&out, b->text, values, n, &err) < 0);
		BUG_ON(str_find(b->from, '\n') >= 0 || b->from.n == 0);
		BUG_ON(str_find(b->subject, '\n') >= 0 || b->subject.n == 0);
		BUG_ON(out.n && out.p[out.n - 1] != '\n');
	}
	buf_fini(&out);
	return 0;
}
