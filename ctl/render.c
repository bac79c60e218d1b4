/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "frame/config.h"
#include "render.h"

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct param *const *)a)->name,
		      (*(const struct param *const *)b)->name);
}

/* All rows in order of their names, ended by NULL; NULL: no memory. */
static const struct param **
sorted(const struct param *const *sets)
{
	const struct param *const *set, *row, **all;
	size_t n = 0;

	for (set = sets; *set; set++)
		for (row = *set; row->name; row++)
			n++;
	all = calloc(n + 1, sizeof(const struct param *));
	if (!all)
		return NULL;
	n = 0;
	for (set = sets; *set; set++)
		for (row = *set; row->name; row++)
			all[n++] = row;
	qsort(all, n, sizeof(const struct param *), by_name);
	return all;
}

/* "10485760" as "10m" where that says the same. */
static void
put_number(FILE *to, const struct param *p, int64_t v)
{
	static const struct {
		enum param_kind kind;
		int64_t factor;
		char suffix;
	} units[] = {
		{ PARAM_BYTES, 1024 * 1024 * 1024, 'g' },
		{ PARAM_BYTES, 1024 * 1024, 'm' },
		{ PARAM_BYTES, 1024, 'k' },
		{ PARAM_TIME, 604800, 'w' },
		{ PARAM_TIME, 86400, 'd' },
		{ PARAM_TIME, 3600, 'h' },
		{ PARAM_TIME, 60, 'm' },
		{ PARAM_TIME, 1, 's' },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (v && units[i].kind == p->kind && v % units[i].factor == 0) {
			(void)fprintf(to, "%lld%c",
				      (long long)(v / units[i].factor),
				      units[i].suffix);
			return;
		}
	(void)fprintf(to, "%lld", (long long)v);
}

/* "a number from 1 to 100" */
static void
put_form(FILE *to, const struct param *p)
{
	static const char *const forms[] = {
		[PARAM_STR] = "text",
		[PARAM_BOOL] = "yes or no",
		[PARAM_INT] = "a number",
		[PARAM_BYTES] = "bytes, with k, m or g",
		[PARAM_TIME] = "a time, with s, m, h, d or w",
		[PARAM_ENUM] = "one of",
		[PARAM_LIST] = "a list",
		[PARAM_MAPS] = "a list of TYPE:NAME tables",
		[PARAM_NETS] = "a list of networks",
		[PARAM_LISTEN] = "a list of ADDRESS:PORT",
		[PARAM_PATH] = "a file name",
		[PARAM_PROTOCOLS] = "a list of protocols",
	};
	const char *c;

	(void)fputs(forms[p->kind], to);
	if (p->kind == PARAM_INT || p->kind == PARAM_BYTES ||
	    p->kind == PARAM_TIME) {
		(void)fputs(", from ", to);
		put_number(to, p, p->min);
		(void)fputs(" to ", to);
		put_number(to, p, p->max);
	}
	if (p->kind != PARAM_ENUM)
		return;
	(void)fputc(' ', to);
	for (c = p->choices; *c; c++)
		if (*c == '|')
			(void)fputs(c == p->choices ? "empty, " : ", ", to);
		else
			(void)fputc(*c, to);
}

static void
put_users(FILE *to, const struct param *p)
{
	const char *sep = "";
	unsigned i;

	if (!p->users)
		(void)fputs("other values", to);
	for (i = 0; i < SVC_COUNT; i++)
		if (p->users & SVC_BIT(i)) {
			(void)fprintf(to, "%s%s", sep, services[i].name);
			sep = ", ";
		}
}

/* A text line for roff: nothing in it is a request or an escape. */
static void
put_roff(FILE *to, const char *s)
{
	if (*s == '.' || *s == '\'')
		(void)fputs("\\&", to);
	for (; *s; s++)
		if (*s == '\\')
			(void)fputs("\\e", to);
		else if (*s == '-')
			(void)fputs("\\-", to);
		else
			(void)fputc(*s, to);
}

static void
manual_row(const struct param *p)
{
	(void)printf(".TP\n.B ");
	put_roff(stdout, p->name);
	(void)printf(" (default: ");
	put_roff(stdout, *p->def ? p->def : "empty");
	(void)printf(")\n");
	put_roff(stdout, p->text);
	(void)printf("\n.br\nForm: ");
	put_form(stdout, p);
	(void)printf(". Used by: ");
	put_users(stdout, p);
	(void)printf(".\n");
}

static const char manual_head[] =
	".\\\" Written by \"posthouse conf --manual\" from the parameter "
	"rows.\n"
	".TH MAIN.CF 5 \"\" Posthouse\n"
	".SH NAME\n"
	"main.cf \\- the configuration of Posthouse\n"
	".SH DESCRIPTION\n"
	"One file configures the whole mail system. It has the syntax of\n"
	"Postfix, and its parameters have the names and meanings of Postfix\n"
	"wherever Postfix has them. master(8) alone reads it, and hands each\n"
	"process the parameters that process uses.\n"
	".PP\n"
	"This is enough for a host that takes mail for example.com:\n"
	".PP\n"
	".RS\n.nf\n"
	"myhostname = mail.example.com\n"
	"virtual_mailbox_domains = example.com\n"
	"virtual_mailbox_maps = texthash:vmailbox\n"
	"virtual_mailbox_base = /var/mail/vhosts\n"
	"virtual_uid_maps = static:5000\n"
	"virtual_gid_maps = static:5000\n"
	".fi\n.RE\n"
	".PP\n"
	"with a directory /var/mail/vhosts of uid 5000, and two commands:\n"
	".B posthouse tls init \\-\\-write\n"
	"makes certificates to begin with and names them here,\n"
	".B posthouse user add\n"
	"makes users, and their lines in vmailbox. Users then send by port\n"
	"465 and read by port 993, as RFC 8314 prefers; for programs that\n"
	"want STARTTLS, see listen_submission and listen_imap.\n"
	".SS Lines\n"
	"Each parameter is set by a line\n"
	".PP\n"
	".RS\n.nf\nname = value\n.fi\n.RE\n"
	".PP\n"
	"A line that begins with a blank or tab continues the one before it.\n"
	"Empty lines and lines whose first character (after blanks) is # are\n"
	"passed over, also between a line and its continuation. A # further "
	"on\n"
	"is part of the value. When a name is set more than once, the last\n"
	"one counts, and a warning is given.\n"
	".SS References\n"
	"In a value, the following is replaced. Nothing may refer to itself,\n"
	"directly or through others.\n"
	".TP\n.B $name, ${name}, $(name)\nThe value of that parameter.\n"
	".TP\n.B ${name?text}, ${name?{text}}\n"
	"The text, if the value of name is not empty.\n"
	".TP\n.B ${name:text}, ${name:{text}}\n"
	"The text, if the value of name is empty or no such name is set.\n"
	".TP\n.B ${name?{text1}:{text2}}\n"
	"The first text if the value of name is not empty, else the second.\n"
	".TP\n.B $$\nA single $.\n"
	".PP\n"
	"A name that is no parameter may be set if another value refers to\n"
	"it. Any other unknown name is an error.\n"
	".B $config_directory\n"
	"is the directory of main.cf itself.\n"
	".SS Kinds of values\n"
	"Bytes and times are numbers with an optional unit: k, m, g (powers "
	"of\n"
	"1024); s, m, h, d, w (seconds without one). Lists have commas or\n"
	"blanks between their items. A lookup table is TYPE:NAME, where TYPE\n"
	"is hash, btree, texthash or cidr (NAME is a file), inline:{ key =\n"
	"value, ... }, static:VALUE, or unix:passwd.byname. File names are\n"
	"absolute or relative to the directory of main.cf.\n"
	".SS Safety\n"
	"main.cf and its directory must belong to root (or to the user who\n"
	"runs the command), and nobody else may be able to write them;\n"
	"otherwise they are refused. All errors are reported at once, each "
	"with\n"
	"file and line, and the exit status is 64; a running system goes on\n"
	"with the configuration it has.\n"
	".SS Names without effect\n"
	"These names of Postfix may be set, and mean nothing here:\n";

static const char manual_tail[] = ".SH SEE ALSO\n"
				  ".BR posthouse (8),\n"
				  ".BR master (8)\n";

int
render_manual(const struct param *const *sets)
{
	const struct param **all = sorted(sets);
	size_t i;

	if (!all)
		return EX_OSERR;
	(void)fputs(manual_head, stdout);
	for (i = 0; config_without_effect[i]; i++)
		(void)printf("%s%s", config_without_effect[i],
			     config_without_effect[i + 1] ? ",\n" : ".\n");
	(void)puts(".SH PARAMETERS");
	for (i = 0; all[i]; i++)
		manual_row(all[i]);
	(void)fputs(manual_tail, stdout);
	free(all);
	return 0;
}

/* A paragraph as comment lines of at most 79 columns. */
static void
put_comment(const char *s)
{
	size_t column = 0;

	while (*s) {
		size_t n = strcspn(s, " ");

		if (column && column + 1 + n > 79) {
			(void)fputc('\n', stdout);
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column ? " " : "# ", (int)n,
					 s);
		s += n;
		s += strspn(s, " ");
	}
	(void)fputc('\n', stdout);
}

int
render_sample(const struct param *const *sets)
{
	const struct param **all = sorted(sets);
	size_t i;

	if (!all)
		return EX_OSERR;
	(void)puts("# main.cf of Posthouse: every parameter with its "
		   "default.  Syntax: main.cf(5).\n"
		   "# Written by \"posthouse conf --sample\".");
	for (i = 0; all[i]; i++) {
		(void)puts("");
		put_comment(all[i]->text);
		(void)printf("#%s =%s%s\n", all[i]->name,
			     *all[i]->def ? " " : "", all[i]->def);
	}
	free(all);
	return 0;
}
