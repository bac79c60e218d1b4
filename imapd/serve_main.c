/* SPDX-License-Identifier: ISC */
/*
 * For tests only, never installed: imapd over one Maildir on a loopback port,
 * with a login that believes everybody.
 *
 *   imapd_serve ROOT MAIL PORT
 *
 * The parent is login and spawner in one; the child is the user's imapd.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "entry.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"
#include "net/chan.h"
#include "net/conn.h"

extern const struct param imapd_params[];

struct server {
	struct loop loop;
	struct chan *imapd;
	uint32_t tag;
};

struct client {
	struct server *sv;
	struct conn *conn;
};

static void
hand_over(struct client *cl, struct str tag)
{
	struct msg_client m = { .user = STR("test"),
				.tag = tag,
				.client = STR("127.0.0.1:1"),
				.local = STR("127.0.0.1:2") };
	struct buf pending;

	m.fd = conn_detach(cl->conn, &pending);
	m.pending = buf_str(&pending);
	if (m.fd >= 0) {
		chan_send(cl->sv->imapd, ++cl->sv->tag, &msg_client_def, &m);
		close(m.fd);
	}
	buf_fini(&pending);
	free(cl);
}

static void
on_input(struct conn *c, void *arg)
{
	struct client *cl = arg;
	struct str in = conn_input(c), line, tag, verb;
	char tagtext[100];

	while (str_cut(&in, '\n', &line)) {
		conn_consume(c, line.n + 1);
		line = str_trim(line);
		if (!str_token(&line, " ", &tag) ||
		    !str_token(&line, " ", &verb))
			continue;
		if (!str_copy(tagtext, sizeof(tagtext), tag))
			continue;
		if (str_ieq(verb, STR("LOGIN"))) {
			hand_over(cl, str_of(tagtext));
			return;
		}
		if (str_ieq(verb, STR("CAPABILITY")))
			conn_writef(c, "* CAPABILITY IMAP4rev1 LITERAL+\r\n");
		conn_writef(c, "%s OK done\r\n", tagtext);
		in = conn_input(c);
	}
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	(void)why;
	conn_close(c);
	free(arg);
}

static const struct conn_ops ops = { .on_input = on_input, .on_end = on_end };

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = calloc(1, sizeof(*cl));
	int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (s < 0 || !cl)
		exit(1);
	cl->sv = arg;
	cl->conn = conn_new(&cl->sv->loop, s, 65536, 65536, &ops, cl);
	conn_writef(cl->conn, "* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n");
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	(void)c;
	(void)arg;
	(void)tag;
	(void)def;
	(void)msg;
}

static void
on_close(struct chan *c, void *arg)
{
	struct server *sv = arg;

	(void)c;
	loop_stop(&sv->loop);
}

static const struct chan_ops chan_ops = { on_msg, on_close };

static int
child(const char *root, const char *mail, int fd)
{
	struct user_entry e = { .spawner = fd, .mail = mail, .user = "test" };
	const struct param *row;
	struct params params;
	struct buf text;
	struct err err;
	int rc;

	buf_init(&text, 65536);
	for (row = imapd_params; row->name; row++)
		if (params_put(&text, row, str_of(row->def)) < 0)
			return 1;
	buf_add_c(&text, "myhostname = mail.example.org\n"
			 "mail_max_userip_connections = 0\n"
			 "rawlog_users = \nrawlog_size_limit = 10000000\n");
	if (params_load(&params, buf_str(&text), &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	e.params = &params;
	e.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = e.root < 0 ? 1 : imapd_entry(&e);
	params_fini(&params);
	buf_fini(&text);
	if (e.root >= 0)
		close(e.root);
	return rc;
}

static int
listen_on(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    listen(fd, 50) < 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	struct server sv = { 0 };
	struct event *ev;
	struct err err;
	int pair[2], lfd;
	uint64_t port;
	pid_t pid;

	if (argc != 4 || str_u64(str_of(argv[3]), 65535, &port) < 0)
		return 64;
	log_open(-1, "imapd");
	lfd = listen_on((int)port);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		close(pair[0]);
		close(lfd);
		return child(argv[1], argv[2], pair[1]);
	}
	close(pair[1]);
	if (pid < 0 || loop_init(&sv.loop, &err) < 0)
		return 1;
	sv.imapd = chan_new(&sv.loop, pair[0], &channels[CH_SPAWNER_IMAPD],
			    CHAN_ASKER, &chan_ops, &sv);
	ev = event_new(sv.loop.base, lfd, EV_READ | EV_PERSIST, on_accept, &sv);
	event_add(ev, NULL);
	loop_run(&sv.loop);
	event_free(ev);
	return 0;
}
