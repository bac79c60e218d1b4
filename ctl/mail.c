/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "mail.h"
#include "mail/uidl.h"
#include "store/adopt.h"
#include "store/foreign.h"
#include "store/verify.h"
#include "user.h"

/* --- what the verbs share ------------------------------------------------- */

void
mail_say(const char *folder, const char *fmt, ...)
{
	va_list ap;

	(void)printf("%s: ", folder);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

void
mail_wrong(struct mail *m, const char *folder, const char *fmt, ...)
{
	va_list ap;

	m->wrong = true;
	(void)printf("%s: ", folder);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

int
mail_read(int dir, const char *name, struct pool *pool, struct str *out,
	  struct err *err)
{
	int fd = fsx_open(dir, name, O_RDONLY | O_NONBLOCK, 0), rc = 0;
	struct stat st;
	char *p;

	*out = STR("");
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(err, errno, "%s", name);
	if (fsx_fstat(fd, &st) < 0)
		rc = err_sys(err, errno, "%s", name);
	else if (!S_ISREG(st.st_mode) || st.st_size > FOREIGN_FILE_MAX)
		rc = err_set(err, ERR_PERM, EFBIG,
			     "%s: not a file, or too "
			     "long",
			     name);
	if (rc == 0 && st.st_size) {
		p = pool_alloc(pool, (size_t)st.st_size);
		if (!p)
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		else
			rc = fsx_pread_all(fd, p, (size_t)st.st_size, 0, err);
		*out = str_mem(p, (size_t)st.st_size);
	}
	fsx_close(fd);
	return rc;
}

/* --- folders -------------------------------------------------------------- */

struct names {
	char **v;
	size_t n, size;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
add_name(struct names *l, const char *name, struct err *err)
{
	char **v;

	if (l->n == l->size) {
		l->size = l->size ? 2 * l->size : 32;
		v = reallocarray(l->v, l->size, sizeof(*v));
		if (!v)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		l->v = v;
	}
	l->v[l->n] = strdup(name);
	if (!l->v[l->n])
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	l->n++;
	return 0;
}

static int
read_names(int maildir, struct names *l, struct err *err)
{
	struct fsx_dir *d = fsx_opendir(maildir, ".");
	char clean[STORE_NAME_MAX + 1];
	const char *name;
	struct err bad;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "the mailbox");
	while (rc == 0 && (errno = 0, name = fsx_readdir(d, NULL)))
		if (name[0] == '.' &&
		    store_name_check(str_of(name + 1), clean, &bad) == 0 &&
		    strcmp(clean, name + 1) == 0 && strcmp(clean, "INBOX") != 0)
			rc = add_name(l, clean, err);
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "the mailbox");
	fsx_closedir(d);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return rc;
}

/* Done with this one; *found: it is a Maildir. */
static int
one_folder(struct mail *m, int maildir, const char *name, mail_folder_fn *fn,
	   bool *found, struct err *err)
{
	char path[STORE_NAME_MAX + 2];
	struct stat st;
	int dir, rc;

	(void)snprintf(path, sizeof(path), ".%s",
		       strcmp(name, "INBOX") == 0 ? "" : name);
	dir = fsx_open(maildir, path, O_RDONLY | O_DIRECTORY, 0);
	*found = dir >= 0 && fsx_fstatat(dir, "cur", &st) == 0 &&
		 S_ISDIR(st.st_mode);
	rc = *found ? fn(m, name, dir, err) : 0;
	if (dir >= 0)
		fsx_close(dir);
	return rc < 0 ? err_prefix(err, "%s", name) : 0;
}

int
mail_each(struct mail *m, int maildir, mail_folder_fn *fn, struct err *err)
{
	struct names l = { .n = 0 };
	char clean[STORE_NAME_MAX + 1];
	bool found;
	size_t i;
	int rc;

	if (m->args->folder) {
		if (store_name_check(str_of(m->args->folder), clean, err) < 0)
			return -1;
		rc = one_folder(m, maildir, clean, fn, &found, err);
		if (rc == 0 && !found)
			rc = err_set(err, ERR_PERM, ENOENT,
				     "there is no folder %s", clean);
		return rc;
	}
	rc = one_folder(m, maildir, "INBOX", fn, &found, err);
	if (rc == 0 && !found)
		rc = err_set(err, ERR_PERM, ENOENT, "there is no Maildir");
	if (rc == 0)
		rc = read_names(maildir, &l, err);
	for (i = 0; i < l.n; i++) {
		if (rc == 0)
			rc = one_folder(m, maildir, l.v[i], fn, &found, err);
		free(l.v[i]);
	}
	free(l.v);
	return rc;
}

/* --- verify, rebuild ------------------------------------------------------ */

struct verifying {
	struct mail *m;
	const char *name;
};

static void
on_wrong(void *arg, const char *text)
{
	struct verifying *v = arg;

	mail_wrong(v->m, v->name, "%s", text);
}

static int
verify_folder(struct mail *m, const char *name, int dir, struct err *err)
{
	struct verifying v = { m, name };
	struct verified out;

	if (store_verify(dir, on_wrong, &v, &out, err) < 0)
		return -1;
	if (out.no_log)
		mail_say(name, "no index yet, %llu files",
			 (unsigned long long)out.fresh);
	else
		mail_say(name, "%llu messages, %llu files that are new",
			 (unsigned long long)out.messages,
			 (unsigned long long)out.fresh);
	return 0;
}

int
mail_verify(struct mail *m, struct err *err)
{
	return mail_each(m, m->root, verify_folder, err);
}

static int
rebuild_folder(struct mail *m, const char *name, int dir, struct err *err)
{
	struct store *st = store_open(m->root, ".", m->host, err);
	size_t n;
	int rc;

	(void)dir;
	if (!st)
		return -1;
	rc = store_rebuild(st, name, &n, err);
	if (rc == 0)
		mail_say(name, "%zu messages", n);
	store_finish(st);
	store_close(st);
	return rc;
}

int
mail_rebuild(struct mail *m, struct err *err)
{
	return mail_each(m, m->root, rebuild_folder, err);
}

/* --- the command ---------------------------------------------------------- */

static const struct {
	const char *name;
	mail_verb *run;
	bool create;
} verbs[] = {
	{ "verify", mail_verify, false },
	{ "rebuild", mail_rebuild, false },
	{ "import", mail_import, true },
	{ "export", mail_export, false },
};
enum { NVERBS = sizeof(verbs) / sizeof(verbs[0]) };

static int
parse(int argc, char **argv, size_t *verb, struct mail_args *a)
{
	static const struct option options[] = {
		{ "folder", required_argument, NULL, 'f' },
		{ "from", required_argument, NULL, 'd' },
		{ "mbox", required_argument, NULL, 'm' },
		{ "uidl-format", required_argument, NULL, 'u' },
		{ "force", no_argument, NULL, 'F' },
		{ "courier", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'f':
			a->folder = optarg;
			break;
		case 'd':
			a->from = optarg;
			break;
		case 'm':
			a->mbox = optarg;
			break;
		case 'u':
			a->uidl_format = optarg;
			break;
		case 'F':
			a->force = true;
			break;
		case 'c':
			a->courier = true;
			break;
		default:
			return -1;
		}
	if (argc - optind != 2)
		return -1;
	for (*verb = 0; *verb < NVERBS; ++*verb)
		if (strcmp(argv[optind], verbs[*verb].name) == 0)
			break;
	a->user = argv[optind + 1];
	if (*verb == NVERBS || (a->mbox && (a->from || a->force)) ||
	    ((a->from || a->mbox || a->force || a->uidl_format) &&
	     verbs[*verb].run != mail_import) ||
	    (a->courier && verbs[*verb].run != mail_export))
		return -1;
	return 0;
}

/* What else is read, opened as the user. */
static int
open_sources(void *arg, struct err *err)
{
	struct mail *m = arg;
	const char *name;
	struct stat st;

	if (m->args->from) {
		m->from = fsx_open(m->from, ".", O_RDONLY | O_DIRECTORY, 0);
		if (m->from < 0)
			return err_sys(err, errno, "%s", m->args->from);
	}
	if (!m->args->mbox)
		return 0;
	name = strrchr(m->args->mbox, '/');
	name = name ? name + 1 : m->args->mbox;
	m->mbox = fsx_open(m->mbox, name, O_RDONLY | O_NONBLOCK, 0);
	if (m->mbox < 0 || fsx_fstat(m->mbox, &st) < 0)
		return err_sys(err, errno, "%s", m->args->mbox);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_PERM, EINVAL, "%s: not a file",
			       m->args->mbox);
	return 0;
}

static int
work(const struct mail_place *p, size_t verb, struct mail *m)
{
	mail_verb *run = m->args->mbox ? mail_mbox : verbs[verb].run;
	struct err err;

	m->root = mail_enter(p, verbs[verb].create, open_sources, m, &err);
	if (m->root >= 0 && !m->args->from)
		m->from = m->root;
	if (m->root >= 0 && run(m, &err) == 0)
		return m->wrong ? 1 : 0;
	ctl_error("mail", "%s", err.text);
	return user_status(&err);
}

/* In a child, so that this process never is the user. */
static int
run_child(const struct mail_place *p, size_t verb, struct mail *m)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		status = work(p, verb, m);
		if (fflush(stdout) != 0)
			status = EX_IOERR;
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		ctl_error("mail", "fork: %s", strerror(errno));
		return EX_TEMPFAIL;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	ctl_error("mail", "ended by signal %d", WTERMSIG(status));
	return EX_SOFTWARE;
}

static int
locate(struct ctl *c, const struct mail_args *a, struct mail_place *p,
       struct mail *m, struct err *err)
{
	char *at, *slash, dir[4096];

	if (a->uidl_format &&
	    uidl_format_check(str_of(a->uidl_format), err) < 0)
		return -1;
	for (at = a->user; !strchr(a->user, '/') && *at; at++)
		*at = ascii_lower(*at);
	if (mail_locate(c, a->user, p, err) < 0)
		return -1;
	if (a->from && (m->from = mail_path(a->from, err)) < 0)
		return -1;
	if (!a->mbox)
		return 0;
	/* The directory; the file is opened by the user. */
	slash = strrchr(a->mbox, '/');
	if (!slash)
		m->mbox = mail_path(".", err);
	else if (str_copy(dir, sizeof(dir),
			  str_mem(a->mbox, (size_t)(slash - a->mbox) + 1)))
		m->mbox = mail_path(dir, err);
	else
		err_set(err, ERR_PERM, ENAMETOOLONG, "%s", a->mbox);
	return m->mbox < 0 ? -1 : 0;
}

int
cmd_mail(struct ctl *c, int argc, char **argv)
{
	const char *command = argv[0];
	struct mail_args a = { .user = NULL };
	struct mail m = { .args = &a, .root = -1, .from = -1, .mbox = -1 };
	struct mail_place p;
	struct err err;
	size_t verb = 0;

	if (parse(argc, argv, &verb, &a) < 0)
		return ctl_usage(command);
	if (gethostname(m.host, sizeof(m.host) - 1) < 0)
		(void)snprintf(m.host, sizeof(m.host), "localhost");
	log_open(-1, "posthouse");
	if (ctl_config(c) != 0)
		return EX_USAGE;
	m.uidl_format = config_get(&c->conf, "pop3_uidl_format");
	if (locate(c, &a, &p, &m, &err) == 0)
		return run_child(&p, verb, &m);
	ctl_error(command, "%s", err.text);
	return user_status(&err);
}
