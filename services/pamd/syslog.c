/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <syslog.h>

#include "base/buf.h"
#include "base/log.h"

#undef syslog
#undef vsyslog

/*
 * PAM's modules speak through syslog(3), which would open a socket.  These
 * stand in its place in the whole process (the dynamic linker takes a program's
 * own functions before those of libc), and lead to logd.  What a module says
 * may hold a peer's words: it is quoted.
 */
void __vsyslog_chk(int priority, int flag, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
void __syslog_chk(int priority, int flag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void __attribute__((format(printf, 2, 0)))
say(int priority, const char *fmt, va_list ap)
{
	struct buf b;

	buf_init(&b, 1000);
	(void)!buf_vaddf(&b, fmt, ap);
	if (LOG_PRI(priority) <= LOG_WARNING)
		log_warn("%s", LOGQ(buf_str(&b)));
	else
		log_info("%s", LOGQ(buf_str(&b)));
	buf_fini(&b);
}

void
vsyslog(int priority, const char *fmt, va_list ap)
{
	say(priority, fmt, ap);
}

void
syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(priority, fmt, ap);
	va_end(ap);
}

void
__vsyslog_chk(int priority, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	say(priority, fmt, ap);
}

void
__syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	say(priority, fmt, ap);
	va_end(ap);
}

void
openlog(const char *ident, int option, int facility)
{
	(void)ident;
	(void)option;
	(void)facility;
}

void
closelog(void)
{
}
