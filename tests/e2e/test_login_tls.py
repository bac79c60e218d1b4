# SPDX-License-Identifier: ISC
"""IMAP and POP3 under TLS: from the first byte, and by STARTTLS and STLS."""

import imaplib
import poplib
import re
import socket
import ssl
import time

import posthouse as ph
import pytest
from wire import Wire

ALICE = "alice@posthouse.test"


@pytest.fixture(scope="module")
def strict(instance):
    """No password in the clear, not even on loopback."""
    instance.stop()
    instance.set(plaintext_logins="never", auth_failure_delay="0s",
                 auth_mechanisms="PLAIN LOGIN SCRAM-SHA-256-PLUS "
                                 "SCRAM-SHA-256")
    return instance.start()


def imap(instance):
    return imaplib.IMAP4("127.0.0.1", instance.imap_port, timeout=60)


def pop3(instance):
    return poplib.POP3("127.0.0.1", instance.pop3_port, timeout=60)


def raw_tls(instance, port):
    s = socket.create_connection(("127.0.0.1", port), 60)
    return instance.tls_context().wrap_socket(s, server_hostname="127.0.0.1")


def test_imap_starttls(strict):
    m = imap(strict)
    assert "STARTTLS" in m.capabilities and "LOGINDISABLED" in m.capabilities
    assert not [c for c in m.capabilities if c.startswith("AUTH=")]
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        m.login(ALICE, strict.users["alice"])
    assert m.starttls(strict.tls_context())[0] == "OK"
    assert "STARTTLS" not in m.capabilities
    assert "LOGINDISABLED" not in m.capabilities
    assert {"AUTH=PLAIN", "AUTH=SCRAM-SHA-256",
            "AUTH=SCRAM-SHA-256-PLUS"} <= set(m.capabilities)
    m.login(ALICE, strict.users["alice"])
    assert m.select("INBOX")[0] == "OK"
    big = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 100000
    assert m.append("INBOX", None, None, big)[0] == "OK"
    n = m.select("INBOX")[1][0]
    assert m.fetch(n, "(BODY.PEEK[])")[1][0][1] == big
    m.logout()
    strict.wait_log(r"imap-login: Login: user=<alice@posthouse.test>, "
                    r"method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, TLS, "
                    r"session=<\S+>")


def test_pop3_stls(strict):
    p = pop3(strict)
    caps = p.capa()
    assert "STLS" in caps and "SASL" not in caps and "USER" not in caps
    with pytest.raises(poplib.error_proto):
        p.user(ALICE)
    p.stls(strict.tls_context())
    caps = p.capa()
    assert "STLS" not in caps and "USER" in caps
    assert {"PLAIN", "SCRAM-SHA-256-PLUS"} <= set(caps["SASL"])
    p.user(ALICE)
    p.pass_(strict.users["alice"])
    p.stat()
    p.quit()
    strict.wait_log(r"pop3-login: Login: user=<alice@posthouse.test>, "
                    r"method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, TLS, ")


@pytest.mark.dev
def test_implicit_tls(strict):
    m = imaplib.IMAP4_SSL("127.0.0.1", strict.imaps_port, timeout=60,
                          ssl_context=strict.tls_context())
    assert "AUTH=PLAIN" in m.capabilities
    plain = f"\0{ALICE}\0{strict.users['alice']}".encode()
    assert m.authenticate("PLAIN", lambda _: plain)[0] == "OK"
    assert m.select("INBOX")[0] == "OK"
    m.logout()
    p = poplib.POP3_SSL("127.0.0.1", strict.pop3s_port, timeout=60,
                        context=strict.tls_context())
    p.user(ALICE)
    p.pass_(strict.users["alice"])
    p.quit()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256",
                                       "SCRAM-SHA-256-PLUS"])
def test_mechanisms(strict, mechanism):
    def gsasl(password):
        r = ph.run(["gsasl", "--imap", "--starttls", "--connect",
                    f"localhost:{strict.imap_port}", "-m", mechanism,
                    "-a", ALICE, "-z", "", "-p", password,
                    f"--x509-ca-file={strict.ca_file}",
                    *(() if mechanism.endswith("-PLUS") else ("--no-cb",))],
                   input="", check=False)
        return r.stdout + r.stderr
    said = gsasl(strict.users["alice"])
    assert "\n. OK" in said.partition("AUTHENTICATE")[2], said
    strict.wait_log(rf"imap-login: Login: user=<{ALICE}>, method={mechanism}, "
                    "rip=127.0.0.1, lip=127.0.0.1, TLS, ")
    said = gsasl("wrong")
    assert "AUTHENTICATIONFAILED" in said, said
    strict.wait_log(r"imap-login: Disconnected.* \(auth failed, 1 attempts in "
                    rf"\d+ secs\): user=<{ALICE}>, method={mechanism}, ")


def test_pipelined_commands_reach_the_users_process(strict):
    with raw_tls(strict, strict.imaps_port) as s:
        s.sendall(f"a LOGIN {ALICE} {strict.users['alice']}\r\n"
                  "b SELECT INBOX\r\nc LOGOUT\r\n".encode())
        said = s.makefile("rb").read()
    assert b"\r\na OK" in said and b"\r\nb OK" in said and b"\r\nc OK" in said


def test_three_wrong_passwords_under_tls(strict):
    with raw_tls(strict, strict.imaps_port) as s:
        f = s.makefile("rb")
        f.readline()
        for k in b"abc":
            s.sendall(b"%c LOGIN bob@posthouse.test no\r\n" % k)
            assert b"[AUTHENTICATIONFAILED]" in f.readline()
        assert f.read().startswith(b"* BYE")
    strict.wait_log(r"Disconnected \(auth failed, 3 attempts in \d+ secs\): "
                    r"user=<bob@posthouse.test>, method=PLAIN, "
                    r"rip=127.0.0.1, lip=127.0.0.1, TLS, session=<\S+>")


@pytest.mark.dev
@pytest.mark.parametrize("port,command,more", [
    ("imap_port", b"a STARTTLS\r\n", b"b CAPABILITY\r\n"),
    ("imap_port", b"a STARTTLS\r\n", b"\x16\x03\x01"),
    ("pop3_port", b"STLS\r\n", b"CAPA\r\n")])
def test_injection(strict, port, command, more):
    """What was sent in the clear behind STARTTLS is never answered."""
    with Wire(getattr(strict, port)) as w:
        w.line()
        w.send(command + more)
        said = w.rest()
    assert said.count(b"\r\n") == 1 and b"OK" in said
    strict.wait_log(r"TLS handshaking: input was sent before TLS, session")


def test_plain_text_where_tls_is_due(strict):
    with Wire(strict.imap_port) as w:
        w.line()
        w.imap(b"a STARTTLS\r\n", "a")
        w.send(b"b LOGIN x y\r\n")
        assert b"b " not in w.rest()
    with Wire(strict.imaps_port) as w:
        w.send(b"a LOGIN x y\r\n")
        assert b"a " not in w.rest()
    strict.wait_log(r"Disconnected \(no auth attempts in \d+ secs\): "
                    r"user=<>, rip=127.0.0.1, lip=127.0.0.1, "
                    r"TLS handshaking: .+, session=<\S+>")


@pytest.mark.parametrize("how,port", [("imap", "imap_port"),
                                      ("pop3", "pop3_port")])
def test_openssl(strict, how, port):
    r = ph.run(["openssl", "s_client", "-starttls", how, "-connect",
                f"127.0.0.1:{getattr(strict, port)}", "-CAfile",
                strict.ca_file, "-verify_return_error", "-verify_ip",
                "127.0.0.1", "-brief"], input="")
    assert "Verification: OK" in r.stderr and "TLSv1.3" in r.stderr


def test_a_silent_handshake_ends(make_instance):
    i = make_instance(login_timeout="2s")
    with Wire(i.imaps_port) as w:
        began = time.monotonic()
        assert w.rest() == b""
        assert time.monotonic() - began > 1
    i.wait_log(r"TLS handshaking: ")


def test_reload_during_a_handshake(strict):
    """Who was connected goes on, and a new client finds STARTTLS at once."""
    s = socket.create_connection(("127.0.0.1", strict.imaps_port), 60)
    half = imap(strict)
    time.sleep(0.2)
    strict.reload()
    m = imap(strict)
    assert "STARTTLS" in m.capabilities
    m.logout()
    half.starttls(strict.tls_context())
    half.login(ALICE, strict.users["alice"])
    half.logout()
    with strict.tls_context().wrap_socket(s, server_hostname="127.0.0.1") as t:
        f = t.makefile("rb")
        assert f.readline().startswith(b"* OK [CAPABILITY")
        t.sendall(f"a LOGIN {ALICE} {strict.users['alice']}\r\n".encode())
        while (line := f.readline()).startswith(b"* "):
            pass
        assert line.startswith(b"a OK"), line


def test_silent_handshakes_make_room(make_instance):
    """Who connects and says nothing keeps nobody out."""
    i = make_instance(login_workers="1", login_connection_limit="10")
    silent = [Wire(i.imaps_port) for _ in range(30)]
    m = imaplib.IMAP4_SSL("127.0.0.1", i.imaps_port, timeout=60,
                          ssl_context=i.tls_context())
    m.login(ALICE, i.users["alice"])
    m.logout()
    i.wait_log(r"imap-login: Disconnected: Too many connections \(no auth "
               r"attempts in \d+ secs\): user=<>, rip=127.0.0.1, "
               r"lip=127.0.0.1, TLS handshaking, session=<\S+>")
    for w in silent[:20]:
        assert w.rest() == b""
    for w in silent:
        w.close()


@pytest.mark.parametrize("daemon", ["tlsd_user", "keyd", "authd", "login"])
def test_a_killed_daemon_comes_back(strict, daemon):
    def works():
        try:
            m = imap(strict)
            m.starttls(strict.tls_context())
            m.login(ALICE, strict.users["alice"])
            m.logout()
            return True
        except (OSError, imaplib.IMAP4.error):
            return False
    ph.wait_for(works, "logins after the death of the one before")
    strict.kill(daemon)
    ph.wait_for(works, f"logins after the death of {daemon}")


def test_authd_dies_in_an_exchange(strict):
    """The session learns it, and may try again."""
    with raw_tls(strict, strict.imaps_port) as s:
        f = s.makefile("rb")
        f.readline()
        s.sendall(b"a AUTHENTICATE LOGIN\r\n")
        assert f.readline().startswith(b"+ ")
        strict.kill("authd")
        s.sendall(b"YWxpY2U=\r\n")
        assert f.readline().startswith(b"a NO [UNAVAILABLE]")

        def works():
            s.sendall(f"b LOGIN {ALICE} {strict.users['alice']}\r\n".encode())
            return f.readline().startswith(b"b OK")
        ph.wait_for(works, "a login in the same session", pause=0.5)


def test_without_a_certificate(make_instance):
    i = make_instance(start=False)
    text = (i.conf_dir / "main.cf").read_text()
    names = re.findall(r"^(\S*tls\S*chain_files)\s*=", text, re.M)
    assert names
    i.set(**{n: None for n in names})
    i.start()
    m = imap(i)
    assert "STARTTLS" not in m.capabilities
    with pytest.raises(imaplib.IMAP4.error):
        m.starttls(ssl.create_default_context())
    m.login(ALICE, i.users["alice"])
    m.logout()
    assert "STLS" not in pop3(i).capa()
    with Wire(i.imaps_port) as w:
        assert w.rest() == b""
    i.wait_log(r"imap-login: Disconnected .* TLS handshaking: ")
