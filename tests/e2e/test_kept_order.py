# SPDX-License-Identifier: ISC
"""SORT again and again: an order that was kept says what one found anew would
say, whatever came and went between."""

import random

import pytest

import imapwire

WORDS = ("plans", "lunch", "zebra", "apple", "lunch at noon", "an apple")
BY = {
    "SUBJECT": lambda m: m["subject"].upper(),
    "DATE": lambda m: m["date"],
    "SIZE": lambda m: m["size"],
}


class Box:
    """What is in the mailbox, by UID."""

    def __init__(self):
        self.uidnext, self.messages = 1, {}

    def append(self, client, rng):
        m = {"subject": rng.choice(WORDS), "date": rng.randrange(1, 29),
             "seen": rng.random() < 0.5}
        data = (f"Date: {m['date']} Jan 2020 00:00:00 +0000\r\n"
                f"Subject: {'Re: ' * rng.randrange(2)}{m['subject']}\r\n\r\n"
                f"{'x' * rng.randrange(30)}\r\n").encode()
        m["size"] = len(data)
        said = client.ok(b"APPEND box (%s) {%d+}\r\n%s" % (
            b"\\Seen" if m["seen"] else b"", len(data), data))
        assert f" {self.uidnext}]" in said
        self.messages[self.uidnext] = m
        self.uidnext += 1

    def expunge(self, client, uid):
        client.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        client.ok(f"UID EXPUNGE {uid}")
        del self.messages[uid]


class View:
    """A session, and the UIDs that it has been told of and not taken back."""

    def __init__(self, client):
        self.client, self.known = client, []

    def select(self, box):
        self.client.ok("SELECT box")
        self.known = sorted(box.messages)

    def check(self, box, rng, program):
        """A SORT, of what this session knows."""
        keys = [(rng.choice(("", "REVERSE ")), by) for by in rng.sample(
            sorted(BY), 2)] if program is None else program
        unseen, uid = rng.random() < 0.3, rng.random() < 0.5
        want = [u for u in self.known if u in box.messages and
                not (unseen and box.messages[u]["seen"])]
        for reverse, by in reversed(keys):  # what is equal stays as it came
            want.sort(key=lambda u, f=BY[by]: f(box.messages[u]),
                      reverse=bool(reverse))
        if not uid:
            want = [self.known.index(u) + 1 for u in want]
        command = "{}SORT ({}) UTF-8 {}".format(
            "UID " * uid, " ".join(r + by for r, by in keys),
            "UNSEEN" if unseen else "ALL")
        self.client.ok(command)
        [line] = [x[0] for x in self.client.untagged
                  if x[0].startswith(b"* SORT")]
        assert [int(n) for n in line.split()[2:]] == want, command
        # RFC 3501 7.4.1: no EXPUNGE yet, unless behind UID
        new = [u for u in sorted(box.messages) if u not in self.known]
        self.known = sorted(box.messages) if uid else self.known + new


@pytest.fixture
def serve(tmp_path):
    imapwire.make_maildir(tmp_path / "Maildir", [])
    s = imapwire.Serve(tmp_path)
    yield s
    s.stop()


@pytest.mark.dev
@pytest.mark.parametrize("seed", range(4))
def test_what_comes_and_goes(serve, seed):
    rng = random.Random(seed)
    views = [View(serve.connect(None)) for _ in range(3)]
    for _ in range(3):
        box = Box()
        views[0].client.ok("CREATE box")
        for _ in range(rng.randrange(40)):
            box.append(views[0].client, rng)
        for v in views:
            v.select(box)
        for _ in range(120):
            v, what = rng.choice(views), rng.random()
            there = [u for u in v.known if u in box.messages]
            if what < 0.1:
                box.append(v.client, rng)
                v.known = sorted(box.messages)
            elif what < 0.2 and there:
                box.expunge(v.client, rng.choice(there))
                v.known = sorted(box.messages)
            else:  # mostly the same, as webmail asks
                v.check(box, rng, None if what < 0.4 else [("", "SUBJECT")])
        for v in views:
            v.client.ok("UNSELECT")
        # Another one has its name then.
        views[0].client.ok("DELETE box")


@pytest.mark.dev
def test_many_at_once(serve):
    """A session that asks while another one's SORT is at work."""
    rng = random.Random(5)
    box, clients = Box(), [serve.connect(None) for _ in range(3)]
    clients[0].ok("CREATE box")
    for _ in range(60):
        box.append(clients[0], rng)
    views = [View(c) for c in clients]
    for v in views:
        v.select(box)
    for _ in range(20):
        for c in clients:
            c.write.write(b"s SORT (SUBJECT) UTF-8 ALL\r\n" * 5)
            c.write.flush()
        said = [[c.read.readline() for _ in range(10)] for c in clients]
        assert len({tuple(x) for x in said}) == 1
        assert set(said[0][1::2]) == {b"s OK Sort completed\r\n"}
        box.append(clients[0], rng)
        for v in views:
            v.client.ok("NOOP")
            v.known = sorted(box.messages)
            v.check(box, rng, [("", "SUBJECT")])
