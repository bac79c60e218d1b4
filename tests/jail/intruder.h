/* SPDX-License-Identifier: ISC */
#ifndef JAIL_INTRUDER_H
#define JAIL_INTRUDER_H

#include "frame/service.h"

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

/* Each ends with a row without a name. */
extern const struct attempt attempts_process[], attempts_files[],
	attempts_net[];

#endif
