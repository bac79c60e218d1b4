/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "sasl.h"
#include "sasl/library.h"
#include "sasl_mechs.h"

/* --- a server: libsasl2's, and one that lies ------------------------------ */

static int
lookup(void *arg, sasl_server_params_t *sp, unsigned flags, const char *user,
       unsigned n)
{
	const struct propval *p = sp->utils->prop_get(sp->propctx);

	(void)arg;
	if (flags & SASL_AUXPROP_AUTHZID || !str_eq(str_mem(user, n), STR("u")))
		return SASL_OK;
	for (; p && p->name; p++)
		if (strcmp(p->name, "*userPassword") == 0)
			sp->utils->prop_set(sp->propctx, p->name, "pencil", -1);
	return SASL_OK;
}

static int
users_init(const sasl_utils_t *utils, int max, int *version,
	   sasl_auxprop_plug_t **plug, const char *name)
{
	static char plug_name[] = "test";
	static sasl_auxprop_plug_t users = { .auxprop_lookup = lookup,
					     .name = plug_name };

	(void)utils;
	(void)max;
	(void)name;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plug = &users;
	return SASL_OK;
}

static int
checkpass(sasl_conn_t *conn, void *arg, const char *user, const char *password,
	  unsigned n, struct propctx *props)
{
	(void)conn;
	(void)arg;
	(void)props;
	return strcmp(user, "u") == 0 &&
			       str_eq(str_mem(password, n), STR("pencil"))
		       ? SASL_OK
		       : SASL_BADAUTH;
}

static sasl_conn_t *
server_new(const struct tls_facts *tls, sasl_channel_binding_t *b)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_SERVER_USERDB_CHECKPASS, SASL_PROC(checkpass), NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	sasl_security_properties_t none = { 0 };
	sasl_conn_t *c = NULL;

	assert_int_equal(sasl_server_new("smtp", "mx.test", NULL, NULL, NULL,
					 callbacks, 0, &c),
			 SASL_OK);
	assert_int_equal(sasl_setprop(c, SASL_SEC_PROPS, &none), SASL_OK);
	if (tls && tls->exporter_n)
		*b = (sasl_channel_binding_t){ .name = "tls-exporter",
					       .data = tls->exporter,
					       .len = tls->exporter_n };
	else if (tls && tls->unique_n)
		*b = (sasl_channel_binding_t){ .name = "tls-unique",
					       .data = tls->unique,
					       .len = tls->unique_n };
	if (b->name)
		assert_int_equal(sasl_setprop(c, SASL_CHANNEL_BINDING, b),
				 SASL_OK);
	return c;
}

static void
set_up(void)
{
	static bool done;
	struct err err;

	if (done)
		return;
	if (sasl_preload(&err) < 0 || sasl_library_load(SASL_SERVER, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(sasl_auxprop_add_plugin("test", users_init), SASL_OK);
	done = true;
}

static const struct sasl_settings any = { .security = SASL_OPT_NOANONYMOUS,
					  .tls_security =
						  SASL_OPT_NOANONYMOUS };

/* "MECH ok 2": the mechanism, what came of it, and after how many challenges;
 * "MECH refused 1" (by the server), "MECH stopped 1" (by us). */
static const char *
dialogue(const char *offered, const char *password, const struct tls_facts *tls,
	 const struct tls_facts *theirs)
{
	static char said[1000];
	sasl_channel_binding_t binding = { 0 };
	const char *mech, *challenge = NULL, *what = "ok";
	bool has_initial;
	sasl_conn_t *srv;
	struct buf out;
	struct sasl *s;
	struct err err;
	unsigned len = 0;
	int rc, n = 0;
	char base[40];

	set_up();
	buf_init(&out, 10000);
	s = sasl_begin(&any, str_of(offered), "mx.test", "u", password, tls,
		       &mech, &out, &has_initial, &err);
	if (!s) {
		buf_fini(&out);
		snprintf(said, sizeof(said), "%s", err.text);
		return said;
	}
	srv = server_new(theirs, &binding);
	snprintf(base, sizeof(base), "%s", mech);
	if (str_ends(str_of(base), STR("-PLUS")))
		base[strlen(base) - 5] = '\0';
	rc = sasl_server_start(srv, base, has_initial ? buf_cstr(&out) : NULL,
			       (unsigned)out.n, &challenge, &len);
	while (rc == SASL_CONTINUE) {
		n++;
		buf_reset(&out);
		if (sasl_next(s, str_mem(challenge, len), &out, &err) < 0)
			break;
		rc = sasl_server_step(srv, buf_cstr(&out), (unsigned)out.n,
				      &challenge, &len);
	}
	if (rc == SASL_CONTINUE)
		what = "stopped";
	else if (rc != SASL_OK)
		what = "refused";
	else if (sasl_finish(s, &err) < 0)
		what = "incomplete";
	snprintf(said, sizeof(said), "%s %s %d", mech, what, n);
	sasl_dispose(&srv);
	sasl_free(s);
	buf_fini(&out);
	return said;
}

static void
set_binding(struct tls_facts *t, const char *protocol, const char *data)
{
	*t = (struct tls_facts){ 0 };
	snprintf(t->protocol, sizeof(t->protocol), "%s", protocol);
	t->exporter_n = t->unique_n = strlen(data);
	memcpy(t->exporter, data, strlen(data));
	memcpy(t->unique, data, strlen(data));
	if (strcmp(protocol, "TLSv1.3") == 0)
		t->unique_n = 0;
	else
		t->exporter_n = 0;
}

static void
test_dialogues(void **state)
{
	static const struct {
		const char *offered, *password;
		const char *protocol, *ours, *theirs; /* binding */
		const char *want;
	} rows[] = {
		{ "PLAIN", "pencil", "", "", "", "PLAIN ok 0" },
		{ "PLAIN", "pencils", "", "", "", "PLAIN refused 0" },
		{ "LOGIN", "pencil", "", "", "", "LOGIN ok 2" },
		{ "LOGIN", "", "", "", "", "LOGIN refused 2" },
		{ "SCRAM-SHA-1", "pencil", "", "", "", "SCRAM-SHA-1 ok 2" },
		{ "SCRAM-SHA-256", "pencil", "", "", "", "SCRAM-SHA-256 ok 2" },
		{ "SCRAM-SHA-256", "pencils", "", "", "",
		  "SCRAM-SHA-256 refused 1" },
		{ "GSSAPI login Plain scram-sha-256", "pencil", "", "", "",
		  "SCRAM-SHA-256 ok 2" },
		{ "CRAM-MD5 DIGEST-MD5 NTLM", "pencil", "", "", "",
		  "it offers no compatible authentication mechanism for this "
		  "type of connection security" },
		/* channel binding */
		{ "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "pencil", "TLSv1.3", "x",
		  "x", "SCRAM-SHA-256-PLUS ok 2" },
		{ "SCRAM-SHA-1-PLUS", "pencil", "TLSv1.2", "x", "x",
		  "SCRAM-SHA-1-PLUS ok 2" },
		/* between us stands somebody with two TLS connections */
		{ "SCRAM-SHA-256-PLUS", "pencil", "TLSv1.3", "x", "y",
		  "SCRAM-SHA-256-PLUS refused 1" },
		/* who took the -PLUS away */
		{ "SCRAM-SHA-256", "pencil", "TLSv1.3", "x", "x",
		  "SCRAM-SHA-256 refused 1" },
		{ "SCRAM-SHA-256", "pencil", "TLSv1.3", "x", "",
		  "SCRAM-SHA-256 ok 2" },
		/* nothing to bind to */
		{ "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "pencil", "TLSv1.3", "",
		  "", "SCRAM-SHA-256 ok 2" },
	};
	struct tls_facts ours, theirs;
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_binding(&ours, rows[i].protocol, rows[i].ours);
		set_binding(&theirs, rows[i].protocol, rows[i].theirs);
		got = dialogue(rows[i].offered, rows[i].password,
			       rows[i].protocol[0] ? &ours : NULL, &theirs);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].offered, got);
	}
}

/* Each challenge is answered; then the server says 235 (ok) or nothing. */
static const char *
scripted(const char *mech_name, const char *const *challenges, bool accept)
{
	static char said[2000];
	const char *mech;
	bool has_initial;
	struct buf out, all;
	struct sasl *s;
	struct err err;
	int rc = 0;

	set_up();
	buf_init(&out, 10000);
	buf_init(&all, 10000);
	s = sasl_begin(&any, str_of(mech_name), "mx.test", "u", "pencil", NULL,
		       &mech, &out, &has_initial, &err);
	assert_non_null(s);
	buf_addf(&all, "%s", has_initial ? "initial" : "no initial");
	for (; *challenges && rc == 0; challenges++) {
		buf_reset(&out);
		rc = sasl_next(s, str_of(*challenges), &out, &err);
		if (rc == 0)
			buf_addf(&all, " [%s]", buf_cstr(&out));
		else
			buf_addf(&all, " %s", err.text);
	}
	if (rc == 0 && accept)
		buf_addf(&all, " %s",
			 sasl_finish(s, &err) < 0 ? err.text : "ok");
	snprintf(said, sizeof(said), "%s", buf_cstr(&all));
	sasl_free(s);
	buf_fini(&out);
	buf_fini(&all);
	return said;
}

static void
test_scripted(void **state)
{
	static const struct {
		const char *mech;
		const char *challenges[4];
		const char *want;
	} rows[] = {
		{ "LOGIN",
		  { "User Name", "Password" },
		  "no initial [u] [pencil] ok" },
		{ "LOGIN",
		  { "Username:" },
		  "no initial [u] the server ends LOGIN before it is "
		  "complete" },
		{ "LOGIN",
		  { "Username:", "Password:", "Again:" },
		  "no initial [u] [pencil] the server goes on after the end of "
		  "LOGIN" },
		{ "PLAIN",
		  { "" },
		  "initial the server goes on after the end of PLAIN" },
		/* a server that does not know the password, and says so */
		{ "SCRAM-SHA-256",
		  { NULL },
		  "initial the server ends SCRAM-SHA-256 before it is "
		  "complete" },
		{ "SCRAM-SHA-256",
		  { "" },
		  "initial SCRAM-SHA-256: the server does not know the "
		  "password, or its challenge is no good" },
		{ "SCRAM-SHA-256",
		  { "r=abc,s=QSXCR+Q6sek8bf92,i=4096" },
		  "initial SCRAM-SHA-256: the server does not know the "
		  "password, or its challenge is no good" },
		{ "SCRAM-SHA-256",
		  { "r=abc,s=QSXCR+Q6sek8bf92,i=4000000000" },
		  "initial SCRAM-SHA-256: a challenge that cannot be "
		  "answered" },
		{ "SCRAM-SHA-256",
		  { "i=x" },
		  "initial SCRAM-SHA-256: a challenge that cannot be "
		  "answered" },
		{ "XOAUTH2", { NULL }, "initial ok" },
		{ "XOAUTH2",
		  { "{\"status\":\"400\"}" },
		  "initial [] the server ends XOAUTH2 before it is "
		  "complete" },
		{ "XOAUTH2",
		  { "{}", "{}" },
		  "initial [] the server goes on after the end of XOAUTH2" },
	};
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = scripted(rows[i].mech, rows[i].challenges, true);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s %zu: %s", rows[i].mech, i, got);
	}
}

/* The words themselves. */
static void
test_initial(void **state)
{
	static const struct {
		const char *mech;
		size_t n;
		const char *want;
	} rows[] = {
		{ "PLAIN", 9, "\0u\0pencil" },
		{ "XOAUTH2", 27, "user=u\001auth=Bearer pencil\001\001" },
	};
	const char *mech;
	bool has_initial;
	struct sasl *s;
	struct err err;
	struct buf out;
	size_t i;

	(void)state;
	set_up();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&out, 1000);
		s = sasl_begin(&any, str_of(rows[i].mech), "mx.test", "u",
			       "pencil", NULL, &mech, &out, &has_initial, &err);
		assert_non_null(s);
		assert_true(has_initial);
		assert_true(str_eq(buf_str(&out),
				   str_mem(rows[i].want, rows[i].n)));
		sasl_free(s);
		buf_fini(&out);
	}
}

static void
test_choice(void **state)
{
	static const struct {
		const char *name, *offered, *filter;
		enum tls_peer_cert peer;
		int tls;
		const char *want; /* NULL: none */
	} rows[] = {
		/* noplaintext without TLS, any with, all proved if verified */
		{ "clear", "PLAIN LOGIN", "", 0, 0, NULL },
		{ "clear scram", "PLAIN SCRAM-SHA-1", "", 0, 0, "SCRAM-SHA-1" },
		{ "tls", "PLAIN LOGIN", "", TLS_PEER_UNTRUSTED, 1, "PLAIN" },
		{ "tls trusted", "LOGIN", "", TLS_PEER_TRUSTED, 1, "LOGIN" },
		{ "verified", "PLAIN LOGIN", "", TLS_PEER_VERIFIED, 1, NULL },
		{ "verified scram", "PLAIN SCRAM-SHA-256", "",
		  TLS_PEER_VERIFIED, 1, "SCRAM-SHA-256" },
		{ "order", "XOAUTH2 LOGIN PLAIN", "", 0, 1, "PLAIN" },
		/* filter */
		{ "name", "PLAIN LOGIN XOAUTH2", "xoauth2", 0, 1, "XOAUTH2" },
		{ "not", "PLAIN LOGIN", "!plain, static:all", 0, 1, "LOGIN" },
		{ "only not", "PLAIN LOGIN", "!plain", 0, 1, NULL },
		{ "not offered", "PLAIN", "LOGIN", 0, 1, NULL },
		{ "all", "PLAIN", "static:rest", 0, 1, "PLAIN" },
		{ "none", "", "", 0, 1, NULL },
	};
	struct sasl_settings set = {
		.security = SASL_OPT_NOPLAINTEXT | SASL_OPT_NOANONYMOUS,
		.tls_security = SASL_OPT_NOANONYMOUS,
		.tls_verified = SASL_OPT_MUTUAL_AUTH,
	};
	struct tls_facts tls = { .protocol = "TLSv1.3" };
	const char *mech;
	bool has_initial;
	struct sasl *s;
	struct buf out;
	struct err err;
	size_t i;

	(void)state;
	set_up();
	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tls.peer = rows[i].peer;
		set.mechanism_filter = str_of(rows[i].filter);
		s = sasl_begin(&set, str_of(rows[i].offered), "mx.test", "u",
			       "pencil", rows[i].tls ? &tls : NULL, &mech, &out,
			       &has_initial, &err);
		if ((s != NULL) != (rows[i].want != NULL) ||
		    (s && strcmp(mech, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].name, s ? mech : err.text);
		sasl_free(s);
		buf_reset(&out);
	}
	buf_fini(&out);
}

static void
test_settings(void **state)
{
	static const char text[] =
		"smtp_sasl_auth_enable = 1\n"
		"smtp_sender_dependent_authentication = 0\n"
		"smtp_sasl_auth_soft_bounce = 1\n"
		"smtp_sasl_mechanism_filter = plain\n"
		"smtp_sasl_security_options = noplaintext, noanonymous\n"
		"smtp_sasl_tls_security_options = noanonymous\n"
		"smtp_sasl_tls_verified_security_options =\n"
		"slow_sasl_auth_enable = 0\n"
		"bad_sasl_security_options = nopassword\n"
		"file_sasl_mechanism_filter = /etc/x\n";
	struct sasl_settings s;
	struct params p;
	struct err err;

	(void)state;
	assert_int_equal(params_load(&p, str_of(text), &err), 0);
	assert_int_equal(sasl_settings_load(&s, &p, "smtp", &err), 0);
	assert_true(s.enable && !s.sender_dependent && s.soft_bounce);
	assert_int_equal(s.security,
			 SASL_OPT_NOPLAINTEXT | SASL_OPT_NOANONYMOUS);
	assert_int_equal(s.tls_security, SASL_OPT_NOANONYMOUS);
	assert_int_equal(s.tls_verified, 0);
	assert_true(str_eq(s.mechanism_filter, STR("plain")));
	assert_int_equal(sasl_settings_load(&s, &p, "slow", &err), 0);
	assert_false(s.enable);
	assert_int_equal(sasl_settings_load(&s, &p, "bad", &err), -1);
	assert_string_equal(err.text,
			    "bad_sasl_security_options: \"nopassword\": want "
			    "noplaintext, noactive, nodictionary, noanonymous "
			    "or mutual_auth");
	assert_int_equal(sasl_settings_load(&s, &p, "file", &err), -1);
	params_fini(&p);
}

/* libsasl2 asks neither the kernel nor the DNS for the name of this host: in
 * the jail it would die of that. */
static void
test_no_host_name(void **state)
{
	char name[100];

	(void)state;
	assert_int_equal(gethostname(name, sizeof(name)), 0);
	assert_string_equal(name, "localhost.localdomain");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_scripted),
		cmocka_unit_test(test_initial),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_no_host_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
