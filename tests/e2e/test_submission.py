# SPDX-License-Identifier: ISC
"""Mail from users: 587 and 465 with a login, and programs of this host."""

import re
import smtplib
import socket
import ssl

import pytest

import posthouse as ph
from clients import Letter, header, wait_letter

HELO = "laptop.example.com"


def submission(i, starttls=True, tls_version=None):
    """A session on 587."""
    s = smtplib.SMTP("127.0.0.1", i.submission_port, timeout=30)
    s.ehlo(HELO)
    if starttls:
        changes = {"maximum_version": tls_version} if tls_version else {}
        s.starttls(context=i.tls_context(**changes))
        s.ehlo(HELO)
    return s


def submissions(i):
    """A session on 465."""
    s = smtplib.SMTP_SSL("127.0.0.1", i.submissions_port, timeout=30,
                         context=i.tls_context())
    s.ehlo(HELO)
    return s


def login(s, i, user="alice"):
    s.login(i.address(user), i.users[user])
    return s


@pytest.mark.dev
@pytest.mark.parametrize("session", [submission, submissions])
def test_alice_sends(instance, session):
    i, letter = instance, Letter()
    with login(session(i), i) as s:
        s.sendmail(i.address("alice"), [i.address("bob")], letter.bytes)
    got = header(wait_letter(i, "bob", letter))["Received"]
    assert "(Posthouse) with ESMTPSA\n" in got
    assert "(using TLSv1.3 with cipher " in got
    i.wait_log(r"submission/smtpd\[\d+\]: \w+: client=unknown\[127\.0\.0\.1\], "
               rf"sasl_method=\S+, sasl_username={i.address('alice')}\n")


@pytest.mark.dev
def test_header_is_put_right(instance):
    i = instance
    mark = Letter().mark
    text = (f"To: bob, x@y.test\r\nBcc: {i.address('bob')}\r\n"
            f"Subject: {mark}\r\n\r\nhello\r\n").encode()
    with login(submissions(i), i) as s:
        s.sendmail(i.address("alice"), [i.address("bob")], text)

    def found():
        return [m for m in map(header, i.mailbox("bob").messages())
                if m["Subject"] == mark]

    m = ph.wait_for(found, "the message")[0]
    assert m["From"] == i.address("alice")
    assert m["Bcc"] is None
    assert re.fullmatch(r"<\S+@mail\.posthouse\.test>", m["Message-ID"])
    assert m["Date"]
    assert m["To"] == f"bob@mail.{ph.DOMAIN}, x@y.test"


def test_port_25_changes_nothing(instance):
    i = instance
    mark = Letter().mark
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.sendmail("x@example.com", [i.address("bob")],
                   f"Bcc: y@example.com\r\nSubject: {mark}\r\n\r\n".encode())

    def found():
        return [m for m in map(header, i.mailbox("bob").messages())
                if m["Subject"] == mark]

    m = ph.wait_for(found, "the message")[0]
    assert m["Bcc"] == "y@example.com"
    assert m["Message-ID"] is None and m["Date"] is None


@pytest.mark.dev
def test_nothing_without_login(instance):
    i = instance
    with submission(i, starttls=False) as s:
        assert s.has_extn("starttls") and not s.has_extn("auth")
        assert s.docmd("AUTH", "PLAIN AGEAYg==")[0] == 530
        assert s.mail("a@b.test")[0] == 530
    with submissions(i) as s:
        assert s.has_extn("auth") and not s.has_extn("starttls")
        assert s.mail(i.address("alice")) == \
            (530, b"5.7.0 Authentication required")
        assert s.docmd("RCPT", f"TO:<{i.address('bob')}>")[0] == 503
        assert s.docmd("VRFY", "bob")[0] == 530


@pytest.mark.dev
def test_wrong_password(instance):
    i = instance
    with submissions(i) as s:
        with pytest.raises(smtplib.SMTPAuthenticationError) as e:
            s.user, s.password = i.address("alice"), "wrong"
            s.auth("PLAIN", s.auth_plain)
        assert e.value.smtp_code == 535
    i.wait_log(r"warning: unknown\[127\.0\.0\.1\]: SASL PLAIN authentication "
               rf"failed: .*sasl_username={i.address('alice')}")


def test_three_tries(make_instance):
    i = make_instance(auth_failure_delay="0s")
    with submissions(i) as s:
        for _ in range(3):
            assert s.docmd("AUTH", "PLAIN AGFsaWNlAHdyb25n")[0] == 535
        with pytest.raises((smtplib.SMTPServerDisconnected, ssl.SSLError)):
            s.noop()


@pytest.mark.dev
def test_senders_of_others(instance):
    i = instance
    with login(submissions(i), i) as s:
        code, text = s.mail(i.address("bob"))
        assert code == 553
        assert text == (f"5.7.1 <{i.address('bob')}>: Sender address "
                        "rejected: not owned by user "
                        f"{i.address('alice')}").encode()
        assert s.mail("")[0] == 250     # a read receipt
    i.wait_log("NOQUEUE: reject: MAIL from .*: 553 5.7.1 .*not owned by user")


def test_sender_login_maps(make_instance):
    i = make_instance(smtpd_sender_login_maps="inline:{ "
                      "{ sales@posthouse.test = alice@posthouse.test, "
                      "bob@posthouse.test } }")
    for user in ("alice", "bob"):
        with login(submissions(i), i, user) as s:
            assert s.mail("sales@posthouse.test")[0] == 250
            s.rset()
            assert s.mail("other@posthouse.test")[0] == 553


def test_recipients_are_checked_at_once(instance):
    i = instance
    with login(submissions(i), i) as s:
        s.mail(i.address("alice"))
        assert s.rcpt(f"nobody@{ph.DOMAIN}")[0] == 550


def test_swaks(instance):
    i = instance
    for port, how in ((i.submission_port, "-tls"),
                      (i.submissions_port, "-tlsc")):
        for mech in ("PLAIN", "LOGIN"):
            r = ph.run(["swaks", "--server", f"127.0.0.1:{port}", how,
                        "--auth", mech, "--auth-user", i.address("alice"),
                        "--auth-password", i.users["alice"], "--from",
                        i.address("alice"), "--to", i.address("bob")])
            assert "250 2.0.0 Ok: queued as" in r.stdout, r.stdout


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256",
                                       "SCRAM-SHA-256-PLUS"])
def test_gsasl(make_instance, mechanism):
    i = make_instance(auth_mechanisms="PLAIN LOGIN SCRAM-SHA-256 "
                      "SCRAM-SHA-256-PLUS", auth_failure_delay="0s")
    said = [ph.run(["gsasl", "--smtp", "--starttls", "--connect",
                    f"localhost:{i.submission_port}", "--x509-ca-file",
                    i.ca_file, "-m", mechanism, "-a", i.address("alice"),
                    "-p", password,
                    *(() if mechanism.endswith("-PLUS") else ("--no-cb",))],
                   check=False, input="")
            for password in (i.users["alice"], "wrong")]
    assert "\n235 " in said[0].stdout, said[0]
    assert "\n535 " in said[1].stdout, said[1]


def test_curl(instance):
    i, letter = instance, Letter()
    f = i.dir / "curl.eml"
    f.write_bytes(letter.bytes)
    ph.run(["curl", "-sS", f"smtps://127.0.0.1:{i.submissions_port}/{HELO}",
            "--cacert", i.ca_file, "-u",
            f"{i.address('alice')}:{i.users['alice']}", "--mail-from",
            i.address("alice"), "--mail-rcpt", i.address("bob"), "-T", f])
    wait_letter(i, "bob", letter)


def test_msmtp(instance):
    i, letter = instance, Letter()
    for n, (port, starttls) in enumerate(((i.submission_port, "on"),
                                          (i.submissions_port, "off"))):
        letter = Letter()
        r = ph.run(["msmtp", "-C", "/dev/null", "--host=127.0.0.1",
                    f"--port={port}", "--tls=on", f"--tls-starttls={starttls}",
                    f"--tls-trust-file={i.ca_file}", "--auth=on",
                    f"--user={i.address('alice')}",
                    f"--passwordeval=echo {i.users['alice']}",
                    f"--from={i.address('alice')}", i.address("bob")],
                   input=letter.bytes.decode().replace("\r\n", "\n"))
        assert r.returncode == 0
        wait_letter(i, "bob", letter)


@pytest.mark.dev
def test_dsn_and_utf8(instance):
    i, letter = instance, Letter()
    with login(submissions(i), i) as s:
        for word in ("dsn", "smtputf8", "8bitmime", "size", "pipelining",
                     "enhancedstatuscodes"):
            assert s.has_extn(word), word
        s.sendmail(i.address("alice"), [i.address("bob")], letter.bytes,
                   ["RET=HDRS", "ENVID=abc", "SMTPUTF8", "BODY=8BITMIME"],
                   ["NOTIFY=FAILURE", "ORCPT=rfc822;bob@posthouse.test"])
    assert "with UTF8SMTPSA\n" in header(
        wait_letter(i, "bob", letter))["Received"]


def test_hidden_client(make_instance):
    i = make_instance(submission_hide_client="yes")
    letter = Letter()
    with login(submissions(i), i) as s:
        s.sendmail(i.address("alice"), [i.address("bob")], letter.bytes)
    got = header(wait_letter(i, "bob", letter))["Received"]
    assert "127.0.0.1" not in got and HELO not in got
    assert got.startswith("by mail.posthouse.test (Posthouse) with ESMTPSA")


def test_authenticated_header(make_instance):
    i = make_instance(smtpd_sasl_authenticated_header="yes",
                      smtpd_tls_auth_only="no")
    letter = Letter()
    with login(submission(i, starttls=False), i) as s:
        s.sendmail(i.address("alice"), [i.address("bob")], letter.bytes)
    got = header(wait_letter(i, "bob", letter))["Received"]
    assert f"\n\t(Authenticated sender: {i.address('alice')})\n" in got
    assert "with ESMTPA\n" in got and "using TLS" not in got


def test_large_text(instance):
    i = instance
    letter = Letter("a megabyte of this line, submitted\r\n" * 30000)
    with login(submission(i, tls_version=ssl.TLSVersion.TLSv1_2), i) as s:
        s.sendmail(i.address("alice"), [i.address("bob")], letter.bytes)
    wait_letter(i, "bob", letter)


@pytest.mark.parametrize("peer", ["authd", "tlsd_user", "router", "qmgr"])
def test_a_peer_dies(make_instance, peer):
    """Whoever it is: the next login and message find the new process."""
    i = make_instance()
    with login(submissions(i), i) as s:
        i.kill(peer)
        try:
            assert s.noop()[0] == 250 or peer == "tlsd_user"
        except (smtplib.SMTPException, ssl.SSLError, OSError):
            assert peer == "tlsd_user"
    letter = Letter()

    def sent():
        try:
            with login(submissions(i), i) as s:
                s.sendmail(i.address("alice"), [i.address("bob")],
                           letter.bytes)
                return True
        except (smtplib.SMTPException, ssl.SSLError, OSError):
            return False

    ph.wait_for(sent, f"a message after {peer} died", 30, 0.5)
    wait_letter(i, "bob", letter)


@pytest.mark.dev
def test_local_program(instance):
    """The kernel says who it is; no login, and no address of a client."""
    i, letter = instance, Letter()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(str(i.submit_socket))
        f = s.makefile("rwb")

        def say(line, want):
            f.write(line.encode() + b"\r\n")
            f.flush()
            while True:
                got = f.readline()
                assert got.startswith(want), (line, got)
                if got[3:4] == b" ":
                    return

        assert f.readline().startswith(b"220 ")
        say("EHLO localhost", b"250")
        say("AUTH PLAIN", b"503")
        say("STARTTLS", b"502")
        say("MAIL FROM:<root@example.com>", b"250")
        say(f"RCPT TO:<{i.address('bob')}>", b"250")
        say("DATA", b"354")
        f.write(letter.bytes)
        say(".", b"250")
        say("QUIT", b"221")
    got = header(wait_letter(i, "bob", letter))["Received"]
    assert got.startswith("by mail.posthouse.test (Posthouse, from userid 0)")
    i.wait_log(r"submission/smtpd\[\d+\]: \w+: client=local\[uid=0\], uid=0 "
               r"from=<root@example\.com>")
