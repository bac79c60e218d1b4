/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "mail/users_file.h"
#include "sealed.h"

int
sealed_map(int fd, const char *what, struct str *text, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS), want = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;
	void *p;

	*text = STR_NULL;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", what);
	if (seals < 0 || (seals & want) != want)
		return err_set(err, ERR_PERM, EINVAL, "%s: not sealed", what);
	if (st.st_size > USERS_FILE_MAX)
		return err_set(err, ERR_PERM, EFBIG, "%s: more than %d MB",
			       what, USERS_FILE_MAX >> 20);
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, errno, "%s", what);
	*text = str_mem(p, (size_t)st.st_size);
	return 0;
}
