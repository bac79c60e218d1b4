/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "script.h"

enum { WAIT_MS = 5000, QUIET_TURNS = 20, SCRIPT_IN_MAX = 16 * 1024 * 1024 };

void
script_fail(struct script *s, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("%s:%u: %s", s->file, s->line, text);
	abort();
}

static void
turn(struct script *s)
{
	s->ops->turn(s->arg);
	usleep(200);
}

bool
script_wait(struct script *s, bool (*question)(void *arg))
{
	uint64_t end = clock_mono_ms() + WAIT_MS;

	while (!question(s->arg)) {
		if (clock_mono_ms() > end)
			return false;
		turn(s);
	}
	return true;
}

/* --- bytes ---------------------------------------------------------------- */

void
script_unescape(struct script *s, struct str in, struct buf *out)
{
	static const char from[] = "rnt0\\", to[] = "\r\n\t\0\\";
	const char *at;
	size_t i;

	for (i = 0; i < in.n; i++) {
		if (in.p[i] != '\\') {
			(void)!buf_add_byte(out, in.p[i]);
			continue;
		}
		if (++i == in.n)
			script_fail(s, "a \\ at the end");
		at = strchr(from, in.p[i]);
		if (at) {
			(void)!buf_add_byte(out, to[at - from]);
			continue;
		}
		if (in.p[i] != 'x' || i + 2 >= in.n ||
		    enc_unhex(out, str_mem(in.p + i + 1, 2)) < 0)
			script_fail(s, "bad escape");
		i += 2;
	}
}

static void
send_all(struct script *s, struct str bytes)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	ssize_t n;

	while (bytes.n) {
		n = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n > 0)
			bytes = str_from(bytes, (size_t)n);
		else if (errno != EAGAIN)
			return; /* the server has closed: X: sees it */
		if (clock_mono_ms() > end)
			script_fail(s, "the server does not read");
		turn(s);
	}
}

/* More input: 1 some, 0 end, -1 nothing now. */
static int
receive(struct script *s)
{
	char *to = buf_reserve(&s->in, 65536);
	ssize_t n;

	if (!to)
		script_fail(s, "too much output");
	n = recv(s->fd, to, 65536, 0);
	if (n > 0)
		s->in.n += (size_t)n;
	return n > 0 ? 1 : n < 0 && errno == EAGAIN ? -1 : 0;
}

/* The server's next line; false: it has closed. */
static bool
next_line(struct script *s, struct buf *line)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	ptrdiff_t lf;
	int rc = 1;

	buf_reset(line);
	while ((lf = str_find(buf_str(&s->in), '\n')) < 0) {
		if (rc == 0)
			return false;
		if (clock_mono_ms() > end)
			script_fail(s, "the server says nothing");
		turn(s);
		rc = receive(s);
	}
	if (lf < 1 || s->in.p[lf - 1] != '\r')
		script_fail(s, "a line without CR");
	(void)!buf_add(line, s->in.p, (size_t)lf - 1);
	buf_drop(&s->in, (size_t)lf + 1);
	return true;
}

/* --- lines ---------------------------------------------------------------- */

static void
expect_line(struct script *s, struct str want)
{
	struct buf got, raw;
	bool open_end = str_ends(want, STR("*"));

	buf_init(&got, SCRIPT_IN_MAX);
	buf_init(&raw, SCRIPT_IN_MAX);
	if (!next_line(s, &got))
		script_fail(s, "closed, want: %.*s", STR_FMT(want));
	if (open_end)
		want.n--;
	script_unescape(s, want, &raw);
	if (open_end ? !str_starts(buf_str(&got), buf_str(&raw))
		     : !str_eq(buf_str(&got), buf_str(&raw)))
		script_fail(s, "got: %.*s\nwant: %.*s", STR_FMT(buf_str(&got)),
			    STR_FMT(want));
	buf_fini(&got);
	buf_fini(&raw);
}

static void
expect_end(struct script *s)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;

	while (receive(s) != 0) {
		if (clock_mono_ms() > end)
			script_fail(s, "not closed");
		turn(s);
	}
	if (s->in.n)
		script_fail(s, "more was said: %.*s", STR_FMT(buf_str(&s->in)));
}

static void
expect_silence(struct script *s)
{
	int i;

	for (i = 0; i < QUIET_TURNS; i++) {
		turn(s);
		if (receive(s) == 0)
			script_fail(s, "closed");
	}
	if (s->in.n)
		script_fail(s, "said: %.*s", STR_FMT(buf_str(&s->in)));
}

static void
send_text(struct script *s, struct str text, bool raw, uint64_t times)
{
	struct buf b, all;

	buf_init(&b, SCRIPT_IN_MAX);
	buf_init(&all, SCRIPT_IN_MAX);
	if (raw)
		script_unescape(s, text, &b);
	else
		(void)!buf_addf(&b, "%.*s\r\n", STR_FMT(text));
	while (times--)
		(void)!buf_add_str(&all, buf_str(&b));
	send_all(s, buf_str(&all));
	buf_fini(&b);
	buf_fini(&all);
}

static void
hang_up(struct script *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_reset(&s->in);
}

static void
run_line(struct script *s, struct str line)
{
	struct str verb, rest = line, count;
	uint64_t n;

	if (!str_cut(&rest, ' ', &verb)) {
		verb = line;
		rest = STR("");
	}
	if (str_eq(verb, STR("C:"))) {
		send_text(s, rest, false, 1);
	} else if (str_eq(verb, STR("C="))) {
		send_text(s, rest, true, 1);
	} else if (str_eq(verb, STR("C*"))) {
		if (!str_cut(&rest, ' ', &count) ||
		    str_u64(count, 1000000, &n) < 0)
			script_fail(s, "C* wants a number");
		send_text(s, rest, true, n);
	} else if (str_eq(verb, STR("S:"))) {
		expect_line(s, rest);
	} else if (str_eq(verb, STR("S*"))) {
		if (!str_cut(&rest, ' ', &count) ||
		    str_u64(count, 1000000, &n) < 0)
			script_fail(s, "S* wants a number");
		while (n--)
			expect_line(s, rest);
	} else if (str_eq(verb, STR("X:"))) {
		expect_end(s);
	} else if (str_eq(verb, STR("N:"))) {
		expect_silence(s);
	} else if (str_eq(verb, STR("close"))) {
		hang_up(s);
	} else if (str_eq(verb, STR("client"))) {
		hang_up(s);
		s->fd = s->ops->client(s->arg, rest);
		fcntl(s->fd, F_SETFL, O_NONBLOCK);
	} else {
		s->ops->verb(s->arg, s, verb, rest);
	}
}

static void
run_file(const char *path, const struct script_ops *ops, void *arg)
{
	struct script s = { .file = path, .fd = -1, .ops = ops, .arg = arg };
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	buf_init(&s.in, SCRIPT_IN_MAX);
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	ops->begin(arg);
	while ((n = getline(&line, &size, f)) > 0) {
		s.line++;
		if (line[n - 1] == '\n')
			n--;
		if (n && line[0] != '#')
			run_line(&s, str_mem(line, (size_t)n));
	}
	hang_up(&s);
	ops->end(arg);
	free(line);
	fclose(f);
	buf_fini(&s.in);
}

unsigned
script_run_all(const char *dir, const struct script_ops *ops, void *arg)
{
	DIR *d = opendir(dir);
	unsigned files = 0;
	struct dirent *e;
	char path[1024];

	if (!d)
		fail_msg("%s: %s", dir, strerror(errno));
	while (d && (e = readdir(d))) {
		if (!str_ends(str_of(e->d_name), STR(".dlg")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		run_file(path, ops, arg);
		files++;
	}
	if (d)
		closedir(d);
	return files;
}
