/* SPDX-License-Identifier: ISC */
#include "frame/user_session.h"
#include "base/clock.h"

void
user_session_init(struct user_session *us, const struct msg_client *m)
{
	struct err err;

	*us = (struct user_session){
		.secured = m->secured,
		.since = clock_wall_us() / 1000000,
	};
	(void)!str_copy(us->id, sizeof(us->id), m->session);
	(void)!str_copy(us->client, sizeof(us->client), m->client);
	if (addr_parse_port(m->client, &us->addr, &err) < 0)
		us->addr = (struct addr){ 0 };
}

bool
user_session_same_client(const struct user_session *a,
			 const struct user_session *b)
{
	return a->addr.sa.sa_family != AF_UNSPEC &&
	       !addr_is_loopback(&a->addr) && addr_same(&a->addr, &b->addr);
}

void
user_session_row(const struct user_session *us, struct chan *c, uint32_t tag,
		 struct str state)
{
	struct msg_who_row row = {
		.session = str_of(us->id),
		.client = str_of(us->client),
		.secured = us->secured,
		.since = us->since,
		.state = state,
	};

	chan_send(c, tag, &msg_who_row_def, &row);
}

bool
user_session_is_meant(const struct user_session *us, const struct msg_kick *m)
{
	return m->session.n == 0 || str_eq(m->session, str_of(us->id));
}
