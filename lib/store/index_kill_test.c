/* SPDX-License-Identifier: ISC */
/*
 * Several processes change one folder's index on the real disk; they are killed
 * in the middle of it, and the log is made anew and lost under their hands.
 * What one of them told stands: a UID names one message, for all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "base/unit.h"
#include "store/index_int.h"

enum { WORKERS = 3, KILLS = 40, UIDS = 1 << 22 };

static void
on_slot(void *arg, size_t slot)
{
	(void)arg;
	(void)slot;
}

static void
on_reset(void *arg)
{
	(void)arg;
	_exit(9);
}

static uint32_t
fresh(void *arg, uint32_t above, struct err *err)
{
	(void)arg;
	(void)err;
	return above + 1;
}

static const struct index_ops ops = { on_slot, on_slot, on_reset, fresh };

/* One line a message, after it was committed. */
struct told {
	uint32_t uid, base;
};

static struct index *
open_index(int dir)
{
	struct err err;
	struct index *ix = index_open(dir, "test", &ops, NULL, &err);

	if (!ix) {
		fprintf(stderr, "%s\n", err.text);
		_exit(8);
	}
	return ix;
}

static void
one_turn(struct index *ix, int out, uint32_t me, uint32_t *n)
{
	struct told told[3];
	char base[3][32];
	struct err err;
	uint32_t i;

	if (index_lock(ix, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(7);
	}
	for (i = 0; i < 3; i++, ++*n) {
		told[i].base = me << 20 | *n;
		snprintf(base[i], sizeof(base[i]), "%u.test", told[i].base);
		told[i].uid = index_add(
			ix, &(struct index_new){ .base = str_of(base[i]) });
	}
	if (index_slots(ix))
		index_state(ix, rand_below(index_slots(ix)), rand_u64() >> 40,
			    0);
	if (index_commit(ix, false, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(6);
	}
	index_unlock(ix);
	if (write(out, told, sizeof(told)) != sizeof(told))
		_exit(5);
	if (*n % 30 == 0)
		index_checkpoint(ix);
	if (*n % 99)
		return;
	/* What index_checkpoint() does with a long log. */
	if (index_lock(ix, &err) < 0 || index_write_new(ix, &err) < 0)
		_exit(4);
	index_unlock(ix);
}

static pid_t
start_worker(int dir, int out, uint32_t me)
{
	pid_t pid = fork();
	struct index *ix;
	uint32_t n = 0;

	if (pid)
		return pid;
	ix = open_index(dir);
	while (n < 1 << 19)
		one_turn(ix, out, me, &n);
	_exit(0);
}

static void
check(struct index *ix, const char *path)
{
	uint32_t *base = calloc(UIDS, sizeof(*base));
	const struct message *m;
	FILE *f = fopen(path, "re");
	struct told t;
	char name[32];
	size_t n = 0;

	assert_non_null(base);
	assert_non_null(f);
	for (; fread(&t, sizeof(t), 1, f) == 1; n++) {
		assert_in_range(t.uid, 1, UIDS - 1);
		assert_int_equal(base[t.uid], 0);
		base[t.uid] = t.base;
		m = index_find(ix, t.uid);
		assert_non_null(m);
		snprintf(name, sizeof(name), "%u.test", t.base);
		assert_true(str_eq(index_base(ix, m), str_of(name)));
	}
	print_message("%zu messages\n", n);
	assert_true(n > 100);
	fclose(f);
	free(base);
}

static void
test_kill(void **state)
{
	char path[] = "/tmp/posthouse-index.XXXXXX", command[64];
	pid_t pid[WORKERS] = { 0 };
	struct index *ix;
	uint32_t i, started = 0, w;
	int dir, out, status;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out = openat(dir, "told", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		     0600);
	assert_true(out >= 0);
	for (i = 0; i < KILLS; i++) {
		w = i % WORKERS;
		if (pid[w]) {
			kill(pid[w], SIGKILL);
			assert_int_equal(waitpid(pid[w], &status, 0), pid[w]);
			assert_true(WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGKILL);
		}
		pid[w] = start_worker(dir, out, ++started);
		usleep(1000 + (useconds_t)rand_below(40000));
	}
	for (w = 0; w < WORKERS; w++) {
		kill(pid[w], SIGKILL);
		waitpid(pid[w], &status, 0);
	}
	ix = open_index(dir);
	snprintf(command, sizeof(command), "%s/told", path);
	check(ix, command);
	index_close(ix);
	ix = open_index(dir); /* from the snapshot */
	check(ix, command);
	index_close(ix);
	close(out);
	close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
