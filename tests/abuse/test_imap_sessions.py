# SPDX-License-Identifier: ISC
"""IMAP after the login: literal bombs, floods of parentheses, huge counts,
NUL, bare LF, clients that do not read.  A clear reply or BYE, bounded memory,
and the user's other session goes on."""

import contextlib
import imaplib
import random
import socket
import time

import pytest

import posthouse as ph
from load import peak, worked


class Raw:
    def __init__(self, i, user="alice"):
        self.s = socket.create_connection(("127.0.0.1", i.imap_port), 60)
        self.f = self.s.makefile("rb")
        self.f.readline()
        self.say(f"L LOGIN {i.address(user)} {i.users[user]}\r\n".encode())
        assert self.until(b"L ").startswith(b"L OK")

    def say(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.s.sendall(data)

    def until(self, tag):
        """The tagged reply; b"" if the connection ended."""
        with contextlib.suppress(ConnectionResetError):
            while line := self.f.readline():
                if line.startswith((tag, b"* BYE", b"* BAD")):
                    return line
        return b""

    def close(self):
        self.f.close()
        self.s.close()


@pytest.fixture
def raw(unmoved):
    opened = []

    def make():
        opened.append(Raw(unmoved))
        return opened[-1]

    yield make
    for r in opened:
        r.close()


@pytest.fixture
def witness(unmoved):
    """Another session of the same user, in the same process."""
    i = unmoved
    c = imaplib.IMAP4("127.0.0.1", i.imap_port, timeout=30)
    c.login(i.address("alice"), i.users["alice"])
    c.select()
    (pid,) = i.pids()["imapd"]
    began = worked(pid)
    yield c
    assert c.noop()[0] == "OK"
    assert i.pids()["imapd"] == [pid]
    assert worked(pid) - began < 30
    if ph.PRESET == "release":
        assert peak(pid) < 64 * 1024
    c.logout()


LINES = {
    "long line": b"a NOOP " + b"x" * 100000,
    "many parentheses": b"a SEARCH " + b"(" * 50000,
    "many NOTs": b"a SEARCH " + b"NOT " * 10000 + b"ALL",
    "many ORs": b"a SEARCH " + b"OR ALL " * 9000 + b"ALL",
    "many keys": b"a SEARCH " + b"ALL " * 15000 + b"ALL",
    "many texts": b"a SEARCH " + b"TEXT x " * 9000 + b"ALL",
    "many ranges": b"a FETCH 1" + b",1" * 30000 + b" FLAGS",
    "huge number": b"a FETCH 99999999999999999999 FLAGS",
    "deep section": b"a FETCH 1 BODY[" + b"1." * 10000 + b"1]",
    "many items": b"a FETCH 1 (FLAGS" + b" ENVELOPE" * 5000 + b")",
    "many fields": b"a FETCH 1 BODY[HEADER.FIELDS (" + b"a " * 20000 + b"a)]",
    "huge partial": b"a FETCH 1 BODY[]<4294967295.4294967296>",
    "NUL": b"a SEL\0ECT INBOX",
    "NUL in quotes": b'a SELECT "IN\0BOX"',
    "CR": b"a NOOP\rb NOOP",
    "eight bits": b"a SELECT \xff\xfe",
    "literal bomb": b"a SELECT {4294967295}",
    "literal overflow": b"a SELECT {18446744073709551617}",
    "negative literal": b"a SELECT {-1}",
    "append bomb": b"a APPEND INBOX {4294967295}",
    "pattern": b'a LIST "" ' + b"*%" * 190 + b"x",
    "long pattern": b'a LIST "" ' + b"*" * 60000,
    "many patterns": b'a LIST "" (' + b"x " * 10000 + b"x)",
    "patterns of wildcards": b'a LIST "" (' +
                             b" ".join([b"*%" * 190 + b"x"] * 50) + b")",
    "many select options": b"a LIST (" + b"SUBSCRIBED " * 5000 + b'REMOTE) "" *',
    "many return options": b'a LIST "" * RETURN (' + b"CHILDREN " * 5000 +
                           b"CHILDREN)",
    "many status items": b"a STATUS INBOX (" + b"MESSAGES " * 7000 + b"SIZE)",
    "many uses": rb"a CREATE x (USE (" + rb"\Sent " * 9000 + rb"\Sent))",
    "many words to enable": b"a ENABLE" + b" X" * 30000,
    "long name in UTF-8": b"e ENABLE UTF8=ACCEPT\r\na CREATE \"" +
                          "\u1f82".encode() * 15000 + b'"',
    "path": b"a CREATE ../../../etc/x",
    "dots": b"a CREATE " + b"a." * 3000 + b"a",
    "long name": b"a CREATE " + b"x" * 5000,
    "fake response": b'a CREATE "x\\"\\"y"',
    "flags": b"a STORE 1 FLAGS (" + b"x " * 20000 + b"x)",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_lines(raw, witness, line):
    r = raw()
    r.say(b"s SELECT INBOX\r\n" + line + b"\r\n")
    assert r.until(b"s ").startswith(b"s OK")
    reply = r.until(b"a ")
    assert reply.startswith((b"a BAD", b"a NO", b"a OK", b"* BAD")), reply
    r.say(b"z NOOP\r\n")
    assert r.until(b"z ") in (b"z OK NOOP completed\r\n", b"* BAD Tag "
                              b"expected\r\n")


def test_bare_lf_is_no_line_end(raw, witness):
    r = raw()
    r.say(b"a NOOP\nb LOGOUT\r\n")
    assert r.until(b"a ").startswith(b"a BAD")
    assert r.until(b"b ").startswith(b"* BYE")


def test_literals_behind_what_is_refused(raw, witness):
    """They are read over too: a message's text is never a command."""
    r = raw()
    evil = b"x CREATE Evil\r\ny LOGOUT\r\n"
    for start in (b"a APPEND none {3+}\r\nabc", b"a SELECT {70000+}\r\n" +
                  b"x" * 70000, b"a NOOP " + b"x" * 70000):
        r.say(start + b" {%d+}\r\n" % len(evil) + evil + b"\r\nb NOOP\r\n")
        reply = r.until(b"a ")
        assert reply.startswith((b"a NO", b"a BAD")), reply
        assert r.until(b"b ").startswith(b"b OK")
    r.say(b"a APPEND INBOX {%d+}\n" % len(evil) + evil + b"\r\nb NOOP\r\n")
    assert r.until(b"a ").startswith(b"a BAD")
    assert r.until(b"b ").startswith(b"b OK")
    # Where it cannot be said how long it is, the session ends.
    r.say(b"a NOOP\t{00000000000000000000000000000000000030+}\n" + evil)
    assert r.until(b"a ").startswith(b"* BYE")
    assert witness.list('""', "Evil")[1] == [None]


@pytest.mark.parametrize("end", [b" {0+}", b" {99999999+}"])
def test_endless_literals(raw, witness, end):
    r = raw()
    r.say(b"a APPEND none {3+}\r\nabc")
    for _ in range(30000):
        r.say(end + b"\r\n" + (b"" if end == b" {0+}" else b"x" * 8192))
        if r.s.fileno() < 0:
            break
    r.say(b"\r\n")
    assert r.until(b"a ")[:5] in (b"a NO ", b"* BYE", b"a BAD", b"* BAD",
                                  b"")


@pytest.mark.parametrize("announce", [
    b"a SELECT {70000+}", b"a APPEND INBOX {70000000+}",
    b"a APPEND INBOX {4294967295+}", b"a SELECT {18446744073709551617+}",
])
def test_nonsync_literals_are_read_over_or_end_it(raw, witness, announce):
    r = raw()
    r.say(announce + b"\r\n")
    for _ in range(2000):
        r.say(b"x" * 65536)
        if r.s.fileno() < 0:
            break
    r.say(b"\r\n")
    assert r.until(b"a ")[:5] in (b"a NO ", b"* BYE", b"a BAD", b"* BAD",
                                  b"")


def test_a_client_that_does_not_read(raw, witness):
    assert witness.append("INBOX", None, None,
                          b"Subject: x\r\n\r\n" + b"yyyyyyyy\r\n" * 100000)[0] == "OK"
    r = raw()
    r.say(b"s SELECT INBOX\r\n")
    assert r.until(b"s ").startswith(b"s OK")
    r.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    r.say(b"a FETCH 1:* BODY.PEEK[]\r\n" * 500)
    time.sleep(1)
    assert witness.noop()[0] == "OK"


def test_garbage(raw, witness):
    rnd = random.Random(3501)
    words = [b"a ", b"FETCH ", b"SEARCH ", b"{3}\r\n", b"{3+}\r\n", b"(", b")",
             b'"', b"\\", b"\r\n", b"\n", b"\0", b"1:*", b"BODY[", b"]<0.1>",
             b"UID ", b"APPEND INBOX ", b"\xff", b"STORE 1 FLAGS ", b"DONE",
             b"IDLE\r\n", b"NOT ", b"* "]
    for _ in range(20):
        r = raw()
        r.say(b"s SELECT INBOX\r\n" + b"".join(
            rnd.choice(words) for _ in range(2000)))
        r.close()
    assert witness.noop()[0] == "OK"
