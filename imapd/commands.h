/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_COMMANDS_H
#define IMAPD_COMMANDS_H

#include "session.h"

typedef void imap_cmd_fn(struct imap_session *s, struct imap_in *in);

/* A handler sets the tagged reply, or starts a job or stage that will. */
imap_cmd_fn imap_cmd_append, imap_cmd_authenticated, imap_cmd_capability,
	imap_cmd_close, imap_cmd_compress, imap_cmd_copy, imap_cmd_create,
	imap_cmd_delete, imap_cmd_enable, imap_cmd_examine, imap_cmd_expunge,
	imap_cmd_fetch, imap_cmd_id, imap_cmd_idle, imap_cmd_list,
	imap_cmd_logout, imap_cmd_lsub, imap_cmd_move, imap_cmd_namespace,
	imap_cmd_noop, imap_cmd_rename, imap_cmd_search, imap_cmd_select,
	imap_cmd_sort, imap_cmd_thread, imap_cmd_status, imap_cmd_store,
	imap_cmd_subscribe, imap_cmd_unselect, imap_cmd_unsubscribe;

/* A STATUS response of LIST; nothing if it cannot be had. */
void imap_say_status_of(struct imap_session *s, struct str name,
			unsigned items);

#endif
