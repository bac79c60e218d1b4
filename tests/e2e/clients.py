# SPDX-License-Identifier: ISC
"""Letters, and the programs nobody here wrote that send and fetch them."""

import contextlib
import email
import imaplib
import itertools
import os
import poplib
import smtplib
import subprocess

import peer
import posthouse as ph

SENDER = "sender@example.com"
_serial = itertools.count(1)


class Letter:
    """A message with a mark that no other has.  The body has CRLF ends."""

    def __init__(self, body="Hello.\r\n", headers=()):
        self.mark = f"{os.getpid()}.{next(_serial)}.posthouse-test"
        if isinstance(body, str):
            body = body.encode()
        assert b"\n" not in body.replace(b"\r\n", b"")
        self.body = body
        self.bytes = "".join(
            f"{name}: {value}\r\n" for name, value in [
                ("Message-ID", f"<{self.mark}@example.com>"),
                ("From", SENDER),
                ("Date", "Sun, 22 Nov 2026 12:00:00 +0000"),
                ("Subject", f"letter {self.mark}"), *headers,
            ]).encode() + b"\r\n" + body

    def is_in(self, raw):
        """Is raw (from a file or a client) this letter, its body unchanged?"""
        raw = raw.replace(b"\r\n", b"\n")
        if f"<{self.mark}@".encode() not in raw:
            return False
        got = raw.partition(b"\n\n")[2]
        want = self.body.replace(b"\r\n", b"\n")
        assert got == want, \
            f"body changed: {got[-200:]!r} instead of {want[-200:]!r}"
        return True


# -- senders: (instance, letter, recipients)

def send_smtplib(i, letter, to):
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=60) as s:
        s.ehlo("client.example.com")
        return s.sendmail(SENDER, to, letter.bytes)


def send_swaks(i, letter, to):
    f = i.dir / "swaks.eml"
    f.write_bytes(letter.bytes.removesuffix(b"\r\n"))   # swaks adds it
    ph.run(["swaks", "--server", f"127.0.0.1:{i.smtp_port}",
            "--helo", "client.example.com", "--from", SENDER,
            "--to", ",".join(to), "--data", f"@{f}", "--hide-all"])


def send_curl(i, letter, to):
    f = i.dir / "curl.eml"
    f.write_bytes(letter.bytes)
    rcpt = [a for t in to for a in ("--mail-rcpt", t)]
    ph.run(["curl", "-sS", f"smtp://127.0.0.1:{i.smtp_port}/client.example.com",
            "--mail-from", SENDER, *rcpt, "-T", f])


SENDERS = {"smtplib": send_smtplib, "swaks": send_swaks, "curl": send_curl}


def smtp_source(i, *args):
    """Postfix's generator, from its private root."""
    peer.make("postfix", "postfix")
    return peer.run("postfix", "smtp-source", *args,
                    f"127.0.0.1:{i.smtp_port}", timeout=120)


@contextlib.contextmanager
def imap(i, user, select=None):
    """A session of Python's library."""
    c = imaplib.IMAP4("127.0.0.1", i.imap_port, timeout=60)
    try:
        c.login(i.address(user), i.users[user])
        if select:
            kind, answer = c.select(select)
            assert kind == "OK", answer
        yield c
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            c.logout()


# -- readers: (instance, user) -> all messages of INBOX as bytes

def read_maildir(i, user):
    return i.mailbox(user).messages()


def read_imaplib(i, user):
    with imap(i, user) as c:
        kind, count = c.select("INBOX", readonly=True)
        assert kind == "OK", count
        if count == [b"0"]:
            return []
        kind, data = c.fetch("1:*", "(BODY.PEEK[])")
        assert kind == "OK", data
        return [d[1] for d in data if isinstance(d, tuple)]


def read_poplib(i, user):
    c = poplib.POP3("127.0.0.1", i.pop3_port, timeout=60)
    try:
        c.user(i.address(user))
        c.pass_(i.users[user])
        return [b"\r\n".join(c.retr(n + 1)[1]) + b"\r\n"
                for n in range(c.stat()[0])]
    finally:
        c.quit()


def curl(i, user, url):
    r = subprocess.run(
        [ph.tool("curl"), "-sS", "-m", "60", url, "-u",
         f"{i.address(user)}:{i.users[user]}"],
        env=ph.clean_env(), capture_output=True, timeout=120)
    assert r.returncode == 0, r.stderr
    return r.stdout


def read_curl_imap(i, user):
    url = f"imap://127.0.0.1:{i.imap_port}/INBOX"
    uids = curl(i, user, f"{url}?ALL").split()[2:]
    return [curl(i, user, f"{url};UID={u.decode()}") for u in uids]


def read_curl_pop3(i, user):
    url = f"pop3://127.0.0.1:{i.pop3_port}/"
    return [curl(i, user, f"{url}{line.split()[0].decode()}")
            for line in curl(i, user, url).splitlines() if line.strip()]


READERS = {"maildir": read_maildir, "imaplib": read_imaplib,
           "poplib": read_poplib, "curl-imap": read_curl_imap,
           "curl-pop3": read_curl_pop3}


def wait_letter(i, user, letter, reader=read_maildir, seconds=60):
    """Wait for a letter; the message as the reader sees it."""
    def there():
        found = [m for m in reader(i, user) if letter.is_in(m)]
        assert len(found) < 2, f"{len(found)} copies"
        return found

    return ph.wait_for(there, f"letter {letter.mark} for {user}", seconds)[0]


def header(raw):
    return email.message_from_bytes(raw)
