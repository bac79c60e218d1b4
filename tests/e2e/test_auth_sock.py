# SPDX-License-Identifier: ISC
"""auth_socket: our users log in to another server, through Dovecot's
authentication protocol."""

import base64
import grp
import os
import smtplib
import socket

import mtas
import peer
import posthouse as ph
import pytest

ALICE = "alice@posthouse.test"
GREETING = [b"VERSION\t1\t2\n", b"MECH\tPLAIN\tplaintext\n",
            b"MECH\tLOGIN\tplaintext\n"]


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


class Auth:
    """A program on auth_socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")
        self.greeting = []
        while not self.greeting or self.greeting[-1] != b"DONE\n":
            self.greeting.append(self.file.readline())
            assert self.greeting[-1]
        self.send("VERSION\t1\t1", "CPID\t4711")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, *lines):
        self.sock.sendall("".join(l + "\n" for l in lines).encode())

    def ask(self, *lines):
        self.send(*lines)
        return self.file.readline().decode().rstrip("\n").split("\t")


@pytest.fixture(scope="module")
def house(instance):
    instance.stop()
    instance.auth_socket = instance.dir / "sock" / "auth.sock"
    instance.set(auth_socket=instance.auth_socket, auth_failure_delay="0s",
                 auth_socket_group="mail")
    return instance.start()


@pytest.mark.dev
def test_protocol(house):
    st = house.auth_socket.stat()
    assert st.st_mode & 0o777 == 0o660
    assert st.st_gid == grp.getgrnam("mail").gr_gid
    right = plain(ALICE, house.users["alice"])
    with Auth(house.auth_socket) as a:
        assert a.greeting[:3] == GREETING
        assert b"MECH\tSCRAM-SHA-256\tmutual-auth\n" in a.greeting
        assert not [l for l in a.greeting if b"PLUS" in l]
        assert a.ask("AUTH\t1\tPLAIN\tservice=smtp\tnologin\tsecured\t"
                     f"rip=192.0.2.7\tresp={right}") == \
            ["OK", "1", f"user={ALICE}"]
        assert a.ask("AUTH\t2\tPLAIN\tsecured\trip=192.0.2.8\tresp=" +
                     plain(ALICE, "no"))[:2] == ["FAIL", "2"]
        # without TLS, from somewhere else
        assert a.ask("AUTH\t3\tPLAIN\trip=192.0.2.7\tlip=192.0.2.1\t"
                     f"resp={right}")[:2] == ["FAIL", "3"]
        assert a.ask("AUTH\t4\tLOGIN\tservice=smtp\trip=127.0.0.1")[:2] == \
            ["CONT", "4"]
        user = base64.b64encode(ALICE.encode()).decode()
        assert a.ask(f"CONT\t4\t{user}")[:2] == ["CONT", "4"]
        password = base64.b64encode(house.users["alice"].encode()).decode()
        assert a.ask(f"CONT\t4\t{password}") == ["OK", "4", f"user={ALICE}"]


def test_reload_lets_a_program_finish(house):
    right = plain(ALICE, house.users["alice"])
    with Auth(house.auth_socket) as idle, Auth(house.auth_socket) as busy:
        assert busy.ask("AUTH\t1\tPLAIN\tsecured")[0] == "CONT"
        house.reload()
        assert idle.file.readline() == b""
        assert busy.ask(f"CONT\t1\t{right}")[0] == "OK"
        assert busy.file.readline() == b""
    with Auth(house.auth_socket) as a:
        assert a.ask(f"AUTH\t1\tPLAIN\tsecured\tresp={right}")[0] == "OK"


POSTFIX_MORE = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = @socket@
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""


@pytest.fixture(scope="module")
def postfix(house):
    # As auth_socket_group = postfix would, if the host had that group.
    peer.make("postfix", "postfix")
    group = peer.run("postfix", "id", "-g", "postfix").stdout
    os.chown(house.auth_socket, 0, int(group))
    p = mtas.Postfix(
        house.dir / "peers", binds=[house.auth_socket.parent],
        more=POSTFIX_MORE.replace("@socket@", str(house.auth_socket)))
    yield p
    p.stop()


def session(postfix):
    return smtplib.SMTP(postfix.host, postfix.port, timeout=60)


def log_in(postfix, how, user, password):
    """What Postfix answers to AUTH."""
    with session(postfix) as s:
        s.ehlo("client.example")
        s.user, s.password = user, password
        try:
            return s.auth(how, getattr(
                s, "auth_" + how.lower().replace("-", "_")))[0]
        except smtplib.SMTPAuthenticationError as e:
            return e.smtp_code


def test_postfix(house, postfix):
    with session(postfix) as s:
        s.ehlo("client.example")
        offered = set(s.esmtp_features["auth"].split())
    assert {"PLAIN", "LOGIN", "SCRAM-SHA-256"} <= offered
    right = house.users["alice"]
    assert log_in(postfix, "PLAIN", ALICE, right) == 235
    assert log_in(postfix, "LOGIN", ALICE, right) == 235
    assert log_in(postfix, "PLAIN", ALICE, "wrong") == 535
    assert log_in(postfix, "LOGIN", "nobody@posthouse.test", right) == 535
    # Who has logged in may send.
    with session(postfix) as s:
        s.login(ALICE, right)
        s.sendmail(ALICE, ["x@example.invalid"], "Subject: x\r\n\r\nx\r\n")
    # A client that gives up in the middle does no harm to the next.
    with session(postfix) as s:
        s.ehlo("client.example")
        assert s.docmd("AUTH", "LOGIN")[0] == 334
        assert s.docmd("*")[0] == 501
        assert s.docmd("AUTH", "PLAIN !")[0] in (501, 535)
        assert s.docmd("AUTH", "PLAIN " + plain(ALICE, right))[0] == 235


def test_postfix_with_scram(house, postfix):
    def scram(password):
        r = ph.run(["gsasl", "--smtp", "--connect",
                    f"{postfix.host}:{postfix.port}", "-m", "SCRAM-SHA-256", "-a", ALICE, "-p", password,
                    "--no-starttls"], input="", check=False)
        return r.stdout + r.stderr
    assert "\n235 " in scram(house.users["alice"])
    assert "\n535 " in scram("wrong")


def test_authd_and_login_come_back(house, postfix):
    """Postfix connects anew."""
    right = house.users["alice"]
    assert log_in(postfix, "PLAIN", ALICE, right) == 235
    house.reload()
    ph.wait_for(lambda: log_in(postfix, "PLAIN", ALICE, right) == 235,
                "a login after the reload")
