/* SPDX-License-Identifier: ISC */
/* What an intruder tries with files. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "intruder.h"

static bool
leave_root_directory(const struct scene *s)
{
	(void)s;
	return syscall(SYS_chroot, "/") == 0;
}

static bool
change_parameters(const struct scene *s)
{
	return s->params >= 0 && (pwrite(s->params, "x", 1, 0) == 1 ||
				  ftruncate(s->params, 0) == 0);
}

static bool
read_outside(const struct scene *s)
{
	(void)s;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool
read_outside_by_dots(const struct scene *s)
{
	return openat(s->root >= 0 ? s->root : AT_FDCWD,
		      "../../../../../../../etc/passwd",
		      O_RDONLY | O_CLOEXEC) >= 0;
}

/* Of root's files pamd may read those of PAM, and no others. */
static bool
read_other_files(const struct scene *s)
{
	static const char *const paths[] = {
		"/",
		"/etc",
		"/etc/hostname",
		"/root",
		"/etc/ssl/private",
		"/etc/ssl/openssl.cnf",
		"/usr/lib",
		"/proc/1/environ",
		"/proc/self/environ",
	};
	bool any = false;
	size_t i;

	(void)s;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		any |= open(paths[i], O_RDONLY | O_CLOEXEC) >= 0;
	return any;
}

static bool
read_shadow(const struct scene *s)
{
	(void)s;
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool
write_outside(const struct scene *s)
{
	(void)s;
	return open("/var/tmp/posthouse-intruder",
		    O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

/* A new file of its own; the name goes to name (32 bytes). */
static bool
new_file(const struct scene *s, const char *what, char *name)
{
	int fd;

	snprintf(name, 32, ".%s%ld", what, (long)getpid());
	fd = openat(s->root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd >= 0 && close(fd) == 0;
}

static bool
remove_file(const struct scene *s)
{
	char name[32];

	return new_file(s, "remove", name) && unlinkat(s->root, name, 0) == 0;
}

static bool
replace_file(const struct scene *s)
{
	char a[32], b[32];

	return new_file(s, "new", a) && new_file(s, "old", b) &&
	       (renameat(s->root, a, s->root, b) == 0 ||
		renameat2(s->root, a, s->root, b, 0) == 0 ||
		renameat2(s->root, a, s->root, b, RENAME_EXCHANGE) == 0);
}

/* A user's process and the mailbox: what would last beyond it, or reach out of
 * it by a name. */
static bool
link_outside(const struct scene *s)
{
	return symlinkat("/etc/passwd", s->root, ".link") == 0;
}

static bool
make_device(const struct scene *s)
{
	return syscall(SYS_mknodat, s->root, ".device", S_IFCHR | 0600,
		       makedev(1, 1)) == 0;
}

/* Who runs it later has our ids. */
static bool
make_set_id_file(const struct scene *s)
{
	return openat(s->root, ".set-id", O_WRONLY | O_CREAT | O_EXCL, 06755) >=
	       0;
}

static bool
make_set_id_directory(const struct scene *s)
{
	return mkdirat(s->root, ".set-id", 02755) == 0;
}

static bool
make_set_id_later(const struct scene *s)
{
	int fd = openat(s->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fchmod(fd, 06755) == 0 ||
	       syscall(SYS_fchmodat, s->root, ".", 06755) == 0;
}

static bool
make_pipe_with_name(const struct scene *s)
{
	return syscall(SYS_mknodat, s->root, ".pipe", S_IFIFO | 0600, 0) == 0;
}

static bool
give_away(const struct scene *s)
{
	return syscall(SYS_fchownat, s->root, ".", 0, 0, 0) == 0;
}

static bool
watch_outside(const struct scene *s)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	(void)s;
	return fd >= 0 &&
	       (inotify_add_watch(fd, "/etc/passwd", IN_ACCESS) >= 0 ||
		inotify_add_watch(fd, "../../../../etc", IN_OPEN) >= 0);
}

/* imapd and pop3d alike: what the store needs. */
static bool
own_mail(const struct scene *s)
{
	char a[32], b[32];
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 || inotify_add_watch(fd, ".", IN_CREATE) < 0 ||
	    close(fd) < 0 || !new_file(s, "one", a))
		return false;
	(void)snprintf(b, sizeof(b), ".two%ld", (long)getpid());
	return renameat2(s->root, a, s->root, b, RENAME_NOREPLACE) == 0 &&
	       linkat(s->root, b, s->root, a, 0) == 0 &&
	       unlinkat(s->root, a, 0) == 0 && unlinkat(s->root, b, 0) == 0;
}

static bool
mount_something(const struct scene *s)
{
	(void)s;
	return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL) == 0;
}

static bool
open_how(const struct scene *s)
{
	(void)s;
	return syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) >= 0;
}

static bool
open_any(const struct scene *s)
{
	return openat(s->root >= 0 ? s->root : AT_FDCWD, "x",
		      O_RDONLY | O_CLOEXEC) >= 0;
}

static bool
open_to_write(const struct scene *s)
{
	return openat(s->root >= 0 ? s->root : AT_FDCWD, "x",
		      O_WRONLY | O_CLOEXEC) >= 0;
}

static bool
own_file(const struct scene *s)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), ".intruder%ld", (long)getpid());
	fd = openat(s->root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0)
		return false;
	/* deliver may not: remove_file. */
	return unlinkat(s->root, name, 0) == 0 || s->svc->calls & CALLS_DELIVER;
}

static bool
own_list(const struct scene *s)
{
	int fd = openat(s->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && close(fd) == 0;
}

/* The mbox's process in a spool directory: its own lock, and the mailbox of
 * dave, which its group could write to. */
static bool
own_lock(const struct scene *s)
{
	return mknodat(s->root, ".intruder", S_IFREG | 0600, 0) == 0 &&
	       unlinkat(s->root, ".intruder", 0) == 0;
}

static bool
move_other_mailbox(const struct scene *s)
{
	return renameat(s->root, "dave", s->root, ".dave") == 0 ||
	       renameat2(s->root, "dave", s->root, ".dave", 0) == 0 ||
	       linkat(s->root, "dave", s->root, ".dave", 0) == 0;
}

static bool
cut_other_mailbox(const struct scene *s)
{
	(void)s;
	return truncate("dave", 0) == 0 || truncate("/dave", 0) == 0;
}

static bool
share_other_mailbox(const struct scene *s)
{
	return syscall(SYS_fchmodat, s->root, "dave", 0666) == 0 ||
	       syscall(SYS_fchownat, s->root, "dave", -1, 0, 0) == 0;
}

/* Nor what it makes itself: that may have had another's name. */
static bool
make_directory(const struct scene *s)
{
	return mkdirat(s->root, ".dir", 0700) == 0;
}

static bool
open_other_mailbox(const struct scene *s)
{
	return openat(s->root, "dave", O_RDONLY | O_CLOEXEC) >= 0;
}

const struct attempt attempts_files[] = {
	{ "own_lock", WORKS, CALLS_MBOX, CALLS_FORK, own_lock },
	{ "move_other_mailbox", HELD, CALLS_MBOX, CALLS_FORK,
	  move_other_mailbox },
	{ "cut_other_mailbox", HELD, CALLS_MBOX, CALLS_FORK,
	  cut_other_mailbox },
	{ "share_other_mailbox", HELD, CALLS_MBOX, CALLS_FORK,
	  share_other_mailbox },
	{ "make_directory", HELD, CALLS_MBOX, CALLS_FORK, make_directory },
	{ "open_other_mailbox", DEATH, CALLS_MBOX, CALLS_FORK,
	  open_other_mailbox },
	{ "leave_root_directory", HELD, 0, CALLS_FORK, leave_root_directory },
	{ "change_parameters", HELD, 0, 0, change_parameters },
	{ "read_outside", HELD, CALLS_READ, CALLS_LIBC, read_outside },
	{ "read_outside_by_dots", HELD, CALLS_READ, CALLS_LIBC,
	  read_outside_by_dots },
	{ "read_other_files", HELD, CALLS_LIBC, 0, read_other_files },
	{ "read_shadow", WORKS, CALLS_LIBC, 0, read_shadow },
	{ "write_outside", HELD, CALLS_WRITE, 0, write_outside },
	{ "remove_file", HELD, CALLS_DELIVER, 0, remove_file },
	{ "replace_file", HELD, CALLS_DELIVER, 0, replace_file },
	{ "own_file", WORKS, CALLS_WRITE | CALLS_DELIVER, CALLS_FORK,
	  own_file },
	{ "own_list", WORKS, CALLS_WRITE | CALLS_DELIVER, CALLS_FORK,
	  own_list },
	{ "own_mail", WORKS, CALLS_INOTIFY, CALLS_FORK, own_mail },
	{ "watch_outside", HELD, CALLS_INOTIFY, CALLS_FORK, watch_outside },
	{ "give_away", HELD, USER_PROCESS, 0, give_away },
	{ "link_outside", DEATH, 0, 0, link_outside },
	{ "make_device", DEATH, 0, 0, make_device },
	{ "make_set_id_file", DEATH, 0, 0, make_set_id_file },
	{ "make_set_id_directory", DEATH, 0, 0, make_set_id_directory },
	{ "make_set_id_later", HELD, CALLS_READ | CALLS_WRITE, 0,
	  make_set_id_later },
	{ "make_pipe_with_name", DEATH, 0, 0, make_pipe_with_name },
	{ "mount_something", DEATH, 0, 0, mount_something },
	{ "open_how", DEATH, 0, 0, open_how },
	{ "open_any", DEATH, 0, CALLS_READ | CALLS_WRITE, open_any },
	{ "open_to_write", DEATH, 0, CALLS_WRITE, open_to_write },
	{ 0 },
};
