/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame/config.h"

static const struct param names[] = {
	{ .name = "myhostname", .def = "", .users = SVC_BIT(SVC_SMTPD) },
	{ .name = "mydomain", .def = "", .users = SVC_BIT(SVC_SMTPD) },
	{ .name = "myorigin", .def = "$myhostname" },
	{ .name = NULL },
};

static const struct param kinds[] = {
	{ .name = "on",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SVC_BIT(SVC_SMTPD) | SVC_BIT(SVC_QMGR) },
	{ .name = "size",
	  .kind = PARAM_BYTES,
	  .def = "1m",
	  .max = 1 << 30,
	  .users = SVC_BIT(SVC_QMGR) },
	{ .name = "wait",
	  .kind = PARAM_TIME,
	  .def = "5m",
	  .min = 1,
	  .max = 86400,
	  .users = SVC_BIT(SVC_QMGR) },
	{ .name = "form",
	  .kind = PARAM_ENUM,
	  .def = "text",
	  .choices = "text|json",
	  .later = "binary|xdr" },
	{ .name = "mynetworks", .kind = PARAM_NETS, .def = "127.0.0.0/8" },
	{ .name = "listen", .kind = PARAM_LISTEN, .def = "127.0.0.1:25" },
	{ .name = "listen_more", .kind = PARAM_LISTEN, .def = "" },
	{ .name = "maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = SVC_BIT(SVC_ROUTER) },
	{ .name = "domains",
	  .kind = PARAM_LIST,
	  .def = "$mydomain",
	  .users = SVC_BIT(SVC_ROUTER) },
	{ .name = "dir", .kind = PARAM_PATH, .def = "/var/x" },
	{ .name = "tls", .kind = PARAM_PROTOCOLS, .def = ">=TLSv1.2" },
	{ .name = NULL },
};

static const struct param sockets[] = {
	{ .name = "queue_directory", .kind = PARAM_PATH, .def = "/spool" },
	{ .name = "dialer_sockets", .kind = PARAM_LIST, .def = "" },
	{ .name = "virtual_transport", .kind = PARAM_STR, .def = "virtual" },
	{ .name = NULL },
};

static const struct param *const sets[] = { names, kinds, sockets, NULL };

/* Problems of a text, without the path in front; *value of name if there are
 * none. */
static char *
load(const char *text, const char *name, char value[1000])
{
	struct config c;
	struct buf messages, shorter;
	struct str rest, line;
	struct err err;
	char *out;
	int rc;

	buf_init(&messages, 100000);
	buf_init(&shorter, 100000);
	rc = config_load_text(&c, sets, "/etc/x", str_of(text), &messages,
			      &err);
	rest = buf_str(&messages);
	while (str_cut(&rest, '\n', &line)) {
		assert_true(str_starts(line, STR("/etc/x/main.cf:")));
		line = str_from(line, strlen("/etc/x/main.cf:"));
		buf_addf(&shorter, "%.*s\n", STR_FMT(line));
	}
	if (rc < 0)
		assert_true(shorter.n > 0);
	if (value)
		assert_true(str_copy(value, 1000, config_get(&c, name)));
	out = strdup(buf_cstr(&shorter));
	buf_fini(&messages);
	buf_fini(&shorter);
	config_fini(&c);
	return out;
}

static void
test_values(void **state)
{
	static const struct {
		const char *text, *name, *want;
	} rows[] = {
		{ "myhostname = mx.example.com", "mydomain", "example.com" },
		{ "myhostname = localhost", "mydomain", "localdomain" },
		{ "myhostname = mx.example.com", "domains", "example.com" },
		{ "mydomain = b.example\nmyhostname = a.$mydomain", "myorigin",
		  "a.b.example" },
		{ "me = you.example\nmyorigin = x.$me", "myorigin",
		  "x.you.example" },
		{ "a = $b$b\nb = ${nothing:q}\nmyorigin = $a", "myorigin",
		  "qq" },
		{ "form = json\nmyorigin=${form?{is $form}:{is not}}",
		  "myorigin", "is json" },
		{ "myorigin = $mail_owner\nmail_owner = postfix", "myorigin",
		  "postfix" },
		{ "myorigin = $config_directory", "myorigin", "/etc/x" },
		{ "dir = spool", "dir", "/etc/x/spool" },
		{ "dir = ../spool", "dir", "/etc/spool" },
		{ "dir = .././../spool", "dir", "/spool" },
		{ "dir = ../../../spool", "dir", "/spool" },
		{ "dir = /spool/../x", "dir", "/spool/../x" },
		{ "dir =", "dir", "" },
		{ "maps = hash:a texthash:/b,static:c", "maps",
		  "hash:/etc/x/a, texthash:/b, static:c" },
		{ "maps = proxy:hash:a", "maps", "proxy:hash:/etc/x/a" },
		{ "maps = inline:{ {a = b}, c=d }", "maps",
		  "inline:{ {a = b}, c=d }" },
		{ "domains = a.example, hash:../b", "domains",
		  "a.example, hash:/etc/b" },
		{ "readme_directory = /x\nmail_owner = postfix", "on", "yes" },
	};
	char value[1000], *problems;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].text);
		problems = load(rows[i].text, rows[i].name, value);
		/* The last line of each text may lack its LF. */
		assert_string_equal(problems, "");
		assert_string_equal(value, rows[i].want);
		free(problems);
	}
}

static void
test_problems(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "\nmynetwork = 1.2.3.4",
		  "2: unknown parameter \"mynetwork\", did you mean "
		  "mynetworks?\n" },
		{ "mydomian = x", "1: unknown parameter \"mydomian\", did you "
				  "mean mydomain?\n" },
		{ "abcdefgh = 1",
		  "1: unknown parameter \"abcdefgh\", and no other value "
		  "refers to $abcdefgh\n" },
		{ "myorigin = $mydomian",
		  "1: myorigin: $mydomian: no parameter has this name, did "
		  "you mean $mydomain?\n" },
		{ "on = maybe", "1: on: \"maybe\": want yes or no\n" },
		{ "on = yes\non = no",
		  "2: warning: on is set again: its value in line 1 is not "
		  "used\n" },
		{ "size = 10x", "1: size: \"10x\" is not a number of bytes "
				"(k, m, g allowed)\n" },
		{ "wait = 2d",
		  "1: wait: 2d is out of bounds, want 1 to 86400\n" },
		{ "form = xml", "1: form: \"xml\": want one of text|json\n" },
		{ "form = xdr", "1: form: \"xdr\" is not available yet, want "
				"one of text|json\n" },
		{ "tls = !TLSv1", "" },
		{ "tls = TLS1", "1: tls: \"TLS1\" is no protocol of TLS\n" },
		{ "tls = TLSv1", "1: tls: TLS 1.2 and 1.3 are spoken, nothing "
				 "older\n" },
		{ "a = $b\nb = $c\nc = ${a}\nmyorigin = $a",
		  "1: values refer to each other: a -> b -> c -> a; one of "
		  "them must not\n" },
		{ "myorigin = $myorigin",
		  "1: values refer to each other: myorigin -> myorigin; one "
		  "of them must not\n" },
		{ "myhostname = a.$mydomain",
		  "1: values refer to each other: mydomain -> myhostname -> "
		  "mydomain; one of them must not\n" },
		{ "myhostname = a_b.example",
		  "1: myhostname: \"a_b.example\" is no host name, want one "
		  "as mail.example.com\n" },
		{ "listen = 25",
		  "1: listen: \"25\": want ADDRESS:PORT, as 192.0.2.1:25 or "
		  "[::]:25 (" },
		{ "listen = 1.2.3.4:0",
		  "1: listen: \"1.2.3.4:0\": want ADDRESS:PORT, as "
		  "192.0.2.1:25 or [::]:25 (port 0)\n" },
		{ "\nlisten_more = [::]:25, 127.0.0.1:25",
		  "2: listen_more: 127.0.0.1:25 is in listen already, want "
		  "another port\n" },
		{ "mynetworks = 10.0.0.0/8 10.0.0.1/8",
		  "1: mynetworks: \"10.0.0.1/8\": want a network, as "
		  "192.0.2.0/24 or [2001:db8::]/32 (" },
		{ "maps = regexp:/x",
		  "1: maps: \"regexp:/x\": want TYPE:NAME, where TYPE is "
		  "hash, btree, texthash, cidr, inline, static or unix\n" },
		{ "maps = /etc/x", "1: maps: \"/etc/x\": want TYPE:NAME" },
		{ "maps = hash:", "1: maps: \"hash:\": want hash:FILE\n" },
		{ "maps = inline:{a=b", "1: maps: \"inline:{a=b\": want "
					"inline:{ key = value, ... }\n" },
		{ "smtpd_use_tls = yes",
		  "1: warning: smtpd_use_tls has no effect here, see "
		  "smtpd_tls_security_level = may\n" },
		{ "what\non = maybe\n",
		  "1: \"what\": the \"=\" is missing, want NAME = VALUE\n"
		  "2: on: \"maybe\": want yes or no\n" },
	};
	char *problems;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].text);
		problems = load(rows[i].text, NULL, NULL);
		if (!str_starts(str_of(problems), str_of(rows[i].want)))
			assert_string_equal(problems, rows[i].want);
		free(problems);
	}
}

/* What master would refuse still tells ctl where the control socket is. */
static void
test_faulty_values_fall_back(void **state)
{
	char value[1000], *problems;

	(void)state;
	problems = load("form = xml\ndir = ../a\n", "form", value);
	assert_string_equal(value, "text");
	free(problems);
	problems = load("form = xml\ndir = ../a\n", "dir", value);
	assert_string_equal(value, "/etc/a");
	free(problems);
	problems = load("dir = $x\n", "dir", value);
	assert_string_equal(value, "/var/x");
	free(problems);
}

static void
test_many_errors(void **state)
{
	char *problems, *p;
	struct buf b;
	size_t lines = 0;
	int i;

	(void)state;
	buf_init(&b, 10000);
	for (i = 0; i < 50; i++)
		buf_addf(&b, "unknown_name_%d = x\n", i);
	problems = load(buf_cstr(&b), NULL, NULL);
	for (p = problems; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
	assert_non_null(strstr(problems, " 30 more not shown\n"));
	free(problems);
	buf_fini(&b);
}

/* References that double: linear work, bounded length, bounded depth. */
static void
test_hostile_references(void **state)
{
	char *problems;
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 10000);
	for (i = 0; i < 25; i++)
		buf_addf(&b, "a%d = $a%d$a%d\n", i, i + 1, i + 1);
	buf_add_c(&b, "a25 =\nmyorigin = $a0\n");
	problems = load(buf_cstr(&b), NULL, NULL);
	assert_string_equal(problems, "");
	free(problems);
	buf_add_c(&b, "a25 = x\n");
	problems = load(buf_cstr(&b), NULL, NULL);
	assert_non_null(strstr(problems, "longer than 65536 bytes"));
	free(problems);
	buf_reset(&b);
	for (i = 0; i < 100; i++)
		buf_addf(&b, "a%d = $a%d\n", i, i + 1);
	buf_add_c(&b, "a100 = x\nmyorigin = $a0\n");
	problems = load(buf_cstr(&b), NULL, NULL);
	assert_non_null(strstr(problems,
			       "more than 32 values that refer to each other"));
	free(problems);
	buf_fini(&b);
}

static void
test_what_a_process_gets(void **state)
{
	static const char text[] =
		"myhostname = a.example\nsize = 2k\n"
		"maps = hash:a, cidr:/b static:x\n"
		"domains = hash:c d.example /e !/f !hash:g\n";
	struct config c;
	struct buf messages, out;
	struct err err;

	(void)state;
	buf_init(&messages, 1000);
	buf_init(&out, 1000);
	assert_int_equal(config_load_text(&c, sets, "/etc/x", str_of(text),
					  &messages, &err),
			 0);
	assert_int_equal(config_params_for(&c, SVC_QMGR, &out), 0);
	assert_string_equal(buf_cstr(&out),
			    "on = 1\nsize = 2048\nwait = 300\n");
	buf_reset(&out);
	assert_int_equal(config_params_for(&c, SVC_SMTPD, &out), 0);
	assert_string_equal(buf_cstr(&out), "mydomain = example\n"
					    "myhostname = a.example\non = 1\n");
	buf_reset(&out);
	assert_int_equal(config_tables_for(&c, SVC_ROUTER, &out), 0);
	assert_string_equal(buf_cstr(&out), "/etc/x/c\n/e\n/f\n/etc/x/g\n"
					    "/etc/x/a\n/b\n");
	assert_int_equal(config_number(&c, "wait"), 300);
	assert_int_equal(config_find(&c, STR("size"))->line, 2);
	assert_null(config_find(&c, STR("sizes")));
	config_fini(&c);
	buf_fini(&messages);
	buf_fini(&out);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* -1 and the error's text, or 0. */
static int
load_dir(const char *dir, struct err *err)
{
	struct buf messages;
	struct config c;
	int rc;

	buf_init(&messages, 10000);
	rc = config_load(&c, sets, dir, &messages, err);
	assert_non_null(config_get(&c, "dir").p);
	config_fini(&c);
	buf_fini(&messages);
	return rc;
}

static void
test_owner_and_mode(void **state)
{
	char dir[] = "/tmp/config_test.XXXXXX", path[64];
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/main.cf", dir);
	assert_int_equal(load_dir(dir, &err), -1);
	assert_non_null(strstr(err.text, "/main.cf: No such file"));
	write_file(path, "myhostname = a.example\n", 0644);
	assert_int_equal(load_dir(dir, &err), 0);
	assert_int_equal(chmod(path, 0664), 0);
	assert_int_equal(load_dir(dir, &err), -1);
	assert_non_null(strstr(
		err.text, "has mode 0664, others can write it, want 0644"));
	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(load_dir(dir, &err), -1);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(load_dir(dir, &err), -1);
	assert_non_null(strstr(err.text, "others can write it"));
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(load_dir(dir, &err), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_int_equal(load_dir(dir, &err), -1);
		assert_non_null(strstr(err.text, "belongs to uid 12345"));
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(load_dir(dir, &err), -1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(load_dir(dir, &err), -1);
}

static void
test_nearest(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "mynetwork", "mynetworks" },
		{ "mydomian", "mydomain" },
		{ "my_domain", "mydomain" },
		{ "myhostnam", "myhostname" },
		{ "MyHostname", "myhostname" },
		{ "fomr", "form" },
		{ "no", "on" },
		{ "zzzzzzzz", NULL },
		{ "smtpd_recipient_restrictions", NULL },
	};
	char longest[MAINCF_NAME_MAX + 2];
	struct buf messages;
	const char *got;
	struct config c;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&messages, 1000);
	assert_int_equal(
		config_load_text(&c, sets, "/etc/x", STR(""), &messages, &err),
		0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		got = config_nearest(&c, str_of(rows[i].name));
		if (rows[i].want) {
			assert_non_null(got);
			assert_string_equal(got, rows[i].want);
		} else {
			assert_null(got);
		}
	}
	memset(longest, 'x', sizeof(longest));
	assert_null(config_nearest(&c, str_mem(longest, sizeof(longest))));
	buf_fini(&messages);
	config_fini(&c);
}

/* A transport by a local socket that dialer may not connect to. */
static void
test_sockets(void **state)
{
	static const struct {
		const char *listed, *transport;
		bool ok;
	} rows[] = {
		{ "", "virtual", true },
		{ "", "lmtp:[unix]:24", true },
		{ "", "lmtp:unix:/run/lmtp", false },
		{ "/run/lmtp", "lmtp:unix:/run/lmtp", true },
		{ "/run/a, /run/lmtp", "slow:unix:/run/lmtp", true },
		{ "/run/lmtp", "lmtp:unix:/run/lmtp2", false },
		{ "/spool/private/x", "lmtp:unix:private/x", true },
		{ "private/x", "lmtp:unix:/spool/private/x", true },
		{ "private/x", "lmtp:unix:private/x", true },
		{ "private/x", "lmtp:unix:/private/x", false },
		{ "/run/lmtp", "lmtp:unix:", false },
	};
	char text[256], *got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text),
			       "dialer_sockets = %s\nvirtual_transport = %s\n",
			       rows[i].listed, rows[i].transport);
		print_message("%s", text);
		got = load(text, NULL, NULL);
		if (rows[i].ok)
			assert_string_equal(got, "");
		else
			assert_non_null(
				strstr(got, "2: virtual_transport: the socket "
					    "\""));
		free(got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_faulty_values_fall_back),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_hostile_references),
		cmocka_unit_test(test_what_a_process_gets),
		cmocka_unit_test(test_owner_and_mode),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
