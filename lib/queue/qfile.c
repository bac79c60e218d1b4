/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/enc.h"
#include "queue/qfile.h"

enum {
	MAGIC = 0x31514850, /* "PHQ1" */
	SECOND_MSG_SLOT = 8,
	SLOTS_MIN = SECOND_MSG_SLOT + 1,
};

bool
qfile_layout(struct qfile_head *h)
{
	uint32_t nslots = h->nrcpts + 2;

	if (h->nrcpts == 0 || h->nrcpts > QFILE_RCPTS_MAX ||
	    h->env_len > QFILE_ENV_MAX || h->header_len > QFILE_HEADER_MAX ||
	    h->body > QFILE_TEXT ||
	    (uint64_t)h->sender_len + h->envid_len > h->env_len ||
	    (h->body == QFILE_INLINE && h->body_len > QFILE_HEADER_MAX))
		return false;
	if (nslots < SLOTS_MIN)
		nslots = SLOTS_MIN;
	h->env_off = QFILE_SLOTS + nslots * QFILE_SLOT;
	h->file_len = (uint64_t)h->env_off + h->env_len + h->header_len;
	if (h->body == QFILE_INLINE)
		h->file_len += h->body_len;
	return true;
}

void
qfile_put_head(const struct qfile_head *h, uint8_t out[QFILE_HEAD])
{
	memset(out, 0, QFILE_HEAD);
	enc_put32(out, MAGIC);
	enc_put64(out + 8, h->id);
	enc_put64(out + 16, h->spool_id);
	enc_put64(out + 24, h->arrival_us);
	enc_put64(out + 32, h->file_len);
	enc_put32(out + 40, h->nrcpts);
	enc_put32(out + 44, h->env_off);
	enc_put32(out + 48, h->env_len);
	enc_put32(out + 52, h->env_crc);
	enc_put32(out + 56, h->header_len);
	enc_put32(out + 60, h->header_crc);
	enc_put64(out + 64, h->body_len);
	enc_put32(out + 72, h->body_crc);
	out[76] = h->body;
	out[77] = h->flags;
	out[78] = h->ret;
	enc_put32(out + 80, h->sender_len);
	enc_put32(out + 84, h->envid_len);
	enc_put32(out + 4, enc_crc32c(0, out + 8, QFILE_HEAD - 8));
}

static enum qfile_verdict
bad_head(struct err *err, const char *why)
{
	err_set(err, ERR_PERM, 0, "damaged queue file: %s", why);
	return QFILE_BAD;
}

enum qfile_verdict
qfile_get_head(struct str in, uint64_t size, uint64_t id, struct qfile_head *h,
	       struct err *err)
{
	static const uint8_t nothing[QFILE_HEAD];
	const uint8_t *p = (const uint8_t *)in.p;
	struct qfile_head want;

	*h = (struct qfile_head){ .id = id };
	if (size < QFILE_HEAD)
		return QFILE_TORN;
	if (in.n < QFILE_HEAD)
		return bad_head(err, "head cannot be read");
	/* Space that was given to the file but never written. */
	if (memcmp(p, nothing, QFILE_HEAD) == 0)
		return QFILE_TORN;
	if (enc_get32(p) != MAGIC)
		return bad_head(err, "not a queue file");
	if (enc_get32(p + 4) != enc_crc32c(0, p + 8, QFILE_HEAD - 8))
		return bad_head(err, "checksum of the head");
	if (enc_get64(p + 8) != id)
		return QFILE_TORN; /* a spare: name or content came too late */
	h->spool_id = enc_get64(p + 16);
	h->arrival_us = enc_get64(p + 24);
	h->file_len = enc_get64(p + 32);
	h->nrcpts = enc_get32(p + 40);
	h->env_off = enc_get32(p + 44);
	h->env_len = enc_get32(p + 48);
	h->env_crc = enc_get32(p + 52);
	h->header_len = enc_get32(p + 56);
	h->header_crc = enc_get32(p + 60);
	h->body_len = enc_get64(p + 64);
	h->body_crc = enc_get32(p + 72);
	h->body = p[76];
	h->flags = p[77];
	h->ret = p[78];
	h->sender_len = enc_get32(p + 80);
	h->envid_len = enc_get32(p + 84);
	want = *h;
	if (!qfile_layout(&want) || want.env_off != h->env_off ||
	    want.file_len != h->file_len) {
		*h = (struct qfile_head){ .id = id };
		return bad_head(err, "lengths in the head");
	}
	return size == h->file_len ? QFILE_GOOD : QFILE_TORN;
}

uint32_t
qfile_msg_off(uint32_t seq)
{
	return QFILE_SLOTS + (seq & 1 ? 0 : SECOND_MSG_SLOT * QFILE_SLOT);
}

uint32_t
qfile_rcpt_off(uint32_t rcpt)
{
	uint32_t slot = rcpt + 1;

	if (slot >= SECOND_MSG_SLOT)
		slot++;
	return QFILE_SLOTS + slot * QFILE_SLOT;
}

/* The CRC covers what the slot is about, so that no other slot, file or time
 * can lend its bytes. */
static uint32_t
slot_crc(const struct qfile_head *h, uint32_t off, const uint8_t *slot)
{
	uint8_t about[20];

	enc_put64(about, h->id);
	enc_put64(about + 8, h->spool_id);
	enc_put32(about + 16, off);
	return enc_crc32c(enc_crc32c(0, about, sizeof(about)), slot + 4,
			  QFILE_SLOT - 4);
}

void
qfile_put_msg(const struct qfile_head *h, const struct qfile_msg *m,
	      uint8_t out[QFILE_SLOT])
{
	size_t i;

	memset(out, 0, QFILE_SLOT);
	enc_put32(out + 4, m->seq);
	out[8] = m->state;
	out[9] = m->reason;
	out[10] = m->kills;
	out[11] = m->flags;
	enc_put32(out + 12, m->tries);
	enc_put64(out + 16, m->next_try_us);
	enc_put32(out + 24, m->reports);
	for (i = 0; i < QFILE_CHILDREN; i++)
		enc_put64(out + 32 + 8 * i, m->child[i]);
	enc_put64(out + 56, m->parent);
	enc_put32(out, slot_crc(h, qfile_msg_off(m->seq), out));
}

void
qfile_put_rcpt(const struct qfile_head *h, uint32_t rcpt,
	       const struct qfile_rcpt *r, uint8_t out[QFILE_SLOT])
{
	memset(out, 0, QFILE_SLOT);
	enc_put32(out + 4, r->seq);
	out[8] = r->state;
	enc_put32(out + 12, r->tries);
	enc_put64(out + 16, r->when_us);
	enc_put32(out + 24, r->reports);
	enc_put32(out, slot_crc(h, qfile_rcpt_off(rcpt), out));
}

/* The slot at off, if it is whole. */
static const uint8_t *
good_slot(const struct qfile_head *h, struct str file, uint32_t off)
{
	const uint8_t *p = (const uint8_t *)file.p + off;

	if (file.n < off + QFILE_SLOT || enc_get32(p + 4) == 0 ||
	    enc_get32(p) != slot_crc(h, off, p))
		return NULL;
	return p;
}

bool
qfile_get_msg(const struct qfile_head *h, struct str file, struct qfile_msg *m)
{
	const uint8_t *a = good_slot(h, file, qfile_msg_off(1));
	const uint8_t *b = good_slot(h, file, qfile_msg_off(2));
	const uint8_t *p = a;
	size_t i;

	if (!a || (b && enc_get32(b + 4) > enc_get32(a + 4)))
		p = b;
	*m = (struct qfile_msg){ .state = QFILE_HELD, .reason = QFILE_DAMAGED };
	if (!p || p[8] < QFILE_ACTIVE || p[8] > QFILE_HELD ||
	    p[9] > QFILE_CHILD)
		return false;
	m->seq = enc_get32(p + 4);
	m->state = p[8];
	m->reason = p[9];
	m->kills = p[10];
	m->flags = p[11];
	m->tries = enc_get32(p + 12);
	m->next_try_us = enc_get64(p + 16);
	m->reports = enc_get32(p + 24);
	for (i = 0; i < QFILE_CHILDREN; i++)
		m->child[i] = enc_get64(p + 32 + 8 * i);
	m->parent = enc_get64(p + 56);
	return true;
}

bool
qfile_get_rcpt(const struct qfile_head *h, struct str file, uint32_t rcpt,
	       uint32_t reports, struct qfile_rcpt *r)
{
	const uint8_t *p = NULL;

	if (rcpt < h->nrcpts)
		p = good_slot(h, file, qfile_rcpt_off(rcpt));
	*r = (struct qfile_rcpt){ 0 };
	if (!p || p[8] > QFILE_SENT)
		return false;
	r->seq = enc_get32(p + 4);
	r->state = p[8];
	r->tries = enc_get32(p + 12);
	r->when_us = enc_get64(p + 16);
	r->reports = enc_get32(p + 24);
	if (r->reports > reports) { /* never confirmed: as it was before */
		r->state = r->state == QFILE_DONE ? QFILE_SENT : QFILE_GAVE_UP;
		r->reports = 0;
	}
	return true;
}

int
qfile_get_env(const struct qfile_head *h, struct str env, struct qfile_env *e,
	      struct err *err)
{
	*e = (struct qfile_env){ 0 };
	if (env.n != h->env_len || enc_crc32c(0, env.p, env.n) != h->env_crc ||
	    (uint64_t)h->sender_len + h->envid_len > env.n)
		return err_set(err, ERR_PERM, 0,
			       "damaged queue file: checksum of the envelope");
	e->sender = str_head(env, h->sender_len);
	e->envid = str_head(str_from(env, h->sender_len), h->envid_len);
	e->rcpts = str_from(env, (size_t)h->sender_len + h->envid_len);
	return 0;
}

/* --- attempt texts -------------------------------------------------------- */

static uint32_t
qlog_crc(uint64_t id, const uint8_t *rec, size_t n)
{
	uint8_t about[8];

	enc_put64(about, id);
	return enc_crc32c(enc_crc32c(0, about, sizeof(about)), rec + 4, n - 4);
}

size_t
qlog_put(uint64_t id, const struct qlog *r, uint8_t *out)
{
	size_t n = r->text.n < QLOG_TEXT_MAX ? r->text.n : QLOG_TEXT_MAX;

	memset(out, 0, QLOG_HEAD);
	enc_put16(out + 4, (uint16_t)n);
	out[6] = r->class;
	enc_put32(out + 8, r->rcpt);
	enc_put64(out + 12, r->when_us);
	if (n)
		memcpy(out + QLOG_HEAD, r->text.p, n);
	enc_put32(out, qlog_crc(id, out, QLOG_HEAD + n));
	return QLOG_HEAD + n;
}

bool
qlog_next(uint64_t id, struct str *in, struct qlog *r)
{
	const uint8_t *p = (const uint8_t *)in->p;
	size_t n;

	if (in->n < QLOG_HEAD)
		return false;
	n = QLOG_HEAD + (size_t)enc_get16(p + 4);
	if (n > in->n || n > QLOG_HEAD + QLOG_TEXT_MAX ||
	    enc_get32(p) != qlog_crc(id, p, n))
		return false;
	r->class = p[6];
	r->rcpt = enc_get32(p + 8);
	r->when_us = enc_get64(p + 12);
	r->text = str_mem(p + QLOG_HEAD, n - QLOG_HEAD);
	*in = str_from(*in, n);
	return true;
}

struct qlog_text
qlog_split(struct str text)
{
	struct qlog_text t = { 0 };

	if (!str_cut(&text, '\n', &t.text)) {
		t.text = text;
		text = STR_NULL;
	}
	if (!str_cut(&t.text, ' ', &t.dsn)) {
		t.dsn = t.text;
		t.text = STR_NULL;
	}
	if (!str_cut(&text, '\n', &t.mta)) {
		t.mta = text;
		text = STR_NULL;
	}
	t.reply = text;
	return t;
}

/* --- ids ------------------------------------------------------------------ */

const char *
qid_text(uint64_t id, char out[QID_MAX])
{
	snprintf(out, QID_MAX, "%012llX", (unsigned long long)id);
	return out;
}

bool
qid_parse(struct str s, uint64_t *id)
{
	uint64_t v = 0;
	size_t i;

	if (s.n < 12 || s.n >= QID_MAX || (s.n > 12 && s.p[0] == '0'))
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9')
			v = v << 4 | (unsigned)(s.p[i] - '0');
		else if (s.p[i] >= 'A' && s.p[i] <= 'F')
			v = v << 4 | (unsigned)(s.p[i] - 'A' + 10);
		else
			return false;
	}
	*id = v;
	return v != 0;
}
