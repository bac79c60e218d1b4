/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "frame/config.h"
#include "frame/transports.h"

static const struct param mail[] = {
	{ .name = "transports", .kind = PARAM_LIST, .def = "" },
	{ .name = "smtp_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .max = 9,
	  .users = SVC_BIT(SVC_QMGR),
	  .once = true },
	{ .name = "smtp_delay",
	  .kind = PARAM_TIME,
	  .def = "30s",
	  .min = 1,
	  .max = 86400,
	  .users = SVC_BIT(SVC_SMTP) },
	{ .name = "smtp_tcp_port",
	  .kind = PARAM_INT,
	  .def = "25",
	  .max = 65535,
	  .users = SVC_BIT(SVC_SMTP) },
	{ .name = "lmtp_tcp_port",
	  .kind = PARAM_INT,
	  .def = "24",
	  .max = 65535,
	  .users = SVC_BIT(SVC_SMTP) },
	{ .name = "lmtp_lhlo_name", .kind = PARAM_STR, .def = "me" },
	{ .name = "relay_domains", .kind = PARAM_LIST, .def = "" },
	{ .name = "mailbox_transport", .kind = PARAM_STR, .def = "" },
	{ .name = "default_destination_limit",
	  .kind = PARAM_INT,
	  .def = "20",
	  .max = 1000,
	  .users = SVC_BIT(SVC_QMGR) },
	{ .name = "initial_destination_concurrency",
	  .kind = PARAM_INT,
	  .def = "5",
	  .max = 1000,
	  .users = SVC_BIT(SVC_QMGR) },
	{ .name = NULL },
};

static const struct param *const sets[] = { mail, NULL };

/* The value of name, or, if the text has faults, what is said of them. */
static void
check(const char *text, const char *name, const char *want)
{
	const char *begin = "/etc/x/main.cf:";
	struct buf messages;
	struct config c;
	struct err err;

	buf_init(&messages, 100000);
	if (config_load_text(&c, sets, "/etc/x", str_of(text), &messages,
			     &err) < 0) {
		assert_true(str_starts(buf_str(&messages), str_of(begin)));
		assert_string_equal(buf_cstr(&messages) + strlen(begin), want);
	} else {
		assert_int_equal(messages.n, 0);
		assert_string_equal(config_get(&c, name).p, want);
	}
	buf_fini(&messages);
	config_fini(&c);
}

/* lmtp, relay and $transports have smtp's parameters under their own names. */
static void
test_transports(void **state)
{
	static const struct {
		const char *text, *name, *want;
	} rows[] = {
		{ "", "lmtp_delay", "30s" },
		{ "smtp_delay = 9\n", "relay_delay", "9" },
		{ "relay_delay = 8\n", "relay_delay", "8" },
		{ "relay_delay = 8\n", "smtp_delay", "30s" },
		{ "smtp_tcp_port = 26\n", "lmtp_tcp_port", "24" },
		{ "smtp_tcp_port = 26\n", "relay_tcp_port", "26" },
		{ "", "smtp_destination_limit", "20" },
		{ "default_destination_limit = 7\n", "relay_destination_limit",
		  "7" },
		{ "", "lmtp_initial_destination_concurrency", "5" },
		{ "transports = slow\n", "slow_transport", "smtp" },
		{ "transports = slow\n", "slow_delay", "30s" },
		{ "transports = slow\nslow_delay = 7m\n", "slow_delay", "7m" },
		{ "slow_delay = $lmtp_delay\ntransports = a-1, slow\n",
		  "slow_delay", "30s" },
		{ "transports = slow\n", "slow_tcp_port", "25" },
		{ "transports = slow\nslow_transport = lmtp\n", "slow_tcp_port",
		  "24" },
		{ "transports = slow\nslow_transport = lmtp\n"
		  "lmtp_lhlo_name = a.b\n",
		  "slow_lhlo_name", "a.b" },
		{ "transports = slow\nslow_transport = relay\n"
		  "relay_delay = 3\n",
		  "slow_delay", "3" },
		{ "transports = slow\nslow_transport = relay\n"
		  "relay_destination_limit = 3\n",
		  "slow_destination_limit", "20" },
		{ "transports = $mine\nmine = x y\nx_delay = $y_delay\n"
		  "y_delay = 1\n",
		  "x_delay", "1" },
		/* faults */
		{ "transports = slow\nslow_delay = x\n", "slow_delay",
		  "2: slow_delay: \"x\" is not a number with unit s, m, h, d "
		  "or w\n" },
		{ "slow_delay = 1\n", "smtp_delay",
		  "1: unknown parameter \"slow_delay\", did you mean "
		  "smtp_delay?\n" },
		{ "transports = slow\nslow_dela = 1\n", "smtp_delay",
		  "2: unknown parameter \"slow_dela\", did you mean "
		  "slow_delay?\n" },
		{ "transports = slow\nslow_workers = 1\n", "smtp_delay",
		  "2: unknown parameter \"slow_workers\", did you mean "
		  "smtp_workers?\n" },
		{ "transports = slow\nslow_domains = 1\n"
		  "slow_transport = relay\n",
		  "smtp_delay",
		  "2: unknown parameter \"slow_domains\", did you mean "
		  "relay_domains?\n" },
		{ "transports = slow\nslow_lhlo_name = 1\n", "smtp_delay",
		  "2: unknown parameter \"slow_lhlo_name\", did you mean "
		  "lmtp_lhlo_name?\n" },
		{ "transports = slow\nslow_transport = fast\n", "smtp_delay",
		  "2: slow_transport: \"fast\": want one of "
		  "smtp|lmtp|relay\n" },
		{ "transports = relay\n", "smtp_delay",
		  "1: transports: \"relay\" is there by itself\n" },
		{ "transports = 2fast\n", "smtp_delay",
		  "1: transports: \"2fast\": want a name of at most 40 "
		  "letters, digits, \"_\" and \"-\"\n" },
		{ "transports = mailbox\n", "smtp_delay",
		  "1: transports: there is a parameter mailbox_transport "
		  "already, want another name\n" },
		{ "transports = slow slow\n", "smtp_delay",
		  "1: transports: there is a parameter slow_transport already, "
		  "want another name\n" },
		{ "transports = smtp_tcp slow\nsmtp_tcp_delay = 1\n",
		  "slow_delay", "30s" },
		{ "transports = $slow_delay\n", "smtp_delay",
		  "1: transports: $slow_delay: no parameter has this "
		  "name, did you mean $smtp_delay?\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].text);
		check(rows[i].text, rows[i].name, rows[i].want);
	}
}

/* Each is sent to who receives the row it comes from. */
static void
test_users(void **state)
{
	struct buf messages, out;
	struct config c;
	struct err err;

	(void)state;
	buf_init(&messages, 1000);
	buf_init(&out, 10000);
	assert_int_equal(config_load_text(&c, sets, "/etc/x",
					  STR("transports = slow\n"
					      "slow_delay = 1m\n"),
					  &messages, &err),
			 0);
	assert_int_equal(config_params_for(&c, SVC_SMTP, &out), 0);
	assert_string_equal(buf_cstr(&out),
			    "lmtp_delay = 30\nlmtp_tcp_port = 24\n"
			    "relay_delay = 30\nrelay_tcp_port = 25\n"
			    "slow_delay = 60\nslow_tcp_port = 25\n"
			    "slow_transport = smtp\n"
			    "smtp_delay = 30\nsmtp_tcp_port = 25\n");
	buf_reset(&out);
	assert_int_equal(config_params_for(&c, SVC_QMGR, &out), 0);
	assert_string_equal(buf_cstr(&out),
			    "default_destination_limit = 20\n"
			    "initial_destination_concurrency = 5\n"
			    "lmtp_destination_limit = 20\n"
			    "lmtp_initial_destination_concurrency = 5\n"
			    "relay_destination_limit = 20\n"
			    "relay_initial_destination_concurrency = 5\n"
			    "slow_destination_limit = 20\n"
			    "slow_initial_destination_concurrency = 5\n"
			    "smtp_destination_limit = 20\n"
			    "smtp_initial_destination_concurrency = 5\n"
			    "smtp_workers = 2\n");
	config_fini(&c);
	buf_fini(&messages);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transports),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
