# SPDX-License-Identifier: ISC
"""The same IMAP sessions on two servers, and what must be the same.

A Side is one server with a client's picture of each connection: what a client
knows that believes untagged responses and nothing else.  Both sides are told
the same; UIDVALIDITY and mod-sequences, which each server chooses itself, are
written as @V<point>@ and @M<point>@, by the state of a mailbox that they name,
and filled in for each."""

import re
import socket

import imapwire
import test_structure as structure


def numbers(text):
    """A sequence set without "*"."""
    out = []
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        lo, hi = int(lo), int(hi or lo)
        out += range(min(lo, hi), max(lo, hi) + 1)
    return out


def flags(items):
    """Without \\Recent, which each session has for itself."""
    return frozenset(f.lower() for f in items["FLAGS"]
                     if f.lower() != "\\recent")


class Session:
    """A connection and its picture."""

    def __init__(self, port, user, password):
        self.sock = socket.create_connection(("127.0.0.1", port), 300)
        self.client = imapwire.Client(self.sock.makefile("rb"),
                                      self.sock.makefile("wb"))
        self.client.ok(f"LOGIN {user} {password}")
        self.messages = []      # [uid or None, flags or None]
        self.trace = []
        self.wrong = []         # what did not fit the picture

    def close(self):
        self.sock.close()

    def send(self, text):
        """Status, response codes, data by kind."""
        selecting = text.upper().startswith((b"SELECT", b"EXAMINE"))
        if selecting or text.upper() in (b"CLOSE", b"UNSELECT"):
            self.messages = []
        self.trace.append(b"C: " + text)
        tagged = self.client.command(text)
        return self.answer(tagged)

    def answer(self, tagged):
        data = {}
        for pieces in self.client.untagged:
            self.trace.append(b"".join(pieces))
            self.hear(pieces, data)
        self.trace.append(tagged.encode())
        status = tagged.split()[0]
        code = re.match(r"\w+ \[([^\]]*)\]", tagged)
        return status, code[1] if code else "", data

    def idle(self):
        self.client.count += 1
        self.idle_tag = b"t%d " % self.client.count
        self.trace.append(b"C: IDLE")
        self.client.write.write(self.idle_tag + b"IDLE\r\n")
        self.client.write.flush()
        self.client.untagged = []
        while not (a := self.client._answer())[0].startswith(b"+"):
            self.client.untagged.append(a)

    def done(self):
        c = self.client
        c.write.write(b"DONE\r\n")
        c.write.flush()
        while not (a := c._answer())[0].startswith(self.idle_tag):
            c.untagged.append(a)
        return self.answer(a[0][len(self.idle_tag):].decode().rstrip())

    # -- the picture

    def must(self, ok, what):
        if not ok:
            self.wrong.append(what)

    def hear(self, pieces, data):
        line = b"".join(pieces)
        m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH|RECENT)", line)
        words = line[2:].split(None, 1)
        kind = words[0].upper().decode()
        if m and m[2] == b"EXISTS":
            n = int(m[1])
            self.must(n >= len(self.messages), f"{n} EXISTS: too few")
            while len(self.messages) < n:
                self.messages.append([None, None])
        elif m and m[2] == b"EXPUNGE":
            self.must(1 <= int(m[1]) <= len(self.messages), line)
            del self.messages[int(m[1]) - 1:int(m[1])]
        elif m and m[2] == b"FETCH":
            self.fetched(int(m[1]), pieces, m.end(), data)
        elif line.startswith(b"* VANISHED (EARLIER) "):
            uids = numbers(line.split()[3].decode())
            data.setdefault("EARLIER", set()).update(uids)
            self.must(not [x for x in self.messages if x[0] in uids], line)
        elif line.startswith(b"* VANISHED "):
            gone = set(numbers(line.split()[2].decode()))
            known = {x[0] for x in self.messages}
            self.must(gone <= known, line)
            self.messages = [x for x in self.messages if x[0] not in gone]
        elif kind in ("SEARCH", "SORT", "THREAD", "ESEARCH", "LIST", "LSUB",
                      "STATUS", "FLAGS", "ENABLED"):
            data.setdefault(kind, []).append(line[2:].rstrip(b"\r\n"))
        elif kind in ("OK", "NO", "BAD"):
            c = re.match(rb"\* \w+ \[([^\]]*)\]", line)
            if c:
                word, _, rest = c[1].decode().partition(" ")
                data.setdefault("codes", {})[word] = rest
                if word == "CLOSED":
                    self.messages = []

    def fetched(self, n, pieces, at, data):
        self.must(1 <= n <= len(self.messages),
                  f"{n} FETCH of {len(self.messages)}")
        if n > len(self.messages):
            return
        t = imapwire.Tokens(pieces)
        t.at = at + 1
        v = t.value()
        items = dict(zip((k.upper() for k in v[::2]), v[1::2]))
        x = self.messages[n - 1]
        if "UID" in items:
            uid = int(items["UID"])
            self.must(x[0] in (None, uid), f"{n} was {x[0]}, is {uid}")
            x[0] = uid
        if "FLAGS" in items:
            x[1] = flags(items)
        # Of a number whose UID is not known yet the caller asks later.
        data.setdefault("FETCH", {}).setdefault(x[0], {}).update(items)

    def learn(self):
        """Ask what is not known of the messages."""
        what = [i + 1 for i, x in enumerate(self.messages)
                if x[0] is None or x[1] is None]
        if what:
            self.send(b"FETCH %s (UID FLAGS)" %
                      ",".join(map(str, what)).encode())


class Side:
    def __init__(self, name, port, user, password, sessions):
        self.name = name
        self.login = port, user, password
        self.sessions = [Session(*self.login) for _ in range(sessions)]
        self.control = Session(*self.login)
        self.values = {}        # {b"V<point>", b"M<point>": its own}
        self.known = {}         # {point: what a client knew then}

    def close(self):
        for s in [*self.sessions, self.control]:
            s.close()

    def filled(self, text):
        return re.sub(rb"@([VM]\w+?)([-+]1)?@", lambda m: b"%d" % (
            self.values[m[1]] + int(m[2] or 0)), text)

    def look(self, box, session=None):
        """{UID: flags} as who opens it now is told; {} without it."""
        c = session or self.control
        c.send(b"EXAMINE " + box)
        c.learn()
        out = {uid: flags for uid, flags in c.messages}
        c.send(b"UNSELECT")
        return out

    def point(self, name, box):
        """Remember a state; its (MESSAGES, UIDNEXT), None without the box."""
        _, _, data = self.control.send(
            b"STATUS %s (UIDVALIDITY UIDNEXT MESSAGES HIGHESTMODSEQ)" % box)
        if "STATUS" not in data:
            return None
        items = dict(statuses(data)[0][1])
        self.values[b"M" + name] = int(items[b"HIGHESTMODSEQ"])
        self.values[b"V" + name] = int(items[b"UIDVALIDITY"])
        self.known[name] = self.look(box)
        return items[b"MESSAGES"], items[b"UIDNEXT"]


# -- answers, in words that may be compared

def found(data, word):
    """SEARCH, SORT: numbers; in order, for SORT."""
    out = []
    for line in data.get(word, ()):
        line = re.sub(rb"\(MODSEQ \d+\)", b"", line)
        out += [int(x) for x in line.split()[1:]]
    return sorted(out) if word == "SEARCH" else out


def esearch(data):
    """Without mod-sequences; nothing where nothing is said."""
    out = {}
    for line in data.get("ESEARCH", ()):
        words = re.sub(rb'^ESEARCH \(TAG "\w+"\) ?', b"", line).split()
        if words[:1] == [b"UID"]:
            words = words[1:]
        for k, v in zip(words[::2], words[1::2]):
            if k != b"MODSEQ":
                out[k] = numbers(v.decode()) if k == b"ALL" else int(v)
    return out


def listing(data, word):
    """[(name, attributes)]; CHILDINFO is with the name."""
    out = []
    for line in data.get(word, ()):
        line = line.replace(b'"CHILDINFO"', b"CHILDINFO")
        m = re.match(rb'\w+ \(([^)]*)\) (?:"."|NIL) ("(?:[^"\\]|\\.)*"|\S+)'
                     rb"(.*)$", line)
        out.append((m[2].strip(b'"') + m[3], frozenset(
            m[1].lower().split()) - {b"\\marked", b"\\unmarked"}))
    return sorted(out, key=lambda x: x[0])


def statuses(data):
    out = []
    for line in data.get("STATUS", ()):
        m = re.match(rb'STATUS ("(?:[^"\\]|\\.)*"|\S+) \((.*)\)', line)
        v = m[2].split()
        name = m[1].strip(b'"')
        out.append((b"INBOX" if name.upper() == b"INBOX" else name,
                    sorted(zip(v[::2], v[1::2]))))
    return sorted(out)


def body(tree):
    return structure.comparable({
        "ENVELOPE": [None] * 10, "BODY": tree, "BODYSTRUCTURE": tree,
        "RFC822.SIZE": 0})["BODY"]


def fetched(data):
    """{UID: what was asked for}; flags are in the picture.  Texts in the words
    of test_structure.py; a part that is not there may be NIL or empty."""
    out = {}
    for uid, items in data.get("FETCH", {}).items():
        x = {}
        for k, v in items.items():
            k = k.replace('"', "")
            if k == "ENVELOPE":
                v = structure.squeezed(v)
            elif k in ("BODY", "BODYSTRUCTURE"):
                v = body(v)
            elif "[" in k and v is None:
                v = b""
            if "HEADER" in k or "MIME" in k:
                v = v.rstrip(b"\r\n")
            if k not in ("FLAGS", "MODSEQ", "UID"):
                x[k] = v
        if x:
            out[uid] = x
    return out


def code(text):
    """What of a response code must be the same."""
    word, _, rest = text.partition(" ")
    if word in ("COPYUID", "APPENDUID"):
        return word, [numbers(x) for x in rest.split()[1:]]
    if word == "MODIFIED":
        return word, numbers(rest)
    return word if word in ("READ-ONLY", "READ-WRITE") else None
