/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fsx.h"
#include "base/rand.h"
#include "store/maildir.h"

/* --- names --------------------------------------------------------------- */

/* The field ",S=123" or ",W=123" at the front of a base's rest; the last one
 * counts. */
static void
size_field(struct str rest, struct maildir_name *out)
{
	bool *has = rest.p[1] == 'S' ? &out->has_size : &out->has_wsize;
	uint64_t *to = rest.p[1] == 'S' ? &out->size : &out->wsize;
	uint64_t v = 0, digit;
	size_t i;

	if (*has)
		return;
	for (i = 3; i < rest.n && rest.p[i] != ','; i++) {
		digit = (uint64_t)(rest.p[i] - '0');
		if (digit > 9 || v > (INT64_MAX - digit) / 10)
			return;
		v = v * 10 + digit;
	}
	*has = i > 3;
	*to = v;
}

/* The same byte, eight times. */
#define EIGHT(byte) (UINT64_MAX / 255 * (byte))

/* One of eight bytes is below ' ', or is '/'; each subtraction sets the high
 * bit of a byte that is too small, and of none below the first such. */
static bool
has_odd_byte(const char *p)
{
	uint64_t v, slash;

	memcpy(&v, p, sizeof(v));
	slash = v ^ EIGHT('/');
	return (((v - EIGHT(' ')) & ~v) | ((slash - EIGHT(1)) & ~slash)) &
	       EIGHT(0x80);
}

bool
maildir_is_plain(struct str s)
{
	size_t i = 0;

	for (; s.n - i >= 8; i += 8)
		if (has_odd_byte(s.p + i))
			return false;
	if (i)
		return i == s.n || !has_odd_byte(s.p + s.n - 8);
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == '/')
			return false;
	return true;
}

/* Behind the base.  Letters that ascend are as we would write them. */
static void
get_letters(struct str info, struct maildir_name *out)
{
	char last = '\0', c;
	size_t i;

	out->regular = info.n == 0;
	if (!str_starts(info, STR(":2,")))
		return;
	out->regular = true;
	for (i = 3; i < info.n; i++, last = c) {
		c = info.p[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
			out->regular = false;
		else
			out->flags |= MAILDIR_FLAG(c);
		if (c <= last)
			out->regular = false;
	}
}

int
maildir_parse(struct str name, struct maildir_name *out)
{
	ptrdiff_t colon = str_find(name, ':');
	size_t i, n = colon < 0 ? name.n : (size_t)colon;

	*out = (struct maildir_name){ 0 };
	if (n == 0 || name.n > MAILDIR_NAME_MAX || name.p[0] == '.' ||
	    !maildir_is_plain(name))
		return -1;
	out->base = str_head(name, n);
	for (i = n; i-- > 0;) {
		/* The fields stand at the end, mostly. */
		if (name.p[i] == ',' && n - i > 3 && name.p[i + 2] == '=' &&
		    (name.p[i + 1] == 'S' || name.p[i + 1] == 'W'))
			size_field(str_from(out->base, i), out);
		if (out->has_size && out->has_wsize)
			break;
	}
	get_letters(str_from(name, n), out);
	return 0;
}

uint64_t
maildir_seconds(struct str base)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < base.n && i < 18; i++) {
		if (base.p[i] < '0' || base.p[i] > '9')
			break;
		v = v * 10 + (uint64_t)(base.p[i] - '0');
	}
	return v;
}

void
maildir_format(struct buf *out, struct str base, uint64_t flags)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	unsigned i;

	buf_add_str(out, base);
	buf_add_c(out, ":2,");
	for (i = 0; i < sizeof(letters) - 1; i++)
		if (flags >> i & 1)
			buf_add_byte(out, letters[i]);
}

uint64_t
maildir_rcpt(uint64_t spool_id, uint64_t queue_id, uint32_t slot,
	     struct str path, struct str address)
{
	uint8_t key[16], head[20];
	uint64_t h;

	/* The key makes each message's numbers its own; it is no secret. */
	enc_put64(key, spool_id);
	enc_put64(key + 8, queue_id);
	enc_put32(head, slot);
	h = enc_siphash(key, path.p ? path.p : "", path.n);
	enc_put64(head + 4, h);
	h = enc_siphash(key, address.p ? address.p : "", address.n);
	enc_put64(head + 12, h);
	return enc_siphash(key, head, sizeof(head));
}

static void
add_hex64(struct buf *out, uint64_t v)
{
	static const char digits[] = "0123456789abcdef";
	char hex[16];
	int i;

	for (i = 15; i >= 0; i--, v >>= 4)
		hex[i] = digits[v & 15];
	buf_add(out, hex, sizeof(hex));
}

/* At most 60 bytes, so that with everything else a name keeps room for all 52
 * flags: 12 + 53 + 60 + 48 + 55 < 255. */
static void
add_host(struct buf *out, struct str host)
{
	enum { HOST_MAX = 60 };
	size_t end = out->n + HOST_MAX, i;
	unsigned char c;

	if (host.n == 0)
		host = STR("localhost");
	for (i = 0; i < host.n && out->n + 4 <= end; i++) {
		c = (unsigned char)host.p[i];
		if (c <= ' ' || c >= 0x7f || strchr("/:,\\", c))
			buf_addf(out, "\\%03o", c);
		else
			buf_add_byte(out, (char)c);
	}
}

static void
add_sizes(struct buf *out, uint64_t size, uint64_t wsize)
{
	buf_add_c(out, ",S=");
	buf_add_u64(out, size);
	buf_add_c(out, ",W=");
	buf_add_u64(out, wsize);
}

void
maildir_prefix(struct buf *out, const struct maildir_origin *o)
{
	buf_add_u64(out, o->arrival_us / 1000000);
	buf_add_c(out, ".P");
	add_hex64(out, o->spool_id);
	buf_add_byte(out, 'Q');
	add_hex64(out, o->queue_id);
	buf_add_byte(out, 'R');
	add_hex64(out, o->rcpt);
	buf_add_byte(out, '.');
}

void
maildir_base(struct buf *out, const struct maildir_origin *o, struct str host,
	     uint64_t size, uint64_t wsize)
{
	maildir_prefix(out, o);
	add_host(out, host);
	add_sizes(out, size, wsize);
}

void
maildir_base_random(struct buf *out, struct str host, uint64_t size,
		    uint64_t wsize)
{
	uint64_t now = clock_wall_us(), unique[2];

	rand_bytes(unique, sizeof(unique));
	buf_add_u64(out, now / 1000000);
	buf_add_c(out, ".M");
	buf_add_u64(out, now % 1000000);
	buf_add_byte(out, 'R');
	add_hex64(out, unique[0]);
	add_hex64(out, unique[1]);
	buf_add_byte(out, '.');
	add_host(out, host);
	add_sizes(out, size, wsize);
}

uint64_t
maildir_count_lf(const char *p, size_t n, char *last)
{
	const char *at = p, *end = p + n, *lf;
	uint64_t count = 0;
	char before;

	if (n == 0)
		return 0;
	while (at < end && (lf = memchr(at, '\n', (size_t)(end - at)))) {
		before = lf > p ? lf[-1] : *last;
		count += before != '\r';
		at = lf + 1;
	}
	*last = end[-1];
	return count;
}

/* --- directories --------------------------------------------------------- */

static int
open_dir(int at, const char *name)
{
	return fsx_open(at, name, O_RDONLY | O_DIRECTORY, 0);
}

static int
sync_dir(int at, const char *path, struct err *err)
{
	if (fsx_fsync(at) < 0)
		return err_sys(err, errno, "%s: fsync", path);
	return 0;
}

/* Open one directory below at, making it first if it is missing. */
static int
enter(int at, const char *name, bool create, const char *path, struct err *err)
{
	int fd = open_dir(at, name);

	if (fd < 0 && errno == ENOENT && create) {
		if (fsx_mkdir(at, name, 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "%s: mkdir %s", path, name);
		if (sync_dir(at, path, err) < 0)
			return -1;
		fd = open_dir(at, name);
	}
	if (fd < 0)
		return err_sys(err, errno, "%s: open directory %s", path, name);
	return fd;
}

int
maildir_walk(int root, const char *path, bool create, struct err *err)
{
	struct str rest = str_of(path), part;
	int fd = root, next;
	char name[256];
	bool more;

	if (rest.n > MAILDIR_PATH_MAX)
		return err_set(err, ERR_PERM, ENAMETOOLONG,
			       "path is longer than %d bytes",
			       MAILDIR_PATH_MAX);
	if (rest.n > 1 && str_ends(rest, STR("/")))
		rest.n--;
	if (rest.n == 0 || str_eq(rest, STR("."))) {
		fd = open_dir(root, ".");
		if (fd < 0)
			err_sys(err, errno, "open root");
		return fd;
	}
	do {
		more = str_cut(&rest, '/', &part);
		if (!more)
			part = rest;
		if (part.n == 0 || str_eq(part, STR(".")) ||
		    str_eq(part, STR("..")) ||
		    !str_copy(name, sizeof(name), part))
			next = err_set(err, ERR_PERM, EINVAL,
				       "%s: not a plain relative path", path);
		else
			next = enter(fd, name, create, path, err);
		if (fd != root)
			fsx_close(fd);
		fd = next;
	} while (fd >= 0 && more);
	return fd;
}

int
maildir_create(int root, const char *path, struct err *err)
{
	/* new last: where it is, the others are, durably. */
	static const char *const sub[] = { "tmp", "cur", "new" };
	int dir = maildir_walk(root, path, true, err), fd = -1;
	size_t i;

	if (dir < 0)
		return -1;
	for (i = 0; i < sizeof(sub) / sizeof(sub[0]); i++) {
		fd = enter(dir, sub[i], true, path, err);
		if (fd < 0)
			break;
		fsx_close(fd);
	}
	fsx_close(dir);
	return fd < 0 ? -1 : 0;
}

int
maildir_open(int root, const char *path, struct maildir_box *box,
	     struct err *err)
{
	*box = (struct maildir_box){ -1, -1, -1 };
	box->dir = maildir_walk(root, path, false, err);
	if (box->dir < 0)
		return -1;
	box->tmp = enter(box->dir, "tmp", false, path, err);
	if (box->tmp >= 0)
		box->new = enter(box->dir, "new", false, path, err);
	if (box->new >= 0)
		return 0;
	maildir_close(box);
	return -1;
}

void
maildir_close(struct maildir_box *box)
{
	if (box->new >= 0)
		fsx_close(box->new);
	if (box->tmp >= 0)
		fsx_close(box->tmp);
	if (box->dir >= 0)
		fsx_close(box->dir);
	*box = (struct maildir_box){ -1, -1, -1 };
}
