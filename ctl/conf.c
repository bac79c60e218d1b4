/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fsx.h"
#include "ctl.h"
#include "frame/registry.h"
#include "render.h"

enum { MESSAGES_MAX = 64 * 1024 };

struct show {
	bool set_only, expanded, bare;
};

static void
show_value(const struct show *how, const struct config_value *v)
{
	struct str value = how->expanded ? v->text : v->raw;

	if (!how->bare)
		(void)printf("%.*s =%s", STR_FMT(v->name), value.n ? " " : "");
	(void)printf("%.*s\n", STR_FMT(value));
}

static int
show_name(const struct show *how, const struct config *conf, const char *name)
{
	const struct config_value *v = config_find(conf, str_of(name));
	const char *near;

	if (v) {
		show_value(how, v);
		return 0;
	}
	near = config_nearest(conf, str_of(name));
	ctl_error("conf", "unknown parameter \"%s\"%s%s%s", name,
		  near ? ", did you mean " : "", near ? near : "",
		  near ? "?" : "");
	return 1;
}

static int
show(const struct show *how, const struct config *conf, char **names)
{
	int rc = 0;
	size_t i;

	if (*names) {
		for (; *names; names++)
			rc |= show_name(how, conf, *names);
		return rc;
	}
	for (i = 0; i < conf->n; i++)
		if (how->set_only ? conf->v[i]->line != 0
				  : conf->v[i]->row != NULL)
			show_value(how, conf->v[i]);
	return 0;
}

/* As main.cf would read if it were empty. */
static int
show_defaults(struct ctl *c, const struct show *how, char **names)
{
	struct buf messages;
	struct config conf;
	struct err err;
	int rc;

	buf_init(&messages, MESSAGES_MAX);
	rc = config_load_text(&conf, param_sets, c->confdir, STR(""), &messages,
			      &err);
	(void)fputs(buf_cstr(&messages), stderr);
	rc = rc < 0 ? EX_USAGE : show(how, &conf, names);
	config_fini(&conf);
	buf_fini(&messages);
	return rc;
}

/* The text with each NAME=VALUE put in. */
static int
edit_text(struct buf *text, char **settings, struct err *err)
{
	struct buf next;
	struct str value, name;

	for (; *settings; settings++) {
		value = str_of(*settings);
		if (!str_cut(&value, '=', &name))
			return err_set(err, ERR_PERM, EINVAL,
				       "\"%s\": want NAME=VALUE", *settings);
		buf_init(&next, text->limit);
		if (maincf_edit(buf_str(text), str_trim(name), value, &next,
				err) < 0) {
			buf_fini(&next);
			return -1;
		}
		buf_fini(text);
		*text = next;
	}
	return 0;
}

static int
validate(const char *dir, struct str text, struct err *err)
{
	struct buf messages;
	struct config conf;
	int rc;

	buf_init(&messages, MESSAGES_MAX);
	rc = config_load_text(&conf, param_sets, dir, text, &messages, err);
	(void)fputs(buf_cstr(&messages), stderr);
	config_fini(&conf);
	buf_fini(&messages);
	if (rc < 0)
		return err_prefix(err, "main.cf was not changed");
	return 0;
}

/* Two editors at once: one waits, and then reads what the first has written. */
static int
lock_dir(const char *confdir, struct err *err)
{
	int fd = open(confdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	err_sys(err, errno, "%s", confdir);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Nobody sees a half-written main.cf, or one that master would refuse. */
int
ctl_conf_set(struct ctl *c, char **settings, struct err *err)
{
	int dirfd = -1, rc = -1, lock = lock_dir(c->confdir, err);
	char *dir = NULL;
	struct stat st;
	struct buf text;

	if (lock < 0)
		return -1;
	buf_init(&text, MAINCF_MAX + 64 * 1024);
	if (config_read(c->confdir, &dir, &dirfd, &text, err) < 0)
		goto out;
	if (fsx_fstatat(dirfd, "main.cf", &st) < 0 || !S_ISREG(st.st_mode)) {
		err_set(err, ERR_PERM, ELOOP,
			"%s/main.cf is a link, want a plain file", dir);
		goto out;
	}
	if (edit_text(&text, settings, err) < 0 ||
	    validate(dir, buf_str(&text), err) < 0)
		goto out;
	umask(0); /* the mode stays as it is */
	rc = fsx_replace(dirfd, "main.cf", text.p, text.n, st.st_mode & 0777,
			 err);
out:
	if (dirfd >= 0)
		close(dirfd);
	close(lock);
	free(dir);
	buf_fini(&text);
	return rc;
}

static int
cmd_edit(struct ctl *c, const char *command, char **settings)
{
	struct err err;

	if (!*settings)
		return ctl_usage(command);
	if (ctl_conf_set(c, settings, &err) == 0)
		return 0;
	ctl_error(command, "%s", err.text);
	return err.class == ERR_TEMP ? EX_TEMPFAIL : EX_USAGE;
}

int
cmd_conf(struct ctl *c, int argc, char **argv)
{
	struct show how = { 0 };
	bool defaults = false, editing = false;
	int opt;

	if (argc == 2 && strcmp(argv[1], "--manual") == 0)
		return render_manual(param_sets);
	if (argc == 2 && strcmp(argv[1], "--sample") == 0)
		return render_sample(param_sets);
	while ((opt = getopt(argc, argv, "ndxhe")) != -1)
		switch (opt) {
		case 'n':
			how.set_only = true;
			break;
		case 'd':
			defaults = true;
			break;
		case 'x':
			how.expanded = true;
			break;
		case 'h':
			how.bare = true;
			break;
		case 'e':
			editing = true;
			break;
		default:
			return ctl_usage(argv[0]);
		}
	if (editing + defaults + how.set_only > 1)
		return ctl_usage(argv[0]);
	if (editing)
		return cmd_edit(c, argv[0], argv + optind);
	if (defaults)
		return show_defaults(c, &how, argv + optind);
	if (ctl_config(c) != 0)
		return EX_USAGE;
	return show(&how, &c->conf, argv + optind);
}
