# SPDX-License-Identifier: ISC
"""Many writers on one Maildir: two imapd processes, a delivery, and programs
that act like mutt and procmail.  At the end the mailbox is what an oracle of
their operations says.

Each letter, and each message's removal, belongs to one writer, who alone changes
it: so the last that it did is what must be seen.  What was under way when a
server was killed may have happened or not.

POSTHOUSE_SEED repeats the choices, POSTHOUSE_WRITERS_SECONDS (20) says how long.
"""

import contextlib
import imaplib
import os
import random
import re
import threading
import time

import pytest

import imapserve
import posthouse as ph

SECONDS = float(os.environ.get("POSTHOUSE_WRITERS_SECONDS", "20"))
MARK = re.compile(rb"Subject: m(\d+)\r?\n")
LOST = (OSError, imaplib.IMAP4.abort, EOFError)
NAMES = {"F": "\\Flagged", "R": "\\Answered", "S": "\\Seen",
         "a": "$A", "b": "$B"}


class Oracle:
    """What each message may look like: sets of possible values."""

    def __init__(self):
        self.lock = threading.Lock()
        self.n = 0
        self.flags = {}     # mark -> {letter: {True, False}}
        self.there = {}     # mark -> {True, False}
        self.uid = {}       # mark -> UID

    def new(self):
        with self.lock:
            self.n += 1
            k = self.n
            self.flags[k] = {x: {False} for x in NAMES}
            self.there[k] = {False}
            return k

    def begin(self, k, values, new):
        """An operation is under way."""
        with self.lock:
            values[k] |= {new}

    def done(self, k, values, new):
        with self.lock:
            values[k] = {new}

    def told(self, k, uid):
        with self.lock:
            assert self.uid.setdefault(k, uid) == uid, (k, uid, self.uid[k])

    def living(self):
        with self.lock:
            return [k for k, v in self.there.items() if v == {True}]


class Server(imapserve.Serve):
    def connect(self):
        c = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        assert c.login("test", "x")[0] == "OK"
        assert c.select("INBOX")[0] == "OK"
        return c


class Writer(threading.Thread):
    def __init__(self, world, name, seed):
        super().__init__(name=name)
        self.world = world
        self.oracle = world.oracle
        self.rnd = random.Random(f"{ph.SEED} {name} {seed}")
        self.failed = None
        self.done = 0

    def mine(self, k):
        """Who may remove a message: one of three, and not before its author
        has noted that it is there."""
        return k % 3 == self.share and self.oracle.there[k] == {True}

    def run(self):
        try:
            while not self.world.over.is_set():
                self.step()
                self.done += 1
                time.sleep(self.rnd.random() * self.pause)
        except Exception as e:      # pylint: disable=broad-except
            self.failed = e
            self.world.over.set()


class Imap(Writer):
    """A client of one of the servers; letter: the flag that is its own."""

    pause = 0.02

    def __init__(self, world, name, server, letter, keyword, share):
        super().__init__(world, name, 0)
        self.server, self.share = server, share
        self.letters = letter, keyword
        self.c = None
        self.known = {}     # mark -> uid

    def step(self):
        try:
            if not self.c:
                self.c = self.server.connect()
            self.rnd.choice((self.look, self.store, self.store, self.append,
                             self.expunge))()
        except LOST:
            self.c = None
            time.sleep(0.05)

    def ok(self, answer):
        assert answer[0] == "OK", answer
        return answer[1]

    def look(self):
        lines = self.ok(self.c.uid(
            "FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        self.known = {}
        for line in lines:
            if not isinstance(line, tuple):
                continue
            k = int(MARK.search(line[1])[1])
            uid = int(re.search(rb"UID (\d+)", line[0])[1])
            assert k not in self.known, f"m{k} twice"
            self.known[k] = uid
            self.oracle.told(k, uid)

    def choose(self, test):
        some = [k for k in self.known if test(k)]
        return self.rnd.sample(some, min(len(some), self.rnd.randrange(1, 9)))

    def store(self):
        letter = self.rnd.choice(self.letters)
        on = self.rnd.random() < 0.6
        ks = self.choose(lambda k: True)
        if not ks:
            return
        for k in ks:
            self.oracle.flags[k][letter] = self.oracle.flags[k][letter] | {on}
        self.ok(self.c.uid("STORE", ",".join(str(self.known[k]) for k in ks),
                           "+FLAGS.SILENT" if on else "-FLAGS.SILENT",
                           f"({NAMES[letter]})"))
        for k in ks:
            self.oracle.flags[k][letter] = {on}

    def append(self):
        if len(self.oracle.living()) > 150:
            return
        k = self.oracle.new()
        flag = self.rnd.random() < 0.5
        letter = self.letters[0]
        self.oracle.flags[k][letter] = {flag}
        self.oracle.begin(k, self.oracle.there, True)
        answer = self.ok(self.c.append(
            "INBOX", f"({NAMES[letter]})" if flag else None, None,
            b"Subject: m%d\r\n\r\nbody\r\n" % k))
        self.oracle.told(k, int(re.search(rb"APPENDUID \d+ (\d+)",
                                          answer[0])[1]))
        self.oracle.done(k, self.oracle.there, True)

    def expunge(self):
        ks = self.choose(self.mine)[:2]
        if not ks or len(self.oracle.living()) < 20:
            return
        uids = ",".join(str(self.known[k]) for k in ks)
        for k in ks:
            self.oracle.begin(k, self.oracle.there, False)
        self.ok(self.c.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)"))
        self.ok(self.c.uid("EXPUNGE", uids))
        for k in ks:
            self.oracle.done(k, self.oracle.there, False)
            self.known.pop(k, None)


class Deliver(Writer):
    """Files into new/ by a rename, as deliver does, or procmail."""

    pause = 0.06

    def step(self):
        if len(self.oracle.living()) > 150:
            return
        k = self.oracle.new()
        text = b"Subject: m%d\n\nbody\n" % k
        if self.name == "deliver":
            base = (f"{int(time.time())}.P{1:016x}Q{k:016x}R{2:016x}.host,"
                    f"S={len(text)},W={len(text) + text.count(10)}")
        else:
            base = f"{int(time.time())}.{os.getpid()}_{k}.host"
        box = self.world.box
        (box / "tmp" / base).write_bytes(text)
        self.oracle.begin(k, self.oracle.there, True)
        (box / "tmp" / base).rename(box / "new" / base)
        self.oracle.done(k, self.oracle.there, True)


class Mutt(Writer):
    """Renames files, with \\Seen in the name or not, and removes some."""

    pause = 0.03
    share = 2

    def step(self):
        box = self.world.box
        files = [(d, f) for d in ("cur", "new") for f in os.listdir(box / d)]
        for d, f in self.rnd.sample(files, min(len(files), 3)):
            with contextlib.suppress(FileNotFoundError):
                self.touch(box / d / f, f)

    def touch(self, path, name):
        k = int(MARK.search(path.read_bytes())[1])
        if self.mine(k) and self.rnd.random() < 0.1 and \
                len(self.oracle.living()) > 20:
            self.oracle.begin(k, self.oracle.there, False)
            path.unlink()
            self.oracle.done(k, self.oracle.there, False)
            return
        base, _, letters = name.partition(":2,")
        on = "S" not in letters
        letters = "".join(sorted(set(letters) ^ {"S"}))
        path.rename(self.world.box / "cur" / f"{base}:2,{letters}")
        self.oracle.flags[k]["S"] = {on}


class Vandal(Writer):
    """Spoils what can be made anew."""

    pause = 2

    def step(self):
        f = self.world.box / self.rnd.choice(
            ("posthouse.index", "posthouse.cache", "posthouse.keys",
             "posthouse.folders"))
        with contextlib.suppress(FileNotFoundError):
            size = f.stat().st_size
            what = self.rnd.randrange(3)
            if what == 0:
                f.unlink()
            elif what == 1:
                os.truncate(f, self.rnd.randrange(size + 1))
            elif size:
                with open(f, "r+b") as g:
                    g.seek(self.rnd.randrange(size))
                    g.write(bytes([self.rnd.randrange(256)]))


class World:
    def __init__(self, directory):
        self.oracle = Oracle()
        self.over = threading.Event()
        self.box = directory / "Maildir"
        self.servers = [Server(directory), Server(directory)]
        self.writers = [
            Imap(self, "first", self.servers[0], "F", "a", 0),
            Imap(self, "second", self.servers[1], "R", "b", 1),
            Deliver(self, "deliver", 0), Deliver(self, "procmail", 0),
            Mutt(self, "mutt", 0), Vandal(self, "vandal", 0)]

    def work(self, seconds, kills):
        rnd = random.Random(ph.SEED)
        end = time.monotonic() + seconds
        for w in self.writers:
            w.start()
        while time.monotonic() < end and not self.over.is_set():
            if kills and rnd.random() < 0.5:
                s = rnd.choice(self.servers)
                s.kill()
                s.start()
            self.over.wait(0.5)
        self.over.set()
        for w in self.writers:
            w.join(60)
        for w in self.writers:
            if w.failed:
                raise w.failed

    def check(self):
        """A new process, and the files themselves, say the same."""
        c = self.servers[0].connect()
        answer = c.uid("FETCH", "1:*",
                       "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        seen = {}
        for line in answer:
            if not isinstance(line, tuple):
                continue
            k = int(MARK.search(line[1])[1])
            assert k not in seen, f"m{k} twice"
            seen[k] = re.search(rb"FLAGS \(([^)]*)\)", line[0])[1].split()
            self.oracle.told(k, int(re.search(rb"UID (\d+)", line[0])[1]))
        for k, possible in self.oracle.there.items():
            assert (k in seen) in possible, (k, possible)
        for k, flags in seen.items():
            for letter, possible in self.oracle.flags[k].items():
                have = NAMES[letter].encode() in flags
                assert have in possible, (k, letter, possible, flags)
        ph.wait_for(lambda: self.names() == {
            k: {x for x in "FRS" if NAMES[x].encode() in flags}
            for k, flags in seen.items()}, "names that follow", 60)
        c.logout()

    def names(self):
        out = {}
        for d in ("cur", "new"):
            for f in os.listdir(self.box / d):
                with contextlib.suppress(FileNotFoundError):
                    k = int(MARK.search((self.box / d / f).read_bytes())[1])
                    out[k] = set(f.partition(":2,")[2]) & set("FRS")
        return out

    def stop(self):
        self.over.set()
        for s in self.servers:
            s.stop()


@pytest.fixture
def world(tmp_path):
    (tmp_path / "Maildir").mkdir()
    w = World(tmp_path)
    yield w
    w.stop()


@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("kills", [False, True], ids=["calm", "killed"])
def test_writers(world, kills):
    world.work(SECONDS / 2, kills)
    print({w.name: w.done for w in world.writers}, world.oracle.n, "messages")
    assert world.oracle.n > 20
    world.check()
    for s in world.servers:
        s.kill()
        s.start()
    world.check()


def test_the_log_is_damaged_under_a_session(world):
    """The session goes on: the mail is there, readable, and can be changed."""
    box = world.box
    for k in range(30):
        (box / "new" / f"{1000 + k}.x").write_bytes(b"Subject: m%d\n\n\n" % k)
    c = world.servers[0].connect()
    log = box / "posthouse.log"
    for damage in (lambda: os.truncate(log, 100),
                   lambda: log.write_bytes(b"x" * 5000),
                   log.unlink,
                   lambda: os.truncate(log, 0)):
        damage()
        for _ in range(3):
            with contextlib.suppress(*LOST):
                c.noop()
                c.store("1:*", "+FLAGS", "(\\Flagged)")
            with contextlib.suppress(*LOST):
                c.logout()
            c = world.servers[0].connect()
        assert len(c.search(None, "ALL")[1][0].split()) == 30
        assert c.fetch("1:30", "BODY.PEEK[]")[0] == "OK"
        assert c.store("1:30", "+FLAGS", "(\\Answered)")[0] == "OK"
        assert len(c.search(None, "ANSWERED")[1][0].split()) == 30
    c.logout()
