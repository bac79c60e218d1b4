# SPDX-License-Identifier: ISC
"""SMTP sessions: exact answers to what is too long, too many, too slow or out
of turn, and nobody else is hurt."""

import socket
import threading
import time

import pytest
from posthouse import DOMAIN, wait_for
from rawsmtp import STRANGER, Raw


def works(house):
    """A message of a well-behaved client gets through."""
    with Raw(house) as s:
        s.hello()
        assert s.data(house, "Subject: ok\r\n\r\nok\r\n.\r\n").startswith(
            "250 2.0.0 Ok: queued as ")
        s.expect("QUIT", "221")


@pytest.fixture(scope="module")
def house(instance):
    yield instance
    works(instance)


def test_long_command(house):
    with Raw(house) as s:
        s.hello()
        for n in (2047, 5000, 100000, 2000000):
            s.expect("NOOP " + "x" * n, "500 5.5.2 Error: line too long")
        s.expect("NOOP", "250")
        s.expect("MAIL FROM:<" + "x" * 300 + "@b.test>", "501 5.1.7")
        s.expect("MAIL FROM:<a@" + "x." * 200 + "test>", "501 5.1.7")
        s.expect("MAIL FROM:<a@b.test>" + " X=y" * 300, "555 5.5.4")
        s.expect("MAIL FROM:<" + "@a," * 400 + "@b:a@b.test>", "501 5.1.7")


def test_nul_and_other_bytes(house):
    with Raw(house) as s:
        s.hello()
        s.expect("NO\x00OP", "500 5.5.2")
        s.expect("MAIL FROM:<a\x00@b.test>", "500 5.5.2")
        s.expect("MAIL FROM:<a\x01@b.test>", "501 5.1.7")
        s.expect("MAIL FROM:<\xff\xfe@b.test>", "501 5.1.7")
        s.expect("MAIL FROM:<\xc3\xbc@b.test>", "553 5.6.7")
        s.expect("\xff\xfe\x01", "500 5.5.2")
        s.expect("EHLO \xff(\x1b[31m)<>", "250")
        assert s.data(house, "a\x00b\r\n.\r\n").startswith("550 5.5.2")
        # 8-bit text is taken as it is
        assert s.data(house, "Subject: \xe4\r\n\r\n\xff\xfe\r\n.\r\n"
                      ).startswith("250")
    for c in ("\x1b", "\xff"):
        assert f"helo=<{c}" not in house.log_text()


def test_header_limits(house):
    with Raw(house) as s:
        s.hello()
        one = "X-Long: " + "x" * 900 + ("\r\n " + "y" * 900) * 200 + "\r\n"
        assert s.data(house, one + "\r\n.\r\n").startswith("552 5.3.4 ")
        one = "X-Long: " + "x" * 300000 + "\r\n"
        got = s.data(house, one + "\r\n.\r\n")
        assert got.startswith(("552 5.3.4 ", "554 5.6.0 ")), got
        many = "".join(f"X-{i}: y\r\n" for i in range(50000))
        assert s.data(house, many + "\r\n.\r\n").startswith("552 5.3.4 ")
        # and just below the limit: a large header block is taken
        many = "".join(f"X-{i:05}: {'y' * 80}\r\n" for i in range(1400))
        assert s.data(house, many + "\r\nbody\r\n.\r\n").startswith("250")


def test_hops(house):
    with Raw(house) as s:
        s.hello()
        received = "Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
        assert s.data(house, received * 50 + "\r\n.\r\n").startswith(
            "554 5.4.6 Error: too many hops")
        assert s.data(house, received * 49 + "\r\n.\r\n").startswith("250")


def test_body_line(house):
    with Raw(house) as s:
        s.hello()
        assert s.data(house, "\r\n" + "x" * 65536 + "\r\n.\r\n").startswith(
            "250")
        assert s.data(house, "\r\n" + "x" * 65537 + "\r\n.\r\n").startswith(
            "554 5.6.0 ")
        s.expect("NOOP", "250")


def test_message_size(make_instance):
    house = make_instance(message_size_limit="100000")
    with Raw(house) as s:
        s.hello()
        s.expect("MAIL FROM:<a@b.test> SIZE=100001", "552 5.3.4 Message size "
                 "exceeds fixed limit")
        line = "x" * 98 + "\r\n"
        assert s.data(house, "\r\n" + line * 1000 + ".\r\n").startswith(
            "552 5.3.4 Error: message file too big")
        assert s.data(house, "\r\n" + line * 999 + ".\r\n").startswith("250")
    # one that never ends is cut off
    with Raw(house) as s:
        s.hello()
        s.envelope(house)
        s.expect("DATA", "354")
        with pytest.raises(OSError):
            for _ in range(100000):
                s.send(line * 100)
    works(house)


def test_errors(make_instance):
    house = make_instance(smtpd_error_sleep_time="3s",
                          smtpd_soft_error_limit="3",
                          smtpd_hard_error_limit="5")
    with Raw(house) as s:
        s.hello()
        start = time.monotonic()
        for _ in range(3):
            s.expect("BAD", "500")
        assert time.monotonic() - start < 2.9
        s.expect("BAD", "500")
        assert time.monotonic() - start > 2.9
        works(house)  # others do not wait
        s.expect("BAD", "500")
        assert s.reply().startswith("421 4.7.0 ")
        assert s.reply() == ""
    house.wait_log(r"too many errors after UNKNOWN from unknown")


def test_web_browser(house):
    with Raw(house) as s:
        s.expect("GET / HTTP/1.1", "221 2.7.0")
        assert s.reply() == ""


def test_connections(make_instance):
    house = make_instance(**STRANGER, smtpd_workers="1",
                          smtpd_client_connection_count_limit="5")
    held = [Raw(house) for _ in range(5)]
    with Raw(house) as s:
        assert s.greeting.startswith("421 4.7.0 ")
    house.wait_log("Connection concurrency limit exceeded")
    for s in held:
        s.close()
    wait_for(lambda: Raw(house).greeting.startswith("220"), "room again")


def test_slow_clients(make_instance):
    house = make_instance(smtpd_timeout="4s")
    slow = []
    for text in ("", "E", "HELO x\r\n"):
        s = Raw(house)
        s.send(text)
        slow.append(s)
    in_data = Raw(house).hello()
    in_data.envelope(house)
    in_data.expect("DATA", "354")
    stop = threading.Event()

    def drip():
        while not stop.wait(0.2):
            for s in (slow[1], in_data):
                try:
                    s.send("x")
                except OSError:
                    pass

    t = threading.Thread(target=drip)
    t.start()
    try:
        works(house)
        end = time.monotonic() + 40
        for s in (*slow, in_data):
            s.sock.settimeout(max(0.1, end - time.monotonic()))
            got = s.reply()
            while got.startswith("250"):
                got = s.reply()
            assert got.startswith("421 4.4.2 "), got
    finally:
        stop.set()
        t.join()
    house.wait_log(r"timeout after DATA \(\d+ bytes\) from unknown")
    house.wait_log(r"timeout after CONNECT from unknown")


def test_reader_that_does_not_read(house):
    """Replies nobody takes do not pile up without end."""
    with Raw(house) as s:
        s.hello()
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sock.settimeout(5)
        try:
            for _ in range(2000):
                s.send("RSET\r\n" * 1000)
        except OSError:
            pass
    works(house)


def test_clients_that_vanish(house):
    for text in ("EHLO x\r\n", "MAIL FROM:<a@b.test>\r\n", "DATA\r\n",
                 f"MAIL FROM:<a@b.test>\r\nRCPT TO:<alice@{DOMAIN}>\r\n"
                 "DATA\r\n", "x" * 5000):
        for _ in range(20):
            s = Raw(house)
            s.send(text)
            s.close()
    s = Raw(house).hello()
    s.envelope(house)
    s.expect("DATA", "354")
    s.send("Subject: half\r\n\r\n" + "half a message\r\n" * 10000)
    s.close()
    house.wait_log(r"lost connection after DATA \(\d+ bytes\) from unknown")
    works(house)
    for text in house.mailbox("alice").messages():
        assert b"Subject: half" not in text


def test_words_at_rcpt(make_instance):
    house = make_instance(**STRANGER)
    with Raw(house) as s:
        s.hello()
        s.expect("MAIL FROM:<spam@probe.test>", "250 2.1.0 Ok")
        s.expect("RCPT TO:<v@elsewhere.test>",
                 "554 5.7.1 <v@elsewhere.test>: Relay access denied")
        s.expect(f"RCPT TO:<nobody@{DOMAIN}>",
                 f"550 5.1.1 <nobody@{DOMAIN}>: Recipient address rejected: "
                 "User unknown in virtual mailbox table")
        # RFC 5321 appendix C: a source route is ignored
        s.expect(f"RCPT TO:<@elsewhere.test:alice@{DOMAIN}>", "250 2.1.5 Ok")
        s.expect("VRFY nobody", "252 2.0.0")
        s.expect("VRFY alice", "252 2.0.0")
    house.wait_log(
        r"NOQUEUE: reject: RCPT from unknown\[127\.0\.0\.1\]: 554 5\.7\.1 "
        r"<v@elsewhere\.test>: Relay access denied; from=<spam@probe\.test> "
        r"to=<v@elsewhere\.test> proto=ESMTP helo=<probe\.test>")


@pytest.mark.parametrize("line", ["NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n",
                                  "NOOP\n", "\n", "\r\rNOOP\r\n"])
def test_bare_end_of_a_command(house, line):
    with Raw(house) as s:
        s.hello()
        s.send(line)
        assert s.reply().startswith("521 5.5.2 ")
        assert s.reply() == ""


def test_commands_before_their_time(make_instance):
    """RFC 2920 3.1: a client that does not wait where it has to."""
    house = make_instance(**STRANGER)
    for first in ("EHLO x", "HELO x", "NOOP", "VRFY x"):
        with Raw(house) as s:
            s.send(f"{first}\r\nMAIL FROM:<a@b.test>\r\n")
            assert s.reply().startswith("554 5.5.0 ")
            assert s.reply() == ""
    with Raw(house) as s:
        s.hello()
        s.envelope(house)
        s.send("DATA\r\nSubject: early\r\n\r\n.\r\n")
        assert s.reply().startswith("554 5.5.0 ")
        assert s.reply() == ""
    house.wait_log("improper command pipelining after DATA from unknown")
    # where it may, it may
    with Raw(house) as s:
        s.hello()
        s.send(f"MAIL FROM:<a@b.test>\r\nRCPT TO:<alice@{DOMAIN}>\r\nDATA\r\n")
        assert [s.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        s.send("Subject: x\r\n\r\n.\r\nMAIL FROM:<a@b.test>\r\nQUIT\r\n")
        assert [s.reply()[:3] for _ in range(3)] == ["250", "250", "221"]
