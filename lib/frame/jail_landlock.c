/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <linux/types.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/jail_landlock.h"

/* From the kernel's UAPI, declared here because Debian 12's headers end at
 * ABI 2: Documentation/userspace-api/landlock.rst. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;	     /* ABI 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10,
	FS_MAKE_BLOCK = 1 << 11,
	FS_MAKE_SYM = 1 << 12,
	FS_REFER = 1 << 13,	/* ABI 2 */
	FS_TRUNCATE = 1 << 14,	/* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */

	FS_READ = FS_READ_FILE | FS_READ_DIR,
	FS_CREATE = FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
		    FS_MAKE_REG | FS_REFER,
	FS_DOTLOCK = FS_REMOVE_FILE | FS_MAKE_REG,
	FS_CHANGE = FS_READ | FS_CREATE | FS_REMOVE_DIR | FS_TRUNCATE,
};

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port;
};

enum { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2, CREATE_VERSION = 1 };

enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2 };

int
jail_landlock_abi(void)
{
	long abi =
		syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static uint64_t
handled_fs(int abi)
{
	uint64_t all = (1u << 13) - 1;

	if (abi >= 2)
		all |= FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	if (abi >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

static int
allow(int rules, int dir, uint64_t access, struct err *err)
{
	struct path_beneath_attr at = { access, dir };
	struct stat st;

	/* A file has no entries to list. */
	if (fstat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		at.allowed_access &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
	if (syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &at, 0) <
	    0)
		return err_sys(err, errno, "Landlock rule");
	return 0;
}

static int
allow_port(int rules, unsigned port, uint64_t access, struct err *err)
{
	struct net_port_attr at = { access, port };

	if (syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &at, 0) < 0)
		return err_sys(err, errno, "Landlock rule for port %u", port);
	return 0;
}

/* To listen is not among the calls of any row: to bind, that is to choose the
 * address a connection comes from, only with a port that the kernel takes. */
static int
add_port_rules(const struct jail *j, int rules, struct err *err)
{
	const uint16_t *port;

	if (!(j->svc->calls & CALLS_CONNECT))
		return 0;
	if (allow_port(rules, 0, NET_BIND_TCP, err) < 0)
		return -1;
	for (port = j->ports; port && *port; port++)
		if (allow_port(rules, *port, NET_CONNECT_TCP, err) < 0)
			return -1;
	return 0;
}

static int
add_rules(const struct jail *j, int rules, uint64_t all, struct err *err)
{
	uint64_t root = 0;
	const int *fd;

	if (j->svc->calls & CALLS_WRITE)
		root = FS_CHANGE;
	else if (j->svc->calls & CALLS_DELIVER)
		root = FS_CREATE;
	else if (j->svc->calls & CALLS_READ)
		root = FS_READ;
	else if (j->svc->calls & CALLS_MBOX)
		root = FS_DOTLOCK;
	if (j->svc->root != ROOT_SLASH && j->root >= 0 && root &&
	    allow(rules, j->root, root & all, err) < 0)
		return -1;
	for (fd = j->read_below; fd && *fd >= 0; fd++)
		if (allow(rules, *fd, FS_READ & all, err) < 0)
			return -1;
	for (fd = j->write_below; fd && *fd >= 0; fd++)
		if (allow(rules, *fd, FS_CHANGE & all, err) < 0)
			return -1;
	return 0;
}

int
jail_landlock(const struct jail *j, struct err *err)
{
	struct ruleset_attr attr = { 0 };
	int abi = jail_landlock_abi(), rules, rc = -1;
	size_t size = sizeof(attr.handled_access_fs);

	/* Moving a file between directories needs REFER: ABI 2 at least. */
	if (abi < 2) {
		if ((!j->allow_missing || j->svc->as_root) &&
		    (j->svc->root == ROOT_SLASH || j->svc->root == ROOT_USER))
			return err_set(err, ERR_PERM, ENOSYS,
				       "this kernel has no Landlock (5.19 or "
				       "newer); sandbox_missing = allow would "
				       "run %s without it",
				       j->svc->name);
		log_warn("no Landlock in this kernel");
		return 0;
	}
	attr.handled_access_fs = handled_fs(abi);
	if (abi >= 4) {
		attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (abi >= 6) {
		attr.scoped = 3; /* abstract sockets, signals */
		size = sizeof(attr);
	}
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (rules < 0)
		return err_sys(err, errno, "Landlock");
	if (add_rules(j, rules, attr.handled_access_fs, err) < 0 ||
	    (abi >= 4 && add_port_rules(j, rules, err) < 0))
		goto out;
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0) {
		err_sys(err, errno, "Landlock");
		goto out;
	}
	rc = 0;
out:
	close(rules);
	return rc;
}
