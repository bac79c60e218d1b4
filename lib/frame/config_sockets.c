/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "frame/config.h"

/* Relative names are those below the queue directory. */
static bool
same_socket(struct str a, struct str b, struct str directory)
{
	char left[512], right[512];
	struct str *names[] = { &a, &b };
	char *texts[] = { left, right };
	int i;

	for (i = 0; i < 2; i++) {
		bool whole = names[i]->n && names[i]->p[0] == '/';

		(void)snprintf(texts[i], sizeof(left), "%.*s%s%.*s",
			       whole ? 0 : (int)directory.n, directory.p,
			       whole ? "" : "/", STR_FMT(*names[i]));
	}
	return strcmp(left, right) == 0;
}

static bool
is_listed(struct str list, struct str path, struct str directory)
{
	struct str item;

	while (str_token(&list, ", \t", &item))
		if (same_socket(item, path, directory))
			return true;
	return false;
}

void
config_check_sockets(const struct config *c, config_problem *problem, void *arg)
{
	const struct config_value *sockets =
		config_find(c, STR("dialer_sockets"));
	const struct config_value *directory =
		config_find(c, STR("queue_directory"));
	struct str path;
	char text[512];
	size_t i;

	for (i = 0; sockets && directory && i < c->n; i++) {
		const struct config_value *v = c->v[i];
		ptrdiff_t at = str_search(v->text, STR(":unix:"));

		if (!v->row || !str_ends(v->name, STR("_transport")) || at < 0)
			continue;
		path = str_from(v->text, (size_t)at + strlen(":unix:"));
		if (is_listed(sockets->text, path, directory->text))
			continue;
		(void)snprintf(text, sizeof(text),
			       "%.*s: the socket \"%.*s\" is not among "
			       "dialer_sockets",
			       STR_FMT(v->name), STR_FMT(str_head(path, 200)));
		problem(arg, v->line, false, text);
	}
}
