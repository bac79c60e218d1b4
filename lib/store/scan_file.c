/* SPDX-License-Identifier: ISC */
/* One file of a directory: a message that is known, has moved, or is new. */
#include <errno.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "base/log.h"
#include "store/scan_int.h"

/* Room for one more. */
static int
grow(void *array, size_t n, size_t *size, size_t each, struct err *err)
{
	void **v = array, *p;
	size_t want;

	if (n < *size)
		return 0;
	want = *size ? *size * 2 : 64;
	p = reallocarray(*v, want, each);
	if (!p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	*v = p;
	*size = want;
	return 0;
}

int
scan_note_gone(struct scan *s, size_t slot, struct err *err)
{
	if (grow(&s->gone, s->ngone, &s->gone_size, sizeof(*s->gone), err) < 0)
		return -1;
	s->gone[s->ngone++] = slot;
	return 0;
}

/*
 * A delivery of ours that a power cut tore: shorter than its name says.  It
 * will be written again; until then it is not there.
 */
static bool
is_torn(struct mailbox *mb, const char *name, const struct maildir_name *p)
{
	ptrdiff_t dot = str_find(p->base, '.');
	struct stat st;

	if (!p->has_size || dot < 0 || str_from(p->base, (size_t)dot).n < 3 ||
	    p->base.p[dot + 1] != 'P')
		return false;
	return fsx_fstatat(mb->new, name, &st) == 0 &&
	       (uint64_t)st.st_size < p->size;
}

static int
add_found(struct scan *s, const struct maildir_name *p, uint64_t disk,
	  struct err *err)
{
	if (grow(&s->found, s->nfound, &s->found_size, sizeof(*s->found), err) <
	    0)
		return -1;
	s->found[s->nfound] = (struct found){
		.secs = maildir_seconds(p->base),
		.disk = disk,
		.wsize = p->has_wsize ? p->wsize : MESSAGE_UNKNOWN,
		.at = (uint32_t)s->names.n,
		.basen = (uint8_t)p->base.n,
	};
	if (buf_add_str(&s->names, p->base) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	s->nfound++;
	return 0;
}

/* It is called so now, whatever it was a moment ago. */
static int
add_moved(struct scan *s, size_t slot, uint64_t disk, struct err *err)
{
	if (!s->shifted)
		s->shifted = calloc(s->slots, sizeof(*s->shifted));
	if (!s->shifted)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (s->shifted[slot]) {
		s->moved[s->shifted[slot] - 1].disk = disk;
		return 0;
	}
	if (grow(&s->moved, s->nmoved, &s->moved_size, sizeof(*s->moved), err) <
	    0)
		return -1;
	s->moved[s->nmoved++] = (struct moved){ slot, disk };
	s->shifted[slot] = (uint32_t)s->nmoved;
	return 0;
}

bool
scan_is_there(struct mailbox *mb, const struct message *m)
{
	char name[MAILDIR_NAME_MAX + 1];
	int dir = message_file(mb, m, name);
	struct stat st;

	errno = ENOENT;
	return *name && fsx_fstatat(dir, name, &st) == 0;
}

const struct moved *
scan_find_moved(const struct scan *s, size_t slot)
{
	return s->shifted && s->shifted[slot] ? &s->moved[s->shifted[slot] - 1]
					      : NULL;
}

bool
scan_is_there_moved(struct scan *s, const struct moved *v)
{
	char name[MAILDIR_NAME_MAX + 1];
	struct stat st;

	return file_name(index_base(s->mb->ix, index_at(s->mb->ix, v->slot)),
			 v->disk, name) &&
	       fsx_fstatat(file_dir(s->mb, v->disk), name, &st) == 0;
}

int
scan_split_twin(struct scan *s, const char *name, uint64_t disk,
		struct err *err)
{
	struct mailbox *mb = s->mb;
	int dir = file_dir(mb, disk), rc = 0;
	char to[MAILDIR_NAME_MAX + 1];
	struct maildir_name p;
	struct stat st;
	struct buf b;

	if (fsx_fstatat(dir, name, &st) < 0)
		return 0; /* it was the one that was renamed */
	buf_init(&b, MAILDIR_NAME_MAX + 1);
	maildir_base_random(&b, str_of(mb->st->host), (uint64_t)st.st_size, 0);
	b.n = (size_t)str_search(buf_str(&b), STR(",W="));
	if (file_name(buf_str(&b), disk, to) &&
	    fsx_rename_new(dir, name, dir, to) == 0) {
		watch_own(mb, disk, name, false);
		watch_own(mb, disk, to, true);
		mb->unsynced |= names_in(disk);
		log_info("%s: %s cannot keep its name, it is %s now", mb->name,
			 LOGQ(str_of(name)), to);
		rc = maildir_parse(buf_str(&b), &p) < 0
			     ? 0
			     : add_found(s, &p, disk, err);
	}
	buf_fini(&b);
	return rc;
}

/*
 * The name in the one form that what the index keeps can be turned into.
 * Files that others have named otherwise ("x" or "x:2,SF" in cur/) are
 * renamed.  False: that did not work, look again later.
 */
static bool
make_regular(struct mailbox *mb, const char *name, const struct maildir_name *p,
	     uint64_t disk)
{
	bool has_letters = name[p->base.n] != '\0';
	char want[MAILDIR_NAME_MAX + 1];
	int dir = file_dir(mb, disk);

	if (p->regular && has_letters == (disk != MESSAGE_IN_NEW))
		return true;
	errno = ENAMETOOLONG;
	if (!file_name(p->base, disk, want))
		return false;
	if (strcmp(name, want) == 0)
		return true;
	if (fsx_rename_new(dir, name, dir, want) < 0)
		return false;
	watch_own(mb, disk, name, false);
	watch_own(mb, disk, want, true);
	mb->unsynced |= names_in(disk);
	return true;
}

/* A message's file has one name; but one that is renamed while we look is seen
 * twice. */
static int
known_file(struct scan *s, size_t slot, const char *name, uint64_t disk,
	   struct err *err)
{
	const struct message *m = index_at(s->mb->ix, slot);
	const struct moved *v =
		scan_has(s, slot) ? scan_find_moved(s, slot) : NULL;

	if (v && v->disk == disk)
		return 0;
	if (v && scan_is_there_moved(s, v))
		return scan_split_twin(s, name, disk, err);
	if (m->disk != disk && scan_is_there(s->mb, m))
		return scan_split_twin(s, name, disk, err);
	if (m->disk == disk && !scan_find_moved(s, slot))
		s->in_new += disk & MESSAGE_IN_NEW && !scan_has(s, slot);
	else if (add_moved(s, slot, disk, err) < 0)
		return -1;
	scan_set_seen(s, slot);
	return 0;
}

int
scan_one_file(struct scan *s, const char *name, bool in_new, struct err *err)
{
	struct mailbox *mb = s->mb;
	struct maildir_name p;
	uint64_t disk;
	ssize_t slot;

	if (maildir_parse(str_of(name), &p) < 0)
		return 0;
	disk = p.flags | (in_new ? MESSAGE_IN_NEW : 0);
	slot = s->slots ? index_by_base(mb->ix, p.base) : -1;
	if (slot < 0 && in_new && is_torn(mb, name, &p)) {
		log_debug("%s: new/%s is torn, skipped", mb->name,
			  LOGQ(str_of(name)));
		return 0;
	}
	if (!make_regular(mb, name, &p, disk)) {
		if (errno == EEXIST || errno == ENAMETOOLONG)
			return scan_split_twin(s, name, disk, err);
		if (errno != ENOENT)
			log_warn("%s: %s cannot be a message's name", mb->name,
				 LOGQ(str_of(name)));
		return 0;
	}
	if (slot < 0 || (size_t)slot >= s->slots)
		return add_found(s, &p, disk, err);
	return known_file(s, (size_t)slot, name, disk, err);
}
