# SPDX-License-Identifier: ISC
"""Hostile and odd mail: a collection made by hand, and a seeded generator.
Every message is bytes; most have LF line ends, as a Maildir has."""

import random

HAND = {}


def mail(name, *parts):
    HAND[name] = b"".join(p.encode() if isinstance(p, str) else p
                          for p in parts)


MP = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n'
TEXT = "Content-Type: text/plain\n\n"
RFC822 = "Content-Type: message/rfc822\n\n"

# -- nothing much
mail("empty file")
mail("one line end", "\n")
mail("one CRLF", "\r\n")
mail("only text", "hello world\n")
mail("no header", "\nhello\nworld\n")
mail("header only", "From: a@b.c\nSubject: x\n")
mail("header only, no last line end", "From: a@b.c\nSubject: x")
mail("header and empty line", "From: a@b.c\nSubject: x\n\n")
mail("no last line end", "Subject: x\n\nbody")
mail("CRLF", "From: a@b.c\r\nSubject: x\r\n y\r\n\r\none\r\ntwo\r\n")
mail("mixed line ends", "From: a@b.c\nSubject: x\r\n\r\none\ntwo\r\nthree\n")
mail("CR in the body", "Subject: x\n\none\rtwo\r\r\nthree\r")
mail("CR at the end", "Subject: x\n\none\r")
mail("CR in the header", "Subject: x\ry\nFrom: a@b\rc\n\nbody\n")
mail("CR CR LF after the header", "Subject: x\r\r\n\r\r\n\r\nbody\n")
mail("NUL", b"Subject: a\0b\nFrom: a\0@b.c\nX: \0\n\nbo\0dy\n\0\n")
mail("NUL in a type", b"Content-Type: te\0xt/pl\0ain; a\0=b\0\n\nbody\n")
mail("From line of mbox", "From a@b Thu Jan  1 00:00:00 1970\nSubject: x\n\nb\n")
mail("blank line with blanks", "Subject: x\n \n\nbody\n")
mail("line without a colon", "Subject: x\nno colon here\nFrom: a@b\n\nbody\n")
mail("folded line without a colon", "Subject: x\nno colon\n here: y\nFrom: a@b"
     "\n\nbody\n")
mail("first line folded", " Subject: x\nFrom: a@b\n\nbody\n")
mail("blank before the colon", "Subject : x\nFrom\t: a@b\nContent-Type : "
     "text/html\n\nbody\n")
mail("empty name", ": x\nFrom: a@b\n\nbody\n")
mail("8-bit name", "S\u00fcbject: x\nFrom: a@b\n\nbody\n")
mail("line of 1 MB", "Subject: x\n\n", "y" * 1048576, "\nend\n")
mail("header line of 1 MB", "Subject: ", "y" * 1048576, "\nFrom: a@b\n\nend\n")
mail("header of 300,000 lines", "From: a@b\n", "X: y\n" * 300000,
     "Subject: last\n\nend\n")
mail("header of one field folded 100,000 times", "From: a@b\nSubject: x",
     "\n y" * 100000, "\n\nend\n")

# -- the envelope
mail("all fields", "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\n"
     "From: Terry Gray <gray@cac.washington.edu>\nSender: s@x\n"
     "Reply-To: r@x, q@x\nTo: imap@cac.washington.edu\n"
     "Cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\n"
     "Bcc: b@x\nIn-Reply-To: <1@x> <2@x>\nMessage-ID: <3@x>\n"
     "Subject: IMAP4rev1 WG mtg summary and minutes\n\nbody\n")
mail("empty fields", "Date:\nFrom:\nSender: \nReply-To:\nTo:\nCc:  \nBcc:\n"
     "In-Reply-To:\nMessage-ID:\nSubject:\n\nbody\n")
mail("empty sender and reply-to", "From: a@b\nSender:\nReply-To:\n\nbody\n")
mail("folded everything", "Date:\n Mon, 7 Feb 1994\n 21:52:25 -0800\n"
     "From:\n A\n B\n <a\n @\n b.c>\nTo:\n\tx@y,\n\tz@y\n"
     "Subject:\n one\n\ttwo\n   three\nMessage-ID:\n <1@x>\n"
     "Content-Type:\n text/plain;\n charset=\n utf-8\n"
     "Content-Transfer-Encoding:\n 8bit\n\nbody\n")
mail("folded with CRLF", "From: A\r\n <a@b>\r\nSubject: one\r\n two\r\n"
     "Content-Type: text/plain;\r\n name=\"a\r\n b\"\r\n\r\nbody\r\n")
mail("duplicates", "From: a@b\nFrom: c@d\nTo: e@f\nTo: g@h\nSubject: one\n"
     "Subject: two\nDate: d1\nDate: d2\nMessage-ID: <1>\nMessage-ID: <2>\n"
     "Content-Type: text/html\nContent-Type: text/enriched\n\nbody\n")
mail("duplicate content fields", "MIME-Version: 1.0\n"
     "Content-Transfer-Encoding: base64\n"
     "Content-Transfer-Encoding: 8bit\nContent-ID: <1>\nContent-ID: <2>\n"
     "Content-Description: a\nContent-Description: b\nContent-MD5: x\n"
     "Content-MD5: y\nContent-Location: a\nContent-Location: b\n"
     "Content-Language: de\nContent-Language: fr\n"
     "Content-Disposition: inline\nContent-Disposition: attachment\n\nbody\n")
mail("subject with blanks", "Subject:   a   b\t c  \nFrom: a@b\n\nbody\n")
mail("subject of blanks", "Subject: \t \n\t\n  \nFrom: a@b\n\nbody\n")
mail("subject with quotes", 'Subject: a "b\\c" \\\nFrom: a@b\n\nbody\n')
mail("8-bit header", "Subject: Gr\u00fc\u00dfe\nFrom: J\u00fcrgen <j@x>\n"
     "To: \"\u00c4\" <\u00e4@\u00f6.de>\n\nbody\n")
mail("Latin-1 header", b"Subject: Gr\xfc\xdfe\nFrom: J\xfcrgen <j@x>\n\nb\n")
mail("encoded words", "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?w7w=?=\n"
     "From: =?iso-8859-1?Q?J=FCrgen?= <j@x>\n"
     "To: \"=?utf-8?q?a?=\" <a@b>\n\nbody\n")
mail("UTF-8 addresses", "From: \u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a\n"
     "To: \"\u00fc\u00f6\"@\u00e4.de\n\nbody\n")
mail("100,000 recipients", "From: a@b\nTo: ", ",\n ".join(
    f"User {n} <u{n}@example.com>" for n in range(100000)), "\n\nbody\n")

ADDRESSES = [
    "a@b.c", "A B <a@b.c>", '"A, B" <a@b.c>', '"A \\"q\\" B" <a@b.c>',
    "a@b.c (A B)", "(A B) a@b.c", "A (comment) B <a@b.c> (more)",
    "<a@b.c>", "<>", "a", "A B", "A B <a>", '"a b"@c.d', "a.b.c@d",
    "a..b@c", ".a@b", "a.@b", "a @ b . c", "a@[127.0.0.1]",
    "a@[IPv6:::1]", "a@[ 1 2 ]", "<@r1,@r2:a@b.c>", "A <@r1.x:a@b.c>",
    "<@r1,,@r2:a@b.c>", "<@r1 a@b.c>", "Group: a@b, c@d;", "Group:;",
    "Group: ;, a@b", '"Gr, oup": A <a@b>;', "Group: a@b", "G: H: a@b;;",
    "a@b; c@d", ";", ",", ",,a@b,,c@d,,", "a@b c@d", "a@b <c@d>",
    "<a@b> c@d", "<a@b><c@d>", "A <a@b", "A <a@b>, B <c@d", "a@", "@b",
    "<a@>", "<@b>", "A <>", "<@>", "a@b@c", "<a@b@c>", "A <a b@c>",
    '"a\nb" <c@d>', '"unclosed <a@b>', "(unclosed a@b", "a@b (x",
    "a@b (x (y) z)", "a@b (x \\) y)", "a@b () (y)", "a\\@b@c", "[a]@b",
    "A. B. <a@b>", "A.B <a@b>", "A . B <a@b>", "a b c@d", "a <b> c",
    "mailto:a@b", "undisclosed-recipients:;", "a@b.c.", "a@.b", "a@b..c",
    '""@b', '"" <a@b>', "'a b' <c@d>", "a=b/c@d", "a%b@c", "a!b@c",
    "A =?utf-8?q?b?= <a@b>", "=?utf-8?q?a_b?= <a@b>", "a@b\t", "\ta@b",
    "A  B   C <a@b>", "A\tB <a@b>", "A\n B <a@b>", '"A"B"C" <a@b>',
    'A"B"C <a@b>', "<a@b>,", ", <a@b>", "a, b, c", "(only a comment)",
    "()", "(a)(b) c@d", "a(x)@(y)b(z)", "<a(x)@(y)b(z)>",
    "a@b:c", "a:b@c", ":a@b;", ": a@b", "<a:b@c>", "A <a@b>;B <c@d>",
    "g:a@b,c@d;,e@f", "g:a@b;h:c@d;", "g:a@b;c@d", "a@(c)", "a(c)",
    "A <a@b>(c)<d@e>", "<<a@b>>", "<a@b>>", "a>b@c", "A [x] <a@b>",
    "a@b,(c)", "(c),a@b", "a@b (c), d@e", "<@a:>", "<@a:b>", "<@a@b:c@d>",
]
for _n, _a in enumerate(ADDRESSES):
    mail(f"address {_a!r}", f"From: {_a}\nTo: x@y, {_a}, z@y\n\nbody\n")

TYPES = [
    "text/plain", "TEXT/HTML", "text", "text/", "/plain", "/", "text/plain;",
    ";", "", " ", "text plain", "text/plain/x", "text /plain", "text/ plain",
    "text / plain ; charset = utf-8", "text/plain; charset=utf-8",
    'text/plain; charset="utf-8"', "text/plain; charset=", "text/plain; =x",
    "text/plain; charset", "text/plain; charset=a b; name=c",
    "text/plain; charset=a; charset=b", "text/plain charset=utf-8",
    "text/plain;; charset=utf-8;;", "text/plain; (c) charset=(d)utf-8(e)",
    "(x) text/plain", "text/plain (x); charset=y", 'text/plain; name="a;b"',
    'text/plain; name="a\\"b"', 'text/plain; name="unclosed; x=y',
    "text/plain; name=a/b.c", "text/plain; name=a@b", "text/plain; name=a=b",
    "text/plain; name=?a", 'text/plain; name="a" b', 'text/plain; name="a"x=y',
    "text/plain; name='a b'", 'text/plain; name=""', "text/plain; n ame=x",
    "text/plain; name*=utf-8'en'%e2%82%ac", "text/plain; name*0=a; name*1=b",
    "text/plain; name*0*=utf-8''a%20; name*1=b; name*2*=%41",
    "text/plain; name*1=b; name*0=a", "text/plain; name*=bad%zz",
    "text/plain; name=\u00fc", 'text/plain; name="\u00fc"',
    "text/plain; \u00fc=x", "application/octet-stream; type=x",
    "image/png", "audio/basic; a=b", "x-a/x-b", "te\u00fct/plain",
    "message/rfc822", "Message/RFC822; a=b", "message/partial; id=x",
    "message/external-body; access-type=x", "message/delivery-status",
    "message/global", "message/disposition-notification", "message/http",
    "multipart/mixed", "multipart/mixed; boundary=", "multipart",
    'multipart/mixed; boundary=""', "multipart/", "multipart/; boundary=b",
    "multipart/mixed; boundary=b", 'multipart/mixed; boundary="b "',
    "multipart/mixed; boundary=b c", "multipart/mixed; BOUNDARY=b",
    "multipart/mixed; boundary*=us-ascii''b", "multipart/digest; boundary=b",
    "multipart/mixed; boundary*0=b", "multipart/x; boundary=(c)b",
    "multipart/alternative; boundary=b; type=x; charset=y",
    "multipart/mixed; boundary=" + "b" * 79, "multipart/mixed boundary=b",
    "text/plain; format=flowed; delsp=yes", "text;plain", "text,plain",
    "text/plain, text/html", '"text"/"plain"', "text/plain; a=\"b\nc\"",
    "text/plain; a=[x]", "text/plain; a=<x>", "text/plain; a=(x", "text/(x)b",
]
for _n, _t in enumerate(TYPES):
    mail(f"type {_t!r}", f"Content-Type: {_t}\nSubject: s\n\n--b\n"
         "Subject: inner\n\none\n--b--\nend\n")
    mail(f"type of a part {_t!r}", MP, f"\n--b\nContent-Type: {_t}\n\nFrom: "
         "i@j\n\none\n--b--\n")

for _f in ("Content-Transfer-Encoding", "Content-ID", "Content-Description",
           "Content-MD5", "Content-Location", "Content-Language",
           "Content-Disposition"):
    for _v in ("", " ", "base64", "BASE64 ", "quoted-printable", "x-y", "7bit",
               "a b", "a; b=c", "a, b", "(x) a", "a (x)", '"a"', '"a b', "a\n b",
               "<a@b>", "\u00fc", "a; b=\"c;d\"; e*0=f; e*1=g", "a,b,,c", ",",
               ";", "a\tb", "=?utf-8?q?a?=", "de, en-GB (x)", "attachment;"
               " filename=\"a b.txt\"; size=1", "'a'", "a/b", "NIL", "\\"):
        mail(f"{_f} {_v!r}", f"MIME-Version: 1.0\n{_f}: {_v}\n\nbody\n")

mail("encoding without MIME", "Content-Transfer-Encoding: base64\n\nAAAA\n")

# -- boundaries
mail("two parts", MP, "\npre\n--b\n", TEXT, "one\n--b\n\ntwo\n--b--\nepi\n")
mail("never closed", MP, "\n--b\n", TEXT, "one\n")
mail("no delimiter at all", MP, "\none\ntwo\n")
mail("only the last delimiter", MP, "\none\n--b--\ntwo\n")
mail("empty part", MP, "\n--b\n--b\n\n--b\n\n\n--b--\n")
mail("header cut off by a delimiter", MP, "\n--b\nContent-Type: text/html\n--b"
     "--\n")
mail("header cut off by the end", MP, "\n--b\nContent-Type: text/html")
mail("delimiter without line end", MP, "\n--b\n\none\n--b--")
mail("delimiter with blanks", MP, "\n--b \t\n\none\n--b-- \n")
mail("delimiter with text", MP, "\n--bcd\n\none\n--b--xyz\n--b\n\ntwo\n")
mail("delimiter with CR CR LF", MP, "\n--b\r\r\n\none\n--b--\r\r\n")
mail("delimiter with one dash more", MP, "\n--b\n\none\n--b-\n\ntwo\n--b---\n")
mail("three dashes", MP, "\n---b\n\none\n--b--\n")
mail("blank before the delimiter", MP, "\n --b\n\none\n--b--\n")
mail("delimiter in the header", "Subject: x\n--b\n", MP, "\n--b\n\none\n--b--\n")
mail("empty line before a delimiter", MP, "\n--b\n\none\n\n\n--b--\n")
mail("nothing before a delimiter", MP, "\n--b\n\n--b--\n")
mail("delimiters after the last", MP, "\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n")
mail("inner boundary is a prefix", 'Content-Type: multipart/mixed; '
     'boundary=bcd\n\n--bcd\n', MP, "\n--b\n\none\n--bcd\n\ntwo\n--bcd--\n")
mail("outer boundary is a prefix", MP, '\n--b\nContent-Type: multipart/mixed; '
     'boundary=bcd\n\n--bcd\n\none\n--bcd--\n--b\n\ntwo\n--b--\n')
mail("outer boundary with dashes", 'Content-Type: multipart/mixed; '
     'boundary="b--"\n\n--b--\n', MP, "\n--b\n\none\n--b--\n\ntwo\n--b----\n")
mail("the same boundary inside", MP, "\n--b\n", MP, "\n--b\n\none\n--b--\n"
     "--b\n\ntwo\n--b--\n")
mail("inner never closed", MP, '\n--b\nContent-Type: multipart/mixed; '
     'boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n')
mail("inner closed twice", MP, '\n--b\nContent-Type: multipart/mixed; '
     'boundary=c\n\n--c\n\none\n--c--\nepi\n--c--\n--b\n\ntwo\n--b--\n')
mail("outer closed inside inner", MP, '\n--b\nContent-Type: multipart/mixed; '
     'boundary=c\n\n--c\n\none\n--b--\n--c\n\ntwo\n--c--\n')
for _n in (69, 70, 71, 79, 80, 81, 100, 199, 200, 201, 300, 2000):
    _b = "x" * _n
    mail(f"boundary of {_n}", f"Content-Type: multipart/mixed; boundary={_b}\n\n"
         f"--{_b}\n\none\n--{_b}\n\ntwo\n--{_b}--\n")
    mail(f"boundary of {_n}, differing in the last byte",
         f"Content-Type: multipart/mixed; boundary={_b}\n\n"
         f"--{_b}\n\none\n--{_b[:-1]}y\n\ntwo\n--{_b}--\n")
mail("boundary with everything", 'Content-Type: multipart/mixed; '
     'boundary="\'()+_,-./:=? x"\n\n--\'()+_,-./:=? x\n\none\n'
     "--'()+_,-./:=? x--\n")
mail("boundary of dashes", 'Content-Type: multipart/mixed; boundary="--"\n\n'
     "----\n\none\n----\n\ntwo\n------\n")
mail("boundary with 8 bits", 'Content-Type: multipart/mixed; boundary="\u00fc"'
     "\n\n--\u00fc\n\none\n--\u00fc--\n")

# -- messages in messages
mail("message", RFC822, "Subject: inner\nFrom: a@b\n\nbody\n")
mail("message without a header", RFC822, "\nbody\n")
mail("message of nothing", RFC822)
mail("message cut off", "Content-Type: message/rfc822")
mail("message cut off inside", RFC822, "Subject: x")
mail("message of a multipart", RFC822, MP, "\n--b\n\none\n--b--\n")
mail("message in a part", MP, "\n--b\n", RFC822, "Subject: i\n\none\n--b\n\ntwo"
     "\n--b--\n")
mail("message in a part cut off", MP, "\n--b\n", RFC822, "Subject: i\n--b--\n")
mail("message in a part of nothing", MP, "\n--b\n", RFC822, "--b--\n")
mail("message in a part without empty line", MP,
     "\n--b\nContent-Type: message/rfc822\n--b--\n")
mail("messages in messages", RFC822 * 10, "Subject: x\n\nbody\n")
mail("message, base64", "Content-Type: message/rfc822\nContent-Transfer-"
     "Encoding: base64\n\nU3ViamVjdDogeAoKYm9keQo=\n")
mail("digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: "
     "one\n\n1\n--b\nContent-Type: text/plain\n\nplain\n--b\nX: y\n\nSubject: "
     "two\n\n2\n--b--\n")
mail("digest of nothing", "Content-Type: multipart/digest; boundary=b\n\n--b\n"
     "--b\n\n--b--\n")
mail("digest with a bad type", "Content-Type: multipart/digest; boundary=b\n\n"
     "--b\nContent-Type: \n\nSubject: one\n\n1\n--b\nContent-Type: x\n\n"
     "Subject: two\n\n2\n--b--\n")
mail("digest in a digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n"
     "Content-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: 1\n\n1\n"
     "--c--\n--b--\n")
mail("report", "Content-Type: multipart/report; report-type=delivery-status; "
     "boundary=b\n\n--b\n\nsorry\n--b\nContent-Type: message/delivery-status\n\n"
     "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; y\n\n--b\nContent-Type: "
     "text/rfc822-headers\n\nSubject: x\n\n--b--\n")


def nested(depth, close=True):
    out = []
    for n in range(depth):
        out.append(f"Content-Type: multipart/mixed; boundary=b{n}x\n\n--b{n}x\n")
    out.append("\ninnermost\n")
    if close:
        out += [f"--b{n}x--\n" for n in reversed(range(depth))]
    return "".join(out)


for _n in (5, 30, 90, 99, 100, 101, 150, 2000):
    mail(f"{_n} multiparts deep", nested(_n))
    mail(f"{_n} messages deep", RFC822 * _n, "Subject: x\n\nbody\n")
for _n in (100, 999, 1001, 9990, 9999, 10000, 12000):
    mail(f"{_n} parts", MP, "".join(f"\n--b\n\n{k}\n" for k in range(_n)),
         "--b--\n")
mail("10,000 parts with names", MP, "".join(
    f"\n--b\nContent-Type: image/png; name=\"{k}.png\"\nContent-Transfer-"
    f"Encoding: base64\n\nAAAA\n" for k in range(10000)), "--b--\n")
mail("1,000 parameters", "Content-Type: text/plain", "".join(
    f";\n a{n}=b" for n in range(1000)), "\n\nbody\n")
mail("comments 1,000 deep", "From: a@b ", "(" * 1000, "x", ")" * 1000,
     "\nContent-Type: text/plain; ", "(" * 1000, ")" * 1000,
     " charset=utf-8\n\nbody\n")
mail("comments 10 deep", "From: a@b ", "(" * 10, "x", ")" * 10, "\n\nbody\n")

# -- RFC 2231, RFC 2183
for _p in ("filename*=utf-8''%e2%82%ac%20rates", "filename*=iso-8859-1'en'%A3",
           "filename*0=a; filename*1=b; filename*2=c",
           "filename*0*=utf-8''a%20; filename*1=b; filename*2*=%41",
           "filename*1=b; filename*0=a", "filename*0=a; filename*2=c",
           "filename*0=a; filename=b", "filename=b; filename*=utf-8''c",
           "filename*=", "filename*0=", "filename**=x", "filename*x=y",
           "filename*00=a", "filename*0*='' x", "filename*=utf-8'%41",
           "filename*0*=utf-8''a; filename*1*=\"%20b\"", "*0=a", "*=a",
           "filename*10=a", "FILENAME*0=a; filename*1=b",
           "filename=\"=?utf-8?q?a?=\"", "filename=a\\b", "filename=\"a\\b\"",
           "filename*0=\"a b\"; filename*1=\" c\"", "creation-date=\"x\""):
    mail(f"disposition {_p}", f"Content-Type: text/plain; {_p}\n"
         f"Content-Disposition: attachment; {_p}\n\nbody\n")

# -- encodings
BASE64 = "SGVsbG8gV8O2cmxkCg=="
for _name, _enc, _body in (
        ("base64", "base64", BASE64 + "\n"),
        ("base64 folded", "base64", "SGVs\nbG8g\r\nV8O2\ncmxk\nCg==\n"),
        ("base64 no padding", "base64", "SGVsbG8gV8O2cmxkCg\n"),
        ("base64 junk", "base64", "SGVs*bG8g!V8O2cmxkCg==\n"),
        ("base64 text behind", "base64", BASE64 + "\n\nmore text\n"),
        ("base64 two", "base64", BASE64 + "\n" + BASE64 + "\n"),
        ("base64 cut", "base64", "SGVsbG8gV8O2c\n"),
        ("base64 empty", "base64", ""),
        ("base64 blanks", "BASE64", " SGVs bG8g\tV8O2 cmxkCg== \n"),
        ("qp", "quoted-printable", "a=3Db=\nc=C3=BC\n"),
        ("qp soft", "quoted-printable", "a= \t\nb=\r\nc=\n"),
        ("qp bad", "quoted-printable", "a=zz=3=b=\n"),
        ("qp lower", "quoted-printable", "a=c3=bc\n"),
        ("qp blanks", "quoted-printable", "a \t \nb =20\n"),
        ("qp end", "quoted-printable", "a=3"),
        ("qp end =", "quoted-printable", "a="),
        ("qp NUL", "quoted-printable", "a=00b\n"),
        ("7bit NUL", "7bit", "a\0b\n"), ("binary NUL", "binary", "\0\n\0"),
        ("base64 NUL", "base64", "AAAA\n"),
        ("7bit", "7bit", "a=3Db\n"), ("8bit", "8bit", "\u00fc\n"),
        ("binary", "binary", "\u00fc\n"), ("odd", "x-uuencode", "abc\n"),
        ("blanks", " base64 ", BASE64 + "\n"),
        ("comment", "base64 (x)", BASE64 + "\n"),
        ("parameter", "base64; x=y", BASE64 + "\n")):
    mail(f"encoding {_name}", "Content-Type: text/plain; charset=utf-8\n"
         f"Content-Transfer-Encoding: {_enc}\n\n{_body}")
    mail(f"encoding {_name} of a part", MP, "\n--b\n"
         "Content-Type: text/plain; charset=utf-8\n"
         f"Content-Transfer-Encoding: {_enc}\n\n{_body}\n--b--\n")


# -- generated

class Maker:
    """Random mail; sane: as a MUA would write it, so that everybody's parser
    must see the same.  addresses, types: the odd ones to choose from.  torn:
    bytes are changed at random, too."""

    def __init__(self, seed, sane, addresses=(), types=(), torn=False):
        self.r = random.Random(seed)
        self.sane = sane
        self.addresses_, self.types, self.torn = addresses, types, torn

    def odd(self, p=0.1):
        return not self.sane and self.r.random() < p

    def word(self):
        return "".join(self.r.choice("abcdefghijklmnopqrstuvwxyz0123456789")
                       for _ in range(self.r.randint(1, 9)))

    def address(self):
        if self.odd(0.2) and self.addresses_:
            return self.r.choice(self.addresses_)
        plain = f"{self.word()}.{self.word()}@{self.word()}.example.com"
        return self.r.choice([
            plain, f"{self.word()} {self.word()} <{plain}>", f"<{plain}>",
            f'"{self.word()}, {self.word()}" <{plain}>',
            f"{plain} ({self.word()} {self.word()})",
            f"=?utf-8?Q?{self.word()}=C3=BC?= <{plain}>"])

    def addresses(self):
        n = self.r.choice((1, 1, 1, 2, 3, 8))
        sep = self.r.choice((", ", ",\n ", ",\n\t", ","))
        out = sep.join(self.address() for _ in range(n))
        if self.r.random() < 0.1:
            out = f"{self.word()}: {out};"
        return out

    def text(self):
        words = [self.word() for _ in range(self.r.randint(1, 12))]
        if self.r.random() < 0.3:
            words.append("=?iso-8859-1?Q?J=FCrgen?=")
        if self.odd():
            words.append("\u00e4\u00f6")
        return self.r.choice((" ", " ", "\n ")).join(words)

    def envelope(self):
        fields = [f"Subject: {self.text()}", f"From: {self.addresses()}",
                  f"To: {self.addresses()}",
                  "Date: Mon, 7 Feb 1994 21:52:25 -0800",
                  f"Message-ID: <{self.word()}@{self.word()}>"]
        for name in ("Cc", "Bcc", "Sender", "Reply-To"):
            if self.r.random() < 0.3:
                fields.append(f"{name}: {self.addresses()}")
        if self.r.random() < 0.5:
            fields.append(f"In-Reply-To: <{self.word()}@{self.word()}>")
            fields.append(f"References: <{self.word()}@{self.word()}>")
        for _ in range(self.r.randint(0, 4)):
            fields.append(f"X-{self.word()}: {self.text()}")
        if self.odd():
            fields.append(self.r.choice(fields))
        if self.odd(0.05):
            fields.append(self.r.choice(("no colon", ": x", "S : x", " fold")))
        self.r.shuffle(fields)
        return fields

    def param(self, name):
        v = self.word()
        return self.r.choice((f"; {name}={v}", f'; {name}="{v}"',
                              f";\n\t{name}=\"{v} {v}\"", ""))

    def disposition(self):
        out = []
        if self.r.random() < 0.3:
            out.append(f"Content-Disposition: attachment"
                       f"{self.param('filename')}")
        if self.r.random() < 0.2:
            out.append(f"Content-ID: <{self.word()}@{self.word()}>")
        if self.r.random() < 0.1:
            out.append(f"Content-Description: {self.text()}")
        if self.r.random() < 0.05:
            out.append("Content-Language: de, en")
        if self.r.random() < 0.05:
            out.append(f"Content-Location: http://{self.word()}/")
        if self.odd(0.05):
            out.append(f"Content-{self.word()}: {self.text()}")
        return out

    def lines(self):
        return "".join(" ".join(self.word() for _ in range(
            self.r.randint(0, 9))) + "\n" for _ in range(self.r.randint(0, 9)))

    def leaf(self):
        kind = self.r.choice(("text/plain", "text/html", "image/png",
                              "application/pdf", "text/calendar"))
        if self.odd(0.15) and self.types:
            fields = [f"Content-Type: {self.r.choice(self.types)}"]
        else:
            fields = [f"Content-Type: {kind}{self.param('charset')}"
                      f"{self.param('name')}"]
        encoding, body = self.r.choice((
            ("7bit", None), ("base64", BASE64 + "\n"), ("8bit", None),
            ("quoted-printable", "a=3Db=\nc\n"), (None, None)))
        if encoding:
            fields.append(f"Content-Transfer-Encoding: {encoding}")
        if self.odd(0.1):
            fields = fields[1:]
        return fields + self.disposition(), self.lines() if body is None \
            else body

    def multipart(self, depth, bounds):
        b = f"{len(bounds)}_{self.word()}"
        if self.odd(0.1) and bounds:
            b = self.r.choice((self.r.choice(bounds),
                               self.r.choice(bounds)[:-1] or "b",
                               self.r.choice(bounds) + "x"))
        kind = self.r.choice(("mixed", "alternative", "related", "signed",
                              "digest" if self.odd() else "mixed"))
        fields = [f'Content-Type: multipart/{kind};{self.r.choice((" ", chr(10) + chr(9)))}'
                  f'boundary="{b}"'] + self.disposition()
        out = [self.lines() if self.r.random() < 0.3 else ""]
        for _ in range(self.r.randint(0 if not self.sane else 1, 4)):
            f, body = self.entity(depth - 1, bounds + [b])
            f = f or ["X: y"]
            out.append(f"--{b}{' ' if self.odd() else ''}\n")
            head = "".join(x + "\n" for x in f)
            if f[0].startswith("Content-Type: m") or not self.odd(0.05):
                head += "\n"
            out.append(head + body)
            if not self.odd(0.1):
                out.append("\n")
        if not self.odd(0.15):
            out.append(f"--{b}--\n")
        if self.r.random() < 0.2:
            out.append(self.lines())
        return fields, "".join(out)

    def entity(self, depth, bounds):
        x = self.r.random()
        if depth > 0 and x < 0.45:
            return self.multipart(depth, bounds)
        if depth > 0 and x < 0.6:
            f, body = self.entity(depth - 1, bounds)
            inner = "".join(h + "\n" for h in self.envelope() +
                            ["MIME-Version: 1.0"] + f)
            return (["Content-Type: message/rfc822"] + self.disposition(),
                    inner + "\n" + body)
        return self.leaf()

    def message(self):
        f, body = self.entity(self.r.randint(0, 5), [])
        fields = self.envelope() + ["MIME-Version: 1.0"] + f
        data = ("".join(x + "\n" for x in fields) + "\n" + body).encode()
        if self.r.random() < 0.2:
            data = data.replace(b"\n", b"\r\n")
        if self.torn:
            if self.odd():
                data = data[:self.r.randint(0, len(data))]
            for _ in range(self.r.randint(1, 9)):
                at = self.r.randint(0, len(data))
                data = data[:at] + self.r.choice(
                    (b"\0", b"\r", b"\n", b"\"", b"(", b";", b"\xff", b"--",
                     b"", b"<", b":", b"\n\n")) + data[at + 1:]
        return data


def generate(seed, n, sane=False, **more):
    for k in range(n):
        yield f"{'sane' if sane else 'odd'} {seed}.{k}", \
            Maker(f"{seed}.{k}", sane, **more).message()
