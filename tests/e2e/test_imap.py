# SPDX-License-Identifier: ISC
"""IMAP with clients nobody here wrote, and several of them at once."""

import contextlib
import fcntl
import imaplib
import os
import re
import socket
import time

import pytest

import clients
import posthouse as ph
from clients import Letter

imaplib.Commands.setdefault("MOVE", ("SELECTED",))
imaplib.Commands.setdefault("ID", ("AUTH", "SELECTED"))
imaplib.Commands.setdefault("UNSELECT", ("SELECTED",))

MESSAGE = (
    b'From: "A, B" <a@example.com>\r\nTo: Friends: x@example.com;\r\n'
    b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="bb"\r\n\r\npreamble\r\n'
    b"--bb\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gV8O2cmxkCg==\r\n"
    b"--bb\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n"
    b"inner body\r\nline two\r\n--bb--\r\nepilogue\r\n")


@contextlib.contextmanager
def session(i, user="alice", select="INBOX"):
    c = imaplib.IMAP4("127.0.0.1", i.imap_port, timeout=60)
    try:
        ok(c.login(i.address(user), i.users[user]))
        if select:
            ok(c.select(select))
        yield c
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            c.logout()


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def uids(c):
    return ok(c.uid("SEARCH", "ALL"))[0].split()


def untagged(c, name):
    return [x for x in c.response(name)[1] if x is not None]


@pytest.fixture
def empty(instance):
    while files := instance.mailbox("alice").files():
        for f in files:         # names may still be written behind
            f.unlink(missing_ok=True)
    with session(instance) as c:
        for line in ok(c.list('""', "*")):
            name = line.decode().rsplit(' "." ', 1)[1].strip('"')
            if name != "INBOX" and b"\\Noselect" not in line:
                ok(c.delete(name))
    return instance


# -- one client, every command

def test_walk(empty):
    with session(empty) as c:
        for word in ("IMAP4REV1", "LITERAL+", "IDLE", "NAMESPACE", "UIDPLUS",
                     "MOVE", "SPECIAL-USE", "UNSELECT", "ENABLE", "ID",
                     "CHILDREN"):
            assert word.encode() in ok(c.capability())[0].upper().split()
        assert b"APPENDUID" in ok(c.append("INBOX", None, None, MESSAGE))[0]
        ok(c.append("INBOX", r"(\Seen \Flagged)",
                    '"17-Jul-1996 02:44:25 -0700"',
                    b"Subject: two\r\n\r\nsecond\r\n"))
        ok(c.noop())
        assert untagged(c, "EXISTS")[-1] == b"2"

        data = ok(c.fetch("1", "(RFC822 RFC822.SIZE)"))
        assert data[0][1] == MESSAGE
        assert f"RFC822.SIZE {len(MESSAGE)}".encode() in data[1]
        assert ok(c.fetch("1", "BODY[1]"))[0][1] == b"SGVsbG8gV8O2cmxkCg=="
        assert ok(c.fetch("1", "BODY[2.TEXT]"))[0][1] == \
            b"inner body\r\nline two"
        assert ok(c.fetch("1", "BODY[]<10.20>"))[0][1] == MESSAGE[10:30]
        structure = ok(c.fetch("1", "BODYSTRUCTURE"))[0]
        assert b'"message" "rfc822"' in structure and b'"mixed"' in structure
        date = ok(c.fetch("2", "INTERNALDATE"))[0]
        assert imaplib.Internaldate2tuple(date) == \
            imaplib.Internaldate2tuple(
                b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"')

        c.literal = "WÖRLD".encode()
        assert ok(c.uid("SEARCH", "CHARSET", "UTF-8", "TEXT"))[0] == b"1"
        assert ok(c.search(None, "SENTON", "7-Feb-1994"))[0] == b"1"
        assert ok(c.search(None, "FLAGGED", "SEEN"))[0] == b"2"

        ok(c.create("Archive"))
        ok(c.create("Work.2026"))
        assert any(b"\\Archive" in x for x in ok(c.list()))
        assert b"COPYUID" in ok(c.copy("1:2", "Archive"))[0]
        status = ok(c.status("Archive", "(MESSAGES UNSEEN)"))[0]
        assert b"MESSAGES 2 UNSEEN 0" in status
        assert c.copy("1", "Nowhere")[0] == "NO"
        ok(c.uid("MOVE", "2", "Work.2026"))
        assert untagged(c, "EXPUNGE") == [b"2"]
        ok(c.rename("Work", "Office"))
        ok(c.subscribe("Office.2026"))
        assert b"Office.2026" in ok(c.lsub())[0]
        ok(c.unsubscribe("Office.2026"))
        ok(c.store("1", "+FLAGS", r"(\Deleted)"))
        assert ok(c.expunge()) == [b"1"]
        ok(c.rename("INBOX", "Old"))
        ok(c.check())
        ok(c.close())
        ok(c.delete("Office.2026"))


def test_curl(empty):
    letter = Letter()
    with session(empty) as c:
        ok(c.append("INBOX", None, None, letter.bytes))
    url = f"imap://127.0.0.1:{empty.imap_port}"
    user = f"{empty.address('alice')}:{empty.users['alice']}"
    with session(empty) as c:
        uid = uids(c)[-1].decode()
    got = ph.run(["curl", "-sS", "-u", user, f"{url}/INBOX;UID={uid}"])
    assert letter.is_in(got.stdout.encode()
                        if isinstance(got.stdout, str) else got.stdout)


def test_large_message_comes_back_whole(empty):
    body = b"".join(b"%06d %s\r\n" % (k, b"x" * 60) for k in range(70000))
    big = b"Subject: big\r\n\r\n" + body
    with session(empty) as c:
        ok(c.append("INBOX", None, None, big))
        ok(c.noop())
        assert ok(c.fetch("1", "BODY[]"))[0][1] == big
        part = ok(c.fetch("1", "BODY[TEXT]<1000001.70001>"))[0][1]
        assert part == body[1000001:1070002]


# -- several at once

def test_sessions_see_each_other(empty):
    with session(empty) as a, session(empty) as b:
        ok(a.append("INBOX", None, None, MESSAGE))
        ok(a.append("INBOX", None, None, MESSAGE))
        ok(b.noop())
        assert untagged(b, "EXISTS")[-1] == b"2"
        ok(a.noop())
        ok(a.store("1", "+FLAGS", r"(\Deleted)"))
        ok(b.noop())
        assert any(b"\\Deleted" in x for x in untagged(b, "FETCH"))
        ok(a.expunge())
        # No EXPUNGE in FETCH: the number still means the old message.
        b.untagged_responses.clear()
        b.fetch("1:2", "(FLAGS)")
        assert not untagged(b, "EXPUNGE")
        ok(b.noop())
        assert untagged(b, "EXPUNGE") == [b"1"]
    # One process held both.
    ph.wait_for(lambda: len(empty.pids().get("imapd", [])) <= 1, "the end of "
                "the process of the test before")


def idle_lines(c, act):
    """What IDLE says after act()."""
    tag = c._new_tag()
    c.send(tag + b" IDLE\r\n")
    assert c.readline().startswith(b"+ ")
    act()
    lines = [c.readline()]      # comes by itself
    time.sleep(0.5)
    c.send(b"DONE\r\n")
    while not (line := c.readline()).startswith(tag):
        lines.append(line)
    return lines


def test_idle_is_told_at_once(empty):
    letter = Letter()
    with session(empty) as c:
        began = time.monotonic()
        lines = idle_lines(c, lambda: clients.send_smtplib(
            empty, letter, [empty.address("alice")]))
        assert b"* 1 EXISTS\r\n" in lines, lines
        assert time.monotonic() - began < 25     # not by a look now and then
        with session(empty) as other:
            lines = idle_lines(c, lambda: ok(
                other.store("1", "+FLAGS", r"(\Seen)")))
        assert any(b"\\Seen" in x for x in lines), lines


def test_foreign_writer(empty):
    """Another program at the Maildir: a new file, a flag, a loss."""
    box = empty.mailbox("alice").path
    with session(empty) as c:
        for k in range(3):
            f = box / "tmp" / f"{1000 + k}.foreign"
            f.write_bytes(b"Subject: f%d\n\nbody\n" % k)
            os.chown(f, empty.vmail_uid, empty.vmail_uid)
            f.rename(box / "new" / f.name)
        ok(c.noop())
        assert untagged(c, "EXISTS")[-1] == b"3"
        # Seen by a session, it moves: soon, not at once.
        ph.wait_for(lambda: (box / "cur" / "1001.foreign:2,").exists()
                    and (box / "cur" / "1000.foreign:2,").exists(),
                    "new mail in cur")
        before = uids(c)
        (box / "cur" / "1001.foreign:2,").rename(
            box / "cur" / "1001.foreign:2,FS")
        (box / "cur" / "1000.foreign:2,").unlink()
        ok(c.noop())
        assert untagged(c, "EXPUNGE") == [b"1"]
        assert uids(c) == before[1:]
        assert ok(c.search(None, "FLAGGED"))[0] == b"1"
        assert any(b"\\Flagged \\Seen" in x for x in untagged(c, "FETCH"))
        assert ok(c.fetch("1", "RFC822"))[0][1] == \
            b"Subject: f1\r\n\r\nbody\r\n"


# -- what lasts

def test_a_lock_that_is_not_given_back(empty):
    """Another program of the user's keeps INBOX's log locked: that is said
    after some seconds, and the process has other folders."""
    with session(empty) as c, session(empty) as other:
        ok(c.append("INBOX", None, None, MESSAGE))
        ok(other.create("Other"))
        ok(other.select("Other"))
        log = empty.mailbox("alice").path / "posthouse.log"
        with open(log, "r+b") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)
            for _ in range(3):
                kind, said = c.store("1", "+FLAGS", r"(\Flagged)")
                assert kind == "NO"
                assert b"[INUSE] posthouse.log is locked" in said[0]
                ok(other.append("Other", None, None, MESSAGE))
                ok(other.store("1", "+FLAGS", r"(\Seen)"))
        ok(c.store("1", "+FLAGS", r"(\Flagged)"))


def test_uids_last(make_instance):
    i = make_instance()
    with session(i) as c:
        for k in range(5):
            ok(c.append("INBOX", None, None, b"Subject: %d\r\n\r\n\r\n" % k))
        ok(c.noop())
        ok(c.store("5", "+FLAGS", r"(\Deleted)"))
        ok(c.expunge())
        before = uids(c)
        validity = untagged(c, "UIDVALIDITY")[-1]
    for kill in (i.stop, i.kill_all):
        kill()
        i.start()
        with session(i) as c:
            assert untagged(c, "UIDVALIDITY")[-1] == validity
            assert uids(c) == before
    with session(i) as c:
        answer = ok(c.append("INBOX", None, None, MESSAGE))[0]
        assert int(re.search(rb"APPENDUID \d+ (\d+)", answer)[1]) == 6
    box = i.mailbox("alice").path

    def lost(name):
        (box / name).unlink(missing_ok=True)

    def damaged(name):
        (box / name).write_bytes(b"x" * 99)

    with session(i) as c:
        before = uids(c)
    # The log is enough; without both all is new, and no old UID comes for
    # another message.
    for harm in (lost, damaged):
        for names, same in ((("posthouse.index",), True),
                            (("posthouse.log", "posthouse.index"), False)):
            i.stop()
            for name in names:
                harm(name)
            i.start()
            with session(i) as c:
                now = untagged(c, "UIDVALIDITY")[-1]
                if same:
                    assert now == validity and uids(c) == before, (harm, names)
                else:
                    assert int(now) > int(validity), (harm, names)
                    assert len(uids(c)) == len(before)
                    validity, before = now, uids(c)


def test_autologout_and_limits_are_parameters(make_instance):
    i = make_instance(imap_session_limit=2, imap_append_limit=2000)
    with session(i) as a, session(i):
        with socket.create_connection(("127.0.0.1", i.imap_port), 60) as s:
            f = s.makefile("rb")
            f.readline()
            s.sendall(f"a LOGIN {i.address('alice')} {i.users['alice']}\r\n"
                      .encode())
            assert f.readline().startswith(b"a NO [LIMIT]")
            assert f.readline().startswith(b"* BYE")
        assert a.append("INBOX", None, None, b"x" * 2001)[0] == "NO"
        ok(a.noop())
