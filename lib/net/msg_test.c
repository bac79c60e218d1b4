/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net/msg.h"

struct item {
	struct str name;
	uint8_t n;
};

static const struct msg_field item_fields[] = {
	MSG_FIELD(item, name, MSG_STR, 10),
	MSG_FIELD(item, n, MSG_U8, 5),
};
static const struct msg_def item_def = MSG_DEF(item, 0, 0);

struct all {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	struct str s;
	struct str bytes;
	struct msg_list items;
	int fd, spare;
};

static const struct msg_field all_fields[] = {
	MSG_FIELD(all, a, MSG_U8, 7),
	MSG_FIELD(all, b, MSG_U16, 0),
	MSG_FIELD(all, c, MSG_U32, 0),
	MSG_FIELD(all, d, MSG_U64, 0),
	MSG_FIELD(all, s, MSG_STR, 8),
	MSG_FIELD(all, bytes, MSG_BYTES, 65535),
	MSG_LIST_FIELD(all, items, 3, &item_def),
	MSG_FIELD(all, fd, MSG_FD, 1),
	MSG_FIELD(all, spare, MSG_FD, 0),
};
static const struct msg_def all_def = MSG_DEF(all, 0x1234, MSG_REQUEST);

static void
add_item(struct buf *b, const char *name, uint8_t n)
{
	struct item it = { str_of(name), n };
	struct err err;

	assert_int_equal(msg_list_add(b, &item_def, &it, &err), 0);
}

static struct all
sample(struct buf *list)
{
	buf_init(list, 1000);
	add_item(list, "one", 1);
	add_item(list, "", 5);
	return (struct all){
		.a = 7,
		.b = 0xfffe,
		.c = 0xfffffffd,
		.d = UINT64_MAX,
		.s = STR("text"),
		.bytes = STR("\r\n\0"),
		.items = msg_list_of(list, 2, &item_def),
		.fd = 1,
		.spare = -1,
	};
}

static void
encode(struct buf *out, const struct all *m)
{
	int fds[MSG_FDS_MAX];
	size_t nfds;
	struct err err;

	buf_init(out, MSG_FRAME_MAX);
	if (msg_encode(out, &all_def, 99, m, fds, &nfds, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(nfds, 1);
	assert_int_equal(fds[0], 1);
}

static void
test_round(void **state)
{
	struct all m, back;
	struct buf list, out;
	struct item it;
	struct err err;
	struct str walk;
	uint16_t type;
	uint32_t tag;
	int fds[1] = { 42 };

	(void)state;
	m = sample(&list);
	encode(&out, &m);
	assert_memory_equal(out.p, "\x34\x12\0\0\x63\0\0\0\x07\xfe\xff", 11);
	assert_int_equal(msg_peek(buf_str(&out), &type, &tag), 0);
	assert_int_equal(type, 0x1234);
	assert_int_equal(tag, 99);
	if (msg_decode(buf_str(&out), &all_def, &back, fds, 1, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(back.a, 7);
	assert_int_equal(back.b, 0xfffe);
	assert_true(back.c == 0xfffffffd && back.d == UINT64_MAX);
	assert_true(str_eq(back.s, m.s));
	assert_true(str_eq(back.bytes, m.bytes));
	assert_int_equal(back.fd, 42);
	assert_int_equal(back.spare, -1);
	assert_int_equal(back.items.count, 2);
	walk = back.items.raw;
	assert_true(msg_list_next(&walk, &item_def, &it));
	assert_true(str_eq(it.name, STR("one")) && it.n == 1);
	assert_true(msg_list_next(&walk, &item_def, &it));
	assert_true(str_eq(it.name, STR("")) && it.n == 5);
	assert_false(msg_list_next(&walk, &item_def, &it));
	assert_int_equal(msg_fields_set(&all_def, &back), 0xff);
	back = (struct all){ .fd = -1, .spare = -1 };
	assert_int_equal(msg_fields_set(&all_def, &back), 0);
	back.spare = 0;
	back.s = STR("x");
	assert_int_equal(msg_fields_set(&all_def, &back), 0x110);
	buf_fini(&out);
	buf_fini(&list);
}

/* Cut at every place, one byte more, and descriptors that do not fit. */
static void
test_broken(void **state)
{
	int fds[4] = { 3, 4, 5, 6 };
	struct all m, back;
	struct buf list, out;
	struct err err;
	char *exact;
	size_t n;

	(void)state;
	m = sample(&list);
	encode(&out, &m);
	for (n = 0; n < out.n; n++) {
		exact = malloc(n ? n : 1);
		memcpy(exact, out.p, n);
		assert_int_equal(msg_decode(str_mem(exact, n), &all_def, &back,
					    fds, 1, &err),
				 -1);
		assert_int_equal(err.class, ERR_PERM);
		free(exact);
	}
	assert_int_equal(
		msg_decode(buf_str(&out), &all_def, &back, fds, 0, &err), -1);
	assert_int_equal(
		msg_decode(buf_str(&out), &all_def, &back, fds, 2, &err), -1);
	assert_int_equal(
		msg_decode(buf_str(&out), &all_def, &back, fds, 1, &err), 0);
	assert_int_equal(buf_add_byte(&out, 0), 0);
	assert_int_equal(
		msg_decode(buf_str(&out), &all_def, &back, fds, 1, &err), -1);
	buf_fini(&out);
	buf_fini(&list);
}

/* Bounds hold on both sides: not encoded, not decoded. */
static void
test_bounds(void **state)
{
	static char large[65536];
	int fds[MSG_FDS_MAX] = { 1 };
	struct all m, bad, back;
	struct buf list, out, three;
	struct item it;
	struct err err;
	size_t nfds, i, at;

	(void)state;
	m = sample(&list);
	buf_init(&three, 1000);
	for (i = 0; i < 4; i++)
		add_item(&three, "x", 0);
	buf_init(&out, MSG_FRAME_MAX);
	for (i = 0; i < 8; i++) {
		bad = m;
		switch (i) {
		case 0:
			bad.a = 8;
			break;
		case 1:
			bad.s = STR("123456789");
			break;
		case 2:
			bad.s = STR("a\nb");
			break;
		case 3:
			bad.s = STR("a\rb");
			break;
		case 4:
			bad.s = STR("a\0b");
			break;
		case 5:
			bad.items = msg_list_of(&three, 4, &item_def);
			break;
		case 6:
			bad.fd = -1;
			break;
		case 7:
			bad.bytes = str_mem(large, sizeof(large) - 40);
			break;
		}
		if (msg_encode(&out, &all_def, 1, &bad, fds, &nfds, &err) == 0)
			fail_msg("case %zu was encoded", i);
		assert_int_equal(out.n, 0);
		buf_reset(&out);
	}
	it = (struct item){ STR("x"), 6 };
	assert_int_equal(msg_list_add(&three, &item_def, &it, &err), -1);
	it = (struct item){ STR("12345678901"), 0 };
	assert_int_equal(msg_list_add(&three, &item_def, &it, &err), -1);
	buf_fini(&out);
	/* The same from a peer whose encoder does not care. */
	encode(&out, &m);
	at = MSG_HEAD;
	out.p[at] = 8;
	assert_int_equal(
		msg_decode(buf_str(&out), &all_def, &back, fds, 1, &err), -1);
	out.p[at] = 7;
	at = MSG_HEAD + 1 + 2 + 4 + 8 + 2; /* the text of s */
	assert_memory_equal(out.p + at, "text", 4);
	for (i = 0; i < 3; i++) {
		out.p[at] = "\r\n"[i];
		assert_int_equal(msg_decode(buf_str(&out), &all_def, &back, fds,
					    1, &err),
				 -1);
	}
	out.p[at] = 't';
	at += 4 + 2 + 3; /* the count of items */
	for (i = 0; i < 256; i++) {
		out.p[at] = (char)i;
		assert_int_equal(msg_decode(buf_str(&out), &all_def, &back, fds,
					    1, &err),
				 i == 2 ? 0 : -1);
	}
	buf_fini(&out);
	buf_fini(&three);
	buf_fini(&list);
}

static void
test_close_fds(void **state)
{
	struct all m = { .fd = dup(0), .spare = dup(0) };
	int fd = m.fd, spare = m.spare;

	(void)state;
	assert_true(fd >= 0 && spare >= 0);
	m.fd = -1; /* taken */
	msg_close_fds(&all_def, &m);
	assert_int_equal(m.spare, -1);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(fcntl(spare, F_GETFD), -1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_close_fds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
