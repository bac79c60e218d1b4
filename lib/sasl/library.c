/* SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <sasl/saslutil.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "sasl/library.h"

/* --- in the place of other functions -------------------------------------- */

/*
 * libsasl2's own generator seeds jrand48() with six bytes of /dev/urandom, or
 * with pid and time where it cannot open that, as here.  libsasl2 calls these
 * through its symbol table, where the program's definitions come first (the
 * tests of authd and smtp prove it).
 */
struct sasl_rand_s {
	char unused;
};

int
sasl_randcreate(sasl_rand_t **pool)
{
	static struct sasl_rand_s one;

	*pool = &one;
	return SASL_OK;
}

void
sasl_randfree(sasl_rand_t **pool)
{
	*pool = NULL;
}

void
sasl_randseed(sasl_rand_t *pool, const char *seed, unsigned n)
{
	(void)pool;
	(void)seed;
	(void)n;
}

void
sasl_churn(sasl_rand_t *pool, const char *data, unsigned n)
{
	(void)pool;
	(void)data;
	(void)n;
}

void
sasl_rand(sasl_rand_t *pool, char *out, unsigned n)
{
	(void)pool;
	rand_bytes(out, n);
}

/*
 * sasl_client_new() asks for the name of this host, and if that has no dot, has
 * the DNS complete it: neither can be had in a jail, and none of the mechanisms
 * says it.  In the way of sasl_rand().
 */
int gethostname(char *name, size_t size); /* unistd.h may have it inline */

int
gethostname(char *name, size_t size)
{
	(void)snprintf(name, size, "localhost.localdomain");
	return 0;
}

/* --- what libsasl2 asks us ------------------------------------------------ */

static int
on_getopt(void *arg, const char *plugin, const char *option, const char **value,
	  unsigned *n)
{
	(void)arg;
	(void)plugin;
	if (strcmp(option, "mech_list") == 0)
		*value = "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256";
	else if (strcmp(option, "pwcheck_method") == 0)
		*value = "none";
	else
		return SASL_FAIL;
	if (n)
		*n = (unsigned)strlen(*value);
	return SASL_OK;
}

/* Levels above warnings may quote what a client sent, passwords too. */
static int
on_log(void *arg, int level, const char *text)
{
	(void)arg;
	if (level <= SASL_LOG_WARN && text)
		log_debug("libsasl2: %s", LOGQ(str_of(text)));
	return SASL_OK;
}

/* Nothing is looked for in the file system. */
static int
on_getpath(void *arg, const char **path)
{
	(void)arg;
	*path = "/nonexistent";
	return SASL_OK;
}

static int
on_verifyfile(void *arg, const char *file, int type)
{
	(void)arg;
	(void)file;
	(void)type;
	return SASL_CONTINUE; /* not this one */
}

/* --- its life ------------------------------------------------------------- */

/* It does not wipe all that it copies. */
static void
wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static int
load_plugin(enum sasl_side side, const char *name, struct err *err)
{
	char path[256];
	void *lib, *init;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/lib%s.so", SASL_PLUGINS, name);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* until the process ends */
	init = lib ? dlsym(lib, side == SASL_SERVER ? "sasl_server_plug_init"
						    : "sasl_client_plug_init")
		   : NULL;
	if (!init)
		return err_set(err, ERR_PERM, ENOENT, "%s: %s", path,
			       dlerror());
	rc = side == SASL_SERVER
		     ? sasl_server_add_plugin(name,
					      (sasl_server_plug_init_t *)init)
		     : sasl_client_add_plugin(name,
					      (sasl_client_plug_init_t *)init);
	if (rc != SASL_OK)
		return err_set(err, ERR_PERM, EINVAL, "%s: does not fit", path);
	return 0;
}

static int
load(enum sasl_side side, struct err *err)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_GETOPT, SASL_PROC(on_getopt), NULL },
		{ SASL_CB_LOG, SASL_PROC(on_log), NULL },
		{ SASL_CB_GETPATH, SASL_PROC(on_getpath), NULL },
		{ SASL_CB_GETCONFPATH, SASL_PROC(on_getpath), NULL },
		{ SASL_CB_VERIFYFILE, SASL_PROC(on_verifyfile), NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	int rc;

	sasl_set_alloc(malloc, calloc, realloc, wiping_free);
	rc = side == SASL_SERVER ? sasl_server_init(callbacks, "posthouse")
				 : sasl_client_init(callbacks);
	if (rc != SASL_OK)
		return err_set(err, ERR_PERM, EINVAL, "libsasl2 does not work");
	if (load_plugin(side, "plain", err) < 0 ||
	    load_plugin(side, "login", err) < 0 ||
	    load_plugin(side, "scram", err) < 0)
		return -1;
	return 0;
}

int
sasl_library_load(enum sasl_side side, struct err *err)
{
	static bool done[2]; /* as libsasl2: once a process */

	if (done[side])
		return 0;
	if (load(side, err) < 0)
		return -1;
	done[side] = true;
	return 0;
}
