/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "frame/rawlog.h"

static const char dir_name[] = "posthouse.rawlog";

enum { NAME_SIZE = 96, STEP = 65536 };

struct side {
	int fd; /* -1: full, or not to be written */
	uint64_t left;
	bool mid_line;
};

struct rawlog {
	struct conn_tap tap;
	struct side in, out;
};

bool
rawlog_wants(const struct params *p, const char *user)
{
	struct str rest = params_str(p, "rawlog_users"), name;

	while (str_token(&rest, ", \t", &name))
		if (str_ieq(name, str_of(user)))
			return true;
	return false;
}

/* --- files ---------------------------------------------------------------- */

/* How many there are, and the first by name, which begins with the time. */
static unsigned
oldest(int dir, char first[NAME_SIZE])
{
	struct fsx_dir *d = fsx_opendir(dir, ".");
	unsigned char type;
	const char *name;
	unsigned n = 0;

	first[0] = '\0';
	while (d && (name = fsx_readdir(d, &type))) {
		n++;
		if ((!first[0] || strcmp(name, first) < 0) &&
		    !str_copy(first, NAME_SIZE, str_of(name)))
			continue; /* not ours */
	}
	if (d)
		fsx_closedir(d);
	return n;
}

static void
make_room(int dir)
{
	char first[NAME_SIZE];

	while (oldest(dir, first) > RAWLOG_FILES_MAX - 2)
		if (!first[0] || fsx_unlink(dir, first) < 0)
			return;
}

static int
open_side(struct side *s, int dir, const char *name, const char *end,
	  uint64_t limit)
{
	char full[NAME_SIZE];

	(void)snprintf(full, sizeof(full), "%s.%s", name, end);
	s->left = limit;
	s->fd = fsx_open(dir, full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			 0600);
	return s->fd < 0 ? -1 : 0;
}

/* Sorted by time; of the session's id what may stand in a file name. */
static void
make_name(char name[NAME_SIZE - 8], const char *proto,
	  const struct user_session *us)
{
	time_t t = (time_t)us->since;
	char at[32], *p;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", &tm) == 0)
		at[0] = '\0';
	(void)snprintf(name, NAME_SIZE - 8, "%s-%s-%s", at, proto, us->id);
	for (p = name; *p; p++)
		if (*p == '/')
			*p = '_';
}

static int
open_both(struct rawlog *r, int box, const char *proto,
	  const struct user_session *us, uint64_t limit)
{
	char name[NAME_SIZE - 8];
	int dir, rc;

	if (fsx_mkdir(box, dir_name, 0700) < 0 && errno != EEXIST)
		return -1;
	dir = fsx_open(box, dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return -1;
	make_room(dir);
	make_name(name, proto, us);
	rc = open_side(&r->in, dir, name, "in", limit);
	if (rc == 0)
		rc = open_side(&r->out, dir, name, "out", limit);
	fsx_close(dir);
	return rc;
}

/* --- what passes ---------------------------------------------------------- */

static void
stop(struct side *s)
{
	if (s->fd >= 0)
		fsx_close(s->fd);
	s->fd = -1;
}

/* A line of the file is a line of the stream behind its time. */
static void
put_lines(struct side *s, struct buf *b, struct str bytes)
{
	uint64_t us = clock_wall_us();
	struct str line;
	ptrdiff_t lf;

	for (; bytes.n; bytes = str_from(bytes, line.n)) {
		lf = str_find(bytes, '\n');
		line = lf < 0 ? bytes : str_head(bytes, (size_t)lf + 1);
		if (!s->mid_line)
			(void)!buf_addf(b, "%llu.%06u ",
					(unsigned long long)(us / 1000000),
					(unsigned)(us % 1000000));
		(void)!buf_add_str(b, line);
		s->mid_line = lf < 0;
	}
}

static void
on_bytes(struct conn_tap *t, bool out, struct str bytes)
{
	struct rawlog *r = LIST_OF(t, struct rawlog, tap);
	struct side *s = out ? &r->out : &r->in;
	struct str piece;
	struct err err;
	struct buf b;

	while (bytes.n && s->fd >= 0) {
		piece = str_head(bytes, STEP);
		bytes = str_from(bytes, piece.n);
		buf_init(&b, 20 * (size_t)STEP);
		put_lines(s, &b, piece);
		if (b.n > s->left) {
			b.n = (size_t)s->left;
			(void)!buf_add_c(&b, "\n(cut: rawlog_size_limit)\n");
			bytes.n = 0;
		}
		if (fsx_write_all(s->fd, b.p, b.n, &err) < 0 || b.n >= s->left)
			stop(s);
		else
			s->left -= b.n;
		buf_fini(&b);
	}
}

static void
on_end(struct conn_tap *t)
{
	struct rawlog *r = LIST_OF(t, struct rawlog, tap);

	stop(&r->in);
	stop(&r->out);
	free(r);
}

void
rawlog_open(struct conn *c, const struct params *p, int dir, const char *proto,
	    const char *user, const struct user_session *us)
{
	struct rawlog *r;

	if (!rawlog_wants(p, user) || !(r = calloc(1, sizeof(*r))))
		return;
	r->tap = (struct conn_tap){ on_bytes, on_end };
	r->in.fd = r->out.fd = -1;
	if (open_both(r, dir, proto, us,
		      (uint64_t)params_num(p, "rawlog_size_limit")) < 0) {
		log_warn("%s(%s): %s: %m", proto, LOGQ(str_of(user)), dir_name);
		on_end(&r->tap);
		return;
	}
	conn_tap(c, &r->tap);
}
