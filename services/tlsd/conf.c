/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/log.h"
#include "conf.h"
#include "frame/msg_tlsd.h"

/* Ciphers that are no use or no good here, whatever the lists say: without a
 * certificate, without encryption, with keys nobody shares with us; and of a
 * server, those where RSA carries the key of the session: keyd signs and never
 * decrypts. */
#define NEVER ":!aNULL:!eNULL:!PSK:!SRP"
#define NEVER_SERVER NEVER ":!kRSA"

static const char separators[] = " \t\r\n,:";

static int
add_excluded(struct buf *b, struct str exclude)
{
	struct str word;
	int rc = 0;

	while (str_token(&exclude, separators, &word))
		if (buf_add_c(b, ":!") < 0 || buf_add_str(b, word) < 0)
			rc = -1;
	return rc;
}

static int
put_ciphers(char out[CONF_CIPHERS_MAX], struct str grade, struct str exclude,
	    struct str exclude2, const char *never)
{
	struct buf b;
	int rc = -1;

	buf_init(&b, CONF_CIPHERS_MAX - 1);
	if (buf_add_str(&b, grade) == 0 && add_excluded(&b, exclude) == 0 &&
	    add_excluded(&b, exclude2) == 0 && buf_add_c(&b, never) == 0 &&
	    str_copy(out, CONF_CIPHERS_MAX, buf_str(&b)))
		rc = 0;
	buf_fini(&b);
	return rc;
}

int
conf_ciphers(char out[CONF_CIPHERS_MAX], struct str grade, struct str exclude,
	     struct str exclude2)
{
	return put_ciphers(out, grade, exclude, exclude2, NEVER_SERVER);
}

int
conf_out_ciphers(char out[CONF_CIPHERS_MAX], const char *grade,
		 struct str exclude)
{
	return put_ciphers(out, str_of(grade), exclude, STR(""), NEVER);
}

static void
load_protocols(struct tls_conf *conf, const struct params *p)
{
	const char *name = conf->mandatory ? "smtpd_tls_mandatory_protocols"
					   : "smtpd_tls_protocols";
	struct err err;

	if (tls_protocols(params_str(p, name), &conf->protocols, &err) == 0)
		return;
	log_error("%s: %s", name, err.text);
	conf->protocols = TLS_V_SPOKEN;
}

static void
load_ciphers(struct tls_conf *conf, const struct params *p)
{
	struct str grade = params_str(p, "smtpd_tls_ciphers");
	struct str exclude = params_str(p, "smtpd_tls_exclude_ciphers");
	struct str exclude2 = STR("");
	const char *list = "tls_medium_cipherlist";

	if (conf->mandatory) {
		grade = params_str(p, "smtpd_tls_mandatory_ciphers");
		exclude2 = params_str(p, "smtpd_tls_mandatory_exclude_ciphers");
	}
	if (str_eq(grade, STR("high")))
		list = "tls_high_cipherlist";
	if (conf_ciphers(conf->ciphers, params_str(p, list), exclude,
			 exclude2) == 0)
		return;
	log_error("the lists of ciphers are too long; HIGH is used");
	(void)!conf_ciphers(conf->ciphers, STR("HIGH:@STRENGTH"), STR(""),
			    STR(""));
}

static void
load_outgoing(struct tls_conf *conf, const struct params *p)
{
	static const char *const names[] = {
		[TLS_GRADE_MEDIUM] = "tls_medium_cipherlist",
		[TLS_GRADE_HIGH] = "tls_high_cipherlist",
	};
	size_t i;

	for (i = 0; i < 2; i++) {
		if (str_copy(conf->grades[i], CONF_CIPHERS_MAX,
			     params_str(p, names[i])))
			continue;
		log_error("%s is too long; HIGH is used", names[i]);
		(void)!str_copy(conf->grades[i], CONF_CIPHERS_MAX,
				STR("HIGH:@STRENGTH"));
	}
	conf->out_verify_depth =
		(int)params_num(p, "smtp_tls_scert_verifydepth");
	conf->out_session_s =
		(unsigned)params_num(p, "smtp_tls_session_cache_timeout");
}

void
conf_load(struct tls_conf *conf, const struct params *p, bool mx)
{
	struct str level = params_str(p, "smtpd_tls_security_level");

	*conf = (struct tls_conf){
		.mandatory = !mx || str_eq(level, STR("encrypt")),
		.wipe = !mx,
		.preempt = params_bool(p, "tls_preempt_cipherlist"),
		.drain_s = (unsigned)params_num(p, "tls_drain_time"),
	};
	conf->verify_depth = (int)params_num(p, "smtpd_tls_ccert_verifydepth");
	conf->session_s =
		(long)params_num(p, "smtpd_tls_session_cache_timeout");
	load_protocols(conf, p);
	load_ciphers(conf, p);
	load_outgoing(conf, p);
	if (!str_copy(conf->groups, sizeof(conf->groups),
		      params_str(p, "tls_eecdh_auto_curves")))
		log_error("tls_eecdh_auto_curves is too long; OpenSSL's own "
			  "are used");
	(void)!str_copy(conf->digest, sizeof(conf->digest),
			params_str(p, "smtpd_tls_fingerprint_digest"));
}
