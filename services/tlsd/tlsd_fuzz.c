/* SPDX-License-Identifier: ISC */
/*
 * What tlsd receives inside the house, in any order: frames of keyd on the
 * channel with the notes, frames of keyd on the one where it signs, and frames
 * of a service.  Input: {u8 who, u16 length, the frame's bytes} again and
 * again; a frame of a service that wants a descriptor gets a connection.
 */
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "tlsd.h"

enum { NOTES, SIGNER, SERVICE, CLIENT, RELOAD, WHO };

struct world {
	struct loop loop;
	struct tlsd tlsd;
	int ends[CLIENT + 1];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
pair(int type, int *mine)
{
	int sv[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	if (*mine >= 0)
		close(*mine);
	*mine = sv[1];
	return sv[0];
}

static void
join_keyd(struct world *w)
{
	asker_free(w->tlsd.keyd);
	w->tlsd.keyd = asker_new_fd(
		&w->loop, pair(SOCK_SEQPACKET, &w->ends[NOTES]),
		&channels[CH_TLSD_MX_KEYD], tlsd_on_keyd_state, &w->tlsd);
	asker_set_note(w->tlsd.keyd, tlsd_on_keyd_note);
	tlsd_on_keyd_state(&w->tlsd, true);
}

static void
join(struct world *w, int who)
{
	if (who == NOTES)
		join_keyd(w);
	else if (who == SIGNER)
		tlsd_remote(&w->tlsd, pair(SOCK_SEQPACKET, &w->ends[SIGNER]));
	else
		tlsd_peer(&w->tlsd, &channels[CH_SMTPD_TLSD],
			  pair(SOCK_SEQPACKET, &w->ends[SERVICE]));
}

/* A frame, with a client's connection if it is a service's. */
static void
send_frame(struct world *w, int who, const uint8_t *p, size_t n)
{
	_Alignas(8) char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;
	int fd = -1;

	if (who == SERVICE) {
		fd = pair(SOCK_STREAM, &w->ends[CLIENT]);
		mh.msg_control = space;
		mh.msg_controllen = sizeof(space);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	if (sendmsg(w->ends[who], &mh, MSG_NOSIGNAL) < 0)
		join(w, who); /* it was closed for what it sent */
	if (fd >= 0)
		close(fd);
}

static void
turns(struct world *w)
{
	char sink[4096];
	int i;

	for (i = 0; i < 4; i++)
		loop_turn(&w->loop, false);
	for (i = 0; i <= CLIENT; i++)
		while (w->ends[i] >= 0 &&
		       recv(w->ends[i], sink, sizeof(sink), 0) > 0)
			;
}

static void
step(struct world *w, int who, const uint8_t *p, size_t n)
{
	if (who == CLIENT && w->ends[CLIENT] >= 0)
		(void)!send(w->ends[CLIENT], p, n, MSG_NOSIGNAL);
	else if (who == RELOAD)
		tlsd_configure(&w->tlsd, &w->tlsd.conf);
	else if (who < CLIENT)
		send_frame(w, who, p, n);
	turns(w);
}

static void
quiet(void)
{
	static int null = -1;

	if (null < 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		log_open(null, "tlsd");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_conf conf = {
		.protocols = TLS_V1_2 | TLS_V1_3,
		.mandatory = true,
		.ciphers = "HIGH:!aNULL:!kRSA",
		.groups = "X25519",
		.digest = "sha256",
		.session_s = 3600,
	};
	struct world w = { .ends = { -1, -1, -1, -1 } };
	struct err err;
	size_t n;
	int i;

	quiet();
	if (loop_init(&w.loop, &err) < 0 ||
	    tlsd_init(&w.tlsd, &w.loop, 10, &err) < 0)
		abort();
	tlsd_configure(&w.tlsd, &conf);
	for (i = NOTES; i <= SERVICE; i++)
		join(&w, i);
	while (size >= 3) {
		n = enc_get16(data + 1);
		if (n > size - 3)
			n = size - 3;
		step(&w, data[0] % WHO, data + 3, n);
		data += 3 + n;
		size -= 3 + n;
	}
	tlsd_fini(&w.tlsd);
	turns(&w);
	loop_fini(&w.loop);
	for (i = 0; i <= CLIENT; i++)
		if (w.ends[i] >= 0)
			close(w.ends[i]);
	return 0;
}
