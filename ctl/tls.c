/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cert/cert.h"
#include "table/tls_files.h"
#include "tls.h"

enum { DAY = 24 * 3600, SOON_DAYS = 21 };

/* What is done with each file that main.cf names. */
struct look {
	struct ctl *ctl;
	int64_t now;
	unsigned problems, groups; /* with a chain that can be used: 1 mx, 2
				      user */
};

typedef void each_file(struct look *l, const struct tls_file *t,
		       const struct cert_file *f, const struct err *why);

static int
list_files(struct ctl *c, struct tls_files *f, struct err *err)
{
	const struct config *conf = &c->conf;
	const struct tls_params p = {
		.dir = conf->dir,
		.chain_files = config_get(conf, "smtpd_tls_chain_files"),
		.login_chain_files = config_get(conf, "login_tls_chain_files"),
		.cert_file = config_get(conf, "smtpd_tls_cert_file"),
		.key_file = config_get(conf, "smtpd_tls_key_file"),
		.eccert_file = config_get(conf, "smtpd_tls_eccert_file"),
		.eckey_file = config_get(conf, "smtpd_tls_eckey_file"),
		.sni_maps = config_get(conf, "tls_server_sni_maps"),
		.out_chain_files = config_get(conf, "smtp_tls_chain_files"),
		.out_cert_file = config_get(conf, "smtp_tls_cert_file"),
		.out_key_file = config_get(conf, "smtp_tls_key_file"),
		.out_eccert_file = config_get(conf, "smtp_tls_eccert_file"),
		.out_eckey_file = config_get(conf, "smtp_tls_eckey_file"),
	};

	return tls_files_list(f, &p, err);
}

/* As master reads it and keyd takes it. */
static int
load(const struct tls_file *t, int64_t now, struct cert_file *f,
     struct err *err)
{
	bool apart = t->key_path.n > 0;
	struct buf chain, key;
	struct str key_bytes;
	int rc;

	*f = (struct cert_file){ .n = 0 };
	buf_init(&chain, TLS_FILE_SIZE_MAX + 1);
	buf_init(&key, TLS_FILE_SIZE_MAX + 1);
	rc = tls_file_read(t->path.p, !apart || str_eq(t->path, t->key_path),
			   &chain, err);
	if (rc == 0 && apart &&
	    tls_file_read(t->key_path.p, true, &key, err) < 0)
		rc = err_prefix(err, "key file %s", t->key_path.p);
	key_bytes = buf_str(&key);
	if (rc == 0)
		rc = cert_file_load(f, buf_str(&chain),
				    apart ? &key_bytes : NULL, now, err);
	if (chain.p)
		explicit_bzero(chain.p, chain.size);
	if (key.p)
		explicit_bzero(key.p, key.size);
	buf_fini(&chain);
	buf_fini(&key);
	return rc;
}

static int
walk(struct look *l, each_file *each)
{
	struct tls_files *files = calloc(1, sizeof(*files));
	struct cert_file f;
	struct err err;
	size_t i;
	int rc = 0;

	if (!files)
		return EX_TEMPFAIL;
	if (ctl_config(l->ctl) != 0) {
		rc = EX_USAGE;
	} else if (list_files(l->ctl, files, &err) < 0) {
		ctl_error("tls", "%s", err.text);
		rc = EX_USAGE;
	}
	for (i = 0; rc == 0 && i < files->n; i++) {
		int good = load(&files->v[i], l->now, &f, &err);

		each(l, &files->v[i], &f, good < 0 ? &err : NULL);
		cert_file_free(&f);
	}
	tls_files_free(files);
	free(files);
	return rc;
}

/* --- show ---------------------------------------------------------------- */

static void
print_hash(const char *what, const uint8_t hash[CERT_HASH], const char *sep)
{
	size_t i;

	(void)printf("  %-12s", what);
	for (i = 0; i < CERT_HASH; i++)
		(void)printf(sep[0] ? "%s%02X" : "%s%02x", i ? sep : "",
			     hash[i]);
	(void)putchar('\n');
}

static void
print_dates(const struct look *l, const struct cert_chain *c)
{
	int64_t days = (c->not_after - l->now) / DAY;
	char from[CERT_DATE], until[CERT_DATE];

	(void)printf("  valid       %s to %s, %lld day%s left\n",
		     cert_date(c->not_before, from),
		     cert_date(c->not_after, until), (long long)days,
		     days == 1 ? "" : "s");
}

static void
print_warning(struct str text)
{
	if (text.n)
		(void)printf("  warning     %.*s\n", STR_FMT(text));
}

static bool
is_served(const struct tls_file *t)
{
	return t->mx || t->user;
}

static void
show_file(struct look *l, const struct tls_file *t, const struct cert_file *f,
	  const struct err *why)
{
	const char *users = t->mx && t->user ? "port 25 and people's programs"
			    : t->mx	     ? "port 25"
			    : t->user	     ? "people's programs"
					     : "";
	const char *out = t->out ? "other hosts, where we send" : "";
	size_t i;

	(void)printf("%.*s\n  for         %s%s%s%s%.*s\n", STR_FMT(t->path),
		     users, *users && *out ? ", and " : "", out,
		     t->names.n ? " that ask for " : "", STR_FMT(t->names));
	if (t->key_path.n && !str_eq(t->path, t->key_path))
		(void)printf("  key file    %.*s\n", STR_FMT(t->key_path));
	if (why) {
		(void)printf("  unusable    %s\n", why->text);
		l->problems++;
		return;
	}
	for (i = 0; i < f->n; i++) {
		const struct cert_chain *c = &f->v[i];

		(void)printf("  key         %s\n", c->kind);
		(void)printf("  names       %.*s\n", STR_FMT(c->names));
		(void)printf("  issuer      %.*s (%zu certificate%s in the "
			     "chain)\n",
			     STR_FMT(c->issuer), c->n, c->n == 1 ? "" : "s");
		print_dates(l, c);
		print_hash("SHA-256", c->fingerprint, ":");
		print_hash("TLSA 3 1 1", c->spki, "");
		print_warning(c->warning);
		if (is_served(t))
			print_warning(c->server_warning);
	}
}

int
tls_show(struct ctl *c)
{
	struct look l = { .ctl = c, .now = (int64_t)time(NULL) };
	int rc = walk(&l, show_file);

	return rc ? rc : l.problems > 0;
}

/* --- check --------------------------------------------------------------- */

static void
problem(struct look *l, const struct tls_file *t, const char *text)
{
	(void)printf("%.*s: %s\n", STR_FMT(t->path), text);
	l->problems++;
}

static void
check_file(struct look *l, const struct tls_file *t, const struct cert_file *f,
	   const struct err *why)
{
	struct str host = config_get(&l->ctl->conf, "myhostname");
	char text[512], date[CERT_DATE];
	size_t i;

	if (why) {
		problem(l, t, why->text);
		return;
	}
	for (i = 0; i < f->n; i++) {
		const struct cert_chain *c = &f->v[i];

		if (c->warning.n)
			problem(l, t, c->warning.p);
		if (is_served(t) && c->server_warning.n)
			problem(l, t, c->server_warning.p);
		if (c->not_after - l->now < SOON_DAYS * (int64_t)DAY) {
			(void)snprintf(text, sizeof(text),
				       "the certificate expires on %s; renew "
				       "it",
				       cert_date(c->not_after, date));
			problem(l, t, text);
		}
		if (is_served(t) && !t->names.n && !cert_covers(c, host)) {
			(void)snprintf(text, sizeof(text),
				       "no name of the certificate covers "
				       "myhostname (%.*s)",
				       STR_FMT(host));
			problem(l, t, text);
		}
	}
	if (!t->names.n)
		l->groups |= (t->mx ? 1u : 0) | (t->user ? 2u : 0);
}

int
tls_check(struct ctl *c)
{
	static const char *const whom[] = { NULL, "port 25",
					    "people's programs",
					    "port 25 and people's programs" };
	struct look l = { .ctl = c, .now = (int64_t)time(NULL) };
	int rc = walk(&l, check_file);

	if (rc)
		return rc;
	if (l.groups != 3) {
		(void)printf("main.cf: no certificate for %s "
			     "(smtpd_tls_chain_files)\n",
			     whom[3 & ~l.groups]);
		l.problems++;
	}
	return l.problems > 0;
}

/* posthouse tls init|show|check */
int
cmd_tls(struct ctl *c, int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "init") == 0)
		return tls_init(c, argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[1], "show") == 0)
		return tls_show(c);
	if (argc == 2 && strcmp(argv[1], "check") == 0)
		return tls_check(c);
	return ctl_usage(argv[0]);
}
