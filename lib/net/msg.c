/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <unistd.h>

#include "base/enc.h"
#include "net/msg.h"

static int
bad(struct err *err, const struct msg_def *def, const struct msg_field *f,
    const char *what)
{
	return err_set(err, ERR_PERM, EPROTO, "message %s: field %s: %s",
		       def->name, f->name, what);
}

/* Security rule 2: what is a string carries no CR, LF, NUL, in or out. */
static bool
str_is_clean(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	return true;
}

static uint64_t
get_int(const struct msg_field *f, const void *at)
{
	switch (f->kind) {
	case MSG_U8:
		return *(const uint8_t *)at;
	case MSG_U16:
		return *(const uint16_t *)at;
	case MSG_U32:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static size_t
int_size(enum msg_kind kind)
{
	return kind == MSG_U8	 ? 1
	       : kind == MSG_U16 ? 2
	       : kind == MSG_U32 ? 4
				 : 8;
}

static int
put_bytes(struct buf *out, struct str s)
{
	uint8_t len[2];

	enc_put16(len, (uint16_t)s.n);
	return buf_add(out, len, 2) < 0 ? -1 : buf_add_str(out, s);
}

static int
encode_field(struct buf *out, const struct msg_def *def,
	     const struct msg_field *f, const void *at, int *fds, size_t *nfds,
	     struct err *err)
{
	const struct msg_list *l = at;
	const struct str *s = at;
	uint8_t raw[8];
	uint64_t v;
	int fd;

	switch (f->kind) {
	case MSG_U8:
	case MSG_U16:
	case MSG_U32:
	case MSG_U64:
		v = get_int(f, at);
		if (f->bound && v > f->bound)
			return bad(err, def, f, "out of bounds");
		enc_put64(raw, v);
		return buf_add(out, raw, int_size(f->kind));
	case MSG_STR:
	case MSG_BYTES:
		if (s->n > f->bound || s->n > UINT16_MAX)
			return bad(err, def, f, "too long");
		if (f->kind == MSG_STR && !str_is_clean(*s))
			return bad(err, def, f, "CR, LF or NUL in a string");
		return put_bytes(out, *s);
	case MSG_LIST:
		if (l->count > f->bound || l->raw.n > UINT16_MAX ||
		    (l->count && l->elem != f->elem))
			return bad(err, def, f, "too many");
		enc_put16(raw, (uint16_t)l->count);
		if (buf_add(out, raw, 2) < 0)
			return -1;
		return put_bytes(out, l->raw);
	case MSG_FD:
		fd = *(const int *)at;
		if (fd < 0 && f->bound)
			return bad(err, def, f, "descriptor missing");
		if (fd >= 0) {
			if (!fds || *nfds == MSG_FDS_MAX)
				return bad(err, def, f, "one fd too many");
			fds[(*nfds)++] = fd;
		}
		return buf_add_byte(out, fd >= 0);
	}
	return -1;
}

static int
encode_fields(struct buf *out, const struct msg_def *def, const void *msg,
	      int *fds, size_t *nfds, struct err *err)
{
	size_t i;

	for (i = 0; i < def->nfields; i++) {
		const struct msg_field *f = &def->fields[i];

		err_set(err, ERR_PERM, EMSGSIZE, "message %s: too long",
			def->name);
		if (encode_field(out, def, f, (const char *)msg + f->offset,
				 fds, nfds, err) < 0)
			return -1;
	}
	return 0;
}

int
msg_encode(struct buf *out, const struct msg_def *def, uint32_t tag,
	   const void *msg, int *fds, size_t *nfds, struct err *err)
{
	uint8_t head[MSG_HEAD] = { 0 };
	size_t start = out->n;

	*nfds = 0;
	enc_put16(head, def->type);
	enc_put32(head + 4, tag);
	if (buf_add(out, head, MSG_HEAD) == 0 &&
	    encode_fields(out, def, msg, fds, nfds, err) == 0) {
		if (out->n - start <= MSG_FRAME_MAX)
			return 0;
		err_set(err, ERR_PERM, EMSGSIZE, "message %s: %zu bytes",
			def->name, out->n - start);
	}
	out->n = start;
	return -1;
}

int
msg_peek(struct str frame, uint16_t *type, uint32_t *tag)
{
	if (frame.n < MSG_HEAD || enc_get16(frame.p + 2) != 0)
		return -1;
	*type = enc_get16(frame.p);
	*tag = enc_get32(frame.p + 4);
	return 0;
}

/* Take n bytes off the front of *in. */
static bool
take(struct str *in, size_t n, struct str *out)
{
	if (in->n < n)
		return false;
	*out = str_head(*in, n);
	*in = str_from(*in, n);
	return true;
}

static bool
take_bytes(struct str *in, struct str *out)
{
	struct str len;

	return take(in, 2, &len) && take(in, enc_get16(len.p), out);
}

static int decode_fields(struct str *in, const struct msg_def *def, void *msg,
			 const int *fds, size_t nfds, struct err *err);

static int
decode_int(struct str *in, const struct msg_def *def, const struct msg_field *f,
	   void *at, struct err *err)
{
	uint8_t wide[8] = { 0 };
	struct str raw;
	uint64_t v;

	if (!take(in, int_size(f->kind), &raw))
		return bad(err, def, f, "cut short");
	memcpy(wide, raw.p, raw.n);
	v = enc_get64(wide);
	if (f->bound && v > f->bound)
		return bad(err, def, f, "out of bounds");
	if (f->kind == MSG_U8)
		*(uint8_t *)at = (uint8_t)v;
	else if (f->kind == MSG_U16)
		*(uint16_t *)at = (uint16_t)v;
	else if (f->kind == MSG_U32)
		*(uint32_t *)at = (uint32_t)v;
	else
		*(uint64_t *)at = v;
	return 0;
}

static int
decode_list(struct str *in, const struct msg_def *def,
	    const struct msg_field *f, struct msg_list *l, struct err *err)
{
	_Alignas(8) char e[MSG_STRUCT_MAX];
	struct str count, it;
	uint32_t i;

	if (!take(in, 2, &count) || !take_bytes(in, &l->raw))
		return bad(err, def, f, "cut short");
	l->count = enc_get16(count.p);
	l->elem = f->elem;
	if (l->count > f->bound)
		return bad(err, def, f, "too many");
	it = l->raw;
	for (i = 0; i < l->count; i++)
		if (decode_fields(&it, f->elem, e, NULL, 0, err) < 0)
			return -1;
	if (it.n)
		return bad(err, def, f, "bytes left over");
	return 0;
}

static int
decode_fields(struct str *in, const struct msg_def *def, void *msg,
	      const int *fds, size_t nfds, struct err *err)
{
	size_t i, used = 0;

	BUG_ON(def->size > MSG_STRUCT_MAX);
	memset(msg, 0, def->size);
	for (i = 0; i < def->nfields; i++) {
		const struct msg_field *f = &def->fields[i];
		void *at = (char *)msg + f->offset;
		struct str s;
		bool is_there;

		switch (f->kind) {
		case MSG_U8:
		case MSG_U16:
		case MSG_U32:
		case MSG_U64:
			if (decode_int(in, def, f, at, err) < 0)
				return -1;
			break;
		case MSG_STR:
		case MSG_BYTES:
			if (!take_bytes(in, &s))
				return bad(err, def, f, "cut short");
			if (s.n > f->bound)
				return bad(err, def, f, "too long");
			if (f->kind == MSG_STR && !str_is_clean(s))
				return bad(err, def, f,
					   "CR, LF or NUL in a string");
			*(struct str *)at = s;
			break;
		case MSG_LIST:
			if (decode_list(in, def, f, at, err) < 0)
				return -1;
			break;
		case MSG_FD:
			*(int *)at = -1;
			if (!take(in, 1, &s) || (unsigned char)s.p[0] > 1)
				return bad(err, def, f, "cut short");
			is_there = s.p[0];
			if (is_there ? used >= nfds : f->bound)
				return bad(err, def, f, "descriptor missing");
			if (is_there)
				*(int *)at = fds[used++];
			break;
		}
	}
	if (used != nfds)
		return err_set(err, ERR_PERM, EPROTO,
			       "message %s: unexpected descriptor", def->name);
	return 0;
}

int
msg_decode(struct str frame, const struct msg_def *def, void *msg,
	   const int *fds, size_t nfds, struct err *err)
{
	struct str in = str_from(frame, MSG_HEAD);

	if (frame.n < MSG_HEAD || frame.n > MSG_FRAME_MAX)
		return err_set(err, ERR_PERM, EPROTO, "frame of %zu bytes",
			       frame.n);
	if (decode_fields(&in, def, msg, fds, nfds, err) < 0)
		return -1;
	if (in.n)
		return err_set(err, ERR_PERM, EPROTO,
			       "message %s: %zu bytes left over", def->name,
			       in.n);
	return 0;
}

uint64_t
msg_fields_set(const struct msg_def *def, const void *msg)
{
	uint64_t set = 0;
	size_t i;

	for (i = 0; i < def->nfields; i++) {
		const struct msg_field *f = &def->fields[i];
		const void *at = (const char *)msg + f->offset;
		bool on;

		switch (f->kind) {
		case MSG_STR:
		case MSG_BYTES:
			on = ((const struct str *)at)->n != 0;
			break;
		case MSG_LIST:
			on = ((const struct msg_list *)at)->count != 0;
			break;
		case MSG_FD:
			on = *(const int *)at >= 0;
			break;
		default:
			on = get_int(f, at) != 0;
		}
		if (on)
			set |= 1ull << i;
	}
	return set;
}

void
msg_close_fds(const struct msg_def *def, void *msg)
{
	size_t i;

	for (i = 0; i < def->nfields; i++) {
		int *fd = (int *)(void *)((char *)msg + def->fields[i].offset);

		if (def->fields[i].kind == MSG_FD && *fd >= 0) {
			close(*fd);
			*fd = -1;
		}
	}
}

int
msg_list_add(struct buf *b, const struct msg_def *elem, const void *e,
	     struct err *err)
{
	size_t start = b->n;

	if (encode_fields(b, elem, e, NULL, NULL, err) < 0) {
		b->n = start;
		return -1;
	}
	return 0;
}

struct msg_list
msg_list_of(const struct buf *b, uint32_t count, const struct msg_def *elem)
{
	return (struct msg_list){ buf_str(b), count, elem };
}

bool
msg_list_next(struct str *it, const struct msg_def *elem, void *e)
{
	struct err err;

	return it->n && decode_fields(it, elem, e, NULL, 0, &err) == 0;
}
