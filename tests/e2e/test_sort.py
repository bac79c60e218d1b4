# SPDX-License-Identifier: ISC
"""SORT and THREAD against Dovecot, and THREAD against RFC 5256 written down
as it stands."""

import itertools
import random
import re

import pytest

import imapwire
import search_corpus as sc
from test_search import esearch

MESSAGES = 250
SUBJECTS = ("plans", "Lunch", "[list] plans", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
            "grüße", "", "lunch  at\tnoon", "Zebra", "äpfel", "Apfel")
PREFIXES = ("", "", "Re: ", "RE: ", "Fwd: ", "[list] ", "Re: [list] Re: ",
            "[fwd: ", "re[2]: ", "AW: ")


def subject(rng):
    p, s = rng.choice(PREFIXES), rng.choice(SUBJECTS)
    if p == "[fwd: ":
        return f"{p}{s}]"
    return p + s + rng.choice(("", "", " (fwd)"))


def address(rng):
    local = rng.choice(("ann", "Bob", "carl", "ANN", "zoe"))
    name = rng.choice(("", "Ann Smith", "bob", '"Carl, C"', "Zoë",
                       "=?iso-8859-1?q?=C4nn?=", '"Ännchen"'))
    plain = f"{local}@{rng.choice(('a.example', 'B.example'))}"
    return f"{name} <{plain}>" if name else plain


def thread_corpus(seed, n=MESSAGES):
    """Letters that refer to each other: truly, falsely, in loops, to letters
    that are missing, with dates and ids that are missing or the same."""
    rng = random.Random(seed)
    ids = [f"<{i}@x.example>" for i in range(n)]
    out = []
    for i in range(n):
        lines = [f"From: {address(rng)}", f"Subject: {subject(rng)}",
                 f"X-Number: {i}"]
        if rng.random() < 0.9:
            lines.append("To: " + ", ".join(
                address(rng) for _ in range(rng.randrange(1, 3))))
        if rng.random() < 0.4:
            lines.append(f"Cc: {address(rng)}")
        own = ids[i]
        if rng.random() < 0.03:
            own = rng.choice(ids)
        if rng.random() < 0.95:
            lines.append(f"Message-ID: {own}")
        if rng.random() < 0.6:
            near = ids[max(0, i - 20):i + 3] + ["<gone@x.example>"]
            refs = [rng.choice(near) for _ in range(rng.randrange(1, 5))]
            if rng.random() < 0.1:
                refs.insert(0, "nonsense <bad>")
            lines.append("References: " + rng.choice((" ", "\n ", "")).join(
                refs))
        elif rng.random() < 0.4:
            lines.append("In-Reply-To: " + rng.choice(
                (rng.choice(ids), f"{rng.choice(ids)} of yesterday",
                 "your letter")))
        if rng.random() < 0.95:
            lines.append("Date: %d Jan 2020 %02d:%02d:00 %s" % (
                rng.randrange(1, 29), rng.randrange(24), rng.randrange(60),
                rng.choice(sc.ZONES[:4])))
        out.append(("\n".join(lines) + "\n\n" + "x" * rng.randrange(
            500) + "\n").encode())
    return out


def set_times(path, seed):
    import os
    rng = random.Random(seed)
    for f in sorted((path / "cur").iterdir()):
        t = 1577836800 + rng.randrange(28 * 86400)
        os.utime(f, (t, t))


# -- answers

def sorted_numbers(client, program):
    client.ok("SORT " + program)
    line = b"".join(b"".join(x) for x in client.untagged
                    if x[0].startswith(b"* SORT"))
    return [int(x) for x in line.split()[2:]]


def tree(text):
    """"(1 2 (3)(4))": lists of [number or None, children]."""
    tokens = re.findall(r"[()]|\d+", text)
    at = 0

    def thread():
        nonlocal at
        at += 1  # "("
        top = node = [None, []]
        first = True
        while tokens[at] != ")":
            if tokens[at] == "(":
                node[1].append(thread())
            else:
                new = [int(tokens[at]), []]
                at += 1
                if first:
                    top = node = new
                else:
                    node[1].append(new)
                    node = new
            first = False
        at += 1
        return top
    out = []
    while at < len(tokens):
        out.append(thread())
    return out


def threads(client, how, program="UTF-8 ALL"):
    client.ok(f"THREAD {how} {program}")
    line = b"".join(b"".join(x) for x in client.untagged
                    if x[0].startswith(b"* THREAD"))
    return tree(line.decode()[len("* THREAD"):])


# -- RFC 5256, as it stands

class Node:
    def __init__(self, message=None):
        self.message = message
        self.parent, self.children = None, []

    def ancestors(self):
        n = self
        while n:
            yield n
            n = n.parent

    def adopt(self, child):
        child.unlink()
        child.parent = self
        self.children.append(child)

    def unlink(self):
        if self.parent:
            self.parent.children.remove(self)
            self.parent = None

    def first(self):
        return self.message or self.children[0].message

    def place(self):
        return self.first().sent, self.first().number


def link(parent, child):
    if child not in parent.ancestors():
        parent.adopt(child)


def base_subject(s):
    """2.1"""
    s = re.sub(r"[\t\r\n ]+", " ", s)
    reply = False
    blob = r"\[[^\[\]]*\] ?"
    while True:
        while m := re.search(r"(\(fwd\)| )\Z", s, re.I):
            reply |= m[1] != " "
            s = s[:m.start()]
        while True:
            if m := re.match(r" ", s):
                s = s[1:]
            elif m := re.match(rf"(?:{blob})*(?:re|fwd?) ?(?:{blob})?:", s,
                               re.I):
                s, reply = s[m.end():], True
            elif (m := re.match(blob, s)) and m.end() < len(s):
                s = s[m.end():]
            else:
                break
        m = re.match(r"\[fwd:(.*)\]\Z", s, re.I)
        if not m:
            return sc.fold(s), reply
        s, reply = m[1], True


class Letter:
    def __init__(self, number, data, arrival):
        m = sc.Message(data)
        h = {k.lower(): v for k, v in reversed(m.headers)}
        self.number = number
        self.sent = m.sent if m.day else arrival
        self.base, self.reply = base_subject(h.get("subject", ""))
        valid = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")
        self.id = (valid.findall(h.get("message-id", "")) or [None])[0]
        self.refs = valid.findall(h.get("references", "")) or \
            valid.findall(h.get("in-reply-to", ""))[:1]


def references(letters):
    table, nodes = {}, []
    for x in letters:  # (1)
        me = table.get(x.id) if x.id else None
        if me is None or me.message:
            me = Node()
            if x.id and x.id not in table:
                table[x.id] = me
            nodes.append(me)
        me.message = x
        above = None
        for ref in x.refs:
            if ref not in table:
                table[ref] = Node()
                nodes.append(table[ref])
            node = table[ref]
            if above and not node.parent:
                link(above, node)
            above = node
        me.unlink()
        if above:
            link(above, me)
    root = Node()  # (2)
    for n in nodes:
        if not n.parent:
            root.adopt(n)

    def prune(n):  # (3)
        for c in list(n.children):
            prune(c)
            if c.message or (n is root and len(c.children) > 1):
                continue
            for g in list(c.children):
                n.adopt(g)
            c.unlink()
    prune(root)
    for c in root.children:  # (4)
        if not c.message:
            c.children.sort(key=Node.place)
    root.children.sort(key=Node.place)
    subjects = {}  # (5)
    for c in root.children:
        base = c.first().base
        old = subjects.get(base)
        if base and (not old or (old.message and (
                not c.message or (old.message.reply and
                                  not c.message.reply)))):
            subjects[base] = c
    for c in list(root.children):
        lead = subjects.get(c.first().base)
        if not c.first().base or lead is c or c.parent is not root:
            continue
        if not lead.message and not c.message:
            for g in list(c.children):
                lead.adopt(g)
            c.unlink()
        elif not lead.message or (c.message.reply and
                                  not lead.message.reply):
            lead.adopt(c)
        else:
            both = Node()
            root.adopt(both)
            both.adopt(lead)
            both.adopt(c)
            subjects[c.first().base] = both
    return finish(root)


def finish(root):  # (6)
    def order(n):
        for c in n.children:
            order(c)
        n.children.sort(key=Node.place)
    order(root)

    def plain(n):
        return [n.message.number if n.message else None,
                [plain(c) for c in n.children]]
    return [plain(c) for c in root.children]


def ordered_subject(letters):
    root = Node()
    letters = sorted(letters, key=lambda x: (x.base.encode(), x.sent,
                                             x.number))
    for _, group in itertools.groupby(letters, key=lambda x: x.base):
        first, *others = [Node(x) for x in group]
        root.adopt(first)
        for x in others:
            first.adopt(x)
    return finish(root)


# -- the tests

@pytest.fixture
def serve(tmp_path):
    running = []

    def start(letters, seed):
        path = imapwire.make_maildir(tmp_path / "Maildir", letters)
        set_times(path, seed)
        running.append(imapwire.Serve(tmp_path))
        return running[0].connect(), path
    yield start
    for s in running:
        s.stop()


def read(path, letters):
    files = sorted((path / "cur").iterdir())
    return [Letter(n, data, int(f.stat().st_mtime))
            for n, (data, f) in enumerate(zip(letters, files), 1)]


@pytest.mark.dev
@pytest.mark.parametrize("seed", range(6))
def test_threads_by_the_rfc(serve, seed):
    letters = thread_corpus(seed)
    c, path = serve(letters, seed)
    ours = read(path, letters)
    assert threads(c, "REFERENCES") == references(ours)
    assert threads(c, "ORDEREDSUBJECT") == ordered_subject(ours)
    some = [x for x in ours if 20 <= x.number <= 120]
    assert threads(c, "REFERENCES", "US-ASCII 20:120") == references(some)


CRITERIA = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO",
            "DISPLAYFROM", "DISPLAYTO")


def sort_programs():
    rng = random.Random(1)
    for c in CRITERIA:
        yield f"({c})"
        yield f"(REVERSE {c})"
    for _ in range(20):
        yield "(" + " ".join(rng.choice(("", "REVERSE ")) + rng.choice(
            CRITERIA) for _ in range(rng.randrange(2, 4))) + ")"


def expand(text):
    """The numbers of a set, in its order."""
    out = []
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        out += range(int(lo), int(hi or lo) + 1)
    return out


def esort(client, command):
    found = esearch(client, command)
    if found and "ALL" in found:
        found["ALL"] = expand(found["ALL"])
    return found


@pytest.mark.dev
def test_esort(serve):
    """RFC 5267 3.1: MIN and MAX are the first and the last in the order."""
    # by size: 3, 4, 5, 1, 2
    c, _ = serve([b"Subject: x\n\n" + b"x" * n for n in (50, 60, 10, 20, 30)],
                 1)
    order = {"ALL": [3, 4, 5, 1, 2]}
    assert esearch(c, "SORT RETURN () (SIZE) UTF-8 ALL") == {"ALL": "3:5,1:2"}
    ends = {"MIN": "3", "MAX": "2"}
    count = {"COUNT": "5"}
    for opts, want in (("", order), ("ALL", order), ("MIN MAX", ends),
                       ("COUNT", count), ("max", {"MAX": "2"}),
                       ("COUNT ALL MIN MAX", {**ends, **count, **order})):
        assert esort(c, f"SORT RETURN ({opts}) (SIZE) UTF-8 ALL") == want
        assert esort(c, f"UID SORT RETURN ({opts}) (SIZE) UTF-8 ALL") == \
            {**want, "UID": True}
    assert esort(c, "SORT RETURN (MIN COUNT ALL) (SIZE) UTF-8 DRAFT") == \
        {"COUNT": "0"}
    # RFC 5182: a set has no order
    for opts, want in (("SAVE", "1:5"), ("SAVE ALL", "1:5"), ("SAVE MIN", "3"),
                       ("SAVE MAX", "2"), ("SAVE MIN MAX", "2:3"),
                       ("SAVE COUNT MIN", "1:5")):
        got = esort(c, f"SORT RETURN ({opts}) (SIZE) UTF-8 ALL")
        assert (got is None) == (opts == "SAVE")
        assert esearch(c, "SEARCH RETURN (ALL) $") == {"ALL": want}, opts
    c.ok("SORT RETURN (SAVE MIN) (SIZE) UTF-8 DRAFT")
    assert esearch(c, "SEARCH RETURN (ALL) $") == {}
    # RFC 7162 3.1.10: the mod-sequence of what is said
    c.ok("STORE 4 +FLAGS (\\Flagged)")
    c.ok("STORE 2 +FLAGS (\\Flagged)")
    mods = {n: int(esearch(c, f"SEARCH RETURN (MIN) {n} MODSEQ 1")["MODSEQ"])
            for n in (3, 4, 2)}
    assert mods[3] < mods[4] < mods[2]
    for opts, n in (("MIN", 3), ("MAX", 2), ("MIN MAX", 2), ("ALL", 2)):
        got = esort(c, f"SORT RETURN ({opts}) (SIZE) UTF-8 MODSEQ 1")
        assert int(got["MODSEQ"]) == mods[n], opts
    for bad in ("RETURN (SIZE) UTF-8 ALL", "RETURN (FIRST) (SIZE) UTF-8 ALL",
                "RETURN () UTF-8 ALL", "RETURN (ALL)(SIZE) UTF-8 ALL"):
        assert c.command(f"SORT {bad}").startswith("BAD"), bad
    assert c.command("THREAD RETURN (ALL) REFERENCES UTF-8 ALL").startswith(
        "BAD")
    # and without RETURN as before
    assert sorted_numbers(c, "(SIZE) UTF-8 ALL") == order["ALL"]


@pytest.mark.parametrize("seed", [11, 12])
def test_as_dovecot_has_it(serve, tmp_path, seed):
    letters = thread_corpus(seed)
    c, path = serve(letters, seed)
    (tmp_path / "theirs").mkdir()
    theirs = imapwire.make_maildir(tmp_path / "theirs" / "Maildir", letters)
    set_times(theirs, seed)
    d = imapwire.Dovecot(tmp_path / "dovecot", theirs)
    try:
        for how in ("REFERENCES", "ORDEREDSUBJECT"):
            got = threads(c, how)
            assert got == threads(d.client, how)
            assert len(got) > 5
        assert None in [t[0] for t in threads(c, "REFERENCES")]
        for p in sort_programs():
            assert sorted_numbers(c, f"{p} UTF-8 ALL") == \
                sorted_numbers(d.client, f"{p} UTF-8 ALL"), p
            assert sorted_numbers(c, f"{p} US-ASCII 5:30 NOT 7") == \
                sorted_numbers(d.client, f"{p} US-ASCII 5:30 NOT 7"), p
            program = f"SORT RETURN (MIN MAX COUNT ALL) {p} UTF-8 5:90"
            assert esort(c, program) == esort(d.client, program), p
    finally:
        d.stop()
