/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/log.h"
#include "conf.h"

/* Ciphers that are no use or no good here, whatever the lists say: without a
 * certificate, without encryption, with keys nobody shares with us; and those
 * where RSA carries the key of the session: keyd signs and never decrypts. */
#define NEVER ":!aNULL:!eNULL:!kRSA:!PSK:!SRP"

static const char separators[] = " \t\r\n,";

static const struct {
	const char *name;
	unsigned bit;
} protocols[] = {
	/* SSL is never spoken: its names are known so that "!SSLv3" is. */
	{ "SSLv2", 0 },
	{ "SSLv3", 0 },
	{ "TLSv1", CONF_TLS1_0 },
	{ "TLSv1.0", CONF_TLS1_0 },
	{ "TLSv1.1", CONF_TLS1_1 },
	{ "TLSv1.2", CONF_TLS1_2 },
	{ "TLSv1.3", CONF_TLS1_3 },
	{ "0300", 0 },
	{ "0301", CONF_TLS1_0 },
	{ "0302", CONF_TLS1_1 },
	{ "0303", CONF_TLS1_2 },
	{ "0304", CONF_TLS1_3 },
};

static int
find_protocol(struct str name, unsigned *bit)
{
	size_t i;

	for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (str_ieq(name, str_of(protocols[i].name))) {
			*bit = protocols[i].bit;
			return 0;
		}
	return -1;
}

int
conf_protocols(struct str list, unsigned *out, struct err *err)
{
	unsigned named = 0, left_out = 0, within = CONF_TLS_ALL, bit;
	struct str word, name;
	bool any = false;

	while (str_token(&list, " \t\r\n,:", &word)) {
		bool low = str_starts(word, STR(">="));
		bool high = str_starts(word, STR("<="));
		bool minus = str_starts(word, STR("!"));

		name = str_from(word, low || high ? 2 : minus);
		if (find_protocol(name, &bit) < 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "\"%.*s\" is no protocol of TLS",
				       STR_FMT(word));
		if (low) {
			within &= bit ? ~(bit - 1) : ~0u;
		} else if (high) {
			within &= bit ? bit * 2 - 1 : 0;
		} else if (minus) {
			left_out |= bit;
		} else {
			named |= bit;
			any = true;
		}
	}
	*out = within & ~left_out & (any ? named : CONF_TLS_ALL);
	if (!*out)
		return err_set(err, ERR_PERM, EINVAL, "no protocol is left");
	return 0;
}

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

int
conf_ciphers(char out[CONF_CIPHERS_MAX], struct str grade, struct str exclude,
	     struct str exclude2)
{
	struct buf b;
	int rc = -1;

	buf_init(&b, CONF_CIPHERS_MAX - 1);
	if (buf_add_str(&b, grade) == 0 && add_excluded(&b, exclude) == 0 &&
	    add_excluded(&b, exclude2) == 0 && buf_add_c(&b, NEVER) == 0 &&
	    str_copy(out, CONF_CIPHERS_MAX, buf_str(&b)))
		rc = 0;
	buf_fini(&b);
	return rc;
}

static void
load_protocols(struct tls_conf *conf, const struct params *p)
{
	const char *name = conf->mandatory ? "smtpd_tls_mandatory_protocols"
					   : "smtpd_tls_protocols";
	struct err err;

	if (conf_protocols(params_str(p, name), &conf->protocols, &err) < 0) {
		log_error("%s: %s; TLS 1.2 and 1.3 are spoken", name, err.text);
		conf->protocols = 0;
	} else if (!(conf->protocols & CONF_TLS_SPOKEN)) {
		log_error("%s: TLS 1.2 and 1.3 are spoken, nothing older",
			  name);
	}
	conf->protocols &= CONF_TLS_SPOKEN;
	if (!conf->protocols)
		conf->protocols = CONF_TLS_SPOKEN;
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
	if (!str_copy(conf->groups, sizeof(conf->groups),
		      params_str(p, "tls_eecdh_auto_curves")))
		log_error("tls_eecdh_auto_curves is too long; OpenSSL's own "
			  "are used");
	(void)!str_copy(conf->digest, sizeof(conf->digest),
			params_str(p, "smtpd_tls_fingerprint_digest"));
}
