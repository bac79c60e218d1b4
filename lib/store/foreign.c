/* SPDX-License-Identifier: ISC */
#include "store/foreign.h"

#include <errno.h>
#include <stdlib.h>

#include "mail/mutf7.h"
#include "store/maildir.h"

static bool
next_line(struct str *text, struct str *line)
{
	if (text->n == 0)
		return false;
	if (!str_cut(text, '\n', line)) {
		*line = *text;
		text->n = 0;
	}
	if (str_ends(*line, STR("\r")))
		line->n--;
	return true;
}

static bool
get_u32(struct str s, uint32_t *out)
{
	uint64_t v;

	if (str_u64(s, UINT32_MAX - 1, &v) < 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

struct str
foreign_base(struct str name)
{
	ptrdiff_t colon = str_find(name, ':');

	return colon < 0 ? name : str_head(name, (size_t)colon);
}

static bool
is_base(struct str base)
{
	struct maildir_name n;

	return maildir_parse(base, &n) == 0 && n.base.n == base.n;
}

/* --- UIDs ----------------------------------------------------------------- */

static bool
parse_header(struct str line, unsigned *version, struct foreign_uids *u)
{
	struct str word;

	if (!str_token(&line, " ", &word))
		return false;
	if (str_eq(word, STR("1"))) {
		*version = 1;
		return str_token(&line, " ", &word) &&
		       get_u32(word, &u->uidvalidity) &&
		       str_token(&line, " ", &word) &&
		       get_u32(word, &u->uidnext) && u->uidvalidity;
	}
	*version = 3;
	if (!str_eq(word, STR("3")))
		return false;
	while (str_token(&line, " ", &word)) {
		struct str value = str_from(word, 1);

		if (word.p[0] == 'V' && !get_u32(value, &u->uidvalidity))
			return false;
		if (word.p[0] == 'N' && !get_u32(value, &u->uidnext))
			return false;
		if (word.p[0] == 'G')
			u->guid = value;
	}
	return u->uidvalidity != 0;
}

static bool
parse_row(struct str line, unsigned version, struct foreign_uid *row)
{
	struct str word;
	uint64_t v;

	*row = (struct foreign_uid){ .wsize = UINT64_MAX };
	if (!str_cut(&line, ' ', &word) || !get_u32(word, &row->uid) ||
	    row->uid == 0)
		return false;
	while (version == 3 && line.n && line.p[0] != ':') {
		if (!str_cut(&line, ' ', &word))
			return false;
		if (word.n > 1 && word.p[0] == 'P')
			row->uidl = str_from(word, 1);
		if (word.n > 1 && word.p[0] == 'W' &&
		    str_u64(str_from(word, 1), INT64_MAX, &v) == 0)
			row->wsize = v;
	}
	row->base = foreign_base(str_from(line, version == 3 ? 1 : 0));
	return is_base(row->base);
}

int
foreign_uids_parse(struct foreign_uids *u, struct str text, struct err *err)
{
	struct foreign_uid row, *p;
	unsigned version;
	struct str line;
	size_t size = 0;

	*u = (struct foreign_uids){ .n = 0 };
	if (!next_line(&text, &line) || !parse_header(line, &version, u))
		return err_set(err, ERR_PERM, EINVAL,
			       "not of a version that is known");
	while (next_line(&text, &line)) {
		if (!parse_row(line, version, &row) ||
		    (u->n && row.uid <= u->v[u->n - 1].uid)) {
			u->bad++;
			continue;
		}
		if (u->n == size) {
			size = size ? 2 * size : 256;
			p = reallocarray(u->v, size, sizeof(*p));
			if (!p) {
				foreign_uids_fini(u);
				return err_set(err, ERR_TEMP, ENOMEM,
					       "out of memory");
			}
			u->v = p;
		}
		u->v[u->n++] = row;
	}
	if (u->n && u->uidnext <= u->v[u->n - 1].uid)
		u->uidnext = u->v[u->n - 1].uid + 1;
	if (u->uidnext == 0)
		u->uidnext = 1;
	return 0;
}

void
foreign_uids_fini(struct foreign_uids *u)
{
	free(u->v);
	*u = (struct foreign_uids){ .n = 0 };
}

/* --- keywords ------------------------------------------------------------- */

void
foreign_letters_parse(struct str text, struct str name[FOREIGN_LETTERS])
{
	struct str line, number;
	uint64_t k;

	while (next_line(&text, &line))
		if (str_cut(&line, ' ', &number) && line.n &&
		    str_u64(number, FOREIGN_LETTERS - 1, &k) == 0)
			name[k] = line;
}

int
foreign_list_open(struct foreign_list *l, struct str text, struct err *err)
{
	struct str line, *p;
	uint32_t size = 0;

	*l = (struct foreign_list){ .names = 0 };
	while (next_line(&text, &line) && line.n) {
		if (l->names == size) {
			size = size ? 2 * size : 32;
			p = reallocarray(l->name, size, sizeof(*p));
			if (!p) {
				foreign_list_close(l);
				return err_set(err, ERR_TEMP, ENOMEM,
					       "out of memory");
			}
			l->name = p;
		}
		l->name[l->names++] = line;
	}
	l->rest = text;
	return 0;
}

void
foreign_list_close(struct foreign_list *l)
{
	free(l->name);
	*l = (struct foreign_list){ .names = 0 };
}

bool
foreign_list_next(struct foreign_list *l, struct str *base, struct str *numbers)
{
	struct str line;

	while (next_line(&l->rest, &line)) {
		if (!str_cut(&line, ':', base) || !is_base(*base))
			continue;
		*numbers = line;
		return true;
	}
	return false;
}

bool
foreign_list_name(const struct foreign_list *l, struct str *numbers,
		  struct str *name)
{
	struct str word;
	uint64_t k;

	while (str_token(numbers, " ", &word)) {
		if (str_u64(word, UINT32_MAX, &k) < 0 || k >= l->names)
			continue;
		*name = l->name[k];
		return true;
	}
	return false;
}

/* --- Courier's UIDLs ------------------------------------------------------ */

bool
foreign_size_next(struct str *text, struct foreign_size *s)
{
	struct str line, size, word;
	uint64_t v;

	while (next_line(text, &line)) {
		*s = (struct foreign_size){ .uid = 0 };
		if (line.n == 0 || line.p[0] == '/' ||
		    !str_cut(&line, ' ', &s->base) ||
		    !str_token(&line, " ", &size) ||
		    str_u64(size, INT64_MAX, &v) < 0)
			continue;
		s->base = foreign_base(s->base);
		if (!is_base(s->base))
			continue;
		if (!str_token(&line, ": ", &word))
			return true; /* version 0 */
		if (!get_u32(word, &s->uid))
			continue;
		if (str_token(&line, ": ", &word) &&
		    !get_u32(word, &s->uidvalidity))
			continue;
		return true;
	}
	return false;
}

void
foreign_size_uidl(const struct foreign_size *s, struct buf *out)
{
	size_t i;

	if (s->uid && s->uidvalidity) {
		buf_addf(out, "UID%u-%u", s->uid, s->uidvalidity);
	} else if (s->uid) {
		buf_addf(out, "UID%u", s->uid);
	} else {
		for (i = 0; i < s->base.n; i++) {
			unsigned char c = (unsigned char)s->base.p[i];

			if (c <= ' ' || c > '~' || strchr("'\"+", c))
				buf_addf(out, "+%02X", c);
			else
				buf_add_byte(out, (char)c);
		}
	}
}

/* --- subscriptions -------------------------------------------------------- */

bool
foreign_subscription_next(struct str *text, bool courier, struct buf *out)
{
	struct str line;

	while (next_line(text, &line)) {
		if (line.n == 0 || str_starts(line, STR("V\t")) ||
		    str_find(line, '\001') >= 0)
			continue; /* empty, a header, or no name of ours */
		buf_reset(out);
		if (!mutf7_is_valid(line) || str_find(line, '\t') >= 0) {
			struct str part;

			/* Tabs are what version 2 has between levels. */
			while (str_token(&line, "\t", &part)) {
				if (out->n)
					buf_add_byte(out, '.');
				if (mutf7_is_valid(part))
					buf_add_str(out, part);
				else if (mutf7_encode(out, part) < 0)
					break;
			}
			if (line.n)
				continue;
		} else {
			buf_add_str(out, line);
		}
		if (courier && str_starts(buf_str(out), STR("INBOX.")))
			buf_drop(out, 6);
		if (out->n && !buf_overflown(out))
			return true;
	}
	return false;
}
