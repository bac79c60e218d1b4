# SPDX-License-Identifier: ISC
"""Two IMAP sessions, deliveries, procmail, a real mutt and a program that
renames files, all on one mailbox at a time, and an oracle of what they did.

Each message has one owner, who alone changes it; the shared ones have an owner
for each flag.  So there is one right end, whatever the order of things.

POSTHOUSE_WRITERS_SECONDS: for how long (tests/long takes ten minutes);
POSTHOUSE_SEED: other operations.
"""

import collections
import contextlib
import imaplib
import os
import random
import re
import subprocess
import threading
import time

import pytest

import clients
import homes
import posthouse as ph
from clients import Letter

imaplib.Commands.setdefault("MOVE", ("SELECTED",))
SECONDS = int(os.environ.get("POSTHOUSE_WRITERS_SECONDS", "15"))
FOLDERS = ("INBOX", "Other")
FLAGS = {"D": r"\Draft", "F": r"\Flagged", "R": r"\Answered", "S": r"\Seen"}
SHARED = 12

MUTTRC = """\
set mbox_type=Maildir folder=/mnt confirmappend=no delete=yes move=no
set mark_old=no wait_key=no quit=yes sort=mailbox-order header_cache=""
set tmpdir=/mnt/tmp copy=no query_command="" hostname=home
"""


class World:
    def __init__(self, i, user):
        self.instance, self.user = i, user
        self.random = random.Random(ph.SEED)
        self.house = homes.House(i, user)
        uid = self.house.uid
        self.passwd = i.dir / "passwd"
        self.passwd.write_text(f"owner:x:{uid}:{uid}::/mnt:/bin/sh\n")
        self.lock = threading.Lock()
        self.want = {f: {} for f in FOLDERS}    # {folder: {mark: {flags}}}
        self.uids = {}          # (folder, UID): mark, as sessions saw it
        self.actors = []
        self.done = []
        self.errors = []
        self.end = None

    def given(self, folder, letter, flags=()):
        """A new message, and somebody who owns it."""
        with self.lock:
            self.want[folder][letter.mark] = set(flags)
            owners = [a for a in self.actors if a.owns]
            owner = self.random.choice(owners)
            owner.mine.append((folder, letter.mark))

    def note(self, actor, what, folder, mark, flags=None, to=None):
        with self.lock:
            self.done.append(f"{actor.name}: {what} {folder} {mark} "
                             f"{flags or ''} {to or ''}")
            if what in ("remove", "move"):
                old = self.want[folder].pop(mark)
                if what == "move":
                    self.want[to][mark] = old
            else:
                self.want[folder][mark] = set(flags)

    def seen(self, folder, uid, mark):
        with self.lock:
            was = self.uids.setdefault((folder, uid), mark)
        assert was == mark, f"UID {uid} of {folder} was {was}, is {mark}"


class Actor(threading.Thread):
    """One of them, until the time is over."""

    owns = True
    pause = 0.02

    def __init__(self, world, name):
        super().__init__(name=name)
        self.world = world
        self.random = random.Random(f"{ph.SEED} {name}")
        self.mine = []          # (folder, mark)
        self.begin()

    def begin(self):
        pass

    def run(self):
        try:
            while time.monotonic() < self.world.end:
                self.step()
                time.sleep(self.pause)
            self.finish()
        except Exception as e:
            self.world.errors.append(f"{self.name}: {e!r}")

    def finish(self):
        pass

    def some_flags(self):
        return [f for f in FLAGS if self.random.random() < 0.4]

    def choose(self):
        """An operation on a message of one's own."""
        if not self.mine:
            return None
        folder, mark = self.mine.pop(self.random.randrange(len(self.mine)))
        what = self.random.choice(("flag", "flag", "flag", "move", "remove"))
        if what != "remove":
            to = next(f for f in FOLDERS if f != folder)
            self.mine.append((to if what == "move" else folder, mark))
        return what, folder, mark

    def other(self, folder):
        return next(f for f in FOLDERS if f != folder)


class Deliverer(Actor):
    """SMTP, and a delivery worker behind it."""

    owns = False
    pause = 0.15

    def step(self):
        letter = Letter("Delivered.\r\n")
        self.world.given("INBOX", letter)
        clients.send_smtplib(self.world.instance, letter, [
            self.world.instance.address(self.world.user)])


def in_house(world, *command):
    """A command of the mailbox's owner, to whom it is /mnt: the directories
    of tests are root's alone.  mutt wants an owner who has a name."""
    uid = world.house.uid
    return ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
            'mount --bind "$0" /etc/passwd && mount --bind "$1" /mnt && '
            f'shift && exec setpriv --clear-groups --reuid={uid} '
            f'--regid={uid} "$@"', world.passwd, world.house.store, *command]


class Procmail(Actor):
    owns = False
    pause = 0.3

    def begin(self):
        rc = self.world.house.store / "procmailrc"
        rc.write_text(":0\n$FOLDER\n")
        os.chown(rc, self.world.house.uid, self.world.house.uid)

    def step(self):
        letter = Letter("Sorted by procmail.\r\n")
        folder = self.random.choice(FOLDERS)
        where = "/mnt/" if folder == "INBOX" else f"/mnt/.{folder}/"
        self.world.given(folder, letter)
        ph.run(in_house(self.world, ph.tool("procmail"), "-m",
                        f"FOLDER={where}", "/mnt/procmailrc"),
               input=letter.bytes.replace(b"\r\n", b"\n").decode())


class Renamer(Actor):
    """A program that works on the files."""

    def step(self):
        work = self.choose()
        if not work:
            return
        what, folder, mark = work
        house, to = self.world.house, self.other(folder)
        flags = self.some_flags()
        if what == "flag":
            house.rename(folder, mark, folder, lambda base, _:
                         f"{base}:2,{''.join(flags)}")
            self.world.note(self, what, folder, mark, flags)
        else:
            house.rename(folder, mark, to if what == "move" else None,
                         lambda base, flags: f"{base}:2,{flags}")
            self.world.note(self, what, folder, mark, to=to)
        self.shared()

    def shared(self):
        """\\Seen of the shared messages is ours."""
        mark = self.random.choice(self.world.shared)
        on = self.random.random() < 0.5
        seen = "S" if on else ""
        self.world.house.rename(
            "INBOX", mark, "INBOX", lambda base, flags: base + ":2," +
            "".join(sorted(flags.replace("S", "") + seen)))
        with self.world.lock:
            (set.add if on else set.discard)(
                self.world.want["INBOX"][mark], "S")


class Session(Actor):
    """An IMAP session."""

    letter = None       # the flag of shared messages that is ours

    def begin(self):
        i, user = self.world.instance, self.world.user
        self.c = imaplib.IMAP4("127.0.0.1", i.imap_port, timeout=60)
        self.c.login(i.address(user), i.users[user])
        self.folder = None

    def do(self, *command):
        kind, answer = self.c.uid(*command)
        assert kind == "OK", (command, answer)
        return answer

    def find(self, folder, mark):
        if self.folder != folder:
            kind, answer = self.c.select(folder)
            assert kind == "OK", answer
            self.folder = folder
        uids = ph.wait_for(lambda: self.c.noop() and self.do(
            "SEARCH", "HEADER", "Message-ID", f"<{mark}@")[0].split(),
            f"{mark} in {folder}")
        assert len(uids) == 1, (mark, uids)
        self.world.seen(folder, int(uids[0]), mark)
        return uids[0].decode()

    def step(self):
        if self.random.random() < 0.1:
            letter = Letter("Appended.\r\n")
            folder = self.random.choice(FOLDERS)
            flags = self.some_flags()
            kind, answer = self.c.append(
                folder, f"({' '.join(FLAGS[f] for f in flags)})", None,
                letter.bytes)
            assert kind == "OK", answer
            self.world.given(folder, letter, flags)
        work = self.choose()
        if not work:
            return
        what, folder, mark = work
        uid, to = self.find(folder, mark), self.other(folder)
        if what == "flag":
            flags = self.some_flags()
            self.do("STORE", uid, "FLAGS",
                    f"({' '.join(FLAGS[f] for f in flags)})")
            self.world.note(self, what, folder, mark, flags)
        elif what == "move":
            self.do("MOVE", uid, to)
            self.world.note(self, what, folder, mark, to=to)
        else:
            self.do("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
            self.do("EXPUNGE", uid)
            self.world.note(self, what, folder, mark)
        mark = self.random.choice(self.world.shared)
        on = self.random.random() < 0.5
        self.do("STORE", self.find("INBOX", mark),
                f"{'+' if on else '-'}FLAGS.SILENT", f"({FLAGS[self.letter]})")
        with self.world.lock:
            (set.add if on else set.discard)(
                self.world.want["INBOX"][mark], self.letter)

    def finish(self):
        self.c.logout()


class Flagger(Session):
    letter = "F"


class Answerer(Session):
    letter = "R"


class Mutt(Actor):
    """mutt, opened on the files for some operations at a time."""

    pause = 0.1

    def step(self):
        house = self.world.house
        folder = self.random.choice(FOLDERS)
        keys = ""
        with self.world.lock:
            # What the servers have not brought yet is left for later.
            there = {mark for mark, _, _ in house.folder(folder).scan()}
            ready = [m for f, m in self.mine if f == folder and m in there]
        for mark in ready[:5]:
            self.mine.remove((folder, mark))
            what = self.random.choice(("flag", "flag", "save", "remove"))
            keys += f"<tag-pattern>~i{mark}@<enter><tag-prefix-cond>"
            if what == "flag":
                for letter, key in (("F", "!"), ("R", "r")):
                    on = self.random.random() < 0.5
                    keys += f"<{'set' if on else 'clear'}-flag>{key}" \
                        "<tag-prefix-cond>"
                    flags = {*self.world.want[folder][mark]}
                    if on and letter == "R" and "R" not in flags:
                        flags.add("S")      # what mutt answers, it has read
                    (set.add if on else set.discard)(flags, letter)
                    self.world.note(self, what, folder, mark, flags)
                keys = keys.removesuffix("<tag-prefix-cond>")
                self.mine.append((folder, mark))
            elif what == "save":
                to = self.other(folder)
                path = "/mnt" if to == "INBOX" else f"/mnt/.{to}"
                keys += f"<save-message><kill-line>{path}<enter>"
                self.world.note(self, "move", folder, mark, to=to)
                self.mine.append((to, mark))
            else:
                keys += "<delete-message>"
                self.world.note(self, what, folder, mark)
            keys += "<end-cond><untag-pattern>~A<enter>"
        if not keys:
            return
        path = "/mnt" if folder == "INBOX" else f"/mnt/.{folder}"
        rc = self.world.house.store / "muttrc"
        # Where another was faster, mutt stays: it is told again, then to go.
        leave = "<sync-mailbox><quit>" * 3 + "<exit>"
        rc.write_text(MUTTRC + f'push "{keys}{leave}"\n')
        os.chown(rc, house.uid, house.uid)
        mutt = f"{ph.tool('mutt')} -n -F /mnt/muttrc -f {path}"
        try:
            ph.run(in_house(self.world, "script", "-qefc", mutt,
                            "/mnt/mutt.screen"), stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            screen = (house.store / "mutt.screen").read_bytes()[-2000:]
            raise AssertionError(f"{path}, {keys}: stands at {screen}")


def differences(want, have):
    return {mark: (sorted(want[mark]) if mark in want else None,
                   sorted(have[mark]) if mark in have else None)
            for mark in {*want, *have} if want.get(mark) != have.get(mark)}


def by_imap(i, user, folder):
    """{mark: letters} as a fresh session sees it."""
    have = {}
    with clients.imap(i, user, folder) as c:
        _, data = c.fetch("1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS "
                          "(MESSAGE-ID)])")
        for d in data:
            if isinstance(d, tuple):
                mark = re.search(rb"<(.*)@", d[1]).group(1).decode()
                assert mark not in have, f"{mark} is twice in {folder}"
                have[mark] = {letter for letter, flag in FLAGS.items()
                              if flag.encode() in d[0]}
    return have


@pytest.mark.timeout(SECONDS + 600)
def test_all_at_a_time(make_instance):
    i = make_instance()
    with clients.imap(i, "bob") as c:
        assert c.create("Other")[0] == "OK"
    w = World(i, "bob")
    shared = [Letter("Shared.\r\n") for _ in range(SHARED)]
    w.shared = [letter.mark for letter in shared]
    for letter in shared:
        clients.send_smtplib(i, letter, [i.address("bob")])
        w.want["INBOX"][letter.mark] = set()
    i.mailbox("bob").wait(SHARED)
    w.actors = [Deliverer(w, "delivery"), Procmail(w, "procmail"),
                Mutt(w, "mutt"), Renamer(w, "renamer"),
                Flagger(w, "session one"), Answerer(w, "session two")]
    w.end = time.monotonic() + SECONDS
    for actor in w.actors:
        actor.start()
    for actor in w.actors:
        actor.join()

    def history(text):
        """What was done with the messages that are named there."""
        marks = set(re.findall(r"[0-9.]+posthouse-test", text))
        return "\n".join([text] + [l for l in w.done if any(
            mark in l for mark in marks)])

    def tell(folder, wrong, where):
        return history(f"{where}, {folder}: (wanted, there) {wrong}")

    assert not w.errors, history("\n".join(w.errors))

    with contextlib.suppress(AssertionError):       # told below
        ph.wait_for(lambda: all({*w.want[f]} == {*by_imap(i, "bob", f)}
                                for f in FOLDERS), "the last deliveries")
    for folder in FOLDERS:
        wrong = differences(w.want[folder], by_imap(i, "bob", folder))
        assert not wrong, tell(folder, wrong, "by IMAP")

        def on_disk():
            have = w.house.folder(folder).flags("DFRS")
            return differences(w.want[folder],
                               {m: {*f} for m, f in have.items()})
        homes.settled(on_disk, lambda wrong: tell(folder, wrong, "on disk"))
    counts = collections.Counter(l.split(":")[0] for l in w.done)
    print(f"seed {ph.SEED}: {dict(counts)}, "
          f"{sum(len(m) for m in w.want.values())} messages left")
