/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_MEMFILE_H
#define AUTHD_MEMFILE_H

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For tests: a file as master hands it over. */
static inline int
memfile(const char *text, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -1;
	return fd;
}
enum {
	MEMFILE_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
};

#endif
