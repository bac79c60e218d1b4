# SPDX-License-Identifier: ISC
"""What FETCH says of odd and hostile mail, beside Debian's Dovecot over the
same messages, and Python's parser as the third opinion.  Where we differ, it
stands here with the reason."""

import email
import email.message
import email.policy
import os
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
    top = ph.ROOT / "build" / "tests" / f"structure.{os.getpid()}"
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
        yield from below(body, f"{prefix}1")


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


# -- header fields that are kept

def check_fields(server):
    """With a field that is not kept the answer comes from the file."""
    kept = ("Date From Sender to CC Bcc Subject Message-ID References "
            "In-Reply-To Reply-To Content-Type MIME-Version Lines")
    for names in (kept, "Subject", "Priority", "content-type FROM"):
        one, other = f"({names})", f"({names} X-None)"
        got = server.us.fetch(" ".join([
            "FETCH 1:* (", *(f"BODY.PEEK[HEADER.FIELDS {x}]{part}"
                             for x in (one, other)
                             for part in ("", "<0.40>", "<3.7>")), ")"]
            ).replace("( ", "(").replace(" )", ")"))
        assert len(got) == len(server.names)
        for n, name in enumerate(server.names, 1):
            values = {k.upper().replace(" X-NONE", ""): set() for k in got[n]}
            for k, v in got[n].items():
                values[k.upper().replace(" X-NONE", "")].add(v)
            assert len(values) == 3
            assert all(len(v) == 1 for v in values.values()), (name, values)


def test_fields_by_hand(hand):
    check_fields(hand)


def test_fields_generated(made):
    check_fields(made)


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


# -- BINARY (RFC 3516)

def leaves(answer):
    return [(name, part) for name, part in numbers(answer["BODYSTRUCTURE"])
            if not isinstance(part[0], list) and part[0] != b"message"]


def python_leaves(m):
    """The decoded bodies in the order of leaves()."""
    if m.is_multipart() and m.get_content_maintype() == "message":
        return python_leaves(m.get_payload(0))
    if m.is_multipart():
        return [x for p in m.get_payload() for x in python_leaves(p)]
    data = m.get_payload(decode=True)
    if m["Content-Transfer-Encoding"] != "base64":
        data = re.sub(rb"\r?\n", b"\r\n", data)
    return [data]


def test_binary_generated(made):
    """As Dovecot's, and as Python decodes it.  Of a part that is not encoded
    Dovecot gives the size with LF, though it sends CRLF; RFC 3516 4.2: "the
    size to expect in response to the corresponding FETCH BINARY request"."""
    structures = made.us.fetch("FETCH 1:150 BODYSTRUCTURE")
    count = 0
    for n, answer in structures.items():
        parts_ = leaves(answer)[:20]
        what = " ".join(f"BINARY.SIZE[{k}] BINARY.PEEK[{k}] "
                        f"BINARY.PEEK[{k}]<3.5>" for k, _ in parts_)
        ours, theirs = made.fetch(f"FETCH {n} ({what})")
        for key in (k for k in ours[n] if "SIZE" not in k):
            assert (ours[n][key] or b"") == (theirs[n][key] or b""), (n, key)
        m = email.message_from_bytes(made.texts[n - 1],
                                     policy=email.policy.compat32)
        expected = python_leaves(m)[:20]
        assert len(expected) == len(parts_)
        for (k, _), data in zip(parts_, expected):
            assert ours[n][f"BINARY[{k}]"] == data, (n, k)
            assert int(ours[n][f"BINARY.SIZE[{k}]"]) == len(data)
            count += 1
    assert count > 200


HELLO = b"Hello W\xc3\xb6rld\n"
# What is not in the alphabet is not there (RFC 2045 6.8), "=" is the end; what
# is no quoted-printable stands for itself (6.7).
DECODED = {
    "base64": HELLO, "base64 folded": HELLO, "base64 no padding": HELLO,
    "base64 junk": HELLO, "base64 text behind": HELLO, "base64 two": HELLO,
    "base64 cut": b"Hello W\xc3\xb6", "base64 empty": b"",
    "base64 blanks": HELLO, "qp": b"a=bc\xc3\xbc\r\n", "qp soft": b"abc",
    "qp bad": b"a=zz=3=b=\r\n"[:-3], "qp lower": b"a\xc3\xbc\r\n",
    "qp blanks": b"a\r\nb  \r\n", "qp end": b"a=3", "qp end =": b"a",
    "qp NUL": b"a\0b\r\n", "base64 NUL": b"\0\0\0", "7bit": b"a=3Db\r\n",
    "7bit NUL": b"a\0b\r\n", "binary NUL": b"\0\r\n\0",
    "8bit": b"\xc3\xbc\r\n", "binary": b"\xc3\xbc\r\n", "odd": None,
    "blanks": HELLO, "comment": HELLO, "parameter": HELLO,
}


def test_binary_by_hand(hand):
    for name, want in DECODED.items():
        n = hand.names.index(f"encoding {name}") + 1
        if want is None:
            for what in ("BINARY.PEEK[1]", "BINARY.SIZE[1]"):
                answer = hand.us.command(f"FETCH {n} ({what})")
                assert answer.startswith("NO [UNKNOWN-CTE]")
            continue
        got = hand.us.fetch(f"FETCH {n} (BINARY.SIZE[1] BINARY.PEEK[1] "
                            "BINARY.PEEK[1]<2.3> BINARY.PEEK[1]<1000.3>)")[n]
        assert got["BINARY[1]"] == want, name
        assert int(got["BINARY.SIZE[1]"]) == len(want), name
        assert got["BINARY[1]<2>"] == want[2:5], name
        assert got["BINARY[1]<1000>"] == b""
        # A literal that has a NUL is a literal8, others need not be.
        piece = next(x for x in hand.us.untagged[0] if b"BINARY[1] " in x)
        assert (b"BINARY[1] ~{" in piece) == (b"\0" in want)
    n = hand.names.index("two parts") + 1
    for what in ("BINARY[1.MIME]", "BINARY[TEXT]", "BINARY.SIZE[1]<0.1>"):
        assert hand.us.command(f"FETCH {n} {what}").startswith("BAD")
    got = hand.us.fetch(f"FETCH {n} (BINARY.PEEK[3] BINARY.PEEK[1])")[n]
    assert got == {"BINARY[3]": None, "BINARY[1]": b"one"}


def test_large_parts_in_portions(work):
    """Pieces of a large part, forwards and backwards, whole and decoded."""
    data = bytes(range(256)) * 8192
    m = email.message.EmailMessage()
    m["Subject"] = "x"
    m.set_content("text")
    m.add_attachment(data, maintype="application", subtype="octet-stream")
    imapwire.make_maildir(work / "large" / "Maildir", [m.as_bytes()])
    server = imapwire.Serve(work / "large")
    try:
        c = server.connect()
        whole = c.fetch("FETCH 1 BODY.PEEK[2]")[1]["BODY[2]"]
        assert c.fetch("FETCH 1 BINARY.SIZE[2]")[1]["BINARY.SIZE[2]"] == \
            str(len(data))
        for size in (65536, 100001):
            starts = list(range(0, len(data), size))
            for at in starts + starts[::-7]:
                got = c.fetch(f"FETCH 1 (BINARY.PEEK[2]<{at}.{size}> "
                              f"BODY.PEEK[2]<{at}.{size}>)")[1]
                assert got[f"BINARY[2]<{at}>"] == data[at:at + size]
                assert got[f"BODY[2]<{at}>"] == whole[at:at + size]
        assert c.fetch("FETCH 1 BINARY[2]")[1]["BINARY[2]"] == data
    finally:
        server.stop()


# -- what is kept beside the index

def test_the_kept_answers_are_the_same(work):
    """The second process answers from the blobs of the first; without them, and
    with damaged ones, the same comes out."""
    messages = odd(7, 200) + [(n, t) for n, t in oddmail.HAND.items()
                              if len(t) < 5000]
    top = work / "kept"
    maildir = imapwire.make_maildir(top / "Maildir",
                                    [text for _, text in messages])

    def ask():
        server = imapwire.Serve(top)
        try:
            c = server.connect()
            got = c.fetch(f"FETCH 1:* {ITEMS}")
            got2 = c.fetch("FETCH 1:* (BODY.PEEK[1] BODY.PEEK[HEADER])")
            c.ok("LOGOUT")
        finally:
            server.stop()
        return got, got2

    first = ask()
    blobs = maildir / "posthouse.cache"
    ph.wait_for(blobs.exists, "the blobs to be written")
    assert ask() == first
    data = bytearray(blobs.read_bytes())
    for k in range(30, len(data), 997):
        data[k] ^= 1 << (k % 8)
    blobs.write_bytes(data)
    assert ask() == first
    blobs.write_bytes(bytes(data[:len(data) // 3]))
    assert ask() == first
    blobs.unlink()
    assert ask() == first


# -- FLAGS, MODSEQ, CHANGEDSINCE

def test_seen_and_modseq(work):
    imapwire.make_maildir(work / "seen" / "Maildir",
                          [b"Subject: %d\n\nbody\n" % n for n in range(600)])
    server = imapwire.Serve(work / "seen")
    try:
        c, other = server.connect(), server.connect()
        got = c.fetch("FETCH 1:500 BODY[TEXT]")
        assert all("\\Seen" in got[n]["FLAGS"] for n in range(1, 501))
        assert got[500]["BODY[TEXT]"] == b"body\r\n"
        assert len(c.untagged) == 500           # each told once
        other.ok("NOOP")
        assert sum("\\Seen" in v["FLAGS"]
                   for v in other.fetches().values()) == 500
        got = c.fetch("FETCH 500:502 (FLAGS BODY.PEEK[HEADER])")
        assert [("\\Seen" in got[n]["FLAGS"]) for n in (500, 501, 502)] == \
            [True, False, False]
        before = int(c.fetch("FETCH 500 MODSEQ")[500]["MODSEQ"][0])
        assert before > 1
        got = c.fetch("FETCH 501:510 BODY[]")   # with CONDSTORE now
        assert all(int(got[n]["MODSEQ"][0]) > before and
                   "\\Seen" in got[n]["FLAGS"] for n in range(501, 511))
        got = c.fetch(f"FETCH 1:* (UID) (CHANGEDSINCE {before})")
        assert sorted(got) == list(range(501, 511))
        assert all(int(v["MODSEQ"][0]) > before for v in got.values())
        for bad in ("(CHANGEDSINCE 0)", "(CHANGEDSINCE)", "(VANISHED)", "()",
                    f"(CHANGEDSINCE {before} VANISHED)"):
            assert c.command(f"UID FETCH 1:* FLAGS {bad}").startswith("BAD")
        assert c.command("FETCH 1 RFC822").startswith("OK")
        c.ok("ENABLE IMAP4rev2")
        for gone in ("RFC822", "RFC822.HEADER", "RFC822.TEXT"):
            assert c.command(f"FETCH 1 {gone}").startswith("BAD")
        assert c.fetch("FETCH 1 RFC822.SIZE")[1]["RFC822.SIZE"] == "20"
    finally:
        server.stop()
