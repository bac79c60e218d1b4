/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "exchange.h"
#include "sasl/library.h"

const struct exchange_mech exchange_mechs[EXCHANGE_MECHS] = {
	{ "PLAIN", USERS_LOCKED },
	{ "LOGIN", USERS_LOCKED },
	{ "SCRAM-SHA-1", USERS_SCRAM_SHA_1 },
	{ "SCRAM-SHA-256", USERS_SCRAM_SHA_256 },
};

const struct exchange_mech *
exchange_mech_find(struct str name, bool *plus)
{
	const struct exchange_mech *m;

	*plus = str_iends(name, STR("-PLUS"));
	if (*plus)
		name.n -= strlen("-PLUS");
	for (m = exchange_mechs; m < exchange_mechs + EXCHANGE_MECHS; m++)
		if (str_ieq(name, str_of(m->name)))
			return *plus && !m->scheme ? NULL : m;
	return NULL;
}

static bool
is_login(const struct exchange *x)
{
	return strcmp(x->mech->name, "LOGIN") == 0;
}

/* --- what libsasl2 asks us ------------------------------------------------ */

/* A user's name, in the form in which it is looked up. */
static int
on_canon_user(sasl_conn_t *conn, void *arg, const char *in, unsigned n,
	      unsigned flags, const char *realm, char *out, unsigned size,
	      unsigned *out_n)
{
	struct exchange *x = arg;
	struct str name = str_mem(in, n);
	char lower[USERS_NAME_MAX + 1];
	unsigned i;

	(void)conn;
	(void)realm;
	for (i = 0; i < n && i < USERS_NAME_MAX; i++)
		lower[i] = ascii_lower(in[i]);
	if (flags & SASL_CU_AUTHID)
		(void)!str_copy(x->user, sizeof(x->user), str_mem(lower, i));
	/* What cannot be a user's name is nobody's, and no secret. */
	if (!users_name_ok(name) || n > size)
		return SASL_BADAUTH;
	memcpy(out, lower, n);
	*out_n = n;
	return SASL_OK;
}

/* PLAIN and LOGIN: keep what was sent.  Nothing is decided by this "ok". */
static int
on_checkpass(sasl_conn_t *conn, void *arg, const char *user,
	     const char *password, unsigned n, struct propctx *props)
{
	struct exchange *x = arg;

	(void)conn;
	(void)user;
	(void)props;
	x->asked = true;
	(void)!str_copy(x->password, PASSWORD_MAX + 1, str_mem(password, n));
	return SASL_OK;
}

/* The user's keys, or some like those of a user who had them. */
static int
on_lookup(void *arg, sasl_server_params_t *sp, unsigned flags, const char *user,
	  unsigned n)
{
	const struct propval *p = sp->utils->prop_get(sp->propctx);
	const struct user *u;
	char keys[USER_KEYS_MAX];
	struct exchange *x;
	sasl_any_cb *proc;
	void *context = NULL;

	(void)arg;
	if (flags & SASL_AUXPROP_AUTHZID ||
	    sp->utils->getcallback(sp->utils->conn, SASL_CB_CANON_USER,
				   (sasl_callback_ft *)&proc,
				   &context) != SASL_OK)
		return SASL_OK;
	x = context;
	if (!x->mech->scheme)
		return SASL_OK;
	while (p && p->name && strcmp(p->name, "*authPassword") != 0)
		p++;
	if (!p || !p->name)
		return SASL_OK;
	u = user_table_find(x->users, str_mem(user, n));
	x->real = user_table_keys(x->users, u, str_mem(user, n),
				  x->mech->scheme, keys);
	x->credential = user_credential(u);
	sp->utils->prop_set(sp->propctx, p->name, keys, -1);
	explicit_bzero(keys, sizeof(keys));
	return SASL_OK;
}

static int
on_auxprop_init(const sasl_utils_t *utils, int max, int *version,
		sasl_auxprop_plug_t **plug, const char *name)
{
	static char plug_name[] = "posthouse";
	static sasl_auxprop_plug_t users = {
		.auxprop_lookup = on_lookup,
		.name = plug_name,
	};

	(void)utils;
	(void)name;
	if (max < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plug = &users;
	return SASL_OK;
}

/* --- libsasl2's life ------------------------------------------------------ */

int
exchange_preload(struct err *err)
{
	static bool done; /* as libsasl2: once a process */

	if (done)
		return 0;
	if (sasl_library_load(SASL_SERVER, err) < 0)
		return -1;
	if (sasl_auxprop_add_plugin("posthouse", on_auxprop_init) != SASL_OK)
		return err_set(err, ERR_PERM, EINVAL, "libsasl2 does not work");
	done = true;
	return 0;
}

/* --- channel binding ------------------------------------------------------ */

enum gs2_flag
gs2_flag_parse(struct str message, struct str *type)
{
	struct str flag;

	if (!str_cut(&message, ',', &flag))
		return GS2_BAD;
	if (str_eq(flag, STR("n")))
		return GS2_NO;
	if (str_eq(flag, STR("y")))
		return GS2_CLIENT_COULD;
	if (!str_starts(flag, STR("p=")) || flag.n == 2)
		return GS2_BAD;
	*type = str_from(flag, 2);
	return GS2_BOUND;
}

static bool
has_binding(const struct exchange *x)
{
	return x->exporter.n || x->endpoint.n || x->unique.n;
}

/* libsasl2 can be told of one type of binding alone: the one that the client
 * names. */
static bool
bind_as(struct exchange *x, struct str type)
{
	static const char *const names[] = { "tls-exporter",
					     "tls-server-end-point",
					     "tls-unique" };
	const struct exchange_binding *of[] = { &x->exporter, &x->endpoint,
						&x->unique };
	size_t i;

	for (i = 0; i < 3; i++)
		if (str_eq(type, str_of(names[i])) && of[i]->n) {
			x->binding = (sasl_channel_binding_t){
				.name = names[i],
				.len = of[i]->n,
				.data = of[i]->bytes,
			};
			return sasl_setprop(x->conn, SASL_CHANNEL_BINDING,
					    &x->binding) == SASL_OK;
		}
	return false;
}

/* RFC 5802 6: what the client says of binding against what the server offers
 * and what the mechanism's name promises. */
static bool
binding_agrees(struct exchange *x, struct str message)
{
	struct str type;

	switch (gs2_flag_parse(message, &type)) {
	case GS2_NO:
		return !x->plus;
	case GS2_CLIENT_COULD:
		/* It did not see the -PLUS that we offered. */
		return !x->plus && !has_binding(x);
	case GS2_BOUND:
		return x->plus && bind_as(x, type);
	case GS2_BAD:
		break;
	}
	return false;
}

/* --- steps ---------------------------------------------------------------- */

bool
exchange_may_begin(const struct exchange *x)
{
	if (!x->mech->scheme)
		return x->secured;
	return !x->plus || has_binding(x);
}

static int
set_up(struct exchange *x)
{
	sasl_security_properties_t none = { 0 }; /* max_ssf 0: no layer */
	sasl_ssf_t ssf = x->secured ? 256 : 0;
	int rc;

	none.security_flags =
		SASL_SEC_NOANONYMOUS |
		(x->secured ? 0u : (unsigned)SASL_SEC_NOPLAINTEXT);
	x->callbacks[0] = (sasl_callback_t){ SASL_CB_CANON_USER,
					     SASL_PROC(on_canon_user), x };
	x->callbacks[1] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
					     SASL_PROC(on_checkpass), x };
	x->callbacks[2] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	/* The host's name is given, or it would be asked of DNS. */
	rc = sasl_server_new("posthouse", "localhost", NULL, NULL, NULL,
			     x->callbacks, 0, &x->conn);
	if (rc == SASL_OK)
		rc = sasl_setprop(x->conn, SASL_SSF_EXTERNAL, &ssf);
	if (rc == SASL_OK)
		rc = sasl_setprop(x->conn, SASL_SEC_PROPS, &none);
	return rc;
}

static int
start(struct exchange *x, struct str input, struct str *challenge)
{
	const char *out = NULL;
	unsigned n = 0;
	int rc = set_up(x);

	if (rc != SASL_OK)
		return rc;
	if (x->mech->scheme && !binding_agrees(x, input))
		return SASL_BADBINDING;
	/* LOGIN has no initial response; clients send one all the same. */
	rc = is_login(x) ? sasl_server_start(x->conn, x->mech->name, NULL, 0,
					     &out, &n)
			 : sasl_server_start(x->conn, x->mech->name, input.p,
					     (unsigned)input.n, &out, &n);
	if (rc == SASL_CONTINUE && is_login(x) && input.p)
		rc = sasl_server_step(x->conn, input.p, (unsigned)input.n, &out,
				      &n);
	*challenge = str_mem(out, n);
	return rc;
}

/* LOGIN: a name that cannot be one makes libsasl2 leak the password, and a NUL
 * would end either. */
static bool
login_input_ok(struct exchange *x, struct str input)
{
	bool ok = x->named ? str_find(input, '\0') < 0 : users_name_ok(input);

	x->named = true;
	return ok;
}

static int
run(struct exchange *x, struct str input, struct str *challenge)
{
	const char *out = NULL;
	unsigned n = 0;
	int rc;

	if (!x->conn && !input.p && !is_login(x))
		return SASL_CONTINUE; /* RFC 4422 3: an empty challenge */
	if (is_login(x) && input.p && !login_input_ok(x, input))
		return SASL_BADPROT;
	/* SCRAM: it confirms our last message, and says nothing. */
	if (x->mech->scheme && x->steps == 2 && input.n)
		return SASL_BADPROT;
	x->steps++;
	if (!x->conn)
		return start(x, input, challenge);
	rc = sasl_server_step(x->conn, input.p, (unsigned)input.n, &out, &n);
	*challenge = str_mem(out, n);
	return rc;
}

enum exchange_says
exchange_step(struct exchange *x, const struct user_table *users,
	      struct str input, struct str *challenge)
{
	int rc;

	*challenge = STR("");
	x->users = users;
	rc = run(x, input, challenge);
	x->users = NULL;
	if (rc == SASL_CONTINUE)
		return EXCHANGE_MORE;
	if (rc == SASL_OK && x->mech->scheme)
		return x->real ? EXCHANGE_PROVED : EXCHANGE_FAILED;
	if (rc == SASL_OK && x->asked)
		return EXCHANGE_PASSWORD;
	return rc == SASL_NOMEM ? EXCHANGE_TROUBLE : EXCHANGE_FAILED;
}

bool
exchange_decides_next(const struct exchange *x)
{
	return x->mech->scheme && x->steps == 1;
}

void
exchange_fini(struct exchange *x)
{
	if (x->conn)
		sasl_dispose(&x->conn);
}
