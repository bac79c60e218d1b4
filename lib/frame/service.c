/* SPDX-License-Identifier: ISC */
#include "frame/service.h"
#include "frame/msg_authd.h"
#include "frame/msg_control.h"
#include "frame/msg_deliver.h"
#include "frame/msg_dialer.h"
#include "frame/msg_dnsd.h"
#include "frame/msg_keyd.h"
#include "frame/msg_pamd.h"
#include "frame/msg_qmgr.h"
#include "frame/msg_router.h"
#include "frame/msg_sasl.h"
#include "frame/msg_smtp.h"
#include "frame/msg_spawner.h"
#include "frame/msg_tlsd.h"

const struct service services[SVC_COUNT] = {
	[SVC_MASTER] = {
		.id = SVC_MASTER, .name = "master", .root = ROOT_SLASH,
		.may = "parse main.cf, which only it does; read users, passwd, "
		       "keys and certificates as bytes; bind; fork and exec; "
		       "restart; broker. Never sees network bytes",
		.taken = "all",
	},
	[SVC_LOGD] = {
		.id = SVC_LOGD, .name = "logd", .uid_slot = 1,
		.root = ROOT_LOG,
		.calls = CALLS_NET | CALLS_READ | CALLS_WRITE,
		.reload = RELOAD_INPLACE, .fds = "syslog",
		.nofile = 1024, .data_mb = 64, .stage = 0,
		.may = "write and reopen the log; knows the sender of a line "
		       "by its channel",
		.taken = "logs",
	},
	[SVC_SMTPD] = {
		.id = SVC_SMTPD, .name = "smtpd", .uid_slot = 2,
		.root = ROOT_EMPTY, .calls = CALLS_NET,
		.reload = RELOAD_REPLACE, .workers = "smtpd_workers",
		.listens = "listen_smtp",
		.nofile = 4096, .data_mb = 512, .stage = 3,
		.may = "receive on port 25",
		.taken = "alters mail passing through that worker",
	},
	[SVC_SUBMITD] = {
		.id = SVC_SUBMITD, .name = "submitd", .uid_slot = 8,
		.root = ROOT_EMPTY, .calls = CALLS_NET,
		.reload = RELOAD_REPLACE, .workers = "submitd_workers",
		.listens = "listen_submission listen_submissions "
			   "submit_socket",
		.fds = "passwd",
		.nofile = 4096, .data_mb = 512, .stage = 3,
		.may = "receive on ports 587 and 465, from users who have "
		       "logged in",
		.taken = "sends as the users whose sessions pass through that "
			 "worker",
	},
	[SVC_QMGR] = {
		.id = SVC_QMGR, .name = "qmgr", .uid_slot = 3,
		.root = ROOT_SPOOL,
		.calls = CALLS_NET | CALLS_READ | CALLS_WRITE | CALLS_THREADS,
		.reload = RELOAD_INPLACE, .fds = "bounce_templates",
		.nofile = 8192, .nproc = 64, .data_mb = 2048, .stage = 2,
		.may = "own the queue: store, schedule, acknowledge",
		.taken = "the queue",
	},
	[SVC_SMTP] = {
		.id = SVC_SMTP, .name = "smtp", .uid_slot = 12,
		.root = ROOT_EMPTY, .calls = CALLS_NET | CALLS_CONNECT,
		.reload = RELOAD_REPLACE, .workers = "smtp_workers",
		.nofile = 8192, .data_mb = 512, .stage = 3,
		.may = "send by SMTP and LMTP: connect to ports 25, 465, 587 "
		       "and those that smtp_connect_ports names",
		.taken = "mail being sent by that worker, and the passwords "
			 "for relay hosts",
	},
	[SVC_ROUTER] = {
		.id = SVC_ROUTER, .name = "router", .uid_slot = 4,
		.root = ROOT_SLASH, .calls = CALLS_NET | CALLS_READ,
		.reload = RELOAD_INPLACE, .fds = "passwd",
		.nofile = 1024, .data_mb = 512, .stage = 1,
		.may = "read exactly the configured tables' directories; "
		       "resolve addresses to routes",
		.taken = "any route",
	},
	[SVC_DNSD] = {
		.id = SVC_DNSD, .name = "dnsd", .uid_slot = 13,
		.root = ROOT_EMPTY,
		.calls = CALLS_NET | CALLS_CONNECT | CALLS_UDP,
		.reload = RELOAD_INPLACE, .fds = "resolv_conf hosts dns_anchors",
		.nofile = 4096, .data_mb = 512, .stage = 1,
		.may = "ask name servers by UDP and TCP; resolve, check "
		       "DNSSEC, cache",
		.taken = "any answer of the DNS",
	},
	[SVC_DIALER] = {
		.id = SVC_DIALER, .name = "dialer", .uid_slot = 14,
		.when = "dialer_sockets",
		.root = ROOT_SLASH, .calls = CALLS_NET | CALLS_DIAL,
		.reload = RELOAD_INPLACE,
		.nofile = 1024, .data_mb = 64, .stage = 2,
		.may = "connect to the local sockets that dialer_sockets names "
		       "and pass the descriptor",
		.taken = "those sockets, and others that its user may connect "
			 "to",
	},
	[SVC_KEYD] = {
		.id = SVC_KEYD, .name = "keyd", .uid_slot = 9,
		.root = ROOT_EMPTY, .calls = CALLS_NET,
		.reload = RELOAD_INPLACE, .fds = "keys",
		.nofile = 1024, .data_mb = 128, .stage = 1,
		.may = "hold the private keys of TLS and sign with them, never "
		       "give one away; check certificates; make and rotate "
		       "the keys of session tickets",
		.taken = "the private keys of TLS",
	},
	[SVC_TLSD_MX] = {
		.id = SVC_TLSD_MX, .name = "tlsd_mx", .uid_slot = 10,
		.root = ROOT_EMPTY, .calls = CALLS_NET | CALLS_PAIR,
		.reload = RELOAD_INPLACE, .workers = "tlsd_workers",
		.fds = "tls_ca smtp_tls_ca",
		.nofile = 16384, .data_mb = 1024, .stage = 2,
		.may = "speak TLS with other hosts (port 25); has no private "
		       "key",
		.taken = "sessions with other hosts passing through that "
			 "worker",
	},
	[SVC_TLSD_USER] = {
		.id = SVC_TLSD_USER, .name = "tlsd_user", .uid_slot = 11,
		.root = ROOT_EMPTY, .calls = CALLS_NET | CALLS_PAIR,
		.reload = RELOAD_INPLACE, .workers = "tlsd_workers",
		.fds = "tls_ca",
		.nofile = 16384, .data_mb = 1024, .stage = 2,
		.may = "speak TLS with people's programs (submission, IMAP, "
		       "POP3); has no private key",
		.taken = "sessions of people passing through that worker, "
			 "passwords included",
	},
	[SVC_AUTHD] = {
		.id = SVC_AUTHD, .name = "authd", .uid_slot = 5,
		.root = ROOT_EMPTY, .calls = CALLS_NET | CALLS_THREADS,
		.reload = RELOAD_INPLACE,
		.fds = "users passwd app_passwords last_use",
		.nofile = 1024, .nproc = 64, .data_mb = 512, .stage = 1,
		.may = "check passwords in a thread pool; user database",
		.taken = "any login",
	},
	[SVC_PAMD] = {
		.id = SVC_PAMD, .name = "pamd", .as_root = true,
		.when = "pam_service",
		.root = ROOT_SLASH,
		.calls = CALLS_NET | CALLS_READ | CALLS_LIBC,
		.reload = RELOAD_INPLACE,
		.nofile = 256, .data_mb = 256, .stage = 1,
		.may = "ask PAM about a system user's password, one at a "
		       "time; uid 0 without any capability",
		.taken = "reads /etc/shadow, and passwords passing through "
			 "it; nothing else of root's",
	},
	[SVC_LOGIN] = {
		.id = SVC_LOGIN, .name = "login", .uid_slot = 6,
		.root = ROOT_EMPTY, .calls = CALLS_NET,
		.reload = RELOAD_REPLACE, .workers = "login_workers",
		.listens = "listen_imap listen_pop3 listen_imaps listen_pop3s "
			   "auth_socket",
		.nofile = 4096, .data_mb = 256, .stage = 3,
		.may = "IMAP and POP3 before authentication",
		.taken = "passwords and sessions passing through that worker",
	},
	[SVC_SPAWNER] = {
		.id = SVC_SPAWNER, .name = "spawner", .uid_slot = 7,
		.root = ROOT_SLASH,
		.calls = CALLS_NET | CALLS_READ | CALLS_WRITE |
			 CALLS_THREADS | CALLS_FORK | CALLS_INOTIFY |
			 CALLS_MBOX,
		.reload = RELOAD_INPLACE,
		.fds = "passwd log_deliver log_mbox log_taker log_imapd "
		       "log_pop3d",
		.nofile = 8192, .nproc = 4096, .data_mb = 1024, .stage = 1,
		.may = "fork the user's process, as ids between "
		       "first_valid_uid and last_valid_uid only, never the "
		       "daemons' own; no exec, no socket",
		.taken = "any mail user",
	},
	[SVC_DELIVER] = {
		.id = SVC_DELIVER, .name = "deliver", .root = ROOT_USER,
		.calls = CALLS_NET | CALLS_DELIVER | CALLS_THREADS,
		.nofile = 1024, .nproc = 4096, .data_mb = 256,
		.may = "create, write, list directories, rename without "
		       "replacing, below the recipient's root; parses nothing",
		.taken = "may add, hide or displace mail below that root; "
			 "cannot read a message",
	},
	[SVC_MBOX] = {
		.id = SVC_MBOX, .name = "mbox", .root = ROOT_USER,
		.calls = CALLS_NET | CALLS_MBOX,
		.nofile = 1024, .data_mb = 256,
		.may = "append to one mbox, which was opened before it was "
		       "jailed, and lock it; opens nothing, parses nothing",
		.taken = "that mbox; may remove files beside it, if the "
			 "directory is not sticky, and read or write none of "
			 "them",
	},
	[SVC_TAKER] = {
		.id = SVC_TAKER, .name = "taker", .root = ROOT_USER,
		.calls = CALLS_NET | CALLS_READ | CALLS_WRITE,
		.nofile = 1024, .data_mb = 256,
		.may = "move the messages of one locked mbox, given as a "
		       "descriptor, into the same user's Maildir",
		.taken = "that user's mail",
	},
	[SVC_IMAPD] = {
		.id = SVC_IMAPD, .name = "imapd", .root = ROOT_USER,
		.calls = CALLS_NET | CALLS_READ | CALLS_WRITE | CALLS_INOTIFY,
		.nofile = 1024, .data_mb = 1024,
		.may = "one user's mail; holds all of that user's sessions",
		.taken = "that user's mail",
	},
	[SVC_POP3D] = {
		.id = SVC_POP3D, .name = "pop3d", .root = ROOT_USER,
		.calls = CALLS_NET | CALLS_READ | CALLS_WRITE | CALLS_INOTIFY,
		.nofile = 1024, .data_mb = 512,
		.may = "one user's mail",
		.taken = "that user's mail",
	},
	[SVC_CTL] = {
		.id = SVC_CTL, .name = "ctl", .root = ROOT_SLASH,
		.may = "the administrator's commands, through control.sock",
		.taken = "what the administrator may do",
	},
};

#define MSGS(...)                 \
	(const struct chan_msg[]) \
	{                         \
		__VA_ARGS__,      \
		{                 \
			0         \
		}                 \
	}
#define M(n)                          \
	{                             \
		.def = &msg_##n##_def \
	}

const struct chan_row channels[CH_COUNT] = {
	[CH_CONTROL] = {
		.name = "control", .asker = SVC_COUNT, .service = SVC_MASTER,
		.inflight = 256,
		.to_service = MSGS(M(ready), M(connect), M(want)),
		.to_asker = MSGS(M(connected), M(unavailable), M(peer),
				 M(config), M(table), M(drain), M(log_peer)),
	},
	[CH_CTL_MASTER] = {
		.name = "ctl-master", .asker = SVC_CTL, .service = SVC_MASTER,
		.inflight = 4,
		.to_service = MSGS(M(connect), M(admin)),
		.to_asker = MSGS(M(connected), M(unavailable), M(admin_text),
				 M(admin_done)),
	},
	[CH_CTL_QMGR] = {
		.name = "ctl-qmgr", .asker = SVC_CTL, .service = SVC_QMGR,
		.inflight = 4,
		.to_service = MSGS(M(queue), M(queue_change), M(stream),
				   M(rcpts), M(header), M(commit), M(abort)),
		.to_asker = MSGS(M(queue_row), M(queue_attempt), M(queue_text),
				 M(queue_done), M(stream_pipe), M(stored),
				 M(refused), M(pressure)),
	},
	[CH_CTL_DNSD] = {
		.name = "ctl-dnsd", .asker = SVC_CTL, .service = SVC_DNSD,
		.inflight = 4,
		.to_service = MSGS(M(dns_query)),
		.to_asker = MSGS(M(dns_answer)),
	},
	[CH_CTL_LOGIN] = {
		.name = "ctl-login", .asker = SVC_CTL, .service = SVC_LOGIN,
		.inflight = 4,
		.to_service = MSGS(M(who)),
		/* Nobody has logged in there: who would say so, forges. */
		.to_asker = MSGS({ .def = &msg_who_row_def,
				   .deny = 1u << WHO_ROW_USER },
				 M(who_done)),
	},
	[CH_CTL_SPAWNER] = {
		.name = "ctl-spawner", .asker = SVC_CTL,
		.service = SVC_SPAWNER, .inflight = 4,
		.to_service = MSGS(M(who), M(kick)),
		.to_asker = MSGS(M(who_row), M(who_done)),
	},
	[CH_SMTPD_ROUTER] = {
		.name = "smtpd-router", .asker = SVC_SMTPD,
		.service = SVC_ROUTER, .inflight = 512,
		.to_service = MSGS(M(route)),
		.to_asker = MSGS(M(routed)),
	},
	[CH_SMTPD_QMGR] = {
		.name = "smtpd-qmgr", .asker = SVC_SMTPD, .service = SVC_QMGR,
		.inflight = 512,
		.to_service = MSGS(M(stream), M(rcpts), M(header), M(commit),
				   M(abort)),
		.to_asker = MSGS(M(stream_pipe), M(stored), M(refused),
				 M(pressure)),
	},
	[CH_SMTPD_TLSD] = {
		.name = "smtpd-tlsd_mx", .asker = SVC_SMTPD,
		.service = SVC_TLSD_MX, .inflight = 2048,
		.to_service = MSGS(M(tls_server)),
		.to_asker = MSGS(M(tls_up), M(tls_fail), M(tls_offer)),
	},
	[CH_SUBMITD_ROUTER] = {
		.name = "submitd-router", .asker = SVC_SUBMITD,
		.service = SVC_ROUTER, .inflight = 512,
		.to_service = MSGS(M(route), M(owns)),
		.to_asker = MSGS(M(routed), M(owned)),
	},
	[CH_SUBMITD_QMGR] = {
		.name = "submitd-qmgr", .asker = SVC_SUBMITD,
		.service = SVC_QMGR, .inflight = 512,
		.to_service = MSGS(M(stream), M(rcpts), M(header), M(commit),
				   M(abort), M(queue)),
		.to_asker = MSGS(M(stream_pipe), M(stored), M(refused),
				 M(pressure), M(queue_row), M(queue_text),
				 M(queue_done)),
	},
	[CH_SUBMITD_TLSD] = {
		.name = "submitd-tlsd_user", .asker = SVC_SUBMITD,
		.service = SVC_TLSD_USER, .inflight = 2048,
		.to_service = MSGS(M(tls_server)),
		.to_asker = MSGS(M(tls_up), M(tls_fail), M(tls_offer)),
	},
	[CH_SUBMITD_AUTHD] = {
		.name = "submitd-authd", .asker = SVC_SUBMITD,
		.service = SVC_AUTHD, .inflight = 2048,
		.to_service = MSGS(M(sasl_begin), M(sasl_step),
				   M(sasl_cancel)),
		.to_asker = MSGS(M(sasl_more), M(auth_ok), M(auth_fail)),
	},
	[CH_QMGR_ROUTER] = {
		.name = "qmgr-router", .asker = SVC_QMGR,
		.service = SVC_ROUTER, .inflight = 512,
		.to_service = MSGS(M(expand_part), M(expand)),
		.to_asker = MSGS(M(expanded_part), M(expanded)),
	},
	[CH_QMGR_SMTP] = {
		.name = "qmgr-smtp", .asker = SVC_QMGR, .service = SVC_SMTP,
		.inflight = 512,
		.to_service = MSGS(M(send)),
		.to_asker = MSGS(M(sent_part), M(sent), M(send_leaving)),
	},
	[CH_SMTP_DNSD] = {
		.name = "smtp-dnsd", .asker = SVC_SMTP, .service = SVC_DNSD,
		.inflight = 1024,
		.to_service = MSGS(M(dns_query)),
		.to_asker = MSGS(M(dns_answer)),
	},
	[CH_SMTP_ROUTER] = {
		.name = "smtp-router", .asker = SVC_SMTP,
		.service = SVC_ROUTER, .inflight = 512,
		.to_service = MSGS(M(site)),
		.to_asker = MSGS(M(sited)),
	},
	[CH_SMTP_TLSD] = {
		.name = "smtp-tlsd_mx", .asker = SVC_SMTP,
		.service = SVC_TLSD_MX, .inflight = 2048,
		.to_service = MSGS(M(tls_client)),
		.to_asker = MSGS(M(tls_up), M(tls_fail), M(tls_offer)),
	},
	[CH_SMTP_DIALER] = {
		.name = "smtp-dialer", .asker = SVC_SMTP,
		.service = SVC_DIALER, .inflight = 256,
		.to_service = MSGS(M(dial)),
		.to_asker = MSGS(M(dialed)),
	},
	[CH_QMGR_SPAWNER] = {
		.name = "qmgr-spawner", .asker = SVC_QMGR,
		.service = SVC_SPAWNER, .inflight = 256,
		.to_service = MSGS(M(open)),
		.to_asker = MSGS(M(opened), M(spawn_fail)),
	},
	[CH_QMGR_DELIVER] = {
		.name = "qmgr-deliver", .asker = SVC_QMGR,
		.service = SVC_DELIVER, .inflight = 128,
		.to_service = MSGS(M(deliver)),
		.to_asker = MSGS(M(delivered)),
	},
	[CH_TLSD_MX_KEYD] = {
		.name = "tlsd_mx-keyd", .asker = SVC_TLSD_MX,
		.service = SVC_KEYD, .inflight = 16,
		.to_service = MSGS(M(key_watch), M(key_sign)),
		.to_asker = MSGS(M(key_chain), M(key_set), M(key_tickets),
				 M(key_signed), M(key_refused)),
	},
	[CH_TLSD_USER_KEYD] = {
		.name = "tlsd_user-keyd", .asker = SVC_TLSD_USER,
		.service = SVC_KEYD, .inflight = 16,
		.to_service = MSGS(M(key_watch), M(key_sign)),
		.to_asker = MSGS(M(key_chain), M(key_set), M(key_tickets),
				 M(key_signed), M(key_refused)),
	},
	[CH_LOGIN_TLSD] = {
		.name = "login-tlsd_user", .asker = SVC_LOGIN,
		.service = SVC_TLSD_USER, .inflight = 2048,
		.to_service = MSGS(M(tls_server)),
		.to_asker = MSGS(M(tls_up), M(tls_fail), M(tls_offer)),
	},
	[CH_LOGIN_AUTHD] = {
		.name = "login-authd", .asker = SVC_LOGIN,
		.service = SVC_AUTHD, .inflight = 2048,
		.to_service = MSGS(M(auth), M(sasl_begin), M(sasl_step),
				   M(sasl_cancel)),
		.to_asker = MSGS(M(sasl_more), M(auth_ok), M(auth_fail)),
	},
	[CH_LOGIN_SPAWNER] = {
		.name = "login-spawner", .asker = SVC_LOGIN,
		.service = SVC_SPAWNER, .inflight = 256,
		.to_service = MSGS(M(start)),
		.to_asker = MSGS(M(started), M(spawn_fail)),
	},
	[CH_SPAWNER_AUTHD] = {
		.name = "spawner-authd", .asker = SVC_SPAWNER,
		.service = SVC_AUTHD, .inflight = 512,
		.to_service = MSGS(M(redeem)),
		.to_asker = MSGS(M(identity), M(auth_fail)),
	},
	[CH_AUTHD_PAMD] = {
		.name = "authd-pamd", .asker = SVC_AUTHD,
		.service = SVC_PAMD, .inflight = 64,
		.to_service = MSGS(M(pam_check)),
		.to_asker = MSGS(M(pam_result)),
	},
	[CH_SPAWNER_DELIVER] = {
		.name = "spawner-deliver", .asker = SVC_SPAWNER,
		.service = SVC_DELIVER, .inflight = 16,
		.to_service = MSGS(M(user_peer)),
		.to_asker = MSGS(M(poke)),
	},
	[CH_SPAWNER_MBOX] = {
		.name = "spawner-mbox", .asker = SVC_SPAWNER,
		.service = SVC_MBOX, .inflight = 16,
		.to_service = MSGS(M(user_peer), M(lease)),
		.to_asker = MSGS(M(poke), M(leased)),
	},
	[CH_SPAWNER_TAKER] = {
		.name = "spawner-taker", .asker = SVC_SPAWNER,
		.service = SVC_TAKER, .inflight = 4,
		.to_service = MSGS(M(take)),
		.to_asker = MSGS(M(took)),
	},
	[CH_SPAWNER_IMAPD] = {
		.name = "spawner-imapd", .asker = SVC_SPAWNER,
		.service = SVC_IMAPD, .inflight = 64,
		.to_service = MSGS(M(client), M(who), M(kick), M(poke)),
		.to_asker = MSGS(M(client_taken), M(who_row), M(who_done)),
	},
	[CH_SPAWNER_POP3D] = {
		.name = "spawner-pop3d", .asker = SVC_SPAWNER,
		.service = SVC_POP3D, .inflight = 64,
		.to_service = MSGS(M(client), M(who), M(kick)),
		.to_asker = MSGS(M(client_taken), M(who_row), M(who_done)),
	},
};

const struct chan_row *
channel_find(enum service_id asker, enum service_id service)
{
	size_t i;

	for (i = 1; i < CH_COUNT; i++)
		if (channels[i].asker == asker &&
		    channels[i].service == service && i != CH_QMGR_DELIVER &&
		    i < CH_SPAWNER_DELIVER)
			return &channels[i];
	return NULL;
}
