/* SPDX-License-Identifier: ISC */
/*
 * The intruder: linked in place of lib/frame/serve.c into a second set of the
 * programs (bin/intruder, never installed).  It runs inside the true jail of
 * each process, before that waits for work, as an attacker would who has taken
 * the process over, and tries what the "if taken over" column of the service
 * table excludes.  What must fail and does is logged "held NAME", what succeeds
 * "BREACH NAME"; the control list, which must succeed, "works NAME" or
 * "BROKEN NAME".
 *
 * Attempts that are answered with death are made one a run: the test gives
 * master a file as standard error, whose first line names the attempt.  The
 * process must then die of SIGSYS; if it does not, "BREACH NAME" is logged.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/daemon.h"
#include "frame/entry.h"

struct scene {
	const struct service *svc;
	int root;   /* the directory that is the root, or -1 */
	int params; /* the memfd of parameters, or -1 */
};

enum want { HELD, WORKS, DEATH };

/* A user's process: beside its own filter it has spawner's, which answers some
 * attempts with death. */
#define USER_PROCESS (1u << 31)

struct attempt {
	const char *name;
	enum want want;
	unsigned only, unless; /* classes of calls (enum service_calls), and
				  USER_PROCESS */
	bool (*try)(const struct scene *s); /* true: it was possible */
};

/* --- must fail ---------------------------------------------------------------
 */

static bool
exec_pages(const struct scene *s)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)s;
	return p != MAP_FAILED;
}

static bool
make_pages_executable(const struct scene *s)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)s;
	return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool
become_root(const struct scene *s)
{
	(void)s;
	return syscall(SYS_setresuid, 0, 0, 0) == 0;
}

static bool
become_root_group(const struct scene *s)
{
	(void)s;
	return syscall(SYS_setresgid, 0, 0, 0) == 0;
}

static bool
leave_root_directory(const struct scene *s)
{
	(void)s;
	return syscall(SYS_chroot, "/") == 0;
}

static bool
gain_capability(const struct scene *s)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1u << CAP_SYS_ADMIN | 1u << CAP_DAC_OVERRIDE,
		  .permitted = 1u << CAP_SYS_ADMIN | 1u << CAP_DAC_OVERRIDE }
	};

	(void)s;
	return syscall(SYS_capset, &head, data) == 0;
}

static bool
exceed_memory(const struct scene *s)
{
	size_t n = ((size_t)s->svc->data_mb + 64) << 20;
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, n);
	return true;
}

static bool
exceed_descriptors(const struct scene *s)
{
	int fd, high = fcntl(2, F_DUPFD, s->svc->nofile);

	if (high >= 0)
		return true;
	/* and not by raising the limit */
	fd = setrlimit(RLIMIT_NOFILE, &(struct rlimit){ s->svc->nofile + 1u,
							s->svc->nofile + 1u });
	return fd == 0;
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

/* --- must kill
 * ------------------------------------------------------------------ */

static bool
make_socket(const struct scene *s)
{
	(void)s;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
make_socket_of(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool
make_local_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_UNIX, SOCK_STREAM);
}

static bool
make_local_datagram_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_UNIX, SOCK_DGRAM);
}

static bool
make_udp_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_INET, SOCK_DGRAM) &&
	       make_socket_of(AF_INET6, SOCK_DGRAM);
}

static bool
make_raw_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_INET, SOCK_RAW);
}

static bool
make_kernel_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_NETLINK, SOCK_DGRAM);
}

/* Landlock's ports are those of TCP alone. */
static bool
make_multipath_socket(const struct scene *s)
{
	(void)s;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP) >= 0;
}

/* It connects, and Landlock does not see it. */
static bool
send_to_open(const struct scene *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)s;
	return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
		      (struct sockaddr *)&in, sizeof(in)) >= 0;
}

static bool
make_packet_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_PACKET, SOCK_STREAM);
}

static bool
connect_or_bind(int (*call)(int, const struct sockaddr *, socklen_t),
		uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool may;

	if (fd < 0)
		return false;
	/* That nobody answers there is not the jail's doing. */
	may = call(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ||
	      errno == EINPROGRESS || errno == ECONNREFUSED;
	close(fd);
	return may;
}

static bool
connect_to_other_port(const struct scene *s)
{
	(void)s;
	return connect_or_bind(connect, 1);
}

static bool
bind_port(const struct scene *s)
{
	(void)s;
	return connect_or_bind(bind, 19999);
}

static bool
connect_to_own_port(const struct scene *s)
{
	return connect_or_bind(connect, s->svc->calls & CALLS_UDP ? 53 : 25);
}

static bool
bind_any_port(const struct scene *s)
{
	(void)s;
	return connect_or_bind(bind, 0);
}

static bool
listen_for_others(const struct scene *s)
{
	(void)s;
	return listen(2, 1) == 0;
}

static bool
run_program(const struct scene *s)
{
	char *argv[] = { (char *)(uintptr_t) "/bin/true", NULL };

	(void)s;
	execve(argv[0], argv, argv + 1);
	return false;
}

static bool
trace_other(const struct scene *s)
{
	(void)s;
	return ptrace(PTRACE_SEIZE, getppid(), 0, 0) == 0;
}

static bool
mount_something(const struct scene *s)
{
	(void)s;
	return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL) == 0;
}

static bool
make_process(const struct scene *s)
{
	long pid;

	(void)s;
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool
signal_other(const struct scene *s)
{
	(void)s;
	return kill(1, 0) == 0;
}

static bool
signal_thread_of_other(const struct scene *s)
{
	(void)s;
	return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
}

/* SIGIO, or any other by F_SETSIG, is sent with the rights of who asked. */
static bool
signal_by_descriptor(const struct scene *s)
{
	(void)s;
	return fcntl(2, F_SETOWN, getppid()) == 0;
}

static bool
signal_by_descriptor_of_thread(const struct scene *s)
{
	struct f_owner_ex owner = { F_OWNER_PID, getppid() };

	(void)s;
	/* The upper half means nothing to the kernel. */
	return syscall(SYS_fcntl, 2, 1ul << 32 | F_SETOWN_EX, &owner) == 0;
}

static bool
read_memory_of_other(const struct scene *s)
{
	char here[8];
	struct iovec a = { here, 8 }, b = { (void *)(uintptr_t)0x400000, 8 };

	(void)s;
	return syscall(SYS_process_vm_readv, 1, &a, 1, &b, 1, 0) > 0;
}

static bool
new_namespace(const struct scene *s)
{
	(void)s;
	return syscall(SYS_unshare, CLONE_NEWUSER) == 0;
}

static bool
kernel_programs(const struct scene *s)
{
	(void)s;
	return syscall(SYS_bpf, 0, NULL, 0) == 0;
}

static bool
ring_of_calls(const struct scene *s)
{
	(void)s;
	return syscall(SYS_io_uring_setup, 8, NULL) >= 0;
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
child_as_root(const struct scene *s)
{
	(void)s;
	return syscall(SYS_setresuid, 0, 0, 0) == 0;
}

/* The uid of a daemon: the neighbour in the block. */
static bool
child_as_daemon(const struct scene *s)
{
	uid_t other = getuid() - 1;

	(void)s;
	return syscall(SYS_setresuid, other, other, other) == 0;
}

static bool
child_in_group(const struct scene *s)
{
	gid_t mail = 8;

	(void)s;
	return syscall(SYS_setgroups, 1, &mail) == 0;
}

/* --- must work
 * -------------------------------------------------------------------- */

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

static bool
own_memory(const struct scene *s)
{
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)s;
	return p != MAP_FAILED && munmap(p, 1 << 20) == 0;
}

static bool
own_descriptor(const struct scene *s)
{
	int fd = fcntl(2, F_DUPFD_CLOEXEC, 3);

	(void)s;
	return fd >= 0 && close(fd) == 0;
}

static const struct attempt attempts[] = {
	{ "exec_pages", HELD, 0, 0, exec_pages },
	{ "make_pages_executable", HELD, 0, 0, make_pages_executable },
	{ "become_root", HELD, 0, CALLS_FORK | USER_PROCESS, become_root },
	{ "become_root_group", HELD, 0, CALLS_FORK | USER_PROCESS,
	  become_root_group },
	{ "leave_root_directory", HELD, 0, CALLS_FORK, leave_root_directory },
	{ "gain_capability", HELD, 0, 0, gain_capability },
	{ "exceed_memory", HELD, 0, 0, exceed_memory },
	{ "exceed_descriptors", HELD, 0, 0, exceed_descriptors },
	{ "change_parameters", HELD, 0, 0, change_parameters },
	{ "read_outside", HELD, CALLS_READ, CALLS_LIBC, read_outside },
	{ "read_outside_by_dots", HELD, CALLS_READ, CALLS_LIBC,
	  read_outside_by_dots },
	{ "read_other_files", HELD, CALLS_LIBC, 0, read_other_files },
	{ "read_shadow", WORKS, CALLS_LIBC, 0, read_shadow },
	{ "make_socket_in_vain", HELD, CALLS_LIBC, 0, make_socket },
	{ "write_outside", HELD, CALLS_WRITE, 0, write_outside },
	/* Landlock's from ABI 4 on. */
	{ "connect_to_other_port", HELD, CALLS_CONNECT, 0,
	  connect_to_other_port },
	{ "bind_port", HELD, CALLS_CONNECT, 0, bind_port },
	{ "remove_file", HELD, CALLS_DELIVER, 0, remove_file },
	{ "replace_file", HELD, CALLS_DELIVER, 0, replace_file },
	{ "own_memory", WORKS, 0, 0, own_memory },
	{ "own_descriptor", WORKS, 0, 0, own_descriptor },
	{ "own_file", WORKS, CALLS_WRITE | CALLS_DELIVER, CALLS_FORK,
	  own_file },
	{ "own_list", WORKS, CALLS_WRITE | CALLS_DELIVER, CALLS_FORK,
	  own_list },
	{ "own_socket", WORKS, CALLS_CONNECT, 0, make_socket },
	{ "own_udp_socket", WORKS, CALLS_UDP, 0, make_udp_socket },
	{ "own_local_socket", WORKS, CALLS_DIAL, 0, make_local_socket },
	{ "connect_to_own_port", WORKS, CALLS_CONNECT, 0, connect_to_own_port },
	{ "bind_any_port", WORKS, CALLS_CONNECT, 0, bind_any_port },
	{ "make_socket", DEATH, 0, CALLS_LIBC | CALLS_CONNECT, make_socket },
	{ "make_local_socket", DEATH, CALLS_CONNECT, 0, make_local_socket },
	{ "make_local_datagram_socket", DEATH, CALLS_DIAL, 0,
	  make_local_datagram_socket },
	{ "make_udp_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, CALLS_UDP,
	  make_udp_socket },
	{ "make_raw_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_raw_socket },
	{ "make_multipath_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_multipath_socket },
	{ "send_to_open", DEATH, CALLS_CONNECT, CALLS_UDP, send_to_open },
	{ "make_kernel_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_kernel_socket },
	{ "make_packet_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_packet_socket },
	{ "listen_for_others", DEATH, 0, 0, listen_for_others },
	{ "run_program", DEATH, 0, 0, run_program },
	{ "trace_other", DEATH, 0, 0, trace_other },
	{ "mount_something", DEATH, 0, 0, mount_something },
	{ "make_process", DEATH, 0, CALLS_FORK, make_process },
	{ "signal_other", DEATH, 0, 0, signal_other },
	/* Others have no uid in common with anybody. */
	{ "signal_thread_of_other", DEATH, CALLS_LIBC, 0,
	  signal_thread_of_other },
	{ "signal_by_descriptor", DEATH, CALLS_LIBC, 0, signal_by_descriptor },
	{ "signal_by_descriptor_of_thread", DEATH, CALLS_LIBC, 0,
	  signal_by_descriptor_of_thread },
	{ "read_memory_of_other", DEATH, 0, 0, read_memory_of_other },
	{ "new_namespace", DEATH, 0, 0, new_namespace },
	{ "kernel_programs", DEATH, 0, 0, kernel_programs },
	{ "ring_of_calls", DEATH, 0, 0, ring_of_calls },
	{ "open_how", DEATH, 0, 0, open_how },
	{ "open_any", DEATH, 0, CALLS_READ | CALLS_WRITE, open_any },
	{ "open_to_write", DEATH, 0, CALLS_WRITE, open_to_write },
	{ "child_as_root", DEATH, CALLS_FORK | USER_PROCESS, 0, child_as_root },
	{ "child_as_daemon", DEATH, CALLS_FORK, 0, child_as_daemon },
	{ "child_in_group", DEATH, CALLS_FORK, 0, child_in_group },
};

static bool
applies(const struct attempt *a, const struct service *svc)
{
	unsigned calls = svc->calls;

	if (svc->root == ROOT_USER)
		calls |= USER_PROCESS;
	return (!a->only || a->only & calls) && !(a->unless & calls);
}

static void
try_all(const struct scene *s)
{
	size_t i;

	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *a = &attempts[i];
		bool possible;

		if (a->want == DEATH || !applies(a, s->svc))
			continue;
		possible = a->try(s);
		if (a->want == HELD)
			log_info("intruder: %s: %s %s", s->svc->name,
				 possible ? "BREACH" : "held", a->name);
		else
			log_info("intruder: %s: %s %s", s->svc->name,
				 possible ? "works" : "BROKEN", a->name);
	}
	log_flush();
}

/* The attempt of this run that death must answer. */
static void
try_deadly(const struct scene *s)
{
	char line[64] = "";
	struct str name = STR_NULL, rest;
	size_t i;

	if (pread(2, line, sizeof(line) - 1, 0) <= 0)
		return;
	rest = str_of(line);
	if (!str_cut(&rest, '\n', &name))
		return;
	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *a = &attempts[i];

		if (a->want != DEATH || !str_eq(str_of(a->name), name) ||
		    !applies(a, s->svc))
			continue;
		log_info("intruder: %s: tries %s", s->svc->name, a->name);
		log_flush();
		a->try(s);
		log_info("intruder: %s: BREACH %s: alive", s->svc->name,
			 a->name);
		log_flush();
	}
}

/* --- more channels than anybody needs --------------------------------------
 */

enum { HOARD = 200, HOARD_FAIR = 64 };

struct hoard {
	const struct service *svc;
	unsigned answered, n;
	int fds[HOARD];
};

static void
on_channel(void *arg, int fd, bool never)
{
	struct hoard *h = arg;

	(void)never;
	if (fd >= 0)
		h->fds[h->n++] = fd;
	if (++h->answered < HOARD)
		return;
	log_info("intruder: %s: %s hoard_channels (%u)", h->svc->name,
		 h->n > HOARD_FAIR ? "BREACH" : "held", h->n);
	while (h->n)
		close(h->fds[--h->n]);
}

/* All descriptors of a service, one channel each. */
static void
hoard_channels(struct daemon *d, struct hoard *h)
{
	unsigned id, i;

	h->svc = d->svc;
	for (id = SVC_LOGD; id <= SVC_SPAWNER; id++)
		if (channel_find(d->svc->id, id))
			break;
	for (i = 0; id <= SVC_SPAWNER && i < HOARD; i++)
		daemon_connect(d, id, 0, on_channel, h);
}

/* --- services that are none of ours ----------------------------------------
 */

struct reach {
	const struct service *svc;
	unsigned strangers, answered, refused;
};

static void
on_reached(void *arg, int fd, bool never)
{
	struct reach *r = arg;

	if (fd >= 0)
		close(fd);
	r->refused += fd < 0 && never;
	if (++r->answered == r->strangers)
		log_info("intruder: %s: %s reach_strangers (%u of %u)",
			 r->svc->name,
			 r->refused == r->strangers ? "held" : "BREACH",
			 r->strangers - r->refused, r->strangers);
}

/* keyd for the keys, authd for the hashes, and all others that no row of the
 * channel table gives us. */
static void
reach_strangers(struct daemon *d, struct reach *r)
{
	unsigned id;

	r->svc = d->svc;
	for (id = 0; id < SVC_COUNT; id++)
		r->strangers += !channel_find(d->svc->id, id);
	for (id = 0; id < SVC_COUNT; id++)
		if (!channel_find(d->svc->id, id))
			daemon_connect(d, id, 0, on_reached, r);
}

/* --- after a while ---------------------------------------------------------
 */

struct later {
	struct daemon *d;
	struct scene scene;
	struct hoard hoard;
	struct reach reach;
};

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct later *l = arg;

	(void)fd;
	(void)what;
	try_deadly(&l->scene);
	hoard_channels(l->d, &l->hoard);
	reach_strangers(l->d, &l->reach);
}

void
daemon_serve(struct daemon *d)
{
	struct later l = { .d = d,
			   .scene = { d->svc, daemon_fd(d, "root", 0),
				      daemon_fd(d, "params", 0) } };
	/* When all the others are up as well. */
	struct timeval tv = { 2, 0 };

	if (d->svc->root == ROOT_EMPTY)
		l.scene.root = -1;
	try_all(&l.scene);
	event_base_once(d->loop.base, -1, EV_TIMEOUT, on_timer, &l, &tv);
	loop_run(&d->loop);
}

int
user_serve(user_entry_fn *fn, const struct user_entry *e)
{
	struct scene s = { &services[e->service], e->root, -1 };

	try_all(&s);
	try_deadly(&s);
	return fn(e);
}
