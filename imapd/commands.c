/* SPDX-License-Identifier: ISC */
#include "commands.h"

const struct imap_command imap_commands[] = {
	/* any state */
	{ "CAPABILITY", imap_cmd_capability, 0 },
	{ "NOOP", imap_cmd_noop, 0 },
	{ "LOGOUT", imap_cmd_logout, CMD_NO_SYNC },
	{ "ID", imap_cmd_id, 0 },
	/* authenticated */
	{ "ENABLE", imap_cmd_enable, 0 },
	{ "COMPRESS", imap_cmd_compress, 0 },
	{ "NAMESPACE", imap_cmd_namespace, 0 },
	{ "SELECT", imap_cmd_select, CMD_NO_SYNC },
	{ "EXAMINE", imap_cmd_examine, CMD_NO_SYNC },
	{ "STATUS", imap_cmd_status, 0 },
	{ "CREATE", imap_cmd_create, 0 },
	{ "DELETE", imap_cmd_delete, 0 },
	{ "RENAME", imap_cmd_rename, 0 },
	{ "SUBSCRIBE", imap_cmd_subscribe, 0 },
	{ "UNSUBSCRIBE", imap_cmd_unsubscribe, 0 },
	{ "LIST", imap_cmd_list, 0 },
	{ "LSUB", imap_cmd_lsub, 0 },
	{ "APPEND", imap_cmd_append, 0 },
	{ "IDLE", imap_cmd_idle, 0 },
	/* selected */
	{ "CHECK", imap_cmd_noop, CMD_NEEDS_BOX },
	{ "CLOSE", imap_cmd_close, CMD_NEEDS_BOX | CMD_NO_SYNC },
	{ "UNSELECT", imap_cmd_unselect, CMD_NEEDS_BOX | CMD_NO_SYNC },
	{ "EXPUNGE", imap_cmd_expunge, CMD_NEEDS_BOX | CMD_NEEDS_RW | CMD_UID },
	{ "FETCH", imap_cmd_fetch, CMD_NEEDS_BOX | CMD_UID | CMD_NO_EXPUNGE },
	{ "STORE", imap_cmd_store,
	  CMD_NEEDS_BOX | CMD_NEEDS_RW | CMD_UID | CMD_NO_EXPUNGE },
	{ "SEARCH", imap_cmd_search, CMD_NEEDS_BOX | CMD_UID | CMD_NO_EXPUNGE },
	{ "SORT", imap_cmd_sort, CMD_NEEDS_BOX | CMD_UID | CMD_NO_EXPUNGE },
	{ "THREAD", imap_cmd_thread, CMD_NEEDS_BOX | CMD_UID | CMD_NO_EXPUNGE },
	{ "COPY", imap_cmd_copy, CMD_NEEDS_BOX | CMD_UID },
	{ "MOVE", imap_cmd_move, CMD_NEEDS_BOX | CMD_NEEDS_RW | CMD_UID },
	/* login's: RFC 3501 6.2 allows them in no state of ours */
	{ "LOGIN", imap_cmd_authenticated, 0 },
	{ "AUTHENTICATE", imap_cmd_authenticated, 0 },
	{ "STARTTLS", imap_cmd_authenticated, 0 },
	{ NULL, NULL, 0 },
};

const struct imap_command *
imap_command_find(struct str name)
{
	const struct imap_command *c;

	for (c = imap_commands; c->name; c++)
		if (str_ieq(name, str_of(c->name)))
			return c;
	return NULL;
}
