/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sys/socket.h>

#include "bio.h"
#include "stream.h"

static int
bio_read(BIO *b, char *to, int n)
{
	struct stream *s = BIO_get_data(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	if (s->tls_dry) {
		BIO_set_retry_read(b);
		return -1;
	}
	do
		got = recv(s->tls, to, (size_t)n, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < n) /* the event loop says when there is more */
		s->tls_dry = true;
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(b);
	if (got == 0)
		s->tls_ended = true;
	return (int)got;
}

static int
bio_write(BIO *b, const char *p, int n)
{
	struct stream *s = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	return buf_add(&s->t->out, p, (size_t)n) == 0 ? n : -1;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct stream *s = BIO_get_data(b);

	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return s->tls_ended;
	default:
		return 0;
	}
}

static int
bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *
bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				     "stream");

	if (m && BIO_meth_set_read(m, bio_read) &&
	    BIO_meth_set_write(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl) &&
	    BIO_meth_set_create(m, bio_create))
		return m;
	BIO_meth_free(m);
	return NULL;
}
