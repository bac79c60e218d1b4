/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "mail/addrlist.h"
#include "mail/submission.h"
#include "sendmail.h"

enum { RCPTS_LIMIT = 100000 };

static int
add_path(void *arg, const struct path *p, struct err *err)
{
	struct envelope *e = arg;
	size_t size = e->size ? e->size * 2 : 16;
	struct path *v = e->rcpts;

	if (e->n == RCPTS_LIMIT)
		return err_set(err, ERR_PERM, 0, "too many recipients");
	if (e->n == e->size) {
		v = reallocarray(v, size, sizeof(*v));
		if (!v)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		e->rcpts = v;
		e->size = size;
	}
	v[e->n++] = *p;
	e->utf8 = e->utf8 || p->utf8;
	return 0;
}

static int
bad(const char *arg, struct err *err)
{
	return err_set(err, ERR_PERM, 0, "bad address: %.100s", arg);
}

int
envelope_sender(struct envelope *e, const char *arg, struct err *err)
{
	enum addrlist_kind kind;
	struct addrlist l;
	int rc = 0;

	e->sender = (struct path){ 0 };
	addrlist_init(&l, str_of(arg));
	kind = addrlist_next(&l);
	if (kind == ADDRLIST_FULL || kind == ADDRLIST_BARE)
		e->sender = l.path;
	else if (kind == ADDRLIST_BAD)
		rc = bad(arg, err);
	if (rc == 0 && addrlist_next(&l) != ADDRLIST_END)
		rc = bad(arg, err);
	addrlist_fini(&l);
	e->utf8 = e->utf8 || e->sender.utf8;
	return rc;
}

int
envelope_add(struct envelope *e, const char *arg, struct err *err)
{
	enum addrlist_kind kind;
	struct addrlist l;
	int rc = 0, n = 0;

	addrlist_init(&l, str_of(arg));
	while (rc == 0 && (kind = addrlist_next(&l)) != ADDRLIST_END) {
		n++;
		if (kind == ADDRLIST_FULL || kind == ADDRLIST_BARE)
			rc = add_path(e, &l.path, err);
		else
			rc = bad(arg, err);
	}
	addrlist_fini(&l);
	return rc == 0 && n == 0 ? bad(arg, err) : rc;
}

int
envelope_from_header(struct envelope *e, struct str header, struct err *err)
{
	return submission_rcpts(header, add_path, e, err);
}

void
envelope_fini(struct envelope *e)
{
	free(e->rcpts);
	e->rcpts = NULL;
}
