/* SPDX-License-Identifier: ISC */
/*
 * What stands in for libFuzzer outside the fuzz preset: every file named, and
 * every file in the directories named, is given once to the fuzz target.
 * Missing or empty corpora are errors: a replay that runs nothing proves
 * nothing.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLAY_MAX (16u << 20)

static int
fail(const char *path, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", path, why);
	return -1;
}

/* The bytes live in a block of exactly their size, so that a sanitizer sees
 * the first byte read past the end. */
static int
replay_file(const char *path)
{
	struct stat st;
	uint8_t *data;
	size_t have = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return fail(path, strerror(errno));
	}
	if (st.st_size > REPLAY_MAX) {
		close(fd);
		return fail(path, "too large");
	}
	data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	if (!data)
		abort();
	while (have < (size_t)st.st_size) {
		n = read(fd, data + have, (size_t)st.st_size - have);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	close(fd);
	if (have != (size_t)st.st_size) {
		free(data);
		return fail(path, "cannot be read whole");
	}
	/* When the target crashes, the last line says on which input. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, have);
	free(data);
	return 0;
}

/* The number of files replayed, -1 on error. */
static long
replay_dir(const char *path)
{
	char name[PATH_MAX];
	struct dirent *e;
	long count = 0;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return fail(path, strerror(errno));
	while (count >= 0 && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, e->d_name) >=
			    (int)sizeof(name) ||
		    replay_file(name) < 0)
			count = -1;
		else
			count++;
	}
	closedir(dir);
	if (count == 0)
		return fail(path, "no inputs there");
	return count;
}

int
main(int argc, char **argv)
{
	struct stat st;
	long count, total = 0;
	int i;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) < 0)
			count = fail(argv[i], strerror(errno));
		else if (S_ISDIR(st.st_mode))
			count = replay_dir(argv[i]);
		else
			count = replay_file(argv[i]) < 0 ? -1 : 1;
		if (count < 0)
			return EXIT_FAILURE;
		total += count;
	}
	if (total == 0) {
		fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
		return EXIT_FAILURE;
	}
	printf("%ld inputs replayed\n", total);
	return EXIT_SUCCESS;
}
