/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "base/fsx.h"
#include "base/fsx_mem.h"
#include "base/unit.h"
#include "store/store.h"

static struct store *
begin(void)
{
	struct store *st;
	struct err err;

	fsx_mem_reset();
	st = store_open(fsx_mem_root(), "Maildir", "host", &err);
	assert_non_null(st);
	return st;
}

static void
put(const char *text)
{
	int fd = fsx_open(fsx_mem_root(), "Maildir/posthouse.use",
			  O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fsx_write(fd, text, strlen(text)), strlen(text));
	fsx_close(fd);
}

/* "NAME:attrs ..." of all that have a use. */
static void
assert_uses(struct store *st, const char *want)
{
	struct folder_list l;
	struct buf b;
	struct err err;
	size_t i, k;

	buf_init(&b, 1000);
	assert_int_equal(store_list(st, &l, &err), 0);
	for (i = 0; i < l.n; i++) {
		if (!(l.v[i].attrs & FOLDER_USES))
			continue;
		buf_addf(&b, "%s%s:", b.n ? " " : "", l.v[i].name);
		for (k = 0; store_uses[k].name; k++)
			if (l.v[i].attrs & store_uses[k].attr)
				buf_add_byte(&b, store_uses[k].name[1]);
	}
	assert_string_equal(buf_cstr(&b), want);
	folder_list_fini(&l);
	buf_fini(&b);
}

static void
create(struct store *st, const char *name, unsigned uses)
{
	struct err err;

	if (store_create_for(st, str_of(name), uses, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

static void
test_life(void **state)
{
	struct store *st = begin();
	struct err err;

	(void)state;
	create(st, "Sent", 0);
	create(st, "trash", 0);
	assert_uses(st, "Sent:S trash:T");
	create(st, "A", FOLDER_SENT);
	create(st, "A.B", FOLDER_JUNK | FOLDER_DRAFTS);
	create(st, "AB", FOLDER_ARCHIVE);
	assert_uses(st, "A:S A.B:DJ AB:A trash:T");
	assert_int_equal(store_rename(st, STR("A"), STR("X.Y"), &err), 0);
	assert_uses(st, "AB:A X.Y:S X.Y.B:DJ trash:T");
	create(st, "A", 0);
	assert_int_equal(store_delete(st, STR("X.Y"), &err), 0);
	assert_uses(st, "AB:A Sent:S X.Y.B:DJ trash:T");
	create(st, "X.Y", 0);
	assert_uses(st, "AB:A Sent:S X.Y.B:DJ trash:T");
	/* A folder that somebody else removes takes its use along in effect. */
	assert_true(store_create_for(st, STR("AB"), FOLDER_SENT, &err) < 0);
	assert_uses(st, "AB:A Sent:S X.Y.B:DJ trash:T");
	store_close(st);
}

/* The file is the user's: whatever stands in it, folders are listed. */
static void
test_damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"A\n",
		"A\t\n",
		"A\tnonsense\n",
		"\tSent\n",
		"A\tsent",
		"\377\376\tSent\n",
		"A\t,,Sent,\tx\n",
	};
	struct store *st;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		st = begin();
		create(st, "A", 0);
		put(texts[i]);
		assert_uses(st, i == 6 || i == 8 ? "A:S" : "");
		/* and goes on to be kept */
		create(st, "B", FOLDER_TRASH);
		assert_uses(st, i == 6 || i == 8 ? "A:S B:T" : "B:T");
		store_close(st);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
