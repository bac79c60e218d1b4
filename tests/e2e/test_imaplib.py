# SPDX-License-Identifier: ISC
"""Python's imaplib, every method it has."""

import imaplib
import time

import pytest

import clients
import posthouse as ph

pytestmark = pytest.mark.dev
imaplib.Commands.setdefault("MOVE", ("SELECTED",))
imaplib.Commands.setdefault("UNSELECT", ("SELECTED",))

SUBJECTS = ("banana", "Re: Apple", "cherry", "apple", "Fwd: Re: cherry")
SIZES = (500, 20, 300, 100, 10)


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def letter(n):
    refs = f"References: <{n - 2}@imaplib>\r\n" if n in (3, 4) else ""
    return (f"From: =?utf-8?q?J=C3=B6rg?= {n} <from{9 - n}@example.com>\r\n"
            f"To: to{n}@example.com\r\nCc: cc{n}@example.com\r\n"
            f"Message-ID: <{n}@imaplib>\r\n{refs}Subject: {SUBJECTS[n]}\r\n"
            f"Date: Sun, {22 - n} Nov 2026 12:00:00 +0000\r\n\r\n"
            f"{'x' * SIZES[n]}\r\n").encode()


@pytest.fixture(scope="module")
def house(make_module_instance):
    return make_module_instance()


@pytest.fixture
def c(house):
    """A session over STARTTLS on a mailbox of five letters."""
    c = imaplib.IMAP4("localhost", house.imap_port, timeout=60)
    ok(c.starttls(house.tls_context()))
    ok(c.login(house.address("bob"), house.users["bob"]))
    ok(c.select())
    ok(c.store("1:*", "+FLAGS", r"\Deleted"))
    ok(c.expunge())
    for n in range(5):
        ok(c.append("INBOX", None, time.time() + n, letter(n)))
    ok(c.select())
    yield c
    if c.state != "LOGOUT":
        c.logout()


def numbers(answer):
    return [int(n) for n in ok(answer)[0].split()]


def test_logs_in_all_ways(house):
    user, password = house.address("bob"), house.users["bob"]
    for kind in ("plain", "tls"):
        for way in ("login", "plain"):
            c = imaplib.IMAP4("localhost", house.imap_port) \
                if kind == "plain" else imaplib.IMAP4_SSL(
                    "localhost", house.imaps_port,
                    ssl_context=house.tls_context())
            with c:
                assert "IMAP4REV1" in c.capabilities
                if way == "plain":
                    ok(c.authenticate("PLAIN", lambda _: (
                        f"\0{user}\0{password}").encode()))
                else:
                    ok(c.login(user, password))
                assert c.state == "AUTH"
    with imaplib.IMAP4("localhost", house.imap_port) as c:
        with pytest.raises(imaplib.IMAP4.error):
            c.login_cram_md5(user, password)
        with pytest.raises(imaplib.IMAP4.error):
            c.login(user, "wrong")


def test_folders(c):
    for name in ("A", "A.B", '"A C"', "M&APw-ll"):
        ok(c.create(name))
    assert c.create("A")[0] == "NO"
    ok(c.subscribe("A.B"))
    assert b'"." A.B' in ok(c.lsub())[0]
    ok(c.unsubscribe("A.B"))
    assert ok(c.lsub()) == [None]
    ok(c.rename("A", "Z"))
    names = b"\n".join(ok(c.list()))
    assert b"Z.B" in names and b"A.B" not in names and b'"A C"' in names
    assert len(ok(c.list("Z", ".%"))) == 1
    assert ok(c.namespace()) == [b'(("" ".")) NIL NIL']
    ok(c.copy("1:3", "Z.B"))
    status = ok(c.status("Z.B", "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"))
    assert b"MESSAGES 3" in status[0] and b"UIDNEXT 4" in status[0]
    ok(c.select("Z.B", readonly=True))
    assert c.store("1", "+FLAGS", r"\Seen")[0] == "NO"
    ok(c.unselect())
    assert c.state == "AUTH"
    for name in ("Z.B", "Z", '"A C"', "M&APw-ll"):
        ok(c.delete(name))
    assert c.select("Z")[0] == "NO"


def test_fetches_all_forms(c):
    for n in range(5):
        raw = ok(c.fetch(str(n + 1), "(RFC822)"))[0][1]
        assert raw == letter(n)
        data = ok(c.fetch(str(n + 1), "(UID RFC822.SIZE FLAGS INTERNALDATE "
                          "ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER])"))
        assert data[0][1] == letter(n).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        assert f"RFC822.SIZE {len(letter(n))}".encode() in data[0][0]
        assert SUBJECTS[n].encode() in data[0][0]
        assert b'("text" "plain"' in data[0][0].lower()
        assert b"\\Seen" in data[0][0]
    text = ok(c.fetch("2", "(BODY[TEXT]<5.10>)"))[0][1]
    assert text == b"x" * 10
    with pytest.raises(imaplib.IMAP4.error):
        ok(c.fetch("1", "(NONSENSE)"))
    with pytest.raises(imaplib.IMAP4.error):
        c.fetch("9", "(FLAGS)")


def test_changes_and_uids(c):
    first = numbers(c.uid("SEARCH", "ALL"))
    ok(c.store("1:2", "FLAGS", r"(\Seen Work)"))
    assert numbers(c.search(None, "KEYWORD", "Work")) == [1, 2]
    ok(c.uid("STORE", f"{first[0]}", "-FLAGS", "Work"))
    assert numbers(c.search(None, "KEYWORD", "work")) == [2]
    assert b"Work" in ok(c.fetch("2", "FLAGS"))[0]
    ok(c.uid("STORE", f"{first[4]}", "+FLAGS.SILENT", r"(\Deleted)"))
    assert ok(c.uid("EXPUNGE", f"{first[4]}"))
    assert numbers(c.uid("SEARCH", "ALL")) == first[:4]
    ok(c.create("Target"))
    ok(c.uid("COPY", f"{first[0]}:{first[1]}", "Target"))
    ok(c.uid("MOVE", f"{first[3]}", "Target"))
    ok(c.close())
    ok(c.select("Target"))
    assert numbers(c.uid("SEARCH", "ALL")) == [1, 2, 3]
    assert b"Work" in ok(c.fetch("2", "FLAGS"))[0]
    ok(c.check())
    ok(c.noop())
    ok(c.select())
    ok(c.delete("Target"))


def test_searches(c):
    rows = {
        'SUBJECT "apple"': [2, 4], "FROM jÖRG".encode(): [1, 2, 3, 4, 5],
        "LARGER 600": [1], "TO to2@": [3], "CC cc": [1, 2, 3, 4, 5],
        "SENTSINCE 21-Nov-2026": [1, 2], "SENTBEFORE 20-Nov-2026": [4, 5],
        'HEADER References "1@"': [4], "NOT 2:4": [1, 5],
        "OR SUBJECT banana 3": [1, 3], "BODY xxxxxxxxxx SMALLER 1000":
        [1, 2, 3, 4, 5], "UNSEEN UNDELETED UNFLAGGED": [1, 2, 3, 4, 5],
        "TEXT 3@imaplib": [4],
    }
    for words, want in rows.items():
        charset = None
        if isinstance(words, bytes):
            name, _, c.literal = words.partition(b" ")
            words, charset = name.decode(), "UTF-8"
        assert numbers(c.search(charset, words)) == want, words
    assert c.search("X-NONSENSE", "ALL")[0] == "NO"


def test_sorts_and_threads(c):
    rows = {
        "(SUBJECT)": [2, 4, 1, 3, 5], "(REVERSE DATE)": [1, 2, 3, 4, 5],
        "(DATE)": [5, 4, 3, 2, 1], "(SIZE)": [2, 5, 4, 3, 1],
        "(FROM)": [5, 4, 3, 2, 1], "(REVERSE TO)": [5, 4, 3, 2, 1],
        "(ARRIVAL)": [1, 2, 3, 4, 5], "(REVERSE CC SUBJECT)": [5, 4, 3, 2, 1],
        "(SUBJECT REVERSE ARRIVAL)": [4, 2, 1, 5, 3],
    }
    for criteria, want in rows.items():
        assert numbers(c.sort(criteria, "UTF-8", "ALL")) == want, criteria
    uids = numbers(c.uid("SEARCH", "ALL"))
    assert numbers(c.uid("SORT", "(SUBJECT)", "UTF-8", "NOT", "1")) == \
        [uids[n - 1] for n in (2, 4, 3, 5)]
    # The dates of the letters run backwards.
    assert ok(c.thread("REFERENCES", "UTF-8", "ALL")) == [b"(3 5)(2 4)(1)"]
    assert ok(c.thread("ORDEREDSUBJECT", "UTF-8", "ALL")) == \
        [b"(5 3)(4 2)(1)"]
    assert ok(c.uid("THREAD", "REFERENCES", "UTF-8", "1:2"))[0].count(
        b"(") == 2


def test_utf8(house, c):
    """RFC 6855, as imaplib has it."""
    ok(c.unselect())
    ok(c.enable("UTF8=ACCEPT"))
    assert c.utf8_enabled
    ok(c.create('"Größe"'))
    assert '"Größe"'.encode() in b"\n".join(ok(c.list()))
    raw = "Subject: Grüße\r\nFrom: Jörg <jörg@example.com>\r\n\r\nJa.\r\n"
    with clients.imap(house, "bob") as other:   # c.append() wraps it wrongly
        ok(other.append('"Gr&APYA3w-e"', None, None, raw.encode()))
    ok(c.select('"Größe"'))
    assert ok(c.fetch("1", "(BODY[])"))[0][1] == raw.encode()
    assert "Grüße".encode() in ok(c.fetch("1", "(ENVELOPE)"))[0]
    ok(c.select())
    ok(c.delete('"Größe"'))


def test_what_is_not_there(c):
    """Extensions we do not have are refused, and the session goes on."""
    for call in (lambda: c.getacl("INBOX"), lambda: c.myrights("INBOX"),
                 lambda: c.setacl("INBOX", "x", "lr"),
                 lambda: c.deleteacl("INBOX", "x"),
                 lambda: c.getquota(""), lambda: c.getquotaroot("INBOX"),
                 lambda: c.setquota("", "(STORAGE 1)"),
                 lambda: c.getannotation("INBOX", "/x", '"y"'),
                 lambda: c.setannotation("INBOX", "/x", '("y" "z")'),
                 lambda: c.proxyauth("x"), lambda: c.xatom("XNONSENSE")):
        with pytest.raises(imaplib.IMAP4.error):
            call()
    assert len(numbers(c.search(None, "ALL"))) == 5


def test_new_mail_is_heard(house, c):
    assert ok(c.recent())
    clients.send_smtplib(house, clients.Letter(), [house.address("bob")])
    ph.wait_for(lambda: ok(c.noop()) and
                c.response("EXISTS")[1][-1] == b"6", "EXISTS")
