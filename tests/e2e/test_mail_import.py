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

import clients
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
            numbers = [int(n) for n in re.findall(rb" (\d+)", data[0])]
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
        c = poplib.POP3("127.0.0.1", self.pop3_port, timeout=30)
        try:
            c.user(self.user)
            c.pass_(self.password)
            return [line.split()[1] for line in c.uidl()[1]]
        finally:
            c.quit()

    def fill(self):
        """Folders with holes in their UIDs, flags, keywords, a time."""
        with self.imap() as c:
            for name in ("INBOX", "Work", "Work.Deep"):
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


@pytest.fixture
def theirs(tmp_path_factory, request):
    """A Dovecot with POP3, filled; what it keeps is in mail/alice."""
    import conftest
    (port,) = ph.free_ports(1)
    d = dovecot_peer.Dovecot(conftest._directory("import"),
                             POP3.format(port=port).replace("{{", "{"))
    # fetchmail knows messages by the user, too.
    d.server = Server(d.imap_port, port, f"alice@{ph.DOMAIN}", d.password)
    d.server.fill()
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


@pytest.mark.parametrize("in_place", [True, False])
def test_from_dovecot(theirs, make_instance, in_place, tmp_path):
    """UIDs, UIDVALIDITY, flags, keywords, times, names for POP3: no client
    fetches a message again."""
    i = make_instance()
    server, us = theirs.server, ours(i)
    mbsync, fetchmail = Mbsync(tmp_path), Fetchmail(tmp_path)
    assert mbsync.sync(server)[0] == 27
    assert fetchmail.fetch(server) > 0
    want = {f: server.state(f) for f in ("INBOX", "Work", "Work.Deep")}
    uidls, subscribed = server.uidls(), server.subscribed()
    source = theirs.work / "mail" / "alice"
    if in_place:
        put(i, source)
        said = i.posthouse("mail", "import", i.address("alice")).stdout
    else:
        said = i.posthouse("mail", "import", i.address("alice"), "--from",
                           bring(i, source)).stdout
    assert "INBOX: 9 messages" in said, said
    for folder, state in want.items():
        assert us.state(folder) == state, folder
    assert us.uidls() == uidls
    assert us.subscribed() == subscribed
    came, before, after, text = mbsync.sync(us)
    assert came == 0 and before == after, text
    assert fetchmail.fetch(us) == 0
    r = i.posthouse("mail", "verify", i.address("alice"), check=False)
    assert r.returncode == 0, r.stdout
    # Once more: nothing happens.
    if in_place:
        again = i.posthouse("mail", "import", i.address("alice")).stdout
        assert "INBOX: was imported already" in again, again
        assert us.state("Work") == want["Work"]
    # Names of files: keywords are not in them any more.
    names = [f.name for f in i.mailbox("alice").files()]
    assert not [n for n in names if re.search(r":2,[A-Z]*[a-z]", n)], names
