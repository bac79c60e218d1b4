/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/smtpline.h"
#include "mail/xtext.h"
#include "sendmail.h"

#ifndef POSTHOUSE_CONF_DIR
#define POSTHOUSE_CONF_DIR "/etc/posthouse"
#endif

static int
wrong(struct err *err, const char *what, const char *value)
{
	return err_set(err, ERR_PERM, 0, "%s %s", what, value);
}

/* A directory, or main.cf in it. */
static int
set_config(struct options *o, const char *path, struct err *err)
{
	struct str s = str_of(path);

	if (str_eq(s, STR("main.cf")))
		s = STR(".");
	else if (str_ends(s, STR("/main.cf")))
		s.n -= sizeof("main.cf") - 1;
	if (s.n == 0 || !str_copy(o->config, sizeof(o->config), s))
		return wrong(err, "bad configuration directory:", path);
	return 0;
}

static int
set_mode(struct options *o, const char *arg, struct err *err)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {
		{ 'm', MODE_SUBMIT }, { 'a', MODE_SUBMIT },
		{ 's', MODE_SMTP },   { 'v', MODE_VERIFY },
		{ 'p', MODE_LIST },   { 'i', MODE_ALIASES },
	};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (arg[0] == modes[i].letter && arg[1] == '\0') {
			o->mode = modes[i].mode;
			return 0;
		}
	return err_set(err, ERR_PERM, 0, "unsupported: -b%s", arg);
}

static int
set_body(struct options *o, const char *arg, struct err *err)
{
	struct str s = str_of(arg);

	if (str_ieq(s, STR("8BITMIME")))
		o->body_8bit = true;
	else if (str_ieq(s, STR("7BIT")))
		o->body_8bit = false;
	else
		return wrong(err, "bad -B option value:", arg);
	return 0;
}

static int
set_ret(struct options *o, const char *arg, struct err *err)
{
	if (str_ieq(str_of(arg), STR("full")))
		o->ret = SMTP_RET_FULL;
	else if (str_ieq(str_of(arg), STR("hdrs")))
		o->ret = SMTP_RET_HDRS;
	else
		return wrong(err, "bad -R option value:", arg);
	return 0;
}

static int
set_envid(struct options *o, const char *arg, struct err *err)
{
	struct str s = str_of(arg);
	struct buf b;
	size_t i;
	int rc;

	buf_init(&b, SMTP_ENVID_MAX);
	rc = s.n ? xtext_encode(&b, s) : -1;
	for (i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			rc = -1;
	buf_fini(&b);
	if (rc < 0)
		return wrong(err, "bad -V option value:", arg);
	o->envid = arg;
	return 0;
}

/* -q, -qI ID, -qR SITE; -q30m of a daemon that is not one of ours is the same
 * as -q. */
static int
set_queue(struct options *o, const char *arg, struct err *err)
{
	o->mode = MODE_FLUSH;
	if (!arg || (arg[0] >= '0' && arg[0] <= '9'))
		return 0;
	if (arg[0] == 'I' && arg[1]) {
		o->flush_id = arg + 1;
		return 0;
	}
	if (arg[0] == 'R' && arg[1]) {
		o->flush_site = arg + 1;
		return 0;
	}
	return err_set(err, ERR_PERM, 0, "unsupported: -q%s", arg);
}

static int
set_old(struct options *o, const char *arg, struct err *err)
{
	switch (arg[0]) {
	case 'A':
		if (!arg[1])
			return err_set(err, ERR_PERM, 0,
				       "-oA requires a pathname");
		o->aliases = arg + 1;
		return 0;
	case '7':
		return set_body(o, "7BIT", err);
	case '8':
		return set_body(o, "8BITMIME", err);
	case 'i':
		o->dots = true;
		return 0;
	default:
		return 0;
	}
}

static int
set_option(struct options *o, int opt, const char *arg, struct err *err)
{
	switch (opt) {
	case 'b':
		return set_mode(o, arg, err);
	case 'B':
		return set_body(o, arg, err);
	case 'C':
		return set_config(o, arg, err);
	case 'F':
		o->name = arg;
		return 0;
	case 'f':
	case 'r':
		o->sender = arg;
		return 0;
	case 'I':
		o->mode = MODE_ALIASES;
		return 0;
	case 'i':
		o->dots = true;
		return 0;
	case 'N':
		o->has_notify = true;
		return smtpline_notify(str_of(arg), &o->notify) < 0
			       ? wrong(err, "bad -N option value:", arg)
			       : 0;
	case 'o':
		return set_old(o, arg, err);
	case 'q':
		return set_queue(o, arg, err);
	case 'R':
		return set_ret(o, arg, err);
	case 't':
		o->header_rcpts = true;
		return 0;
	case 'V':
		return set_envid(o, arg, err);
	case 'v':
		o->verbose = true;
		return 0;
	default: /* what other sendmails know and Postfix passes over */
		return 0;
	}
}

static int
check(const struct options *o, struct err *err)
{
	if (o->mode != MODE_SUBMIT && o->header_rcpts)
		return err_set(err, ERR_PERM, 0,
			       "-t can be used only in delivery mode");
	if (o->mode != MODE_SUBMIT && o->mode != MODE_VERIFY)
		return 0;
	if (o->header_rcpts && o->nrcpts)
		return err_set(err, ERR_PERM, 0,
			       "cannot handle command-line recipients with -t");
	if (!o->header_rcpts && !o->nrcpts)
		return err_set(err, ERR_PERM, 0,
			       "Recipient addresses must be specified on the "
			       "command line or via the -t option");
	return 0;
}

int
options_parse(struct options *o, int argc, char **argv, const char *env_config,
	      struct err *err)
{
	static const char letters[] =
		":A:B:C:F:GIL:N:O:R:UV:X:ab:ce:f:h:imno:p:q::r:tvx";
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	struct str name = str_of(slash	? slash + 1
				 : argc ? argv[0]
					: "sendmail");
	int opt;

	*o = (struct options){ .mode = MODE_SUBMIT };
	if (set_config(o,
		       env_config && *env_config ? env_config
						 : POSTHOUSE_CONF_DIR,
		       err) < 0)
		return -1;
	if (str_eq(name, STR("mailq")))
		o->mode = MODE_LIST;
	else if (str_eq(name, STR("newaliases")))
		o->mode = MODE_ALIASES;
	optind = 0; /* of any earlier parse, too */
	opterr = 0;
	while ((opt = getopt(argc, argv, letters)) != -1) {
		if (opt == ':' || opt == '?')
			return err_set(err, ERR_PERM, 0,
				       opt == ':' ? "option -%c wants a value"
						  : "unknown option -%c",
				       optopt);
		if (set_option(o, opt, optarg, err) < 0)
			return -1;
	}
	o->rcpts = argv + optind;
	o->nrcpts = argc - optind;
	return check(o, err);
}
