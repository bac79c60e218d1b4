# SPDX-License-Identifier: ISC
"""Servers that stop at some point: the smtp_*_timeout of that point ends the
wait, and no other does.  Each has a transport of its own, where the one is two
seconds and all others are minutes."""

import socket
import threading
import time

import posthouse as ph
import pytest
from clients import Letter, send_smtplib
from mtas import loopback_address
from mx import Mx, server_context

SHORT = 2

# Where the server stops, what ends it, and what the log says.
POINTS = {
    "greeting": ("helo", "while receiving the initial server greeting"),
    "ehlo": ("helo", "while performing the EHLO handshake"),
    "starttls": ("starttls", "while receiving the STARTTLS response"),
    "handshake": ("starttls", "Cannot start TLS: handshake failure"),
    "mail": ("mail", "while sending MAIL FROM"),
    "rcpt": ("rcpt", "while sending RCPT TO"),
    "data": ("data_init", "while sending DATA command"),
    "text": ("data_xfer", "while sending message body"),
    "end": ("data_done", "while sending end of data -- message may be sent "
            "more than once"),
}
TIMEOUTS = ("helo", "starttls", "mail", "rcpt", "data_init", "data_xfer",
            "data_done", "rset", "quit")
LARGE = ("x" * 70 + "\r\n") * 120000


class Stopping(Mx):
    """Stops at one point of the session, for so many seconds; since: when it
    was first there."""

    def __init__(self, point, port, pause):
        self.pause = pause
        self.since = None
        self.done = threading.Event()
        verb = {"greeting": "GREETING", "end": "."}.get(point, point.upper())
        super().__init__(
            host=loopback_address(port), port=port, tls=server_context(
                ph.certificates() / "ecdsa.pem")
            if point in ("starttls", "handshake") else None,
            replies={verb: self._stop_here})
        self.point = point
        if point == "rset":
            self.replies["RCPT"] = "450 4.2.0 not now"

    def _stop_here(self, *_):
        self.since = self.since or time.monotonic()
        if self.point == "quit":
            self.conn.settimeout(self.pause)
            self.last = self.conn.recv(1)
            self.gone = time.monotonic()
        else:
            self.done.wait(self.pause)

    def _start_tls(self, c):
        if self.point == "handshake":
            self._stop_here()
        return super()._start_tls(c)

    def _session(self, c, again=False):
        self.conn = c
        if self.point != "text":
            return super()._session(c, again)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        f = c.makefile("rb")
        c.sendall(b"220 mx.test\r\n")
        for line in f:
            c.sendall(b"354 go on\r\n" if line[:4] == b"DATA" else
                      b"250 ok\r\n")
            if line[:4] == b"DATA":
                self._stop_here()
                while f.readline() not in (b".\r\n", b""):
                    pass
                c.sendall(b"250 2.0.0 ok: taken\r\n")
        return None

    def stop(self):
        self.done.set()
        super().stop()


@pytest.fixture(scope="module")
def world(make_module_instance):
    class World:
        pass

    w = World()
    (port,) = ph.free_ports(1)
    points = [*POINTS, "rset", "quit"]
    w.stopped = {p: Stopping(p, port, 60).start() for p in points}
    w.slow = {p: Stopping(p, port, SHORT + 1).start() for p in points}
    settings, table = {}, []
    for p in points:
        by = f"t{p}"
        settings[f"{by}_transport"] = "smtp"
        settings[f"{by}_{POINTS.get(p, [p])[0]}_timeout"] = f"{SHORT}s"
        settings[f"{by}_tls_security_level"] = \
            "encrypt" if w.stopped[p].tls else "none"
        table += [f"{p}.stopped.test={by}:[{w.stopped[p].host}]",
                  f"{p}.slow.test=smtp:[{w.slow[p].host}]"]
    w.i = make_module_instance(
        transports=" ".join(f"t{p}" for p in points),
        transport_maps="inline:{ " + ", ".join(table) + " }",
        smtp_tcp_port=str(port), smtp_connect_ports=str(port),
        smtp_skip_quit_response="no", smtp_connection_cache_time_limit="4s",
        minimal_backoff_time="300s",
        message_size_limit="20000000", **settings,
        **{f"smtp_{t}_timeout": "200s" for t in TIMEOUTS})
    yield w
    for s in [*w.stopped.values(), *w.slow.values()]:
        s.stop()


def letter_for(point):
    return Letter(LARGE if point == "text" else "Hello.\r\n")


@pytest.mark.parametrize("point", POINTS)
def test_each_timeout(world, point):
    server, to = world.stopped[point], f"x@{point}.stopped.test"
    began = time.monotonic()
    send_smtplib(world.i, letter_for(point), [to])
    ph.wait_for(lambda: server.since, "the server to stop")
    world.i.wait_log(rf"to=<{to}>, .*dsn=4\.\d\.\d, status=deferred \(.*" +
                     POINTS[point][1], SHORT + 40)
    assert time.monotonic() - began > SHORT


def test_rset_timeout(world):
    """RSET is the first word of the second letter on a connection whose first
    was refused."""
    i = world.i
    for n, text in enumerate(("said: 450 4.2.0", "timed out while sending "
                              "RSET")):
        began = time.monotonic()
        send_smtplib(i, Letter(), [f"x{n}@rset.stopped.test"])
        i.wait_log(rf"to=<x{n}@rset.stopped.test>, .*status=deferred "
                   rf"\(.*{text}", SHORT + 40)
    assert time.monotonic() - began > SHORT


def test_quit_timeout(world):
    server = world.stopped["quit"]
    send_smtplib(world.i, Letter(), ["x@quit.stopped.test"])
    ph.wait_for(lambda: getattr(server, "gone", None), "the client to go", 50)
    assert server.last == b""
    # It has waited, if not so long by our clock: our thread may be late.
    assert server.gone - server.since > SHORT / 2


def test_others_wait(world):
    """The same servers, a little slow: by smtp, whose timeouts are long, each
    gets its letter."""
    for p in POINTS:
        send_smtplib(world.i, letter_for(p), [f"x@{p}.slow.test"])
    for p in POINTS:
        world.i.wait_log(rf"to=<x@{p}.slow.test>, .*status=sent", 80)
