/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "fetch.h"
#include "session.h"

void
imap_cache_clear(struct imap_session *s)
{
	struct imap_cache *c = s->cache;

	if (!c)
		return;
	reader_close(&c->reader);
	pool_fini(&c->pool);
	buf_fini(&c->text);
	free(c);
	s->cache = NULL;
}

struct imap_cache *
imap_cache_get(struct imap_session *s, uint32_t uid, struct err *err)
{
	struct imap_cache *c = s->cache;

	if (c && c->uid == uid)
		return c;
	imap_cache_clear(s);
	c = calloc(1, sizeof(*c));
	if (!c) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	if (mailbox_read(s->view.mb, uid, &c->reader, err) < 0) {
		free(c);
		return NULL;
	}
	c->uid = uid;
	pool_init(&c->pool, MIME_POOL_MAX);
	buf_init(&c->text, MIME_HEADER_MAX);
	s->cache = c;
	return c;
}

int
imap_cache_parse(struct imap_cache *c, bool all, struct err *err)
{
	struct mime_parser p;
	struct mime_part *top;
	char part[16384];
	ssize_t n;

	(void)all;
	if (c->top)
		return 0;
	mime_init(&p, &c->pool);
	reader_range(&c->reader, 0, UINT64_MAX);
	while ((n = reader_get_raw(&c->reader, part, sizeof(part), err)) > 0)
		mime_feed(&p, str_mem(part, (size_t)n));
	top = n < 0 ? NULL : mime_finish(&p);
	mime_fini(&p);
	if (n < 0)
		return -1;
	if (!top)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	reader_range(&c->reader, 0, top->head_raw_end);
	while ((n = reader_get_raw(&c->reader, part, sizeof(part), err)) > 0)
		buf_add(&c->text, part, (size_t)n);
	c->has_text = true;
	c->header = c->top = top;
	return 0;
}
