# SPDX-License-Identifier: ISC
"""Random IMAP commands that are valid (RFC 3501 and the extensions that we and
Dovecot share), for test_imap_oracle.py."""

import random
import re

import oddmail
import search_corpus as sc
import test_sort

BOXES = [b"INBOX", b"a", b"a.b", b"a.b.c", b"d", b"&AOQ-x"]
FOLDERS = BOXES[1:] + [b"e", b"a.x", b"d.y", b"Sent", b"x.y.z", b"INBOX.k",
                       b"INBOX.k.l", b'"sp ace"', b'"q\\"t"', b'"st*r"',
                       b'"p%r"', b"&-", b"x&-y"]
FLAGS = [b"\\Seen", b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Draft",
         b"$Forwarded", b"work", b"Later"]
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
ITEMS = [b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE",
         b"BODYSTRUCTURE", b"BODY"]
SECTIONS = [b"", b"HEADER", b"TEXT", b"1", b"1.MIME", b"2", b"1.1", b"2.MIME",
            b"2.HEADER", b"2.TEXT", b"1.2", b"2.1.MIME", b"3", b"1.HEADER",
            b"HEADER.FIELDS (From Subject)", b"HEADER.FIELDS (X-Note DATE)",
            b"HEADER.FIELDS.NOT (From Subject To)", b"HEADER.FIELDS.NOT (X)",
            b"2.HEADER.FIELDS (Subject)", b"1.HEADER.FIELDS.NOT (To)",
            b'HEADER.FIELDS ("from" {2+}\r\nTO)', b"HEADER.FIELDS (X-None)"]
PATTERNS = [b"*", b"%", b"a.%", b"a*", b"%.%", b"*b*", b"inbox", b"INBOX",
            b"a", b"d", b"%.b", b"a.%.c", b"i%", b"INBOX.%", b"INBOX*", b"*k",
            b"%k", b'"st**"', b'"*"', b"%.%.%", b"*.%", b"%%", b"**"]
SORT_KEYS = [b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO",
             b"DISPLAYFROM", b"DISPLAYTO"]
WEIGHTS = {"fetch": 14, "store": 18, "search": 12, "sort": 5, "thread": 4,
           "copy": 8, "expunge": 4, "append": 8, "folder": 8, "select": 4,
           "noop": 8, "point": 6, "idle": 3, "unselect": 1, "close": 1}


def mail(rng):
    """A message with CRLF and a Date: Dovecot takes a letter without one for
    one of 1970 (test_search.py)."""
    kind = rng.randrange(4)
    if kind == 0:
        rng.odd = False
        m = sc.letter_bytes(rng, rng.choice(list(sc.WORDS)))
    elif kind == 1:
        m = oddmail.Maker(str(rng.random()), True).message()
    elif kind == 2:
        m = test_sort.thread_corpus(rng.random(), 30)[rng.randrange(30)]
    else:
        m = b"Subject: m%d\nFrom: a@b.c\n\nbody %d\n" % (
            rng.randrange(99), rng.randrange(9))
    if not re.match(rb"(?:.+\n)*Date:", m):
        m = b"Date: %d Jan 2020 10:00:00 +0000\n" % rng.randrange(1, 29) + m
    return re.sub(rb"\r?\n", b"\r\n", m)


class Script:
    """box: what the session has selected.  points: [(name, box)] of states
    that servers have a mod-sequence for, written @M<name>@; with @V<name>@,
    their UIDVALIDITY (imaporacle.Side.filled)."""

    def __init__(self, rng):
        self.r = rng
        self.points = []
        self.box, self.qresync, self.busy = None, False, set()

    def odds(self, p):
        return self.r.random() < p

    def some(self, pool, least=1, most=4):
        return self.r.sample(pool, min(len(pool), self.r.randint(least, most)))

    def flags(self):
        return b" ".join(self.some(FLAGS, 0 if self.odds(.1) else 1, 3))

    def ranges(self, one):
        return b",".join(one() + b":" + one() if self.odds(.4) else one()
                         for _ in range(self.r.choice((1, 1, 2, 3))))

    def set(self, uids, by_uid, saved=True):
        r = self.r
        top = max(uids, default=0) + 3

        def seq():
            return b"*" if self.odds(.1) else b"%d" % r.randint(1, len(uids))

        def uid():
            if self.odds(.1):
                return b"*"
            return b"%d" % (r.choice(uids) if uids and self.odds(.8)
                            else r.randint(1, top))
        if saved and self.odds(.1):
            return b"$"
        return self.ranges(uid if by_uid else seq)

    def date(self):
        return b"%d-%s-%d" % (self.r.randint(1, 28), self.r.choice(MONTHS),
                              self.r.randint(2019, 2023))

    def point(self):
        """A state of the box, or None."""
        mine = [name for name, box in self.points if box == self.box]
        return self.r.choice(mine) if mine else None

    def word(self):
        """Something to look for, as an astring."""
        r = self.r
        if self.odds(.3):
            return r.choice((b"plans", b"lunch", b"body", b"m", b"apfel",
                             b"a@b"))
        w = r.choice(sc.WORDS["us-ascii"])
        at = r.randrange(len(w))
        w = w[at:r.randrange(at, len(w)) + 1]
        w = r.choice((w, w.upper())).encode()
        return b'"%s"' % w if self.odds(.8) else b"{%d+}\r\n%s" % (len(w), w)

    # -- SEARCH

    def key(self, uids, depth=0):
        """Not BODY, which means something else to Dovecot (test_search.py),
        and MODSEQ not within NOT and OR, where Dovecot loses it."""
        r = self.r
        k = r.randrange(24 if depth < 3 else 20)
        if k < 4:
            return r.choice((b"", b"UN")) + r.choice(
                (b"ANSWERED", b"DELETED", b"DRAFT", b"FLAGGED", b"SEEN"))
        if k < 6:
            return r.choice((b"KEYWORD ", b"UNKEYWORD ")) + r.choice(
                (b"$Forwarded", b"WORK", b"Later", b"never"))
        if k < 8:
            return r.choice((b"BEFORE ", b"ON ", b"SINCE ", b"SENTON ",
                             b"SENTSINCE ", b"SENTBEFORE ")) + self.date()
        if k < 10:
            return r.choice((b"LARGER %d", b"SMALLER %d")) % r.choice(
                (r.randrange(3000), 0, 1 << 31))
        if k < 13:
            return r.choice((b"FROM ", b"TO ", b"CC ", b"BCC ", b"SUBJECT ",
                             b"TEXT ")) + self.word()
        if k == 13:
            return b"HEADER %s %s" % (
                r.choice((b"X-Note", b"Message-ID", b"MIME-Version",
                          b"Subject", b"To", b"Date")),
                r.choice((self.word(), b'""')))
        if k == 14:
            return b"UID " + self.set(uids, True)
        if k == 15 and uids:
            return self.set(uids, False)
        if k == 16:
            return r.choice((b"OLDER %d", b"YOUNGER %d")) % r.choice(
                (1, 86400 * 365, 86400 * 4, 1000000000))
        if k == 17 and depth == 0 and self.point():
            return b"MODSEQ @M%s+1@" % self.point()
        if k == 18:
            return b"$"
        if k == 20:
            return b"NOT " + self.key(uids, depth + 1)
        if k == 21:
            return b"OR %s %s" % (self.key(uids, depth + 1),
                                  self.key(uids, depth + 1))
        if k >= 22:
            return b"(" + b" ".join(self.key(uids, depth + 1)
                                    for _ in range(r.randint(1, 3))) + b")"
        return b"ALL"

    def keys(self, uids):
        out = b" ".join(self.key(uids)
                        for _ in range(self.r.choice((1, 1, 2, 3))))
        return out if self.odds(.9) or b"@" in out else out.lower()

    def returns(self, *more):
        if self.odds(.4):
            return b""
        return b"RETURN (%s) " % b" ".join(self.some(
            [b"MIN", b"MAX", b"ALL", b"COUNT", *more], 0, 4))

    def uid(self):
        return b"UID " if self.odds(.5) else b""

    def search(self, uids):
        return self.uid() + b"SEARCH " + self.returns(b"SAVE") + \
            self.keys(uids)

    def sort(self, uids):
        keys = b" ".join(self.r.choice((b"", b"REVERSE ")) + k
                         for k in self.some(SORT_KEYS, 1, 3))
        return self.uid() + b"SORT %s(%s) UTF-8 %s" % (
            self.returns(), keys, self.keys(uids))

    def thread(self, uids):
        return self.uid() + b"THREAD %s UTF-8 %s" % (self.r.choice(
            (b"REFERENCES", b"ORDEREDSUBJECT")), self.keys(uids))

    # -- messages

    def item(self):
        r = self.r
        x = r.random()
        if x < .1:
            return r.choice((b"BINARY.PEEK[%s]", b"BINARY.SIZE[%s]")) % \
                r.choice((b"1", b"2", b"1.1", b"1.2"))
        if x < .2:
            return r.choice((b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT"))
        partial = b"<%d.%d>" % (r.choice((0, 1, 10, 500)),
                                r.choice((1, 10, 5000)))
        return r.choice((b"BODY.PEEK[%s]%s", b"BODY.PEEK[%s]%s",
                         b"BODY[%s]%s")) % (
            r.choice(SECTIONS), partial if self.odds(.4) else b"")

    def fetch(self, uids):
        """Not FETCH $ (VANISHED), of which Dovecot dies."""
        uid, more = self.uid(), b""
        items = self.some(ITEMS) + [self.item()
                                    for _ in range(self.r.randrange(3))]
        if self.odds(.25) and self.point():
            more = b" (CHANGEDSINCE @M%s@%s)" % (
                self.point(), b" VANISHED" if uid and self.qresync and
                self.odds(.5) else b"")
        what = self.r.choice((b"FAST", b"ALL", b"FULL")) if self.odds(.1) \
            else b"(%s)" % b" ".join(items)
        return uid + b"FETCH %s %s%s" % (
            self.set(uids, uid, b"VANISHED" not in more), what, more)

    def store(self, uids):
        r, uid, more = self.r, self.uid(), b""
        if self.odds(.3) and self.point():
            more = b"(UNCHANGEDSINCE @M%s@) " % self.point()
        flags = b"(%s)" % self.flags() if self.odds(.9) else \
            b" ".join(self.some(FLAGS, 1, 2))
        return uid + b"STORE %s %s%sFLAGS%s %s" % (
            self.set(uids, uid), more, r.choice((b"", b"+", b"-")),
            r.choice((b"", b".SILENT")), flags)

    def copy(self, uids):
        """Not MOVE to where they are, which Dovecot does not do, and nothing
        beside "*" in a set: if the two overlap, Dovecot takes messages for
        gone, or dies."""
        uid = self.uid()
        to = self.r.choice(BOXES + [self.box])
        verb = b"MOVE" if self.odds(.5) and to != self.box else b"COPY"
        which = self.set(uids, uid)
        if b"*" in which:
            which = next(x for x in which.split(b",") if b"*" in x)
        return uid + b"%s %s %s" % (verb, which, to)

    def expunge(self, uids):
        return b"EXPUNGE" if self.odds(.5) else \
            b"UID EXPUNGE " + self.set(uids, True)

    def append(self, _, box=None):
        r = self.r
        out = b"APPEND " + (box or r.choice(BOXES + [b"INBOX"] * 3))
        for _ in range(r.choice((1, 1, 1, 2, 3))):
            m = mail(r)
            if self.odds(.6):
                out += b" (%s)" % self.flags()
            out += b' "%2d-%s-%d %02d:%02d:%02d %s" {%d+}\r\n%s' % (
                r.randint(1, 28), r.choice(MONTHS), r.randint(2019, 2023),
                r.randrange(24), r.randrange(60), r.randrange(60),
                r.choice((b"+0000", b"-0830", b"+1400")), len(m), m)
        return out

    # -- mailboxes

    def folder(self, _):
        """One that is selected somewhere keeps its name."""
        r = self.r
        free = [b for b in FOLDERS if b not in self.busy]
        k = r.randrange(14)
        if k < 2:
            return b"CREATE " + r.choice(FOLDERS)
        if k == 2:
            return b"DELETE " + r.choice(free)
        if k == 3:
            old = r.choice(free)
            if not any(b.startswith(old + b".") for b in self.busy):
                return b"RENAME %s %s" % (old, r.choice(FOLDERS))
        if k < 6:
            return r.choice((b"SUBSCRIBE ", b"UNSUBSCRIBE ")) + \
                r.choice(FOLDERS)
        if k < 8:
            return b"STATUS %s (%s)" % (
                r.choice(BOXES + [b"inbox", b'"INBOX"', b"{5+}\r\ninBox"]),
                b" ".join(self.some([b"MESSAGES", b"UIDNEXT", b"UNSEEN",
                                     b"SIZE"], 1, 4)))
        return self.list(k)

    def list(self, k):
        r = self.r
        pattern = r.choice(PATTERNS)
        ref = r.choice((b'""', b'""', b'""', b"a.", b"INBOX.", b"a.b."))
        if k < 10:
            return b"%s %s %s" % (r.choice((b"LSUB", b"LIST")), ref, pattern)
        options = r.choice((b"", b"SUBSCRIBED", b"SUBSCRIBED RECURSIVEMATCH",
                            b"REMOTE"))
        if self.odds(.3):
            pattern = b"(%s %s)" % (pattern,
                                    r.choice((b"a.%", b"d", b"INBOX")))
        return b"LIST (%s) %s %s RETURN (%s)" % (
            options, ref, pattern, b" ".join(self.some(
                [b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE",
                 b"STATUS (MESSAGES UNSEEN UIDNEXT)"], 0, 3)))

    def select(self, _):
        r, more = self.r, b""
        box = r.choice((b"INBOX", b"INBOX", r.choice(BOXES)))
        mine = [name for name, b in self.points if b == box]
        if self.odds(.2):
            more = b" (CONDSTORE)"
        if self.qresync and mine and self.odds(.6):
            p = r.choice(mine)
            more = b" (QRESYNC (@V%s@ @M%s@%s))" % (p, p, r.choice(
                (b"", b"", b" 1:%d" % r.randint(1, 20))))
        return r.choice((b"SELECT ", b"SELECT ", b"EXAMINE ")) + box + more
