/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sasl/saslutil.h>

#include "exchange.h"
#include "memfile.h"
#include "testbed_scram.h"

/* RFC 7677 3, RFC 5802 5: the password "pencil". */
#define KEYS256                                         \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define KEYS1                                                 \
	"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=," \
	"D+CSWLOshSulAsxiupA+qs2/fTE="
#define CRYPT "$6$saltsalt$notapassword"

static const char text[] =
	"#secret:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
	"user:{SCRAM-SHA-256}" KEYS256 "::::::scram_sha_1=" KEYS1 "\n"
	"one:{SCRAM-SHA-1}" KEYS1 "\n"
	"all:{CRYPT}" CRYPT "::::::scram_sha_256=" KEYS256 " scram_sha_1=" KEYS1
	"\n"
	"crypt:{CRYPT}" CRYPT "\n"
	"locked:!x::::::scram_sha_256=" KEYS256 "\n";

static struct user_table *
load(void)
{
	struct err err;
	struct user_table *t =
		user_table_new(TABLE_USERS, memfile(text, MEMFILE_SEALS), &err);

	if (!t || exchange_preload(&err) < 0)
		fail_msg("%s", err.text);
	return t;
}

static const char *
word(enum exchange_says says)
{
	static const char *const words[] = {
		[EXCHANGE_MORE] = "more",
		[EXCHANGE_PASSWORD] = "password",
		[EXCHANGE_PROVED] = "proved",
		[EXCHANGE_FAILED] = "failed",
		[EXCHANGE_TROUBLE] = "trouble",
	};

	return words[says];
}

static void
begin(struct exchange *x, const char *mech, char *password)
{
	*x = (struct exchange){ .secured = true, .password = password };
	x->mech = exchange_mech_find(str_of(mech), &x->plus);
	assert_non_null(x->mech);
}

static void
set(struct exchange_binding *b, const char *bytes)
{
	b->n = strlen(bytes);
	memcpy(b->bytes, bytes, b->n);
}

/* "failed 2": what it came to, and at which of the client's messages. */
static const char *
scram(const struct user_table *t, struct exchange *x, struct scram_client *c)
{
	static char said[100];
	struct str challenge;
	enum exchange_says s;
	int n = 1;

	s = exchange_step(x, t, scram_client_first(c), &challenge);
	if (s == EXCHANGE_MORE) {
		n++;
		assert_true(exchange_decides_next(x));
		s = exchange_step(x, t, scram_client_final(c, challenge),
				  &challenge);
	}
	if (s == EXCHANGE_MORE) {
		n++;
		assert_true(str_eq(challenge, str_of(c->want_final)));
		s = exchange_step(x, t, STR(""), &challenge);
	}
	exchange_fini(x);
	snprintf(said, sizeof(said), "%s %d", word(s), n);
	return said;
}

static void
test_scram(void **state)
{
	static const struct {
		const char *name, *mech, *gs2, *data, *user, *password;
		const char *exporter, *endpoint, *unique; /* of the server */
		const char *want;
	} rows[] = {
		{ "256", "SCRAM-SHA-256", "n,,", "", "user", "pencil", "", "",
		  "", "proved 3" },
		{ "1", "SCRAM-SHA-1", "n,,", "", "user", "pencil", "", "", "",
		  "proved 3" },
		{ "lower-case mechanism", "scram-sha-1", "n,,", "", "user",
		  "pencil", "", "", "", "proved 3" },
		{ "upper-case user", "SCRAM-SHA-1", "n,,", "", "USER", "pencil",
		  "", "", "", "proved 3" },
		{ "keys beside crypt", "SCRAM-SHA-256", "n,,", "", "all",
		  "pencil", "", "", "", "proved 3" },
		{ "y without TLS", "SCRAM-SHA-256", "y,,", "", "user", "pencil",
		  "", "", "", "proved 3" },
		{ "authorized as oneself", "SCRAM-SHA-256", "n,a=user,", "",
		  "user", "pencil", "", "", "", "proved 3" },
		{ "as oneself in upper case", "SCRAM-SHA-256", "n,a=USER,", "",
		  "user", "pencil", "", "", "", "proved 3" },
		{ "as another", "SCRAM-SHA-256", "n,a=one,", "", "user",
		  "pencil", "", "", "", "failed 2" },
		{ "wrong password", "SCRAM-SHA-256", "n,,", "", "user",
		  "pencils", "", "", "", "failed 2" },
		{ "unknown", "SCRAM-SHA-256", "n,,", "", "eve", "pencil", "",
		  "", "", "failed 2" },
		{ "no such keys", "SCRAM-SHA-256", "n,,", "", "one", "pencil",
		  "", "", "", "failed 2" },
		{ "crypt alone", "SCRAM-SHA-256", "n,,", "", "crypt", "pencil",
		  "", "", "", "failed 2" },
		{ "locked", "SCRAM-SHA-256", "n,,", "", "locked", "pencil", "",
		  "", "", "failed 2" },
		{ "not a name", "SCRAM-SHA-256", "n,,", "", "../user", "pencil",
		  "", "", "", "failed 1" },
		{ "blanks are not trimmed", "SCRAM-SHA-256", "n,,", "", " user",
		  "pencil", "", "", "", "failed 1" },
		/* channel binding */
		{ "plus, exporter", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,",
		  "EXPORT", "user", "pencil", "EXPORT", "ENDP", "UNIQ",
		  "proved 3" },
		{ "plus, end point", "SCRAM-SHA-256-PLUS",
		  "p=tls-server-end-point,,", "ENDP", "user", "pencil",
		  "EXPORT", "ENDP", "UNIQ", "proved 3" },
		{ "plus, unique", "SCRAM-SHA-1-PLUS", "p=tls-unique,,", "UNIQ",
		  "user", "pencil", "", "ENDP", "UNIQ", "proved 3" },
		{ "plus, authorized", "SCRAM-SHA-256-PLUS",
		  "p=tls-exporter,a=user,", "EXPORT", "user", "pencil",
		  "EXPORT", "", "", "proved 3" },
		{ "other bytes", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,",
		  "EXPORX", "user", "pencil", "EXPORT", "", "", "failed 2" },
		{ "fewer bytes", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,",
		  "EXPOR", "user", "pencil", "EXPORT", "", "", "failed 2" },
		{ "no bytes", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "",
		  "user", "pencil", "EXPORT", "", "", "failed 2" },
		{ "bytes of another type", "SCRAM-SHA-256-PLUS",
		  "p=tls-exporter,,", "ENDP", "user", "pencil", "EXPORT",
		  "ENDP", "", "failed 2" },
		{ "a type that this connection has not", "SCRAM-SHA-256-PLUS",
		  "p=tls-unique,,", "UNIQ", "user", "pencil", "EXPORT", "ENDP",
		  "", "failed 1" },
		{ "a type nobody has", "SCRAM-SHA-256-PLUS", "p=tls-magic,,",
		  "EXPORT", "user", "pencil", "EXPORT", "ENDP", "UNIQ",
		  "failed 1" },
		{ "plus, but n", "SCRAM-SHA-256-PLUS", "n,,", "", "user",
		  "pencil", "EXPORT", "", "", "failed 1" },
		{ "plus, but y", "SCRAM-SHA-256-PLUS", "y,,", "", "user",
		  "pencil", "EXPORT", "", "", "failed 1" },
		{ "the offer of plus was taken away", "SCRAM-SHA-256", "y,,",
		  "", "user", "pencil", "EXPORT", "", "", "failed 1" },
		{ "p without plus", "SCRAM-SHA-256", "p=tls-exporter,,",
		  "EXPORT", "user", "pencil", "EXPORT", "", "", "failed 1" },
		{ "n under TLS", "SCRAM-SHA-256", "n,,", "", "user", "pencil",
		  "EXPORT", "ENDP", "", "proved 3" },
		{ "no such flag", "SCRAM-SHA-256", "x,,", "", "user", "pencil",
		  "", "", "", "failed 1" },
	};
	struct user_table *t = load();
	struct scram_client c;
	struct exchange x;
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&x, rows[i].mech, NULL);
		set(&x.exporter, rows[i].exporter);
		set(&x.endpoint, rows[i].endpoint);
		set(&x.unique, rows[i].unique);
		c = (struct scram_client){ .scheme = x.mech->scheme,
					   .gs2 = rows[i].gs2,
					   .cb_data = str_of(rows[i].data),
					   .user = rows[i].user,
					   .password = rows[i].password,
					   .nonce = "rOprNGfwEbeRWgbNEkqO" };
		got = scram(t, &x, &c);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, got);
	}
	user_table_free(t);
}

static void
test_may_begin(void **state)
{
	static const struct {
		const char *mech, *exporter;
		bool secured, want;
	} rows[] = {
		{ "PLAIN", "", true, true },
		{ "PLAIN", "", false, false },
		{ "LOGIN", "x", false, false },
		{ "SCRAM-SHA-256", "", false, true },
		{ "SCRAM-SHA-256-PLUS", "", true, false },
		{ "SCRAM-SHA-256-PLUS", "x", true, true },
	};
	struct exchange x;
	bool plus;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&x, rows[i].mech, NULL);
		x.secured = rows[i].secured;
		set(&x.exporter, rows[i].exporter);
		assert_int_equal(exchange_may_begin(&x), rows[i].want);
	}
	assert_null(exchange_mech_find(STR("PLAIN-PLUS"), &plus));
	assert_null(exchange_mech_find(STR("CRAM-MD5"), &plus));
	assert_null(exchange_mech_find(STR("-PLUS"), &plus));
	assert_null(exchange_mech_find(STR(""), &plus));
}

static void
test_plain(void **state)
{
	static const struct {
		const char *name, *mech;
		size_t n; /* of the first input, 0: strlen; 99: none */
		const char *in[3];
		const char *want, *user, *password;
	} rows[] = {
		{ "plain",
		  "PLAIN",
		  12,
		  { "\0user\0pencil" },
		  "password 1",
		  "user",
		  "pencil" },
		{ "without initial response",
		  "PLAIN",
		  99,
		  { NULL, "", NULL },
		  "failed 2",
		  "",
		  "" },
		{ "unknown is not known here",
		  "PLAIN",
		  11,
		  { "\0eve\0pencil" },
		  "password 1",
		  "eve",
		  "pencil" },
		{ "authorized as oneself",
		  "PLAIN",
		  16,
		  { "USER\0user\0pencil" },
		  "password 1",
		  "user",
		  "pencil" },
		{ "as another",
		  "PLAIN",
		  15,
		  { "eve\0user\0pencil" },
		  "failed 1",
		  "user",
		  "pencil" },
		{ "no password", "PLAIN", 5, { "\0user" }, "failed 1", "", "" },
		{ "a fourth part",
		  "PLAIN",
		  14,
		  { "\0user\0pencil\0x" },
		  "failed 1",
		  "",
		  "" },
		{ "empty", "PLAIN", 0, { "" }, "failed 1", "", "" },
		{ "login",
		  "LOGIN",
		  99,
		  { NULL, "user", "pencil" },
		  "password 3",
		  "user",
		  "pencil" },
		{ "login with the name at once",
		  "LOGIN",
		  0,
		  { "user", "pencil" },
		  "password 2",
		  "user",
		  "pencil" },
		{ "login, NUL",
		  "LOGIN",
		  6,
		  { "user\0x", "pencil" },
		  "failed 1",
		  "",
		  "" },
		{ "login, not a name",
		  "LOGIN",
		  0,
		  { "us\x8e", "pencil" },
		  "failed 1",
		  "",
		  "" },
		{ "login, no password",
		  "LOGIN",
		  0,
		  { "user", "" },
		  "password 2",
		  "user",
		  "" },
	};
	char password[PASSWORD_MAX + 1], got[100];
	struct user_table *t = load();
	struct str challenge, in;
	enum exchange_says s;
	struct exchange x;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(password, 0, sizeof(password));
		begin(&x, rows[i].mech, password);
		for (k = 0, s = EXCHANGE_MORE; k < 3 && s == EXCHANGE_MORE;
		     k++) {
			in = str_of(rows[i].in[k]);
			if (k == 0 && rows[i].n)
				in.n = rows[i].n == 99 ? 0 : rows[i].n;
			s = exchange_step(&x, t, in, &challenge);
		}
		snprintf(got, sizeof(got), "%s %zu", word(s), k);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, got);
		if (s == EXCHANGE_PASSWORD) {
			assert_string_equal(x.user, rows[i].user);
			assert_string_equal(password, rows[i].password);
		}
		exchange_fini(&x);
	}
	user_table_free(t);
}

/* A password of PLAIN that is nobody's comes out empty. */
static void
test_long_password(void **state)
{
	char in[3 + PASSWORD_MAX + 2], password[PASSWORD_MAX + 1] = "before";
	struct user_table *t = load();
	struct str challenge;
	struct exchange x;

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "\0u\0", 3);
	begin(&x, "PLAIN", password);
	assert_int_equal(
		exchange_step(&x, t, str_mem(in, 3 + PASSWORD_MAX), &challenge),
		EXCHANGE_PASSWORD);
	assert_int_equal(strlen(password), PASSWORD_MAX);
	exchange_fini(&x);
	begin(&x, "PLAIN", password);
	assert_int_equal(
		exchange_step(&x, t, str_mem(in, 4 + PASSWORD_MAX), &challenge),
		EXCHANGE_PASSWORD);
	assert_string_equal(password, "");
	exchange_fini(&x);
	user_table_free(t);
}

/* What a client sees of users who are not there, and of those without keys, is
 * always the same, and like the others. */
static void
test_fakes(void **state)
{
	static const char *const names[] = { "eve", "EVE", "crypt", "locked",
					     "one" };
	char salts[5][100], shape[5];
	struct user_table *t = load();
	struct scram_client c = { .gs2 = "n,,", .nonce = "abc" };
	struct str challenge;
	struct exchange x;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		begin(&x, "SCRAM-SHA-256", NULL);
		c.user = names[i];
		assert_int_equal(exchange_step(&x, t, scram_client_first(&c),
					       &challenge),
				 EXCHANGE_MORE);
		assert_true(str_copy(salts[i], sizeof(salts[i]),
				     scram_value(challenge, "s=")));
		assert_int_equal(strlen(salts[i]), 24); /* 16 bytes */
		assert_true(str_eq(scram_value(challenge, "i="), STR("4096")));
		assert_false(x.real);
		exchange_fini(&x);
	}
	(void)shape;
	assert_string_equal(salts[0], salts[1]);
	for (i = 2; i < 5; i++)
		assert_string_not_equal(salts[0], salts[i]);
	/* SHA-1's are others, as long as SHA-1's are */
	begin(&x, "SCRAM-SHA-1", NULL);
	c.user = "eve";
	exchange_step(&x, t, scram_client_first(&c), &challenge);
	assert_int_equal(scram_value(challenge, "s=").n, 16); /* 12 bytes */
	exchange_fini(&x);
	user_table_free(t);
	/* the same tomorrow */
	t = load();
	begin(&x, "SCRAM-SHA-256", NULL);
	exchange_step(&x, t, scram_client_first(&c), &challenge);
	assert_true(str_eq(scram_value(challenge, "s="), str_of(salts[0])));
	exchange_fini(&x);
	user_table_free(t);
}

/* libsasl2 takes its random numbers from us. */
static void
test_random(void **state)
{
	struct scram_client c = { .gs2 = "n,,", .user = "user", .nonce = "x" };
	struct user_table *t = load();
	char nonces[2][100];
	struct str challenge;
	struct exchange x;
	sasl_rand_t *pool = NULL, *again = NULL;
	int i;

	(void)state;
	assert_int_equal(sasl_randcreate(&pool), SASL_OK);
	assert_int_equal(sasl_randcreate(&again), SASL_OK);
	assert_ptr_equal(pool, again); /* libsasl2's own allocates */
	for (i = 0; i < 2; i++) {
		begin(&x, "SCRAM-SHA-256", NULL);
		exchange_step(&x, t, scram_client_first(&c), &challenge);
		assert_true(str_copy(nonces[i], sizeof(nonces[i]),
				     scram_value(challenge, "r=")));
		assert_int_equal(strlen(nonces[i]), 33);
		exchange_fini(&x);
	}
	assert_string_not_equal(nonces[0], nonces[1]);
	user_table_free(t);
}

static void
test_gs2_flag(void **state)
{
	static const struct {
		const char *in;
		enum gs2_flag want;
		const char *type;
	} rows[] = {
		{ "n,,n=u", GS2_NO, "" },
		{ "y,a=x,n=u", GS2_CLIENT_COULD, "" },
		{ "p=tls-unique,,", GS2_BOUND, "tls-unique" },
		{ "p=x", GS2_BAD, "" },
		{ "p=,,", GS2_BAD, "" },
		{ "p,,", GS2_BAD, "" },
		{ "N,,", GS2_BAD, "" },
		{ "", GS2_BAD, "" },
		{ ",", GS2_BAD, "" },
	};
	struct str type;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		type = STR("");
		assert_int_equal(gs2_flag_parse(str_of(rows[i].in), &type),
				 rows[i].want);
		assert_true(str_eq(type, str_of(rows[i].type)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_may_begin),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_long_password),
		cmocka_unit_test(test_fakes),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_gs2_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
