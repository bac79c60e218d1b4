# SPDX-License-Identifier: ISC
"""Maildirs at users' homes, kept equal with the server's by mbsync and
offlineimap, and what random changes on all sides must come to.

In each round every side (two homes, the server's own files) changes messages
that no other side touches in this round, so that there is one right end, and
it is known beforehand: `World.want`.
"""

import concurrent.futures
import os
import random
import re
import time

import clients
import posthouse as ph

# Letters of the homes; "P" is the keyword $Forwarded to the server.
LETTERS = "DFPRS"
FOLDERS = ("INBOX", "Work", "Work.Deep")
MARK = re.compile(rb"^Message-ID: <(.*)@", re.M)

MBSYNCRC = """\
IMAPAccount posthouse
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account posthouse

MaildirStore near
Path {path}/
Inbox {path}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""

OFFLINEIMAPRC = """\
[general]
accounts = house
metadata = {home}/metadata
[Account house]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {path}
sep = .
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
auth_mechanisms = LOGIN
usecompression = {compress}
"""


class Twice(AssertionError):
    pass


class Maildir:
    """A folder of somebody's: messages by their marks."""

    def __init__(self, path):
        self.path = path
        self._marks = {}

    def make(self):
        for part in ("cur", "new", "tmp"):
            (self.path / part).mkdir(parents=True, exist_ok=True)
        return self

    def scan(self):
        """(mark, file, flags) of each; a file that is renamed meanwhile may
        come twice, or not at all."""
        for part in ("cur", "new"):
            for entry in os.scandir(self.path / part):
                base, _, flags = entry.name.partition(":2,")
                if base not in self._marks:
                    try:
                        with open(entry.path, "rb") as f:
                            self._marks[base] = MARK.search(
                                f.read()).group(1).decode()
                    except FileNotFoundError:
                        continue
                yield self._marks[base], entry.path, flags

    def find(self, mark):
        """A message that is there, whoever renames it meanwhile."""
        return ph.wait_for(
            lambda: next((found for found in self.scan() if found[0] == mark),
                         None), f"{mark} in {self.path}")[1:]

    def files(self):
        """{mark: (file, flags)} of a folder at rest, each message once."""
        found = {}
        for mark, path, flags in self.scan():
            if mark in found:
                raise Twice(f"{self.path} has {mark} twice: "
                            f"{found[mark][0]}, {path}")
            found[mark] = (path, flags)
        return found

    def flags(self, letters=LETTERS):
        return {mark: "".join(c for c in flags if c in letters)
                for mark, (_, flags) in self.files().items()}


def settled(differ, tell):
    """Until nothing differs in the server's files, whose names are written
    behind; tell(what differs) says what failed."""
    last = None

    def equal():
        nonlocal last
        try:
            last = differ()
        except Twice as e:      # under its old name and its new one
            last = {"twice": str(e)}
        return not last
    ph.wait_for(equal, lambda: tell(last))


class Home:
    """A user's machine and the program that keeps it equal."""

    letters = LETTERS

    def __init__(self, i, user, directory, program):
        self.directory = directory
        self.store = directory / "mail"
        self.store.mkdir(parents=True)
        values = {"port": i.imap_port, "user": i.address(user),
                  "password": i.users[user], "path": self.store,
                  "home": directory, "compress": "yes"}
        rc = directory / "rc"
        if program == "mbsync":
            rc.write_text(MBSYNCRC.format(**values))
            self.command = ["mbsync", "-c", rc, "-a"]
        else:
            rc.write_text(OFFLINEIMAPRC.format(**values))
            self.command = ["offlineimap", "-c", rc, "-o", "-u", "quiet"]
            self.letters = "DFRS"
        self.separator = "/" if program == "mbsync" else "."
        self._folders = {}

    def sync(self):
        # mbsync would sleep until a second has passed since a change.
        before = time.time() - 2
        for d in self.store.rglob("*"):
            if d.name in ("cur", "new"):
                os.utime(d, (before, before))
        for _ in range(5):
            r = ph.run(self.command, home=self.directory, check=False)
            # offlineimap gives up when a message goes away while it reads
            # (RFC 2180 4.1); its user would call it again.
            if "[EXPUNGEISSUED]" not in r.stdout + r.stderr:
                break
        assert r.returncode == 0, r.stdout + r.stderr

    def folder(self, name):
        if name not in self._folders:
            self._folders[name] = Maildir(self.path(name))
        return self._folders[name]

    def path(self, name):
        return self.store / name.replace(".", self.separator)

    def foldernames(self):
        return {str(d.parent.relative_to(self.store)).replace("/", ".")
                for d in self.store.rglob("cur")}

    def foreign(self, flags):
        return "".join(c for c in flags if c not in self.letters)

    def rename(self, folder, mark, to, name):
        """name(base, flags) in `to`; None: no more.  Another program may
        rename it at the same time: then we look again."""
        box = self.folder(folder)
        while True:
            path, flags = box.find(mark)
            try:
                if to is None:
                    os.unlink(path)
                else:
                    base = os.path.basename(path).partition(":2,")[0]
                    os.rename(path, self.folder(to).path / "cur" /
                              name(base, flags))
                return
            except FileNotFoundError:
                pass


class House(Home):
    """The server's own files, changed by a program of the user's there."""

    letters = "DFRS"    # "P" is not a keyword's

    def __init__(self, i, user):
        self.store = i.mailbox(user).path
        self.uid = i.vmail_uid
        self._folders = {}

    def path(self, name):
        return self.store if name == "INBOX" else self.store / f".{name}"


class World:
    """The sides, and what their mail must be."""

    def __init__(self, i, user, homes, seed):
        self.random = random.Random(seed)
        self.instance, self.user, self.homes = i, user, homes
        self.house = House(i, user)
        self.want = {"INBOX": {}}       # folder: {mark: flags}
        self.done = []                  # operations, for the report
        for home in homes:
            home.sync()

    # -- operations, each on a message of its own

    def add(self, side, folder):
        letter = clients.Letter(
            "x" * self.random.choice((0, 10, 5000)) + "\r\n")
        flags = "" if self.random.random() < 0.3 else self.some_flags(side)
        box = side.folder(folder)
        name = f"{int(time.time())}.M{len(self.done)}P{letter.mark}.home"
        tmp = box.path / "tmp" / name
        tmp.write_bytes(letter.bytes.replace(b"\r\n", b"\n"))
        if side is self.house:
            os.chown(tmp, side.uid, -1)
        tmp.rename(box.path / "new" / name if not flags else
                   box.path / "cur" / f"{name}:2,{flags}")
        self.want[folder][letter.mark] = flags
        return letter.mark

    def some_flags(self, side):
        return "".join(c for c in side.letters if self.random.random() < 0.4)

    def flag(self, side, folder, mark):
        new = self.some_flags(side)
        # Letters that this side knows nothing of are kept as they are.
        kept = side.foreign(self.want[folder][mark])
        side.rename(folder, mark, folder, lambda base, flags:
                    base + ":2," + "".join(sorted(new + side.foreign(flags))))
        self.want[folder][mark] = "".join(sorted(new + kept))

    def remove(self, side, folder, mark):
        side.rename(folder, mark, None, None)
        del self.want[folder][mark]

    def move(self, side, folder, to, mark):
        # Without what the programs note in names.
        side.rename(folder, mark, to, lambda base, flags:
                    re.sub(r",[UF][=M].*", "", base) + ":2," + flags)
        flags = self.want[folder].pop(mark)
        self.want[to][mark] = "".join(c for c in flags if c in side.letters)

    def make_folder(self, side):
        name = next((f for f in FOLDERS if f not in self.want), None)
        if not name or side is self.house:
            return
        side.folder(name).make()
        self.want[name] = {}

    def round(self, operations, storm=False):
        """Random operations on all sides, none knowing the others'.  In a
        storm the homes are brought up to date all at once, and the server's
        own files change meanwhile."""
        free = {f: sorted(m) for f, m in self.want.items()}
        for marks in free.values():
            self.random.shuffle(marks)
        known = list(free)      # a folder made now is not there elsewhere
        if self.random.random() < 0.3:
            self.make_folder(self.random.choice(self.homes))
        self.operate(operations, free, known, self.homes if storm else
                     [*self.homes, self.house])
        if storm:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                running = [pool.submit(h.sync) for h in self.homes]
                while not all(r.done() for r in running):
                    self.operate(1, free, known, [self.house])
                    time.sleep(0.02)
                for r in running:
                    r.result()

    def operate(self, operations, free, known, sides):
        for _ in range(operations):
            side = self.random.choice(sides)
            folder = self.random.choice(known)
            what = self.random.choice(
                ("add", "flag", "flag", "flag", "remove", "move"))
            mark = free[folder].pop() if free[folder] else None
            if what == "add" or not mark:
                what, mark = "add", self.add(side, folder)
            elif what == "flag":
                self.flag(side, folder, mark)
            elif what == "remove":
                self.remove(side, folder, mark)
            elif len(known) > 1:
                self.move(side, folder, self.random.choice(
                    [f for f in known if f != folder]), mark)
            self.done.append(f"{side.__class__.__name__} "
                             f"{side.store.parent.name} {what} {folder} {mark}")

    # -- what has become of it

    def settle(self):
        """Each learns what the others did."""
        for home in (*self.homes, *self.homes[:-1]):
            home.sync()

    def check(self):
        for home in self.homes:
            assert home.foldernames() == set(self.want), self.done[-40:]
            for folder in self.want:
                differ = self.differ(home, folder)
                assert not differ, self.tell(home, folder, differ)
        for folder in self.want:
            settled(lambda: self.differ(self.house, folder),
                    lambda d: self.tell(self.house, folder, d))

    def differ(self, side, folder):
        """{mark: (wanted flags, flags there)}; None: no such message."""
        have = side.folder(folder).flags(side.letters)
        want = {mark: "".join(c for c in flags if c in side.letters)
                for mark, flags in self.want[folder].items()}
        return {mark: (want.get(mark), have.get(mark))
                for mark in {*want, *have}
                if want.get(mark) != have.get(mark)}

    def tell(self, side, folder, differ):
        return "\n".join(
            [f"{side.store} {folder}: (wanted, there) {differ}"] +
            [l for l in self.done if any(mark in l for mark in differ)])
