# SPDX-License-Identifier: ISC
"""COMPRESS=DEFLATE against hostile clients: bombs, garbage, commands that were
sent too early, readers who do not read.  Bounded memory; the user's other
session goes on."""

import contextlib
import time
import zlib

import pytest

from load import peak, worked
from rawimap import Imap


@pytest.fixture
def witness(unmoved):
    i = unmoved
    with Imap(i.imap_port, i.address("alice"), i.users["alice"]) as w:
        w.ok("SELECT INBOX")
        (pid,) = i.pids()["imapd"]
        yield w
        began = worked(pid)
        w.ok("NOOP")
        assert worked(pid) - began < 2
        assert i.pids()["imapd"] == [pid]
        assert peak(pid) < 64 * 1024


@pytest.fixture
def z(unmoved):
    i = unmoved
    with Imap(i.imap_port, i.address("alice"), i.users["alice"]) as z:
        yield z


def ends_with_bye(z):
    with contextlib.suppress(ConnectionError, EOFError):
        while True:
            line = z.line()
            if line.startswith(b"* BYE"):
                return True
    return False


def pour(z, data):
    """The server may hang up before the end, which is its right."""
    with contextlib.suppress(ConnectionError):
        z.s.sendall(data)


def bomb(text, megabytes, end=b""):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = c.compress(text)
    zeros = [c.compress(b"0" * 1048576) for _ in range(megabytes)]
    return b"".join([start, *zeros, c.compress(end),
                     c.flush(zlib.Z_SYNC_FLUSH)])


def test_a_line_of_200_megabytes(witness, z):
    z.compress()
    pour(z, bomb(b"a NOOP ", 200))
    assert ends_with_bye(z)


def test_a_message_of_a_gigabyte(witness, z):
    """More than may be appended: refused, however small it came."""
    z.compress()
    pour(z, bomb(b"a APPEND INBOX {1073741824+}\r\n", 1024))
    assert ends_with_bye(z)


def test_a_literal_bomb(witness, z):
    z.compress()
    pour(z, bomb(b"a SELECT {4194304+}\r\n", 4, b"\r\n"))
    assert z.line().startswith((b"a NO", b"* BYE"))


def test_commands_sent_before_the_reply(witness, z):
    """They are answered in the clear, and COMPRESS is refused."""
    z.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
    assert z.line().startswith(b"a BAD")
    assert z.line().startswith(b"b OK")
    z.compress()
    z.ok("NOOP")


@pytest.mark.parametrize("data", [
    b"b NOOP\r\n", b"\xff" * 100, b"\x00" * 100, bytes(range(256)),
    zlib.compress(b"b NOOP\r\n"), b"\x03\x00" + b"rest",
], ids=["plain", "ones", "zeros", "all", "zlib header", "ended"])
def test_what_is_no_deflate(witness, z, data):
    z.compress()
    pour(z, data)
    with contextlib.suppress(OSError):  # it has hung up
        z.s.shutdown(1)
    got = b""
    with contextlib.suppress(ConnectionError):
        while more := z.s.recv(65536):
            got += more
    # An end, with or without a word; never an answer to it.
    assert b"OK" not in zlib.decompressobj(-15).decompress(got)


def test_a_client_that_does_not_read(witness, z):
    body = b"Subject: x\r\n\r\n" + b"".join(
        bytes(33 + (k * i * 7919 >> 5) % 90 for i in range(98)) + b"\r\n"
        for k in range(10000))
    witness.ok(b"APPEND INBOX {%d+}\r\n" % len(body) + body)
    z.compress()
    z.ok("SELECT INBOX")
    for _ in range(300):
        z.begin("FETCH 1:* BODY.PEEK[]")
    time.sleep(1)


def test_many_small_blocks(witness, z):
    """Every byte a block of its own."""
    z.compress()
    with contextlib.suppress(OSError):  # it has hung up
        for k in range(2000):
            z.send(b"NOOP\r\n"[k % 6:k % 6 + 1] if k >= 6 else
                   b"a NOOP"[k:k + 1])
        z.s.shutdown(1)
