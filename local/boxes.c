/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "boxes.h"

void
boxes_init(struct boxes *b, int root)
{
	*b = (struct boxes){ .root = root };
	list_init(&b->used);
}

void
boxes_fini(struct boxes *b)
{
	while (!list_empty(&b->used))
		boxes_drop(b, LIST_OF(b->used.next, struct box, link));
	map_fini(&b->by_path);
}

void
box_unref(struct box *box)
{
	if (--box->refs)
		return;
	maildir_close(&box->dirs);
	free(box->path);
	free(box);
}

void
boxes_drop(struct boxes *b, struct box *box)
{
	if (list_empty(&box->link))
		return; /* dropped before; somebody held a reference */
	list_remove(&box->link);
	map_del(&b->by_path, str_of(box->path));
	box_unref(box);
}

static struct box *
box_open(int root, struct str path, struct err *err)
{
	struct box *box = calloc(1, sizeof(*box));
	struct stat st;

	if (!box || !(box->path = malloc(path.n + 1))) {
		free(box);
		err_sys(err, ENOMEM, "mailbox");
		return NULL;
	}
	box->refs = 1;
	box->dirs = (struct maildir_box){ -1, -1, -1 };
	box->opened_ms = clock_mono_ms();
	list_init(&box->link);
	if (!str_copy(box->path, path.n + 1, path)) {
		err_set(err, ERR_PERM, EINVAL, "a path with a NUL in it");
		goto fail;
	}
	if (maildir_open(root, box->path, &box->dirs, err) < 0 &&
	    (err->code != ENOENT || maildir_create(root, box->path, err) < 0 ||
	     maildir_open(root, box->path, &box->dirs, err) < 0))
		goto fail;
	if (fsx_fstat(box->dirs.new, &st) < 0) {
		err_sys(err, errno, "%s: fstat", box->path);
		goto fail;
	}
	box->dev = st.st_dev;
	return box;
fail:
	box_unref(box);
	return NULL;
}

struct box *
boxes_get(struct boxes *b, struct str path, struct err *err)
{
	struct box *box = map_get(&b->by_path, path);

	if (box && clock_mono_ms() - box->opened_ms >= BOXES_FRESH_MS) {
		boxes_drop(b, box);
		box = NULL;
	}
	if (!box) {
		box = box_open(b->root, path, err);
		if (!box)
			return NULL;
		if (map_put(&b->by_path, str_of(box->path), box) < 0) {
			box_unref(box);
			err_sys(err, ENOMEM, "mailbox");
			return NULL;
		}
		if (b->by_path.n > BOXES_MAX)
			boxes_drop(b, LIST_OF(b->used.prev, struct box, link));
	}
	list_remove(&box->link);
	list_prepend(&b->used, &box->link);
	box->refs++;
	return box;
}
