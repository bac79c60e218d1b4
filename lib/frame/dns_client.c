/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "frame/dns_client.h"

/* More than the greatest dns_timeout: dnsd itself says when it gives up. */
enum { ANSWER_MS = 130 * 1000 };

struct dns_client {
	struct asker *dnsd;
	struct map by_tag;
};

struct question {
	struct dns_client *client;
	uint32_t tag;
	dns_done_cb *done;
	void *arg;
};

static struct dns_client *
client_with(struct dns_client *c, struct asker *dnsd)
{
	c->dnsd = dnsd;
	if (dnsd)
		return c;
	free(c);
	return NULL;
}

struct dns_client *
dns_client_new(struct daemon *d)
{
	struct dns_client *c = calloc(1, sizeof(*c));

	return c ? client_with(c, asker_new(d, SVC_DNSD, NULL, NULL, NULL))
		 : NULL;
}

struct dns_client *
dns_client_new_fd(struct loop *l, int fd, const struct chan_row *row)
{
	struct dns_client *c = calloc(1, sizeof(*c));

	if (c)
		return client_with(c, asker_new_fd(l, fd, row, NULL, NULL));
	close(fd);
	return NULL;
}

void
dns_client_free(struct dns_client *c)
{
	if (!c)
		return;
	asker_free(c->dnsd);
	map_fini(&c->by_tag);
	free(c);
}

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	static const struct msg_dns_answer away = {
		.status = DNS_TEMP,
		.text = { "no answer from dnsd", 19 },
	};
	struct question q = *(struct question *)arg;

	(void)map_del(&q.client->by_tag, MAP_KEY(q.tag));
	free(arg);
	q.done(q.arg, def == &msg_dns_answer_def ? msg : &away);
}

/* What cannot be sent is no name: let dnsd say so. */
static struct str
sendable(struct str name)
{
	if (name.n > DNS_NAME_MAX + 1 || str_find(name, '\0') >= 0 ||
	    str_find(name, '\n') >= 0 || str_find(name, '\r') >= 0)
		return STR("");
	return name;
}

uint32_t
dns_ask(struct dns_client *c, struct str name, enum dns_type type,
	dns_done_cb *done, void *arg)
{
	struct msg_dns_query m = { sendable(name), (uint16_t)type };
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return 0;
	*q = (struct question){ c, 0, done, arg };
	q->tag = asker_send(c->dnsd, &msg_dns_query_def, &m, ANSWER_MS,
			    on_answer, q);
	if (!q->tag) {
		free(q);
		return 0;
	}
	if (map_put(&c->by_tag, MAP_KEY(q->tag), q) < 0) {
		asker_cancel(c->dnsd, q->tag);
		free(q);
		return 0;
	}
	return q->tag;
}

void
dns_cancel(struct dns_client *c, uint32_t tag)
{
	struct question *q = map_del(&c->by_tag, MAP_KEY(tag));

	if (!q)
		return;
	asker_cancel(c->dnsd, tag);
	free(q);
}
