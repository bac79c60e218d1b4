/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <time.h>

#include "base/enc.h"
#include "format.h"

bool
format_next(struct str *frame, struct log_record *r, bool *malformed)
{
	size_t rest, idlen;

	*malformed = false;
	if (frame->n == 0)
		return false;
	*malformed = true;
	if (frame->n < 4)
		return false;
	rest = enc_get16(frame->p);
	idlen = (unsigned char)frame->p[3];
	if (rest < 2 + idlen || rest > frame->n - 2 ||
	    rest > 2 + 255 + LOG_TEXT_MAX ||
	    (unsigned char)frame->p[2] > LOG_ERROR_)
		return false;
	r->level = (enum log_level)frame->p[2];
	r->id = str_mem(frame->p + 4, idlen);
	r->text = str_mem(frame->p + 4 + idlen, rest - 2 - idlen);
	*frame = str_from(*frame, 2 + rest);
	*malformed = false;
	return true;
}

static void
add_plain(struct buf *out, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_add_byte(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
}

static const char *
level_word(enum log_level level)
{
	return level == LOG_WARN_    ? "warning: "
	       : level == LOG_ERROR_ ? "error: "
	       : level == LOG_DEBUG_ ? "debug: "
				     : "";
}

static void
add_stamp(struct buf *out, uint64_t wall_us)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr",
					    "May", "Jun", "Jul", "Aug",
					    "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(wall_us / 1000000);
	struct tm tm;

	localtime_r(&t, &tm);
	buf_addf(out, "%s %2d %02d:%02d:%02d", months[tm.tm_mon], tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void
add_rest(struct buf *out, const struct log_sender *s,
	 const struct log_record *r)
{
	buf_add_c(out, s->syslog_name);
	if (!s->alone)
		buf_addf(out, "/%s", s->name);
	if (s->pid)
		buf_addf(out, "[%ld]", s->pid);
	buf_add_c(out, ": ");
	if (r->id.n) {
		add_plain(out, r->id);
		buf_add_c(out, ": ");
	}
	buf_add_c(out, level_word(r->level));
	add_plain(out, r->text);
}

void
format_text(struct buf *out, const struct log_sender *s,
	    const struct log_record *r, uint64_t wall_us, const char *host)
{
	add_stamp(out, wall_us);
	buf_addf(out, " %s ", host);
	add_rest(out, s, r);
	buf_add_byte(out, '\n');
}

void
format_syslog(struct buf *out, const struct log_sender *s,
	      const struct log_record *r, uint64_t wall_us)
{
	static const int severity[] = { 7, 6, 4, 3 }; /* RFC 3164 4.1.1 */

	buf_addf(out, "<%d>", 2 << 3 | severity[r->level]);
	add_stamp(out, wall_us);
	buf_add_byte(out, ' ');
	add_rest(out, s, r);
}

/* RFC 8259 section 7.  Bytes that are not UTF-8 become U+FFFD. */
static void
add_json(struct buf *out, struct str s)
{
	size_t i, len, k;

	buf_add_byte(out, '"');
	for (i = 0; i < s.n; i += len) {
		const unsigned char *p = (const unsigned char *)s.p + i;

		len = 1;
		if (p[0] == '"' || p[0] == '\\') {
			buf_addf(out, "\\%c", p[0]);
			continue;
		}
		if (p[0] < 0x20 || p[0] == 0x7f) {
			buf_addf(out, "\\u%04x", p[0]);
			continue;
		}
		if (p[0] < 0x80) {
			buf_add_byte(out, (char)p[0]);
			continue;
		}
		len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
		for (k = 1; k < len; k++)
			if (i + k >= s.n || (p[k] & 0xc0) != 0x80)
				break;
		if (k == len && p[0] >= 0xc2 && p[0] <= 0xf4) {
			buf_add(out, p, len);
		} else {
			buf_add_c(out, "\xef\xbf\xbd");
			len = 1;
		}
	}
	buf_add_byte(out, '"');
}

void
format_json(struct buf *out, const struct log_sender *s,
	    const struct log_record *r, uint64_t wall_us)
{
	static const char *const levels[] = { "debug", "info", "warning",
					      "error" };
	time_t t = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	buf_addf(out, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06uZ\",",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		 tm.tm_min, tm.tm_sec, (unsigned)(wall_us % 1000000));
	buf_addf(out, "\"instance\":");
	add_json(out, str_of(s->syslog_name));
	buf_add_c(out, ",\"program\":");
	add_json(out, str_of(s->name));
	if (s->pid)
		buf_addf(out, ",\"pid\":%ld", s->pid);
	buf_addf(out, ",\"level\":\"%s\"", levels[r->level]);
	if (r->id.n) {
		buf_add_c(out, ",\"queue_id\":");
		add_json(out, r->id);
	}
	buf_add_c(out, ",\"message\":");
	add_json(out, r->text);
	buf_add_c(out, "}\n");
}
