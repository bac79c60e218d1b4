# SPDX-License-Identifier: ISC
"""A Maildir of any number of letters, always the same ones: people who write
to each other, plain, in two forms, or with something attached."""

import base64
import os
import random
import time

FIRST = 1_600_000_000   # of the first letter, seconds since 1970
EVERY = 600
PEOPLE = 400
WORDS = ("queue budget meeting release invoice weather garden report letter "
         "travel number server winter question answer paper system change "
         "monday contract review summer picture music window bridge coffee "
         "order ticket update draft plan holiday train station").split()
MARKED = "semaphore"    # in one subject of a hundred


def person(rng):
    n = rng.randrange(PEOPLE)
    name = f"{WORDS[n % len(WORDS)].title()} Person{n}"
    if n % 7 == 0:
        name = "=?utf-8?q?J=C3=BCrgen_M=C3=BCller" + f"{n}?="
    return f"{name} <person{n}@example{n % 10}.org>"


def text(rng, size):
    lines, have = [], 0
    while have < size:
        line = " ".join(rng.choices(WORDS, k=11))
        lines.append(line)
        have += len(line) + 1
    return "\n".join(lines) + "\n"


def letter(n, rng, ids):
    """The n-th letter, with LF; ids: the Message-IDs before it."""
    when = time.strftime("%a, %d %b %Y %H:%M:%S +0000",
                         time.gmtime(FIRST + n * EVERY))
    subject = " ".join(rng.choices(WORDS, k=4))
    if n % 100 == 50:
        subject += f" {MARKED}"
    mid = f"<{n}.{rng.randrange(1 << 40):x}@example.org>"
    head = [f"Return-Path: <person{n % PEOPLE}@example.org>",
            f"Delivered-To: bench@example.org",
            f"Received: from mx.example.org (mx.example.org [192.0.2.1])\n"
            f"\tby mail.example.net with ESMTPS id {n:x}\n\tfor "
            f"<bench@example.net>; {when}",
            f"Received: from client (unknown [198.51.100.7])\n\tby "
            f"mx.example.org with ESMTPSA id {n:o}; {when}",
            f"Date: {when}", f"From: {person(rng)}",
            f"To: {person(rng)}, {person(rng)}", f"Message-ID: {mid}",
            "MIME-Version: 1.0"]
    if n % 3 == 0:
        head.append(f"Cc: {person(rng)}")
    if ids and rng.random() < 0.5:
        to = rng.choice(ids[-200:])
        head += [f"In-Reply-To: {to}", f"References: {to}"]
        subject = "Re: " + subject
    head.append(f"Subject: {subject}")
    ids.append(mid)
    kind = n % 10
    size = rng.randrange(2000, 9000)
    if kind < 5:
        head.append("Content-Type: text/plain; charset=utf-8")
        return "\n".join(head) + "\n\n" + text(rng, size)
    plain = text(rng, size // 3)
    other = ("Content-Type: text/html; charset=utf-8\n"
             "Content-Transfer-Encoding: quoted-printable\n\n"
             "<html><body><p>" + text(rng, size // 2) + "</p></body></html>\n")
    if kind >= 8:
        data = base64.encodebytes(rng.randbytes(size)).decode()
        other = ("Content-Type: application/pdf; name=\"report.pdf\"\n"
                 "Content-Disposition: attachment; filename=\"report.pdf\"\n"
                 "Content-Transfer-Encoding: base64\n\n" + data)
    b = f"=_{n:x}_{rng.randrange(1 << 30):x}"
    head.append(f"Content-Type: multipart/{'alternative' if kind < 8 else 'mixed'};\n"
                f"\tboundary=\"{b}\"")
    return ("\n".join(head) + f"\n\n--{b}\nContent-Type: text/plain; "
            f"charset=utf-8\n\n{plain}\n--{b}\n{other}\n--{b}--\n")


def make(top, n, uid, named_sizes=True):
    """Letters in top/cur, named as Dovecot and Posthouse name what they
    deliver, or without sizes; all seen but one in ten."""
    rng = random.Random(2026)
    ids = []
    for d in (top, top / "new", top / "cur", top / "tmp"):
        d.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(d, uid, uid)
    cur = os.open(top / "cur", os.O_RDONLY | os.O_DIRECTORY)
    for k in range(n):
        data = letter(k, rng, ids).encode()
        when = FIRST + k * EVERY + 30
        sizes = f",S={len(data)},W={len(data) + data.count(10)}"
        name = (f"{when}.M{k % 1000000}P{k}.mail.example.net"
                f"{sizes if named_sizes else ''}:2,{'' if k % 10 == 3 else 'S'}")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600,
                     dir_fd=cur)
        os.write(fd, data)
        os.fchown(fd, uid, uid)
        os.utime(fd, (when, when))
        os.close(fd)
    os.close(cur)
