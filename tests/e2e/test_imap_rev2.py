# SPDX-License-Identifier: ISC
"""IMAP4rev2 (RFC 9051), by the list of what is new in it (appendix E): what a
client that has enabled it is told, and what all others are told as before."""

import os
import re

import pytest

from rawimap import Imap, parse_list

LETTER = (
    "From: a@example.com\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8;\r\n"
    " name*0*=utf-8''a%C3%BC; name*1=b\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\n"
    "SGVsbG8AV8O2cmxkCg==\r\n").encode()
BODY = "Hello\0Wörld\n".encode()


def login(i, user="alice"):
    return Imap(i.imap_port, i.address(user), i.users[user])


@pytest.fixture
def fresh(make_instance):
    """An instance where alice has a new letter, which nobody has seen."""
    i = make_instance()
    with login(i) as c:
        c.ok("CREATE Other")
    new = i.mailbox("alice").path / "tmp" / "1000000000.x"
    new.write_bytes(LETTER.replace(b"\r\n", b"\n"))
    os.chown(new, *os.stat(new.parent)[4:6])
    new.rename(new.parent.parent / "new" / new.name)
    return i


@pytest.fixture
def c(fresh):
    with login(fresh) as c:
        assert c.ok("ENABLE IMAP4rev2") == [b"* ENABLED IMAP4rev2"]
        yield c


@pytest.fixture
def old(fresh):
    """Who has not enabled it."""
    with login(fresh) as c:
        yield c


def starting(lines, *words):
    return [x for x in lines if x.startswith(tuple(b"* " + w for w in words))]


def test_capability(fresh, c):
    with Imap(fresh.imap_port) as before:
        assert {"IMAP4rev1", "IMAP4rev2"} <= set(before.capabilities())
        assert "AUTH=PLAIN" in before.capabilities()
        assert b"IMAP4rev1 IMAP4rev2" in before.greeting
    assert {"IMAP4rev1", "IMAP4rev2"} <= set(c.capabilities())


def test_what_rev2_has_taken_in_is_named_for_rev1(old):
    """E.2: NAMESPACE, UNSELECT, UIDPLUS, ESEARCH, SEARCHRES, ENABLE, IDLE,
    SASL-IR, LIST-EXTENDED, LIST-STATUS, MOVE, LITERAL-, BINARY, SPECIAL-USE,
    STATUS=SIZE."""
    assert {"NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES",
            "ENABLE", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "MOVE",
            "LITERAL+", "BINARY", "SPECIAL-USE", "STATUS=SIZE"} <= \
        set(old.capabilities())


def test_select(c):
    """6.3.2: LIST; no RECENT, no UNSEEN (E.19)."""
    lines = c.ok("SELECT inbox")
    assert [parse_list(x)[2] for x in starting(lines, b"LIST")] == [b"INBOX"]
    assert b"* 1 EXISTS" in lines
    assert not [x for x in lines if b"RECENT" in x.upper() or b"UNSEEN" in x]
    for code in (b"UIDVALIDITY", b"UIDNEXT", b"PERMANENTFLAGS"):
        assert starting(lines, b"OK [" + code), lines
    assert rb"\*" in starting(lines, b"OK [PERMANENTFLAGS")[0]
    lines = c.ok("EXAMINE Other")
    assert lines[0].startswith(b"* OK [CLOSED]")
    assert [parse_list(x)[2] for x in starting(lines, b"LIST")] == [b"Other"]


def test_select_as_before(old):
    lines = old.ok("SELECT INBOX")
    assert b"* 1 RECENT" in lines and starting(lines, b"OK [UNSEEN 1]")
    assert not starting(lines, b"LIST")
    assert rb"\Recent" in old.ok("FETCH 1 FLAGS")[0]


def test_recent_is_gone(c):
    c.ok("SELECT INBOX")
    assert c.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS ())"]
    assert c.ok(r"STORE 1 +FLAGS \Flagged") == \
        [rb"* 1 FETCH (UID 1 FLAGS (\Flagged))"]


def test_search(c, old):
    """6.4.4: always ESEARCH, also if nothing is found."""
    for one in (c, old):
        one.ok("SELECT INBOX")
    tag = c.begin("SEARCH ALL")
    assert c.end(tag)[1] == [b'* ESEARCH (TAG "%s") ALL 1' % tag]
    tag = c.begin("UID SEARCH ALL")
    assert c.end(tag)[1] == [b'* ESEARCH (TAG "%s") UID ALL 1' % tag]
    tag = c.begin("SEARCH SEEN")
    assert c.end(tag)[1] == [b'* ESEARCH (TAG "%s")' % tag]
    tag = c.begin("SEARCH RETURN (MIN MAX COUNT) UNSEEN")
    assert c.end(tag)[1] == \
        [b'* ESEARCH (TAG "%s") MIN 1 MAX 1 COUNT 1' % tag]
    tag = c.begin("SEARCH RETURN () SUBJECT \"grüße\"")
    assert c.end(tag)[1] == [b'* ESEARCH (TAG "%s") ALL 1' % tag]
    assert b"BADCHARSET" in c.no("SEARCH CHARSET X-NONE SUBJECT x")
    assert old.ok("SEARCH ALL") == [b"* SEARCH 1"]
    assert old.ok("SEARCH SEEN") == [b"* SEARCH"]


def test_searchres(c):
    """6.4.4.1: "$" """
    c.ok("SELECT INBOX")
    assert c.ok("SEARCH RETURN (SAVE) UNSEEN") == []
    assert c.ok("FETCH $ UID") == [b"* 1 FETCH (UID 1)"]
    assert b"COPYUID" in c.cmd("UID COPY $ Other")[0]
    c.ok("SEARCH RETURN (SAVE) SEEN")
    assert c.ok("FETCH $ UID") == []


def test_binary(c):
    """6.4.5: decoded, a literal8 if there is NUL in it."""
    c.ok("SELECT INBOX")
    assert c.ok("FETCH 1 BINARY.SIZE[1]") == \
        [b"* 1 FETCH (BINARY.SIZE[1] %d)" % len(BODY)]
    assert c.ok("FETCH 1 BINARY.PEEK[1]") == \
        [b"* 1 FETCH (BINARY[1] ~{%d}\r\n%s)" % (len(BODY), BODY)]
    (line,) = c.ok("FETCH 1 BINARY.PEEK[1]<0.5>")
    assert re.match(rb'\* 1 FETCH \(BINARY\[1\]<0> ("Hello"|~?\{5\}\r\nHello)'
                    rb'\)$', line), line
    assert rb"\Seen" in b"".join(c.ok("FETCH 1 BINARY[1]") +
                                 c.ok("FETCH 1 FLAGS"))


def test_bodystructure_joins_parameters(c):
    """E.9: RFC 2231 continuations are put together."""
    c.ok("SELECT INBOX")
    (line,) = c.ok("FETCH 1 BODYSTRUCTURE")
    assert b"*0" not in line and b"*1" not in line


GLOBAL = (
    "Subject: a\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\none\r\n"
    "--b\r\nContent-Type: message/global\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n"
    "Subject: Gr\u00fc\u00dfe\r\n"
    "Content-Type: multipart/mixed; boundary=c\r\n\r\n"
    "--c\r\n\r\ntwo\r\n--c\r\nContent-Type: image/png\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--c--\r\n"
    "--b\r\nContent-Type: message/global\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\n"
    "U3ViamVjdDogYQ0KDQp4DQo=\r\n--b--\r\n").encode()


def test_message_global(c, old):
    """7.5.2, 9 (body-type-msg), 6.4.5.1: it is a message as message/rfc822
    is, also where an encoding (RFC 6532 3.7) hides what is in it; and a part
    like any other for who has not enabled IMAP4rev2."""
    for one in (c, old, c):     # both from the same kept answer
        one.ok("SELECT INBOX")
        if one is c and len(one.ok("SEARCH SUBJECT a")) == 1:
            one.ok(b"APPEND INBOX {%d+}\r\n" % len(GLOBAL) + GLOBAL)
        (line,) = one.ok("FETCH 2 BODYSTRUCTURE")
        (short,) = one.ok("FETCH 2 BODY")
        text = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" '
        nil = b" NIL NIL NIL NIL"
        plain = b'("message" "global" NIL NIL NIL "8bit" 153'
        coded = b'("message" "global" NIL NIL NIL "base64" 24'
        if one is old:
            assert plain + nil + b")" + coded + nil + b")" in line
            assert plain + b")" + coded + b") " in short
        else:
            inner = text + b"3 0" + nil + b')("image" "png" NIL NIL NIL ' \
                b'"base64" 4' + nil + b') "mixed" ("boundary" "c") NIL NIL NIL'
            assert plain + b" (NIL " in line
            assert b" (" + inner + b") 11" + nil + b")" in line
            none = b" (NIL" + 9 * b" NIL" + b") " + text + b"0 0"
            assert coded + none + nil + b") 0" + nil + b")" in line
            assert coded + none + b") 0) " in short
        want = {"BODY.PEEK[2.1]": b"two", "BODY.PEEK[2.2]": b"QUJD",
                "BINARY.PEEK[2.2]": b"ABC",
                "BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]":
                    "Subject: Gr\u00fc\u00dfe\r\n\r\n".encode(),
                "BODY.PEEK[3.HEADER]": None, "BODY.PEEK[3.1]": None}
        for what, data in want.items():
            (line,) = one.ok(f"FETCH 2 {what}")
            end = b" NIL)" if data is None or one is old else \
                b" {%d}\r\n%s)" % (len(data), data)
            assert line.endswith(end), (line, what)
        (line,) = one.ok("FETCH 2 BINARY.PEEK[3]")
        assert line.endswith(b" {17}\r\nSubject: a\r\n\r\nx\r\n)"), line


def test_status(c):
    """6.3.11: SIZE and DELETED."""
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1 +FLAGS.SILENT \Deleted")
    (line,) = starting(c.ok("STATUS INBOX (MESSAGES DELETED SIZE)"), b"STATUS")
    assert line == b"* STATUS INBOX (MESSAGES 1 DELETED 1 SIZE %d)" % \
        len(LETTER)


def test_list(c, old):
    c.ok("CREATE A.B")
    assert r"\NonExistent" in parse_list(c.ok('LIST "" A')[0])[1]
    assert r"\Noselect" in parse_list(old.ok('LIST "" A')[0])[1]
    c.ok("SUBSCRIBE A.B")
    assert [parse_list(x)[2] for x in c.ok('LIST (SUBSCRIBED) "" *')] == \
        [b"A.B"]
    assert b"[HASCHILDREN]" in c.no("DELETE A")
    assert b"[ALREADYEXISTS]" in c.no("CREATE A.B")
    assert b"[NONEXISTENT]" in c.no("SELECT A.C")
    assert b"[CANNOT]" in c.no("DELETE INBOX")


def test_names(c, old):
    """5.1: UTF-8; 6.3.9.7: OLDNAME."""
    c.ok('CREATE "Grüße"')
    assert parse_list(old.ok('LIST "" Gr*')[0])[2] == b"Gr&APwA3w-e"
    (line,) = c.ok('SELECT "Gru\u0308ße"')[-1:]
    lines = starting(c.ok('SELECT "Gru\u0308ße"'), b"LIST")
    assert lines == ['* LIST () "." "Grüße" ("OLDNAME" ("Gru\u0308ße"))'
                     .encode()], line
    assert c.ok('RENAME "Grüße" Hello') == \
        ['* LIST () "." Hello ("OLDNAME" ("Grüße"))'.encode()]


def test_copy_and_move(c):
    """6.4.7, 6.4.8, 6.4.9: UIDPLUS and MOVE."""
    c.ok("SELECT INBOX")
    assert re.match(rb"OK \[COPYUID \d+ 1 1\]", c.cmd("COPY 1 Other")[0])
    lines = c.ok("UID MOVE 1 Other")
    assert re.match(rb"\* OK \[COPYUID \d+ 1 2\]", lines[0]), lines
    assert b"* 1 EXPUNGE" in lines
    c.ok("SELECT Other")
    c.ok(r"STORE 1:2 +FLAGS.SILENT \Deleted")
    assert c.ok("UID EXPUNGE 2") == [b"* 2 EXPUNGE"]


def test_keywords(c):
    """2.3.2: those everybody knows."""
    c.ok("SELECT INBOX")
    c.ok("STORE 1 +FLAGS ($MDNSent $Forwarded $Junk $NonJunk $Phishing)")
    (line,) = c.ok("FETCH 1 FLAGS")
    for word in (b"$MDNSent", b"$Forwarded", b"$Junk", b"$NonJunk",
                 b"$Phishing"):
        assert word in line


def test_idle_and_unselect(fresh, c):
    c.ok("SELECT INBOX")
    tag = c.begin("IDLE")
    assert c.line().startswith(b"+ ")
    with login(fresh) as other:
        other.ok(b"APPEND INBOX {%d+}\r\n" % len(LETTER) + LETTER)
        assert c.line() == b"* 2 EXISTS"
    c.send(b"DONE\r\n")
    status, lines = c.end(tag)
    assert status.startswith(b"OK") and not starting(lines, b"1 RECENT")
    c.ok("UNSELECT")
    assert c.bad("FETCH 1 FLAGS")


def test_namespace_and_id(c):
    assert c.ok("NAMESPACE") == [b'* NAMESPACE (("" ".")) NIL NIL']
    assert c.ok('ID ("name" "test")')[0].startswith(b'* ID ("name" ')
