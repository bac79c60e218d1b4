/* SPDX-License-Identifier: ISC */
/* What an intruder tries with his own process (memory, rights), with others,
 * and with the kernel. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "intruder.h"

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

/* Without memory, processor time or descriptors who shares our uid stands
 * still. */
static bool
limit_other(const struct scene *s)
{
	struct rlimit none = { 0, 0 };

	(void)s;
	return syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, &none, NULL) ==
	       0;
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

const struct attempt attempts_process[] = {
	{ "exec_pages", HELD, 0, 0, exec_pages },
	{ "make_pages_executable", HELD, 0, 0, make_pages_executable },
	{ "become_root", HELD, 0, CALLS_FORK | USER_PROCESS, become_root },
	{ "become_root_group", HELD, 0, CALLS_FORK | USER_PROCESS,
	  become_root_group },
	{ "gain_capability", HELD, 0, 0, gain_capability },
	{ "exceed_memory", HELD, 0, 0, exceed_memory },
	{ "exceed_descriptors", HELD, 0, 0, exceed_descriptors },
	{ "own_memory", WORKS, 0, 0, own_memory },
	{ "own_descriptor", WORKS, 0, 0, own_descriptor },
	{ "run_program", DEATH, 0, 0, run_program },
	{ "trace_other", DEATH, 0, 0, trace_other },
	{ "make_process", DEATH, 0, CALLS_FORK, make_process },
	{ "signal_other", DEATH, 0, 0, signal_other },
	/* spawner's children inherit its filter, and must abort() still. */
	{ "signal_thread_of_other", DEATH, 0, CALLS_FORK,
	  signal_thread_of_other },
	{ "signal_by_descriptor", DEATH, 0, 0, signal_by_descriptor },
	{ "signal_by_descriptor_of_thread", DEATH, 0, 0,
	  signal_by_descriptor_of_thread },
	{ "limit_other", DEATH, 0, 0, limit_other },
	{ "read_memory_of_other", DEATH, 0, 0, read_memory_of_other },
	{ "new_namespace", DEATH, 0, 0, new_namespace },
	{ "kernel_programs", DEATH, 0, 0, kernel_programs },
	{ "ring_of_calls", DEATH, 0, 0, ring_of_calls },
	{ "child_as_root", DEATH, CALLS_FORK | USER_PROCESS, 0, child_as_root },
	{ "child_as_daemon", DEATH, CALLS_FORK, 0, child_as_daemon },
	{ "child_in_group", DEATH, CALLS_FORK, 0, child_in_group },
	{ 0 },
};
