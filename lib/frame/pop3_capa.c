/* SPDX-License-Identifier: ISC */
#include "frame/pop3_capa.h"
#include "frame/sasl_client.h"

enum { DAY = 86400 };

void
pop3_capa_init(struct pop3_capa *c, const struct params *p)
{
	c->expire_days = (unsigned)(params_num(p, "pop3_expire") / DAY);
	c->login_delay = (unsigned)params_num(p, "pop3_login_delay");
}

void
pop3_capa_put(struct buf *out, const struct pop3_capa *c, struct str mechanisms)
{
	(void)!buf_add_c(out, "TOP\r\nUIDL\r\nRESP-CODES\r\n"
			      "AUTH-RESP-CODE\r\nPIPELINING\r\n"
			      "UTF8 USER\r\n"); /* RFC 6856 2 */
	if (c->expire_days) /* RFC 2449 6.7: at least so long they stay */
		(void)!buf_addf(out, "EXPIRE %u\r\n", c->expire_days);
	else
		(void)!buf_add_c(out, "EXPIRE NEVER\r\n");
	if (c->login_delay)
		(void)!buf_addf(out, "LOGIN-DELAY %u\r\n", c->login_delay);
	/* RFC 2449 6.2, 6.3: in both states. */
	if (sasl_is_offered(mechanisms, STR("PLAIN")))
		(void)!buf_add_c(out, "USER\r\n");
	if (mechanisms.n)
		(void)!buf_addf(out, "SASL %.*s\r\n", STR_FMT(mechanisms));
}
