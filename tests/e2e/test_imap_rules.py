# SPDX-License-Identifier: ISC
"""Single sentences of the RFCs that no client in the tests depends on."""

import pytest

from rawimap import Imap, parse_list

LETTER = b"From: a@example.com\r\nSubject: s\r\n\r\nbody\r\n"


def login(i, user="alice"):
    return Imap(i.imap_port, i.address(user), i.users[user])


@pytest.fixture
def two(make_instance):
    """Two clients of alice, who has six letters."""
    i = make_instance()
    with login(i) as a, login(i) as b:
        for _ in range(6):
            assert a.literal(b"APPEND INBOX", (LETTER, b""))[0].startswith(
                b"OK")
        yield a, b


@pytest.fixture
def c(make_instance):
    i = make_instance()
    with login(i) as c:
        yield c


def names(lines):
    return [parse_list(x)[2].decode() for x in lines
            if x.startswith((b"* LIST", b"* LSUB"))]


@pytest.mark.parametrize("by", ["ENABLE IMAP4rev2", "ENABLE CONDSTORE",
                                "STATUS INBOX (HIGHESTMODSEQ)"])
def test_unsolicited_fetch_has_the_uid(two, by):
    """RFC 9051 7.5.2; RFC 7162 3.2.4: CONDSTORE is enough."""
    a, b = two
    a.ok(by)
    a.ok("SELECT INBOX")
    b.ok("SELECT INBOX")
    b.ok(r"STORE 2 +FLAGS (\Flagged)")
    (said,) = a.ok("NOOP")
    assert b"UID 2 " in said, said
    tag = a.begin("IDLE")
    assert a.line().startswith(b"+")
    b.ok(r"STORE 3 +FLAGS (\Flagged)")
    assert b"UID 3 " in a.line()
    a.send("DONE\r\n")
    a.end(tag)
    (said,) = [x for x in a.ok(r"STORE 4 +FLAGS (\Flagged)") if b"FETCH" in x]
    assert b"UID 4 " in said
    # A FETCH that sets \Seen tells that with the UID; what it asks for comes
    # as it was asked for.
    said = [x for x in a.ok("FETCH 5 BODY[TEXT]") if rb"\Seen" in x]
    assert "rev2" in by or b"UID 5 " in said[0]
    assert a.ok("FETCH 6 FLAGS")[0].startswith(b"* 6 FETCH (FLAGS ")


def test_uid_search_by_numbers_is_told_of_no_vanished(two):
    """RFC 7162 3.2.10.2: not while message numbers are in the criteria."""
    a, b = two
    a.ok("ENABLE QRESYNC")
    a.ok("SELECT INBOX")
    b.ok("SELECT INBOX")

    def expunge():
        b.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        b.ok("EXPUNGE")

    expunge()
    for command in ("UID SEARCH 1:3", "UID SEARCH NOT (OR SEEN 2)",
                    "UID SORT (DATE) UTF-8 1:*", "UID THREAD REFERENCES "
                    "UTF-8 1", "SEARCH ALL", "FETCH 2 UID"):
        said = a.ok(command)
        assert not [x for x in said if b"VANISHED" in x], command
    assert b"* VANISHED 1" in a.ok("UID SEARCH UID 1:3")
    expunge()
    assert b"* VANISHED 2" in a.ok("UID SEARCH $ ALL")
    expunge()
    assert b"* VANISHED 3" in a.ok("UID FETCH 5 FLAGS")


def test_numbers_of_63_bits(two):
    """RFC 9051 9: number64 in LARGER, SMALLER and <partial>."""
    a, _ = two
    a.ok("SELECT INBOX")
    most = 2 ** 63 - 1
    for n in (2 ** 32, most):
        assert a.ok(f"SEARCH LARGER {n}") == [b"* SEARCH"]
        assert a.ok(f"SEARCH SMALLER {n}") == [b"* SEARCH 1 2 3 4 5 6"]
        assert a.ok(f"FETCH 1 BODY.PEEK[]<{n}.{n}>") == [
            b"* 1 FETCH (BODY[]<%d> {0}\r\n)" % n]
        assert a.ok(f"FETCH 1 BODY.PEEK[TEXT]<1.{n}>") == [
            b"* 1 FETCH (BODY[TEXT]<1> {5}\r\nody\r\n)"]
    for command in (f"SEARCH LARGER {most + 1}", "SEARCH YOUNGER 4294967296",
                    f"FETCH 1 BODY.PEEK[]<0.{most + 1}>",
                    "FETCH 1 BODY.PEEK[]<0.0>"):
        a.bad(command)


def test_patterns_that_match_nothing(c):
    """RFC 9051 6.3.9: an empty one in extended syntax, or one that is not to
    the server's liking, is no error and finds nothing."""
    c.ok("CREATE foo")
    for command in ('LIST foo ("")', 'LIST () foo ""', 'LIST foo "" RETURN ()',
                    'LIST () "" ("" "")', 'LIST "" "%s"' % ("x" * 3000),
                    'LIST "" ("%s" "")' % ("x" * 3000),
                    'LSUB "" "%s"' % ("x" * 3000)):
        assert c.ok(command) == [], command
    assert names(c.ok('LIST "" ("" foo "%s" inbox)' % ("x" * 3000))) == [
        "INBOX", "foo"]
    assert names(c.ok('LIST foo ""')) == [""]


def test_inbox_is_one_level_in_any_case(c):
    """RFC 9051 5.1: else LIST shows a level "inbox", which is INBOX to every
    client, as one that cannot be selected."""
    c.ok("CREATE inbox.Sub")
    listed = c.ok('LIST "" *')
    assert names(listed) == ["INBOX", "INBOX.Sub"]
    assert rb"\Noselect" not in b"".join(listed)
    for name in ("INBOX.Sub", "Inbox.Sub"):
        assert c.ok(f"STATUS {name} (MESSAGES)") == [
            b"* STATUS INBOX.Sub (MESSAGES 0)"]
        assert names(c.ok(f'LIST "" {name}')) == ["INBOX.Sub"]
    assert names(c.ok('LIST "" inbox.%')) == ["INBOX.Sub"]
    assert b"NONEXISTENT" in c.no("SELECT INBOX.sub")
    assert names(c.ok('LIST "" inbox.sub')) == []
    c.ok("SUBSCRIBE iNbOx.Sub")
    assert names(c.ok('LSUB "" *')) == ["INBOX.Sub"]
    c.ok("RENAME inbox.Sub inbox.B")
    c.ok("SELECT inbox.B")
    c.ok("ENABLE IMAP4rev2")
    assert b'* LIST () "." INBOX.B ("OLDNAME" (inbox.B))' in c.ok(
        "SELECT inbox.B")
    c.ok("DELETE inbox.B")
    assert names(c.ok('LIST "" *')) == ["INBOX"]


def test_names_in_utf8_from_everybody(c):
    """RFC 6855 3: a server of UTF8=ACCEPT takes quoted UTF-8 as a mailbox's
    name also without ENABLE, and answers as IMAP4rev1 has it."""
    new, old = "Grüße".encode(), "Gr&APwA3w-e"
    c.ok(b'CREATE "%s"' % new)
    assert b"ALREADYEXISTS" in c.no(f'CREATE "{old}"')
    assert c.ok(b'STATUS "%s" (MESSAGES)' % new) == [
        f"* STATUS {old} (MESSAGES 0)".encode()]
    for pattern in (new, b"Gr\xc3\xbc*", "Gru\u0308%".encode(), b"Gr&*"):
        assert names(c.ok(b'LIST "" "%s"' % pattern)) == [old], pattern
    c.ok(b'SUBSCRIBE "%s"' % new)
    assert names(c.ok(b'LSUB "" "%s"' % new)) == [old]
    c.ok(b'UNSUBSCRIBE "%s"' % new)
    assert c.literal(b'APPEND "%s"' % new, (LETTER, b""))[0].startswith(b"OK")
    c.ok(b'SELECT "%s"' % new)
    c.ok(b'COPY 1 "%s"' % new)
    c.ok(b'RENAME "%s" "R&D \xe2\x82\xac"' % new)
    assert names(c.ok('LIST "" *')) == ["INBOX", "R&-D &IKw-"]
    c.ok('DELETE "R&-D &IKw-"')
    c.bad(b'CREATE "Gr\xfc\xdfe"')
    # Who writes ASCII means what IMAP4rev1 means.
    assert b"CANNOT" in c.no('CREATE "R&D"')
