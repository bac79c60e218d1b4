/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "frame/config.h"

/* A main.cf of any bytes, through lines, references and checks; then an edit,
 * which must leave the other names as they were. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct param rows[] = {
	{ .name = "myhostname", .def = "a.example" },
	{ .name = "n", .kind = PARAM_INT, .def = "1", .max = 9, .users = 1 },
	{ .name = "t",
	  .kind = PARAM_TIME,
	  .def = "$n",
	  .max = 999,
	  .users = 1 },
	{ .name = "p", .kind = PARAM_PATH, .def = "x", .users = 1 },
	{ .name = "m", .kind = PARAM_MAPS, .def = "", .users = 1 },
	{ .name = "d", .kind = PARAM_LIST, .def = "$p", .users = 1 },
	{ .name = "w", .kind = PARAM_NETS, .def = "", .users = 1 },
	{ .name = "l", .kind = PARAM_LISTEN, .def = "", .users = 1 },
	{ .name = NULL },
};
static const struct param *const sets[] = { rows, NULL };

static void
ignore(void *arg, unsigned line, bool warning, const char *text)
{
	(void)arg;
	(void)line;
	(void)warning;
	(void)text;
}

static void
check_edit(struct str text)
{
	struct maincf before, after;
	struct pool pool;
	struct err err;
	struct buf out;
	size_t i, j = 0;

	pool_init(&pool, 1 << 24);
	buf_init(&out, MAINCF_MAX);
	maincf_parse(text, &pool, &before, ignore, NULL);
	if (maincf_edit(text, STR("n"), STR("7"), &out, &err) < 0)
		goto out;
	maincf_parse(buf_str(&out), &pool, &after, ignore, NULL);
	for (i = 0; i < before.n; i++) {
		if (str_eq(before.v[i].name, STR("n")))
			continue;
		while (j < after.n && str_eq(after.v[j].name, STR("n")))
			j++;
		if (j == after.n ||
		    !str_eq(before.v[i].name, after.v[j].name) ||
		    !str_eq(before.v[i].value, after.v[j].value))
			abort();
		j++;
	}
out:
	buf_fini(&out);
	pool_fini(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf messages, out;
	struct config c;
	struct err err;

	buf_init(&messages, 64 * 1024);
	buf_init(&out, 1 << 20);
	if (config_load_text(&c, sets, "/etc/x", str_mem(data, size), &messages,
			     &err) == 0) {
		if (config_params_for(&c, SVC_MASTER, &out) < 0 ||
		    config_tables_for(&c, SVC_MASTER, &out) < 0)
			abort();
	} else if (messages.n == 0) {
		abort();
	}
	config_fini(&c);
	check_edit(str_mem(data, size));
	buf_fini(&messages);
	buf_fini(&out);
	return 0;
}
