# SPDX-License-Identifier: ISC
"""Servers that mail is sent to, and that mean no good: bounded time and memory,
the right class in the log, nothing lost, nothing delivered twice, no connection
used again that has shown a fault."""

import contextlib
import os
import random
import re
import socket
import subprocess
import time

import posthouse as ph
import pytest
from clients import Letter, send_smtplib
from load import peak
from mx import Mx

STEPS = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", ".")
TIMEOUT = 3     # seconds, of each smtp_*_timeout
SPLIT_PAUSE = 0.002


class Hostile(Mx):
    """An Mx that is evil(socket, file) while that is set."""

    evil = None

    def _session(self, c, again=False):
        if not self.evil:
            return super()._session(c, again)
        with c.makefile("rb") as f:
            return self.evil(c, f)

    def polite(self, c):
        """c: a socket, or what looks like one."""
        return super()._session(c)

    def hang_up(self):
        """No connection from before: smtp keeps some."""
        with self._lock:
            for c in self._open:
                with contextlib.suppress(OSError):
                    c.shutdown(socket.SHUT_RDWR)
        ph.wait_for(lambda: not self._open, "the end of connections")

    def mails_of(self, letter):
        return [m for m in self.mails if letter.mark.encode() in m[2]]


class World:
    pass


@pytest.fixture(scope="module")
def house(make_module_instance):
    w = World()
    w.server = Hostile(port=ph.free_ports(1)[0]).start()
    w.i = make_module_instance(
        relayhost=f"[127.0.0.1]:{w.server.port}",
        minimal_backoff_time="1s", maximal_backoff_time="2s",
        smtp_tls_security_level="may",
        smtp_tls_loglevel="1", **{
            f"smtp_{name}_timeout": f"{TIMEOUT}s"
            for name in ("connect", "helo", "starttls", "mail", "rcpt",
                         "data_init", "data_xfer", "data_done", "rset",
                         "quit")})
    yield w
    w.server.stop()


@pytest.fixture
def world(house):
    """After the abuse the same processes run; smtp has not grown."""
    house.server.evil, house.server.replies = None, {}
    house.server.extensions = ("PIPELINING", "8BITMIME")
    house.server.hang_up()
    before = house.i.pids()["smtp"]
    yield house
    assert house.i.pids()["smtp"] == before
    assert sum(map(peak, before)) < 120 * 1024


def send(world):
    """A letter; *to* is an address that only it has."""
    letter = Letter()
    world.to = f"r{os.urandom(6).hex()}@example.test"
    send_smtplib(world.i, letter, [world.to])
    return letter


def outcome(world, status, text, seconds=4 * TIMEOUT + 40):
    world.i.wait_log(rf"to=<{world.to}>, .*status={status} \(.*{text}",
                     seconds)


def heal(world, letter):
    """The server comes to its senses: the letter arrives, once."""
    world.server.evil, world.server.replies = None, {}
    ph.wait_for(lambda: world.server.mails_of(letter), "the letter")
    world.i.wait_log(rf"to=<{world.to}>, .*status=sent")
    time.sleep(0.5)
    assert len(world.server.mails_of(letter)) == 1


def flood(c, f, piece, mebibytes=10):
    for _ in range(mebibytes * (1 << 20) // len(piece)):
        c.sendall(piece)


def after_ehlo(evil):
    def session(c, f):
        c.sendall(b"220 mx.test ESMTP\r\n")
        f.readline()
        evil(c, f)
    return session


def drip(c, f):
    for octet in b"220 mx.test ESMTP, as soon as it is ready, hold on\r\n":
        c.sendall(bytes([octet]))
        time.sleep(0.5)


def injected(c, f):
    """Replies in clear text that would count after TLS."""
    c.sendall(b"250-mx.test\r\n250 STARTTLS\r\n")
    assert f.readline() == b"STARTTLS\r\n"
    c.sendall(b"220 go\r\n250 mx.test\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert f.read() == b""


@pytest.mark.parametrize("evil, text", [
    pytest.param(lambda c, f: flood(c, f, b"220-welcome, dear friend\r\n"),
                 "a reply of too many lines", id="endless-banner"),
    pytest.param(lambda c, f: flood(c, f, b"220 " + b"x" * 60000),
                 "a reply without end", id="endless-line"),
    pytest.param(after_ehlo(lambda c, f: flood(c, f, b"250-SIZE 1\r\n")),
                 "too many lines while performing the EHLO handshake",
                 id="reply-of-10-MB"),
    pytest.param(drip, "timed out while receiving the initial server greeting",
                 id="drip"),
    pytest.param(lambda c, f: f.read(), "timed out while receiving the "
                 "initial server greeting", id="mute"),
    pytest.param(lambda c, f: c.sendall(
        random.Random(ph.SEED).randbytes(4096) + b"\r\n"),
                 "(protocol error|lost connection)", id="noise"),
    pytest.param(lambda c, f: c.sendall(b"220 a\r\n250 b\r\n250 c\r\n"),
                 "more than a reply", id="answers-in-advance"),
    pytest.param(after_ehlo(injected), "sent data in plain text after "
                 "STARTTLS", id="injected-before-tls"),
])
def test_evil_from_the_beginning(world, evil, text):
    world.server.evil = evil
    letter = send(world)
    outcome(world, "deferred", text)
    assert not world.server.mails_of(letter)
    heal(world, letter)


@pytest.mark.parametrize("step", STEPS)
def test_421_at_each_step(world, step):
    world.server.replies = {step: "421 4.3.2 enough"}
    letter = send(world)
    outcome(world, "deferred", "421 4.3.2 enough")
    heal(world, letter)


@pytest.mark.parametrize("step", STEPS)
def test_closing_at_each_step(world, step):
    def close(server, line):
        raise ConnectionError

    world.server.replies = {step: close}
    letter = send(world)
    outcome(world, "deferred", "lost connection with 127.0.0.1.* while " + {
        "GREETING": "receiving the initial server greeting",
        "EHLO": "performing the EHLO handshake",
        "MAIL": "sending MAIL FROM",
        "RCPT": "sending RCPT TO",
        "DATA": "sending DATA command",
        ".": "sending end of data -- message may be sent more than once",
    }[step])
    heal(world, letter)


def test_split_at_each_octet(world):
    """And with LF alone: the same replies."""
    server = world.server

    class Slowly:
        def __init__(self, c):
            self.c = c

        def makefile(self, mode):
            return self.c.makefile(mode)

        def sendall(self, data):
            for octet in data.replace(b"\r\n", b"\n"):
                self.c.sendall(bytes([octet]))
                time.sleep(SPLIT_PAUSE)

    server.evil = lambda c, f: server.polite(Slowly(c))
    letter = send(world)
    outcome(world, "sent", "250 2.0.0 ok: taken")
    assert len(server.mails_of(letter)) == 1


def test_starttls_then_garbage(world):
    """TLS was to be had for the asking: the letter goes without."""
    seen = []

    def garbage(c, f):
        if seen:
            world.server.polite(c)
            return
        seen.append(1)
        after_ehlo(lambda c, f: c.sendall(b"250-a\r\n250 STARTTLS\r\n"))(c, f)
        f.readline()
        c.sendall(b"220 go\r\n")
        f.read(5)
        c.sendall(b"this is no TLS\r\n" * 100)

    world.server.evil = garbage
    letter = send(world)
    outcome(world, "sent", "taken")
    world.i.wait_log("SSL_connect error to 127.0.0.1")
    assert len(world.server.mails_of(letter)) == 1


def test_more_after_quit(world):
    def chatty(c, f):
        world.server.polite(c)
        c.sendall(b"250 2.0.0 and one more\r\n" * 3)

    world.server.evil = chatty
    letter = send(world)
    outcome(world, "sent", "taken")
    assert len(world.server.mails_of(letter)) == 1


def test_one_answer_too_many(world):
    """It would be taken for the answer to the next command: each letter has a
    connection of its own."""
    world.server.replies = {".": "250 2.0.0 taken\r\n250 2.0.0 and again"}
    before = world.server.connections
    letters = [send(world) for _ in range(3)]
    for letter in letters:
        ph.wait_for(lambda: world.server.mails_of(letter), "the letter")
    outcome(world, "sent", "taken")
    assert world.server.connections - before == 3
    for letter in letters:
        assert len(world.server.mails_of(letter)) == 1


def test_text_for_nobody(world):
    """All recipients are refused, but DATA, which was sent along, is taken."""
    got = []

    def session(c, f):
        c.sendall(b"220 a\r\n")
        f.readline()
        c.sendall(b"250-a\r\n250 PIPELINING\r\n")
        for reply in (b"250 ok", b"550 5.1.1 unknown", b"354 go"):
            f.readline()
            c.sendall(reply + b"\r\n")
        got.append(f.readline())
        c.sendall(b"250 2.0.0 thanks\r\n")
        got.append(f.readline())

    world.server.evil = session
    send(world)
    outcome(world, "bounced", "550 5.1.1 unknown")
    ph.wait_for(lambda: len(got) >= 2, "the end")
    assert got[0] == b".\r\n"
    assert got[1] in (b"QUIT\r\n", b"")


@pytest.mark.parametrize("reply, status", [
    ("250 5.0.0 fine", "sent"),
    ("554 5.7.1 \x1b[2J\x07 spam \x7f", "bounced"),
    ("451 4.3.0 " + "long " * 1000, "deferred"),
])
def test_odd_words_at_the_end(world, reply, status):
    world.server.replies = {".": reply}
    letter = send(world)
    outcome(world, status, "")
    log = world.i.log_text()
    assert "\x1b" not in log and "\x07" not in log
    if status == "deferred":
        heal(world, letter)


# -- the other way round: what we send

SMUGGLED = (b"\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<x@example.net>\r\n"
            b"DATA\r\nSubject: not me\r\n\r\nx\r\n")


@pytest.mark.parametrize("end", [
    b"\n.\n", b"\r\n.\r\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r",
    b"\r\n.\r", b"\r\r\n.\r\r\n", b"\n\0.\n", b"\n.\0\n", b"\n.\0\r\n",
], ids=repr)
@pytest.mark.parametrize("before", [0, 16384 - 300])
def test_no_text_ends_early(world, end, before):
    """What a program of this host hands in may hold any octet; what leaves has
    CR LF ends and one end of data, whatever a server takes for an end."""
    said = []

    class Tee:
        """A socket that keeps a copy of what is read."""

        def __init__(self, c):
            self.c, self.sendall = c, c.sendall

        def makefile(self, mode):
            self.f = self.c.makefile(mode)
            return self

        def readline(self):
            said.append(self.f.readline())
            return said[-1]

    world.server.evil = lambda c, f: world.server.polite(Tee(c))
    letter = Letter()
    world.to = f"r{os.urandom(6).hex()}@example.test"
    lines = b"\n".join([b"y" * 99] * (before // 100))
    subprocess.run(
        [ph.BIN / "sendmail", "-C", world.i.conf_dir, "-i", "-f",
         "a@example.com", world.to], check=True, env=ph.clean_env(), cwd="/",
        input=letter.bytes.replace(b"\r\n", b"\n") + lines + end + SMUGGLED)
    outcome(world, "sent", "taken")
    octets = b"".join(said)
    assert b"\0" not in octets
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", octets)
    text = octets[octets.index(b"\r\nDATA\r\n") + 8:]
    assert text.count(b"\r\n.\r\n") == 1
    assert text.partition(b"\r\n.\r\n")[2] in (b"", b"QUIT\r\n")
    assert b"not me" in text
