/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

#undef err_set
#undef err_sys
#undef err_prefix

int
err_set(struct err *err, enum err_class class, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	err->class = class;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

static enum err_class
class_of(int code)
{
	switch (code) {
	case EAGAIN:
	case EBUSY:
	case EDQUOT:
	case EINTR:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOLCK:
	case ENOMEM:
	case ENOSPC:
	case EROFS:
	case ESTALE:
	case ETIMEDOUT:
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case EFBIG:
		return ERR_TEMP;
	default:
		return ERR_PERM;
	}
}

int
err_sys(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!err)
		return -1;
	err->class = class_of(code);
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(code));
	return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t n;

	if (!err)
		return -1;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	if (n + 3 < sizeof(err->text)) {
		size_t room = sizeof(err->text) - n - 3;
		size_t m = strnlen(old, sizeof(old) - 1);

		if (m > room)
			m = room;
		memcpy(err->text + n, ": ", 2);
		memcpy(err->text + n + 2, old, m);
		err->text[n + 2 + m] = '\0';
	}
	return -1;
}

void
bug_at(const char *file, int line, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("panic: %s:%d: %s", file, line, text);
	log_flush();
	/* Also where it is seen when logd is the one to end. */
	dprintf(STDERR_FILENO, "panic: %s:%d: %s\n", file, line, text);
	abort();
}
