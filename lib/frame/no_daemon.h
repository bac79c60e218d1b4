/* SPDX-License-Identifier: ISC */
/*
 * For tests, in place of frame/daemon.c: they bring their own channels, and
 * nobody asks master.  After <cmocka.h> and frame/daemon.h.
 */
#ifndef FRAME_NO_DAEMON_H
#define FRAME_NO_DAEMON_H

void
daemon_connect(struct daemon *d, enum service_id service, unsigned worker,
	       daemon_connect_cb *cb, void *arg)
{
	(void)d;
	(void)service;
	(void)worker;
	(void)cb;
	(void)arg;
	fail_msg("no daemon here");
}

void
daemon_connect_cancel(struct daemon *d, void *arg)
{
	(void)d;
	(void)arg;
}

#endif
