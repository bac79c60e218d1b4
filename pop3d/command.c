/* SPDX-License-Identifier: ISC */
#include "command.h"

static const struct {
	const char *name;
	unsigned min, max; /* arguments */
} verbs[POP3_VERBS] = {
	[POP3_STAT] = { "STAT", 0, 0 }, [POP3_LIST] = { "LIST", 0, 1 },
	[POP3_RETR] = { "RETR", 1, 1 }, [POP3_DELE] = { "DELE", 1, 1 },
	[POP3_NOOP] = { "NOOP", 0, 0 }, [POP3_RSET] = { "RSET", 0, 0 },
	[POP3_TOP] = { "TOP", 2, 2 },	[POP3_UIDL] = { "UIDL", 0, 1 },
	[POP3_CAPA] = { "CAPA", 0, 0 }, [POP3_QUIT] = { "QUIT", 0, 0 },
};

const char *
pop3_command_parse(struct str line, struct pop3_command *c)
{
	struct str word;
	uint64_t v;
	size_t i;

	*c = (struct pop3_command){ .nargs = 0 };
	if (!str_token(&line, " ", &word))
		return "Empty command.";
	for (i = 0; i < POP3_VERBS; i++)
		if (str_ieq(word, str_of(verbs[i].name)))
			break;
	if (i == POP3_VERBS)
		return "Unknown command.";
	c->verb = (enum pop3_verb)i;
	while (str_token(&line, " ", &word)) {
		if (c->nargs == verbs[i].max)
			return "Too many arguments.";
		if (str_u64(word, UINT32_MAX, &v) < 0)
			return "Not a number.";
		c->arg[c->nargs++] = (uint32_t)v;
	}
	return c->nargs < verbs[i].min ? "An argument is missing." : NULL;
}
