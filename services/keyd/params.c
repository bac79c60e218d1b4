/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum { MASTER = SVC_BIT(SVC_MASTER), CTL = SVC_BIT(SVC_CTL) };

const struct param keyd_params[] = {
	{ .name = "smtpd_tls_chain_files",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "PEM files of the SMTP server on port 25, each holding one "
		  "or more private keys, each directly followed by its "
		  "certificate and those that lead to the root. Usually one "
		  "file with an ECDSA and one with an RSA key. A changed file "
		  "is taken within a second or two, without a reload; a "
		  "faulty one is refused, with a line in the log, and the one "
		  "of before stays in use. The files are read by root; nobody "
		  "else may be able to read them (0600), but for a group if "
		  "they belong to root. \"posthouse tls init\" makes a first "
		  "pair, \"posthouse tls check\" looks at what is there." },
	{ .name = "login_tls_chain_files",
	  .kind = PARAM_LIST,
	  .def = "$smtpd_tls_chain_files",
	  .users = MASTER | CTL,
	  .text = "The same for people's programs: submission, IMAP and POP3. "
		  "When it is empty, the certificates of port 25 serve here as "
		  "well. The keys of the one are out of reach for the "
		  "processes of the other." },
	{ .name = "smtpd_tls_cert_file",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "The older form of smtpd_tls_chain_files, and used when "
		  "that is empty: a PEM file with an RSA certificate and those "
		  "that lead to the root." },
	{ .name = "smtpd_tls_key_file",
	  .kind = PARAM_PATH,
	  .def = "$smtpd_tls_cert_file",
	  .users = MASTER | CTL,
	  .text = "The private key of smtpd_tls_cert_file, not encrypted." },
	{ .name = "smtpd_tls_eccert_file",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "As smtpd_tls_cert_file, with an ECDSA certificate." },
	{ .name = "smtpd_tls_eckey_file",
	  .kind = PARAM_PATH,
	  .def = "$smtpd_tls_eccert_file",
	  .users = MASTER | CTL,
	  .text = "The private key of smtpd_tls_eccert_file, not "
		  "encrypted." },
	{ .name = "tls_server_sni_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "Other certificates for those who ask for another name "
		  "(SNI): inline:{ {mail.example.com = /FILE /FILE} } and "
		  "texthash:/FILE, whose values are lists as in "
		  "smtpd_tls_chain_files. A name \".example.com\" stands for "
		  "all names below example.com. The files of a changed table "
		  "are taken as those of smtpd_tls_chain_files are. All other "
		  "types of tables are refused: master knows in advance which "
		  "files it reads." },
	{ .name = "smtp_tls_chain_files",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "The same of us as the client: keys and certificates that "
		  "are shown to other hosts that ask for one when mail is "
		  "sent to them. Few do, and then only to those who have "
		  "agreed on it; usually there is none.",
	  .once = true },
	{ .name = "smtp_tls_cert_file",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "The older form of smtp_tls_chain_files, as "
		  "smtpd_tls_cert_file.",
	  .once = true },
	{ .name = "smtp_tls_key_file",
	  .kind = PARAM_PATH,
	  .def = "$smtp_tls_cert_file",
	  .users = MASTER | CTL,
	  .text = "The private key of smtp_tls_cert_file, not encrypted.",
	  .once = true },
	{ .name = "smtp_tls_eccert_file",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER | CTL,
	  .text = "As smtp_tls_cert_file, with an ECDSA certificate.",
	  .once = true },
	{ .name = "smtp_tls_eckey_file",
	  .kind = PARAM_PATH,
	  .def = "$smtp_tls_eccert_file",
	  .users = MASTER | CTL,
	  .text = "The private key of smtp_tls_eccert_file, not encrypted.",
	  .once = true },
	{ .name = NULL },
};
