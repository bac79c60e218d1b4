/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "xoauth2.h"

enum { MESSAGE_MAX = 8192 };

struct xoauth2 {
	struct buf message;
	bool sent;
};

/* What the callbacks of the connection say. */
static int
ask(const sasl_utils_t *u, const char **user, sasl_secret_t **token)
{
	int (*proc)(void) = NULL;
	void *arg = NULL;
	int rc;

	rc = u->getcallback(u->conn, SASL_CB_AUTHNAME,
			    (sasl_callback_ft *)&proc, &arg);
	if (rc == SASL_OK)
		rc = ((sasl_getsimple_t *)(void (*)(void))proc)(
			arg, SASL_CB_AUTHNAME, user, NULL);
	if (rc != SASL_OK)
		return rc;
	rc = u->getcallback(u->conn, SASL_CB_PASS, (sasl_callback_ft *)&proc,
			    &arg);
	if (rc == SASL_OK)
		rc = ((sasl_getsecret_t *)(void (*)(void))proc)(
			u->conn, arg, SASL_CB_PASS, token);
	return rc;
}

static int
first(struct xoauth2 *x, sasl_client_params_t *p, const char **out, unsigned *n,
      sasl_out_params_t *to)
{
	sasl_secret_t *token = NULL;
	const char *user = NULL;
	int rc = ask(p->utils, &user, &token);

	if (rc == SASL_OK)
		rc = p->canon_user(p->utils->conn, user, 0,
				   SASL_CU_AUTHID | SASL_CU_AUTHZID, to);
	if (rc != SASL_OK)
		return rc;
	(void)buf_addf(&x->message, "user=%s\001auth=Bearer ", user);
	(void)buf_add(&x->message, token->data, token->len);
	(void)buf_add_c(&x->message, "\001\001");
	if (buf_overflown(&x->message))
		return SASL_BUFOVER;
	x->sent = true;
	*out = x->message.p;
	*n = (unsigned)x->message.n;
	return SASL_CONTINUE;
}

static int
step(void *context, sasl_client_params_t *p, const char *in, unsigned n,
     sasl_interact_t **prompt, const char **out, unsigned *out_n,
     sasl_out_params_t *to)
{
	struct xoauth2 *x = context;

	(void)prompt;
	if (!x->sent)
		return first(x, p, out, out_n, to);
	log_info("XOAUTH2: the server refuses the token: %s",
		 LOGQ(str_head(str_mem(in, n), 500)));
	*out = "";
	*out_n = 0;
	to->doneflag = 1;
	return SASL_OK;
}

static int
new_context(void *global, sasl_client_params_t *p, void **context)
{
	struct xoauth2 *x = calloc(1, sizeof(*x));

	(void)global;
	(void)p;
	if (!x)
		return SASL_NOMEM;
	buf_init(&x->message, MESSAGE_MAX);
	*context = x;
	return SASL_OK;
}

static void
dispose(void *context, const sasl_utils_t *utils)
{
	struct xoauth2 *x = context;

	(void)utils;
	if (!x)
		return;
	if (x->message.size)
		explicit_bzero(x->message.p, x->message.size);
	buf_fini(&x->message);
	free(x);
}

int
xoauth2_init(const sasl_utils_t *utils, int max, int *version,
	     sasl_client_plug_t **plugs, int *n)
{
	static sasl_client_plug_t plug = {
		.mech_name = "XOAUTH2",
		.security_flags =
			SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
		.features = SASL_FEAT_WANT_CLIENT_FIRST,
		.mech_new = new_context,
		.mech_step = step,
		.mech_dispose = dispose,
	};

	(void)utils;
	if (max < SASL_CLIENT_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_CLIENT_PLUG_VERSION;
	*plugs = &plug;
	*n = 1;
	return SASL_OK;
}
