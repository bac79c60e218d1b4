/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	LOGIN = SVC_BIT(SVC_LOGIN),
	SUBMITD = SVC_BIT(SVC_SUBMITD),
	MASTER = SVC_BIT(SVC_MASTER),
};

const struct param login_params[] = {
	{ .name = "listen_imap",
	  .kind = PARAM_LISTEN,
	  .def = "127.0.0.1:143 [::1]:143",
	  .users = MASTER,
	  .text = "The addresses and ports on which IMAP is served, with "
		  "STARTTLS. Programs that are set up today use listen_imaps "
		  "(RFC 8314), so by default this is for the machine "
		  "itself." },
	{ .name = "listen_pop3",
	  .kind = PARAM_LISTEN,
	  .def = "127.0.0.1:110 [::1]:110",
	  .users = MASTER,
	  .text = "The addresses and ports on which POP3 is served, with "
		  "STLS." },
	{ .name = "listen_imaps",
	  .kind = PARAM_LISTEN,
	  .def = "0.0.0.0:993 [::]:993",
	  .users = MASTER,
	  .text = "The addresses and ports on which IMAP is served under TLS "
		  "from the first byte. As long as there is no certificate, a "
		  "connection is closed at once." },
	{ .name = "listen_pop3s",
	  .kind = PARAM_LISTEN,
	  .def = "",
	  .users = MASTER,
	  .text = "The addresses and ports on which POP3 is served under TLS "
		  "from the first byte." },
	{ .name = "auth_socket",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = MASTER,
	  .text = "A UNIX socket on which other programs of this machine have "
		  "our users log in, in Dovecot's authentication protocol: "
		  "Postfix with smtpd_sasl_type = dovecot and smtpd_sasl_path "
		  "= this name, Exim with driver = dovecot. Empty: none. Who "
		  "may open it is believed about the address of the client, "
		  "so it belongs to root and auth_socket_group alone." },
	{ .name = "auth_socket_group",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = MASTER,
	  .text = "The group whose programs may connect to auth_socket "
		  "(mode 0660), \"postfix\" for instance; it counts when "
		  "the socket is made. Empty: root's alone." },
	{ .name = "login_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = MASTER,
	  .text = "How many processes serve IMAP and POP3 before login." },
	{ .name = "plaintext_logins",
	  .kind = PARAM_ENUM,
	  .def = "loopback",
	  .choices = "loopback|never",
	  .users = LOGIN | SUBMITD,
	  .text = "Where a password may be sent without TLS: on connections "
		  "whose both ends are loopback addresses of this machine, or "
		  "never. Elsewhere IMAP announces LOGINDISABLED, and a login "
		  "is refused until STARTTLS." },
	{ .name = "login_timeout",
	  .kind = PARAM_TIME,
	  .def = "180s",
	  .min = 1,
	  .max = 3600,
	  .users = LOGIN,
	  .text = "How long a client may take from its connection to its "
		  "login, TLS included." },
	{ .name = "auth_failure_delay",
	  .kind = PARAM_TIME,
	  .def = "2s",
	  .min = 0,
	  .max = 60,
	  .users = LOGIN | SUBMITD,
	  .text = "How long after the question a wrong password is answered, "
		  "whatever was wrong." },
	{ .name = "login_connection_limit",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 10,
	  .max = 2000,
	  .users = LOGIN,
	  .text = "How many clients one login process serves at a time. "
		  "Beyond it, whoever has waited longest is disconnected for "
		  "a new one." },
	{ .name = "login_client_connection_limit",
	  .kind = PARAM_INT,
	  .def = "50",
	  .min = 0,
	  .max = 2000,
	  .users = LOGIN,
	  .text = "How many connections that have not logged in one client "
		  "(an IPv4 address, an IPv6 /64) may have with one login "
		  "process; 0: any number. Loopback addresses are not "
		  "limited." },
	{ .name = NULL },
};
