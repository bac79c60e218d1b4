# SPDX-License-Identifier: ISC
"""What FETCH says of odd and hostile mail, beside Debian's Dovecot over the
same messages, and Python's parser as the third opinion.  Where we differ, it
stands here with the reason."""

import email
import email.policy
import re
import shutil

import imapwire
import oddmail
import posthouse as ph
import pytest

ITEMS = "(ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE)"

# name of the message (as a whole): why ours is right
DIFFERENCES = [
    (r"NUL|NUL in a type",
     "RFC 3501 9: CHAR8 has no NUL; it is 0x80 for us wherever it stands, as "
     "in BODY[] of both; Dovecot ends addresses there"),
    (r"address '(;|,|,,a@b,,c@d,,|<a@b>,|, <a@b>|\(only a comment\)|\(\)"
     r"|a@b,\(c\)|\(c\),a@b|\(unclosed a@b)'",
     "RFC 5322 4.4 obs-addr-list: an empty element is no address"),
    (r"address '(a@b; c@d|A <a@b>;B <c@d>|g:a@b;h:c@d;|g:a@b;c@d)'",
     "\";\" outside of a group ends the list for Dovecot; what follows is an "
     "address"),
    (r"address '(G: H: a@b;;|a@b c@d|a@b <c@d>|<a@b> c@d|<a@b><c@d>|<a@>"
     r"|a@b@c|A <a b@c>|a b c@d|a <b> c|a@b:c|<a:b@c>|A <a@b>\(c\)<d@e>"
     r"|<<a@b>>|<a@b>>)'",
     "after something wrong the list goes on at the next comma; for Dovecot "
     "it is at its end"),
    (r"address '(A <a@b|A <a@b>, B <c@d|<a@b@c>|a@b \(x|a@b\.c\.|a@\.b"
     r"|a@b\.\.c|<@b>|<@>|<@r1 a@b\.c>|a\\\\@b@c|\[a\]@b|a>b@c|A \[x\] <a@b>"
     r"|\"a\\nb\" <c@d>|\"unclosed <a@b>)'",
     "RFC 3501 7.4.2 knows no INVALID_ROUTE and SYNTAX_ERROR: we show the "
     "mailbox and host that can be seen"),
    (r"address 'a@\[ 1 2 \]'",
     "RFC 5322 3.4.1: folding white space in a domain literal means nothing"),
    (r"type (of a part )?'(text|text/|/plain|/|;|| |text plain|text/plain/x"
     r"|text/plain charset=utf-8|text;plain|text,plain|text/plain, text/html"
     r"|\"text\"/\"plain\"|multipart|multipart/|multipart/; boundary=b"
     r"|multipart/mixed boundary=b|text/\(x\)b)'|digest with a bad type",
     "RFC 2045 5.2: a Content-Type that is syntactically wrong is as good as "
     "none; a type \"\" is none"),
    (r"type (of a part )?['\"](multipart/mixed|multipart/mixed; boundary="
     r"|multipart/mixed; boundary=\"\"|multipart/mixed; boundary\*=us-ascii''b)"
     r"['\"]",
     "RFC 2046 5.1.1: a multipart needs a boundary of at least one character; "
     "without one (RFC 2045 5.2) its text can be read as text"),
    (r"type (of a part )?'text/plain; =x'", "RFC 2045 5.1: a name is a token"),
    (r"type (of a part )?'text/plain;; charset=utf-8;;'",
     "a \";\" too many does not make the rest unreadable"),
    (r"type (of a part )?'text/plain; (name=(a/b\.c|a@b|\?a|\"unclosed; x=y)"
     r"|a=(\[x\]|<x>|\(x|\"b\\nc\"))'|disposition filename=a\\b"
     r"|Content-Disposition '(<a@b>|a/b|\\\\)'",
     "a value that ought to be quoted is what stands there, not the start of "
     "it"),
    (r"disposition filename\*\*=x",
     "RFC 2231 7: no such form; the name stays as it is"),
    (r"Content-Transfer-Encoding .*|encoding parameter.*",
     "RFC 2045 6.1: one token; what stands behind it does not make base64 "
     "7bit, and 6.4: what is not known is not 7bit"),
    (r"Content-(ID|Description|MD5|Location) '(BASE64)? '",
     "blanks at the end of a field are not its value"),
    (r"Content-Language '(<a@b>|a,b,,c|\\\\)'",
     "an empty element does not end the list; what is no tag is shown"),
    (r"Content-Disposition '(| |\"a\"|\"a b|,|;|=\?utf-8\?q\?a\?=)'",
     "RFC 2183 2: the type is a token; without one there is no disposition"),
    (r"encoding without MIME",
     "RFC 2045 4: may be read as MIME; who labels a body base64 means it"),
    (r"boundary of (\d\d\d|81)(, differing in the last byte)?",
     "Dovecot compares 80 bytes of a boundary, and does not find its end; we "
     "all of it"),
    (r"boundary of 2000.*",
     "RFC 5322 2.1.1: no line can hold it: it delimits nothing"),
    (r"(9999|10000|12000|10,000) parts.*",
     "both stop at 9,999 parts; Dovecot does not look for the last delimiter "
     "then"),
    (r"duplicate content fields",
     "of Content-Disposition Dovecot takes the last type, and the first field's "
     "parameters; for us the first field of each name counts"),
    (r"100,000 recipients", "Dovecot 2.3.19 loses the last one"),
    (r"1,000 parameters", "we keep 1,000, with the charset"),
]


def reason(name):
    for pattern, why in DIFFERENCES:
        if re.fullmatch(pattern, name, re.S):
            return why
    return None


PLACEHOLDERS = {b"MISSING_MAILBOX": b"", b"MISSING_DOMAIN": b""}


def plain(v):
    """Without Dovecot's words for what is missing in an address: RFC 3501 has
    none."""
    if isinstance(v, list):
        return [plain(x) for x in v]
    return PLACEHOLDERS.get(v, v) if isinstance(v, bytes) else v


def squeezed(v):
    """An envelope's texts with single blanks: Dovecot's subjects are so, ours
    are unfolded and no more (RFC 5322 2.2.3)."""
    v = plain(v)
    for n in (0, 1, 8, 9):
        v[n] = v[n] and b" ".join(v[n].split())
    for part in v:
        assert part is None or isinstance(part, (list, bytes))
    return v


def comparable(answer):
    """The envelopes of messages inside are squeezed, too."""
    def body(v):
        if isinstance(v[0], list):
            n = parts(v)
            return [body(x) for x in v[:n]] + v[n:]
        if v[:2] == [b"message", b"rfc822"] and len(v) > 8:
            return v[:7] + [squeezed(v[7]), body(v[8])] + v[9:]
        return v
    return {"ENVELOPE": squeezed(answer["ENVELOPE"]),
            "BODY": body(plain(answer["BODY"])),
            "BODYSTRUCTURE": body(plain(answer["BODYSTRUCTURE"])),
            "RFC822.SIZE": answer["RFC822.SIZE"]}


def parts(v):
    """How many of a multipart's members are parts."""
    return next(k for k, x in enumerate(v) if not isinstance(x, list))


def agreed(list_, kind):
    return [x for x in list_ if not reason(f"{kind} {x!r}") and
            "\n" not in x and "boundary" not in x and
            (kind == "type" or not re.search("[:;]", x))]


def odd(seed, n, **more):
    return list(oddmail.generate(
        seed, n, addresses=agreed(oddmail.ADDRESSES, "address"),
        types=agreed(oddmail.TYPES, "type"), **more))


@pytest.fixture(scope="module")
def work():
    top = ph.ROOT / "build" / "tests" / "structure"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    yield top
    shutil.rmtree(top)


class Both:
    """Two servers, each over its own copy of the messages."""

    def __init__(self, directory, messages):
        directory.mkdir()
        self.names = [name for name, _ in messages]
        self.texts = [text for _, text in messages]
        theirs = imapwire.make_maildir(directory / "theirs", self.texts)
        imapwire.make_maildir(directory / "ours" / "Maildir", self.texts)
        self.dovecot = imapwire.Dovecot(directory / "dovecot", theirs)
        self.server = imapwire.Serve(directory / "ours")
        self.us, self.them = self.server.connect(), self.dovecot.client

    def fetch(self, what):
        ours, theirs = self.us.fetch(what), self.them.fetch(what)
        assert sorted(ours) == sorted(theirs)
        return ours, theirs

    def stop(self):
        self.server.stop()
        self.dovecot.stop()


@pytest.fixture(scope="module")
def hand(work):
    b = Both(work / "hand", list(oddmail.HAND.items()))
    yield b
    b.stop()


@pytest.fixture(scope="module")
def made(work):
    b = Both(work / "made", list(oddmail.generate(1, 800, sane=True)) +
             odd(2, 800))
    yield b
    b.stop()


def compare(both):
    """The names of messages whose structure differs."""
    ours, theirs = both.fetch(f"FETCH 1:* {ITEMS}")
    assert sorted(ours) == list(range(1, len(both.names) + 1))
    return [name for n, name in enumerate(both.names, 1)
            if comparable(ours[n]) != comparable(theirs[n])]


def test_by_hand(hand):
    differ = compare(hand)
    assert [n for n in differ if not reason(n)] == []
    # Nothing is excused that does not differ.
    for pattern, why in DIFFERENCES:
        assert any(re.fullmatch(pattern, n, re.S) for n in differ), \
            (pattern, why)


def test_generated(made):
    assert compare(made) == []


# -- sections

def numbers(body, prefix=""):
    """Section numbers of all parts, and whether they are messages."""
    if isinstance(body[0], list):
        for k, part in enumerate(body[:parts(body)], 1):
            yield f"{prefix}{k}", part
            yield from below(part, f"{prefix}{k}")
    else:
        yield f"{prefix}1", body
        if not prefix:
            yield from below(body, "1")


def below(body, name):
    if isinstance(body[0], list):
        yield from numbers(body, name + ".")
    elif body[:2] == [b"message", b"rfc822"]:
        yield from numbers(body[8], name + ".")


def sections(body, limit=40):
    out = ["BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]",
           "BODY.PEEK[HEADER.FIELDS (From subject X-None)]",
           "BODY.PEEK[HEADER.FIELDS.NOT (From Subject)]",
           "BODY.PEEK[]<5.70>", "BODY.PEEK[TEXT]<1000000.5>"]
    for name, part in numbers(body):
        out += [f"BODY.PEEK[{name}]", f"BODY.PEEK[{name}.MIME]",
                f"BODY.PEEK[{name}]<3.10>"]
        if part[:2] == [b"message", b"rfc822"]:
            out += [f"BODY.PEEK[{name}.HEADER]", f"BODY.PEEK[{name}.TEXT]",
                    f"BODY.PEEK[{name}.HEADER.FIELDS (SUBJECT TO)]"]
        if len(out) > limit:
            break
    return out


def same_section(key, a, b):
    """Dovecot gives the line end of the last field, and the empty line, to a
    delimiter that follows at once (RFC 2046 5.1.1); for us a field keeps its
    line end (RFC 5322 2.2).  Of a header without an empty line Dovecot shows
    one with HEADER.FIELDS; RFC 3501 6.4.5: "except in the case of a message
    which has no body and no blank line"."""
    a, b = a or b"", b or b""
    if "MIME" in key or "HEADER" in key:
        a, b = a.rstrip(b"\r\n"), b.rstrip(b"\r\n")
    return a == b


def check_sections(both, skip):
    structures = both.us.fetch("FETCH 1:* BODY")
    different = []
    for n, name in enumerate(both.names, 1):
        if name in skip or len(both.texts[n - 1]) > 500000:
            continue
        what = " ".join(sections(structures[n]["BODY"]))
        ours, theirs = both.fetch(f"FETCH {n} ({what})")
        upper = [{k.upper(): v for k, v in x.get(n, {}).items()}
                 for x in (ours, theirs)]
        different += [(name, key, upper[0].get(key), upper[1].get(key))
                      for key in set(upper[0]) | set(upper[1])
                      if not same_section(key, upper[0].get(key),
                                          upper[1].get(key))]
    return different


def test_sections_by_hand(hand):
    assert check_sections(hand, {n for n in hand.names if reason(n)}) == []


def test_sections_generated(made):
    assert check_sections(made, ()) == []


# -- the third opinion

def python_types(m):
    """As BODYSTRUCTURE's tree of types."""
    if m.get_content_maintype() == "multipart" and m.is_multipart():
        return [python_types(p) for p in m.get_payload()] + \
            [m.get_content_subtype()]
    if m.get_content_type() == "message/rfc822" and m.is_multipart():
        return ["message", "rfc822", python_types(m.get_payload(0))]
    return m.get_content_type().split("/")


def our_types(body):
    if isinstance(body[0], list):
        n = parts(body)
        return [our_types(p) for p in body[:n]] + [body[n].decode().lower()]
    out = [body[0].decode().lower(), body[1].decode().lower()]
    return out + [our_types(body[8])] if out == ["message", "rfc822"] else out


def test_python_sees_the_same_structure(work):
    messages = list(oddmail.generate(3, 500, sane=True))
    imapwire.make_maildir(work / "python" / "Maildir",
                          [text for _, text in messages])
    server = imapwire.Serve(work / "python")
    try:
        got = server.connect().fetch("FETCH 1:* BODYSTRUCTURE")
    finally:
        server.stop()
    for n, (name, text) in enumerate(messages, 1):
        m = email.message_from_bytes(text, policy=email.policy.compat32)
        assert our_types(got[n]["BODYSTRUCTURE"]) == python_types(m), name


# -- anything at all

def test_every_message_has_an_answer(work):
    """Torn mail: whatever it is, FETCH says OK, and what it says is IMAP."""
    messages = odd(4, 1500, torn=True)
    imapwire.make_maildir(work / "torn" / "Maildir",
                          [text for _, text in messages])
    server = imapwire.Serve(work / "torn")
    try:
        c = server.connect()
        got = c.fetch(f"FETCH 1:* {ITEMS}")
        assert sorted(got) == list(range(1, len(messages) + 1))
        for n, (name, text) in enumerate(messages, 1):
            size = len(text) + len(re.findall(rb"(?<!\r)\n", text))
            assert int(got[n]["RFC822.SIZE"]) == size, name
            what = " ".join(sections(got[n]["BODY"]))
            assert len(c.fetch(f"FETCH {n} ({what})")) == 1, name
    finally:
        server.stop()
