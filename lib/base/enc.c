/* SPDX-License-Identifier: ISC */
#include "base/enc.h"
#include "base/rand.h"

/* --- CRC-32C, eight bytes a step ("slicing by 8") ----------------------- */

static uint32_t crc_table[8][256];

__attribute__((constructor)) static void
crc_init(void)
{
	uint32_t i, j, c;

	for (i = 0; i < 256; i++) {
		c = i;
		for (j = 0; j < 8; j++)
			c = c & 1 ? 0x82f63b78u ^ c >> 1 : c >> 1;
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			crc_table[j][i] =
				crc_table[j - 1][i] >> 8 ^
				crc_table[0][crc_table[j - 1][i] & 255];
}

uint32_t
enc_crc32c_table(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint32_t lo, hi;

	crc = ~crc;
	while (n >= 8) {
		lo = enc_get32(b) ^ crc;
		hi = enc_get32(b + 4);
		crc = crc_table[7][lo & 255] ^ crc_table[6][lo >> 8 & 255] ^
		      crc_table[5][lo >> 16 & 255] ^ crc_table[4][lo >> 24] ^
		      crc_table[3][hi & 255] ^ crc_table[2][hi >> 8 & 255] ^
		      crc_table[1][hi >> 16 & 255] ^ crc_table[0][hi >> 24];
		b += 8;
		n -= 8;
	}
	while (n--)
		crc = crc_table[0][(crc ^ *b++) & 255] ^ crc >> 8;
	return ~crc;
}

#ifdef __x86_64__
/* There is an instruction for it, five times as fast. */
__attribute__((target("sse4.2"))) static uint32_t
crc_instruction(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t c = (uint32_t)~crc, v;
	uint32_t half;

	for (; n >= sizeof(v); b += sizeof(v), n -= sizeof(v)) {
		memcpy(&v, b, sizeof(v));
		c = __builtin_ia32_crc32di(c, v);
	}
	if (n >= sizeof(half)) {
		memcpy(&half, b, sizeof(half));
		c = __builtin_ia32_crc32si((uint32_t)c, half);
		b += sizeof(half);
		n -= sizeof(half);
	}
	while (n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *b++);
	return ~(uint32_t)c;
}

/* Three times n bytes, n a multiple of eight: the instruction has its result
 * after three ticks and can begin in each. */
__attribute__((target("sse4.2"))) static void
crc_thrice(uint32_t crc[3], const uint8_t *p, size_t n)
{
	uint64_t a = ~UINT32_C(0), b = a, c = a, v;
	const uint8_t *end = p + n;

	for (; p < end; p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		a = __builtin_ia32_crc32di(a, v);
		memcpy(&v, p + n, sizeof(v));
		b = __builtin_ia32_crc32di(b, v);
		memcpy(&v, p + 2 * n, sizeof(v));
		c = __builtin_ia32_crc32di(c, v);
	}
	crc[0] = ~(uint32_t)a;
	crc[1] = ~(uint32_t)b;
	crc[2] = ~(uint32_t)c;
}

static bool
has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
static uint32_t
crc_instruction(uint32_t crc, const void *p, size_t n)
{
	return enc_crc32c_table(crc, p, n);
}

static void
crc_thrice(uint32_t crc[3], const uint8_t *p, size_t n)
{
	(void)crc;
	(void)p;
	(void)n;
}

static bool
has_instruction(void)
{
	return false;
}
#endif

uint32_t
enc_crc32c(uint32_t crc, const void *p, size_t n)
{
	return has_instruction() ? crc_instruction(crc, p, n)
				 : enc_crc32c_table(crc, p, n);
}

uint32_t
enc_crc32c_thirds(uint32_t crc, const void *p, size_t n)
{
	size_t third = n / 24 * 8, i;
	const uint8_t *b = p;
	uint32_t of[3];
	uint8_t sums[12];

	if (has_instruction()) {
		crc_thrice(of, b, third);
	} else {
		for (i = 0; i < 3; i++)
			of[i] = enc_crc32c_table(0, b + i * third, third);
	}
	for (i = 0; i < 3; i++)
		enc_put32(sums + 4 * i, of[i]);
	crc = enc_crc32c(crc, sums, sizeof(sums));
	return enc_crc32c(crc, b + 3 * third, n - 3 * third);
}

/* --- SipHash-2-4 -------------------------------------------------------- */

static inline uint64_t
rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

uint64_t
enc_siphash(const uint8_t key[16], const void *p, size_t n)
{
	uint64_t k0 = enc_get64(key), k1 = enc_get64(key + 8), m;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			  k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	const uint8_t *b = p;
	size_t left = n;
	uint8_t last[8] = { 0 };

	for (; left >= 8; left -= 8, b += 8) {
		m = enc_get64(b);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	if (left)
		memcpy(last, b, left);
	last[7] = (uint8_t)n;
	m = enc_get64(last);
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint8_t process_key[16];

__attribute__((constructor)) static void
key_init(void)
{
	rand_bytes(process_key, sizeof(process_key));
}

uint64_t
enc_hash(struct str s)
{
	return enc_siphash(process_key, s.p, s.n);
}

/* --- hexadecimal and base64 --------------------------------------------- */

int
enc_hex(struct buf *out, struct str in)
{
	static const char hex[] = "0123456789abcdef";
	char *to;
	size_t i;

	to = in.n > SIZE_MAX / 2 ? NULL : buf_reserve(out, in.n * 2);
	if (!to)
		return -1;
	for (i = 0; i < in.n; i++) {
		to[2 * i] = hex[(unsigned char)in.p[i] >> 4];
		to[2 * i + 1] = hex[(unsigned char)in.p[i] & 15];
	}
	out->n += in.n * 2;
	return 0;
}

int
enc_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
enc_unhex(struct buf *out, struct str in)
{
	size_t i;
	int hi, lo;

	if (in.n % 2)
		return -1;
	for (i = 0; i < in.n; i += 2) {
		hi = enc_hex_digit(in.p[i]);
		lo = enc_hex_digit(in.p[i + 1]);
		if (hi < 0 || lo < 0 ||
		    buf_add_byte(out, (char)(hi << 4 | lo)) < 0)
			return -1;
	}
	return 0;
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "abcdefghijklmnopqrstuvwxyz0123456789+/";

int
enc_base64(struct buf *out, struct str in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n = in.n;
	char q[4];

	for (; n; p += 3) {
		q[0] = b64[p[0] >> 2];
		q[1] = b64[(p[0] & 3) << 4 | (n > 1 ? p[1] >> 4 : 0)];
		q[2] = n > 1 ? b64[(p[1] & 15) << 2 | (n > 2 ? p[2] >> 6 : 0)]
			     : '=';
		q[3] = n > 2 ? b64[p[2] & 63] : '=';
		if (buf_add(out, q, 4) < 0)
			return -1;
		n -= n < 3 ? n : 3;
	}
	return 0;
}

int
enc_base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
enc_unbase64(struct buf *out, struct str in)
{
	size_t i, k, pad;
	char three[3];
	int d[4];

	if (in.n % 4)
		return -1;
	for (i = 0; i < in.n; i += 4) {
		pad = 0;
		if (i + 4 == in.n && in.p[i + 3] == '=')
			pad = in.p[i + 2] == '=' ? 2 : 1;
		for (k = 0; k < 4; k++) {
			d[k] = k < 4 - pad ? enc_base64_digit(in.p[i + k]) : 0;
			if (d[k] < 0)
				return -1;
		}
		if ((pad == 2 && d[1] & 15) || (pad == 1 && d[2] & 3))
			return -1;
		three[0] = (char)(d[0] << 2 | d[1] >> 4);
		three[1] = (char)(d[1] << 4 | d[2] >> 2);
		three[2] = (char)(d[2] << 6 | d[3]);
		if (buf_add(out, three, 3 - pad) < 0)
			return -1;
	}
	return 0;
}

bool
enc_equal_const_time(struct str a, struct str b)
{
	unsigned char diff = 0;
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		diff |= (unsigned char)(a.p[i] ^ b.p[i]);
	return diff == 0;
}
