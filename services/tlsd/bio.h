/* SPDX-License-Identifier: ISC */
#ifndef TLSD_BIO_H
#define TLSD_BIO_H

#include <openssl/bio.h>

/*
 * Between OpenSSL and the socket of a stream (BIO_set_data()): input is read
 * from it, output is gathered in tlsd.out, which takes all and is sent by
 * pump_send_tls() in one system call.  So TLS never waits in the middle of its
 * output.
 */
BIO_METHOD *bio_method(void);

#endif
