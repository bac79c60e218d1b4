# SPDX-License-Identifier: ISC
"""STARTTLS and AUTH in the hands of who means harm: plain text injected before
and behind the handshake, logins in the clear, floods of guesses."""

import base64
import contextlib
import errno
import socket
import ssl
import threading
import time

import pytest

import posthouse as ph
from rawsmtp import Raw

INJECTED = {
    "mail": b"MAIL FROM:<evil@example.com>\r\n",
    "transaction": b"EHLO evil\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:"
    b"<alice@posthouse.test>\r\nDATA\r\n",
    "letter": b"R", "empty": b"\r\n", "nul": b"\x00",
}
PORTS = ["smtp_port", "submission_port"]


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("what", INJECTED)
def test_injection_in_one_packet(unmoved, port, what):
    """CVE-2011-0411: what stands behind STARTTLS never becomes input."""
    with Raw(unmoved, port=getattr(unmoved, port)) as c:
        c.hello()
        c.send(b"STARTTLS\r\n" + INJECTED[what])
        assert c.reply()[:3] in ("554", "")
        assert c.reply() == ""


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("what", INJECTED)
def test_injection_before_the_handshake(unmoved, port, what):
    """What comes after 220, but in the clear: tlsd gets it, as nonsense."""
    with Raw(unmoved, port=getattr(unmoved, port)) as c:
        c.hello()
        c.expect("STARTTLS", "220")
        c.send(INJECTED[what])
        with pytest.raises((ssl.SSLError, OSError)):
            c.wrap()


@pytest.mark.parametrize("port", PORTS)
def test_nothing_of_before_is_left(unmoved, port):
    with Raw(unmoved, port=getattr(unmoved, port)) as c:
        c.hello()
        c.expect("STARTTLS", "220")
        c.wrap()
        # No reply was waiting on our side either (CVE-2021-38371).
        c.send(b"NOOP\r\n")
        assert c.reply().startswith("250 2.0.0 Ok")
        c.expect("RCPT TO:<alice@posthouse.test>", "503")
        c.expect("STARTTLS", "554")


def test_replies_are_not_injected(unmoved):
    """Pipelined commands before STARTTLS are answered before 220, in the
    clear; no answer crosses into TLS."""
    with Raw(unmoved) as c:
        c.send(b"EHLO x\r\n")
        c.reply()
        c.send(b"RSET\r\nRSET\r\nSTARTTLS\r\n")
        assert [c.reply()[:3] for _ in range(3)] == ["250", "250", "220"]
        c.wrap()
        c.expect("EHLO y", "250")
        c.expect("QUIT", "221")
        assert c.reply() == ""


def test_no_login_in_the_clear(unmoved):
    i = unmoved
    word = plain(i.address("alice"), i.users["alice"])
    with Raw(i, port=i.submission_port) as c:
        assert "AUTH" not in c.expect("EHLO x", "250").split()
        for line in (f"AUTH PLAIN {word}", "AUTH PLAIN", "AUTH LOGIN",
                     "AUTH SCRAM-SHA-256"):
            c.expect(line, "530 5.7.0 Must issue a STARTTLS command first")
        c.expect(f"MAIL FROM:<{i.address('alice')}>", "530")
    with Raw(i) as c:
        c.hello()
        c.expect(f"AUTH PLAIN {word}", "503")
        c.expect("STARTTLS", "220")
        c.wrap()
        assert "AUTH" not in c.expect("EHLO x", "250")
        c.expect(f"AUTH PLAIN {word}", "503")


NO_TLS = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "smtp": b"EHLO x\r\n",
    "nuls": b"\x00" * 500, "nothing": b"",
    "half": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 200,
}


@pytest.mark.parametrize("what", NO_TLS)
def test_no_tls_on_465(unmoved, what):
    with socket.create_connection(
            ("127.0.0.1", unmoved.submissions_port), 60) as s:
        got = b""
        with contextlib.suppress(ConnectionError):
            s.sendall(NO_TLS[what])
            try:
                s.shutdown(socket.SHUT_WR)
            except OSError as e:    # it has hung up
                assert e.errno == errno.ENOTCONN
            while part := s.recv(4096):
                got += part
        assert b"220" not in got


BAD_AUTH = {
    "high": "AUTH PLAIN \xff\xfe", "pads": "AUTH PLAIN ====",
    "short": "AUTH PLAIN A", "blanks": "AUTH  PLAIN =", "star": "AUTH PLAIN *",
    "name": "AUTH " + "X" * 400, "long": "AUTH PLAIN " + "A" * 11000,
    "nonce": "AUTH SCRAM-SHA-256 " + base64.b64encode(
        b"n,,n=a,r=" + b"r" * 4000).decode(),
}


@pytest.mark.parametrize("what", BAD_AUTH)
def test_bad_auth(unmoved, what):
    i = unmoved
    with Raw(i, port=i.submissions_port, tls=True) as c:
        c.hello()
        got = c.say(BAD_AUTH[what])
        if got.startswith("334"):
            got = c.say("*")
        assert got[:1] in "45", got
        c.expect("NOOP", "250")


def test_endless_response(unmoved):
    i = unmoved
    with Raw(i, port=i.submissions_port, tls=True) as c:
        c.hello()
        c.expect("AUTH PLAIN", "334")
        try:
            for _ in range(100):
                c.send("A" * 10000)
            c.send("\r\n")
            assert c.reply().startswith("500 5.5.6")
            c.expect("NOOP", "250")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass


def test_hang_up_during_auth(unmoved):
    """authd's answer finds nobody."""
    i = unmoved
    word = plain(i.address("alice"), "wrong")
    for _ in range(20):
        with Raw(i, port=i.submissions_port, tls=True) as c:
            c.hello()
            c.send(f"AUTH PLAIN {word}\r\n")


def test_hang_up_during_handshake(unmoved):
    i = unmoved
    for _ in range(20):
        with Raw(i, port=i.submission_port) as c:
            c.hello()
            c.expect("STARTTLS", "220")
            c.send(b"\x16\x03\x01")


def test_guesses_at_once(make_instance):
    """Guesses from many connections; the right password is let in meanwhile,
    from elsewhere."""
    i = make_instance()
    done = []

    def guess():
        try:
            with Raw(i, port=i.submissions_port, tls=True) as c:
                c.hello()
                while c.say("AUTH PLAIN " + plain("bob@posthouse.test", "no"))\
                        .startswith("535"):
                    done.append(1)
        except (OSError, ssl.SSLError):
            pass

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for t in threads:
        t.start()
    time.sleep(1)
    # The same source waits (authd's penalties), but is not refused for ever.
    with Raw(i, port=i.smtp_port) as c:
        c.hello()
        c.expect("STARTTLS", "220")
    for t in threads:
        t.join()
    assert len(done) <= 60      # three a connection
    assert not i.alarms()


def test_submission_socket_is_no_way_in(unmoved):
    """A local program's words are judged as a client's are."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(unmoved.submit_socket))
        f = s.makefile("rwb")
        assert f.readline().startswith(b"220 ")
        f.write(b"EHLO x\n")
        f.flush()
        assert f.readline().startswith(b"521 ")
        assert f.readline() == b""


def test_crowd_on_465(make_instance):
    """Connections that never shake hands do not lock others out."""
    i = make_instance(smtpd_session_limit="10", submitd_workers="1",
                      smtpd_client_connection_count_limit="0")
    crowd = [socket.create_connection(("127.0.0.1", i.submissions_port), 60)
             for _ in range(10)]
    # Whoever has kept silent for 10 s makes room.
    ph.wait_for(lambda: _greets(i), "a place", 30, 1)
    for s in crowd:
        s.close()


def _greets(i):
    try:
        with Raw(i, port=i.submissions_port, tls=True) as c:
            return c.greeting.startswith("220")
    except (OSError, ssl.SSLError):
        return False
