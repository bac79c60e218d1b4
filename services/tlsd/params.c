/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	MASTER = SVC_BIT(SVC_MASTER),
	SMTPD = SVC_BIT(SVC_SMTPD),
	SUBMITD = SVC_BIT(SVC_SUBMITD),
	RECEIVERS = SMTPD | SUBMITD,
	KEYD = SVC_BIT(SVC_KEYD),
	CTL = SVC_BIT(SVC_CTL),
	TLSD = SVC_BIT(SVC_TLSD_MX) | SVC_BIT(SVC_TLSD_USER),
};

const struct param tlsd_params[] = {
	{ .name = "smtpd_tls_security_level",
	  .kind = PARAM_ENUM,
	  .def = "may",
	  .choices = "|none|may|encrypt",
	  .users = TLSD | CTL | SMTPD,
	  .text = "Whether TLS is spoken on port 25: may offers STARTTLS once "
		  "there is a certificate ; encrypt also refuses mail without "
		  "it, which only a host that is no public mail exchanger "
		  "should do; none, or nothing, does not offer it." },
	{ .name = "smtpd_tls_auth_only",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SUBMITD,
	  .text = "Take passwords, and all else that needs a login, under TLS "
		  "only (submission). If it is off, plaintext_logins says "
		  "where plain passwords may be sent without." },
	{ .name = "smtpd_tls_received_header",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = RECEIVERS,
	  .text = "Say in the Received header field with which protocol and "
		  "cipher a message came, and by whose certificate." },
	{ .name = "smtpd_tls_loglevel",
	  .kind = PARAM_INT,
	  .def = "1",
	  .min = 0,
	  .max = 4,
	  .users = RECEIVERS,
	  .text = "0: log no TLS activity; 1: log one line for each handshake. "
		  "More is not known here and means 1." },
	{ .name = "smtpd_tls_ask_ccert",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = RECEIVERS,
	  .text = "Ask clients for a certificate. Some programs then ask "
		  "their user for one." },
	{ .name = "smtpd_tls_req_ccert",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = RECEIVERS,
	  .text = "Where TLS is required, require a certificate of the client "
		  "as well, issued by an authority in smtpd_tls_CAfile." },
	{ .name = "smtpd_starttls_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = 3600,
	  .users = RECEIVERS,
	  .text = "How long a TLS handshake may take." },
	{ .name = "smtpd_tls_protocols",
	  .kind = PARAM_PROTOCOLS,
	  .def = ">=TLSv1.2",
	  .users = TLSD,
	  .text = "The TLS protocols that are spoken on port 25 while "
		  "smtpd_tls_security_level is may: bounds (>=TLSv1.2, "
		  "<=TLSv1.3), names, and names to be left out (!TLSv1). "
		  "Known are TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3; what is "
		  "older than TLSv1.2 is never spoken." },
	{ .name = "smtpd_tls_mandatory_protocols",
	  .kind = PARAM_PROTOCOLS,
	  .def = ">=TLSv1.2",
	  .users = TLSD,
	  .text = "The TLS protocols that are spoken where users log in, and "
		  "on port 25 while smtpd_tls_security_level is encrypt. Form: "
		  "as smtpd_tls_protocols." },
	{ .name = "smtpd_tls_ciphers",
	  .kind = PARAM_ENUM,
	  .def = "medium",
	  .choices = "high|medium|low|export",
	  .users = TLSD,
	  .text = "The ciphers of TLS 1.2 and below that are used on port 25 "
		  "while smtpd_tls_security_level is may: those of "
		  "tls_high_cipherlist or tls_medium_cipherlist. low and "
		  "export mean medium." },
	{ .name = "smtpd_tls_mandatory_ciphers",
	  .kind = PARAM_ENUM,
	  .def = "medium",
	  .choices = "high|medium|low|export",
	  .users = TLSD,
	  .text = "As smtpd_tls_ciphers, where users log in and on port 25 "
		  "while smtpd_tls_security_level is encrypt." },
	{ .name = "smtpd_tls_exclude_ciphers",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = TLSD,
	  .text = "Ciphers, or kinds of ciphers, that are not used, in the "
		  "words of openssl-ciphers(1ssl). Those without a "
		  "certificate (aNULL), without encryption (eNULL), with a "
		  "key of the session that RSA carries (kRSA), PSK and SRP "
		  "are never used." },
	{ .name = "smtpd_tls_mandatory_exclude_ciphers",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = TLSD,
	  .text = "Ciphers that are not used, beyond those of "
		  "smtpd_tls_exclude_ciphers, where "
		  "smtpd_tls_mandatory_ciphers holds." },
	{ .name = "tls_high_cipherlist",
	  .kind = PARAM_STR,
	  .def = "HIGH:@STRENGTH",
	  .users = TLSD,
	  .text = "What the grade high means, in the words of "
		  "openssl-ciphers(1ssl). Better not changed." },
	{ .name = "tls_medium_cipherlist",
	  .kind = PARAM_STR,
	  .def = "HIGH:MEDIUM:@STRENGTH",
	  .users = TLSD,
	  .text = "What the grade medium means, in the words of "
		  "openssl-ciphers(1ssl). Better not changed." },
	{ .name = "tls_preempt_cipherlist",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = TLSD,
	  .text = "Choose the cipher by our own order and not by the "
		  "client's." },
	{ .name = "tls_eecdh_auto_curves",
	  .kind = PARAM_LIST,
	  .def = "X25519 prime256v1 secp384r1 X448 secp521r1",
	  .users = TLSD,
	  .text = "The groups in which keys are exchanged, the best first. "
		  "Those that OpenSSL does not know are passed over." },
	{ .name = "smtpd_tls_CAfile",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER,
	  .text = "A file of certificates (PEM) of the authorities whose "
		  "client certificates are trusted. It is looked at only "
		  "where smtpd_tls_ask_ccert or smtpd_tls_req_ccert is set." },
	{ .name = "smtpd_tls_ccert_verifydepth",
	  .kind = PARAM_INT,
	  .def = "9",
	  .min = 0,
	  .max = 100,
	  .users = TLSD,
	  .text = "How many authorities may stand between a client's "
		  "certificate and one in smtpd_tls_CAfile." },
	{ .name = "smtpd_tls_fingerprint_digest",
	  .kind = PARAM_ENUM,
	  .def = "sha256",
	  .choices = "sha256|sha384|sha512|sha1|md5",
	  .users = TLSD,
	  .text = "The digest of the fingerprint of a client's certificate." },
	{ .name = "smtpd_tls_session_cache_timeout",
	  .kind = PARAM_TIME,
	  .def = "3600s",
	  .min = 0,
	  .max = 8640000,
	  .users = TLSD | KEYD,
	  .text = "How long a client may resume a session, which spares both "
		  "sides the greater part of the handshake; 0: never. "
		  "Sessions are kept by the client, in tickets sealed with "
		  "keys that keyd changes as often." },
	{ .name = "smtp_tls_CAfile",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER,
	  .text = "A file of certificates (PEM) of the authorities that are "
		  "trusted where we send mail: at the levels verify and "
		  "secure of smtp_tls_security_level, and for \"Trusted\" in "
		  "the log. A changed file is taken without a reload.",
	  .once = true },
	{ .name = "smtp_tls_CApath",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER,
	  .text = "A directory of files with more of them, each in a file of "
		  "its own, named as openssl-rehash(1ssl) does.",
	  .once = true },
	{ .name = "tls_append_default_CA",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = MASTER,
	  .text = "Trust the authorities that the system trusts "
		  "(/etc/ssl/certs/ca-certificates.crt) as those of "
		  "smtp_tls_CAfile. It says nothing of smtpd_tls_CAfile." },
	{ .name = "smtp_tls_scert_verifydepth",
	  .kind = PARAM_INT,
	  .def = "9",
	  .min = 0,
	  .max = 100,
	  .users = TLSD,
	  .text = "How many authorities may stand between a server's "
		  "certificate and one in smtp_tls_CAfile.",
	  .once = true },
	{ .name = "smtp_tls_session_cache_timeout",
	  .kind = PARAM_TIME,
	  .def = "3600s",
	  .min = 0,
	  .max = 8640000,
	  .users = TLSD,
	  .text = "How long a session with a server is kept to be resumed, "
		  "which spares both sides the greater part of the "
		  "handshake; 0: not at all. Sessions of up to 1000 servers "
		  "are kept in memory, by each tlsd_mx on its own.",
	  .once = true },
	{ .name = "tls_drain_time",
	  .kind = PARAM_TIME,
	  .def = "600s",
	  .min = 0,
	  .max = 600,
	  .users = TLSD,
	  .text = "How long a tlsd that is being replaced keeps the "
		  "connections it has." },
	{ .name = "tlsd_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = MASTER,
	  .text = "How many processes speak TLS: so many for other hosts "
		  "(tlsd_mx), and as many for people's programs "
		  "(tlsd_user)." },
	{ .name = NULL },
};
