# SPDX-License-Identifier: ISC
"""Random sessions of one to three clients at a time on us and on Debian's
Dovecot: the same answers, the same pictures in the clients, and files that are
as the clients believe.  Where the two differ, it stands here with the reason,
beside the code that lets it pass; or in imapscript.py, which avoids it.

The sessions are the same in each run, unless POSTHOUSE_SEED says which;
POSTHOUSE_ORACLE_SECONDS: for how long (tests/long takes ten minutes).
"""

import collections
import os
import random
import re
import time

import pytest

import imaporacle as oracle
import imapscript
import imapserve
import imapwire
import oddmail
import posthouse as ph
import test_structure as structure

SECONDS = int(os.environ.get("POSTHOUSE_ORACLE_SECONDS", "0"))
SEED = ph.SEED if ph.SEED_GIVEN else 1
SESSIONS, STEPS = 10, 100
LOOKING = ("search", "sort", "thread", "folder", "expunge")


class Excused(Exception):
    """Dovecot is where we cannot follow it."""


class Walk:
    """Some clients on some mailboxes; what they are told by both servers."""

    def __init__(self, seed, ours, theirs):
        self.seed = seed
        self.r = random.Random(seed)
        self.sides = [ours, theirs]
        self.n = len(ours.sessions)
        self.script = imapscript.Script(self.r)
        self.boxes = [None] * self.n    # selected
        self.read_only = [False] * self.n
        self.qresync = [self.r.random() < .4 for _ in range(self.n)]
        self.idle = None                # who waits

    def wrong(self, k, command, what, ours, theirs):
        traces = "\n".join(
            f"-- {s.name}\n" + "\n".join(
                str(x[:300]) for x in s.sessions[k].trace[-12:])
            for s in self.sides)
        raise AssertionError(
            f"seed {self.seed}, client {k} of {self.n}, {command[:300]}\n"
            f"{what}\nours:   {ours}\ntheirs: {theirs}\n{traces}")

    # -- a command

    def both(self, k, command):
        self.before = self.known(k)
        answers = []
        for s in self.sides:
            try:
                answers.append(s.sessions[k].send(s.filled(command)))
            except AssertionError:
                if s.name == "ours":
                    raise
                raise Excused(f"Dovecot died of {command[:200]}")
        self.judge(k, command, answers)
        return answers

    def known(self, k):
        return [x[0] for x in self.sides[0].sessions[k].messages]

    def judge(self, k, command, answers):
        for s in self.sides:
            if s.sessions[k].wrong:
                self.wrong(k, command, f"to {s.name}", s.sessions[k].wrong, "")
        if command.startswith(b"RENAME") and \
                [a[0] for a in answers] == ["NO", "OK"]:
            # RFC 3501 6.3.5: an error if the new name exists.  Dovecot lets a
            # \Noselect name's inferiors move below it.
            raise Excused("RENAME to what exists")
        differ = self.differences(command, *answers, set())
        if differ and self.n > 1 and self.boxes[k]:
            differ = self.differences(command, *answers, self.gone(k))
        for what, ours, theirs in differ:
            if b" (CHANGEDSINCE" in command and self.n > 1 and not theirs:
                continue    # Dovecot asks what the session was told
            if not self.excused(k, what, ours):
                self.wrong(k, command, what, ours, theirs)
        if self.boxes[k]:
            self.pictures(k, command)

    def differences(self, command, a, b, gone):
        """gone: UIDs that were removed by others and are not told yet.  What
        is said of them is each server's own choice (RFC 2180 4)."""
        out = []

        def same(what, ours, theirs):
            if ours != theirs:
                out.append((what, ours, theirs))

        lost = gone if command.upper().startswith(b"UID ") else {
            n for n, uid in enumerate(self.before, 1) if uid in gone}

        def left(numbers):
            return [x for x in numbers or () if x not in lost]

        # Without a message Dovecot does not look where to.
        nothing = re.match(rb"(UID )?(COPY|MOVE) ", command) and not any(
            x[1].startswith("COPYUID") for x in (a, b))
        if not gone and not nothing:
            same("status", a[0], b[0])
        codes = [oracle.code(x[1]) for x in (a, b)]
        if gone and "MODIFIED" in (a[1] + b[1]):
            codes = [left(c and c[1]) for c in codes]
        if a[0] == b[0] == "OK":
            same("code", *codes)
        # Dovecot does not keep to the order of messages that are equal after
        # REVERSE (RFC 5256 3: by their numbers).
        order = sorted if b"REVERSE" in command else list
        same("search", *(left(oracle.found(x[2], "SEARCH")) for x in (a, b)))
        same("sort", *(order(left(oracle.found(x[2], "SORT")))
                       for x in (a, b)))
        if not gone:
            same("esearch", *(self.esearch(x[2], order) for x in (a, b)))
            same("thread", *([t.strip() for t in x[2].get("THREAD", ())]
                             for x in (a, b)))
        same("list", *(self.listing(command, x[2]) for x in (a, b)))
        same("lsub", *(self.listing(command, x[2], "LSUB") for x in (a, b)))
        same("status data", *(oracle.statuses(x[2]) for x in (a, b)))
        fetched = [oracle.fetched(x[2]) for x in (a, b)]
        for uid in (set(fetched[0]) | set(fetched[1])) - gone:
            x, y = (f.get(uid, {}) for f in fetched)
            for k in set(x) | set(y):
                if x.get(k) != y.get(k):
                    out.append((f"fetch {k}", (uid, x.get(k)), y.get(k)))
        return out

    @staticmethod
    def esearch(data, order):
        out = oracle.esearch(data)
        if order is sorted:
            out = {k: order(v) if k == b"ALL" else v for k, v in out.items()
                   if k not in (b"MIN", b"MAX")}
        return out

    @staticmethod
    def listing(command, data, word="LIST"):
        """RFC 5258 3.5: attributes may be said that nobody has asked for.
        Names that only have children may be listed or not for "*"
        (RFC 3501 6.3.8), and of LSUB's \\Noselect Dovecot knows nothing."""
        free = set()
        if b"CHILDREN" not in command:
            free |= {b"\\haschildren", b"\\hasnochildren"}
        if b"SPECIAL-USE" not in command:
            free.add(b"\\sent")
        nothing = {b"\\noselect", b"\\nonexistent"}
        if word == "LSUB":
            free |= nothing
        return [(name, attributes - free)
                for name, attributes in oracle.listing(data, word)
                if b"*" not in command or not nothing & attributes]

    def excused(self, k, what, ours):
        """Part 1 of what has no parts is the same again for Dovecot; for us
        there is no such part (RFC 3501 6.4.5).  BINARY of a message or a
        multipart has its parts decoded there; here it is as it stands, since
        nothing but its parts can be encoded (RFC 2045 6.4)."""
        m = re.search(r"fetch (BODY|BINARY).*\[([\d.]*\d)", what)
        if not m:
            return False
        c = self.sides[0].control
        c.send(b"EXAMINE " + self.boxes[k])
        c.learn()
        _, _, data = c.send(b"UID FETCH %d (BODY)" % ours[0])
        c.send(b"UNSELECT")
        parts = dict(structure.numbers(data["FETCH"][ours[0]]["BODY"]))
        part = parts.get(m[2])
        return not part or (m[1] == "BINARY" and (
            isinstance(part[0], list) or part[0] == b"message"))

    def gone(self, k):
        return set(self.before) - set(self.sides[0].look(self.boxes[k]))

    def pictures(self, k, command):
        """Both clients see the same; if not at once (RFC 3501 5.2: a server
        may tell later), then after NOOP."""
        for again in (False, True):
            for s in self.sides:
                c = s.sessions[k]
                if again:
                    c.send(b"NOOP")
                elif b"SILENT" in command:
                    for x in c.messages:
                        x[1] = None
                c.learn()
            ours, theirs = (s.sessions[k].messages for s in self.sides)
            if ours == theirs:
                return
        self.wrong(k, command, "picture", *(
            [x for x in mine if x not in other]
            for mine, other in ((ours, theirs), (theirs, ours))))

    # -- steps

    def begin(self):
        for s in self.sides:
            for b in imapscript.BOXES[1:]:
                s.control.send(b"CREATE " + b)
            s.control.send(b"ENABLE CONDSTORE")
        for _ in range(3):
            self.both(0, self.script.append(None, b"INBOX"))
        for k in range(self.n):
            # Who has not enabled it is told by Dovecot that a message was
            # MODIFIED which nobody has touched.
            self.both(k, b"ENABLE " + (b"QRESYNC" if self.qresync[k]
                                       else b"CONDSTORE"))
            self.select(k, b"SELECT INBOX")

    def select(self, k, command):
        self.boxes[k] = None
        answers = self.both(k, command)
        m = re.match(rb"(SELECT|EXAMINE) (\S+)", command)
        if answers[0][0] == "OK":
            self.boxes[k], self.read_only[k] = m[2], m[1] == b"EXAMINE"
        point = re.search(rb"@M(\w+)@", command)
        if point and answers[0][0] == "OK":
            self.resynced(k, command, point[1], answers)
        if self.boxes[k]:
            self.pictures(k, command)

    def resynced(self, k, command, point, answers):
        """RFC 7162 3.2.5: what the client knew then, and what it is told now,
        is all there is (of the UIDs that it asked for)."""
        asked = re.search(rb" 1:(\d+)", command)
        for s, (_, _, data) in zip(self.sides, answers):
            picture = dict(s.known[point])
            for uid in data.get("EARLIER", ()):
                picture.pop(uid, None)
            for uid, items in data.get("FETCH", {}).items():
                picture[uid] = oracle.flags(items)
            truth = s.look(self.boxes[k])
            if asked:
                picture, truth = ({u: f for u, f in x.items()
                                   if u <= int(asked[1])}
                                  for x in (picture, truth))
            if picture != truth:
                self.wrong(k, command, f"resync with {s.name}", picture, truth)

    def step(self):
        r, script = self.r, self.script
        k = r.randrange(self.n)
        if self.idle is not None and (k == self.idle or r.random() < .3):
            self.awake()
            return
        what = r.choices(list(imapscript.WEIGHTS),
                         imapscript.WEIGHTS.values())[0]
        if what == "point":
            self.point()
        elif what == "select" or (self.boxes[k] is None and r.random() < .5):
            script.qresync = self.qresync[k]
            self.select(k, script.select(None))
        elif what in ("unselect", "close"):
            # Dovecot's CLOSE leaves what it has not told to be \Deleted.
            self.both(k, b"NOOP")
            self.boxes[k] = None
            self.both(k, what.upper().encode())
        elif what == "idle" and self.n > 1 and self.idle is None:
            self.idle = k
            for s in self.sides:
                s.sessions[k].idle()
        elif what in ("noop", "idle"):
            self.both(k, b"NOOP")
        elif self.boxes[k] or what in ("append", "folder"):
            self.command(k, what)

    def command(self, k, what):
        script = self.script
        script.box, script.qresync = self.boxes[k], self.qresync[k]
        script.busy = {b for b in self.boxes if b}
        if what in LOOKING or (self.n > 1 and self.r.random() < .8):
            # Dovecot looks for what the session was told, we for what is.
            self.both(k, b"NOOP")
        uids = self.known(k)
        if what in ("fetch", "store", "copy") and not uids:
            return
        command = getattr(script, what)(uids)
        if self.boxes[k] and self.read_only[k] and (
                what in ("store", "expunge") or b"MOVE" in command[:8]):
            # RFC 3501 6.3.2: no changes.  Dovecot says OK and makes none.
            status, _, _ = self.sides[0].sessions[k].send(
                self.sides[0].filled(command))
            assert status == "NO", command
            return
        if what == "folder" and command.startswith(b"SUBSCRIBE"):
            # RFC 3501 6.3.6: MAY check that it exists.
            for s in self.sides:
                s.control.send(b"CREATE " + command.split(None, 1)[1])
        self.both(k, command)

    def point(self):
        script = self.script
        box = self.r.choice((b"INBOX", b"INBOX",
                             self.r.choice(imapscript.BOXES)))
        name = b"%d" % len(script.points)
        ours, theirs = (s.point(name, box) for s in self.sides)
        assert ours == theirs, (self.seed, box, ours, theirs)
        if ours:
            script.points.append((name, box))

    def awake(self):
        k, self.idle = self.idle, None
        self.before = self.known(k)
        answers = [s.sessions[k].done() for s in self.sides]
        self.judge(k, b"IDLE", answers)

    def end(self):
        """Who comes now sees what those who were there believe."""
        if self.idle is not None:
            self.awake()
        for k, box in enumerate(self.boxes):
            self.both(k, b"NOOP")
            for s in self.sides:
                c = s.sessions[k]
                if box and {u: f for u, f in c.messages} != s.look(box):
                    self.wrong(k, b"", f"the end of {s.name}", c.messages,
                               s.look(box))


LETTERS = {"\\draft": "D", "\\flagged": "F", "\\answered": "R",
           "\\seen": "S", "\\deleted": "T"}


def check_files(root, side):
    """A file a message; its flags but for keywords stand in its name, and its
    text is what FETCH says."""
    want = collections.Counter()
    c = side.control
    c.send(b"SELECT INBOX")
    _, _, data = c.send(b"UID FETCH 1:* (FLAGS BODY.PEEK[])")
    for items in data.get("FETCH", {}).values():
        letters = "".join(sorted(LETTERS[f] for f in oracle.flags(items)
                                 if f in LETTERS))
        want[letters, (items["BODY[]"] or b"").replace(b"\r\n", b"\n")] += 1

    def there():
        got = collections.Counter()
        for d in ("cur", "new"):
            for f in (root / "Maildir" / d).iterdir():
                letters = f.name.partition(":2,")[2]
                letters = "".join(x for x in letters if x.isupper())
                try:
                    text = f.read_bytes().replace(b"\r\n", b"\n")
                except FileNotFoundError:
                    return False    # it has another name by now
                got[letters, text] += 1
        return got == want
    ph.wait_for(there, "the file names to follow", 120)


def walk(seed, directory, dovecot):
    directory.mkdir()
    n = random.Random(seed).randint(1, 3)
    server = imapserve.Serve(directory)
    ours = oracle.Side("ours", server.port, "u", "p", n)
    theirs = oracle.Side("theirs", dovecot.imap_port, seed.replace(".", "-"),
                         dovecot.password, n)
    w = Walk(seed, ours, theirs)
    try:
        w.begin()
        for _ in range(STEPS):
            w.step()
        w.end()
        check_files(directory, ours)
    except Excused as why:
        print(f"seed {seed}: {why}")
    finally:
        ours.close()
        theirs.close()
        server.stop()


@pytest.mark.timeout(SECONDS + 900)
def test_sessions(dovecot, tmp_path):
    print(f"POSTHOUSE_SEED={SEED}")
    end = time.monotonic() + SECONDS
    k = 0
    while k < SESSIONS or time.monotonic() < end:
        walk(f"{SEED}.{k}", tmp_path / f"{k}", dovecot)
        k += 1


# -- hostile mail: what FETCH says of it holds together, and is Dovecot's word

class Mails(oddmail.Maker):
    """With encodings that are wrong."""

    BODIES = ("begin 644 a\n#86)C\n`\nend\n", "YWJj ZGVm\n!!Z2hp==extra\n",
              "YWJj", "YW", "=", "=3", "a" * 1500 + "\n",
              "=3d=3D =\n=\n=20 \nabc \t\n=C3=BC=XYq\n")
    ENCODINGS = ("x-uuencode", "uuencode", "BASE64", "Quoted-Printable",
                 "binary")

    def leaf(self):
        if self.r.random() > .15:
            return super().leaf()
        charset = self.r.choice(("utf-8", "iso-8859-1", "x-none", "us-ascii"))
        return ([f"Content-Type: text/plain; charset={charset}",
                 f"Content-Transfer-Encoding: {self.r.choice(self.ENCODINGS)}"],
                self.r.choice(self.BODIES))


def test_torn_mail(tmp_path):
    print(f"POSTHOUSE_SEED={SEED}")
    rng = random.Random(SEED)
    both = structure.Both(tmp_path / "both", [
        (f"{SEED}.{k}", Mails(f"{SEED}.{k}", k % 3 == 0, torn=k % 3 == 1,
                              types=[]).message()) for k in range(300)])
    try:
        ours, theirs = both.fetch(f"FETCH 1:* {structure.ITEMS}")
        for n, name in enumerate(both.names, 1):
            trees = [structure.comparable(x[n])["BODYSTRUCTURE"]
                     for x in (ours, theirs)]
            parts = list(structure.numbers(ours[n]["BODY"]))
            if trees[0] == trees[1]:
                check_sections(both, n, name, ours[n]["BODY"])
            for part, tree in parts[:6]:
                check_binary(both.us, n, f"{name} {part}", part, tree, rng)
    finally:
        both.stop()


def check_sections(both, n, name, body):
    what = " ".join(structure.sections(body))
    ours, theirs = ({k.upper(): v for k, v in x[n].items()}
                    for x in both.fetch(f"FETCH {n} ({what})"))
    for k in set(ours) | set(theirs):
        assert structure.same_section(k, ours.get(k), theirs.get(k)), (
            name, k, ours.get(k), theirs.get(k))


def check_binary(c, n, name, part, tree, rng):
    """BINARY.SIZE is its length; a piece is a piece of it; and what is not
    encoded is what BODY says, but for NUL."""
    if not c.command(f"FETCH {n} (BINARY.PEEK[{part}] BINARY.SIZE[{part}] "
                     f"BODY.PEEK[{part}])").startswith("OK"):
        return
    got = c.fetches()[n]
    data = got[f"BINARY[{part}]"] or b""
    assert int(got[f"BINARY.SIZE[{part}]"]) == len(data), name
    if isinstance(tree[0], list) or tree[5].lower() in (b"7bit", b"8bit",
                                                        b"binary"):
        text = got[f"BODY[{part}]"] or b""
        assert data.replace(b"\0", b"\x80") == text, name
    at, size = rng.randrange(60), rng.randrange(1, 90)
    for item in ("BINARY", "BODY"):
        (piece,) = [v for k, v in c.fetch(
            f"FETCH {n} ({item}.PEEK[{part}]<{at}.{size}>)")[n].items()
            if k.startswith(item)]
        whole = got[f"{item}[{part}]"] or b""
        assert (piece or b"") == whole[at:at + size], name


# -- what was found this way

@pytest.fixture
def serve(tmp_path):
    running = []

    def begin(*messages):
        imapwire.make_maildir(tmp_path / "Maildir", messages)
        running.append(imapwire.Serve(tmp_path))
        return running[0].connect()
    yield begin
    for s in running:
        s.stop()


@pytest.mark.dev
def test_text_in_lines_that_are_no_fields(serve):
    """They are in the header (RFC 3501 6.4.4), where BODY[HEADER] shows
    them; also the last one, and those of a message in a message."""
    odd = b"odd first line\nSubject: x\nodd second line\n goes on\n" \
          b"na(me: third\nFrom: a@b\nodd last line\n"
    c = serve(odd + b"\nbody\n", odd,
              b"Content-Type: message/rfc822\n\n" + odd + b"\nbody\n")
    for text in ("first", "Subject: x", "line goes on", "third", "a@b",
                 "last"):
        c.ok(f'SEARCH TEXT "{text}"')
        assert c.untagged == [[b"* SEARCH 1 2 3\r\n"]], text
    c.ok('SEARCH BODY "first"')
    assert c.untagged == [[b"* SEARCH 3\r\n"]]
