# SPDX-License-Identifier: ISC
"""An IMAP client that believes what it is told, and nothing else: its picture
of the mailbox is made of untagged responses alone, and each of them has to fit
the picture (RFC 3501 7, RFC 7162)."""

import re
import socket

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)\r\n$", re.S)
FOREVER = {b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Seen", b"\\Draft"}


def numbers(text):
    """A sequence set without "*", as a list."""
    out = []
    for part in text.split(b","):
        lo, _, hi = part.partition(b":")
        out += range(int(lo), int(hi or lo) + 1)
    return out


def as_set(values):
    return ",".join(str(v) for v in values)


class Message:
    """What a client knows of one message; None: not asked yet."""

    def __init__(self):
        self.uid = self.flags = self.modseq = None
        self.subject = None

    def __repr__(self):
        return f"<{self.uid} {self.flags}>"


class Wrong(AssertionError):
    pass


class Client:
    """enable: what it enables after its login."""

    def __init__(self, port, name, enable=(), connect=True):
        self.port, self.name, self.enable = port, name, tuple(enable)
        self.sock = None
        self.forget()
        if connect:
            self.connect()

    # -- connection

    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", self.port), 60)
        self.file = self.sock.makefile("rb", 1 << 16)
        self.serial = 0
        self.running = None
        self.messages, self.box = [], None
        self.trace = []
        self.line()
        self.ok("LOGIN test test")
        if self.enable:
            self.ok("ENABLE " + " ".join(self.enable))

    def drop(self):
        """Without a word."""
        self.sock.close()
        self.file.close()
        self.sock = None

    def forget(self):
        """What is kept over connections."""
        self.validity, self.highest, self.cache = None, 0, {}
        self.upto = 0  # it has asked about all up to this UID

    def line(self):
        """A response with its literals."""
        got = self.file.readline()
        if not got:
            raise Wrong(f"{self.name}: the server hung up\n{self.last()}")
        whole = got
        while m := _LITERAL.search(got):
            got = self.file.read(int(m[1])) + self.file.readline()
            whole += got
        self.trace.append(whole)
        return whole

    def last(self, n=40):
        return b"".join(x[:300] for x in self.trace[-n:]).decode("latin-1")

    # -- commands

    def send(self, command):
        assert self.running is None
        self.serial += 1
        self.running = command
        self.untagged = []
        self.codes = {}
        self.seen_modseq = 0
        text = f"{self.name}{self.serial} {command}\r\n".encode()
        self.trace.append(b"C: " + text)
        self.sock.sendall(text)

    def finish(self):
        """The tagged response: (b"OK", text)."""
        tag = f"{self.name}{self.serial} ".encode()
        while True:
            got = self.line()
            if got.startswith(tag):
                break
            self.hear(got)
        word, _, text = got[len(tag):].strip().partition(b" ")
        self.take_code(text)
        # RFC 7162 6: the code, or else the highest of what was said.
        if b"HIGHESTMODSEQ" in self.codes:
            self.highest = int(self.codes[b"HIGHESTMODSEQ"])
        elif self.box:
            self.highest = max(self.highest, self.seen_modseq)
        self.running = None
        return word, text

    def do(self, command):
        self.send(command)
        return self.finish()

    def ok(self, command):
        word, text = self.do(command)
        self.must(word == b"OK", f"{command}: {word} {text}")
        return text

    def must(self, condition, what):
        if not condition:
            raise Wrong(f"{self.name}: {what}\n{self.last()}")

    # -- what is said

    def take_code(self, text):
        if m := re.match(rb"\[([A-Z-]+)(?: ([^\]]*))?\]", text):
            self.codes[m[1]] = m[2]

    def may_expunge(self):
        """RFC 3501 7.4.1"""
        words = self.running.upper().split()
        return words[0] not in ("FETCH", "STORE", "SEARCH")

    def hear(self, got):
        self.untagged.append(got)
        if m := _FETCH.match(got):
            self.hear_fetch(int(m[1]), m[2])
        elif m := re.match(rb"\* (\d+) (EXISTS|EXPUNGE)\r\n", got):
            n = int(m[1])
            if m[2] == b"EXISTS":
                self.must(n >= len(self.messages), f"{n} EXISTS: too few")
                self.messages += [Message()
                                  for _ in range(n - len(self.messages))]
            else:
                self.must("QRESYNC" not in self.enable, "EXPUNGE said")
                self.must(self.may_expunge(), "EXPUNGE now")
                self.must(1 <= n <= len(self.messages), f"{n} EXPUNGE")
                self.lose(n - 1)
        elif got.startswith(b"* VANISHED (EARLIER) "):
            for uid in numbers(got.split()[3]):
                self.must(uid not in [m.uid for m in self.messages],
                          f"VANISHED EARLIER {uid}, which has a number")
                self.cache.pop(uid, None)
        elif got.startswith(b"* VANISHED "):
            self.must("QRESYNC" in self.enable, "VANISHED said")
            self.must(self.may_expunge(), "VANISHED now")
            for uid in numbers(got.split()[2]):
                self.lose(self.place(uid))
                self.cache.pop(uid, None)
        elif got.startswith(b"* FLAGS "):
            self.flags_there = set(
                re.match(rb"\* FLAGS \((.*)\)", got)[1].split())
        elif m := re.match(rb"\* (?:OK|NO|BAD) (.*)\r\n", got, re.S):
            self.take_code(m[1])
            if m[1].startswith(b"[CLOSED]"):
                self.messages = []

    def lose(self, i):
        m = self.messages.pop(i)
        if m.uid:
            self.cache.pop(m.uid, None)

    def place(self, uid):
        """Where a message with this UID is, that may not be known by it."""
        place = None
        for i, m in enumerate(self.messages):
            if m.uid == uid:
                return i
            if m.uid is None:
                place = i
            elif m.uid < uid:
                place = None
            else:
                break
        self.must(place is not None, f"VANISHED {uid}, which is not there")
        return place

    def hear_fetch(self, n, items):
        self.must(1 <= n <= len(self.messages),
                  f"{n} FETCH of {len(self.messages)}")
        m = self.messages[n - 1]
        if x := re.search(rb"UID (\d+)", items):
            self.must(m.uid in (None, int(x[1])), f"{n} is {m.uid}, not {x[1]}")
            m.uid = int(x[1])
            self.must(all(y.uid != m.uid for y in self.messages if y is not m),
                      f"UID {m.uid} twice")
        if x := re.search(rb"FLAGS \(([^)]*)\)", items):
            m.flags = set(x[1].split()) - {b"\\Recent"}
            self.must("IMAP4rev2" not in self.enable or
                      b"\\Recent" not in x[1], "Recent in IMAP4rev2")
            self.must(m.flags <= self.flags_there,
                      f"{m.flags} were not in FLAGS")
        if x := re.search(rb"MODSEQ \((\d+)\)", items):
            m.modseq = int(x[1])
            self.seen_modseq = max(self.seen_modseq, m.modseq)
        elif "CONDSTORE" in self.enable or "QRESYNC" in self.enable:
            self.must("FETCH" in self.running, "no MODSEQ")
        if x := re.search(rb"Subject: ([^\r\n]*)", items):
            self.must(m.subject in (None, x[1]),
                      f"{n} was {m.subject}, now {x[1]}")
            m.subject = x[1]
        if m.uid and m.flags is not None:
            self.cache[m.uid] = m.flags

    # -- mailboxes

    def select(self, box="INBOX", params="", verb="SELECT"):
        self.send(f"{verb} {box}{params}")
        self.messages, self.box = [], box
        word, text = self.finish()
        self.must(word == b"OK", text)
        for code in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ",
                     b"PERMANENTFLAGS"):
            self.must(code in self.codes, f"no {code}")
        if int(self.codes[b"UIDVALIDITY"]) != self.validity:
            self.validity = int(self.codes[b"UIDVALIDITY"])
            self.cache = {m.uid: m.flags for m in self.messages if m.uid}
            self.upto = 0

    def ask_new(self):
        """UIDs and flags of what it has not asked about."""
        unknown = [i + 1 for i, m in enumerate(self.messages)
                   if m.uid is None or m.flags is None]
        if unknown:
            word, _ = self.do(f"FETCH {as_set(unknown)} (UID FLAGS)")
            self.must(word in (b"OK", b"NO"), word)

    def note_upto(self):
        for m in self.messages:
            if m.uid is None or m.flags is None:
                break
            self.upto = max(self.upto, m.uid)

    def picture(self):
        return [(m.uid, frozenset(m.flags)) for m in self.messages]
