/* SPDX-License-Identifier: ISC */
/* posthouse who and kick: the sessions of IMAP and POP3. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/msg_spawner.h"
#include "queue.h"
#include "user.h"

/* spawner answers within two seconds, whatever its processes do. */
enum { WHO_TIMEOUT_MS = 15 * 1000 };

struct who {
	bool json;
	unsigned rows;
	unsigned imap, pop3; /* that have not logged in */
	struct msg_who_done done;
};

static const char *
service_name(uint8_t service)
{
	return service == SVC_POP3D ? "pop3" : "imap";
}

static void
print_json(const struct msg_who_row *m)
{
	(void)printf("{\"service\": \"%s\", \"user\": ",
		     service_name(m->service));
	queue_print_json(m->user);
	(void)fputs(", \"client\": ", stdout);
	queue_print_json(m->client);
	(void)printf(", \"tls\": %s, \"since\": %llu, \"state\": ",
		     m->secured ? "true" : "false",
		     (unsigned long long)m->since);
	queue_print_json(m->state);
	(void)fputs(", \"session\": ", stdout);
	queue_print_json(m->session);
	(void)printf(", \"pid\": %u}\n", m->pid);
}

static void
print_text(struct who *w, const struct msg_who_row *m)
{
	if (w->rows++ == 0)
		(void)printf("%-4s  %-19s  %-24s  %-21s  %-3s  %-16s  %s\n",
			     "what", "since", "user", "client", "tls",
			     "session", "state");
	(void)printf("%-4s  ", service_name(m->service));
	queue_print_time(m->since * 1000000);
	(void)printf("  %-24s  %-21s  %-3s  %-16s  %s\n", LOGQ(m->user),
		     LOGQ(m->client), m->secured ? "yes" : "no",
		     LOGQ(m->session), LOGQ(m->state));
}

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct who *w = arg;

	if (def == &msg_who_done_def) {
		const struct msg_who_done *m = msg;

		w->done.count += m->count;
		w->done.silent += m->silent;
	} else if (def == &msg_who_row_def) {
		const struct msg_who_row *m = msg;

		if (w->json)
			print_json(m);
		else if (m->user.n)
			print_text(w, m);
		else if (m->service == SVC_POP3D)
			w->pop3++;
		else
			w->imap++;
	}
}

static int
ask(struct ctl *c, const char *command, enum service_id service,
    unsigned worker, const struct msg_def *def, const void *msg, struct who *w)
{
	const struct chan_row *row;
	struct err err;
	int fd, rc;

	rc = ctl_connect_worker(c, service, worker, &fd, &row, &err);
	if (rc == 0) {
		rc = ctl_call(fd, row, def, msg, WHO_TIMEOUT_MS, on_answer, w,
			      &err);
		close(fd);
	}
	if (rc == 0)
		return 0;
	ctl_error(command, "%s", err.text);
	return ctl_status(&err);
}

static int
finish(const char *command, const struct who *w)
{
	if (!w->done.silent)
		return 0;
	ctl_error(command, "%u process%s did not answer", w->done.silent,
		  w->done.silent == 1 ? "" : "es");
	return EX_TEMPFAIL;
}

static int
who(struct ctl *c, bool json, const char *user)
{
	struct msg_who ask_them = { .user = str_of(user) };
	struct who w = { .json = json };
	uint64_t workers = 0, i;
	int rc;

	rc = ask(c, "who", SVC_SPAWNER, 0, &msg_who_def, &ask_them, &w);
	(void)!ctl_config(c); /* faults do not matter here */
	(void)!str_u64(config_get(&c->conf, "login_workers"), 64, &workers);
	for (i = 1; rc == 0 && !user && i <= workers; i++)
		rc = ask(c, "who", SVC_LOGIN, (unsigned)i, &msg_who_def,
			 &ask_them, &w);
	if (rc)
		return rc;
	if (!json && !user)
		(void)printf("%u session%s; before login: imap %u, pop3 %u\n",
			     w.rows, w.rows == 1 ? "" : "s", w.imap, w.pop3);
	if (user && w.done.count == 0 && !w.done.silent)
		return 1;
	return finish("who", &w);
}

/* A user's name as sessions and the log have it. */
static char *
lower(char *user)
{
	char *at;

	for (at = user; *at; at++)
		*at = ascii_lower(*at);
	return user;
}

/* authd notes each login, also of users that are not in the users file. */
static int
last(struct ctl *c, const char *user)
{
	char text[USER_LAST_MAX];
	struct err err;
	int fd;

	if (ctl_config(c) != 0)
		return EX_USAGE;
	fd = user_last_open(c);
	if (fd < 0 && errno != ENOENT) {
		err_sys(&err, errno, "last_use_file");
		ctl_error("who", "%s", err.text);
		return ctl_status(&err);
	}
	user_last(fd, str_of(user), STR(""), text);
	if (fd >= 0)
		close(fd);
	if (!text[0]) {
		ctl_error("who", "%s: no login is known", user);
		return 1;
	}
	(void)puts(text);
	return 0;
}

int
cmd_who(struct ctl *c, int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;

	if (argc == 3 && strcmp(argv[1], "--last") == 0)
		return last(c, lower(argv[2]));
	argc -= json;
	argv += json;
	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return ctl_usage("who");
	return who(c, json, argc == 2 ? lower(argv[1]) : NULL);
}

int
cmd_kick(struct ctl *c, int argc, char **argv)
{
	struct msg_kick m = { .user = STR("") };
	struct who w = { .json = false };
	int rc;

	if (argc == 2 && argv[1][0] != '-')
		m.user = str_of(lower(argv[1]));
	else if (argc == 3 && strcmp(argv[1], "--session") == 0)
		m.session = str_of(argv[2]);
	if (m.user.n == 0 && m.session.n == 0)
		return ctl_usage("kick");
	rc = ask(c, "kick", SVC_SPAWNER, 0, &msg_kick_def, &m, &w);
	if (rc)
		return rc;
	(void)printf("%u session%s ended\n", w.done.count,
		     w.done.count == 1 ? "" : "s");
	rc = finish("kick", &w);
	return rc == 0 && w.done.count == 0 ? 1 : rc;
}
