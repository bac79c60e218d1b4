/* SPDX-License-Identifier: ISC */
#ifndef SMTP_XOAUTH2_H
#define SMTP_XOAUTH2_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

/*
 * XOAUTH2, which libsasl2 does not bring: "user=U^Aauth=Bearer T^A^A", where
 * the token T is what stands in the place of the password.  A server that does
 * not take it says why in a challenge, which wants an empty response before
 * the refusal comes.
 */
sasl_client_plug_init_t xoauth2_init;

#endif
