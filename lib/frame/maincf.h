/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MAINCF_H
#define FRAME_MAINCF_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"

/*
 * The lines of main.cf, in Postfix's syntax (postconf(5)): pure functions over
 * bytes.  What the values mean is config.h's part.
 */
enum {
	MAINCF_MAX = 256 * 1024,      /* bytes of the file */
	MAINCF_VALUE_MAX = 64 * 1024, /* bytes of one value, also expanded */
	MAINCF_LINES_MAX = 4096,      /* assignments */
	MAINCF_NAME_MAX = 100,
	MAINCF_DEPTH_MAX = 16, /* ${} in ${} */
};

/* One assignment: a logical line with its continuations joined. */
struct maincf_line {
	struct str name;
	struct str value; /* trimmed, one line, not expanded */
	unsigned number;  /* of its first physical line, from 1 */
};

struct maincf {
	struct maincf_line *v; /* in the pool */
	size_t n;
};

/* Where problems go: line 0 means the file as a whole. */
typedef void maincf_problem_cb(void *arg, unsigned line, bool warning,
			       const char *text);

/* Split the text into assignments.  What is malformed is reported and left
 * out; the rest is still there.  Slices live in the pool. */
void maincf_parse(struct str text, struct pool *pool, struct maincf *out,
		  maincf_problem_cb *problem, void *arg);

/* The text with name's assignment replaced (or added at the end); comments and
 * everything else stay as they are; several assignments of name become one. */
ERR_WARN_UNUSED int maincf_edit(struct str text, struct str name,
				struct str value, struct buf *out,
				struct err *err);

/*
 * Replace $name, ${name}, $(name), ${name?text}, ${name:text},
 * ${name?{a}:{b}} and $$ in raw.  Texts may hold references again; of the two
 * of a condition only the chosen one is looked up.
 *
 * The look-up says 1 and *value, 0 for a name nobody knows (an error where its
 * value is wanted, "empty" in a condition), or -1 for one that has no value
 * because of an error reported already.
 *
 * -1 with err: the text is malformed, too deep, too long, or names an unknown
 * parameter; err->text is "" if the look-up said -1.
 */
typedef int maincf_lookup(void *arg, struct str name, struct str *value);
ERR_WARN_UNUSED int maincf_expand(struct str raw, maincf_lookup *lookup,
				  void *arg, struct buf *out, struct err *err);

/* Cut raw behind the next reference and give its name, whatever becomes of it
 * in an expansion; false at the end. */
bool maincf_reference(struct str *raw, struct str *name);

/* The bytes a name may consist of: letters, digits, "_", and "-" as in the
 * names of transports. */
bool maincf_name_byte(char c);

/* With s[0] == '{': the index behind the matching "}", or 0 if there is none.
 */
size_t maincf_braces(struct str s);

/*
 * One table of a PARAM_MAPS list: "hash:/x/y", "inline:{ {a = b} }".  Cuts the
 * next item off *list; braces keep separators inside.  False at the end.
 */
bool maincf_map_item(struct str *list, struct str *item);

#endif
