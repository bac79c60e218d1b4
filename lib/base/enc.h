/* SPDX-License-Identifier: ISC */
#ifndef BASE_ENC_H
#define BASE_ENC_H

#include "base/buf.h"
#include "base/str.h"

/* CRC-32C (Castagnoli; the polynomial of RFC 3720 B.4), running: start with 0,
 * feed the result of the previous part back in. */
uint32_t enc_crc32c(uint32_t crc, const void *p, size_t n);
/* The same, on machines without an instruction for it. */
uint32_t enc_crc32c_table(uint32_t crc, const void *p, size_t n);
/* Another check of as many bits: of thirds, which are counted at the same time,
 * then of the three.  For what is read often and is some hundred bytes long. */
uint32_t enc_crc32c_thirds(uint32_t crc, const void *p, size_t n);

/* SipHash-2-4 (Aumasson and Bernstein, 2012) with a 16-byte key. */
uint64_t enc_siphash(const uint8_t key[16], const void *p, size_t n);
/* The same under a random key of this process: for hash tables keyed by peer
 * data (security rule 8). */
uint64_t enc_hash(struct str s);

/* Lower-case hexadecimal. */
int enc_hex(struct buf *out, struct str in);
int enc_unhex(struct buf *out, struct str in); /* -1: odd or not hex */
int enc_hex_digit(char c);		       /* in any case; -1: it is none */

/* Base64 of RFC 4648 section 4, padded, no line breaks.  Decoding is strict:
 * -1 for any other byte, wrong padding or stray bits. */
int enc_base64(struct buf *out, struct str in);
int enc_unbase64(struct buf *out, struct str in);
int enc_base64_digit(char c); /* -1: it is none */

/* Little-endian stores and loads at any alignment. */
static inline void
enc_put16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void
enc_put32(void *p, uint32_t v)
{
	uint8_t *b = p;

	enc_put16(b, (uint16_t)v);
	enc_put16(b + 2, (uint16_t)(v >> 16));
}

static inline void
enc_put64(void *p, uint64_t v)
{
	uint8_t *b = p;

	enc_put32(b, (uint32_t)v);
	enc_put32(b + 4, (uint32_t)(v >> 32));
}

static inline uint16_t
enc_get16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t
enc_get32(const void *p)
{
	const uint8_t *b = p;

	return enc_get16(b) | (uint32_t)enc_get16(b + 2) << 16;
}

static inline uint64_t
enc_get64(const void *p)
{
	const uint8_t *b = p;

	return enc_get32(b) | (uint64_t)enc_get32(b + 4) << 32;
}

/* Equal, in time that depends on the lengths only (security rule 9). */
bool enc_equal_const_time(struct str a, struct str b);

#endif
