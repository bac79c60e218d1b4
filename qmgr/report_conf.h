/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_CONF_H
#define QMGR_REPORT_CONF_H

#include "base/param.h"
#include "mail/bounce_template.h"

/* What the parameters and the template file say of reports.  Never changed once
 * made, and counted, since threads write reports while there is a reload; the
 * count is the loop's alone. */
enum notice_class {
	NOTICE_BOUNCE = 1,
	NOTICE_2BOUNCE = 2,
	NOTICE_DELAY = 4,
	NOTICE_OTHER = 8, /* of Postfix, without effect here */
};

enum { REPORT_VALUES = 20 };

struct report_conf {
	unsigned refs;
	struct pool pool; /* of all strings */
	struct str hostname, origin, mail_name;
	struct str double_bounce; /* address, the sender of notices */
	struct str bounce_to, bounce2_to, delay_to;
	unsigned classes; /* enum notice_class */
	bool soft_bounce;
	uint64_t size_limit; /* bounce_size_limit */
	uint64_t warn_us;    /* delay_warning_time; 0: never */
	uint64_t lifetime_us, bounce_lifetime_us;
	struct bounce_value values[REPORT_VALUES];
	size_t nvalues;
	struct str file;
	struct bounce_templates templates; /* slices of file */
};

/* file: of bounce_template_file; what is faulty is said in the log, and the
 * usual words are used.  NULL: no memory. */
struct report_conf *report_conf_new(const struct params *p, struct str file);
struct report_conf *report_conf_ref(struct report_conf *c);
void report_conf_unref(struct report_conf *c);

#endif
