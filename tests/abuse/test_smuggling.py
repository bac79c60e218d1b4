# SPDX-License-Identifier: ISC
"""SMTP smuggling: only CRLF.CRLF ends a message (RFC 5321 4.1.1.4), and what
comes with bare CR or LF is refused, not repaired."""

import pytest

import clients
from wire import smtp_until_data

ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.LF": b"\r.\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.CRLF": b"\r.\r\n",
    "LF.CR": b"\n.\r",
    "CRLF.CR.CRLF": b"\r\n.\r.\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF-NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL-CRLF": b"\r\n.\0\r\n",
}
HEADER = b"From: sender@example.com\r\nSubject: outer\r\n\r\ntext"
SECOND = (b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@posthouse.test>\r\n"
          b"DATA\r\nFrom: evil@example.com\r\nSubject: smuggled\r\n\r\n"
          b"smuggled\r\n.\r\n")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("pieces", [False, True])
def test_no_second_message(unmoved, end, pieces):
    i = unmoved
    with smtp_until_data(i.smtp_port, i.address("alice")) as w:
        data = HEADER + ENDS[end] + SECOND
        if pieces:
            # In pieces, so that no look at one buffer decides.
            for n in range(len(data)):
                w.send(data[n:n + 1])
        else:
            w.send(data)
        reply = w.smtp()
        bare = b"\n" in ENDS[end].replace(b"\r\n", b"") or \
            b"\r" in ENDS[end].replace(b"\r\n", b"")
        if bare:
            assert reply[:1] == b"5", reply
        # Whatever was said, the session is in step: one reply.
        w.send("RSET\r\nQUIT\r\n")
        rest = w.rest()
        assert rest.count(b"\n") <= 2, rest
    for user in ("alice", "bob"):
        for raw in i.mailbox(user).messages():
            assert b"\nSubject: smuggled" not in raw.partition(b"\n\n")[0]
    assert i.mailbox("bob").count() == 0


@pytest.mark.parametrize("data", [b"bare\nLF", b"bare\rCR", b"x\r\r\n"])
def test_bare_line_ends_are_refused(unmoved, data):
    i = unmoved
    with smtp_until_data(i.smtp_port, i.address("alice")) as w:
        reply = w.smtp(HEADER + b"\r\n" + data + b"\r\n.\r\n")
        assert reply[:1] == b"5", reply
        assert w.smtp("NOOP\r\n")[:3] == b"250"
    assert not [m for m in i.mailbox("alice").messages() if data in m]


def test_nothing_before_the_envelope_counts_as_data(unmoved):
    """Commands after DATA in the same packet are the message's."""
    i = unmoved
    letter = clients.Letter("RSET\r\nQUIT\r\n")
    with smtp_until_data(i.smtp_port, i.address("alice")) as w:
        reply = w.smtp(letter.bytes + b".\r\n")
        assert reply[:3] == b"250", reply
    clients.wait_letter(i, "alice", letter)
