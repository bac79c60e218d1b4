/* SPDX-License-Identifier: ISC */
#include <crypt.h>
#include <errno.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <shadow.h>
#include <stdlib.h>

#include "base/log.h"
#include "pam_check.h"

bool
pam_service_ok(struct str name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.",
			    name.p[i]) ||
		    !name.p[i])
			return false;
	return name.n > 0 && name.n <= 32 && name.p[0] != '.';
}

/* --- the conversation ----------------------------------------------------- */

static void
free_replies(struct pam_response *r, int n)
{
	while (n-- > 0) {
		if (r[n].resp)
			explicit_bzero(r[n].resp, strlen(r[n].resp));
		free(r[n].resp);
	}
	free(r);
}

/* libpam frees the replies; modules wipe what they were given. */
static int
converse(int n, const struct pam_message **in, struct pam_response **out,
	 void *arg)
{
	const char *password = arg;
	struct pam_response *r;
	int i;

	if (n <= 0 || n > PAM_MAX_NUM_MSG || !password)
		return PAM_CONV_ERR;
	r = calloc((size_t)n, sizeof(*r));
	if (!r)
		return PAM_BUF_ERR;
	for (i = 0; i < n; i++) {
		switch (in[i]->msg_style) {
		case PAM_PROMPT_ECHO_OFF:
			r[i].resp = strdup(password);
			if (r[i].resp)
				break;
			free_replies(r, n);
			return PAM_BUF_ERR;
		case PAM_ERROR_MSG:
		case PAM_TEXT_INFO:
			break; /* nobody is there to read it */
		default:
			free_replies(r, n);
			return PAM_CONV_ERR;
		}
	}
	*out = r;
	return PAM_SUCCESS;
}

static void
no_delay(int status, unsigned usec, void *arg)
{
	(void)status;
	(void)usec;
	(void)arg;
}

/* --- the start ------------------------------------------------------------ */

static int
begin(struct pam_checker *p, const char *user, struct pam_conv *conv,
      pam_handle_t **pam)
{
	return p->confdir ? pam_start_confdir(p->service, user, conv,
					      p->confdir, pam)
			  : pam_start(p->service, user, conv, pam);
}

/* How this system hashes: as the first of its users has it. */
static void
find_dummy(struct pam_checker *p)
{
	struct spwd *sp;

	(void)!str_copy(p->dummy, sizeof(p->dummy),
			STR("$6$posthouse.nobody$"));
	setspent();
	while ((sp = getspent()))
		if (sp->sp_pwdp && sp->sp_pwdp[0] == '$' &&
		    strlen(sp->sp_pwdp) < sizeof(p->dummy)) {
			(void)!str_copy(p->dummy, sizeof(p->dummy),
					str_of(sp->sp_pwdp));
			/* The hash itself says no more than its setting. */
			*(strrchr(p->dummy, '$') + 1) = '\0';
			break;
		}
	endspent();
}

int
pam_checker_init(struct pam_checker *p, struct str service, const char *confdir,
		 struct err *err)
{
	struct pam_conv conv = { converse, NULL };
	pam_handle_t *pam = NULL;
	int rc;

	*p = (struct pam_checker){ .confdir = confdir };
	if (!pam_service_ok(service) ||
	    !str_copy(p->service, sizeof(p->service), service))
		return err_set(err, ERR_PERM, EINVAL,
			       "pam_service: want 1 to 32 of a-z, 0-9, \"-\", "
			       "\"_\", \".\"");
	/* NSS opens its own files at the first question. */
	(void)getpwnam("root");
	find_dummy(p);
	rc = begin(p, "root", &conv, &pam);
	if (rc != PAM_SUCCESS)
		return err_set(err, ERR_PERM, 0, "PAM service %s: %s",
			       p->service, pam_strerror(pam, rc));
	p->loaded = pam;
	return 0;
}

void
pam_checker_fini(struct pam_checker *p)
{
	if (p->loaded)
		pam_end(p->loaded, PAM_SUCCESS);
	p->loaded = NULL;
}

/* --- a check -------------------------------------------------------------- */

static enum pam_verdict
verdict_of(int rc)
{
	switch (rc) {
	case PAM_SUCCESS:
		return PAM_VERDICT_YES;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_INSUFFICIENT:
		return PAM_VERDICT_NO;
	default:
		return PAM_VERDICT_TEMP;
	}
}

static void
hash_for_nobody(const struct pam_checker *p, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));

	if (!data)
		return;
	(void)crypt_r(password, p->dummy, data);
	explicit_bzero(data, sizeof(*data));
	free(data);
}

/* Locked, or without a password: pam_unix has nothing to compare. */
static bool
has_hash(const char *user)
{
	const struct spwd *sp = getspnam(user);

	return sp && sp->sp_pwdp && sp->sp_pwdp[0] == '$';
}

enum pam_verdict
pam_check(struct pam_checker *p, const char *user, const char *password,
	  const char *client, const char **text)
{
	/* An account without a password is for the console ("nullok"). */
	const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
	struct pam_conv conv = { converse, (void *)(uintptr_t)password };
	pam_handle_t *pam = NULL;
	int rc;

	if (!*user) {
		hash_for_nobody(p, password);
		*text = "unknown user";
		return PAM_VERDICT_NO;
	}
	rc = begin(p, user, &conv, &pam);
	if (rc == PAM_SUCCESS) {
		(void)pam_set_item(pam, PAM_FAIL_DELAY, (const void *)no_delay);
		if (*client)
			(void)pam_set_item(pam, PAM_RHOST, client);
		rc = pam_authenticate(pam, flags);
		if (rc == PAM_SUCCESS)
			rc = pam_acct_mgmt(pam, PAM_SILENT);
	}
	*text = pam_strerror(pam, rc);
	if (pam)
		pam_end(pam, rc);
	if (rc != PAM_SUCCESS && !has_hash(user))
		hash_for_nobody(p, password);
	return verdict_of(rc);
}
