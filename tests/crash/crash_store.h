/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_STORE_H
#define TESTS_CRASH_STORE_H

/* What is done to a user's folders in crash_store_test.c, and what was told of
 * them meanwhile (crash_store_steps.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "powercut.h"
#include "store/store_int.h"

enum {
	BOXES = 3,
	MESSAGES = 60,
	STEPS = 220,
	HAD = 24, /* values of the flags one message may have had */
	TEXT = 3000,
};
#define NEVER SIZE_MAX

/* The last one goes by two names, in turn. */
extern const char *const box_name[BOXES + 1];

/* Message k in one folder; the sizes count operations of the record. */
struct copy {
	bool used;
	uint32_t uid; /* 0: not told */
	size_t told;
	size_t leaving; /* somebody begins to expunge it */
	size_t gone;	/* and has told so */
	uint64_t had[HAD];
	size_t kept[HAD]; /* durable, or what came after it */
	unsigned nhad;
};

struct run {
	struct store *st[2]; /* two processes of one user */
	unsigned nst;
	int root;
	uint64_t rng;
	struct copy m[BOXES][MESSAGES];
	uint32_t validity[BOXES]; /* 0: not told */
	size_t validity_told[BOXES], created[BOXES];
	unsigned n;   /* messages there are */
	bool renamed; /* the last folder has its other name */
	bool faults;
	size_t cut; /* of the image that is checked */
	const char *what;
};

#define WRONG(r, ...)                                              \
	do {                                                       \
		print_error("cut %zu, %s: ", (r)->cut, (r)->what); \
		fail_msg(__VA_ARGS__);                             \
	} while (0)

unsigned identify(struct run *r, struct mailbox *mb, uint32_t uid, bool *gone);
uint32_t validity_of(struct mailbox *mb);
struct store *start(struct run *r);
void one_step(struct run *r);

#endif
