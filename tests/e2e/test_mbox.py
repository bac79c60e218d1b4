# SPDX-License-Identifier: ISC
"""Delivery into mbox files: in the spool directory, below the home, below
virtual_mailbox_base; locks, limits, odd files, kill -9."""

import calendar
import collections
import concurrent.futures
import imaplib
import os
import pathlib
import poplib
import random
import re
import signal
import smtplib
import stat
import subprocess
import time

import mboxes
import posthouse as ph
import pytest
import terminal


@pytest.mark.dev
def test_spool(make_instance):
    s = mboxes.Spool(make_instance).start()
    s.send("first", "From here\r\n>From there\r\n.dot\r\n")
    ph.wait_for(lambda: s.file().exists() and s.file().stat().st_size, "mail")
    st = s.file().stat()
    assert int(st.st_atime) < int(st.st_mtime), "a shell sees no new mail"
    s.send("second", to="dave")
    m, = s.wait(1)
    assert m.get_from().startswith("s@example.org  ")
    assert m["Return-Path"] == "<s@example.org>"
    assert m["X-Original-To"] == m["Delivered-To"] == "carol@localhost"
    assert m.get_payload() == ">From here\n>From there\n.dot\n"
    assert stat.S_IMODE(st.st_mode) == 0o660
    assert (st.st_uid, st.st_gid) == (mboxes.UID, mboxes.GROUP)
    s.wait(1, "dave")
    for k in range(20):
        s.send(f"more {k}")
    s.wait(21)
    assert s.subjects() == ["first"] + [f"more {k}" for k in range(20)]
    ph.wait_for(lambda: sorted(p.name for p in s.path.iterdir()) ==
                ["carol", "dave"], "the locks to be gone")
    s.instance.wait_log("delivered to mailbox")


# --- taken in for IMAP and POP3


def wait_empty(path):
    ph.wait_for(lambda: path.stat().st_size == 0, "all to be taken in")


def fetch_all(s, name="carol"):
    """(subject, flags, seconds since 1970) of all messages, by IMAP."""
    with imaplib.IMAP4("127.0.0.1", s.instance.imap_port) as c:
        c.login(name, mboxes.PASSWORD)
        c.select()
        found = []
        _, lines = c.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS"
                           " (SUBJECT)])")
        for item in lines:
            if isinstance(item, tuple):
                subject = re.search(rb"Subject: (.*)\r", item[1])[1].decode()
                flags = sorted(f.decode() for f in
                               imaplib.ParseFlags(item[0])
                               if f != b"\\Recent")
                when = calendar.timegm(time.gmtime(time.mktime(
                    imaplib.Internaldate2tuple(item[0]))))
                found.append((subject, flags, when))
        return found


def pop3_all(s, name="carol"):
    c = poplib.POP3("127.0.0.1", s.instance.pop3_port)
    c.user(name)
    c.pass_(mboxes.PASSWORD)
    texts = [b"\n".join(c.retr(n + 1)[1]) for n in range(c.stat()[0])]
    c.quit()
    return texts


@pytest.mark.dev
def test_taken_in_by_imap(make_instance):
    s = mboxes.Spool(make_instance).start()
    s.send("one")
    s.wait(1)
    with mboxes.Lock(s.file()) as f:
        f.seek(0, 2)
        f.write(b"From b@x  Tue Nov 14 22:13:20 2023\nStatus: RO\n"
                b"X-Status: AF\nSubject: two\n\n>From y\n\n"
                b"From c@x  Tue Nov 14 22:13:21 2023\nStatus: O\n"
                b"Subject: three\n\nz\n\n")
    found = sorted(fetch_all(s))
    assert [(f[0], f[1]) for f in found] == [
        ("one", []), ("three", []),
        ("two", ["\\Answered", "\\Flagged", "\\Seen"])]
    assert found[2][2] == 1700000000
    wait_empty(s.file())
    ph.wait_for(lambda: [f.name for f in s.path.iterdir()] == ["carol"],
                "the locks to be gone")
    assert {f.stat().st_uid for f in s.box().files()} == {mboxes.UID}
    ph.wait_for(lambda: not (s.box().path / "posthouse.take").exists(),
                "the list to be gone")
    # While the session is there: our delivery, and somebody else's.
    with imaplib.IMAP4("127.0.0.1", s.instance.imap_port) as c:
        c.login("carol", mboxes.PASSWORD)
        c.select()
        s.send("four")
        ph.wait_for(lambda: c.noop() and c.search(None, "SUBJECT", "four")[1]
                    != [b""], "a delivery to be seen")
        with mboxes.Lock(s.file()) as f:
            f.write(b"From b@x  Tue Nov 14 22:13:20 2023\n"
                    b"Subject: five\n\nx\n\n")
        ph.wait_for(lambda: c.noop() and c.search(None, "SUBJECT", "five")[1]
                    != [b""], "another program's delivery to be seen")
    wait_empty(s.file())


def test_taken_in_by_pop3(make_instance):
    s = mboxes.Spool(make_instance).start()
    for k in range(3):
        s.send(f"p{k}")
    s.wait(3)
    texts = pop3_all(s)
    assert [re.search(rb"Subject: (.*)", t)[1] for t in texts] == \
        [b"p0", b"p1", b"p2"]
    assert len(pop3_all(s)) == 3


def test_not_taken_in(make_instance):
    s = mboxes.Spool(make_instance, mbox_take_in="no").start()
    s.send("stays")
    s.wait(1)
    assert fetch_all(s) == []
    assert s.subjects() == ["stays"]


def test_below_the_home(make_instance):
    s = mboxes.Spool(make_instance, home_mailbox="mail/in").start()
    s.send("home")
    there = s.home() / "mail" / "in"
    ph.wait_for(lambda: there.exists() and there.stat().st_size, "mail")
    st = there.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == \
        (mboxes.UID, mboxes.UID, 0o600)
    assert [f[0] for f in fetch_all(s)] == ["home"]
    wait_empty(there)


# --- what others do to the file


PROCMAIL = """\
import sys, mboxes
path, mark, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
for k in range(n):
    with mboxes.Lock(path) as f:
        f.seek(0, 2)
        f.write(b"From p@x  Tue Nov 14 22:13:20 2023\\nSubject: %s-%d\\n\\n"
                b"%s\\n\\n" % (mark.encode(), k, b"y" * (k * 37 % 5000)))
"""


def others(s, mark, n):
    """Another program that delivers n messages, with both locks."""
    return subprocess.Popen(
        ["/usr/bin/python3", "-c", PROCMAIL, s.file(), mark, str(n)],
        cwd=pathlib.Path(mboxes.__file__).parent)


def procmails(s, mark, n):
    """procmail, once a message; with its lock file and fcntl."""
    rc = s.instance.dir / "procmailrc"
    rc.write_text(f"LOCKSLEEP=1\n:0:\n{s.file()}\n")
    for k in range(n):
        ph.run(["procmail", "-m", rc], timeout=60, input=(
            f"From p@x  Tue Nov 14 22:13:20 2023\nSubject: {mark}-{k}\n\n"
            "From w\n"))


def send_many(s, mark, n):
    with smtplib.SMTP("127.0.0.1", s.instance.smtp_port) as c:
        for k in range(n):
            c.sendmail("s@example.org", ["carol@localhost"],
                       f"Subject: {mark}-{k}\r\n\r\n" + "From z\r\n" * (k % 9))


def everything(s):
    """The subjects in the mbox and in the Maildir."""
    return collections.Counter(s.subjects()) + collections.Counter(
        re.search(rb"^Subject: (.*)$", m, re.M)[1].decode()
        for m in s.box().messages())


@pytest.mark.parametrize("reader", (False, True))
def test_together_with_other_programs(make_instance, reader):
    s = mboxes.Spool(make_instance).start()
    s.send("begin")
    s.wait(1)
    if reader:
        c = imaplib.IMAP4("127.0.0.1", s.instance.imap_port)
        c.login("carol", mboxes.PASSWORD)
        c.select()
    programs = [others(s, f"o{k}", 60) for k in range(2)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        p = pool.submit(procmails, s, "p", 20)
        list(pool.map(lambda k: send_many(s, f"s{k}", 60), range(2)))
        p.result()
    for p in programs:
        assert p.wait(60) == 0
    want = collections.Counter(
        ["begin"] + [f"p-{k}" for k in range(20)] +
        [f"{m}-{k}" for m in ("o0", "o1", "s0", "s1") for k in range(60)])
    # What is being taken in stands in both for a moment.
    ph.wait_for(lambda: everything(s) == want, "all mail", 60)
    if reader:
        wait_empty(s.file())
        c.logout()
    assert everything(s) == want
    for m in s.messages():
        if m["Subject"].startswith("s"):
            assert m.get_payload() == \
                ">From z\n" * (int(m["Subject"].split("-")[1]) % 9)


def test_kill(make_instance):
    """kill -9 of those who write and take in: nothing is lost, what was being
    written may be there twice or in part; nobody waits for stale_lock_time."""
    s = mboxes.Spool(make_instance, minimal_backoff_time="1s", maximal_backoff_time="2s",
                     queue_run_delay="1s").start()
    s.send("begin")
    s.wait(1)
    c = imaplib.IMAP4("127.0.0.1", s.instance.imap_port)
    c.login("carol", mboxes.PASSWORD)
    c.select()
    end = time.monotonic() + 6
    killed = 0
    rng = random.Random(ph.SEED)

    def kill():
        nonlocal killed
        while time.monotonic() < end:
            for name in ("mbox", "taker"):
                for pid in s.pids(name):
                    try:
                        os.kill(pid, signal.SIGKILL)
                        killed += 1
                    except ProcessLookupError:
                        pass
            time.sleep(rng.uniform(0.05, 0.4))

    s.instance.expected.append("was killed by signal 9")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        killer = pool.submit(kill)
        n = 0
        while time.monotonic() < end:
            s.send(f"k-{n}", "x" * 2000 + "\r\n")
            n += 1
        killer.result()
    assert killed >= 3
    s.send("end")       # wakes what waits

    def missing():
        s.instance.posthouse("queue", "release", "ALL", check=False)
        s.instance.posthouse("queue", "flush", check=False)
        return {f"k-{k}" for k in range(n)} - set(everything(s))

    ph.wait_for(lambda: not missing(), "all mail", 60, 0.5)
    c.logout()


@pytest.mark.parametrize("odd", ("link", "hard link", "fifo", "directory",
                                 "stranger"))
def test_odd_files(make_instance, odd):
    s = mboxes.Spool(make_instance).start()
    there = s.file()
    other = s.path / "other"
    other.write_text("")
    os.chown(other, mboxes.UID, mboxes.GROUP)
    want = "is not a regular file"
    if odd == "link":
        there.symlink_to(other)
    elif odd == "hard link":
        there.hardlink_to(other)
        want = "has several names"
    elif odd == "fifo":
        os.mkfifo(there)
    elif odd == "directory":
        there.mkdir()
    else:
        other.rename(there)
        os.chown(there, mboxes.UID + 1, mboxes.GROUP)
        there.chmod(0o660)
        want = "is not owned by the recipient"
    s.send("odd")
    s.instance.wait_log(rf"status=deferred \(.*mailbox carol {want}")
    assert other.read_text() == "" if other.exists() else True
    assert "dsn=4.2.0" in s.instance.log_text() or \
        "dsn=4.3.5" in s.instance.log_text()


def test_no_mbox(make_instance):
    """What stands there is something else: it stays as it is, and the log is
    not filled with it."""
    s = mboxes.Spool(make_instance).start()
    s.file().write_text("Subject: no mbox\n\nx\n")
    os.chown(s.file(), mboxes.UID, mboxes.GROUP)
    said = r"mbox of carol: not taken in: no mbox: no From_ line at byte 0"
    for _ in range(3):
        assert fetch_all(s) == []
    s.instance.wait_log(said)
    s.send("deferred")
    s.instance.wait_log(r"dsn=4\.3\.5, status=deferred .*mailbox carol: is no "
                        "mbox: it does not begin with a From_ line")
    with mboxes.Lock(s.file()) as f:
        f.seek(0, 2)
        f.write(b"more\n")
    for _ in range(2):
        assert fetch_all(s) == []
    ph.wait_for(lambda: len(re.findall(said, s.instance.log_text())) >= 2,
                "another word about another state")
    assert s.file().read_text() == "Subject: no mbox\n\nx\nmore\n"
    # Mended: all goes its way, and there was no third word.
    with mboxes.Lock(s.file()) as f:
        f.truncate(0)
    s.instance.posthouse("queue", "flush")
    ph.wait_for(lambda: [m[0] for m in fetch_all(s)] == ["deferred"],
                "the deferred message")
    assert len(re.findall(said, s.instance.log_text())) == 2


def test_directory_that_is_not_sticky(make_instance):
    s = mboxes.Spool(make_instance)
    assert s.instance.posthouse("check").stdout == ""
    s.path.chmod(0o2775)
    r = s.instance.posthouse("check", check=False)
    assert r.returncode == 1
    assert r.stdout.startswith(f"mail_spool_directory = {s.path}: ")
    assert "not sticky" in r.stdout
    s.start()
    s.instance.wait_log(r"spawner.*mail_spool_directory = .* not sticky")
    s.send("all the same")
    s.wait(1)
    s.path.chmod(0o755)         # root's alone: nobody else's to fill or empty
    assert s.instance.posthouse("check").stdout == ""
    s.instance.set(mail_spool_directory=s.path / "none")
    r = s.instance.posthouse("check", check=False)
    assert (r.returncode, "No such file" in r.stdout) == (1, True)
    s.instance.set(home_mailbox="Maildir/")
    assert s.instance.posthouse("check").stdout == ""


def test_size_limit(make_instance):
    s = mboxes.Spool(make_instance, mailbox_size_limit="3000",
                     message_size_limit="2900").start()
    s.send("fits", "x" * 1000)
    s.wait(1)
    size = s.file().stat().st_size
    s.send("does not", "x" * 1900, sender="")
    s.instance.wait_log(r"dsn=5\.2\.2, status=bounced .*mailbox_size_limit")
    assert s.file().stat().st_size == size
    s.send("small")
    s.wait(2)


def test_lock_is_waited_for(make_instance):
    s = mboxes.Spool(make_instance, deliver_lock_attempts="3").start()
    s.send("first")
    s.wait(1)
    with mboxes.Lock(s.file()):
        s.send("waits")
        time.sleep(0.5)
        assert s.subjects() == ["first"]
    s.wait(2)
    with mboxes.Lock(s.file()):
        s.send("too long")
        s.instance.wait_log(r"dsn=4\.2\.0, status=deferred .*locked by another")
    s.dot = s.path / "carol.lock"
    assert not s.dot.exists()


def test_replaced(make_instance):
    """A mail program removes the empty file: nothing is deferred."""
    s = mboxes.Spool(make_instance).start()
    for k in range(5):
        s.send(f"r{k}")
        s.wait(1)
        s.file().unlink()
    assert "deferred" not in s.instance.log_text()


def test_virtual(make_instance):
    i = make_instance(start=False)
    table = i.conf_dir / "vmailbox"
    table.write_text(table.read_text().replace("/bob/", "/bob"))
    i.start()
    with smtplib.SMTP("127.0.0.1", i.smtp_port) as c:
        for k in range(3):
            c.sendmail("s@example.org", [i.address("alice"), i.address("bob")],
                       f"Subject: v{k}\r\n\r\nx\r\n")
    i.mailbox("alice").wait(3)
    there = i.dir / "mail" / ph.DOMAIN / "bob"
    ph.wait_for(lambda: there.is_file() and
                there.read_text().count("\nSubject: v") == 3, "the mbox")
    assert there.stat().st_uid == i.vmail_uid


# --- people's programs


def test_s_nail_and_mutt(make_instance):
    s = mboxes.Spool(make_instance).start()
    for k in range(3):
        s.send(f"read {k}", f"From here {k}\r\n")
    s.wait(3)
    r = ph.run(["s-nail", "-n", "-R", "-H", "-f", s.file()])
    assert [len(re.findall(rf"\bread {k}\b", r.stdout)) for k in range(3)] == \
        [1, 1, 1], r.stdout
    # It removes the second, under its own locks, while mail comes.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_many, s, "more", 20)
        ph.run(["s-nail", "-n", "-S", "keep", "-f", s.file()],
               input="delete 2\nquit\n")
        sending.result()
    s.wait(22)
    assert sorted(s.subjects()) == sorted(
        ["read 0", "read 2"] + [f"more-{k}" for k in range(20)])
    home = s.instance.dir / "mutt"
    home.mkdir()
    with terminal.Terminal(home, "mutt", "-n", "-R", "-e",
                           f"set folder={home}", "-f", s.file()) as t:
        t.wait("more-19")
        t.wait("Msgs:22")
        t.key("q")
        t.wait_end()
