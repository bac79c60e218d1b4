/* SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <sasl/saslutil.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "exchange.h"

/* libsasl2's type of a callback, whatever it takes. */
typedef int sasl_any_cb(void);
#define CALLBACK(f) ((sasl_any_cb *)(void (*)(void))(f))

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

/* --- randomness ----------------------------------------------------------- */

/*
 * libsasl2's own generator seeds jrand48() with six bytes of /dev/urandom, or
 * with pid and time where it cannot open that, as here.  libsasl2 calls these
 * through its symbol table, where the program's definitions come first (the
 * test proves it).
 */
struct sasl_rand_s {
	char unused;
};

int
sasl_randcreate(sasl_rand_t **pool)
{
	static struct sasl_rand_s one;

	*pool = &one;
	return SASL_OK;
}

void
sasl_randfree(sasl_rand_t **pool)
{
	*pool = NULL;
}

void
sasl_randseed(sasl_rand_t *pool, const char *seed, unsigned n)
{
	(void)pool;
	(void)seed;
	(void)n;
}

void
sasl_churn(sasl_rand_t *pool, const char *data, unsigned n)
{
	(void)pool;
	(void)data;
	(void)n;
}

void
sasl_rand(sasl_rand_t *pool, char *out, unsigned n)
{
	(void)pool;
	rand_bytes(out, n);
}

/* --- what libsasl2 asks us ------------------------------------------------ */

static int
on_getopt(void *arg, const char *plugin, const char *option, const char **value,
	  unsigned *n)
{
	(void)arg;
	(void)plugin;
	if (strcmp(option, "mech_list") == 0)
		*value = "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256";
	else if (strcmp(option, "pwcheck_method") == 0)
		*value = "none";
	else
		return SASL_FAIL;
	if (n)
		*n = (unsigned)strlen(*value);
	return SASL_OK;
}

/* Levels above warnings may quote what a client sent, passwords too. */
static int
on_log(void *arg, int level, const char *text)
{
	(void)arg;
	if (level <= SASL_LOG_WARN && text)
		log_debug("libsasl2: %s", LOGQ(str_of(text)));
	return SASL_OK;
}

/* Nothing is looked for in the file system. */
static int
on_getpath(void *arg, const char **path)
{
	(void)arg;
	*path = "/nonexistent";
	return SASL_OK;
}

static int
on_verifyfile(void *arg, const char *file, int type)
{
	(void)arg;
	(void)file;
	(void)type;
	return SASL_CONTINUE; /* not this one */
}

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

/* It does not wipe all that it copies. */
static void
wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static int
load_plugin(const char *name, struct err *err)
{
	char path[256];
	void *lib, *init;

	(void)snprintf(path, sizeof(path), "%s/lib%s.so", SASL_PLUGINS, name);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* until the process ends */
	init = lib ? dlsym(lib, "sasl_server_plug_init") : NULL;
	if (!init)
		return err_set(err, ERR_PERM, ENOENT, "%s: %s", path,
			       dlerror());
	if (sasl_server_add_plugin(name, (sasl_server_plug_init_t *)init) !=
	    SASL_OK)
		return err_set(err, ERR_PERM, EINVAL, "%s: does not fit", path);
	return 0;
}

static int
load(struct err *err)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_GETOPT, CALLBACK(on_getopt), NULL },
		{ SASL_CB_LOG, CALLBACK(on_log), NULL },
		{ SASL_CB_GETPATH, CALLBACK(on_getpath), NULL },
		{ SASL_CB_GETCONFPATH, CALLBACK(on_getpath), NULL },
		{ SASL_CB_VERIFYFILE, CALLBACK(on_verifyfile), NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};

	sasl_set_alloc(malloc, calloc, realloc, wiping_free);
	if (sasl_server_init(callbacks, "posthouse") != SASL_OK ||
	    sasl_auxprop_add_plugin("posthouse", on_auxprop_init) != SASL_OK)
		return err_set(err, ERR_PERM, EINVAL, "libsasl2 does not work");
	if (load_plugin("plain", err) < 0 || load_plugin("login", err) < 0 ||
	    load_plugin("scram", err) < 0)
		return -1;
	return 0;
}

int
exchange_preload(struct err *err)
{
	static bool done; /* as libsasl2: once a process */

	if (done)
		return 0;
	if (load(err) < 0)
		return -1;
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
					     CALLBACK(on_canon_user), x };
	x->callbacks[1] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
					     CALLBACK(on_checkpass), x };
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
