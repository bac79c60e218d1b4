/* SPDX-License-Identifier: ISC */
/* The disk of the tests (fsx_mem.h).  Memory that runs out ends the test. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fsx_mem.h"

enum { FD_BASE = 1 << 20, FDS = 4096, NONE = UINT32_MAX };

struct mem_fd {
	bool used, append, can_read, can_write, locked;
	uint32_t node;
	uint64_t pos;
};

static struct {
	pthread_mutex_t lock;
	bool ready;
	struct memfs fs;
	struct mem_fd fd[FDS];
	int last_fd;
	bool recording;
	struct memfs_op *op;
	size_t nops, op_size;
	uint64_t calls, fail_call;
	int fail_code;
	bool half; /* the next write fails */
	uint64_t when;
	uint64_t free_bytes;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .free_bytes = 1ull << 40 };

/* --- the record ----------------------------------------------------------- */

static void
record(const struct memfs_op *op)
{
	struct memfs_op *o;

	if (!disk.recording)
		return;
	if (disk.nops == disk.op_size) {
		disk.op_size = disk.op_size ? disk.op_size * 2 : 1024;
		disk.op = memfs_must(
			reallocarray(disk.op, disk.op_size, sizeof(*disk.op)));
	}
	o = &disk.op[disk.nops++];
	*o = *op;
	if (op->name)
		o->name = memfs_must(strdup(op->name));
	if (op->to_name)
		o->to_name = memfs_must(strdup(op->to_name));
	if (op->data.n)
		o->data.p = memcpy(memfs_must(malloc(op->data.n)), op->data.p,
				   op->data.n);
}

static void
change(struct memfs_op op)
{
	op.when = ++disk.when;
	memfs_apply(&disk.fs, &op);
	record(&op);
}

static void
forget_record(void)
{
	size_t i;

	for (i = 0; i < disk.nops; i++) {
		free(disk.op[i].name);
		free(disk.op[i].to_name);
		free((void *)(uintptr_t)disk.op[i].data.p);
	}
	free(disk.op);
	disk.op = NULL;
	disk.nops = disk.op_size = 0;
	disk.recording = false;
}

static void
start_over(void)
{
	disk.recording = false;
	memset(disk.fd, 0, sizeof(disk.fd));
	memfs_fini(&disk.fs);
	disk.calls = disk.fail_call = 0;
	disk.half = false;
	disk.ready = true;
}

void
fsx_mem_reset(void)
{
	forget_record();
	start_over();
	memfs_init(&disk.fs);
}

void
fsx_mem_load_keep(const struct memfs *fs)
{
	start_over();
	memfs_copy(&disk.fs, fs);
}

void
fsx_mem_load(const struct memfs *fs)
{
	forget_record();
	fsx_mem_load_keep(fs);
}

const struct memfs *
fsx_mem_now(void)
{
	return &disk.fs;
}

void
fsx_mem_record(struct memfs *start)
{
	forget_record();
	memfs_copy(start, &disk.fs);
	disk.recording = true;
}

void
fsx_mem_record_stop(void)
{
	disk.recording = false;
}

size_t
fsx_mem_nops(void)
{
	return disk.nops;
}

const struct memfs_op *
fsx_mem_op(size_t i)
{
	return &disk.op[i];
}

void
fsx_mem_note(uint32_t what)
{
	record(&(struct memfs_op){ .kind = MEMFS_NOTE, .node = what });
}

uint64_t
fsx_mem_calls(void)
{
	return disk.calls;
}

void
fsx_mem_fail_at(uint64_t call, int code)
{
	disk.fail_call = call;
	disk.fail_code = code;
	disk.half = false;
}

void
fsx_mem_set_free(uint64_t bytes)
{
	disk.free_bytes = bytes;
}

/* --- descriptors ---------------------------------------------------------- */

/* Each call of fsx.h is one turn: locked, counted, perhaps failing. */
static bool
begin(void)
{
	pthread_mutex_lock(&disk.lock);
	if (!disk.ready)
		fsx_mem_reset();
	if (++disk.calls != disk.fail_call)
		return true;
	errno = disk.fail_code;
	pthread_mutex_unlock(&disk.lock);
	return false;
}

static int
done(int rc, int code)
{
	pthread_mutex_unlock(&disk.lock);
	if (rc < 0)
		errno = code;
	return rc;
}

static struct mem_fd *
fd_of(int fd)
{
	if (fd < FD_BASE || fd >= FD_BASE + FDS || !disk.fd[fd - FD_BASE].used)
		return NULL;
	return &disk.fd[fd - FD_BASE];
}

static int
fd_new(uint32_t node, int flags)
{
	int i = disk.last_fd, tries;

	for (tries = 0; tries < FDS && disk.fd[i].used; tries++)
		i = (i + 1) % FDS;
	if (disk.fd[i].used)
		return -1;
	disk.last_fd = i;
	disk.fd[i] = (struct mem_fd){
		.used = true,
		.append = flags & O_APPEND,
		.can_read = (flags & O_ACCMODE) != O_WRONLY,
		.can_write = (flags & O_ACCMODE) != O_RDONLY,
		.node = node,
	};
	return FD_BASE + i;
}

int
fsx_mem_root(void)
{
	int fd;

	pthread_mutex_lock(&disk.lock);
	if (!disk.ready)
		fsx_mem_reset();
	fd = fd_new(0, O_RDONLY);
	pthread_mutex_unlock(&disk.lock);
	return fd;
}

/* The directory a path ends in, and its last component ("." for the directory
 * itself); NONE with *code. */
static uint32_t
walk(int dirfd, const char *path, char last[256], int *code)
{
	struct mem_fd *f = fd_of(dirfd);
	struct str rest = str_of(path), part;
	struct memfs_entry *e;
	uint32_t dir;

	*code = !f ? EBADF : !disk.fs.v[f->node].dir ? ENOTDIR : 0;
	if (*code)
		return NONE;
	dir = f->node;
	while (str_cut(&rest, '/', &part)) {
		if (part.n == 0 || str_eq(part, STR("..")))
			BUG("path %s", path);
		if (str_eq(part, STR(".")) || !str_copy(last, 256, part))
			continue;
		e = memfs_lookup(&disk.fs, dir, last);
		*code = !e ? ENOENT : !disk.fs.v[e->node].dir ? ENOTDIR : 0;
		if (*code)
			return NONE;
		dir = e->node;
	}
	if (!str_copy(last, 256, rest) || rest.n == 0) {
		*code = rest.n ? ENAMETOOLONG : ENOENT;
		return NONE;
	}
	if (!disk.fs.v[dir].nlink) {
		*code = ENOENT; /* a directory that was removed */
		return NONE;
	}
	return dir;
}

/* What a path names; NONE with *code. */
static uint32_t
find(int dirfd, const char *path, int *code)
{
	char last[256];
	uint32_t dir = walk(dirfd, path, last, code);
	struct memfs_entry *e;

	if (dir == NONE || strcmp(last, ".") == 0)
		return dir;
	e = memfs_lookup(&disk.fs, dir, last);
	*code = ENOENT;
	return e ? e->node : NONE;
}

int
fsx_open(int dirfd, const char *name, int flags, mode_t mode)
{
	struct memfs_op op = { .kind = MEMFS_CREATE };
	uint32_t node;
	char last[256];
	int code, fd;

	(void)mode;
	if (!begin())
		return -1;
	node = find(dirfd, name, &code);
	if (node != NONE && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return done(-1, EEXIST);
	if (node == NONE && (code != ENOENT || !(flags & O_CREAT)))
		return done(-1, code);
	if (node == NONE) {
		op.dir = walk(dirfd, name, last, &code);
		if (op.dir == NONE)
			return done(-1, code);
		op.name = last;
		op.node = node = disk.fs.n;
		change(op);
	}
	if (disk.fs.v[node].dir && (flags & O_ACCMODE) != O_RDONLY)
		return done(-1, EISDIR);
	if (!disk.fs.v[node].dir && flags & O_DIRECTORY)
		return done(-1, ENOTDIR);
	if (flags & O_TRUNC && disk.fs.v[node].len)
		change((struct memfs_op){ .kind = MEMFS_TRUNC, .node = node });
	fd = fd_new(node, flags);
	return done(fd, EMFILE);
}

int
fsx_close(int fd)
{
	struct mem_fd *f;

	pthread_mutex_lock(&disk.lock);
	f = fd_of(fd);
	if (f)
		f->used = false;
	return done(f ? 0 : -1, EBADF);
}

/* --- reading -------------------------------------------------------------- */

static ssize_t
read_at(struct mem_fd *f, void *p, size_t n, uint64_t at)
{
	const struct memfs_node *node = &disk.fs.v[f->node];

	if (at >= node->len)
		return 0;
	if (n > node->len - at)
		n = node->len - at;
	memcpy(p, node->data + at, n);
	return (ssize_t)n;
}

ssize_t
fsx_pread(int fd, void *p, size_t n, off_t at)
{
	struct mem_fd *f;
	ssize_t got;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f || !f->can_read || disk.fs.v[f->node].dir)
		return done(-1, f ? EISDIR : EBADF);
	got = read_at(f, p, n, (uint64_t)at);
	done(0, 0);
	return got;
}

ssize_t
fsx_read(int fd, void *p, size_t n)
{
	struct mem_fd *f;
	ssize_t got;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f || !f->can_read || disk.fs.v[f->node].dir)
		return done(-1, f ? EISDIR : EBADF);
	got = read_at(f, p, n, f->pos);
	f->pos += (uint64_t)got;
	done(0, 0);
	return got;
}

int
fsx_fstat(int fd, struct stat *st)
{
	struct mem_fd *f;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f)
		return done(-1, EBADF);
	*st = (struct stat){
		.st_dev = 1,
		.st_ino = f->node + 1,
		.st_mode = disk.fs.v[f->node].dir ? S_IFDIR | 0700
						  : S_IFREG | 0600,
		.st_nlink = disk.fs.v[f->node].nlink,
		.st_size = (off_t)disk.fs.v[f->node].len,
		.st_mtim = { (time_t)(disk.fs.v[f->node].changed / 1000000000),
			     (long)(disk.fs.v[f->node].changed % 1000000000) },
	};
	return done(0, 0);
}

int
fsx_fstatat(int dirfd, const char *name, struct stat *st)
{
	uint32_t node;
	int code, fd, rc;

	if (!begin())
		return -1;
	node = find(dirfd, name, &code);
	fd = node == NONE ? -1 : fd_new(node, O_RDONLY);
	done(0, 0);
	if (fd < 0) {
		errno = code;
		return -1;
	}
	rc = fsx_fstat(fd, st);
	fsx_close(fd);
	return rc;
}

struct fsx_dir {
	char **names;
	unsigned char *types;
	uint32_t n, at;
};

struct fsx_dir *
fsx_opendir(int dirfd, const char *name)
{
	const struct memfs_node *d;
	struct fsx_dir *out;
	uint32_t node, i;
	int code;

	if (!begin())
		return NULL;
	node = find(dirfd, name, &code);
	if (node == NONE || !disk.fs.v[node].dir) {
		done(-1, node == NONE ? code : ENOTDIR);
		return NULL;
	}
	d = &disk.fs.v[node];
	out = memfs_must(calloc(1, sizeof(*out)));
	out->n = d->n;
	out->names = memfs_must(calloc(d->n + 1u, sizeof(*out->names)));
	out->types = memfs_must(calloc(d->n + 1u, 1));
	for (i = 0; i < d->n; i++) {
		out->names[i] = memfs_must(strdup(d->v[i].name));
		out->types[i] = disk.fs.v[d->v[i].node].dir ? DT_DIR : DT_REG;
	}
	done(0, 0);
	return out;
}

const char *
fsx_readdir(struct fsx_dir *d, unsigned char *type)
{
	errno = 0;
	if (d->at == d->n)
		return NULL;
	if (type)
		*type = d->types[d->at];
	return d->names[d->at++];
}

void
fsx_closedir(struct fsx_dir *d)
{
	uint32_t i;

	for (i = 0; i < d->n; i++)
		free(d->names[i]);
	free(d->names);
	free(d->types);
	free(d);
}

/* --- changing ------------------------------------------------------------- */

static ssize_t
write_at(int fd, struct str s, const off_t *at)
{
	struct memfs_op op = { .kind = MEMFS_WRITE, .data = s };
	struct mem_fd *f;

	pthread_mutex_lock(&disk.lock);
	disk.calls++;
	if (disk.half || (disk.calls == disk.fail_call && s.n < 2)) {
		disk.half = false;
		return done(-1, disk.fail_code);
	}
	f = fd_of(fd);
	if (!f || !f->can_write)
		return done(-1, EBADF);
	if (disk.calls == disk.fail_call) {
		disk.half = true;
		op.data.n /= 2;
	}
	op.node = f->node;
	op.at = at	    ? (uint64_t)*at
		: f->append ? disk.fs.v[f->node].len
			    : f->pos;
	if (op.data.n)
		change(op);
	if (!at)
		f->pos = op.at + op.data.n;
	done(0, 0);
	return (ssize_t)op.data.n;
}

ssize_t
fsx_write(int fd, const void *p, size_t n)
{
	return write_at(fd, str_mem(p, n), NULL);
}

ssize_t
fsx_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return write_at(fd, str_mem(p, n), &at);
}

ssize_t
fsx_writev(int fd, const struct iovec *iov, int niov)
{
	size_t n = 0, at = 0;
	ssize_t rc;
	char *all;
	int i;

	for (i = 0; i < niov; i++)
		n += iov[i].iov_len;
	all = memfs_must(malloc(n + 1));
	for (i = 0; i < niov; i++) {
		if (iov[i].iov_len)
			memcpy(all + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	rc = write_at(fd, str_mem(all, n), NULL);
	free(all);
	return rc;
}

int
fsx_ftruncate(int fd, off_t size)
{
	struct mem_fd *f;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f || !f->can_write)
		return done(-1, EBADF);
	change((struct memfs_op){
		.kind = MEMFS_TRUNC, .node = f->node, .at = (uint64_t)size });
	return done(0, 0);
}

static int
sync_one(int fd, enum memfs_kind kind)
{
	struct mem_fd *f;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f)
		return done(-1, EBADF);
	change((struct memfs_op){ .kind = kind, .node = f->node });
	return done(0, 0);
}

int
fsx_fsync(int fd)
{
	return sync_one(fd, MEMFS_SYNC);
}

int
fsx_fdatasync(int fd)
{
	return sync_one(fd, MEMFS_SYNC);
}

int
fsx_syncfs(int fd)
{
	return sync_one(fd, MEMFS_SYNCFS);
}

void
fsx_start_write(int fd)
{
	(void)fd; /* a hint promises nothing */
}

/* A call about one name: its directory and its last part are known. */
static int
begin_at(struct memfs_op *op, int dirfd, const char *name, char last[256])
{
	int code;

	if (!begin())
		return -1;
	op->dir = walk(dirfd, name, last, &code);
	op->name = last;
	return op->dir == NONE ? done(-1, code) : 0;
}

int
fsx_mkdir(int dirfd, const char *name, mode_t mode)
{
	struct memfs_op op = { .kind = MEMFS_MKDIR };
	char last[256];

	(void)mode;
	if (begin_at(&op, dirfd, name, last) < 0)
		return -1;
	if (strcmp(last, ".") == 0 || memfs_lookup(&disk.fs, op.dir, last))
		return done(-1, EEXIST);
	op.node = disk.fs.n;
	change(op);
	return done(0, 0);
}

int
fsx_make_file(int dirfd, const char *name, mode_t mode)
{
	int fd = fsx_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, mode);

	return fd < 0 ? -1 : fsx_close(fd);
}

static int
unlink_kind(int dirfd, const char *name, bool dir)
{
	struct memfs_op op = { .kind = MEMFS_UNLINK };
	struct memfs_entry *e;
	char last[256];

	if (begin_at(&op, dirfd, name, last) < 0)
		return -1;
	e = memfs_lookup(&disk.fs, op.dir, last);
	if (!e)
		return done(-1, ENOENT);
	if (disk.fs.v[e->node].dir != dir)
		return done(-1, dir ? ENOTDIR : EISDIR);
	if (dir && disk.fs.v[e->node].n)
		return done(-1, ENOTEMPTY);
	op.node = e->node;
	change(op);
	return done(0, 0);
}

int
fsx_unlink(int dirfd, const char *name)
{
	return unlink_kind(dirfd, name, false);
}

int
fsx_rmdir(int dirfd, const char *name)
{
	return unlink_kind(dirfd, name, true);
}

static int
move(int olddir, const char *old, int newdir, const char *name, bool replace,
     enum memfs_kind kind)
{
	struct memfs_op op = { .kind = kind };
	char from[256], to[256];
	struct memfs_entry *e;
	int code;

	if (begin_at(&op, olddir, old, from) < 0)
		return -1;
	op.to_dir = walk(newdir, name, to, &code);
	if (op.to_dir == NONE)
		return done(-1, code);
	e = memfs_lookup(&disk.fs, op.dir, from);
	if (!e)
		return done(-1, ENOENT);
	if (!replace && memfs_lookup(&disk.fs, op.to_dir, to))
		return done(-1, EEXIST);
	op.to_name = to;
	op.node = e->node;
	change(op);
	return done(0, 0);
}

int
fsx_rename(int olddir, const char *old, int newdir, const char *name)
{
	return move(olddir, old, newdir, name, true, MEMFS_RENAME);
}

int
fsx_rename_new(int olddir, const char *old, int newdir, const char *name)
{
	return move(olddir, old, newdir, name, false, MEMFS_RENAME);
}

int
fsx_link(int olddir, const char *old, int newdir, const char *name)
{
	return move(olddir, old, newdir, name, false, MEMFS_LINK);
}

/* --- the rest ------------------------------------------------------------- */

int
fsx_lock(int fd, bool wait)
{
	struct mem_fd *f;
	int i;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f)
		return done(-1, EBADF);
	for (i = 0; i < FDS; i++)
		if (disk.fd[i].used && disk.fd[i].locked && &disk.fd[i] != f &&
		    disk.fd[i].node == f->node) {
			if (wait)
				BUG("a lock nobody will give back");
			return done(-1, EAGAIN);
		}
	f->locked = true;
	return done(0, 0);
}

int
fsx_unlock(int fd)
{
	struct mem_fd *f;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (f)
		f->locked = false;
	return done(f ? 0 : -1, EBADF);
}

int
fsx_futimens(int fd, const struct timespec ts[2])
{
	(void)ts; /* this disk has no times */
	return begin() ? done(fd_of(fd) ? 0 : -1, EBADF) : -1;
}

int
fsx_real_fd(int fd)
{
	const struct memfs_node *node;
	struct mem_fd *f;
	int real;

	if (!begin())
		return -1;
	f = fd_of(fd);
	if (!f)
		return done(-1, EBADF);
	node = &disk.fs.v[f->node];
	real = memfd_create("fsx_mem", MFD_CLOEXEC);
	if (real >= 0 && node->len &&
	    pwrite(real, node->data, node->len, 0) != (ssize_t)node->len) {
		close(real);
		real = -1;
	}
	return done(real, EMFILE);
}

bool
fsx_is_local(int fd)
{
	return fd_of(fd) != NULL;
}

int
fsx_free_bytes(int fd, uint64_t *bytes)
{
	(void)fd;
	*bytes = disk.free_bytes;
	return begin() ? done(0, 0) : -1;
}
