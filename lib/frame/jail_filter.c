/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/jail_filter.h"

/* One list a class; a call that no list names is answered with ENOSYS. */
static const struct calls {
	unsigned class; /* 0: every process */
	const char *names;
} calls[] = {
	{ 0,
	  "read write readv writev close lseek pread64 pwrite64 fstat "
	  "newfstatat fcntl dup dup3 mmap munmap mremap mprotect madvise brk "
	  "futex clock_gettime gettimeofday time clock_nanosleep nanosleep "
	  "getrandom exit exit_group rt_sigreturn rt_sigprocmask "
	  "rt_sigaction restart_syscall getpid gettid getuid geteuid getgid "
	  "getegid tgkill epoll_create1 epoll_ctl epoll_wait epoll_pwait "
	  "epoll_pwait2 pipe2 eventfd2 timerfd_create timerfd_settime poll "
	  "ppoll "
	  "sched_yield sched_getaffinity set_robust_list rseq getrlimit "
	  "prlimit64 getrusage" },
	{ CALLS_NET,
	  "accept4 recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg "
	  "shutdown getsockname getpeername setsockopt getsockopt" },
	{ CALLS_READ, "openat getdents64 statx readlinkat faccessat faccessat2 "
		      "access fstatfs statfs stat lstat open" },
	{ CALLS_WRITE,
	  "openat getdents64 rename renameat renameat2 unlink unlinkat mkdir "
	  "mkdirat rmdir linkat ftruncate fsync fdatasync fallocate utimensat "
	  "fstatfs sync_file_range syncfs umask" },
	{ CALLS_DELIVER,
	  "openat getdents64 renameat2 mkdirat fsync fdatasync syncfs "
	  "ftruncate" },
	{ CALLS_MBOX,
	  "mknodat unlinkat ftruncate fsync fdatasync utimensat fstatfs" },
	{ CALLS_THREADS, "clone sigaltstack prctl" },
	{ CALLS_FORK,
	  "clone wait4 waitid setresuid setresgid setgroups chroot fchdir "
	  "chdir "
	  "capset capget prctl seccomp landlock_create_ruleset "
	  "landlock_add_rule landlock_restrict_self socketpair getresuid "
	  "getresgid getgroups setrlimit close_range syncfs "
	  "set_tid_address" },
	{ CALLS_PAIR, "socketpair" },
	{ CALLS_CONNECT, "socket connect bind" },
	{ CALLS_DIAL, "socket connect" },
	{ CALLS_INOTIFY, "inotify_init1 inotify_add_watch inotify_rm_watch" },
};

/* What the sanitizers' runtime calls when it reports. */
static const char sanitizer_calls[] =
	"open openat readlink ioctl getpid gettid madvise sigaltstack "
	"sched_yield prctl";

/* An attempt at one of these is an attack or a bug to be seen at once. */
static const char deadly_calls[] =
	"execve execveat ptrace mount umount2 pivot_root socket connect bind "
	"listen process_vm_readv process_vm_writev kexec_load kexec_file_load "
	"init_module finit_module delete_module bpf perf_event_open "
	"open_by_handle_at name_to_handle_at open_tree move_mount fsopen "
	"fsmount "
	"fsconfig openat2 io_uring_setup io_uring_enter unshare setns reboot "
	"swapon swapoff acct keyctl add_key request_key userfaultfd "
	"pidfd_getfd personality modify_ldt iopl ioperm quotactl mknod mknodat "
	"setuid setgid setreuid setregid setfsuid setfsgid fork vfork symlink "
	"symlinkat kill tkill pidfd_send_signal rt_sigqueueinfo "
	"rt_tgsigqueueinfo process_madvise kcmp";

static int
number(struct str name)
{
	char text[64];

	if (!str_copy(text, sizeof(text), name))
		return __NR_SCMP_ERROR;
	return seccomp_syscall_resolve_name(text);
}

/* rc of every libseccomp call lands here; 0 stays 0. */
static void
note(int *first, int rc)
{
	if (rc < 0 && rc != -EEXIST && *first == 0)
		*first = rc;
}

static void
add_names(scmp_filter_ctx ctx, uint32_t action, const char *names, int *rc)
{
	struct str rest = str_of(names), name;
	int nr;

	while (str_token(&rest, " ", &name)) {
		nr = number(name);
		/* Names that another architecture has not are no names. */
		if (nr != __NR_SCMP_ERROR && nr >= 0)
			note(rc, seccomp_rule_add(ctx, action, nr, 0));
	}
}

/* --- the allow list
 * ----------------------------------------------------------- */

static bool
in_words(const char *words, struct str name)
{
	struct str rest = str_of(words), w;

	while (str_token(&rest, " ", &w))
		if (str_eq(w, name))
			return true;
	return false;
}

static bool
is_allowed(const struct jail *j, struct str name)
{
	size_t i;

	if (POSTHOUSE_SANITIZED && in_words(sanitizer_calls, name))
		return true;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if ((!calls[i].class || calls[i].class & j->svc->calls) &&
		    in_words(calls[i].names, name))
			return true;
	return false;
}

/* Lookups of users try nscd first, libpam the kernel's audit: where they do,
 * they learn that there is no such thing. */
static uint32_t
answer_to_deadly(const struct jail *j, struct str name)
{
	return j->svc->calls & CALLS_LIBC && str_eq(name, STR("socket"))
		       ? SCMP_ACT_ERRNO(EAFNOSUPPORT)
		       : SCMP_ACT_KILL_PROCESS;
}

static int
load_allow_list(const struct jail *j)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	struct str rest = str_of(deadly_calls), name;
	int rc = 0;
	size_t i;

	if (!ctx)
		return -ENOMEM;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!calls[i].class || calls[i].class & j->svc->calls)
			add_names(ctx, SCMP_ACT_ALLOW, calls[i].names, &rc);
	if (POSTHOUSE_SANITIZED)
		add_names(ctx, SCMP_ACT_ALLOW, sanitizer_calls, &rc);
	if (j->svc->calls & CALLS_LIBC) /* who is at this terminal? */
		note(&rc, seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY),
					   SCMP_SYS(ioctl), 0));
	/* glibc falls back to clone, whose flags can be looked at. */
	note(&rc, seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
				   SCMP_SYS(clone3), 0));
	while (str_token(&rest, " ", &name))
		if (!is_allowed(j, name) && number(name) >= 0)
			note(&rc,
			     seccomp_rule_add(ctx, answer_to_deadly(j, name),
					      number(name), 0));
	for (i = 0; i < 2; i++) {
		static const char *const opens[] = { "open", "openat" };

		if (!is_allowed(j, str_of(opens[i])))
			note(&rc,
			     seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS,
					      number(str_of(opens[i])), 0));
	}
	if (!is_allowed(j, STR("clone")))
		note(&rc, seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS,
					   SCMP_SYS(clone), 0));
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

/* --- what arguments forbid: a second filter, the stricter one wins
 * ------------- */

static void
deny_bits(scmp_filter_ctx ctx, uint32_t action, int nr, unsigned arg,
	  uint64_t mask, uint64_t value, int *rc)
{
	note(rc,
	     seccomp_rule_add(ctx, action, nr, 1,
			      SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value)));
}

static void
deny_exec_pages(scmp_filter_ctx ctx, int *rc)
{
	deny_bits(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 2, PROT_EXEC,
		  PROT_EXEC, rc);
	deny_bits(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 2, PROT_EXEC,
		  PROT_EXEC, rc);
}

/* No file that lends its owner's ids to who runs it: other programs may reach
 * what is made here.  No mode is changed later, either: no such call is on the
 * lists. */
static void
deny_set_ids(scmp_filter_ctx ctx, int *rc)
{
	static const struct {
		const char *call;
		unsigned mode; /* the argument */
	} makers[] = {
		{ "open", 2 },	{ "openat", 3 },  { "creat", 1 },
		{ "mkdir", 1 }, { "mkdirat", 2 }, { "mknodat", 2 },
	};
	static const uint64_t bits[] = { S_ISUID, S_ISGID };
	size_t i, k;

	for (i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		for (k = 0; k < 2; k++)
			deny_bits(ctx, SCMP_ACT_KILL_PROCESS,
				  number(str_of(makers[i].call)),
				  makers[i].mode, bits[k], bits[k], rc);
}

/* A process that only reads opens nothing for writing. */
static void
deny_write_opens(scmp_filter_ctx ctx, int *rc)
{
	static const char *const opens[] = { "open", "openat" };
	static const uint64_t flags[] = { O_CREAT, O_TRUNC, O_WRONLY, O_RDWR };
	size_t i, k;

	for (i = 0; i < 2; i++)
		for (k = 0; k < 4; k++)
			deny_bits(ctx, SCMP_ACT_KILL_PROCESS,
				  number(str_of(opens[i])), 1 + (unsigned)i,
				  flags[k], flags[k], rc);
}

/* deliver: a new file for writing only, or a directory for reading. */
static void
deny_deliver_opens(scmp_filter_ctx ctx, int *rc)
{
	const uint64_t create = O_WRONLY | O_CREAT | O_EXCL;
	const uint64_t mask = O_ACCMODE | O_CREAT | O_EXCL | O_DIRECTORY;
	uint64_t mode, flags;
	unsigned bits;

	for (mode = 0; mode <= O_ACCMODE; mode++) {
		for (bits = 0; bits < 8; bits++) {
			flags = mode | (bits & 1 ? O_CREAT : 0) |
				(bits & 2 ? O_EXCL : 0) |
				(bits & 4 ? O_DIRECTORY : 0);
			if (flags != create && flags != O_DIRECTORY)
				deny_bits(ctx, SCMP_ACT_KILL_PROCESS,
					  SCMP_SYS(openat), 2, mask, flags, rc);
		}
	}
}

/* deliver: a rename that would replace is no rename it may do. */
static void
deny_replacing(scmp_filter_ctx ctx, int *rc)
{
	note(rc,
	     seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(renameat2),
			      1, SCMP_CMP(4, SCMP_CMP_NE, RENAME_NOREPLACE)));
}

/* A file that is made without being opened is a plain one. */
static void
deny_special_files(scmp_filter_ctx ctx, int *rc)
{
	mode_t type;

	for (type = 0; type <= S_IFMT; type += S_IFMT & -S_IFMT)
		if (type != S_IFREG)
			deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mknodat),
				  2, S_IFMT, type, rc);
}

/* from..to as blocks of a power of two each, which a mask describes. */
static void
deny_interval(scmp_filter_ctx ctx, int nr, unsigned arg, uint64_t from,
	      uint64_t to, int *rc)
{
	uint64_t size;

	for (; from <= to; from += size) {
		for (size = 1; from % (2 * size) == 0 && size <= UINT32_MAX &&
			       from + 2 * size - 1 <= to;
		     size *= 2)
			;
		deny_bits(ctx, SCMP_ACT_KILL_PROCESS, nr, arg,
			  UINT32_MAX & ~(size - 1), from, rc);
	}
}

/* Ids outside min..max; `more` is let all the same, if it is not 0. */
static void
deny_ids(scmp_filter_ctx ctx, int nr, uint32_t min, uint32_t max, uint32_t more,
	 int *rc)
{
	const uint32_t kill = SCMP_ACT_KILL_PROCESS;
	unsigned arg;

	for (arg = 0; arg < 3; arg++) {
		if (more && more < min) {
			deny_interval(ctx, nr, arg, 0, more - 1ull, rc);
			deny_interval(ctx, nr, arg, more + 1ull, min - 1ull,
				      rc);
		} else {
			note(rc,
			     seccomp_rule_add(ctx, kill, nr, 1,
					      SCMP_CMP(arg, SCMP_CMP_LT, min)));
		}
		if (more > max) {
			deny_interval(ctx, nr, arg, max + 1ull, more - 1ull,
				      rc);
			deny_interval(ctx, nr, arg, more + 1ull, UINT32_MAX,
				      rc);
		} else {
			note(rc,
			     seccomp_rule_add(ctx, kill, nr, 1,
					      SCMP_CMP(arg, SCMP_CMP_GT, max)));
		}
	}
}

/* Others of this uid (virtual users share one; pamd shares root's): no signal
 * to them, also none that a descriptor sends, and no limit is set.  Landlock
 * knows signals from ABI 6 on, limits not at all. */
static void
deny_others(scmp_filter_ctx ctx, unsigned c, int *rc)
{
	static const uint64_t owners[] = { F_SETOWN, F_SETOWN_EX };
	size_t i;

	/* spawner's children inherit this filter, and must abort() still. */
	if (!(c & CALLS_FORK))
		note(rc,
		     seccomp_rule_add(
			     ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), 1,
			     SCMP_CMP(0, SCMP_CMP_NE, (uint64_t)getpid())));
	for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(fcntl), 1,
			  UINT32_MAX, owners[i], rc);
	note(rc,
	     seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(prlimit64),
			      1, SCMP_CMP(0, SCMP_CMP_NE, 0)));
}

/* Sockets of other families, types or protocols than the row names.  The
 * type's upper bits are flags.  A stream may be MPTCP or SCTP, too, which have
 * ports that Landlock's rules for TCP say nothing of. */
static void
deny_sockets(scmp_filter_ctx ctx, unsigned c, int *rc)
{
	const uint64_t type_mask =
		(uint64_t)(unsigned)~(SOCK_CLOEXEC | SOCK_NONBLOCK);
	const uint64_t first = c & CALLS_DIAL ? AF_UNIX : AF_INET;
	const uint64_t second = c & CALLS_CONNECT ? AF_INET6 : first;
	uint64_t type, protocol;
	unsigned family;

	for (family = 0; family < AF_MAX; family++)
		if (family != first && family != second)
			note(rc, seccomp_rule_add(
					 ctx, SCMP_ACT_KILL_PROCESS,
					 SCMP_SYS(socket), 1,
					 SCMP_CMP(0, SCMP_CMP_EQ, family)));
	note(rc, seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket),
				  1, SCMP_CMP(0, SCMP_CMP_GE, AF_MAX)));
	for (type = 0; type < 16; type++)
		if (type != SOCK_STREAM &&
		    !(type == SOCK_DGRAM && c & CALLS_UDP))
			deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket),
				  1, type_mask, type, rc);
	for (protocol = 1; protocol < IPPROTO_UDP; protocol++)
		if (protocol != IPPROTO_TCP)
			note(rc, seccomp_rule_add(
					 ctx, SCMP_ACT_KILL_PROCESS,
					 SCMP_SYS(socket), 1,
					 SCMP_CMP(2, SCMP_CMP_EQ, protocol)));
	note(rc, seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket),
				  1, SCMP_CMP(2, SCMP_CMP_GT, IPPROTO_UDP)));
}

/* To send on a socket that is not connected connects it, past Landlock and
 * without connect(2) (tcp(7), TCP_FASTOPEN); one that listened and was shut
 * down is such a socket. dnsd is let: libunbound may do so. */
static void
deny_fast_open(scmp_filter_ctx ctx, int *rc)
{
	deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(sendto), 3, MSG_FASTOPEN,
		  MSG_FASTOPEN, rc);
	deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(sendmsg), 2,
		  MSG_FASTOPEN, MSG_FASTOPEN, rc);
	deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(sendmmsg), 3,
		  MSG_FASTOPEN, MSG_FASTOPEN, rc);
}

static int
load_deny_list(const struct jail *j)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	unsigned c = j->svc->calls;
	int rc = 0;

	if (!ctx)
		return -ENOMEM;
	deny_exec_pages(ctx, &rc);
	deny_set_ids(ctx, &rc);
	if (c & CALLS_READ && !(c & CALLS_WRITE) && !POSTHOUSE_SANITIZED)
		deny_write_opens(ctx, &rc);
	if (c & CALLS_DELIVER && !POSTHOUSE_SANITIZED)
		deny_deliver_opens(ctx, &rc);
	if (c & CALLS_DELIVER)
		deny_replacing(ctx, &rc);
	if (c & CALLS_MBOX)
		deny_special_files(ctx, &rc);
	/* A clone that is no thread is a new process. */
	if (!(c & CALLS_FORK))
		deny_bits(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0,
			  CLONE_THREAD, 0, &rc);
	if (c & CALLS_FORK) {
		deny_ids(ctx, SCMP_SYS(setresuid), j->uid_min, j->uid_max, 0,
			 &rc);
		deny_ids(ctx, SCMP_SYS(setresgid), j->gid_min, j->gid_max,
			 j->gid_mail, &rc);
		note(&rc, seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS,
					   SCMP_SYS(setgroups), 1,
					   SCMP_CMP(0, SCMP_CMP_NE, 0)));
	}
	if (!(c & CALLS_UDP))
		deny_fast_open(ctx, &rc);
	if (c & (CALLS_FORK | CALLS_PAIR)) {
		/* Only local pairs. */
		note(&rc, seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS,
					   SCMP_SYS(socketpair), 1,
					   SCMP_CMP(0, SCMP_CMP_NE, 1)));
	}
	if (c & (CALLS_CONNECT | CALLS_DIAL))
		deny_sockets(ctx, c, &rc);
	deny_others(ctx, c, &rc);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

/* --- unknown calls
 * ---------------------------------------------------------------- */

static void
on_sigsys(int sig, siginfo_t *info, void *context)
{
	static unsigned char seen[1024];
	ucontext_t *uc = context;
	int nr = info->si_syscall;

	(void)sig;
	if (nr >= 0 && nr < (int)sizeof(seen) && !seen[nr]) {
		seen[nr] = 1;
		log_warn("system call %d is not in this jail's list", nr);
	}
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#else
#error "say here how a system call returns on this architecture"
#endif
}

int
jail_filter(const struct jail *j, struct err *err)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys,
				.sa_flags = SA_SIGINFO | SA_NODEFER };
	int rc;

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return err_sys(err, errno, "SIGSYS");
	/* The stricter one first: loading the second needs seccomp(2), which
	 * the allow list of most rows has not. */
	rc = load_deny_list(j);
	if (rc == 0)
		rc = load_allow_list(j);
	if (rc < 0)
		return err_sys(err, -rc, "seccomp");
	return 0;
}
