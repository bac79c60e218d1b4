/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"
#include "frame/registry.h"

static const struct {
	const char *name;
	ctl_command *run;
	const char *args;
	const char *text;
} commands[] = {
	{ "check", cmd_check, "", "look for faults of the configuration" },
	{ "conf", cmd_conf,
	  "[-nxh] [NAME...] | -d [-xh] [NAME...] | -e NAME=VALUE...",
	  "show or change the configuration" },
	{ "dns", cmd_dns, "NAME [A|AAAA|CNAME|MX|NS|PTR|TXT|TLSA]",
	  "show what the DNS answers to the other processes" },
	{ "kick", cmd_kick, "USER | --session ID",
	  "end the IMAP and POP3 sessions of a user, or one" },
	{ "mail", cmd_mail,
	  "verify|rebuild USER|MAILDIR [--folder FOLDER] | "
	  "import USER|MAILDIR [--from MAILDIR | --mbox FILE] "
	  "[--folder FOLDER] [--uidl-format FORMAT] [--force] | "
	  "export USER|MAILDIR [--courier] [--folder FOLDER]",
	  "check, mend, import or export a mailbox" },
	{ "map", cmd_map,
	  "[-a] [hash:|btree:]FILE... | -q KEY|- TYPE:TABLE... | -s FILE...",
	  "build, ask or list lookup tables" },
	{ "queue", cmd_queue,
	  "list [--json] | stats | flush [ID...|SELECTION|ALL] | "
	  "hold|release|requeue|delete ID...|-|SELECTION|ALL | "
	  "show [-b] ID | export ID | import [--hold] [FILE] | "
	  "change ID [--from ADDRESS] [--to ADDRESS]... "
	  "[--add-rcpt ADDRESS]... [--delete-rcpt ADDRESS]... "
	  "[--route TRANSPORT:NEXTHOP]\n"
	  "SELECTION: [--site SITE] [--from PATTERN] [--to PATTERN] "
	  "[--older TIME] [--younger TIME] [--larger SIZE] [--smaller SIZE] "
	  "[--state active,deferred,held]",
	  "show the queue or change it" },
	{ "reload", cmd_reload, "", "take the new configuration" },
	{ "status", cmd_status, "", "show the running processes" },
	{ "stop", cmd_stop, "", "finish what is in hand and end" },
	{ "tls", cmd_tls,
	  "init [--name NAME]... [--dir DIR] [--force] [--write] | show | "
	  "check",
	  "make, show or check certificates" },
	{ "topology", cmd_topology, "[--markdown | --json]",
	  "show who may ask whom for what" },
	{ "trace", cmd_trace, "[--log FILE|-]... ID|ADDRESS|MESSAGE-ID",
	  "tell the story of a message" },
	{ "user", cmd_user,
	  "add|passwd [--password-stdin] USER | delete USER | list | "
	  "app add USER NAME [--services imap,pop3,smtp] [--expires 90d] | "
	  "app list USER | app remove USER NAME",
	  "change who may log in" },
	{ "who", cmd_who, "[--json] [USER] | --last USER",
	  "show the IMAP and POP3 sessions" },
};

static const size_t ncommands = sizeof(commands) / sizeof(commands[0]);

void
ctl_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fprintf(stderr, "posthouse %s: ", command);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

static void
command_usage(FILE *to, const char *command)
{
	size_t i;

	for (i = 0; i < ncommands; i++)
		if (strcmp(commands[i].name, command) == 0)
			(void)fprintf(to,
				      "usage: posthouse [-c CONFDIR] %s %s\n",
				      command, commands[i].args);
}

int
ctl_usage(const char *command)
{
	command_usage(stderr, command);
	return EX_USAGE;
}

int
ctl_status(const struct err *err)
{
	if (err->code == ENOENT || err->code == EAGAIN ||
	    err->code == ECONNREFUSED)
		return EX_UNAVAILABLE;
	if (err->class == ERR_TEMP)
		return EX_TEMPFAIL;
	if (err->code == EPERM || err->code == EACCES)
		return EX_NOPERM;
	return 1;
}

static int
usage(FILE *to)
{
	size_t i;

	(void)fputs("usage: posthouse [-c CONFDIR] COMMAND ...\n", to);
	for (i = 0; i < ncommands; i++)
		(void)fprintf(to, "  %-9s %s\n", commands[i].name,
			      commands[i].text);
	return to == stdout ? 0 : EX_USAGE;
}

int
ctl_config(struct ctl *c)
{
	struct buf messages;
	struct err err;
	int rc;

	if (c->loaded)
		return c->status;
	buf_init(&messages, 64 * 1024);
	rc = config_load(&c->conf, param_sets, c->confdir, &messages, &err);
	c->loaded = true;
	(void)fputs(buf_cstr(&messages), stderr);
	buf_fini(&messages);
	if (rc < 0) {
		(void)fprintf(stderr, "posthouse: %s\n", err.text);
		c->status = EX_USAGE;
	}
	return c->status;
}

int
ctl_main(int argc, char **argv)
{
	struct ctl c = { .confdir = "/etc/posthouse" };
	size_t i;
	int opt, rc;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	while ((opt = getopt(argc, argv, "+c:hV")) != -1)
		switch (opt) {
		case 'c':
			c.confdir = optarg;
			break;
		case 'h':
			return usage(stdout);
		case 'V':
			(void)puts("posthouse " POSTHOUSE_VERSION);
			return 0;
		default:
			return usage(stderr);
		}
	argc -= optind;
	argv += optind;
	for (i = 0; argc > 0 && i < ncommands; i++)
		if (strcmp(commands[i].name, argv[0]) == 0) {
			optind = 0; /* the command may use getopt itself */
			if (argc > 1 && strcmp(argv[argc - 1], "--help") == 0) {
				command_usage(stdout, argv[0]);
				return 0;
			}
			rc = commands[i].run(&c, argc, argv);
			if (c.loaded)
				config_fini(&c.conf);
			if (fflush(stdout) != 0 || ferror(stdout)) {
				ctl_error(argv[0], "cannot write the result");
				return EX_IOERR;
			}
			return rc;
		}
	if (argc > 0)
		(void)fprintf(stderr, "posthouse: no command \"%s\"\n",
			      argv[0]);
	return usage(stderr);
}
