/* SPDX-License-Identifier: ISC */
#include "pop3_parse.h"

enum pop3_verb
pop3_command(struct str line, struct str *arg)
{
	static const struct {
		const char *name;
		enum pop3_verb verb;
	} verbs[] = {
		{ "CAPA", POP3_CAPA }, { "USER", POP3_USER },
		{ "PASS", POP3_PASS }, { "AUTH", POP3_AUTH },
		{ "STLS", POP3_STLS }, { "UTF8", POP3_UTF8 },
		{ "NOOP", POP3_NOOP }, { "QUIT", POP3_QUIT },
	};
	struct str word;
	size_t i;

	*arg = line;
	if (!str_cut(arg, ' ', &word)) {
		word = line;
		*arg = STR("");
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (str_ieq(word, str_of(verbs[i].name)))
			return verbs[i].verb;
	return POP3_UNKNOWN;
}
