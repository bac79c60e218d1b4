# SPDX-License-Identifier: ISC
"""Delivery into mbox files: in the spool directory, below the home, below
virtual_mailbox_base; locks, limits, odd files, kill -9."""

import calendar
import imaplib
import os
import poplib
import re
import stat
import time

import mboxes
import posthouse as ph
import pytest


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
    assert "delivered to mailbox" in s.instance.log_text()


# --- taken in for IMAP and POP3


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
    assert s.file().stat().st_size == 0
    assert [f.name for f in s.path.iterdir()] == ["carol"]
    assert {f.stat().st_uid for f in s.box().files()} == {mboxes.UID}
    assert not (s.box().path / "posthouse.take").exists()
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
    assert s.file().stat().st_size == 0


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
    assert there.stat().st_size == 0
