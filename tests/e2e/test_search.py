# SPDX-License-Identifier: ISC
"""SEARCH against brute force by Python, and against Dovecot on the same
letters."""

import datetime
import os
import random
import re
import time

import pytest

import imapwire
import posthouse as ph
import search_corpus as sc

LETTERS = 300
FLAGS = ("Answered", "Deleted", "Draft", "Flagged", "Seen")
KEYWORDS = ("$Forwarded", "work", "Later")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def corpus(seed, n=LETTERS, odd=True):
    rng = random.Random(seed)
    rng.odd = odd
    return [sc.letter_bytes(rng, rng.choice(list(sc.WORDS)))
            for _ in range(n)]


def spread(rng, path):
    """Internal dates; of each letter, in order."""
    times = []
    for f in sorted((path / "cur").iterdir()):
        t = 1600000000 + rng.randrange(0, 86400 * 20)
        os.utime(f, (t, t))
        times.append(t)
    return times


def quoted(text):
    raw = text.encode()
    if raw.isascii() and not set(text) & set('"\\'):
        return b'"%s"' % raw
    return b"{%d+}\r\n%s" % (len(raw), raw)


def numbers(client):
    """What "* SEARCH" says."""
    for pieces in client.untagged:
        line = b"".join(pieces)
        if line.startswith(b"* SEARCH"):
            return [int(x) for x in line.split()[2:] if x.isdigit()]
    raise AssertionError(client.untagged)


def search(client, program, uid=False):
    client.ok((b"UID " if uid else b"") + b"SEARCH " + program)
    return numbers(client)


class Box:
    """The same letters as the server has them, and as Python reads them."""

    def __init__(self, rng, client, letters, times):
        self.client = client
        self.messages = [sc.Message(x) for x in letters]
        for m, t in zip(self.messages, times):
            m.arrival = t
        self._flags(rng)

    def _flags(self, rng):
        for number, items in self.client.fetch("FETCH 1:* (UID)").items():
            m = self.messages[number - 1]
            m.number, m.uid, m.modseq = number, int(items["UID"]), 0
        self.client.ok("ENABLE CONDSTORE")
        n = len(self.messages)
        for flag in FLAGS + KEYWORDS:
            some = sorted(rng.sample(range(1, n + 1), n // 4))
            name = flag if flag in KEYWORDS else "\\" + flag
            found = self.client.fetch(
                f"STORE {','.join(map(str, some))} +FLAGS ({name})")
            assert sorted(found) == some
            for number, items in found.items():
                m = self.messages[number - 1]
                m.flags.add(flag)
                m.modseq = int(items["MODSEQ"][0])

    def matching(self, test):
        return [m.number for m in self.messages if test(m)]


def day_number(t):
    return datetime.date(*t).toordinal()


def date_text(ordinal):
    d = datetime.date.fromordinal(ordinal)
    return f"{d.day}-{MONTHS[d.month - 1]}-{d.year}"


class Programs:
    """Random search programs: the text, and a function that says the same."""

    def __init__(self, rng, box):
        self.rng, self.box = rng, box

    def word(self):
        """A piece of some word, in whatever case."""
        rng = self.rng
        if rng.random() < 0.1:
            return "nowhere to be found"
        w = rng.choice(sc.WORDS[rng.choice(list(sc.WORDS))])
        a = rng.randrange(len(w))
        w = w[a:rng.randrange(a, len(w)) + 1]
        return rng.choice((w, w.upper(), w.lower()))

    def leaf(self):
        rng, word = self.rng, self.word()
        self.last = word
        kind = rng.randrange(12)
        if kind == 0:
            f = rng.choice(FLAGS)
            return f.upper().encode(), lambda m: f in m.flags
        if kind == 1:
            f = rng.choice(FLAGS)
            return b"UN" + f.upper().encode(), lambda m: f not in m.flags
        if kind == 2:
            f, un = rng.choice(KEYWORDS + ("unknown",)), rng.random() < 0.5
            return (b"UN" * un + b"KEYWORD " + f.lower().encode(),
                    lambda m: (f in m.flags) != un)
        if kind == 3:
            size = rng.choice(self.box.messages).size
            if rng.random() < 0.5:
                return b"LARGER %d" % size, lambda m: m.size > size
            return b"SMALLER %d" % size, lambda m: m.size < size
        if kind == 4:
            return self.arrival()
        if kind == 5:
            return self.sent()
        if kind == 6:
            lo, hi = sorted(rng.randrange(1, LETTERS + 20) for _ in "ab")
            return (b"%d:%d,%d" % (hi, lo, lo // 2 + 1),
                    lambda m: lo <= m.number <= hi or
                    m.number == lo // 2 + 1)
        if kind == 7:
            lo = rng.choice(self.box.messages).uid
            last = self.box.messages[-1].uid
            return b"UID %d:*" % lo, lambda m: m.uid >= min(lo, last)
        if kind == 8:
            mod = rng.choice([m.modseq for m in self.box.messages
                              if m.modseq])
            return b"MODSEQ %d" % mod, lambda m: m.modseq >= mod
        if kind == 9:
            name = rng.choice(("From", "To", "Cc", "Bcc", "Subject"))
            return (name.upper().encode() + b" " + quoted(word),
                    lambda m: m.header(name, word))
        if kind == 10:
            name = rng.choice(("X-Note", "subject", "Date", "Message-ID",
                               "X-None", "To"))
            word = rng.choice((word, "", "test", "2020"))
            return (b"HEADER %s " % name.encode() + quoted(word),
                    lambda m: m.header(name, word))
        if rng.random() < 0.5:
            return b"BODY " + quoted(word), lambda m: m.in_body(word)
        return b"TEXT " + quoted(word), lambda m: m.in_text(word)

    def arrival(self):
        day = rng_day = self.rng.choice(self.box.messages).arrival // 86400
        text = date_text(719163 + rng_day).encode()
        kind = self.rng.randrange(5)
        if kind == 0:
            return b"BEFORE " + text, lambda m: m.arrival // 86400 < day
        if kind == 1:
            return b"ON " + text, lambda m: m.arrival // 86400 == day
        if kind == 2:
            return b"SINCE " + text, lambda m: m.arrival // 86400 >= day
        # Not where a second more or less would count.
        t = sorted(m.arrival for m in self.box.messages)
        i = self.rng.randrange(len(t) - 1)
        while t[i + 1] - t[i] < 60:
            i = (i + 1) % (len(t) - 1)
        age = int(time.time()) - (t[i] + t[i + 1]) // 2
        if kind == 3:
            return b"OLDER %d" % age, lambda m: m.arrival <= t[i]
        return b"YOUNGER %d" % age, lambda m: m.arrival > t[i]

    def sent(self):
        day = day_number(self.rng.choice(
            [m for m in self.box.messages if m.day]).day)
        text = date_text(day).encode()
        kind = self.rng.randrange(3)
        if kind == 0:
            return (b"SENTBEFORE " + text,
                    lambda m: m.day and day_number(m.day) < day)
        if kind == 1:
            return (b"SENTON " + text,
                    lambda m: m.day and day_number(m.day) == day)
        return (b'SENTSINCE "%s"' % text,
                lambda m: m.day and day_number(m.day) >= day)

    def key(self, depth=0):
        kind = self.rng.randrange(8) if depth < 4 else 7
        if kind == 0:
            text, test = self.key(depth + 1)
            return b"NOT " + text, lambda m: not test(m)
        if kind == 1:
            a, b = self.key(depth + 1), self.key(depth + 1)
            return (b"OR %s %s" % (a[0], b[0]),
                    lambda m: a[1](m) or b[1](m))
        if kind == 2:
            text, test = self.program(depth + 1)
            return b"(" + text + b")", test
        return self.leaf()

    def program(self, depth=0):
        keys = [self.key(depth) for _ in range(self.rng.choice((1, 1, 2, 3)))]
        return (b" ".join(k[0] for k in keys),
                lambda m: all(k[1](m) for k in keys))


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(letters):
        path = imapwire.make_maildir(tmp_path / "Maildir", letters)
        s = imapwire.Serve(tmp_path)
        running.append(s)
        return s, path
    yield start
    for s in running:
        s.stop()


def check(box, programs, n):
    for _ in range(n):
        text, test = programs.program()
        assert search(box.client, text) == box.matching(test), text


# -- RFC 3501, 9051 6.4.4

@pytest.mark.dev
@pytest.mark.parametrize("seed, fetched", [(1, False), (2, True)])
def test_brute_force(serve, tmp_path, seed, fetched):
    """Each key alone and nested, on a first look and with all that is then
    known, from SEARCH itself or from a FETCH before it."""
    rng = random.Random(seed)
    letters = corpus(seed)
    s, path = serve(letters)
    times = spread(rng, path)
    box = Box(rng, s.connect(), letters, times)
    if fetched:
        box.client.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
        ph.wait_for((path / "posthouse.cache").exists, "what is kept")
    programs = Programs(rng, box)
    check(box, programs, 300)


def test_every_word(serve):
    """Each word of each charset, whole, and folded by hand."""
    letters = corpus(3)
    s, _ = serve(letters)
    box = Box(random.Random(3), s.connect(), letters, [0] * LETTERS)
    for words in sc.WORDS.values():
        for w in words:
            for text in (w, w.upper(), sc.fold(w)):
                for key, test in ((b"SUBJECT", lambda m: m.header(
                        "Subject", text)), (b"BODY", lambda m: m.in_body(
                            text)), (b"TEXT", lambda m: m.in_text(text))):
                    assert search(box.client, key + b" " + quoted(text)) == \
                        box.matching(test), (key, text)


# -- beside Dovecot

def test_as_dovecot_has_it(serve, tmp_path):
    """Where the answers differ, RFC 9051 6.4.4 says why:

    BODY is what follows the header, so headers inside it count; Dovecot leaves
    all headers out.
    SENTBEFORE asks for the Date field: a letter without one has none that is
    earlier; Dovecot takes 1970.

    Not in these letters: words cut inside a character, which Dovecot does not
    join, and ligatures ("ﬁ" is "FI" by RFC 5051 2, which repeats its mapping;
    Dovecot has "fi", which matches nothing).
    """
    seed = 5
    letters = corpus(seed, odd=False)
    s, path = serve(letters)
    times = spread(random.Random(seed), path)
    theirs = imapwire.make_maildir(tmp_path / "theirs" / "Maildir", letters)
    spread(random.Random(seed), theirs)
    box = Box(random.Random(seed), s.connect(), letters, times)
    d = imapwire.Dovecot(tmp_path / "dovecot", theirs)
    try:
        Box(random.Random(seed), d.client, letters, times)
        programs = Programs(random.Random(seed), box)
        seen = set()
        for _ in range(600):
            text, test = programs.leaf()
            if text.startswith(b"MODSEQ"):
                continue
            ours, found = search(box.client, text), search(d.client, text)
            assert ours == box.matching(test), text
            for number in set(ours) ^ set(found):
                m = box.messages[number - 1]
                why = text.split()[0]
                seen.add(why)
                if why == b"BODY":
                    assert number in ours, text
                    assert any(sc.fold(programs.last) in x
                               for x in m.inner), text
                else:
                    assert why == b"SENTBEFORE" and not m.day, text
        assert seen == {b"BODY", b"SENTBEFORE"}
    finally:
        d.stop()


# -- RFC 4731 (ESEARCH), 5182 (SEARCHRES), 7162 (MODSEQ)

PLAIN = [b"Subject: letter %d\nFrom: a%d@x\n\nbody %d\n" % (n, n % 3, n)
         for n in range(1, 11)]


def esearch(client, program):
    """{"TAG": ..., "UID": True, "MIN": 2...}"""
    client.ok(program)
    lines = [b"".join(x) for x in client.untagged
             if x[0].startswith(b"* ESEARCH")]
    assert not any(x[0].startswith(b"* SEARCH") for x in client.untagged)
    if not lines:
        return None
    (line,) = lines
    m = re.match(rb'\* ESEARCH \(TAG "t(\d+)"\)( UID)?((?: \w+ \S+)*)\r\n$',
                 line)
    assert m and int(m[1]) == client.count, line
    words = m[3].decode().split()
    out = dict(zip(words[::2], words[1::2]))
    if m[2]:
        out["UID"] = True
    return out


@pytest.fixture
def plain(serve):
    s, _ = serve(PLAIN)
    return s, s.connect()


@pytest.mark.dev
def test_return_options(plain):
    _, c = plain
    c.ok("STORE 2,4:5,9 +FLAGS.SILENT (\\Flagged)")
    rows = (("RETURN ()", {"ALL": "2,4:5,9"}),
            ("RETURN (ALL)", {"ALL": "2,4:5,9"}),
            ("RETURN (COUNT)", {"COUNT": "4"}),
            ("RETURN (MIN MAX)", {"MIN": "2", "MAX": "9"}),
            ("RETURN (max count)", {"MAX": "9", "COUNT": "4"}),
            ("RETURN (MIN ALL COUNT MAX)",
             {"MIN": "2", "MAX": "9", "COUNT": "4", "ALL": "2,4:5,9"}))
    for opts, want in rows:
        assert esearch(c, f"SEARCH {opts} FLAGGED") == want
        assert esearch(c, f"SEARCH {opts} CHARSET UTF-8 FLAGGED") == want
        assert esearch(c, f"UID SEARCH {opts} FLAGGED") == {
            **want, "UID": True}
    # nothing found: only COUNT is said (3.1)
    assert esearch(c, "SEARCH RETURN (MIN MAX ALL) DRAFT") == {}
    assert esearch(c, "UID SEARCH RETURN (MIN COUNT) DRAFT") == {
        "UID": True, "COUNT": "0"}
    for bad in ("RETURN", "RETURN ALL FLAGGED", "RETURN (ALL",
                "RETURN (FIRST) FLAGGED", "RETURN (ALL)", "RETURN(ALL) ALL"):
        assert c.command(f"SEARCH {bad}").startswith("BAD"), bad


def saved(c):
    """What "$" is now, as message numbers."""
    return search(c, b"$")


@pytest.mark.dev
def test_saved_result(plain):
    s, c = plain
    assert saved(c) == []
    c.ok("STORE 2,4:5,9 +FLAGS.SILENT (\\Flagged)")
    assert esearch(c, "SEARCH RETURN (SAVE) FLAGGED") is None
    assert saved(c) == [2, 4, 5, 9]
    assert search(c, b"UID $ NOT 4:5") == [2, 9]
    assert search(c, b"NOT $") == [1, 3, 6, 7, 8, 10]
    assert search(c, b"OR $ 1") == [1, 2, 4, 5, 9]
    assert search(c, b"$", uid=True) == [2, 4, 5, 9]
    assert [*c.fetch("FETCH $ (UID)")] == [2, 4, 5, 9]
    # 2.4: what is saved with MIN and MAX
    for opts, want in (("SAVE MIN", [2]), ("MAX SAVE", [9]),
                       ("SAVE MIN MAX", [2, 9]),
                       ("SAVE MIN COUNT", [2, 4, 5, 9]),
                       ("SAVE MAX ALL", [2, 4, 5, 9]),
                       ("SAVE COUNT", [2, 4, 5, 9])):
        c.ok("SEARCH RETURN (SAVE) DRAFT")
        assert saved(c) == []
        assert "COUNT" not in opts or esearch(
            c, f"UID SEARCH RETURN ({opts}) FLAGGED")["COUNT"] == "4"
        c.ok(f"SEARCH RETURN ({opts}) FLAGGED")
        assert saved(c) == want, opts
    # MIN and MAX of one message, and of none
    c.ok("SEARCH RETURN (SAVE MIN MAX) 7")
    assert saved(c) == [7]
    c.ok("SEARCH RETURN (SAVE MAX) DRAFT")
    assert saved(c) == []
    # of itself
    c.ok("SEARCH RETURN (SAVE) FLAGGED")
    c.ok("SEARCH RETURN (SAVE) $ NOT 9")
    assert saved(c) == [2, 4, 5]
    # a search that does not save leaves it alone, BAD too, NO empties it
    c.ok("SEARCH RETURN (ALL) 1")
    assert c.command("SEARCH RETURN (SAVE) NONSENSE").startswith("BAD")
    assert saved(c) == [2, 4, 5]
    assert c.command("SEARCH RETURN (SAVE) CHARSET x-none TEXT a").startswith(
        "NO [BADCHARSET (")
    assert saved(c) == []
    # expunged messages leave it, numbers move
    c.ok("SEARCH RETURN (SAVE) FLAGGED")
    other = s.connect()
    other.ok("STORE 1,4 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    c.ok("NOOP")
    assert saved(c) == [1, 3, 7]
    assert search(c, b"$", uid=True) == [2, 5, 9]
    # only in this session, and only in this mailbox
    assert saved(other) == []
    c.ok("SELECT INBOX")
    assert saved(c) == []


def test_saved_result_pipelined(plain):
    """2.3: the next command may use it before the client knows it."""
    _, c = plain
    c.write.write(b"a SEARCH RETURN (SAVE) 3:4\r\nb SEARCH $\r\n"
                  b"d SEARCH RETURN (SAVE) $ 4\r\ne UID SEARCH $\r\n")
    c.write.flush()
    got = [c.read.readline() for _ in range(6)]
    assert [x for x in got if x.startswith(b"*")] == [
        b"* SEARCH 3 4\r\n", b"* SEARCH 4\r\n"]


def test_modseq(plain):
    """RFC 7162 3.1.5, 3.1.10"""
    s, c = plain
    c.ok("ENABLE CONDSTORE")
    mods = {}
    for n, flag in ((3, "\\Seen"), (7, "\\Seen"), (5, "\\Flagged")):
        found = c.fetch(f"STORE {n} +FLAGS ({flag})")
        mods[n] = int(found[n]["MODSEQ"][0])
    c = s.connect()
    assert mods[3] < mods[7] < mods[5]
    c.ok(f"SEARCH MODSEQ {mods[3]}")
    assert b"".join(c.untagged[-1]) == \
        b"* SEARCH 3 5 7 (MODSEQ %d)\r\n" % mods[5]
    c.ok(f'SEARCH MODSEQ "/flags/\\\\Seen" all {mods[7]} SEEN')
    assert b"".join(c.untagged[-1]) == \
        b"* SEARCH 7 (MODSEQ %d)\r\n" % mods[7]
    c.ok(f"SEARCH MODSEQ {mods[5] + 1}")
    assert c.untagged[-1] == [b"* SEARCH\r\n"]
    for opts, most in (("MIN", 3), ("MAX", 7), ("MIN MAX", 7), ("COUNT", 5),
                       ("MIN COUNT", 5), ("ALL MAX", 5)):
        found = esearch(c, f"SEARCH RETURN ({opts}) MODSEQ {mods[3]}")
        assert int(found["MODSEQ"]) == mods[most], opts
    c.ok(f"SORT (REVERSE ARRIVAL) UTF-8 MODSEQ {mods[7]}")
    assert b"".join(c.untagged[-1]).endswith(b"(MODSEQ %d)\r\n" % mods[5])
    # it has enabled CONDSTORE (3.1): others' changes come with one
    other = s.connect()
    other.ok("STORE 1 +FLAGS (\\Draft)")
    c.ok("NOOP")
    assert b"MODSEQ (" in b"".join(c.untagged[-1])


def test_revision_2(plain):
    """RFC 9051 6.4.4: SEARCH is answered by ESEARCH."""
    _, c = plain
    c.ok("ENABLE IMAP4rev2")
    assert esearch(c, "SEARCH 2:3,5") == {"ALL": "2:3,5"}
    assert esearch(c, "UID SEARCH DRAFT") == {"UID": True}


def test_utf8_accept(plain):
    """RFC 6855 3: no CHARSET any more."""
    _, c = plain
    c.ok("ENABLE UTF8=ACCEPT")
    assert c.command("SEARCH CHARSET UTF-8 TEXT a").startswith("BAD")
    assert search(c, "SUBJECT \"letter 1\"".encode()) == [1, 10]
    assert search(c, "TEXT \"ü\"".encode()) == []


@pytest.mark.dev
def test_charsets(serve):
    """RFC 3501 6.4.4 CHARSET"""
    letters = ["Subject: Grüße\n\nПривет\n".encode(),
               b"Subject: other\n\n\xe4\xf6\xfc in no charset\n",
               b"Subject: tab\n\tfold \xfcml\nFrom: =?utf-8?q?a=FF?= <x@y>\n"
               b"Content-Type: text/plain; charset=unknown-8bit\n\n\xc3\xbc\n"]
    s, _ = serve(letters)
    c = s.connect()

    def find(charset, key, raw):
        return search(c, b"CHARSET %s %s {%d+}\r\n%s" % (
            charset, key, len(raw), raw))
    assert find(b"iso-8859-1", b"SUBJECT", "GRÜSS".encode("latin-1")) == []
    assert find(b"iso-8859-1", b"SUBJECT", "GRÜßE".encode("latin-1")) == [1]
    assert find(b"KOI8-R", b"BODY", "привет".encode("koi8-r")) == [1]
    assert find(b'"utf-8"', b"BODY", "ПРИВЕТ".encode()) == [1]
    assert find(b"iso-2022-jp", b"TEXT", "日本".encode("iso-2022-jp")) == []
    # what is no UTF-8 is windows-1252
    assert find(b"UTF-8", b"BODY", "äÖü".encode()) == [2]
    assert find(b"UTF-8", b"BODY", "ü".encode()) == [2, 3]
    # a fold is a blank
    assert search(c, b'SUBJECT "tab fold"') == [3]
    assert search(c, b'TEXT "tab fold"') == [3]
    for name in (b"x-unknown", b"UTF-8,swaplfnl", b'""', b"a/b"):
        assert c.command(b"SEARCH CHARSET %s TEXT a" % name).startswith(
            "NO [BADCHARSET (US-ASCII UTF-8)]"), name
    assert c.command(b"SEARCH TEXT {1+}\r\n\xff").startswith("BAD")


def test_keys_that_are_wrong(plain):
    _, c = plain
    for bad in ("", " ", "NOT", "OR ALL", "ALL ", "()", "(ALL", "ALL)",
                "KEYWORD", "KEYWORD \\Seen", "LARGER x",
                "LARGER 9223372036854775808",
                "SINCE 1-Foo-2000", "ON 31-Feb-2000", "OLDER 0", "YOUNGER -1",
                "HEADER a", "UID", "UID 0", "0", "1:", "MODSEQ x",
                "MODSEQ \"/flags/\\\\Seen\" 1", "FUZZY ALL", "ALL RETURN"):
        assert c.command(f"SEARCH {bad}").startswith("BAD"), bad
    assert search(c, b"5:1000") == [5, 6, 7, 8, 9, 10]
    assert search(c, b"1000") == []
    assert search(c, b"UID 1000:*") == [10]


# -- limits

@pytest.mark.dev
def test_deep_and_wide(plain):
    """1,000 keys in each other, 1,000 texts at once; more is refused."""
    _, c = plain
    assert search(c, b"NOT " * 998 + b"3") == [3]
    assert search(c, b"OR 1 " * 499 + b"3") == [1, 3]
    assert search(c, b"(" * 400 + b"3" + b")" * 400) == [3]
    assert search(c, b" ".join([b"NOT TEXT zz%d" % n
                                for n in range(499)])) == [*range(1, 11)]
    for much in (b"NOT " * 1000 + b"3", b"OR 1 " * 500 + b"3",
                 b"(" * 1000 + b"3"):
        assert c.command(b"SEARCH " + much).startswith("BAD")
    big = b"x" * 5000
    assert c.command(b"SEARCH TEXT {%d+}\r\n%s" % (
        len(big), big)).startswith("BAD")


def test_records_damaged(serve):
    """What is kept of headers may vanish, shrink and change at any time: the
    answers stay."""
    letters = corpus(9, 60)
    s, path = serve(letters)
    messages = [sc.Message(x) for x in letters]
    want = {w: [n for n, m in enumerate(messages, 1) if m.header("To", w) or
                m.header("Subject", w)] for w in ("alpha", "ü", "ann")}
    c = s.connect()
    rng = random.Random(9)
    kept = path / "posthouse.keys"

    def check_all():
        for client in (c, s.connect()):
            for w, numbers_of_w in want.items():
                q = quoted(w)
                assert search(client, b"OR TO %s SUBJECT %s" % (q, q)) == \
                    numbers_of_w
    check_all()
    for _ in range(20):
        data = bytearray(kept.read_bytes()) if kept.exists() else b""
        kind = rng.randrange(4) if data else 3
        if kind == 0:
            os.truncate(kept, rng.randrange(len(data)))
        elif kind == 1:
            for _ in range(30):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            kept.write_bytes(data)
        elif kind == 2:
            kept.unlink()
        check_all()
