/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "ctl.h"
#include "frame/service.h"

/*
 * The service table and the channel table for a human, or as the two tables of
 * ARCHITECTURE.md (a test compares them).
 */
static const char *const roots[] = {
	[ROOT_SLASH] = "/ under Landlock", [ROOT_EMPTY] = "empty",
	[ROOT_SPOOL] = "queue directory",  [ROOT_LOG] = "log directory",
	[ROOT_USER] = "the user's mail",
};

static const char *
uid_text(const struct service *s)
{
	if (s->id == SVC_MASTER)
		return "root";
	if (s->as_root)
		return "root without capabilities";
	if (s->id == SVC_CTL)
		return "the administrator";
	return s->root == ROOT_USER ? "the user's" : "own";
}

static const char *
root_text(const struct service *s)
{
	if (s->id == SVC_MASTER || s->id == SVC_CTL)
		return "/";
	return roots[s->root];
}

static const char *
count_text(const struct service *s)
{
	if (s->when)
		return " (optional)";
	if (s->workers)
		return " ×K";
	return s->root == ROOT_USER ? " (one a user)" : "";
}

static void
markdown_processes(void)
{
	size_t i;

	(void)puts("| process | uid, root | may do | if taken over |\n"
		   "|---|---|---|---|");
	for (i = 0; i < SVC_COUNT; i++) {
		const struct service *s = &services[i];

		(void)printf("| %s%s | %s, %s | %s | %s |\n", s->name,
			     count_text(s), uid_text(s), root_text(s), s->may,
			     s->taken);
	}
}

static const char *
asker_name(const struct chan_row *row)
{
	return row->asker == SVC_COUNT ? "every daemon"
				       : services[row->asker].name;
}

static void
print_messages(const struct chan_msg *m)
{
	const char *sep = "";

	for (; m->def; m++) {
		/* All are called msg_NAME. */
		(void)printf("%s%s", sep, m->def->name + strlen("msg_"));
		sep = ", ";
	}
}

static void
markdown_channels(void)
{
	size_t i;

	(void)puts("| asker | service | in flight | may ask | is answered |\n"
		   "|---|---|---|---|---|");
	for (i = CH_NONE + 1; i < CH_COUNT; i++) {
		const struct chan_row *row = &channels[i];

		(void)printf("| %s | %s | %u | ", asker_name(row),
			     services[row->service].name, row->inflight);
		print_messages(row->to_service);
		(void)fputs(" | ", stdout);
		print_messages(row->to_asker);
		(void)puts(" |");
	}
}

static void
text_processes(void)
{
	size_t i;

	for (i = 0; i < SVC_COUNT; i++) {
		const struct service *s = &services[i];

		(void)printf("%s%s\n\tuid %s, root %s\n\tmay: %s\n"
			     "\tif taken over: %s\n",
			     s->name, count_text(s), uid_text(s), root_text(s),
			     s->may, s->taken);
		if (s->listens)
			(void)printf("\tlistens: %s\n", s->listens);
		if (s->when)
			(void)printf("\truns only if %s is set\n", s->when);
	}
}

static void
text_channels(void)
{
	size_t i;

	for (i = CH_NONE + 1; i < CH_COUNT; i++) {
		const struct chan_row *row = &channels[i];

		(void)printf(
			"%s -> %s (%u in flight)\n\task: ", asker_name(row),
			services[row->service].name, row->inflight);
		print_messages(row->to_service);
		(void)fputs("\n\tanswer: ", stdout);
		print_messages(row->to_asker);
		(void)puts("");
	}
}

/* For the jail test: what /proc must show of each process. */
static void
json_processes(void)
{
	static const char *const words[] = {
		[ROOT_SLASH] = "slash", [ROOT_EMPTY] = "empty",
		[ROOT_SPOOL] = "spool", [ROOT_LOG] = "log",
		[ROOT_USER] = "user",
	};
	size_t i;

	(void)puts("[");
	for (i = 0; i < SVC_COUNT; i++) {
		const struct service *s = &services[i];

		(void)printf("{\"name\": \"%s\", \"uid_slot\": %u, "
			     "\"root\": \"%s\", \"calls\": %u, "
			     "\"nofile\": %u, \"nproc\": %u, "
			     "\"data_mb\": %u, \"listens\": \"%s\", "
			     "\"workers\": \"%s\", \"when\": \"%s\", "
			     "\"as_root\": %s}%s\n",
			     s->name, s->uid_slot, words[s->root], s->calls,
			     s->nofile, s->nproc, s->data_mb,
			     s->listens ? s->listens : "",
			     s->workers ? s->workers : "",
			     s->when ? s->when : "",
			     s->as_root ? "true" : "false",
			     i + 1 < SVC_COUNT ? "," : "");
	}
	(void)puts("]");
}

int
cmd_topology(struct ctl *c, int argc, char **argv)
{
	(void)c;
	if (argc == 1) {
		text_processes();
		text_channels();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--json") == 0) {
		json_processes();
		return 0;
	}
	if (argc != 2 || strcmp(argv[1], "--markdown") != 0)
		return ctl_usage(argv[0]);
	markdown_processes();
	(void)puts("");
	markdown_channels();
	return 0;
}
