/* SPDX-License-Identifier: ISC */
/*
 * The index of a folder beside LMDB, with the same content: a record, a base
 * name and a blob of 700 bytes for each of N messages.
 *
 *   bench_index ENGINE DIR [N]          times of one run, in milliseconds by
 *       the clock and of CPU
 *   bench_index ENGINE DIR [N] damage   the files cut off, or one bit flipped:
 *       each try in a process of its own; crash, wrong (something was read that
 *       was never written), lost (a message is missing, or an error), no blob
 *       (it is to be computed again), right
 *
 * ENGINE is ours or lmdb; DIR is made, and must not be there.  tests/bench/
 * index/run does both, alternating, and prints medians.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "bench.h"

#define SEEN (1ull << 18)
#define OTHER (1ull << 5)

void
make_record(uint32_t uid, struct record *r)
{
	*r = (struct record){ .flags = uid % 3 ? SEEN : 0,
			      .disk = uid % 3 ? SEEN : 0,
			      .wsize = 1000 + uid,
			      .mtime = 1700000000 + uid };
}

static char (*names)[100]; /* made before the clock runs */
static char noise[4096];

void
make_name(uint32_t uid, char name[256])
{
	memcpy(name, names[uid], sizeof(names[uid]));
}

static void
make_names(uint32_t n)
{
	uint64_t x = 1;
	uint32_t i;

	names = calloc(n + 1, sizeof(*names));
	for (i = 0; names && i <= n; i++)
		snprintf(names[i], sizeof(names[i]),
			 "%u.P%016llxQ%08xR%08x.mail.example.net,S=%u,W=%u",
			 1700000000 + i, i * 0x9e3779b97f4a7c15ull, i,
			 i * 2654435761u, 900 + i, 1000 + i);
	for (i = 0; i < sizeof(noise); i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		noise[i] = (char)(x >> 40);
	}
}

void
make_blob(uint32_t uid, char blob[BLOB_LENGTH])
{
	memcpy(blob, &uid, sizeof(uid));
	memcpy(blob + 4, noise + uid % 3000, BLOB_LENGTH - 4);
}

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double started, started_cpu;

static void
begin(void)
{
	started = now();
	started_cpu = cpu();
}

/* Milliseconds by the clock, and of CPU. */
static void
row(const char *what)
{
	double wall = now() - started, used = cpu() - started_cpu;

	printf("%-34s %12.3f %12.3f\n", what, wall, used);
}

static void
must(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

/* A line of /proc/self/status, in KB. */
static long
status(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name) + 1, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

static void
times(const struct engine *e, uint32_t n)
{
	long anon, file, size = 0;
	struct stat st;
	size_t count, i;
	uint32_t uid;

	must(e->open(), "open");
	begin();
	must(e->add(1, n, SYNCED), "add");
	row("add all, one commit");
	begin();
	must(e->put_blobs(1, n), "put blobs");
	e->settle();
	row("put all blobs, settle");
	e->close();

	malloc_trim(0);
	anon = status("RssAnon");
	file = status("RssFile");
	begin();
	must(e->open(), "open");
	row("open");
	begin();
	e->walk(&count);
	row("walk flags, first");
	must(count == n, "count");
	begin();
	e->walk(&count);
	row("walk flags, again");
	printf("%-34s %12ld\n", "memory anonymous, KB",
	       status("RssAnon") - anon);
	printf("%-34s %12ld\n", "memory file, KB", status("RssFile") - file);
	begin();
	must(e->by_name(n / 2), "by name");
	row("by name, first");
	begin();
	for (uid = 1; uid <= n; uid++)
		must(e->by_name(uid), "by name");
	row("by name, all");
	begin();
	for (uid = 1; uid <= n; uid++) {
		struct record r;
		char name[256];
		const char *blob;
		size_t blob_n;

		must(e->get(uid, &r, name, &blob, &blob_n) && blob_n, "get");
	}
	row("read all with blobs");
	e->close();

	must(e->open(), "open");
	must(e->change(3, 1, 1, OTHER, SYNCED), "change");
	begin();
	for (i = 0; i < 50; i++)
		must(e->change((uint32_t)i * 1999 % n + 1, 1, 1, OTHER, SYNCED),
		     "change");
	row("50 changes, each durable");
	begin();
	for (i = 0; i < 500; i++)
		must(e->change((uint32_t)i * 199 % n + 1, 1, 1, SEEN,
			       NOT_SYNCED),
		     "change");
	row("500 changes, not synced");
	begin();
	for (i = 0; i < 500; i++)
		must(e->change((uint32_t)i * 199 % n + 1, 1, 1, OTHER,
			       NOT_SYNCED_SAFE),
		     "change");
	row("500 changes, not synced, safe");
	begin();
	must(e->change(1, n / 10, 10, OTHER | SEEN, NOT_SYNCED), "change");
	row("N/10 changes, one commit");
	begin();
	for (i = 0; i < 1000; i++)
		must(e->add(n + 1 + (uint32_t)i, 1, SYNCED), "append");
	row("1000 appends, each durable");
	begin();
	e->close();
	row("close");
	for (i = 0; e->files[i]; i++)
		size += stat(e->files[i], &st) < 0 ? 0 : st.st_size / 1024;
	printf("%-34s %12ld\n", "files, KB", size);
}

/* --- damage --------------------------------------------------------------- */

enum { RIGHT, NO_BLOB, LOST, WRONG, CRASH, RESULTS };

/* All that can be read, as it was written? */
static int
look(const struct engine *e, uint32_t n)
{
	char name[256], want_name[256], want_blob[BLOB_LENGTH];
	struct record r, want;
	const char *blob;
	int result = RIGHT;
	size_t blob_n, count;
	uint32_t uid;

	if (!e->open())
		return LOST;
	e->walk(&count);
	for (uid = 1; uid <= n; uid++) {
		if (!e->get(uid, &r, name, &blob, &blob_n)) {
			result = LOST;
			continue;
		}
		make_record(uid, &want);
		make_name(uid, want_name);
		make_blob(uid, want_blob);
		if (r.flags != want.flags || r.disk != want.disk ||
		    r.wsize != want.wsize || r.mtime != want.mtime ||
		    strcmp(name, want_name) != 0 ||
		    (blob_n && (blob_n != BLOB_LENGTH ||
				memcmp(blob, want_blob, blob_n) != 0)))
			return WRONG;
		if (!blob_n && result == RIGHT)
			result = NO_BLOB;
	}
	if (!e->change(1, 1, 1, SEEN, SYNCED))
		result = LOST;
	e->close();
	return result;
}

static int
look_in_child(const struct engine *e, uint32_t n)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(CRASH);
		alarm(60);
		_exit(look(e, n));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	return WIFEXITED(status) && WEXITSTATUS(status) < CRASH
		       ? WEXITSTATUS(status)
		       : CRASH;
}

static void
copy(const char *from, const char *to)
{
	static char buf[1 << 20];
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t got;

	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		die(from);
	while ((got = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)got) != got)
			die(to);
	close(in);
	close(out);
}

static void
harm(const char *file, uint64_t x, bool flip)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);
	struct stat st;
	off_t at;
	char c;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(file);
	at = (off_t)(x >> 3) % st.st_size;
	if (flip) {
		if (pread(fd, &c, 1, at) != 1)
			die(file);
		c ^= (char)(1 << (x & 7));
		if (pwrite(fd, &c, 1, at) != 1)
			die(file);
	} else if (ftruncate(fd, at) < 0) {
		die(file);
	}
	close(fd);
}

static void
damage(const struct engine *e, uint32_t n)
{
	int seen[2][RESULTS] = { 0 }, i, k, f, nfiles = 0;
	uint64_t x = 42;
	char good[64];

	must(e->open() && e->add(1, n, SYNCED) && e->put_blobs(1, n), "fill");
	e->settle();
	e->close();
	for (f = 0; e->files[f]; f++, nfiles++) {
		snprintf(good, sizeof(good), "%s.good", e->files[f]);
		copy(e->files[f], good);
	}
	for (k = 0; nfiles && k < 2; k++) {
		for (i = 0; i < (k ? 150 : 30); i++) {
			for (f = 0; f < nfiles; f++) {
				snprintf(good, sizeof(good), "%s.good",
					 e->files[f]);
				copy(good, e->files[f]);
			}
			x = x * 6364136223846793005u + 1442695040888963407u;
			harm(e->files[i % nfiles], x >> 17, k);
			seen[k][look_in_child(e, n)]++;
		}
		printf("%-12s crash %d, wrong %d, lost %d, no blob %d, "
		       "right %d\n",
		       k ? "bit flipped" : "cut off", seen[k][CRASH],
		       seen[k][WRONG], seen[k][LOST], seen[k][NO_BLOB],
		       seen[k][RIGHT]);
	}
}

int
main(int argc, char **argv)
{
	const struct engine *e;
	uint32_t n = 100000;

	if (argc < 3) {
		fprintf(stderr, "bench_index ours|lmdb DIR [N [damage]]\n");
		return 2;
	}
	e = strcmp(argv[1], "lmdb") == 0 ? &engine_lmdb : &engine_ours;
	if (argc > 3)
		n = (uint32_t)strtoul(argv[3], NULL, 10);
	if (mkdir(argv[2], 0700) < 0 || chdir(argv[2]) < 0)
		die(argv[2]);
	log_open(-1, "bench");
	make_names(n + 1000);
	if (argc > 4)
		damage(e, n);
	else
		times(e, n);
	return 0;
}
