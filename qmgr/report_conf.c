/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "report_conf.h"

enum { POOL_MAX = 1024 * 1024, US = 1000000 };

static unsigned
load_classes(struct str list)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "bounce", NOTICE_BOUNCE },  { "2bounce", NOTICE_2BOUNCE },
		{ "delay", NOTICE_DELAY },    { "resource", NOTICE_OTHER },
		{ "software", NOTICE_OTHER }, { "policy", NOTICE_OTHER },
		{ "protocol", NOTICE_OTHER }, { "data", NOTICE_OTHER },
	};
	unsigned bits = 0;
	struct str item;
	size_t i;

	while (str_token(&list, ", \t", &item)) {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (str_ieq(item, str_of(words[i].word)))
				break;
		if (i < sizeof(words) / sizeof(words[0]))
			bits |= words[i].bit;
		else
			log_warn("notify_classes: %s is no class", LOGQ(item));
	}
	return bits;
}

/* The words templates may use: some parameters, and times in each unit. */
static void
add_value(struct report_conf *c, struct str name, struct str value)
{
	BUG_ON(c->nvalues == REPORT_VALUES);
	c->values[c->nvalues++] = (struct bounce_value){ name.p, value };
}

static void
add_time(struct report_conf *c, const char *name, uint64_t seconds)
{
	static const struct {
		const char *name;
		unsigned seconds;
	} units[] = {
		{ "seconds", 1 },  { "minutes", 60 },	   { "hours", 3600 },
		{ "days", 86400 }, { "weeks", 7 * 86400 },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		add_value(c, pool_strf(&c->pool, "%s_%s", name, units[i].name),
			  pool_strf(&c->pool, "%llu",
				    (unsigned long long)(seconds /
							 units[i].seconds)));
}

static void
load_values(struct report_conf *c, const struct params *p)
{
	add_value(c, STR("myhostname"), c->hostname);
	add_value(c, STR("myorigin"), c->origin);
	add_value(c, STR("mail_name"), c->mail_name);
	add_value(c, STR("mydomain"),
		  pool_str(&c->pool, params_str(p, "mydomain")));
	add_time(c, "delay_warning_time", c->warn_us / US);
	add_time(c, "maximal_queue_lifetime", c->lifetime_us / US);
	add_time(c, "bounce_queue_lifetime", c->bounce_lifetime_us / US);
}

/* An address, with $myorigin where it has no domain. */
static struct str
address(struct report_conf *c, const struct params *p, const char *name)
{
	struct str s = params_str(p, name);

	if (str_find(s, '@') >= 0)
		return pool_str(&c->pool, s);
	return pool_strf(&c->pool, "%.*s@%.*s", STR_FMT(s), STR_FMT(c->origin));
}

static uint64_t
microseconds(const struct params *p, const char *name)
{
	return US * (uint64_t)params_num(p, name);
}

static void
load(struct report_conf *c, const struct params *p)
{
	c->hostname = pool_str(&c->pool, params_str(p, "myhostname"));
	c->origin = pool_str(&c->pool, params_str(p, "myorigin"));
	c->mail_name = pool_str(&c->pool, params_str(p, "mail_name"));
	c->double_bounce = address(c, p, "double_bounce_sender");
	c->bounce_to = address(c, p, "bounce_notice_recipient");
	c->bounce2_to = address(c, p, "2bounce_notice_recipient");
	c->delay_to = address(c, p, "delay_notice_recipient");
	c->classes = load_classes(params_str(p, "notify_classes"));
	c->soft_bounce = params_bool(p, "soft_bounce");
	c->size_limit = (uint64_t)params_num(p, "bounce_size_limit");
	c->warn_us = microseconds(p, "delay_warning_time");
	c->lifetime_us = microseconds(p, "maximal_queue_lifetime");
	c->bounce_lifetime_us = microseconds(p, "bounce_queue_lifetime");
	load_values(c, p);
}

struct report_conf *
report_conf_new(const struct params *p, struct str file)
{
	struct report_conf *c = calloc(1, sizeof(*c));
	struct err err;

	if (!c)
		return NULL;
	c->refs = 1;
	pool_init(&c->pool, POOL_MAX);
	load(c, p);
	c->file = pool_str(&c->pool, str_head(file, BOUNCE_FILE_MAX + 1));
	if (bounce_templates_parse(&c->templates, c->file, c->values,
				   c->nvalues, &err) < 0)
		log_error("bounce_template_file: %s: the usual words are used",
			  err.text);
	return c;
}

struct report_conf *
report_conf_ref(struct report_conf *c)
{
	c->refs++;
	return c;
}

void
report_conf_unref(struct report_conf *c)
{
	if (!c || --c->refs)
		return;
	pool_fini(&c->pool);
	free(c);
}
