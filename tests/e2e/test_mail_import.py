# SPDX-License-Identifier: ISC
"""posthouse mail: from Dovecot and Courier to here and back, and no client
fetches anything again; verify and rebuild."""

import contextlib
import imaplib
import mailbox
import os
import poplib
import re
import shutil
import signal
import subprocess
import time

import clients
import courier as courier_peer
import dovecot as dovecot_peer
import posthouse as ph
import pytest

POP3 = """\
protocols = imap pop3
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
KEYWORDS = ["$Label1", "NonJunk", "todo"]
FOLDERS = ("INBOX", "Work", "Work.Deep")
FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Draft"]


class Server:
    """What clients need of one: ours, Dovecot, or Courier."""

    def __init__(self, imap_port, pop3_port, user, password, prefix=""):
        self.imap_port, self.pop3_port = imap_port, pop3_port
        self.user, self.password, self.prefix = user, password, prefix

    @contextlib.contextmanager
    def imap(self):
        c = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30)
        try:
            c.login(self.user, self.password)
            yield c
        finally:
            c.logout()

    def folder(self, name):
        return name if name == "INBOX" else self.prefix + name

    def state(self, name):
        """UIDVALIDITY, UIDNEXT and {UID: (flags and keywords, time, text)}."""
        with self.imap() as c:
            kind, data = c.status(self.folder(name), "(UIDVALIDITY UIDNEXT)")
            assert kind == "OK", data
            numbers = [int(re.search(rb"%s (\d+)" % what, data[0]).group(1))
                       for what in (b"UIDVALIDITY", b"UIDNEXT")]
            assert c.select(self.folder(name), readonly=True)[0] == "OK"
            kind, data = c.uid("FETCH", "1:*",
                               "(FLAGS INTERNALDATE BODY.PEEK[])")
            assert kind == "OK", data
        found = {}
        for line, text in (d for d in data if isinstance(d, tuple)):
            uid = int(re.search(rb"UID (\d+)", line).group(1))
            flags = re.search(rb"FLAGS \(([^)]*)\)", line).group(1).split()
            when = imaplib.Internaldate2tuple(line)
            found[uid] = ({f.lower() for f in flags} - {rb"\recent"}, when,
                          text)
        return (*numbers, found)

    def subscribed(self):
        with self.imap() as c:
            kind, data = c.lsub()
            assert kind == "OK", data
        names = [d.split(b' "." ')[1].strip(b'"').decode()
                 for d in data if d]
        return {n.removeprefix(self.prefix) for n in names}

    def uidls(self):
        """{name: mark of the letter}."""
        c = poplib.POP3("127.0.0.1", self.pop3_port, timeout=30)
        try:
            c.user(self.user)
            c.pass_(self.password)
            names = [line.split() for line in c.uidl()[1]]
            # Courier's order is not that of UIDs.
            return {name: re.search(rb"<(.*)@", b"".join(
                        l for l in c.top(int(number), 0)[1]
                        if l.startswith(b"Message-ID"))).group(1)
                    for number, name in names}
        finally:
            c.quit()

    def fill(self):
        """Folders with holes in their UIDs, flags, keywords, a time."""
        with self.imap() as c:
            for name in FOLDERS:
                box = self.folder(name)
                if name != "INBOX":
                    assert c.create(box)[0] == "OK"
                for k in range(12):
                    letter = clients.Letter(f"{name} {k}\r\n")
                    flags = " ".join(f for i, f in enumerate(FLAGS)
                                     if k >> i & 1)
                    kind, data = c.append(
                        box, f"({flags})",
                        f'"{k + 1:02}-Jan-2020 12:00:00 +0000"',
                        letter.bytes)
                    assert kind == "OK", data
                assert c.select(box)[0] == "OK"
                for i, keyword in enumerate(KEYWORDS):
                    kind, data = c.store(f"{i + 1}:{i + 4}", "+FLAGS",
                                         f"({keyword})")
                    assert kind == "OK", data
                c.store("2,6,12", "+FLAGS", r"(\Deleted)")
                assert c.expunge()[0] == "OK"
            assert c.subscribe(self.folder("Work.Deep"))[0] == "OK"


class Fetchmail:
    """Keeps what it has seen by UIDL."""

    def __init__(self, directory):
        self.home = directory / "fetchmail"
        self.home.mkdir()
        self.got = self.home / "got"
        self.got.touch()

    def fetch(self, server):
        before = self.got.stat().st_size
        rc = self.home / "rc"
        # One name for all servers: what it has seen goes by that.
        rc.write_text(
            f"poll mail.example via 127.0.0.1 proto pop3 port "
            f"{server.pop3_port} uidl no dns\n"
            f"user \"{server.user}\" password \"{server.password}\" keep "
            f"sslproto '' mda \"/bin/sh -c 'cat >>{self.got}'\"\n")
        rc.chmod(0o700)
        r = ph.run(["fetchmail", "-f", rc, "-i", self.home / "ids",
                    "--pidfile", self.home / "pid"], home=self.home,
                   check=False)
        assert r.returncode in (0, 1), r.stdout + r.stderr
        return self.got.stat().st_size - before


class Mbsync:
    def __init__(self, directory):
        self.home = directory / "mbsync"
        self.store = self.home / "mail"
        self.store.mkdir(parents=True)

    def sync(self, server):
        """How much mail has come, and all files with their names."""
        rc = self.home / "rc"
        path = f"Path {server.prefix}\n" if server.prefix else ""
        rc.write_text(
            f"IMAPAccount far\nHost 127.0.0.1\nPort {server.imap_port}\n"
            f"User {server.user}\nPass {server.password}\nSSLType None\n"
            f"AuthMechs LOGIN\n\nIMAPStore far\nAccount far\n{path}\n"
            f"MaildirStore near\nPath {self.store}/\n"
            f"Inbox {self.store}/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns INBOX Work*\n"
            "Create Near\nSync Pull\nSyncState *\n")
        before = {f.name.partition(":")[0]: f.name for f in self.files()}
        r = ph.run(["mbsync", "-V", "-c", rc, "-a"], home=self.home)
        after = {f.name.partition(":")[0]: f.name for f in self.files()}
        return len(after.keys() - before.keys()), before, after, r.stdout

    def files(self):
        return [f for d in self.store.rglob("*") if d.name in ("cur", "new")
                for f in d.iterdir()]


def place():
    """Below a directory that only root can pass, on the build's disk."""
    d = ph.ROOT / "build" / "tests" / f"import.{time.monotonic_ns()}"
    d.mkdir(parents=True)
    return d


def dovecot():
    """With POP3, filled; fetchmail knows messages by the user, too."""
    (port,) = ph.free_ports(1)
    d = dovecot_peer.Dovecot(place(),
                             POP3.format(port=port))
    d.server = Server(d.imap_port, port, f"alice@{ph.DOMAIN}", d.password)
    d.maildir = d.work / "mail" / "alice"
    return d


def courier():
    c = courier_peer.Courier(place(),
                             f"alice@{ph.DOMAIN}")
    c.server = Server(c.imap_port, c.pop3_port, c.user, c.password, "INBOX.")
    return c


@pytest.fixture
def theirs(request):
    """Another server, by the parameter's name; its mail is in maildir."""
    d = {"dovecot": dovecot, "courier": courier}[request.param]()
    yield d
    d.stop()
    if not getattr(request.node, "call_failed", False):
        shutil.rmtree(d.work.parent)


def ours(i, user="alice"):
    return Server(i.imap_port, i.pop3_port, i.address(user), i.users[user])


def bring(i, source, user="alice"):
    """Their Maildir as a directory that this user may read."""
    there = i.dir / "mail" / "theirs"
    shutil.copytree(source, there, symlinks=True)
    for d, _, files in os.walk(there):
        for f in (".", *files):
            os.chown(os.path.join(d, f), i.vmail_uid, i.vmail_uid)
    return there


def put(i, source, user="alice"):
    """Their Maildir in the place of the user's."""
    there = i.mailbox(user).path
    there.parent.mkdir(parents=True, exist_ok=True)
    os.chown(there.parent, i.vmail_uid, i.vmail_uid)
    shutil.move(bring(i, source), there)
    return there


def letters(i):
    """Names of files with keywords in them."""
    return [f.name for f in i.mailbox("alice").files()
            if re.search(r":2,[A-Z]*[a-z]", f.name)]


def verified(i, who=None):
    r = i.posthouse("mail", "verify", who or i.address("alice"), check=False)
    assert r.returncode == 0, r.stdout + r.stderr


@pytest.mark.parametrize("in_place", [True, False], ids=["here", "from"])
@pytest.mark.parametrize("theirs", ["dovecot", "courier"], indirect=True)
def test_import(theirs, make_instance, in_place, tmp_path):
    """UIDs, UIDVALIDITY, flags, keywords, times, names for POP3: no client
    fetches a message again."""
    i = make_instance()
    server, us = theirs.server, ours(i)
    server.fill()
    mbsync, fetchmail = Mbsync(tmp_path), Fetchmail(tmp_path)
    assert mbsync.sync(server)[0] == 27
    assert fetchmail.fetch(server) > 0
    want = {f: server.state(f) for f in FOLDERS}
    uidls = server.uidls()
    assert "Work.Deep" in server.subscribed()
    if in_place:
        put(i, theirs.maildir)
        said = i.posthouse("mail", "import", i.address("alice")).stdout
    else:
        said = i.posthouse("mail", "import", i.address("alice"), "--from",
                           bring(i, theirs.maildir)).stdout
    assert "INBOX: 9 messages" in said, said
    for folder, state in want.items():
        assert us.state(folder) == state, folder
    assert us.uidls() == uidls
    assert us.subscribed() == {"Work.Deep"}
    came, before, after, text = mbsync.sync(us)
    assert came == 0 and before == after, text
    assert fetchmail.fetch(us) == 0
    verified(i)
    assert not letters(i)
    # Once more: nothing happens.
    again = i.posthouse("mail", "import", i.address("alice"),
                        *([] if in_place else
                          ["--from", i.dir / "mail" / "theirs"])).stdout
    assert "INBOX: was imported already" in again, again
    assert {f: us.state(f) for f in FOLDERS} == want


@pytest.mark.parametrize("theirs", ["dovecot", "courier"], indirect=True)
def test_export(theirs, make_instance, tmp_path):
    """From here to them: the same for clients."""
    i = make_instance()
    server, us = theirs.server, ours(i)
    us.fill()
    mbsync = Mbsync(tmp_path)
    mbsync.sync(us)
    want = {f: us.state(f) for f in FOLDERS}
    uidls = us.uidls()
    is_courier = isinstance(theirs, courier_peer.Courier)
    r = i.posthouse("mail", "export", i.address("alice"),
                    *["--courier"] * is_courier, check=False)
    # Courier has no such names for POP3, and says so.
    assert r.returncode == is_courier, r.stdout + r.stderr
    assert ("Courier does not make" in r.stdout) == is_courier, r.stdout
    i.stop()
    shutil.rmtree(theirs.maildir, ignore_errors=True)
    shutil.copytree(i.mailbox("alice").path, theirs.maildir)
    for d, _, files in os.walk(theirs.maildir):
        for f in (".", *files):
            os.chown(os.path.join(d, f), theirs.uid, theirs.uid)
    for folder, state in want.items():
        assert server.state(folder) == state, folder
    assert is_courier or server.uidls() == uidls
    assert "Work.Deep" in server.subscribed()
    came, before, after, text = mbsync.sync(server)
    assert came == 0 and before == after, text
    assert bool(letters(i)) != is_courier
    # Keywords are ours again, letters or not.
    i.start()
    assert {f: us.state(f) for f in FOLDERS} == want


# -- without another server: files as Dovecot writes them

def maildir(i, n=20, user="alice"):
    """A Maildir of n messages with dovecot-uidlist; returns it."""
    top = i.mailbox(user).path
    for part in ("cur", "new", "tmp"):
        (top / part).mkdir(parents=True, exist_ok=True)
    lines = [f"3 V1275660208 N{n + 11} G3085f01b7f11094c501100008c4a11c1\n"]
    for k in range(1, n + 1):
        base = f"{1276528400 + k}.M{k}P1.kurkku"
        (top / "cur" / f"{base}:2,{'Sa' if k % 2 else 'b'}").write_text(
            f"Message-ID: <{k}@x>\nSubject: {k}\n\nbody {k}\n")
        lines.append(f"{k + 10} P{k}.name :{base}\n")
    (top / "dovecot-uidlist").write_text("".join(lines))
    (top / "dovecot-keywords").write_text("0 odd\n1 even\n")
    own(i, top.parent)
    return top


def own(i, top):
    for d, _, files in os.walk(top):
        for f in (".", *files):
            os.chown(os.path.join(d, f), i.vmail_uid, i.vmail_uid)


@pytest.mark.dev
def test_other_uids_are_refused(make_instance):
    i = make_instance()
    top = maildir(i)
    us = ours(i)
    before = us.state("INBOX")          # gives UIDs
    assert before[2].keys() == set(range(1, 21))
    r = i.posthouse("mail", "import", i.address("alice"), check=False)
    assert r.returncode == 1 and "UIDs of its own" in r.stdout, r.stdout
    with us.imap() as c:
        c.select("INBOX")               # a session that has it open
        i.posthouse("mail", "import", str(top), "--force")
        with pytest.raises(imaplib.IMAP4.abort):
            for _ in range(20):
                c.noop()
    after = us.state("INBOX")
    assert after[2].keys() == set(range(11, 31))
    assert after[0] != before[0] and after[0] > 1275660208
    assert after[2][11][0] == {rb"\seen", b"odd"}
    # Names for POP3 stay what they were.
    assert us.uidls() == {b"%d.name" % k: b"%d" % k for k in range(1, 21)}


@pytest.mark.dev
def test_verify_and_rebuild(make_instance):
    i = make_instance()
    top = maildir(i)
    alice = i.address("alice")
    i.posthouse("mail", "import", alice)
    want = ours(i).state("INBOX")
    verified(i)
    verified(i, str(top))

    def wrong(what):
        r = i.posthouse("mail", "verify", alice, check=False)
        assert r.returncode == 1, r.stdout + r.stderr
        assert re.search(what, r.stdout), r.stdout

    i.kill("spawner")                   # no session has it open
    ph.wait_for(lambda: not i.pids().get("imapd"), "the session's process "
                "to end")
    i.posthouse("mail", "rebuild", alice)
    verified(i)
    index = top / "posthouse.index"
    good = index.read_bytes()

    def flip(at):
        index.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
    flip(len(good) - 20)
    wrong(r"INBOX: posthouse.index: damaged, table of names")
    flip(good.index(b"1276528405."))
    wrong(r"INBOX: posthouse.index: damaged, uids 11 to 30")
    index.write_bytes(b"x" * 100)
    wrong(r"INBOX: posthouse.index: damaged head")
    i.posthouse("mail", "rebuild", alice)
    verified(i)
    assert index.read_bytes()[:8] == good[:8]
    log = top / "posthouse.log"
    bad = bytearray(log.read_bytes())
    bad[200] ^= 1
    log.write_bytes(bad)
    wrong(r"INBOX: posthouse.log: (damaged|torn) at byte 44")
    i.posthouse("mail", "rebuild", alice)
    verified(i)
    (f,) = (f for f in i.mailbox("alice").files() if f.name.startswith(
        "1276528405."))
    f.rename(top / "hidden")
    wrong(r"INBOX: uid 15: no file 1276528405.M5P1.kurkku")
    (top / "hidden").rename(f)
    verified(i)
    f.with_name("2.x,S=3:2,S").write_text("four")
    wrong("has 4 bytes, its name says 3")
    f.with_name("2.x,S=3:2,S").unlink()
    assert {k: v for k, v in ours(i).state("INBOX")[2].items()} == want[2]


def test_rebuild_beside_a_session(make_instance):
    i = make_instance()
    maildir(i)
    i.posthouse("mail", "import", i.address("alice"))
    us = ours(i)
    with us.imap() as c:
        c.select("INBOX")
        for k in range(5):
            i.posthouse("mail", "rebuild", i.address("alice"))
            assert c.uid("STORE", str(11 + k), "+FLAGS",
                         "(again)")[0] == "OK"
            assert c.uid("FETCH", "11:*", "(FLAGS ENVELOPE)")[0] == "OK"
    state = us.state("INBOX")
    assert state[0] == 1275660208
    for k in range(5):
        assert b"again" in state[2][11 + k][0]
    verified(i)


@pytest.mark.parametrize("here", [True, False], ids=["here", "from"])
def test_killed(make_instance, here):
    """kill -9 anywhere: as before, or as it is to be."""
    i = make_instance(start=False)
    top = maildir(i, 300)
    source = i.dir / "mail" / "theirs"
    shutil.copytree(top, source)
    own(i, source)
    done = cut = k = 0
    whole = None        # the seconds of one that is not killed
    # Until both have happened often enough, however fast the machine is.
    while k < 40 or (k < 400 and min(cut, done) < 5):
        k += 1
        shutil.rmtree(top)
        shutil.copytree(source, top) if here else \
            [(top / d).mkdir(parents=True) for d in ("cur", "new", "tmp")]
        own(i, top)
        p = subprocess.Popen(
            [ph.BIN / "posthouse", "-c", i.conf_dir, "mail", "import",
             i.address("alice"), *([] if here else ["--from", source])],
            stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            if not whole:
                began = time.monotonic()
                p.wait()
                whole = time.monotonic() - began
            p.wait(whole * (k % 40) / 25)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            cut += 1
        if not (top / "posthouse.log").exists() or \
                (top / "posthouse.log").stat().st_size == 0:
            assert here or not os.listdir(top / "cur")
            continue
        done += 1
        # What a session does first.
        i.posthouse("mail", "rebuild", i.address("alice"))
        verified(i)
        again = i.posthouse("mail", "import", i.address("alice"),
                            *([] if here else ["--from", source])).stdout
        assert "was imported already" in again
        assert len(os.listdir(top / "cur")) == 300
        assert not os.listdir(top / "tmp")
    assert min(cut, done) >= 5, (cut, done)


def test_never_as_root(make_instance):
    i = make_instance(start=False)
    top = maildir(i)

    def refused(*args, why):
        r = i.posthouse("mail", *args, check=False)
        assert r.returncode not in (0, 70) and why in r.stderr, r.stderr

    link = i.dir / "mail" / "link"
    link.symlink_to(top)
    refused("verify", str(link), why="symbolic link")
    (top / ".Away").symlink_to(i.conf_dir)
    assert "Away" not in i.posthouse("mail", "verify", str(top)).stdout
    os.chown(top, 0, 0)
    refused("verify", str(top), why="belongs to root")
    os.chown(top, i.vmail_uid, i.vmail_uid)
    secret = i.dir / "mail" / "secret"
    secret.mkdir(0o700)
    refused("import", str(top), "--from", str(secret), why="ermission denied")
    (secret / "mbox").write_text("From a Sun Nov 22 12:00:00 2026\n\nx\n")
    refused("import", str(top), "--mbox", str(secret / "mbox"),
            why="ermission denied")
    refused("verify", "nobody-at-all", why="no user")


@pytest.mark.dev
def test_mbox(make_instance, tmp_path):
    """Python's mailbox wrote it; UIDs as UW-IMAP and Dovecot write them."""
    i = make_instance()
    file = i.dir / "mail" / "mbox"
    box = mailbox.mbox(file)
    texts = []
    for k in range(1, 9):
        m = mailbox.mboxMessage(
            f"Subject: {k}\n\nFrom here\n\n{'x' * 70000}\n" if k == 3 else
            f"Subject: {k}\n\nbody {k}\n\n\nend\n")
        texts.append(m.as_bytes())
        m.set_from("a@example.com", (2020, 1, k, 12, 0, 0, 0, 0, 0))
        m.set_flags("RO" if k % 2 else "OF")
        m["X-UID"] = str(10 * k)
        if k == 1:
            m["X-IMAPbase"] = "1275660208 0000000090 odd"
        if k % 2:
            # What IMAP has no words for is left out.
            m["X-Keywords"] = 'odd ) a"b [x] \\Seen {5} c*     '
        box.add(m)
    box.close()
    own(i, file.parent)
    os.chown(file, i.vmail_uid, i.vmail_uid)
    i.posthouse("mail", "import", i.address("alice"), "--mbox", file)
    us = ours(i)
    validity, uidnext, found = us.state("INBOX")
    assert (validity, uidnext) == (1275660208, 91)
    assert list(found) == [10 * k for k in range(1, 9)]
    for k in range(1, 9):
        flags, when, text = found[10 * k]
        assert flags == ({rb"\seen", b"odd"} if k % 2 else {rb"\flagged"})
        when = time.gmtime(time.mktime(when))
        assert (when.tm_mday, when.tm_hour) == (k, 12), when
        assert text.replace(b"\r\n", b"\n") == \
            texts[k - 1].replace(b"\nFrom here", b"\n>From here")
    # Into a folder that has messages: they are added.
    i.posthouse("mail", "import", i.address("alice"), "--mbox", file)
    state = us.state("INBOX")
    assert state[0] == validity and len(state[2]) == 16
    assert state[2][91][0] == {rb"\seen", b"odd"}
    assert not os.listdir(i.mailbox("alice").path / "tmp")
    verified(i)
