/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "sendmail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGS = 16 };

/* Words before the first empty one, each ended by a NUL, are the command line;
 * the rest is the message. */
static struct str
cut_args(struct str in, char *argv[ARGS + 1], int *argc)
{
	struct str word;

	for (*argc = 0; *argc < ARGS && str_cut(&in, '\0', &word) && word.n;
	     ++*argc) {
		argv[*argc] = strndup(word.p, word.n);
		BUG_ON(!argv[*argc]);
	}
	argv[*argc] = NULL;
	return in;
}

/* Whatever is put between, the text comes out the same; what comes out is a
 * text that comes out as it is. */
static void
check_text(struct str in, bool dots, struct buf *out)
{
	struct text_in whole = { .dots = dots, .line_max = 40 };
	struct text_in parts = whole, again = { .dots = true, .line_max = 40 };
	struct buf b;
	size_t i;

	(void)text_in_feed(&whole, in, out);
	text_in_end(&whole, out);
	buf_init(&b, 1 << 20);
	for (i = 0; i < in.n; i++)
		if (!text_in_feed(&parts, str_mem(in.p + i, 1), &b))
			break;
	text_in_end(&parts, &b);
	BUG_ON(!str_eq(buf_str(&b), buf_str(out)));
	buf_reset(&b);
	again.started = true;
	(void)text_in_feed(&again, buf_str(out), &b);
	text_in_end(&again, &b);
	BUG_ON(!str_eq(buf_str(&b), buf_str(out)));
	buf_fini(&b);
}

/* On the wire there is no line that ends the message, and no bare CR or LF. */
static void
check_wire(struct str text)
{
	struct buf b;
	bool bol = true;
	size_t i;

	buf_init(&b, 1 << 20);
	wire_add(&b, text, &bol);
	BUG_ON(str_starts(buf_str(&b), STR(".\r\n")));
	BUG_ON(str_search(buf_str(&b), STR("\r\n.\r\n")) >= 0);
	for (i = 0; i < b.n; i++) {
		BUG_ON(b.p[i] == '\n' && (i == 0 || b.p[i - 1] != '\r'));
		BUG_ON(b.p[i] == '\r' && (i + 1 == b.n || b.p[i + 1] != '\n'));
		BUG_ON(!b.p[i]);
	}
	buf_fini(&b);
}

static void
check_envelope(const struct options *o, struct str header)
{
	struct envelope e = { 0 };
	size_t i, k;

	if (o->sender)
		(void)!envelope_sender(&e, o->sender, NULL);
	for (i = 0; i < (size_t)o->nrcpts; i++)
		(void)!envelope_add(&e, o->rcpts[i], NULL);
	(void)!envelope_from_header(&e, header, NULL);
	for (i = 0; i < e.n; i++) {
		BUG_ON(e.rcpts[i].n == 0);
		for (k = 0; k < e.rcpts[i].n; k++)
			BUG_ON((unsigned char)e.rcpts[i].text[k] < ' ' ||
			       e.rcpts[i].text[k] == 127);
	}
	envelope_fini(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options o;
	char *argv[ARGS + 1], *own[ARGS];
	struct str in;
	struct buf text;
	int argc, i;

	if (size > 20000)
		return 0;
	in = cut_args(str_mem(data, size), argv, &argc);
	memcpy(own, argv, sizeof(own));
	buf_init(&text, 1 << 20);
	if (argc && options_parse(&o, argc, argv, NULL, NULL) == 0) {
		check_text(in, o.dots, &text);
		check_wire(buf_str(&text));
		check_envelope(&o, buf_str(&text));
	}
	buf_fini(&text);
	for (i = 0; i < argc; i++)
		free(own[i]);
	return 0;
}
