/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_BOXES_H
#define LOCAL_BOXES_H

#include "base/list.h"
#include "base/map.h"
#include "store/maildir.h"

/*
 * The Maildirs that deliver has open, by path: the last BOXES_MAX used.  One
 * is opened anew after BOXES_FRESH_MS, so that a mailbox that was moved away is
 * not written to for long.
 */
enum { BOXES_MAX = 48, BOXES_FRESH_MS = 5000 };

struct box {
	struct list link;
	char *path;
	struct maildir_box dirs;
	dev_t dev;
	uint64_t opened_ms;
	unsigned refs;
	bool arrived; /* new mail, and nobody has been told yet */
};

struct boxes {
	int root;
	struct map by_path;
	struct list used; /* the last used is in front */
};

void boxes_init(struct boxes *b, int root);
void boxes_fini(struct boxes *b);

/* The Maildir, made if it is missing; NULL with err.  The caller owns a
 * reference. */
struct box *boxes_get(struct boxes *b, struct str path, struct err *err);
/* Forget it: its directories turned out to be gone. */
void boxes_drop(struct boxes *b, struct box *box);
void box_unref(struct box *box);

#endif
