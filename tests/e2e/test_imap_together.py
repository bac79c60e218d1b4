# SPDX-License-Identifier: ISC
"""Many sessions on one mailbox (RFC 2180), and clients that come back to it
(RFC 7162): whatever happens, each client's picture is true."""

import os
import random
import socket
import time

import pytest

import imapserve
from imapmodel import Client, as_set, numbers

CALM = "NOOP"


class Server(imapserve.Serve):
    """imapd over a Maildir of its own, and what other programs do to it."""

    def __init__(self, directory):
        super().__init__(directory)
        self.box = directory / "Maildir"
        self.serial = 0

    # -- foreign programs

    def deliver(self):
        self.serial += 1
        name = f"{1700000000 + self.serial}.F{self.serial}.host"
        f = self.box / "tmp" / name
        f.write_bytes(b"Subject: foreign %d\n\nbody\n" % self.serial)
        f.rename(self.box / "new" / name)

    def files(self):
        return [os.path.join(d, f) for d in (self.box / "cur",
                                             self.box / "new")
                for f in os.listdir(d)]

    def change_names(self, rnd, n):
        """As mutt does: letters in the name, or the file away."""
        files = self.files()
        for old in rnd.sample(files, min(n, len(files))):
            base = os.path.basename(old).split(":2,")[0]
            try:
                if rnd.random() < 0.3:
                    os.unlink(old)
                    continue
                letters = "".join(sorted(rnd.sample("DFRST",
                                                    rnd.randrange(2))))
                if "T" in letters and rnd.random() < 0.7:
                    letters = letters.replace("T", "")
                os.rename(old, self.box / "cur" / f"{base}:2,{letters}")
            except FileNotFoundError:
                pass  # the server was renaming it


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path)
    yield s
    s.stop()


def append(c, subject, flags=""):
    text = f"Subject: {subject}\r\n\r\nbody of {subject}\r\n"
    c.must(c.ok(f"APPEND INBOX ({flags}) {{{len(text)}+}}\r\n{text}"), "")


def truth(server):
    """What a client that knows nothing finds."""
    c = Client(server.port, "truth")
    c.select()
    c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    c.drop()
    return c


# -- the walk of a client at random

class Walker:
    """A client that does what comes to its mind; each of its commands by
    number names the messages that it thinks it names."""

    def __init__(self, client, rnd):
        self.c, self.rnd = client, rnd
        self.check, self.saved = None, set()

    def some(self, most=6):
        n = len(self.c.messages)
        k = self.rnd.randrange(1, min(most, n) + 1)
        if self.rnd.random() < 0.2:
            lo = self.rnd.randrange(1, n + 1)
            return list(range(lo, min(n, lo + 40) + 1))
        return sorted(self.rnd.sample(range(1, n + 1), k))

    def begin(self):
        """Send a command; finish() reads and judges the answer."""
        c, rnd = self.c, self.rnd
        self.check = None
        if not c.messages or any(m.uid is None for m in c.messages):
            c.send("NOOP" if not c.messages else "UID FETCH 1:* (FLAGS)")
            return
        some = self.some()
        uids = [c.messages[i - 1].uid for i in some]
        what = rnd.choice(self.choices())
        getattr(self, "do_" + what)(some, uids)

    def choices(self):
        return ["noop"] * 3 + ["fetch", "fetch", "uid_fetch", "mark", "mark",
                               "uid_mark", "flag", "flag", "silent",
                               "delete", "expunge", "uid_expunge", "search",
                               "copy", "move", "append", "read", "idle", "idle",
                               "save", "use", "use"]

    def finish(self):
        if self.c.running == "IDLE":
            self.c.sock.sendall(b"DONE\r\n")
        word, text = self.c.finish()
        self.c.must(word in (b"OK", b"NO"), (word, text))
        if word == b"NO": # RFC 2180: it names some that are gone
            self.c.must(b"[EXPUNGEISSUED]" in text, text)
        elif self.check:
            self.check(text)

    def do_noop(self, some, uids):
        self.c.send(self.rnd.choice(["NOOP", "CHECK"]))

    def do_fetch(self, some, uids):
        self.c.send(f"FETCH {as_set(some)} "
                    "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")

    def do_uid_fetch(self, some, uids):
        self.c.send(f"UID FETCH {as_set(uids)} (FLAGS "
                    "BODY.PEEK[HEADER.FIELDS (SUBJECT)])")

    def do_read(self, some, uids):
        """Which makes them \\Seen, and says so."""
        self.c.send(f"UID FETCH {as_set(uids)} (BODY[TEXT])")

    def do_idle(self, some, uids):
        self.c.send("IDLE")

    def do_mark(self, some, uids):
        """A keyword that says which message is meant."""
        n, uid = some[0], uids[0]
        self.c.send(f"STORE {n} +FLAGS (u{uid})")

    def do_uid_mark(self, some, uids):
        self.c.send(f"UID STORE {uids[0]} +FLAGS (u{uids[0]})")

    def flags(self):
        return " ".join(self.rnd.sample(
            ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Junk", "work"],
            self.rnd.randrange(2)))

    def do_flag(self, some, uids):
        sign = self.rnd.choice(["+", "-"])
        self.c.send(f"STORE {as_set(some)} {sign}FLAGS ({self.flags()})")

    def do_silent(self, some, uids):
        """The client works out what the flags are now."""
        sign, flags = self.rnd.choice("+-"), self.flags()
        meant = [self.c.messages[i - 1] for i in some]
        names = set(flags.encode().split())
        self.c.send(f"STORE {as_set(some)} {sign}FLAGS.SILENT ({flags})")
        # Before the answer: what it says beyond that is news.
        for m in meant:
            m.flags = m.flags | names if sign == "+" else m.flags - names

    def do_delete(self, some, uids):
        if len(self.c.messages) > 30:
            self.c.send(f"UID STORE {as_set(uids)} +FLAGS (\\Deleted)")
        else:
            self.do_append(some, uids)

    def do_expunge(self, some, uids):
        self.c.send("EXPUNGE")

    def do_uid_expunge(self, some, uids):
        self.c.send(f"UID EXPUNGE {as_set(uids)}")

    def do_search(self, some, uids):
        """By the keyword that a message was given: it is that message."""
        key = f"u{uids[0]}"
        before = list(self.c.messages)
        self.c.send(f"SEARCH KEYWORD {key}")

        def check(_):
            for got in self.c.untagged:
                if got.startswith(b"* SEARCH"):
                    for n in got.split()[2:]:
                        self.c.must(before[int(n) - 1].uid == uids[0],
                                    f"{key} is at {n}")
        self.check = check

    def do_save(self, some, uids):
        self.saved = set(uids)
        self.c.send(f"SEARCH RETURN (SAVE) UID {as_set(uids)}")

    def do_use(self, some, uids):
        """RFC 5182: those of the saved that were there."""
        before = list(self.c.messages)
        self.c.send("FETCH $ (UID)")

        def check(_):
            got = {before[int(x.split()[1]) - 1].uid for x in self.c.untagged
                   if b" FETCH (UID " in x and b"FLAGS" not in x}
            self.c.must(got <= self.saved, f"$ is {got} of {self.saved}")
        self.check = check

    def copied(self, code, uids):
        """COPYUID names what was meant, but what was gone."""
        validity, source, made = code.split()
        source, made = numbers(source), numbers(made)
        self.c.must(set(source) <= set(uids), f"{source} copied of {uids}")
        self.c.must(len(source) == len(made) and made == sorted(made), code)

    def do_copy(self, some, uids):
        if self.rnd.random() < 0.5:
            self.c.send(f"COPY {as_set(some)} Other")
        else:
            self.c.send(f"UID COPY {as_set(uids)} Other")
        self.check = lambda text: (b"COPYUID" not in self.c.codes or
                                   self.copied(self.c.codes[b"COPYUID"], uids))

    def do_move(self, some, uids):
        if len(self.c.messages) < 30:
            return self.do_append(some, uids)
        some, uids = some[:3], uids[:3]
        self.c.send(f"MOVE {as_set(some)} Other")
        self.check = lambda text: self.copied(self.c.codes[b"COPYUID"], uids)

    def do_append(self, some, uids):
        text = f"Subject: {self.c.name} {self.c.serial}\r\n\r\nbody\r\n"
        self.c.send(f"APPEND INBOX (mine) {{{len(text)}+}}\r\n{text}")


def assert_true_pictures(server, clients):
    """All quiet: each has heard of all, and each is right."""
    for c in clients:
        for _ in range(2): # what it hears first may be new messages
            c.ok("NOOP")
            c.ask_new()
    want = truth(server)
    for m in want.messages:
        for f in m.flags:
            if f[:1] == b"u" and f[1:].isdigit():
                assert int(f[1:]) == m.uid, f"{f} stands at {m.uid}"
    for c in clients:
        assert c.picture() == want.picture(), \
            f"{c.name} has {c.picture()}\nthere is {want.picture()}\n" \
            f"{c.last()}"
        for mine, real in zip(c.messages, want.messages):
            assert mine.subject in (None, real.subject), (mine, real)


@pytest.mark.parametrize("seed", range(2))
def test_all_at_once(server, seed):
    """Commands of six sessions at the same time, and foreign programs."""
    rnd = random.Random(seed)
    clients = [Client(server.port, "a"), Client(server.port, "b"),
               Client(server.port, "c", ["CONDSTORE"]),
               Client(server.port, "d", ["QRESYNC"]),
               Client(server.port, "e", ["IMAP4rev2"]),
               Client(server.port, "f", ["QRESYNC", "IMAP4rev2"])]
    clients[0].ok("CREATE Other")
    for k in range(60):
        append(clients[0], f"first {k}", rnd.choice(["", "\\Seen"]))
    for c in clients:
        c.select()
        c.ask_new()
    walkers = [Walker(c, rnd) for c in clients]
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for _ in range(30):
            some = rnd.sample(walkers, rnd.randrange(1, len(walkers) + 1))
            for w in some:
                w.begin()
            if rnd.random() < 0.2:
                server.deliver()
            if rnd.random() < 0.1:
                server.change_names(rnd, 3)
            for w in some:
                w.finish()
        assert_true_pictures(server, clients)
    for c in clients:
        c.drop()


# -- coming back

def change_at_random(server, c, rnd):
    """What others do while a client is away."""
    if c.box is None:
        c.select()
    for _ in range(rnd.randrange(12)):
        c.ok("NOOP")
        n = len(c.messages)
        what = rnd.randrange(7)
        if what == 0 or n < 10:
            append(c, f"away {c.serial}", rnd.choice(["", "\\Flagged other"]))
        elif what == 1:
            server.deliver()
        elif what == 2:
            server.change_names(rnd, 2)
        elif what == 3:
            some = as_set(sorted(rnd.sample(range(1, n + 1), min(n, 5))))
            c.ok(f"STORE {some} +FLAGS (\\Deleted)")
            c.ok("EXPUNGE")
        else:
            some = as_set(sorted(rnd.sample(range(1, n + 1), min(n, 8))))
            flags = rnd.choice(["\\Seen", "work", "\\Answered $Junk"])
            c.ok(f"STORE {some} {rnd.choice('+-')}FLAGS ({flags})")
    c.ok("NOOP")


def compact(values):
    """As a set with ranges."""
    out, values = [], sorted(values)
    for v in values:
        if out and out[-1][1] == v - 1:
            out[-1][1] = v
        else:
            out.append([v, v])
    return ",".join(f"{a}:{b}" if a != b else f"{a}" for a, b in out)


def come_back_qresync(c, rnd):
    """RFC 7162 3.2.5"""
    params = ""
    if c.cache and c.highest:
        known = sorted(c.cache)
        params = f" (QRESYNC ({c.validity} {c.highest}"
        if rnd.random() < 0.7:
            params += " " + compact(known)
        if rnd.random() < 0.5:
            at = sorted(rnd.sample(range(len(known)),
                                   rnd.randrange(1, min(6, len(known)) + 1)))
            params += (f" ({as_set(i + 1 for i in at)} "
                       f"{as_set(known[i] for i in at)})")
        params += "))"
    c.select(params=params)
    learn_new(c)


def come_back_vanished(c, rnd):
    """RFC 7162 3.2.6"""
    old, validity = c.highest, c.validity
    c.select()
    if c.cache and old and validity == c.validity:
        c.ok(f"UID FETCH 1:{c.upto} (FLAGS) (CHANGEDSINCE {old} VANISHED)")
    learn_new(c)


def come_back_condstore(c, rnd):
    """RFC 4549 with RFC 7162 3.1.4.1: changes, then what is gone."""
    old, validity = c.highest, c.validity
    c.select(params=" (CONDSTORE)")
    if c.cache and old and validity == c.validity:
        c.ok(f"UID FETCH 1:{c.upto} (FLAGS) (CHANGEDSINCE {old})")
        c.ok("UID SEARCH ALL")
        there = set()
        for got in c.untagged:
            if got.startswith(b"* SEARCH"):
                there = set(int(x) for x in got.split()[2:])
        for uid in list(c.cache):
            if uid not in there:
                del c.cache[uid]
    learn_new(c)


def learn_new(c):
    c.ok(f"UID FETCH {c.upto + 1}:* (FLAGS)")
    c.upto = max(c.cache, default=c.upto)


COME_BACK = {"qresync": come_back_qresync, "vanished": come_back_vanished,
             "condstore": come_back_condstore}


@pytest.mark.parametrize("how", COME_BACK)
def test_coming_back(server, how):
    """A client keeps what it knew and is told the rest: its cache is then what
    is there, whenever it went."""
    rnd = random.Random(how)
    other = Client(server.port, "o")
    other.ok("CREATE Other")
    c = Client(server.port, "c", ["CONDSTORE" if how == "condstore"
                                  else "QRESYNC"], connect=False)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        change_at_random(server, other, rnd)
        c.connect()
        COME_BACK[how](c, rnd)
        want = dict(truth(server).picture())
        assert c.cache == want, f"{c.cache}\nthere is {want}\n{c.last()}"
        # And some time online, beside the other; it goes at any reply.
        c.ask_new()
        w = Walker(c, rnd)
        for _ in range(rnd.randrange(8)):
            if rnd.random() < 0.5:
                change_at_random(server, other, rnd)
            w.begin()
            w.finish()
            for m in c.messages: # .SILENT
                if m.uid and m.flags is not None:
                    c.cache[m.uid] = m.flags
            c.note_upto()
        c.drop()
    other.drop()


@pytest.mark.dev
def test_the_end_does_not_stand_in_a_message(server):
    """The house goes down while a client reads a message slowly: the literal
    that was begun must not be filled up with BYE."""
    text = b"Subject: long\n\n" + b"a line of it\n" * 2000000
    (server.box / "cur" / "1600000000.L.host:2,").write_bytes(text)
    want = text.replace(b"\n", b"\r\n")
    begun = b"{%d}\r\n" % len(want)
    with socket.create_connection(("127.0.0.1", server.port), 60) as s:
        s.sendall(b"a LOGIN x x\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
        got = b""
        while begun not in got:
            got += s.recv(65536) or pytest.fail(f"the end: {got}")
        server.stop()
        got += b"".join(iter(lambda: s.recv(65536), b""))
    literal = got.split(begun, 1)[1]
    assert len(literal) < len(want)
    assert want.startswith(literal), literal[-100:]
