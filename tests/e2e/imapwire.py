# SPDX-License-Identifier: ISC
"""A small IMAP client that keeps what FETCH answers as trees: lists, bytes,
None for NIL, and strings for atoms.  It talks to our imapd over a Maildir
(imapd_serve, without the rest of the house) or to Debian's Dovecot in a private
root, which needs no login there."""

import os
import re
import shutil
import socket
import subprocess

import imapserve
import peer
import posthouse as ph

_ATOM = re.compile(rb"[^ ()\r\n]+")
_SECTION = re.compile(rb"(?:BODY|BINARY|BINARY\.SIZE)\[")


class Tokens:
    """One answer: lines and literals, taken apart."""

    def __init__(self, pieces):
        self.data = b"".join(pieces)
        self.at = 0

    def value(self):
        d, at = self.data, self.at
        c = d[at:at + 1]
        if c == b"(":
            out = []
            self.at += 1
            while d[self.at:self.at + 1] != b")":
                if d[self.at:self.at + 1] == b" ":
                    self.at += 1
                out.append(self.value())
            self.at += 1
            return out
        if c == b'"':
            out = bytearray()
            at += 1
            while d[at] != 0x22:
                if d[at] == 0x5c:
                    at += 1
                out.append(d[at])
                at += 1
            self.at = at + 1
            return bytes(out)
        if c in (b"{", b"~"):
            m = re.compile(rb"~?\{(\d+)\}\r\n").match(d, at)
            self.at = m.end() + int(m[1])
            return d[m.end():self.at]
        if _SECTION.match(d, at):
            end = d.index(b"]", at)
            m = re.compile(rb"(<\d+>)?").match(d, end + 1)
            self.at = m.end()
            return d[at:self.at].decode("latin-1")
        m = _ATOM.match(d, at)
        assert m, (d[max(0, at - 100):at], d[at:at + 100])
        self.at = m.end()
        return None if m[0] == b"NIL" else m[0].decode("latin-1")


class Client:
    """Over two files.  command() returns the tagged answer's text; what came
    before it is in .untagged, as lists of lines and literals."""

    def __init__(self, read, write):
        self.read, self.write = read, write
        self.count = 0
        self.untagged = []
        assert self._answer()[0].startswith(b"* ")

    def _answer(self):
        pieces = [self.read.readline()]
        assert pieces[0].endswith(b"\r\n"), pieces
        while True:
            m = re.search(rb"\{(\d+)\}\r\n$", pieces[-1])
            if not m:
                return pieces
            data = self.read.read(int(m[1]))
            assert len(data) == int(m[1])
            pieces += [data, self.read.readline()]

    def command(self, text):
        self.count += 1
        tag = b"t%d " % self.count
        self.write.write(tag + (text.encode() if isinstance(text, str)
                                else text) + b"\r\n")
        self.write.flush()
        self.untagged = []
        while True:
            a = self._answer()
            if a[0].startswith(tag):
                return a[0][len(tag):].decode().rstrip()
            self.untagged.append(a)

    def ok(self, text):
        answer = self.command(text)
        assert answer.startswith("OK"), (text, answer)
        return answer

    def fetches(self):
        """{number: {item: value}} of the untagged answers."""
        out = {}
        for pieces in self.untagged:
            m = re.match(rb"\* (\d+) FETCH ", pieces[0])
            if m:
                t = Tokens(pieces)
                t.at = m.end()
                v = t.value()
                out.setdefault(int(m[1]), {}).update(zip(v[::2], v[1::2]))
        return out

    def fetch(self, text):
        self.ok(text)
        return self.fetches()


class Serve(imapserve.Serve):
    """connect() as often as wanted."""

    def __init__(self, root, mail="Maildir"):
        super().__init__(root, mail)
        self.socks = []

    def connect(self, select="INBOX"):
        s = socket.create_connection(("127.0.0.1", self.port), 120)
        self.socks.append(s)
        c = Client(s.makefile("rb"), s.makefile("wb"))
        c.ok("LOGIN u p")
        if select:
            c.ok(f"SELECT {select}")
        return c

    def stop(self):
        for s in self.socks:
            s.close()
        super().stop()


class Dovecot:
    """Its imap process, already logged in, over a pipe."""

    def __init__(self, work, maildir):
        peer.make("dovecot", "dovecot-imapd", "dovecot-pop3d")
        work.mkdir()
        conf = work / "dovecot.conf"
        conf.write_text(f"mail_location = maildir:{maildir}\n"
                        "first_valid_uid = 1\nmail_log_prefix = imap\n")
        for d, _, files in os.walk(maildir):
            for name in (d, *(os.path.join(d, f) for f in files)):
                os.chown(name, 65534, 65534)
        self.log = open(work / "log", "ab")
        self.process = ph.spawn(
            peer.command("dovecot", "env", "HOME=/", "USER=nobody", "setpriv",
                         "--reuid", "65534", "--regid", "65534",
                         "--clear-groups", "/usr/lib/dovecot/imap", "-c", conf,
                         binds=[work, maildir]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.client = Client(self.process.stdout, self.process.stdin)
        self.client.ok("SELECT INBOX")

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
        self.log.close()


def make_maildir(path, messages, sizes=False):
    """One file a message, in this order."""
    shutil.rmtree(path, ignore_errors=True)
    for d in ("cur", "new", "tmp"):
        (path / d).mkdir(parents=True)
    for n, data in enumerate(messages):
        name = f"{1000000000 + n}.M{n}.host"
        if sizes:
            crlf = len(data) + data.count(b"\n") - data.count(b"\r\n")
            name += f",S={len(data)},W={crlf}"
        (path / "cur" / f"{name}:2,").write_bytes(data)
    return path
