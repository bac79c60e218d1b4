# SPDX-License-Identifier: ISC
"""curl on IMAP and POP3: list, append, search, fetch, change, delete."""

import subprocess

import pytest

import clients
import posthouse as ph
from clients import Letter


@pytest.fixture(scope="module")
def house(make_module_instance):
    i = make_module_instance(users={"imap": "imap-secret",
                                    "pop3": "pop3-secret"})
    i.letters = [Letter(f"Body {n}.\r\n..\r\n", [("X-Number", str(n))])
                 for n in range(4)]
    for n, letter in enumerate(i.letters):
        clients.send_smtplib(i, letter, [i.address("imap"),
                                         i.address("pop3")])
        for user in i.users:
            i.mailbox(user).wait(n + 1)
    return i


@pytest.fixture
def curl(house):
    def run(user, path, *args, fails=None, **kw):
        port = {"imap": house.imap_port, "pop3": house.pop3_port}[user]
        r = subprocess.run(
            [ph.tool("curl"), "-sS", "-m", "60", "--ssl-reqd", "--cacert",
             str(house.ca_file), "-u",
             f"{house.address(user)}:{house.users[user]}",
             f"{user}://localhost:{port}/{path}", *args],
            env=ph.clean_env(), capture_output=True, timeout=120, **kw)
        if fails:
            assert r.returncode == fails, r
        else:
            assert r.returncode == 0, r
        return r.stdout
    return run


def test_imap_lists_and_makes_folders(curl):
    curl("imap", "", "-X", 'CREATE "Work.2026"')
    curl("imap", "", "-X", 'CREATE "With space &- sign"')
    listed = curl("imap", "")
    for line in (b'* LIST (\\HasNoChildren) "." INBOX',
                 b'"." Work.2026', b'"With space &- sign"'):
        assert line in listed, listed
    assert b"MESSAGES 0" in curl("imap", "", "-X",
                                 "STATUS Work.2026 (MESSAGES UIDNEXT)")
    # A space and a percent sign in the URL's path.
    assert curl("imap", "With%20space%20&-%20sign?ALL") == b"* SEARCH\r\n"
    curl("imap", "", "-X", 'DELETE "With space &- sign"')
    curl("imap", "With%20space%20&-%20sign?ALL", fails=67)
    curl("imap", "Nowhere;MAILINDEX=1", fails=67)


def test_imap_fetches(house, curl):
    for n, letter in enumerate(house.letters, 1):
        assert letter.is_in(curl("imap", f"INBOX;UID={n}"))
        assert letter.is_in(curl("imap", f"INBOX;MAILINDEX={n}"))
    text = curl("imap", "INBOX;MAILINDEX=2;SECTION=TEXT")
    assert text == house.letters[1].body
    assert b"X-Number: 2\r\n\r\n" == curl(
        "imap", "INBOX;UID=3;SECTION=HEADER.FIELDS%20(X-Number)")
    assert curl("imap", "INBOX;UID=3;SECTION=TEXT;PARTIAL=2.5") == b"dy 2."
    curl("imap", "INBOX;UID=4711", fails=78)
    all_flags = curl("imap", "INBOX", "-X", "FETCH 1:* (UID FLAGS)")
    assert all_flags.count(b"FETCH (UID ") == len(house.letters)


def test_imap_searches(house, curl):
    assert curl("imap", "INBOX?ALL") == b"* SEARCH 1 2 3 4\r\n"
    assert curl("imap", "INBOX?HEADER%20X-Number%202") == b"* SEARCH 3\r\n"
    assert curl("imap", "INBOX?SUBJECT%20" + house.letters[1].mark) == \
        b"* SEARCH 2\r\n"
    assert curl("imap", "INBOX", "-X", "UID SEARCH NOT BODY 2") == \
        b"* SEARCH 1 2 4\r\n"


def test_imap_appends_flags_and_expunges(house, curl):
    letter = Letter("Appended.\r\n")
    f = house.dir / "append.eml"
    f.write_bytes(letter.bytes)
    curl("imap", "INBOX", "-T", str(f))
    assert letter.is_in(curl("imap", "INBOX;MAILINDEX=5"))
    curl("imap", "INBOX", "-X", r"STORE 5 +FLAGS (\Flagged \Deleted)")
    assert b"\\Flagged" in curl("imap", "INBOX", "-X", "FETCH 5 FLAGS")
    assert b"* 5 EXPUNGE\r\n" in curl("imap", "INBOX", "-X", "EXPUNGE")
    house.mailbox("imap").wait_left(4)


def test_pop3(house, curl):
    lengths = [line.split() for line in curl("pop3", "").splitlines()]
    assert [n for n, _ in lengths] == [b"1", b"2", b"3", b"4"]
    for n, letter in enumerate(house.letters, 1):
        raw = curl("pop3", str(n))
        assert letter.is_in(raw)
        assert len(raw) == int(lengths[n - 1][1])
    uidls = dict(line.split() for line in
                 curl("pop3", "", "-X", "UIDL").splitlines())
    assert len(set(uidls.values())) == 4
    top = curl("pop3", "", "-X", "TOP 2 0")
    assert b"X-Number: 1" in top and b"Body" not in top
    curl("pop3", "2", "-X", "DELE", "-I")
    left = dict(line.split() for line in
                curl("pop3", "", "-X", "UIDL").splitlines())
    assert [*left.values()] == [v for n, v in uidls.items() if n != b"2"]
    curl("pop3", "99", fails=8)
