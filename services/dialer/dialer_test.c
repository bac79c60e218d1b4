/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "dialer.h"
#include "frame/asker.h"
#include "frame/msg_dialer.h"
#include "frame/no_daemon.h"

struct world {
	struct loop loop;
	struct params params;
	struct dialer dialer;
	struct asker *asker;
	char dir[64];
	int listener;
	/* the last answer */
	unsigned answers;
	int fd;
	bool never;
	char text[256];
};

static int
listen_at(const char *path, int backlog)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(str_copy(a.sun_path, sizeof(a.sun_path), str_of(path)));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char text[512], path[128];
	struct err err;
	int fds[2];

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/dialer-test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(text, sizeof(text),
		       "dialer_sockets = %s/one, two, %s/dead\n"
		       "queue_directory = %s\n",
		       w->dir, w->dir, w->dir);
	assert_int_equal(params_load(&w->params, str_of(text), &err), 0);
	(void)snprintf(path, sizeof(path), "%s/one", w->dir);
	w->listener = listen_at(path, 5);
	assert_int_equal(loop_init(&w->loop, &err), 0);
	dialer_init(&w->dialer, &w->loop, &w->params);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	dialer_peer(&w->dialer, &channels[CH_SMTP_DIALER], fds[0]);
	w->asker = asker_new_fd(&w->loop, fds[1], &channels[CH_SMTP_DIALER],
				NULL, w);
	assert_non_null(w->asker);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "one", "two", "dead", "link" };
	struct world *w = *state;
	char path[128];
	size_t i;

	asker_free(w->asker);
	dialer_fini(&w->dialer);
	loop_fini(&w->loop);
	params_fini(&w->params);
	close(w->listener);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static void
on_dialed(void *arg, const struct msg_def *def, void *msg)
{
	struct world *w = arg;
	struct msg_dialed *m = msg;

	w->answers++;
	w->fd = -1;
	if (!def) /* dialer is gone */
		return;
	w->fd = m->fd;
	m->fd = -1;
	w->never = m->never;
	(void)str_copy(w->text, sizeof(w->text), m->text);
}

static void
dial(struct world *w, const char *path)
{
	struct msg_dial m = { .path = str_of(path) };
	unsigned before = w->answers, i;

	assert_true(asker_send(w->asker, &msg_dial_def, &m, 0, on_dialed, w));
	for (i = 0; w->answers == before && i < 1000; i++)
		loop_turn(&w->loop, i > 20);
	assert_int_equal(w->answers, before + 1);
}

static void
test_paths(void **state)
{
	static const struct {
		const char *path; /* %s: the directory */
		bool connected, never;
		const char *text;
	} rows[] = {
		{ "%s/one", true, false, "" },
		{ "two", true, false, "" },
		{ "%s/two", true, false, "" },
		{ "one", true, false, "" },
		{ "%s/dead", false, false, "No such file or directory" },
		{ "%s/link", false, true, "not among dialer_sockets" },
		{ "%s/./one", false, true, "not among dialer_sockets" },
		{ "%s//one", false, true, "not among dialer_sockets" },
		{ "../one", false, true, "not among dialer_sockets" },
		{ "/", false, true, "not among dialer_sockets" },
		{ "", false, true, "not among dialer_sockets" },
	};
	struct world *w = *state;
	char path[256], two[128], link[128];
	int second;
	size_t i;

	(void)snprintf(two, sizeof(two), "%s/two", w->dir);
	(void)snprintf(link, sizeof(link), "%s/link", w->dir);
	second = listen_at(two, 5);
	assert_int_equal(symlink(two, link), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str_copy(path, sizeof(path), str_of(rows[i].path));
		if (rows[i].path[0] == '%')
			(void)snprintf(path, sizeof(path), "%s%s", w->dir,
				       rows[i].path + 2);
		dial(w, path);
		if ((w->fd >= 0) != rows[i].connected ||
		    w->never != rows[i].never ||
		    strcmp(w->text, rows[i].text) != 0)
			fail_msg("%s: fd %d, never %d, %s", path, w->fd,
				 w->never, w->text);
		if (w->fd >= 0)
			close(w->fd);
	}
	close(second);
}

static void
test_queue_is_full(void **state)
{
	struct world *w = *state;
	struct msg_dial m = { .path = STR("two") };
	char path[128], byte;
	int second, i, held[8], n = 0;

	(void)snprintf(path, sizeof(path), "%s/two", w->dir);
	second = listen_at(path, 0);
	/* One client is let in; the next has to wait for its turn. */
	dial(w, "two");
	assert_true(w->fd >= 0);
	held[n++] = w->fd;
	assert_true(asker_send(w->asker, &msg_dial_def, &m, 0, on_dialed, w));
	for (i = 0; i < 20; i++) {
		loop_turn(&w->loop, false);
		usleep(5000);
	}
	assert_int_equal(w->answers, 1);
	held[n++] = accept(second, NULL, NULL);
	for (i = 0; w->answers == 1 && i < 1000; i++)
		loop_turn(&w->loop, true);
	assert_true(w->fd >= 0);
	held[n++] = w->fd;
	held[n++] = accept(second, NULL, NULL);
	assert_int_equal(write(w->fd, "x", 1), 1);
	assert_int_equal(read(held[3], &byte, 1), 1);
	while (n)
		close(held[--n]);
	close(second);
}

static void
test_asker_leaves(void **state)
{
	struct world *w = *state;
	struct msg_dial m = { .path = STR("two") };
	char path[128];
	int second, first, i;

	(void)snprintf(path, sizeof(path), "%s/two", w->dir);
	second = listen_at(path, 0);
	dial(w, "two");
	first = w->fd;
	assert_true(asker_send(w->asker, &msg_dial_def, &m, 0, on_dialed, w));
	loop_turn(&w->loop, false);
	loop_turn(&w->loop, false);
	assert_int_equal(w->answers, 1);
	dialer_fini(&w->dialer); /* the call that waits goes with it */
	for (i = 0; i < 10; i++) {
		loop_turn(&w->loop, false);
		usleep(5000);
	}
	assert_int_equal(w->answers, 2);
	close(first);
	close(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_is_full, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_asker_leaves, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
