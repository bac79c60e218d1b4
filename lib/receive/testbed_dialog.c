/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/log.h"
#include "receive/testbed_dialog.h"

/* tests/dialog/README.md has the language. */
enum { FILE_MAX = 256 * 1024, FILES_MAX = 200 };

struct dialog {
	struct testbed tb;
	const struct daemon_ops *ops;
	bool running;
	const char *file;
	unsigned line;
	char params[4096];
	char ip[ADDR_TEXT_MAX];
	bool tls, local;
	uint32_t uid;
	char why[600];
	int log;	  /* where the worker's log comes out */
	struct buf lines; /* of it, "ID: text\n" */
};

static int wrong(struct dialog *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int
wrong(struct dialog *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* \r \n \t \0 \\ \xHH */
static void
unescape(struct buf *out, struct str s)
{
	static const char from[] = "rnt0\\", to[] = "\r\n\t\0\\";
	const char *p;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '\\' || i + 1 == s.n) {
			buf_add_byte(out, s.p[i]);
			continue;
		}
		i++;
		if (s.p[i] == 'x' && i + 2 < s.n) {
			char hex[3] = { s.p[i + 1], s.p[i + 2], '\0' };

			buf_add_byte(out, (char)strtol(hex, NULL, 16));
			i += 2;
		} else if ((p = strchr(from, s.p[i])) && *p) {
			buf_add_byte(out, to[p - from]);
		}
	}
}

/* want may end in '*'. */
static bool
matches(struct str want, struct str got)
{
	if (want.n && want.p[want.n - 1] == '*')
		return str_starts(got, str_head(want, want.n - 1));
	return str_eq(want, got);
}

static bool
has_line(struct str text, struct str want)
{
	struct str line;

	while (str_cut(&text, '\n', &line))
		if (matches(want, line))
			return true;
	return false;
}

/* --- the log, in the form it has on logd's channel --------------------------
 */

static void
add_records(struct buf *lines, struct str frame)
{
	size_t n, id;

	while (frame.n >= 4) {
		n = enc_get16(frame.p);
		id = (unsigned char)frame.p[3];
		if (n < 2 + id || n + 2 > frame.n)
			break;
		if (id) {
			buf_add(lines, frame.p + 4, id);
			buf_add_c(lines, ": ");
		}
		buf_add(lines, frame.p + 4 + id, n - 2 - id);
		buf_add_byte(lines, '\n');
		frame = str_from(frame, n + 2);
	}
}

static void
read_log(struct dialog *d)
{
	char frame[LOG_FRAME_MAX];
	ssize_t n;

	log_flush();
	while ((n = recv(d->log, frame, sizeof(frame), MSG_DONTWAIT)) > 0)
		add_records(&d->lines, str_mem(frame, (size_t)n));
}

/* L: the log has had this line. */
static int
do_log(struct dialog *d, struct str want)
{
	testbed_settle(&d->tb);
	read_log(d);
	return has_line(buf_str(&d->lines), want)
		       ? 0
		       : wrong(d, "want \"%.*s\" in the log:\n%.*s",
			       STR_FMT(want), STR_FMT(buf_str(&d->lines)));
}

static int
start(struct dialog *d)
{
	if (!d->running)
		testbed_init(&d->tb, d->ops, d->params);
	d->running = true;
	if (d->tb.client < 0 && d->local)
		testbed_connect_local(&d->tb, d->uid);
	else if (d->tb.client < 0)
		testbed_connect(&d->tb, d->ip, d->tls);
	return 0;
}

/* client ADDRESS, client ADDRESS tls, client uid N */
static int
do_client(struct dialog *d, struct str arg)
{
	struct str word;
	uint64_t n;

	d->local = d->tls = false;
	if (!str_token(&arg, " ", &word))
		return wrong(d, "want: client ADDRESS");
	if (str_eq(word, STR("uid"))) {
		if (str_u64(str_trim(arg), UINT32_MAX, &n) < 0)
			return wrong(d, "want: client uid N");
		d->local = true;
		d->uid = (uint32_t)n;
	} else {
		(void)!str_copy(d->ip, sizeof(d->ip), word);
		d->tls = str_eq(str_trim(arg), STR("tls"));
	}
	if (d->running) {
		if (d->tb.client >= 0)
			close(d->tb.client);
		d->tb.client = -1;
	}
	return start(d);
}

/* tlsd: and authd: what they do from now on. */
static int
do_peer(struct dialog *d, enum bed_does *does, struct str what)
{
	static const char *const words[] = { "works", "fails", "temp", "mute",
					     "dies" };
	unsigned i;

	start(d);
	if (does == &d->tb.tlsd_does && str_eq(what, STR("untrusted"))) {
		d->tb.ccert = TLS_PEER_UNTRUSTED;
		return 0;
	}
	if (does == &d->tb.tlsd_does && str_eq(what, STR("trusted"))) {
		d->tb.ccert = TLS_PEER_TRUSTED;
		return 0;
	}
	if (does == &d->tb.tlsd_does && str_starts(what, STR("offer"))) {
		testbed_offer_tls(&d->tb, str_ends(what, STR("on")));
		return 0;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(what, str_of(words[i]))) {
			*does = (enum bed_does)i;
			return 0;
		}
	return wrong(d, "nobody can %.*s", STR_FMT(what));
}

/* A: a line authd was told. */
static int
do_told(struct dialog *d, struct str want)
{
	testbed_settle(&d->tb);
	return has_line(buf_str(&d->tb.told), want)
		       ? 0
		       : wrong(d, "authd was told:\n%.*s",
			       STR_FMT(buf_str(&d->tb.told)));
}

static int
do_send(struct dialog *d, struct str arg, bool raw, unsigned times)
{
	struct buf b;

	start(d);
	buf_init(&b, 64 << 20);
	while (times--) {
		unescape(&b, arg);
		if (!raw)
			buf_add_c(&b, "\r\n");
	}
	testbed_send(&d->tb, buf_str(&b));
	buf_fini(&b);
	testbed_settle(&d->tb);
	return 0;
}

static int
do_expect(struct dialog *d, struct str want)
{
	struct str got;

	start(d);
	if (!testbed_line(&d->tb, &got))
		return wrong(d, "want \"%.*s\", got nothing", STR_FMT(want));
	if (!matches(want, got))
		return wrong(d, "want \"%.*s\", got \"%.*s\"", STR_FMT(want),
			     STR_FMT(got));
	return 0;
}

/* C+ text: into the socket, before the server looks. */
static int
do_put(struct dialog *d, struct str arg)
{
	struct buf b;
	ssize_t n;

	buf_init(&b, 1 << 20);
	unescape(&b, arg);
	n = send(d->tb.client, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	arg.n = b.n;
	buf_fini(&b);
	return n == (ssize_t)arg.n ? 0 : wrong(d, "not sent");
}

/* S* TIMES text */
static int
do_expect_times(struct dialog *d, struct str arg)
{
	struct str times;
	uint64_t n;
	int rc = 0;

	if (!str_cut(&arg, ' ', &times) || str_u64(times, 1000000, &n) < 0)
		return wrong(d, "want: S* TIMES text");
	while (n-- && rc == 0)
		rc = do_expect(d, arg);
	return rc;
}

/* All lines of one reply with this code. */
static int
do_expect_reply(struct dialog *d, struct str code)
{
	struct str got;

	start(d);
	do {
		if (!testbed_line(&d->tb, &got))
			return wrong(d, "want %.*s, got nothing",
				     STR_FMT(code));
		if (!str_starts(got, code))
			return wrong(d, "want %.*s, got \"%.*s\"",
				     STR_FMT(code), STR_FMT(got));
	} while (got.n > 3 && got.p[3] == '-');
	return 0;
}

static int
do_closed(struct dialog *d)
{
	struct str got;

	if (testbed_line(&d->tb, &got))
		return wrong(d, "want the end, got \"%.*s\"", STR_FMT(got));
	return d->tb.closed ? 0 : wrong(d, "not closed");
}

static int
do_silence(struct dialog *d)
{
	struct str rest;

	testbed_settle(&d->tb);
	rest = str_from(buf_str(&d->tb.got), d->tb.eaten);
	if (rest.n || d->tb.closed)
		return wrong(d, "want silence, got \"%.*s\"", STR_FMT(rest));
	return 0;
}

static int
check_number(struct dialog *d, struct str word, struct str arg, uint64_t got)
{
	uint64_t want;

	if (str_u64(arg, UINT64_MAX, &want) < 0)
		return wrong(d, "not a number: %.*s", STR_FMT(arg));
	return want == got ? 0
			   : wrong(d, "%.*s is %llu", STR_FMT(word),
				   (unsigned long long)got);
}

/* Q: what qmgr got. */
static int
do_qmgr_has(struct dialog *d, struct str arg)
{
	struct testbed *tb = &d->tb;
	struct str word, body;
	struct buf b;
	bool ok;

	testbed_settle(tb);
	if (tb->fault)
		return wrong(d, "the worker's fault: %s", tb->fault);
	str_token(&arg, " ", &word);
	arg = str_trim(arg);
	if (str_eq(word, STR("stored")))
		return check_number(d, word, arg, tb->stored);
	if (str_eq(word, STR("streams")))
		return check_number(d, word, arg, tb->streams);
	if (str_eq(word, STR("aborted")))
		return check_number(d, word, arg, tb->aborted);
	if (str_eq(word, STR("flags")))
		return check_number(d, word, arg, tb->flags);
	if (str_eq(word, STR("nrcpts")))
		return check_number(d, word, arg, tb->nrcpts);
	if (str_eq(word, STR("body-size")))
		return check_number(d, word, arg, tb->body.n);
	if (str_eq(word, STR("sender")))
		return str_eq(arg, buf_str(&tb->sender))
			       ? 0
			       : wrong(d, "sender is %.*s",
				       STR_FMT(buf_str(&tb->sender)));
	if (str_eq(word, STR("dsn")))
		return str_eq(arg, str_of(tb->dsn))
			       ? 0
			       : wrong(d, "dsn is %s", tb->dsn);
	if (str_eq(word, STR("rcpt")))
		return has_line(buf_str(&tb->rcpts), arg)
			       ? 0
			       : wrong(d, "rcpts are %.*s",
				       STR_FMT(buf_str(&tb->rcpts)));
	buf_init(&b, 1 << 20);
	unescape(&b, arg);
	if (str_eq(word, STR("header"))) {
		ok = has_line(buf_str(&tb->header), buf_str(&b));
		body = buf_str(&tb->header);
	} else {
		body = buf_str(&tb->body);
		ok = str_eq(word, STR("body")) && str_eq(body, buf_str(&b));
	}
	buf_fini(&b);
	return ok ? 0
		  : wrong(d, "%.*s is \"%.*s\"", STR_FMT(word),
			  STR_FMT(str_head(body, 300)));
}

/* qmgr: what it is to do. */
static int
do_qmgr(struct dialog *d, struct str arg)
{
	struct testbed *tb = &d->tb;
	struct str word, code, dsn;
	uint64_t n;

	start(d);
	str_token(&arg, " ", &word);
	if (str_eq(word, STR("pressure"))) {
		testbed_set_pressure(tb, str_eq(str_trim(arg), STR("on")));
	} else if (str_eq(word, STR("die"))) {
		tb->die_on_commit = true;
	} else if (str_eq(word, STR("die-at-stream"))) {
		tb->die_on_stream = true;
	} else if (str_eq(word, STR("stop-pipe"))) {
		tb->stop_pipe = true;
	} else if (str_eq(word, STR("drain-pipe"))) {
		tb->stop_pipe = false;
		(void)!testbed_drain(tb);
	} else if (str_eq(word, STR("read-pipe"))) {
		tb->stop_pipe = false;
		testbed_settle(tb);
	} else if (str_starts(word, STR("refuse"))) {
		if (!str_token(&arg, " ", &code) ||
		    !str_token(&arg, " ", &dsn) || str_u64(code, 599, &n) < 0)
			return wrong(d, "want: refuse CODE DSN TEXT");
		tb->refuse_stream = str_eq(word, STR("refuse-stream"));
		tb->refuse_code = (unsigned)n;
		(void)!str_copy(tb->refuse_dsn, sizeof(tb->refuse_dsn), dsn);
		(void)!str_copy(tb->refuse_text, sizeof(tb->refuse_text),
				str_trim(arg));
	} else if (str_eq(word, STR("accept"))) {
		tb->refuse_code = 0;
		tb->refuse_stream = tb->die_on_commit = tb->die_on_stream =
			false;
	} else {
		return wrong(d, "qmgr cannot %.*s", STR_FMT(word));
	}
	return 0;
}

static int
do_param(struct dialog *d, struct str arg)
{
	size_t n = strlen(d->params);

	if (d->running)
		return wrong(d, "param comes before the dialogue");
	snprintf(d->params + n, sizeof(d->params) - n, "%.*s\n", STR_FMT(arg));
	return 0;
}

static int
do_line(struct dialog *d, struct str line)
{
	struct str word, arg = line;
	uint64_t times;

	if (!str_cut(&arg, ' ', &word)) {
		word = line;
		arg = STR("");
	}
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	if (str_eq(word, STR("param")))
		return do_param(d, arg);
	if (str_eq(word, STR("client")))
		return do_client(d, arg);
	if (str_eq(word, STR("tlsd:")))
		return do_peer(d, &d->tb.tlsd_does, arg);
	if (str_eq(word, STR("authd:")))
		return do_peer(d, &d->tb.authd_does, arg);
	if (str_eq(word, STR("A:")))
		return do_told(d, arg);
	if (str_eq(word, STR("C:")))
		return do_send(d, arg, false, 1);
	if (str_eq(word, STR("C=")))
		return do_send(d, arg, true, 1);
	if (str_eq(word, STR("C+")))
		return do_put(d, arg);
	if (str_eq(word, STR("C*"))) { /* C* TIMES text */
		if (!str_cut(&arg, ' ', &word) ||
		    str_u64(word, 1000000, &times) < 0)
			return wrong(d, "want: C* TIMES text");
		return do_send(d, arg, true, (unsigned)times);
	}
	if (str_eq(word, STR("S:")))
		return do_expect(d, arg);
	if (str_eq(word, STR("S*")))
		return do_expect_times(d, arg);
	if (str_eq(word, STR("L:")))
		return do_log(d, arg);
	if (str_eq(word, STR("S~")))
		return do_expect_reply(d, arg);
	if (str_eq(word, STR("X:")))
		return do_closed(d);
	if (str_eq(word, STR("N:")))
		return do_silence(d);
	if (str_eq(word, STR("Q:")))
		return do_qmgr_has(d, arg);
	if (str_eq(word, STR("qmgr:")))
		return do_qmgr(d, arg);
	if (str_eq(word, STR("close"))) {
		close(d->tb.client);
		d->tb.client = -1;
		testbed_settle(&d->tb);
		return 0;
	}
	return wrong(d, "what is \"%.*s\"?", STR_FMT(word));
}

struct task {
	const struct daemon_ops *ops;
	char file[300];
};

static void
run_file(void **state)
{
	const struct task *task = *state;
	struct dialog d = { .file = task->file,
			    .ops = task->ops,
			    .ip = "192.0.2.1" };
	static char text[FILE_MAX];
	struct str rest, line;
	int fd = open(d.file, O_RDONLY | O_CLOEXEC), rc = 0;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int log[2] = { -1, -1 };

	if (n < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, log) < 0)
		fail_msg("%s: cannot read", d.file);
	close(fd);
	log_open(log[0], services[d.ops->id].name);
	d.log = log[1];
	buf_init(&d.lines, 4 << 20);
	rest = str_mem(text, (size_t)n);
	while (rc == 0 && str_cut(&rest, '\n', &line)) {
		d.line++;
		rc = do_line(&d, line);
		read_log(&d);
	}
	if (d.running && rc == 0 && d.tb.fault)
		rc = wrong(&d, "the worker's fault: %s", d.tb.fault);
	if (d.running)
		testbed_fini(&d.tb);
	log_open(-1, "");
	close(log[0]);
	close(log[1]);
	buf_fini(&d.lines);
	if (rc < 0)
		fail_msg("%s:%u: %s", d.file, d.line, d.why);
}

static int
is_dialog(const struct dirent *e)
{
	return str_ends(str_of(e->d_name), STR(".dlg"));
}

int
testbed_dialogs(const struct daemon_ops *ops, const char *dir, int argc,
		char **argv)
{
	static struct CMUnitTest tests[FILES_MAX];
	static struct task tasks[FILES_MAX];
	struct dirent **list = NULL;
	size_t n = 0, size = sizeof(tasks[0].file);
	int i, found;

	for (i = 1; i < argc && n < FILES_MAX; i++)
		snprintf(tasks[n++].file, size, "%s", argv[i]);
	found = argc > 1 ? 0 : scandir(dir, &list, is_dialog, alphasort);
	if (found < 0 || (argc == 1 && found == 0)) {
		fprintf(stderr, "no dialogues in %s\n", dir);
		return 1;
	}
	for (i = 0; i < found; i++) {
		if (n < FILES_MAX)
			snprintf(tasks[n++].file, size, "%s/%s", dir,
				 list[i]->d_name);
		free(list[i]);
	}
	free(list);
	for (i = 0; i < (int)n; i++) {
		tasks[i].ops = ops;
		tests[i] = (struct CMUnitTest){ .name = tasks[i].file,
						.test_func = run_file,
						.initial_state = &tasks[i] };
	}
	return _cmocka_run_group_tests("dialogues", tests, n, NULL, NULL);
}
