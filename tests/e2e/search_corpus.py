# SPDX-License-Identifier: ISC
"""Letters in many charsets and encodings, and what SEARCH must find in them,
by Python's email parser and no cleverness."""

import base64
import email
import email.header
import email.policy
import email.utils
import quopri
import re
import unicodedata

# Words by the charsets that can write them.
WORDS = {
    "us-ascii": "alpha Beta GAMMA delta invoice Report 2024 re_port x=y "
                "a_b".split(),
    "iso-8859-1": "Grüße Straße façade ÅNGSTRÖM niño élève".split(),
    "iso-8859-2": "Łódź žluťoučký kůň ŠKODA".split(),
    "iso-8859-7": "Σίσυφος ΟΔΥΣΣΕΥΣ άλφα".split(),
    "iso-8859-15": "€uro œuvre Žena".split(),
    "windows-1250": "Příliš ŽLUŤ".split(),
    "windows-1251": "Привет МИР ёлка".split(),
    "windows-1252": "“quoted” naïve Øre…".split(),
    "koi8-r": "Почта ЯЩИК письмо".split(),
    "utf-8": "Ünïcödé 日本語 Ελληνικά Жук 😀 İstanbul ﬁne".split(),
    "iso-2022-jp": "日本語 テスト 会議".split(),
    "shift_jis": "日本語 カタカナ".split(),
    "euc-kr": "한국어 메일".split(),
    "big5": "中文 郵件".split(),
    "gb18030": "中文 邮件 €".split(),
    "utf-7": "Grüße ünder".split(),
}
PYTHON = {"utf-7": "utf-7"}


def fold_char(c):
    t = c.title()
    return t if len(t) == 1 else c


def fold(s):
    """i;unicode-casemap (RFC 5051)."""
    s = "".join(map(fold_char, s))
    return "".join(fold_char(c) for x in s
                   for c in unicodedata.normalize("NFKD", x))


def pick_words(rng, charset, n):
    pool = WORDS[charset] + WORDS["us-ascii"][:6]
    if not getattr(rng, "odd", True):
        pool = [w for w in pool if "ﬁ" not in w]
    return " ".join(rng.choice(pool) for _ in range(n))


# -- writing

def q_word(raw, charset):
    text = b"".join(
        b"_" if c == 0x20 else bytes([c])
        if chr(c).isalnum() and c < 0x80 else b"=%02X" % c for c in raw)
    return b"=?" + charset.encode() + b"?Q?" + text + b"?="


def b_word(raw, charset):
    return (b"=?" + charset.encode() + b"?B?" + base64.b64encode(raw) +
            b"?=")


def encode_words(rng, text, charset):
    """One encoded word, or several; in charsets without states they may be cut
    anywhere, also inside a character (rng.odd False: never)."""
    raw = text.encode(charset)
    how = rng.choice((q_word, b_word))
    if charset in ("iso-2022-jp", "utf-7") or rng.random() < 0.5 or \
            not getattr(rng, "odd", True):
        pieces = [raw]
    else:
        n = rng.randrange(1, 6)
        pieces = [raw[i:i + n] for i in range(0, len(raw), n)]
    return rng.choice((b" ", b"\n ", b"\n\t")).join(
        how(p, charset) for p in pieces)


def field(rng, charset, n=3):
    text = pick_words(rng, charset, n)
    if charset == "us-ascii" or text.isascii():
        return text.encode()
    if charset == "utf-8" and rng.random() < 0.3:
        return text.encode()  # raw, as UTF8=ACCEPT has it
    return encode_words(rng, text, charset)


def address(rng, charset):
    local = rng.choice(("ann", "bob", "Carl", "dora.x")) + str(
        rng.randrange(5))
    where = f"{local}@{rng.choice(('example.org', 'Test.example'))}".encode()
    kind = rng.randrange(4)
    if kind == 0:
        return where
    if kind == 1:
        return b'"' + pick_words(rng, "us-ascii", 2).encode() + b'" <' + \
            where + b">"
    name = pick_words(rng, charset, 2)
    name = name.encode() if name.isascii() else encode_words(rng, name,
                                                             charset)
    return name + b" <" + where + b">"


def text_part(rng, charset, subtype=b"plain"):
    text = "\n".join(pick_words(rng, charset, 6) for _ in range(
        rng.randrange(1, 6))) + "\n"
    if subtype == b"html":
        text = f"<html><body class=\"alpha\">{text}</body></html>\n"
    raw = text.encode(charset)
    how = rng.choice(("8bit", "base64", "quoted-printable"))
    if how == "base64":
        raw = base64.encodebytes(raw)
    elif how == "quoted-printable":
        raw = quopri.encodestring(raw)
    label = charset.upper() if rng.random() < 0.3 else charset
    return (b"Content-Type: text/%s; charset=%s\n"
            b"Content-Transfer-Encoding: %s\n\n" %
            (subtype, rng.choice((b"%s", b'"%s"')) % label.encode(),
             how.encode()) + raw)


def structure(rng, charset, depth=0):
    """A body with the header fields that describe it."""
    kind = rng.randrange(6) if depth < 3 else 0
    if kind < 3:
        return text_part(rng, charset, rng.choice((b"plain", b"html")))
    if kind == 3:
        return (b"Content-Type: message/rfc822\n\n" +
                letter_bytes(rng, rng.choice(list(WORDS)), depth + 1))
    if kind == 4:
        data = base64.encodebytes(pick_words(
            rng, "us-ascii", 8).encode())
        return (b"Content-Type: application/octet-stream\n"
                b"Content-Transfer-Encoding: base64\n\n" + data)
    mark = b"=-%d-%d" % (depth, rng.randrange(10**9))
    parts = [structure(rng, rng.choice((charset, "utf-8", "us-ascii")),
                       depth + 1) for _ in range(rng.randrange(1, 4))]
    return (b"Content-Type: multipart/%s;\n boundary=\"%s\"\n\n" %
            (rng.choice((b"mixed", b"alternative")), mark) +
            b"".join(b"--%s\n%s\n" % (mark, p) for p in parts) +
            b"--%s--\n" % mark)


ZONES = ("+0000", "-0800", "+0530", "+1400", "EST", "-1200")


def letter_bytes(rng, charset, depth=0):
    lines = [b"From: " + address(rng, charset),
             b"To: " + b",\n ".join(address(rng, charset) for _ in range(
                 rng.randrange(1, 4))),
             b"Subject: " + field(rng, charset),
             b"Message-ID: <%d.%d@test.example>" % (
                 rng.randrange(10**6), rng.randrange(10**6))]
    if rng.random() < 0.3:
        lines.append(b"Cc: " + address(rng, charset))
    if rng.random() < 0.1:
        lines.append(b"Bcc: " + address(rng, "us-ascii"))
    if rng.random() < 0.9:
        lines.append(b"Date: %s, %d %s %d %02d:%02d:%02d %s" % (
            rng.choice((b"Mon", b"Tue")), rng.randrange(1, 29),
            rng.choice((b"Jan", b"Feb", b"Nov")), rng.randrange(2019, 2023),
            rng.randrange(24), rng.randrange(60), rng.randrange(60),
            rng.choice(ZONES).encode()))
    if rng.random() < 0.3:
        lines.append(b"X-Note: " + field(rng, charset))
    rng.shuffle(lines)
    lines.append(b"MIME-Version: 1.0")
    return b"\n".join(lines) + b"\n" + structure(rng, charset, depth)


# -- reading, by Python

def unfold(value):
    return re.sub(r"\r?\n", "", value)


def decode(value):
    """A header's value as people see it."""
    value = unfold(str(value))
    out = []
    for raw, charset in email.header.decode_header(value):
        if isinstance(raw, str):
            raw = raw.encode("ascii", "surrogateescape")
        out.append(raw.decode(charset or "utf-8"))
    return "".join(out).replace("\t", " ").strip()


class Message:
    """What is known of a message, and whether a key matches."""

    def __init__(self, data):
        self.size = len(data) + data.count(b"\n") - data.count(b"\r\n")
        self.flags, self.keywords = set(), set()
        # 8-bit headers as surrogates, else Python calls them unknown-8bit
        m = email.message_from_bytes(data)
        self.headers = [(k, decode(self._raw(v))) for k, v in m.raw_items()]
        self.inner, self.body = [], []
        self._body(m)
        self.day = None
        date = [v for k, v in m.raw_items() if k == "Date"]
        if date:
            t = email.utils.parsedate_tz(str(date[0]))
            self.day = t[:3]
            self.sent = email.utils.mktime_tz(t)

    @staticmethod
    def _raw(v):
        return v if isinstance(v, str) else str(v)

    def _body(self, m):
        """Headers below the top, and bodies that are text."""
        for part in m.walk():
            if part is not m:
                self.inner += [fold(f"{k}: {decode(self._raw(v))}")
                               for k, v in part.raw_items()]
            if part.is_multipart() or part.get_content_maintype() != "text":
                continue
            raw = part.get_payload(decode=True)
            self.body.append(fold(raw.decode(
                part.get_content_charset("utf-8"), "replace")))

    def header(self, name, text):
        return any(fold(text) in fold(v) for k, v in self.headers
                   if k.lower() == name.lower())

    def in_body(self, text):
        return any(fold(text) in t for t in self.inner + self.body)

    def in_text(self, text):
        return any(fold(text) in fold(f"{k}: {v}") for k, v in self.headers) \
            or self.in_body(text)
