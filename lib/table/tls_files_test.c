/* SPDX-License-Identifier: ISC */
#include "base/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/tls_files.h"

static char dir[] = "/tmp/tls_files_test.XXXXXX";

static const char *
put(const char *name, const char *text, mode_t mode)
{
	static char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "sni", "long", "key" };
	char path[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

/* "muo path[+key path][ names]" a file, joined by "; " */
static void
render(const struct tls_files *f, char *out, size_t size)
{
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; i < f->n; i++) {
		const struct tls_file *t = &f->v[i];

		n += (size_t)snprintf(
			out + n, size - n, "%s%s%s%s %.*s%s%.*s%s%.*s",
			i ? "; " : "", t->mx ? "m" : "", t->user ? "u" : "",
			t->out ? "o" : "", STR_FMT(t->path),
			t->key_path.n ? "+" : "", STR_FMT(t->key_path),
			t->names.n ? " " : "", STR_FMT(t->names));
	}
}

#define P(...)                                     \
	{                                          \
		.dir = STR("/etc/ph"), __VA_ARGS__ \
	}
#define S(member, text) .member = { (text), sizeof(text) - 1 }

static void
test_lists(void **state)
{
	static const struct {
		const char *name;
		struct tls_params p;
		const char *want; /* "!..." a part of the error */
	} rows[] = {
		{ "nothing", P(S(sni_maps, "")), "" },
		{ "chains for all", P(S(chain_files, "/a, b /c")),
		  "mu /a; mu /etc/ph/b; mu /c" },
		{ "twice", P(S(chain_files, "/a /a")), "mu /a" },
		{ "apart",
		  P(S(chain_files, "/a /b"), S(login_chain_files, "/b,/c")),
		  "mu /b; u /c; m /a" },
		{ "the same",
		  P(S(chain_files, "/a"), S(login_chain_files, "/a")),
		  "mu /a" },
		{ "older form",
		  P(S(cert_file, "/c"), S(key_file, "/k"), S(eccert_file, "e"),
		    S(eckey_file, "")),
		  "mu /c+/k; mu /etc/ph/e+/etc/ph/e" },
		{ "chains come first",
		  P(S(chain_files, "/a"), S(cert_file, "/c")), "mu /a" },
		{ "older form and logins",
		  P(S(login_chain_files, "/a"), S(cert_file, "/c"),
		    S(key_file, "/c")),
		  "u /a; m /c+/c" },
		{ "none", P(S(cert_file, "none")), "" },
		{ "out", P(S(out_chain_files, "/a, b"), S(out_cert_file, "/c")),
		  "o /a; o /etc/ph/b" },
		{ "out, older form",
		  P(S(cert_file, "/c"), S(key_file, "/k"),
		    S(out_cert_file, "/c"), S(out_key_file, "/k"),
		    S(out_eccert_file, "/e"), S(out_eckey_file, "/e")),
		  "muo /c+/k; o /e+/e" },
		{ "out and in",
		  P(S(chain_files, "/a"), S(sni_maps, "inline:{x.test=/b}"),
		    S(out_chain_files, "/b /a")),
		  "muo /a; mu /b x.test; o /b" },
		{ "sni",
		  P(S(chain_files, "/a"),
		    S(sni_maps, "inline:{X.test=/b, {.y.test = /b /a}}")),
		  "mu /a; mu /b x.test .y.test; mu /a .y.test" },
		{ "sni of a type", P(S(sni_maps, "hash:/x")),
		  "!\"hash:/x\": want inline:{...} or texthash:/FILE" },
		{ "sni without a type", P(S(sni_maps, "/x")), "!\"/x\": want" },
		{ "sni name", P(S(sni_maps, "inline:{a/b=/x}")),
		  "!want a host name" },
		{ "sni form", P(S(sni_maps, "inline:{a}")), "!no \"=\"" },
		{ "no table", P(S(sni_maps, "texthash:/nowhere/x")),
		  "!/nowhere/x: cannot be read" },
	};
	struct tls_files *f = calloc(1, sizeof(*f));
	char got[4096];
	struct err err;
	size_t i;
	int rc;

	(void)state;
	assert_non_null(f);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = tls_files_list(f, &rows[i].p, &err);
		render(f, got, sizeof(got));
		if (rc < 0 ? rows[i].want[0] != '!' ||
				     !strstr(err.text, rows[i].want + 1)
			   : strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %d %s", rows[i].name, rc,
				 rc < 0 ? err.text : got);
		tls_files_free(f);
	}
	free(f);
}

static void
test_texthash(void **state)
{
	struct tls_files *f = calloc(1, sizeof(*f));
	struct tls_params p = { .dir = STR("/etc/ph") };
	char spec[300], got[1024];
	struct err err;

	(void)state;
	assert_non_null(f);
	(void)snprintf(
		spec, sizeof(spec), "texthash:%s",
		put("sni", "# names\nA.test /a,\n  /b\n.b.test /a\n", 0644));
	p.sni_maps = str_of(spec);
	assert_int_equal(tls_files_list(f, &p, &err), 0);
	render(f, got, sizeof(got));
	assert_string_equal(got, "mu /a a.test .b.test; mu /b a.test");
	tls_files_free(f);

	(void)put("sni", "a.test\n", 0644);
	assert_int_equal(tls_files_list(f, &p, &err), -1);
	assert_non_null(strstr(err.text, "sni:1: expected format"));
	tls_files_free(f);
	(void)put("sni", "a.test /a\n", 0666);
	assert_int_equal(tls_files_list(f, &p, &err), -1);
	assert_non_null(strstr(err.text, "others than root can write it"));
	tls_files_free(f);
	free(f);
}

static void
test_limits(void **state)
{
	struct tls_files *f = calloc(1, sizeof(*f));
	struct tls_params p = { .dir = STR("/etc/ph") };
	struct buf b;
	struct err err;
	int i;

	(void)state;
	assert_non_null(f);
	buf_init(&b, 1 << 20);
	for (i = 0; i <= TLS_FILES_MAX; i++)
		buf_addf(&b, "/f%d ", i);
	p.chain_files = buf_str(&b);
	assert_int_equal(tls_files_list(f, &p, &err), -1);
	assert_non_null(strstr(err.text, "more than 256 files"));
	tls_files_free(f);
	/* More names than one entry holds: another entry of the same file. */
	buf_reset(&b);
	buf_add_c(&b, "inline:{");
	for (i = 0; i < 300; i++)
		buf_addf(&b, "name-number-%d.example.test=/a ", i);
	buf_add_c(&b, "}");
	p.chain_files = STR("");
	p.sni_maps = buf_str(&b);
	assert_int_equal(tls_files_list(f, &p, &err), 0);
	assert_true(f->n == 3);
	for (i = 0; i < (int)f->n; i++)
		assert_true(f->v[i].names.n <= TLS_NAMES_MAX);
	tls_files_free(f);
	buf_fini(&b);
	free(f);
}

/* Who else may read or write a file with a key. */
static void
test_modes(void **state)
{
	static const struct {
		mode_t mode;
		bool key, ok;
	} rows[] = {
		{ 0600, true, true },  { 0400, true, true },
		{ 0640, true, true },  { 0644, true, false },
		{ 0604, true, false }, { 0660, true, false },
		{ 0620, true, false }, { 0602, true, false },
		{ 0610, true, true },  { 0644, false, true },
	};
	bool root = geteuid() == 0;
	const char *path;
	struct buf b;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&b, TLS_FILE_SIZE_MAX + 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* A group may read what belongs to root. */
		bool ok = rows[i].ok &&
			  (root || !(rows[i].mode & 070) || !rows[i].key);

		path = put("key", "text", rows[i].mode);
		buf_reset(&b);
		if ((tls_file_read(path, rows[i].key, &b, &err) == 0) != ok)
			fail_msg("%04o", rows[i].mode);
		if (ok)
			assert_true(str_eq(buf_str(&b), STR("text")));
	}
	assert_int_equal(tls_file_read(dir, false, &b, &err), -1);
	assert_string_equal(err.text, "is not a regular file");
	assert_int_equal(tls_file_read("/nowhere/x", false, &b, &err), -1);
	assert_non_null(strstr(err.text, "cannot be read"));
	buf_fini(&b);
	buf_init(&b, 2 * TLS_FILE_SIZE_MAX);
	for (i = 0; i <= TLS_FILE_SIZE_MAX; i++)
		buf_add_byte(&b, 'x');
	path = put("long", buf_cstr(&b), 0600);
	buf_reset(&b);
	assert_int_equal(tls_file_read(path, false, &b, &err), -1);
	assert_string_equal(err.text, "is larger than 65535 bytes");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_texthash),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
