/* SPDX-License-Identifier: ISC */
/* What main.cf says of a transport's destinations. */
#include <stdio.h>

#include "base/log.h"
#include "qmgr.h"

enum { NAME_SIZE = 160 };

/* NAME_destination_X, or default_destination_X where the transport has none of
 * its own. */
static const char *
name_of(const struct params *p, const char *transport, const char *def,
	char buf[NAME_SIZE])
{
	(void)snprintf(buf, NAME_SIZE, "%s%s", transport,
		       def + sizeof("default") - 1);
	return params_has(p, buf) ? buf : def;
}

static unsigned
number(const struct params *p, const char *transport, const char *def)
{
	char buf[NAME_SIZE];

	return (unsigned)params_num(p, name_of(p, transport, def, buf));
}

static struct feedback
load_feedback(const struct params *p, const char *transport, const char *def)
{
	struct feedback f;
	char buf[NAME_SIZE];
	const char *name = name_of(p, transport, def, buf);

	if (feedback_parse(params_str(p, name), &f) < 0) {
		log_warn("%s: want a number up to 1, NUMBER/concurrency or "
			 "NUMBER/sqrt_concurrency; 1 is taken",
			 name);
		f = (struct feedback){ .base = 1 };
	}
	return f;
}

void
site_rule_load(struct site_rule *r, const struct qmgr *q, const char *transport)
{
	const struct params *p = q->sites.params;
	struct window_rule *w = &r->window;
	struct str list, one;
	char buf[NAME_SIZE];

	*r = q->set.site;
	if (!p)
		return;
	(void)snprintf(buf, sizeof(buf), "%s_initial_destination_concurrency",
		       transport);
	w->initial = (unsigned)params_num(
		p,
		params_has(p, buf) ? buf : "initial_destination_concurrency");
	w->limit =
		number(p, transport, "default_destination_concurrency_limit");
	w->cohorts =
		number(p, transport,
		       "default_destination_concurrency_failed_cohort_limit");
	w->positive = load_feedback(
		p, transport,
		"default_destination_concurrency_positive_feedback");
	w->negative = load_feedback(
		p, transport,
		"default_destination_concurrency_negative_feedback");
	r->rcpts = number(p, transport, "default_destination_recipient_limit");
	r->rate_delay_ms = 1000ull * number(p, transport,
					    "default_destination_rate_delay");
	if (r->rate_delay_ms)
		w->limit = w->initial = 1;
	r->processes = (unsigned)params_num(p, "default_process_limit");
	r->deferred = false;
	for (list = params_str(p, "defer_transports");
	     str_token(&list, ", \t", &one);)
		r->deferred |= str_eq(one, str_of(transport));
}
