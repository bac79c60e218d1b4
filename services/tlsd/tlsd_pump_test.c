/* SPDX-License-Identifier: ISC */
/* Bytes both ways, and the ends of both ways. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "stream.h"
#include "testbed.h"

enum { BIG = 3 * 1024 * 1024 };

static struct bed_cert cert;

static void
open_stream(struct bed *b, struct bed_client *c, int version)
{
	const struct bed_cert *const certs[] = { &cert, NULL };

	bed_open(b);
	bed_certs(b, certs);
	client_open(c, version);
	assert_true(client_run(b, c, TLS_IMAP));
}

static void
close_stream(struct bed *b, struct bed_client *c)
{
	client_close(c);
	bed_turns(b, 20);
	assert_int_equal(b->tlsd.nstreams, 0);
	bed_close(b);
}

static char
byte_at(size_t i)
{
	return (char)(i * 7 + i / 251);
}

static void
fill(char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = byte_at(i);
}

static void
check(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != byte_at(i))
			fail_msg("byte %zu is wrong", i);
}

/* Everything both ways at once, in chunks of odd sizes; either side may be slow
 * to read. */
static void
pump_all(struct bed *b, struct bed_client *c, unsigned slow_client,
	 unsigned slow_service)
{
	char *up = malloc(BIG), *down = malloc(BIG);
	char *got_up = malloc(BIG), *got_down = malloc(BIG);
	size_t su = 0, sd = 0, gu = 0, gd = 0;
	unsigned i;
	ssize_t k;
	int n;

	fill(up, BIG);
	fill(down, BIG);
	for (i = 0; (gu < BIG || gd < BIG) && i < 2000000; i++) {
		ERR_clear_error();
		if (su < BIG) {
			size_t part = BIG - su < 30001 ? BIG - su : 30001;

			n = SSL_write(c->ssl, up + su, (int)part);
			if (n > 0)
				su += (size_t)n;
		}
		if (i % slow_client == 0 && gd < BIG) {
			n = SSL_read(c->ssl, got_down + gd, (int)(BIG - gd));
			if (n > 0)
				gd += (size_t)n;
		}
		if (sd < BIG &&
		    (k = send(c->plain, down + sd, BIG - sd, MSG_NOSIGNAL)) > 0)
			sd += (size_t)k;
		if (i % slow_service == 0 && gu < BIG &&
		    (k = recv(c->plain, got_up + gu, BIG - gu, 0)) > 0)
			gu += (size_t)k;
		bed_turns(b, 1);
	}
	assert_int_equal(gu, BIG);
	assert_int_equal(gd, BIG);
	check(got_up, BIG);
	check(got_down, BIG);
	free(up);
	free(down);
	free(got_up);
	free(got_down);
}

static void
test_both_ways(void **state)
{
	static const struct {
		int version;
		unsigned slow_client, slow_service;
	} rows[] = {
		{ TLS1_2_VERSION, 1, 1 },  { TLS1_3_VERSION, 1, 1 },
		{ TLS1_3_VERSION, 50, 1 }, { TLS1_3_VERSION, 1, 50 },
		{ TLS1_2_VERSION, 9, 10 },
	};
	struct bed_client c;
	struct bed b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_stream(&b, &c, rows[i].version);
		/* Partial writes, so that a test with one thread never waits
		 * for itself. */
		SSL_set_mode(c.ssl,
			     SSL_MODE_ENABLE_PARTIAL_WRITE |
				     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		pump_all(&b, &c, rows[i].slow_client, rows[i].slow_service);
		close_stream(&b, &c);
	}
}

/* Nobody reads: what is taken is bounded on both ways. */
static void
test_back_pressure(void **state)
{
	static char big[BIG];
	size_t sent = 0, before;
	struct bed_client c;
	struct bed b;
	ssize_t k;
	int i, n;

	(void)state;
	open_stream(&b, &c, 0);
	SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	for (i = 0; i < 300; i++) {
		k = send(c.plain, big, sizeof(big), MSG_NOSIGNAL);
		if (k > 0)
			sent += (size_t)k;
		bed_turns(&b, 1);
	}
	before = sent;
	assert_true(sent < (size_t)2 * 1024 * 1024);
	for (sent = 0, i = 0; i < 300; i++) {
		ERR_clear_error();
		n = SSL_write(c.ssl, big, 16384);
		if (n > 0)
			sent += (size_t)n;
		bed_turns(&b, 1);
	}
	assert_true(sent < (size_t)2 * 1024 * 1024);
	/* All of it comes when it is asked for. */
	while (before) {
		size_t got =
			client_read(&b, &c, big, before < BIG ? before : BIG);

		assert_true(got > 0);
		before -= got;
	}
	close_stream(&b, &c);
}

/* close_notify comes after all data. */
static void
test_service_closes(void **state)
{
	static char big[BIG];
	struct bed_client c;
	struct bed b;
	size_t got;
	ssize_t k;
	char x;

	(void)state;
	open_stream(&b, &c, 0);
	fill(big, BIG);
	k = send(c.plain, big, BIG, MSG_NOSIGNAL);
	assert_true(k > 0);
	close(c.plain);
	c.plain = -1;
	memset(big, 0, sizeof(big));
	got = client_read(&b, &c, big, BIG);
	assert_int_equal(got, k);
	check(big, got);
	assert_int_equal(SSL_read(c.ssl, &x, 1), 0);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(b.tlsd.nstreams, 1); /* for the client's farewell */
	SSL_shutdown(c.ssl);
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 0);
	close_stream(&b, &c);
}

/* Without a farewell the client's connection does not live on. */
static void
test_linger(void **state)
{
	struct bed_client c;
	struct bed b;
	int i;

	(void)state;
	open_stream(&b, &c, 0);
	close(c.plain);
	c.plain = -1;
	for (i = 0; i < STREAM_LINGER_MS / 10 + 50 && b.tlsd.nstreams; i++) {
		/* It goes on talking: nobody listens. */
		(void)SSL_write(c.ssl, "x", 1);
		bed_turns(&b, 2);
		usleep(10000);
	}
	assert_int_equal(b.tlsd.nstreams, 0);
	close_stream(&b, &c);
}

/* The client's close_notify is the service's EOF; it may answer yet. */
static void
test_client_half_closes(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct bed_client c;
	struct bed b;
	char text[20];
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_stream(&b, &c, versions[i]);
		assert_int_equal(SSL_write(c.ssl, "QUIT\r\n", 6), 6);
		SSL_shutdown(c.ssl);
		assert_int_equal(plain_read(&b, &c, text, 6), 6);
		assert_memory_equal(text, "QUIT\r\n", 6);
		assert_int_equal(recv(c.plain, text, 1, 0), 0);
		assert_int_equal(send(c.plain, "221 Bye\r\n", 9, 0), 9);
		close(c.plain);
		c.plain = -1;
		assert_int_equal(client_read(&b, &c, text, 9), 9);
		assert_memory_equal(text, "221 Bye\r\n", 9);
		bed_turns(&b, 3);
		assert_int_equal(SSL_read(c.ssl, text, 1), 0);
		assert_int_equal(SSL_get_error(c.ssl, 0),
				 SSL_ERROR_ZERO_RETURN);
		assert_int_equal(b.tlsd.nstreams, 0);
		close_stream(&b, &c);
	}
}

/* A service that only shuts its side down still hears the client. */
static void
test_service_half_closes(void **state)
{
	struct bed_client c;
	struct bed b;
	char text[20];

	(void)state;
	open_stream(&b, &c, TLS1_3_VERSION);
	assert_int_equal(shutdown(c.plain, SHUT_WR), 0);
	bed_turns(&b, 3);
	assert_int_equal(SSL_read(c.ssl, text, 1), 0);
	assert_int_equal(SSL_write(c.ssl, "late", 4), 4);
	assert_int_equal(plain_read(&b, &c, text, 4), 4);
	assert_memory_equal(text, "late", 4);
	SSL_shutdown(c.ssl);
	bed_turns(&b, 5);
	assert_int_equal(recv(c.plain, text, 1, 0), 0);
	close_stream(&b, &c);
}

/* A connection that just ends: the data before it, then EOF. */
static void
test_truncation(void **state)
{
	struct bed_client c;
	struct bed b;
	char text[20];

	(void)state;
	open_stream(&b, &c, 0);
	assert_int_equal(SSL_write(c.ssl, "half a li", 9), 9);
	shutdown(c.fd, SHUT_WR);
	assert_int_equal(plain_read(&b, &c, text, 9), 9);
	bed_turns(&b, 2);
	assert_int_equal(recv(c.plain, text, 1, 0), 0);
	close_stream(&b, &c);
}

/* A record that was tampered with: what came before it counts, no more. */
static void
test_bad_record(void **state)
{
	static const char junk[] = "\x17\x03\x03\x00\x20"
				   "0123456789abcdef0123456789abcdef";
	struct bed_client c;
	struct bed b;
	char text[20];

	(void)state;
	open_stream(&b, &c, 0);
	assert_int_equal(SSL_write(c.ssl, "good", 4), 4);
	assert_int_equal(send(c.fd, junk, sizeof(junk) - 1, 0),
			 sizeof(junk) - 1);
	assert_int_equal(plain_read(&b, &c, text, 4), 4);
	assert_int_equal(recv(c.plain, text, 1, 0), 0);
	assert_int_equal(b.tlsd.nstreams, 0);
	ERR_clear_error(); /* tlsd's own */
	assert_true(SSL_read(c.ssl, text, 1) <= 0);
	assert_string_equal(ERR_reason_error_string(ERR_peek_error()),
			    "sslv3 alert bad record mac");
	close_stream(&b, &c);
}

/* Data that comes with the end of the handshake, in one packet. */
static void
test_early(void **state)
{
	const struct bed_cert *const certs[] = { &cert, NULL };
	struct bed_client c;
	char text[20];
	struct bed b;
	int i;

	(void)state;
	bed_open(&b);
	bed_certs(&b, certs);
	client_open(&c, TLS1_3_VERSION);
	client_start(&b, &c, TLS_IMAP, 0, 10000);
	for (i = 0; i < 20 && SSL_connect(c.ssl) != 1; i++)
		bed_turns(&b, 2);
	/* tlsd has not seen our Finished yet. */
	assert_int_equal(c.done, 0);
	assert_int_equal(SSL_write(c.ssl, "NOOP\r\n", 6), 6);
	bed_turns(&b, 5);
	assert_int_equal(c.done, 1);
	assert_int_equal(plain_read(&b, &c, text, 6), 6);
	close_stream(&b, &c);
}

/* RFC 5746 is not enough: nobody renegotiates. */
static void
test_renegotiation(void **state)
{
	struct bed_client c;
	struct bed b;
	int i, rc = 1;
	char x;

	(void)state;
	open_stream(&b, &c, TLS1_2_VERSION);
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	for (i = 0; i < 20 && rc >= 0; i++) {
		ERR_clear_error();
		(void)SSL_do_handshake(c.ssl);
		bed_turns(&b, 2);
		/* The refusal is an alert. */
		if (SSL_read(c.ssl, &x, 1) <= 0 && ERR_peek_error())
			rc = -1;
	}
	assert_int_equal(rc, -1);
	assert_string_equal(ERR_reason_error_string(ERR_peek_error()),
			    "no renegotiation");
	close_stream(&b, &c);
}

/* New keys in the middle of a stream, also of our own side. */
static void
test_key_update(void **state)
{
	struct bed_client c;
	struct bed b;
	int i;

	(void)state;
	open_stream(&b, &c, TLS1_3_VERSION);
	for (i = 0; i < 5; i++) {
		assert_int_equal(
			SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		client_echo(&b, &c);
	}
	close_stream(&b, &c);
}

/* Where passwords pass, none stays behind. */
static void
test_wiped(void **state)
{
	static const char secret[] = "a password that nobody else may see";
	struct bed_client c;
	char got[100];
	struct bed b;

	(void)state;
	open_stream(&b, &c, 0);
	b.tlsd.conf.wipe = true;
	assert_int_equal(SSL_write(c.ssl, secret, sizeof(secret)),
			 sizeof(secret));
	assert_int_equal(plain_read(&b, &c, got, sizeof(secret)),
			 sizeof(secret));
	assert_memory_equal(got, secret, sizeof(secret));
	assert_null(memmem(b.tlsd.chunk, STREAM_CHUNK, secret, 20));
	close_stream(&b, &c);
}

/* A client that asks for answers by TLS itself, and takes none. */
static void
test_key_update_flood(void **state)
{
	struct bed_client c;
	struct bed b;
	int i;

	(void)state;
	open_stream(&b, &c, TLS1_3_VERSION);
	for (i = 0; i < 100000; i++) {
		ERR_clear_error();
		SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED);
		if (SSL_write(c.ssl, "x", 1) != 1 && i % 100 == 0)
			usleep(10);
		bed_turns(&b, 1);
		if (b.tlsd.nstreams == 0)
			break;
	}
	client_close(&c);
	bed_turns(&b, 20);
	assert_int_equal(b.tlsd.nstreams, 0);
	bed_close(&b);
}

/* The service gives up on a client that does not read: what is left may take
 * its time, and does not keep tlsd from ending. */
static void
test_service_closes_stuck(void **state)
{
	static char big[BIG];
	struct bed_client c;
	struct bed b;
	struct stream *s;
	size_t got = 0, n, sent = 0;
	ssize_t k;
	int i;
	char x;

	(void)state;
	open_stream(&b, &c, 0);
	fill(big, BIG);
	for (i = 0; i < 100; i++) {
		k = send(c.plain, big + sent, BIG - sent, MSG_NOSIGNAL);
		if (k > 0)
			sent += (size_t)k;
		bed_turns(&b, 1);
	}
	s = LIST_OF(b.tlsd.streams.next, struct stream, link);
	assert_null(s->timer);
	close(c.plain);
	c.plain = -1;
	bed_turns(&b, 5);
	assert_non_null(s->timer); /* not for ever */
	memset(big, 0, sizeof(big));
	while ((n = client_read(&b, &c, big + got, BIG - got)) > 0)
		got += n;
	assert_int_equal(got, sent);
	check(big, got);
	assert_int_equal(SSL_read(c.ssl, &x, 1), 0);
	close_stream(&b, &c);
}

/* --- a record made by hand -------------------------------------------------
 */

enum { SECRET = 32 };

/* "CLIENT_TRAFFIC_SECRET_0 RANDOM SECRET", in hexadecimal. */
static void
keep_secret(const SSL *ssl, const char *line)
{
	static const char name[] = "CLIENT_TRAFFIC_SECRET_0 ";
	uint8_t *secret = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	size_t n;

	if (strncmp(line, name, sizeof(name) - 1) == 0)
		assert_int_equal(OPENSSL_hexstr2buf_ex(secret, SECRET, &n,
						       strrchr(line, ' ') + 1,
						       '\0'),
				 1);
}

/* RFC 8446 7.1: HKDF-Expand-Label with an empty context, of one block. */
static void
expand(const uint8_t secret[SECRET], const char *label, uint8_t *out, uint8_t n)
{
	uint8_t info[32] = { 0 }, block[EVP_MAX_MD_SIZE];
	size_t at = strlen(label);

	info[1] = n;
	info[2] = (uint8_t)at;
	memcpy(info + 3, label, at);
	at += 3 + 1; /* no context */
	info[at++] = 1;
	assert_non_null(
		HMAC(EVP_sha256(), secret, SECRET, info, at, block, NULL));
	memcpy(out, block, n);
}

/* The first record of the client, with AES-128-GCM, of this content and type.
 */
static void
send_record(struct bed_client *c, const uint8_t secret[SECRET],
	    const uint8_t *inner, uint8_t n)
{
	uint8_t key[16], iv[12], out[64] = { 23, 3, 3, 0, (uint8_t)(n + 16) };
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int k;

	expand(secret, "tls13 key", key, sizeof(key));
	expand(secret, "tls13 iv", iv, sizeof(iv));
	assert_int_equal(
		EVP_EncryptInit_ex(x, EVP_aes_128_gcm(), NULL, key, iv), 1);
	assert_int_equal(EVP_EncryptUpdate(x, NULL, &k, out, 5), 1);
	assert_int_equal(EVP_EncryptUpdate(x, out + 5, &k, inner, n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(x, out + 5 + n, &k), 1);
	assert_int_equal(
		EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, 16, out + 5 + n),
		1);
	EVP_CIPHER_CTX_free(x);
	assert_int_equal(send(c->fd, out, 5 + n + 16u, MSG_NOSIGNAL),
			 5 + n + 16);
}

/* A client stops in the middle of a message of TLS itself, when nothing can be
 * written: that the service closes is seen all the same. */
static void
test_half_message(void **state)
{
	/* The head of a KeyUpdate; the type of the record. */
	static const uint8_t half[] = { 24, 0, 0, 1, 22 };
	const struct bed_cert *const certs[] = { &cert, NULL };
	uint8_t secret[SECRET] = { 0 };
	struct bed_client c;
	struct stream *s;
	struct bed b;

	(void)state;
	bed_open(&b);
	bed_certs(&b, certs);
	client_open(&c, TLS1_3_VERSION);
	SSL_CTX_set_app_data(c.ctx, secret);
	SSL_CTX_set_keylog_callback(c.ctx, keep_secret);
	SSL_set_ciphersuites(c.ssl, "TLS_AES_128_GCM_SHA256");
	assert_true(client_run(&b, &c, TLS_IMAP));
	send_record(&c, secret, half, sizeof(half));
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 1);
	s = LIST_OF(b.tlsd.streams.next, struct stream, link);
	assert_true(SSL_in_init(s->ssl));
	assert_null(s->timer);
	close(c.plain);
	c.plain = -1;
	bed_turns(&b, 5);
	assert_non_null(s->timer); /* not for ever */
	close_stream(&b, &c);
}

/* The service closes with the client's bytes unread. */
static void
test_service_closes_unread(void **state)
{
	struct bed_client c;
	struct bed b;
	char x;

	(void)state;
	open_stream(&b, &c, 0);
	assert_int_equal(SSL_write(c.ssl, "abc", 3), 3);
	bed_turns(&b, 3);
	close(c.plain);
	c.plain = -1;
	bed_turns(&b, 3);
	assert_int_equal(SSL_read(c.ssl, &x, 1), 0);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
	close_stream(&b, &c);
}

/* Many chunks of one do not keep another waiting. */
static void
test_fair(void **state)
{
	static char big[BIG];
	struct bed_client busy, quiet;
	char text[20];
	struct bed b;
	int i;

	(void)state;
	open_stream(&b, &busy, 0);
	client_open(&quiet, 0);
	assert_true(client_run(&b, &quiet, TLS_IMAP));
	SSL_set_mode(busy.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	for (i = 0; i < 50; i++) {
		ERR_clear_error();
		(void)SSL_write(busy.ssl, big, BIG);
	}
	assert_int_equal(SSL_write(quiet.ssl, "ping", 4), 4);
	bed_turns(&b, 1);
	assert_int_equal(recv(quiet.plain, text, 4, 0), 4);
	client_close(&busy);
	close_stream(&b, &quiet);
}

static int
make_cert(void **state)
{
	(void)state;
	cert = bed_cert(BED_EC, "mail.example.org", NULL);
	return 0;
}

static int
free_cert(void **state)
{
	(void)state;
	bed_cert_free(&cert);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_service_closes),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_client_half_closes),
		cmocka_unit_test(test_service_half_closes),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_bad_record),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_key_update),
		cmocka_unit_test(test_key_update_flood),
		cmocka_unit_test(test_service_closes_stuck),
		cmocka_unit_test(test_half_message),
		cmocka_unit_test(test_service_closes_unread),
		cmocka_unit_test(test_fair),
	};

	return cmocka_run_group_tests(tests, make_cert, free_cert);
}
