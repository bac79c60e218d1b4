# SPDX-License-Identifier: ISC
"""Oversized and garbled input on the three ports: a clear reply or a closed
connection, bounded memory, and nothing else disturbed."""

import contextlib
import os
import random

import pytest

import posthouse as ph
from load import own
from wire import Wire, smtp_until_data

MEGABYTE = b"x" * (1 << 20)


def rss(instance):
    """KiB of memory of all daemons."""
    total = 0
    for _, pid in instance.tree():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            total += own(pid)
    return total


# -- SMTP

SMTP_LINES = {
    "long verb": b"X" * 5000 + b"\r\n",
    "long MAIL": b"MAIL FROM:<" + b"a" * 5000 + b"@example.com>\r\n",
    "many parameters": b"MAIL FROM:<a@example.com>" + b" X=Y" * 400 + b"\r\n",
    "NUL": b"NO\0OP\r\n",
    "empty": b"\r\n",
    "bare LF": b"NOOP\nNOOP\r\n",
    "bare CR": b"NOOP\rNOOP\r\n",
    "SIZE overflow": b"MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\n",
    "SIZE negative": b"MAIL FROM:<a@b.example> SIZE=-1\r\n",
    "nested quotes": b'MAIL FROM:<"' + b"\\\"" * 300 + b'"@example.com>\r\n',
    "RCPT first": b"RCPT TO:<alice@posthouse.test>\r\n",
    "DATA first": b"DATA\r\n",
}


@pytest.mark.dev
@pytest.mark.parametrize("kind", SMTP_LINES)
def test_smtp_bad_line(unmoved, kind):
    with Wire(unmoved.smtp_port) as w:
        w.smtp()
        if "first" not in kind:
            assert w.smtp("EHLO client.example.com\r\n")[:3] == b"250"
        reply = w.smtp(SMTP_LINES[kind])
        assert reply == b"" or reply[:1] in (b"5", b"4"), reply


@pytest.mark.dev
def test_smtp_name_of_a_client_is_not_trusted(unmoved):
    """It stands in Received and in the log without what it may not hold."""
    with Wire(unmoved.smtp_port) as w:
        w.smtp()
        w.smtp(b"HELO \x01\x1b[2J(\\\xff\xfe)<x>\r\n")
        w.smtp("MAIL FROM:<a@example.com>\r\n")
        w.smtp("RCPT TO:<bob@posthouse.test>\r\n")
        if w.smtp("DATA\r\n")[:3] != b"354":
            return
        assert w.smtp("Subject: x\r\n\r\nx\r\n.\r\n")[:3] == b"250"
    unmoved.mailbox("bob").wait(1)
    [raw] = unmoved.mailbox("bob").messages()
    assert all(32 <= c < 127 or c in b"\n\t" for c in raw), raw
    name = raw.partition(b"Received: from ")[2].split()[0]
    assert not set(name) & set(b"()<>\\"), name
    assert b"\x1b" not in unmoved.log_text().encode()


@pytest.mark.dev
def test_smtp_line_without_end(unmoved):
    before = rss(unmoved)
    with Wire(unmoved.smtp_port) as w:
        w.smtp()
        for _ in range(30):
            w.send(MEGABYTE)
        assert rss(unmoved) - before < 8192
        w.send(b"\r\nQUIT\r\n")
        said = w.rest()
        assert said == b"" or said[:1] in (b"4", b"5")


@pytest.mark.dev
@pytest.mark.parametrize("what", ["header line", "header block", "body line",
                                  "header count"])
def test_smtp_oversized_message_parts(unmoved, what):
    before = rss(unmoved)
    part = {
        "header line": b"X-Long: " + MEGABYTE * 4 + b"\r\n\r\nbody",
        "header block": (b"X-Line: " + b"y" * 900 + b"\r\n") * 9000
        + b"\r\nbody",
        "header count": b"X: y\r\n" * 400000 + b"\r\nbody",
        "body line": b"Subject: x\r\n\r\n" + MEGABYTE * 4,
    }[what]
    with smtp_until_data(unmoved.smtp_port,
                         unmoved.address("alice")) as w:
        reply = w.smtp(part + b"\r\n.\r\n")
        assert reply == b"" or reply[:1] in (b"2", b"5"), reply
        assert rss(unmoved) - before < 32768
        if reply:
            assert w.smtp("NOOP\r\n")[:3] == b"250"


def test_smtp_larger_than_said(make_instance):
    i = make_instance(message_size_limit="100000")
    with Wire(i.smtp_port) as w:
        w.smtp()
        assert b"SIZE 100000" in w.smtp("EHLO client.example.com\r\n")
        reply = w.smtp("MAIL FROM:<a@example.com> SIZE=100001\r\n")
        assert reply[:9] == b"552 5.3.4", reply
    with smtp_until_data(i.smtp_port, i.address("alice")) as w:
        reply = w.smtp((b"x" * 70 + b"\r\n") * 2000 + b".\r\n")
        assert reply[:9] == b"552 5.3.4", reply
        assert w.smtp("NOOP\r\n")[:3] == b"250"
    assert i.mailbox("alice").count() == 0
    assert "is empty" in i.posthouse("queue", "list").stdout


def test_smtp_too_many_recipients(unmoved):
    with Wire(unmoved.smtp_port) as w:
        w.smtp()
        w.smtp("EHLO client.example.com\r\n")
        w.smtp("MAIL FROM:<a@example.com>\r\n")
        for n in range(5000):
            reply = w.smtp("RCPT TO:<alice@posthouse.test>\r\n")
            if reply[:3] != b"250":
                break
        assert reply[:9] == b"452 4.5.3", reply
        # RFC 5321 4.5.3.1.8: at least 100 recipients.
        assert n >= 100


def test_smtp_errors_without_end(unmoved):
    """After some number of errors the server hangs up."""
    with Wire(unmoved.smtp_port) as w:
        w.smtp()
        for _ in range(200):
            reply = w.smtp("NONSENSE\r\n")
            if reply[:3] != b"500" and reply[:3] != b"502":
                break
        assert reply[:3] == b"421" or reply == b"", reply


@pytest.mark.dev
@pytest.mark.parametrize("port", ["smtp_port", "imap_port", "pop3_port"])
@pytest.mark.parametrize("seed", range(5))
def test_noise(unmoved, port, seed):
    rng = random.Random(seed)
    with Wire(getattr(unmoved, port)) as w:
        w.line()
        for _ in range(50):
            w.send(rng.randbytes(rng.randrange(1, 4000)))
            w.send(rng.choice([b"\r\n", b"\n", b"\r", b"{5}\r\n", b""]))


@pytest.mark.dev
@pytest.mark.parametrize("port", ["smtp_port", "imap_port", "pop3_port"])
def test_vanishing_clients(unmoved, port):
    """A hundred connections that come and go without a word."""
    wires = [Wire(getattr(unmoved, port)) for _ in range(100)]
    for w in wires[::2]:
        w.send(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
    for w in wires:
        w.close()


# -- IMAP before and after login

IMAP_LINES = {
    "huge literal": b"a LOGIN {4294967295}\r\n",
    "huge literal+": b"a LOGIN {100000000+}\r\n" + b"x" * 100000 + b"\r\n",
    "overflowing literal": b"a LOGIN {99999999999999999999999}\r\n",
    "negative literal": b"a LOGIN {-1}\r\n",
    "unended quote": b'a LOGIN "x\r\n',
    "parentheses": b"a SEARCH " + b"(" * 60000 + b"\r\n",
    "long tag": b"a" * 60000 + b" NOOP\r\n",
    "long line": b"a NOOP " + b"x" * 100000 + b"\r\n",
    "NUL": b"a NO\0OP\r\n",
    "sets": b"a FETCH " + b"1:*," * 20000 + b"1 (FLAGS)\r\n",
    "nested search": b"a SEARCH " + b"NOT " * 20000 + b"SEEN\r\n",
}


def imap_session(instance, login):
    w = Wire(instance.imap_port)
    assert w.line().startswith(b"* OK")
    if login:
        for line in (f"l LOGIN bob@posthouse.test {instance.users['bob']}",
                     "s SELECT INBOX"):
            said = w.imap(line + "\r\n", line[0])
            assert said[-1].startswith(line[:1].encode() + b" OK"), said
    return w


@pytest.mark.dev
@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("kind", IMAP_LINES)
def test_imap_bad_line(unmoved, kind, login):
    before = rss(unmoved)
    with imap_session(unmoved, False) as other, \
            imap_session(unmoved, login) as w:
        w.send(IMAP_LINES[kind])
        while True:
            reply = w.line()
            if reply[:2] != b"* " or reply[:5] in (b"* BYE", b"* BAD"):
                break
        assert reply == b"" or reply.startswith((b"* BYE", b"* BAD")) or \
            reply.split()[1] in (b"BAD", b"NO"), reply
        assert other.imap("n NOOP\r\n", "n")[-1].startswith(b"n OK")
    assert rss(unmoved) - before < 16384


@pytest.mark.dev
@pytest.mark.parametrize("line", [
    b"USER " + b"x" * 100000 + b"\r\n", b"US\0ER x\r\n", b"PASS x\r\n",
    b"RETR 1\r\n", b"LIST -1\r\n", b"\xff\xff\r\n", b"\r\n",
    b"USER a\nUSER b\r\n"])
def test_pop3_bad_line(unmoved, line):
    with Wire(unmoved.pop3_port) as w:
        assert w.line().startswith(b"+OK")
        w.send(line)
        reply = w.line()
        assert reply == b"" or reply.startswith(b"-ERR"), reply


def test_pop3_bad_numbers(unmoved):
    with Wire(unmoved.pop3_port) as w:
        w.line()
        for line in ("USER bob@posthouse.test", f"PASS {unmoved.users['bob']}"):
            w.send(line + "\r\n")
            assert w.line().startswith(b"+OK")
        for line in ("RETR 0", "RETR 99999999999999999999", "DELE -1",
                     "TOP 1", "TOP 1 99999999999999999999", "LIST 0",
                     "UIDL x", "RETR"):
            w.send(line + "\r\n")
            assert w.line().startswith(b"-ERR"), line


def test_no_shared_descriptors_are_lost(unmoved):
    """Connections leave no descriptor behind."""
    def count():
        return {pid: len(os.listdir(f"/proc/{pid}/fd"))
                for name, pid in unmoved.tree()
                if name in ("smtpd", "login", "spawner", "authd", "router")}

    def burst():
        for port in (unmoved.smtp_port, unmoved.imap_port, unmoved.pop3_port):
            for _ in range(20):
                with Wire(port) as w:
                    w.line()
        for _ in range(5):
            imap_session(unmoved, True).close()

    burst()
    before = count()
    burst()

    def grown():
        after = count()
        return {p: (n, after[p]) for p, n in before.items()
                if after.get(p, 0) > n + 2}
    ph.wait_for(lambda: not grown(), lambda: f"descriptors to go: {grown()}")
