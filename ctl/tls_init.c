/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/fsx.h"
#include "cert/cert.h"
#include "cert/make.h"
#include "ctl.h"
#include "tls.h"

/*
 * posthouse tls init: a small certificate authority of this system's own, and
 * two certificates by it, ECDSA and RSA.  Whoever has ca.pem in his program's
 * trust store can verify them.
 */
enum {
	DAY = 24 * 3600,
	LEAF_DAYS = 824, /* more is too long for Apple's clients */
	CA_DAYS = 3650,
	PEM_MAX = 65536,
	NAMES_MAX = 8192,
};

static const char ca_file[] = "ca.pem", ca_key_file[] = "ca.key";

static const struct {
	const char *kind, *file;
} leaves[] = { { "P-256", "ecdsa.pem" }, { "RSA-2048", "rsa.pem" } };
enum { LEAVES = sizeof(leaves) / sizeof(leaves[0]) };

struct init {
	struct ctl *ctl;
	bool force, write;
	char dir[PATH_MAX];
	int fd; /* of dir */
	struct buf names;
	EVP_PKEY *ca_key;
	X509 *ca;
};

/* --- names --------------------------------------------------------------- */

static bool
has_name(const struct init *in, struct str name)
{
	struct str rest = buf_str(&in->names), one;

	while (str_token(&rest, " ", &one))
		if (str_ieq(one, name))
			return true;
	return false;
}

static void
add_name(struct init *in, struct str name)
{
	if (!name.n || has_name(in, name))
		return;
	if (in->names.n)
		(void)buf_add_byte(&in->names, ' ');
	(void)buf_add_str(&in->names, name);
}

/* Those items of a list that are plain names, not tables or files. */
static void
add_domains(struct init *in, const char *param)
{
	struct str rest = config_get(&in->ctl->conf, param), one;

	while (str_token(&rest, ", \t\r\n", &one))
		if (str_find(one, ':') < 0 && str_find(one, '/') < 0 &&
		    str_find(one, '!') < 0 && str_find(one, '{') < 0 &&
		    str_find(one, '}') < 0 && str_find(one, '=') < 0)
			add_name(in, one);
}

/* --- files --------------------------------------------------------------- */

static int
open_dir(struct init *in, struct err *err)
{
	char path[PATH_MAX + 8];

	if (in->dir[0] == '\0')
		(void)snprintf(path, sizeof(path), "%s/tls",
			       in->ctl->conf.dir.p);
	else
		(void)snprintf(path, sizeof(path), "%s", in->dir);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "%s", path);
	if (!realpath(path, in->dir))
		return err_sys(err, errno, "%s", path);
	in->fd = open(in->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in->fd < 0)
		return err_sys(err, errno, "%s", in->dir);
	return 0;
}

/* Nothing that is there already may be lost. */
static int
check_free(struct init *in, const char *name, struct err *err)
{
	struct stat st;

	if (in->force || fsx_fstatat(in->fd, name, &st) < 0)
		return 0;
	return err_set(err, ERR_PERM, EEXIST,
		       "%s/%s exists already; --force replaces it", in->dir,
		       name);
}

static int
put_file(struct init *in, const char *name, const struct buf *b, mode_t mode,
	 struct err *err)
{
	if (fsx_replace(in->fd, name, b->p, b->n, mode, err) < 0)
		return err_prefix(err, "%s/%s", in->dir, name);
	(void)printf("wrote %s/%s\n", in->dir, name);
	return 0;
}

static int
save(struct init *in, const char *name, EVP_PKEY *key, X509 *cert,
     struct err *err)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, PEM_MAX);
	(void)buf_reserve(&b, PEM_MAX / 2); /* so that it does not grow */
	if (key)
		rc = cert_put_key(&b, key, err);
	if (rc == 0 && cert)
		rc = cert_put(&b, cert, err);
	if (rc == 0)
		rc = put_file(in, name, &b, key ? 0600 : 0644, err);
	if (b.p)
		explicit_bzero(b.p, b.size);
	buf_fini(&b);
	return rc;
}

/* --- the authority ------------------------------------------------------- */

static FILE *
open_pem(struct init *in, const char *name)
{
	int fd = openat(in->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (fd >= 0 && !f)
		close(fd);
	return f;
}

/* One that is there already goes on being used: those who trust it need not be
 * told anything. */
static bool
load_ca(struct init *in, int64_t now)
{
	FILE *f = open_pem(in, ca_key_file);
	time_t until = (time_t)(now + LEAF_DAYS * (int64_t)DAY);

	if (f) {
		in->ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		(void)fclose(f);
	}
	f = open_pem(in, ca_file);
	if (f) {
		in->ca = PEM_read_X509(f, NULL, NULL, NULL);
		(void)fclose(f);
	}
	if (in->ca && in->ca_key &&
	    X509_check_private_key(in->ca, in->ca_key) == 1 &&
	    X509_cmp_time(X509_get0_notAfter(in->ca), &until) > 0)
		return true;
	EVP_PKEY_free(in->ca_key);
	X509_free(in->ca);
	in->ca_key = NULL;
	in->ca = NULL;
	return false;
}

static int
make_ca(struct init *in, int64_t now, struct err *err)
{
	struct str host = config_get(&in->ctl->conf, "myhostname");
	char cn[64];
	struct cert_wish w = { .kind = "P-256",
			       .cn = cn,
			       .names = STR(""),
			       .from = now - 3600,
			       .until = now + CA_DAYS * (int64_t)DAY,
			       .ca = true };

	(void)snprintf(cn, sizeof(cn), "Posthouse CA of %.*s", STR_FMT(host));
	if (check_free(in, ca_file, err) < 0 ||
	    check_free(in, ca_key_file, err) < 0 ||
	    cert_make(&w, &in->ca_key, &in->ca, err) < 0 ||
	    save(in, ca_key_file, in->ca_key, NULL, err) < 0)
		return -1;
	return save(in, ca_file, NULL, in->ca, err);
}

static int
make_leaf(struct init *in, size_t i, int64_t now, struct err *err)
{
	struct str names = buf_str(&in->names), first;
	char cn[65] = "";
	struct cert_wish w = { .kind = leaves[i].kind,
			       .cn = cn,
			       .names = names,
			       .from = now - 3600,
			       .until = now - 3600 + LEAF_DAYS * (int64_t)DAY,
			       .issuer = in->ca,
			       .issuer_key = in->ca_key };
	EVP_PKEY *key;
	X509 *cert;
	int rc;

	if (str_token(&names, " ", &first))
		(void)str_copy(cn, sizeof(cn), str_head(first, 64));
	if (cert_make(&w, &key, &cert, err) < 0)
		return -1;
	rc = save(in, leaves[i].file, key, cert, err);
	EVP_PKEY_free(key);
	X509_free(cert);
	return rc;
}

/* --- main.cf ------------------------------------------------------------- */

static int
configure(struct init *in, struct err *err)
{
	char files[2 * PATH_MAX + 100],
		level[] = "smtpd_tls_security_level=may";
	char *settings[3] = { files, NULL, NULL };
	struct str now = config_get(&in->ctl->conf, "smtpd_tls_security_level");
	size_t i;

	(void)snprintf(files, sizeof(files),
		       "smtpd_tls_chain_files=%s/%s, %s/%s", in->dir,
		       leaves[0].file, in->dir, leaves[1].file);
	if (!now.n || str_eq(now, STR("none")))
		settings[1] = level;
	if (in->write)
		return ctl_conf_set(in->ctl, settings, err);
	(void)printf("for main.cf (or use --write):\n");
	for (i = 0; settings[i]; i++) {
		struct str value = str_of(settings[i]), name;

		if (str_cut(&value, '=', &name))
			(void)printf("%.*s = %.*s\n", STR_FMT(name),
				     STR_FMT(value));
	}
	return 0;
}

/* --- the command --------------------------------------------------------- */

static int
make_all(struct init *in, struct err *err)
{
	int64_t now = (int64_t)time(NULL);
	size_t i;

	if (open_dir(in, err) < 0)
		return -1;
	for (i = 0; i < LEAVES; i++)
		if (check_free(in, leaves[i].file, err) < 0)
			return -1;
	if (!load_ca(in, now) && make_ca(in, now, err) < 0)
		return -1;
	for (i = 0; i < LEAVES; i++)
		if (make_leaf(in, i, now, err) < 0)
			return -1;
	(void)printf("names: %.*s\n", STR_FMT(buf_str(&in->names)));
	(void)printf("clients trust them that have %s/%s\n", in->dir, ca_file);
	return configure(in, err);
}

static int
options(struct init *in, int argc, char **argv)
{
	static const struct option known[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "dir", required_argument, NULL, 'd' },
		{ "force", no_argument, NULL, 'f' },
		{ "write", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (opt) {
		case 'n':
			add_name(in, str_of(optarg));
			break;
		case 'd':
			if (!str_copy(in->dir, sizeof(in->dir), str_of(optarg)))
				return -1;
			break;
		case 'f':
			in->force = true;
			break;
		case 'w':
			in->write = true;
			break;
		default:
			return -1;
		}
	return optind == argc ? 0 : -1;
}

int
tls_init(struct ctl *c, int argc, char **argv)
{
	struct init in = { .ctl = c, .fd = -1 };
	struct err err;
	int rc;

	buf_init(&in.names, NAMES_MAX);
	if (ctl_config(c) != 0) {
		rc = EX_USAGE;
		goto out;
	}
	add_name(&in, config_get(&c->conf, "myhostname"));
	if (options(&in, argc, argv) < 0) {
		rc = ctl_usage("tls");
		goto out;
	}
	add_domains(&in, "virtual_mailbox_domains");
	add_domains(&in, "mydestination");
	add_name(&in, STR("localhost"));
	add_name(&in, STR("127.0.0.1"));
	add_name(&in, STR("::1"));
	umask(022); /* keys are made 0600 */
	rc = make_all(&in, &err) < 0 ? -1 : 0;
	if (rc < 0) {
		ctl_error("tls", "%s", err.text);
		rc = ctl_status(&err);
	}
out:
	if (in.fd >= 0)
		close(in.fd);
	EVP_PKEY_free(in.ca_key);
	X509_free(in.ca);
	buf_fini(&in.names);
	return rc;
}
