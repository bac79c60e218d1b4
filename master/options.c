/* SPDX-License-Identifier: ISC */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "master.h"

static const char usage[] =
	"usage: master [-u] [-c CONFDIR] [--uid-base N]\n"
	"  -c CONFDIR    directory of main.cf (default /etc/posthouse)\n"
	"  -u            without root: the jail less uids and chroot, for "
	"tests\n"
	"  --uid-base N  take uids N..N+63 instead of named users\n";

/* A block of numbers must not belong to anybody. */
static int
check_block(uint32_t base)
{
	struct passwd *pw;
	uint32_t i;

	for (i = 0; i < UID_BLOCK; i++) {
		pw = getpwuid(base + i);
		if (pw) {
			fprintf(stderr,
				"master: --uid-base %u: uid %u belongs to %s\n",
				base, base + i, pw->pw_name);
			return EX_USAGE;
		}
	}
	return 0;
}

static const char *
own_directory(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return dirname(path);
}

int
options_parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "uid-base", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t base;
	int c;

	*o = (struct options){ .confdir = "/etc/posthouse",
			       .bindir = own_directory() };
	while ((c = getopt_long(argc, argv, "c:uh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->confdir = optarg;
			break;
		case 'u':
			o->unprivileged = true;
			break;
		case 'b':
			if (str_u64(str_of(optarg), 4000000000u, &base) < 0 ||
			    base < 1000) {
				fprintf(stderr,
					"master: --uid-base %s: want a number "
					"from 1000 on\n",
					optarg);
				return EX_USAGE;
			}
			o->uid_base = (uint32_t)base;
			break;
		default:
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? -1 : EX_USAGE;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (!o->bindir) {
		fputs("master: /proc is not mounted\n", stderr);
		return EX_OSERR;
	}
	if (geteuid() != 0 && !o->unprivileged) {
		fputs("master: must run as root; for a trial without root: "
		      "master -u\n",
		      stderr);
		return EX_NOPERM;
	}
	return o->uid_base && !o->unprivileged ? check_block(o->uid_base) : 0;
}
