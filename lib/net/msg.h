/* SPDX-License-Identifier: ISC */
#ifndef NET_MSG_H
#define NET_MSG_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Messages between daemons.  A message is a struct beside a const table of its
 * fields; this one codec serves all.  A frame on the wire (little-endian) is
 * {u16 type, u16 zero, u32 tag, fields in table order}, at most MSG_FRAME_MAX.
 *
 * Decoding is all or nothing: every length, bound and list element is checked
 * before the receiver sees the struct, and nothing may be left over.
 */
enum { MSG_FRAME_MAX = 65535, MSG_HEAD = 8, MSG_FDS_MAX = 4 };

enum msg_kind {
	MSG_U8,	   /* uint8_t;  bound: greatest value, 0 = any */
	MSG_U16,   /* uint16_t */
	MSG_U32,   /* uint32_t */
	MSG_U64,   /* uint64_t */
	MSG_STR,   /* struct str without CR, LF, NUL; bound: greatest length */
	MSG_BYTES, /* struct str, any byte; bound: greatest length */
	MSG_LIST,  /* struct msg_list of elem; bound: greatest count */
	MSG_FD,	   /* int, -1 = none; bound 1: must be there */
};

struct msg_def;

struct msg_field {
	const char *name;
	enum msg_kind kind;
	uint32_t offset;
	uint32_t bound;
	const struct msg_def *elem; /* MSG_LIST */
};

enum msg_flags {
	MSG_REQUEST = 1, /* counts as in flight until its reply */
	MSG_REPLY = 2,	 /* the (last) answer to a request, same tag */
	MSG_SECRET = 4,	 /* holds a password: copies of it are wiped */
	MSG_PART = 8,	 /* of an answer: comes before its end, same tag */
	/* neither request nor reply nor that: a part of a request, or a note
	 * on its own */
};

struct msg_def {
	uint16_t type; /* unique within the suite; 0 for list elements */
	const char *name;
	unsigned flags;
	const struct msg_field *fields;
	uint16_t nfields;
	uint16_t size; /* sizeof the struct */
};

/* The elements of a list, in encoded form. */
struct msg_list {
	struct str raw;
	uint32_t count;
	const struct msg_def *elem;
};

#define MSG_FIELD(type, member, k, max)                                 \
	{                                                               \
		.name = #member, .kind = (k),                           \
		.offset = offsetof(struct type, member), .bound = (max) \
	}
#define MSG_LIST_FIELD(type, member, max, el)                            \
	{                                                                \
		.name = #member, .kind = MSG_LIST,                       \
		.offset = offsetof(struct type, member), .bound = (max), \
		.elem = (el)                                             \
	}
#define MSG_DEF(n, t, fl)                                                     \
	{                                                                     \
		.type = (t), .name = #n, .flags = (fl), .fields = n##_fields, \
		.nfields = sizeof(n##_fields) / sizeof(n##_fields[0]),        \
		.size = sizeof(struct n)                                      \
	}

/* Largest struct of any message: decoders use a buffer of this size. */
enum { MSG_STRUCT_MAX = 512 };

/* Append a whole frame to out, collecting descriptors in fds (MSG_FDS_MAX).
 * -1 with err (BUG class is never used) if a field breaks its bound or the
 * frame would be too long. */
ERR_WARN_UNUSED int msg_encode(struct buf *out, const struct msg_def *def,
			       uint32_t tag, const void *msg, int *fds,
			       size_t *nfds, struct err *err);

/* Type and tag of a frame; -1 if it is too short. */
ERR_WARN_UNUSED int msg_peek(struct str frame, uint16_t *type, uint32_t *tag);

/* Decode frame (whole, with its head) into msg (def->size bytes).  Slices
 * point into frame.  fds are handed out to MSG_FD fields in order; -1 if their
 * number does not fit. On failure no descriptor has been taken. */
ERR_WARN_UNUSED int msg_decode(struct str frame, const struct msg_def *def,
			       void *msg, const int *fds, size_t nfds,
			       struct err *err);

/* Bit i set: field i is neither zero nor empty (nor fd -1). */
uint64_t msg_fields_set(const struct msg_def *def, const void *msg);

/* Close the descriptors of a message that nobody took (those not -1). */
void msg_close_fds(const struct msg_def *def, void *msg);

/*
 * Lists.  Build: start with a buf and call msg_list_add() for each element,
 * then msg_list_of().  Read: struct str it = l.raw; while (msg_list_next(&it,
 * l.elem, &e)) ...; elements of a decoded message were checked already.
 */
ERR_WARN_UNUSED int msg_list_add(struct buf *b, const struct msg_def *elem,
				 const void *e, struct err *err);
struct msg_list msg_list_of(const struct buf *b, uint32_t count,
			    const struct msg_def *elem);
bool msg_list_next(struct str *it, const struct msg_def *elem, void *e);

#endif
