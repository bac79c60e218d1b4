/* SPDX-License-Identifier: ISC */
/*
 * Every message of every channel: {row, direction and number of descriptors,
 * frame}.  What decodes must encode to the same bytes again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "frame/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lists are walked as their receivers walk them. */
static void
walk_lists(const struct msg_def *def, const char *msg)
{
	_Alignas(16) char e[MSG_STRUCT_MAX];
	const struct msg_list *l;
	uint32_t count;
	struct str it;
	size_t i;

	for (i = 0; i < def->nfields; i++) {
		if (def->fields[i].kind != MSG_LIST)
			continue;
		l = (const void *)(msg + def->fields[i].offset);
		it = l->raw;
		for (count = 0; msg_list_next(&it, l->elem, e); count++)
			walk_lists(l->elem, e);
		BUG_ON(count != l->count || it.n);
	}
}

static void
try_message(const struct chan_msg *m, struct str frame, uint32_t tag,
	    size_t nfds)
{
	static const int fds[MSG_FDS_MAX] = { 1000, 1001, 1002, 1003 };
	_Alignas(16) char msg[MSG_STRUCT_MAX];
	int taken[MSG_FDS_MAX];
	struct buf again;
	struct err err;
	size_t n;

	if (msg_decode(frame, m->def, msg, fds, nfds, &err) < 0)
		return;
	walk_lists(m->def, msg);
	(void)msg_fields_set(m->def, msg);
	buf_init(&again, MSG_FRAME_MAX);
	BUG_ON(msg_encode(&again, m->def, tag, msg, taken, &n, &err) < 0);
	BUG_ON(!str_eq(buf_str(&again), frame) || n != nfds ||
	       memcmp(taken, fds, n * sizeof(int)) != 0);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct chan_msg *m;
	struct str frame;
	uint16_t type;
	uint32_t tag;

	if (size < 2)
		return 0;
	frame = str_mem((const char *)data + 2, size - 2);
	if (msg_peek(frame, &type, &tag) < 0)
		return 0;
	m = data[1] & 1 ? channels[data[0] % CH_COUNT].to_asker
			: channels[data[0] % CH_COUNT].to_service;
	for (; m && m->def; m++)
		if (m->def->type == type)
			try_message(m, frame, tag,
				    data[1] / 2 % (MSG_FDS_MAX + 1));
	return 0;
}
