/* SPDX-License-Identifier: ISC */
/*
 * The same on LMDB: one environment a user, tables of (folder, UID):
 * messages (fixed records, so that a walk over the flags touches nothing else),
 * names, blobs, and names -> UID.  Durable: a normal commit; not synced:
 * NOSYNC, after which a power cut may leave a damaged file; not synced but
 * safe: NOMETASYNC, which syncs the data but not the page that points to it.
 */
#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

enum { FOLDER = 7 };

static MDB_env *env;
static MDB_dbi messages, names, blobs, by_base;
static MDB_txn *reading;

static bool
lmdb_open(void)
{
	MDB_txn *txn;

	if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 8) ||
	    mdb_env_set_mapsize(env, (size_t)4 << 30) ||
	    mdb_env_open(env, ".", 0, 0600))
		return false;
	if (mdb_txn_begin(env, NULL, 0, &txn))
		return false;
	if (mdb_dbi_open(txn, "messages", MDB_CREATE | MDB_INTEGERKEY,
			 &messages) ||
	    mdb_dbi_open(txn, "names", MDB_CREATE | MDB_INTEGERKEY, &names) ||
	    mdb_dbi_open(txn, "blobs", MDB_CREATE | MDB_INTEGERKEY, &blobs) ||
	    mdb_dbi_open(txn, "by_base", MDB_CREATE, &by_base))
		return false;
	return mdb_txn_commit(txn) == 0;
}

static void
end_reading(void)
{
	if (reading)
		mdb_txn_abort(reading);
	reading = NULL;
}

static void
lmdb_close(void)
{
	end_reading();
	mdb_env_close(env);
}

static size_t
key_of(uint32_t uid)
{
	return (size_t)FOLDER << 32 | uid;
}

#define VAL(v) (&(MDB_val){ sizeof(v), &(v) })

static MDB_txn *
begin(enum durable how)
{
	MDB_txn *txn;

	end_reading();
	if (mdb_env_set_flags(env, MDB_NOSYNC, how == NOT_SYNCED) ||
	    mdb_env_set_flags(env, MDB_NOMETASYNC, how != SYNCED) ||
	    mdb_txn_begin(env, NULL, 0, &txn))
		return NULL;
	return txn;
}

static bool
lmdb_add(uint32_t first, uint32_t n, enum durable how)
{
	MDB_txn *txn = begin(how);
	struct record r;
	char name[256];
	uint32_t i;
	size_t key;

	if (!txn)
		return false;
	for (i = first; i < first + n; i++) {
		MDB_val k = { sizeof(key), &key }, v;

		key = key_of(i);
		make_record(i, &r);
		make_name(i, name);
		v = (MDB_val){ strlen(name), name };
		if (mdb_put(txn, messages, &k, VAL(r), MDB_APPEND) ||
		    mdb_put(txn, names, &k, &v, MDB_APPEND) ||
		    mdb_put(txn, by_base, &v, VAL(key), 0))
			return false;
	}
	return mdb_txn_commit(txn) == 0;
}

static bool
lmdb_change(uint32_t first, uint32_t n, uint32_t step, uint64_t flags,
	    enum durable how)
{
	MDB_txn *txn = begin(how);
	struct record r;
	uint32_t i;
	size_t key;

	if (!txn)
		return false;
	for (i = 0; i < n; i++) {
		MDB_val k = { sizeof(key), &key }, v;

		key = key_of(first + i * step);
		if (mdb_get(txn, messages, &k, &v) || v.mv_size != sizeof(r))
			return false;
		memcpy(&r, v.mv_data, sizeof(r));
		r.flags = flags;
		r.modseq++;
		if (mdb_put(txn, messages, &k, VAL(r), 0))
			return false;
	}
	return mdb_txn_commit(txn) == 0;
}

static bool
lmdb_put_blobs(uint32_t first, uint32_t n)
{
	MDB_txn *txn = begin(NOT_SYNCED);
	char blob[BLOB_LENGTH];
	uint32_t i;
	size_t key;

	if (!txn)
		return false;
	for (i = first; i < first + n; i++) {
		key = key_of(i);
		make_blob(i, blob);
		if (mdb_put(txn, blobs, VAL(key), VAL(blob), MDB_APPEND))
			return false;
	}
	return mdb_txn_commit(txn) == 0;
}

static bool
begin_reading(void)
{
	return reading || mdb_txn_begin(env, NULL, MDB_RDONLY, &reading) == 0;
}

static uint64_t
lmdb_walk(size_t *n)
{
	struct record r;
	MDB_cursor *c;
	uint64_t sum = 0;
	MDB_val k, v;

	*n = 0;
	if (!begin_reading() || mdb_cursor_open(reading, messages, &c))
		return 0;
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		if (v.mv_size != sizeof(r))
			break;
		memcpy(&r, v.mv_data, sizeof(r));
		sum += r.flags;
		++*n;
	}
	mdb_cursor_close(c);
	return sum;
}

static bool
lmdb_get(uint32_t uid, struct record *r, char name[256], const char **blob,
	 size_t *blob_n)
{
	size_t key = key_of(uid);
	MDB_val v;

	if (!begin_reading() || mdb_get(reading, messages, VAL(key), &v) ||
	    v.mv_size != sizeof(*r))
		return false;
	memcpy(r, v.mv_data, sizeof(*r));
	if (mdb_get(reading, names, VAL(key), &v) || v.mv_size > 255)
		return false;
	memcpy(name, v.mv_data, v.mv_size);
	name[v.mv_size] = '\0';
	*blob_n = 0;
	if (mdb_get(reading, blobs, VAL(key), &v) == 0) {
		*blob = v.mv_data;
		*blob_n = v.mv_size;
	}
	return true;
}

static bool
lmdb_by_name(uint32_t uid)
{
	size_t key = key_of(uid);
	char name[256];
	MDB_val v;

	make_name(uid, name);
	return begin_reading() &&
	       mdb_get(reading, by_base, &(MDB_val){ strlen(name), name },
		       &v) == 0 &&
	       v.mv_size == sizeof(key) && !memcmp(v.mv_data, &key, 8);
}

static void
lmdb_settle(void)
{
	mdb_env_sync(env, 1);
}

static const char *const files[] = { "data.mdb", NULL };
const struct engine engine_lmdb = {
	.name = "lmdb",
	.open = lmdb_open,
	.close = lmdb_close,
	.add = lmdb_add,
	.change = lmdb_change,
	.put_blobs = lmdb_put_blobs,
	.walk = lmdb_walk,
	.get = lmdb_get,
	.by_name = lmdb_by_name,
	.settle = lmdb_settle,
	.files = files,
};
