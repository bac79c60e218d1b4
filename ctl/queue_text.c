/* SPDX-License-Identifier: ISC */
#include "mail/header.h"
#include "mail/smtpline.h"
#include "queue.h"

enum { OFFER = SMTP_OFFER_STRICT | SMTP_OFFER_DSN | SMTP_OFFER_UTF8 };

size_t
queue_text_unix(char *p, size_t n)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++)
		if (p[i] != '\r' || i + 1 == n || p[i + 1] != '\n')
			p[kept++] = p[i];
	return kept;
}

static int
take_mail(struct exported *t, struct str args, struct pool *pool,
	  struct err *err)
{
	struct smtp_mail m;
	struct str bad = STR_NULL;
	enum smtp_syntax rc;

	if (t->sender.p)
		return err_set(err, ERR_PERM, 0, "a second MAIL");
	rc = smtpline_mail(args, OFFER, &m, &bad);
	/* Addresses may be UTF-8 where the text's header is not. */
	if (rc != SMTP_SYNTAX_OK && rc != SMTP_SYNTAX_ASCII)
		return err_set(err, ERR_PERM, 0, "MAIL: %.*s",
			       STR_FMT(str_head(bad, 100)));
	t->sender = pool_str(pool, path_str(&m.sender));
	t->envid = pool_str(pool, str_mem(m.envid, m.envid_n));
	if (!t->sender.p || !t->envid.p)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	t->ret = m.ret == SMTP_RET_FULL	  ? RET_FULL
		 : m.ret == SMTP_RET_HDRS ? RET_HDRS
					  : RET_NONE;
	if (m.body == SMTP_8BITMIME)
		t->flags |= COMMIT_8BITMIME;
	if (m.smtputf8)
		t->flags |= COMMIT_SMTPUTF8;
	return 0;
}

static int
take_rcpt(struct exported *t, struct str args, struct err *err)
{
	struct msg_rcpt_in in;
	struct smtp_rcpt r;
	struct str bad = STR_NULL;

	if (!t->sender.p)
		return err_set(err, ERR_PERM, 0, "RCPT before MAIL");
	if (smtpline_rcpt(args, OFFER, &r, &bad) != SMTP_SYNTAX_OK)
		return err_set(err, ERR_PERM, 0, "RCPT: %.*s",
			       STR_FMT(str_head(bad, 100)));
	in = (struct msg_rcpt_in){
		.address = path_str(&r.rcpt),
		.orcpt = str_mem(r.orcpt, r.orcpt_n),
		.notify = (uint8_t)r.notify,
	};
	if (t->nrcpts == RCPTS_MAX ||
	    msg_list_add(&t->rcpts, &msg_rcpt_in_def, &in, err) < 0)
		return err_set(err, ERR_PERM, 0, "too many recipients");
	t->nrcpts++;
	return 0;
}

/* A line of the envelope; *data: it was the last. */
static int
take_line(struct exported *t, struct str line, bool *data, struct pool *pool,
	  struct err *err)
{
	struct smtp_line l;

	line = str_trim(line);
	if (!line.n || line.p[0] == '#')
		return 0;
	smtpline_parse(line, &l);
	if (l.verb == SMTP_MAIL)
		return take_mail(t, l.args, pool, err);
	if (l.verb == SMTP_RCPT)
		return take_rcpt(t, l.args, err);
	if (l.verb == SMTP_DATA && !l.args.n) {
		*data = true;
		return 0;
	}
	if (str_ieq(line, STR("HOLD"))) {
		t->flags |= COMMIT_HOLD;
		return 0;
	}
	return err_set(err, ERR_PERM, 0,
		       "neither MAIL, RCPT, HOLD, DATA nor a comment");
}

static int
take_message(struct exported *t, struct str in, struct err *err)
{
	struct str rest = in;
	struct header_field f;

	if (str_find(in, '\r') >= 0 || str_find(in, '\0') >= 0)
		return err_set(err, ERR_PERM, 0,
			       "a CR alone or a NUL in the message");
	while (header_next(&rest, &f))
		;
	t->header = str_head(in, in.n - rest.n);
	t->body = rest;
	if (rest.n && rest.p[0] != '\n')
		return err_set(err, ERR_PERM, 0,
			       "no empty line between header and body");
	if (!t->header.n || t->header.p[t->header.n - 1] != '\n')
		return err_set(err, ERR_PERM, 0, "no header");
	return 0;
}

int
queue_text_parse(struct exported *t, struct str in, struct pool *pool,
		 struct err *err)
{
	unsigned long lines = 0;
	bool data = false;
	struct str line;
	int rc = 0;

	*t = (struct exported){ 0 };
	buf_init(&t->rcpts, 32 * 1024 * 1024);
	while (rc == 0 && !data && str_cut(&in, '\n', &line)) {
		lines++;
		if (line.n > QUEUE_LINE_MAX)
			rc = err_set(err, ERR_PERM, 0, "too long");
		else
			rc = take_line(t, line, &data, pool, err);
	}
	if (rc == 0 && !data)
		rc = err_set(err, ERR_PERM, 0, "no DATA before the end");
	else if (rc == 0 && !t->nrcpts)
		rc = err_set(err, ERR_PERM, 0, "no recipient before DATA");
	else if (rc == 0)
		rc = take_message(t, in, err);
	return rc < 0 ? err_prefix(err, "line %lu", lines) : 0;
}

void
queue_text_fini(struct exported *t)
{
	buf_fini(&t->rcpts);
}
