/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "window.h"

#define EPSILON 1e-6

/* --- feedback ------------------------------------------------------------- */

/* A number without a sign, "0.25"; at most 1000. */
static int
parse_number(struct str s, double *out)
{
	double v = 0, scale = 1;
	bool point = false;
	size_t i;

	if (s.n == 0 || s.n > 12)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && !point && i > 0) {
			point = true;
			continue;
		}
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		v = v * 10 + (s.p[i] - '0');
		if (point)
			scale *= 10;
	}
	*out = v / scale;
	return *out <= 1000 ? 0 : -1;
}

int
feedback_parse(struct str s, struct feedback *f)
{
	struct str over = str_trim(s), under = STR_NULL;
	double divisor = 1;
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '/') {
			over = str_trim(str_head(s, i));
			under = str_trim(str_from(s, i + 1));
			break;
		}
	*f = (struct feedback){ 0 };
	if (parse_number(over, &f->base) < 0)
		return -1;
	if (i == s.n)
		return f->base <= 1 ? 0 : -1;
	if (str_eq(under, STR("concurrency")))
		f->by = BY_WINDOW;
	else if (str_eq(under, STR("sqrt_concurrency")))
		f->by = BY_SQRT;
	else if (parse_number(under, &divisor) < 0 || divisor == 0)
		return -1;
	f->base /= divisor;
	return f->base <= 1 ? 0 : -1;
}

/* The root of a small whole number: Newton's, without libm. */
static double
root(unsigned n)
{
	double x = n;
	int i;

	for (i = 0; i < 24; i++)
		x = (x + n / x) / 2;
	return x;
}

static double
feedback(const struct feedback *f, unsigned n)
{
	switch (f->by) {
	case BY_WINDOW:
		return f->base / n;
	case BY_SQRT:
		return f->base / root(n);
	case BY_NOTHING:
		break;
	}
	return f->base;
}

/* --- the window ----------------------------------------------------------- */

static unsigned
within(const struct window_rule *r, unsigned n)
{
	if (r->limit && n > r->limit)
		n = r->limit;
	return n ? n : 1;
}

void
window_reset(struct window *w, const struct window_rule *r, unsigned busy)
{
	*w = (struct window){ .n = within(r, busy ? busy : r->initial) };
}

void
window_limit(struct window *w, const struct window_rule *r)
{
	w->n = within(r, w->n);
}

void
window_success(struct window *w, const struct window_rule *r, unsigned busy)
{
	w->cohorts = 0;
	/* Far above what really runs, it would shrink without effect. */
	if ((r->limit && w->n >= r->limit) || w->n >= busy + r->initial)
		return;
	w->success += feedback(&r->positive, w->n);
	if (w->success + EPSILON < 1)
		return;
	w->success -= 1;
	w->failure = 0;
	w->n++;
}

bool
window_failure(struct window *w, const struct window_rule *r)
{
	w->cohorts += 1.0 / w->n;
	if (r->cohorts > 0 && w->cohorts + EPSILON >= r->cohorts)
		return true;
	w->failure -= feedback(&r->negative, w->n);
	if (w->failure > -EPSILON)
		return false;
	w->failure += 1;
	w->success = 0;
	if (w->n > 1)
		w->n--;
	return false;
}
