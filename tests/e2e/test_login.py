# SPDX-License-Identifier: ISC
"""Who gets in: passwords, users that come and go, what the log says."""

import base64
import imaplib
import poplib
import socket
import time

import posthouse as ph
import pytest
from wire import Wire

FAILED = b"NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"


@pytest.fixture(scope="module")
def quick(instance):
    """No delay before "no": there are many of them here."""
    instance.stop()
    instance.set(auth_failure_delay="0s", auth_verbose="yes")
    return instance.start()


def imap_login(instance, user, password):
    """The tagged answer to LOGIN."""
    with Wire(instance.imap_port) as w:
        w.line()
        w.send(f"a LOGIN {{{len(user.encode())}+}}\r\n".encode() +
               user.encode() + f" {{{len(password.encode())}+}}\r\n".encode() +
               password.encode() + b"\r\n")
        return w.imap("", "a")[-1]


def gets_in(instance, user, password):
    said = imap_login(instance, user, password)
    assert said.startswith(b"a OK") or said == b"a " + FAILED, said
    return said.startswith(b"a OK")


def wait_in(instance, user, password):
    """For a new user: in between, the password may be right and the mailbox
    not be known."""
    ph.wait_for(lambda: imap_login(instance, user, password).startswith(
        b"a OK"), f"{user} to get in")


@pytest.mark.parametrize("user,password,want", [
    ("alice@posthouse.test", "alice-secret", True),
    ("ALICE@Posthouse.TEST", "alice-secret", True),
    ("alice@posthouse.test", "Alice-secret", False),
    ("alice@posthouse.test", "alice-secret ", False),
    ("alice@posthouse.test", "", False),
    ("alice@posthouse.test", "bob-secret", False),
    ("alice", "alice-secret", False),
    ("nobody@posthouse.test", "alice-secret", False),
    ("", "", False),
    ("root", "", False),
    ("../alice@posthouse.test", "alice-secret", False),
    pytest.param("alice@posthouse.test", "x" * 1001, False, id="long password"),
    pytest.param("a" * 500, "x", False, id="long name"),
    ("al\u00edce@posthouse.test", "\u00fc", False),
])
def test_passwords(quick, user, password, want):
    assert gets_in(quick, user, password) is want


def test_methods(quick):
    user, password = "alice@posthouse.test", quick.users["alice"]
    plain = base64.b64encode(f"\0{user}\0{password}".encode())
    m = imaplib.IMAP4("127.0.0.1", quick.imap_port, timeout=60)
    assert m.authenticate("PLAIN", lambda _: f"\0{user}\0{password}"
                          .encode())[0] == "OK"
    assert m.select("INBOX")[0] == "OK"
    m.logout()
    with Wire(quick.imap_port) as w:
        w.line()
        said = w.imap(b"a AUTHENTICATE PLAIN " + plain + b"\r\n", "a")
        assert said[-1].startswith(b"a OK")
    p = poplib.POP3("127.0.0.1", quick.pop3_port, timeout=60)
    assert p._shortcmd("AUTH PLAIN " + plain.decode()).startswith(b"+OK")
    assert p.stat()
    p.quit()


def test_pipelined_commands_reach_the_users_process(quick):
    with Wire(quick.imap_port) as w:
        w.line()
        w.send(f"a LOGIN alice@posthouse.test {quick.users['alice']}\r\n"
               "b SELECT INBOX\r\nc NOOP\r\nd LOGOUT\r\n")
        said = w.rest()
    assert b"\r\nb OK" in said and b"\r\nc OK" in said and b"\r\nd OK" in said


def test_users_come_and_go(quick):
    """`posthouse user` on the running instance, and no reload."""
    carol = "carol@posthouse.test"
    quick.posthouse("user", "add", carol, "--password-stdin", input="one\n")
    assert carol in quick.posthouse("user", "list").stdout.split()
    assert quick.posthouse("user", "add", carol, "--password-stdin",
                           input="two\n", check=False).returncode == 1
    wait_in(quick, carol, "one")
    with Wire(quick.smtp_port) as w:
        w.smtp()
        w.smtp("EHLO c\r\n")
        w.smtp("MAIL FROM:<a@b.example>\r\n")
        assert w.smtp(f"RCPT TO:<{carol}>\r\n").startswith(b"250")
    quick.posthouse("user", "passwd", carol, "--password-stdin",
                    input="two words\n")
    wait_in(quick, carol, "two words")
    assert not gets_in(quick, carol, "one")
    quick.posthouse("user", "delete", carol)
    # In between, a password may still be right and the user gone.
    ph.wait_for(lambda: imap_login(quick, carol, "two words") ==
                b"a " + FAILED, "carol to go")
    assert carol not in (quick.conf_dir / "users").read_text()
    assert carol not in (quick.conf_dir / "vmailbox").read_text()
    assert (quick.conf_dir / "users").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("scheme,mark", [
    ("scram", "{SCRAM-SHA-256}10000,"), ("sha512", "{CRYPT}$6$"),
    ("yescrypt", "{CRYPT}$y$"), ("bcrypt", "{CRYPT}$2b$")])
def test_schemes(quick, scheme, mark):
    """Each is made by ctl and checked inside authd's jail."""
    quick.set(user_password_scheme=scheme)
    user = f"{scheme}@posthouse.test"
    quick.posthouse("user", "add", user, "--password-stdin", input="pw\n")
    assert f"{user}:{mark}" in (quick.conf_dir / "users").read_text()
    wait_in(quick, user, "pw")
    assert not gets_in(quick, user, "pw2")
    serves = "PLAIN LOGIN" + (" SCRAM-SHA-1 SCRAM-SHA-256"
                              if scheme == "scram" else "")
    assert [user, serves] in [
        line.split("\t")[:2] for line in
        quick.posthouse("user", "list").stdout.splitlines()]


def test_password_that_is_not_ascii(quick):
    """SASLprep makes one of the forms in which it can be typed."""
    quick.set(user_password_scheme="scram")
    user = "roman@posthouse.test"
    quick.posthouse("user", "add", user, "--password-stdin",
                    input="\u2168 \u00e9\n")
    wait_in(quick, user, "IX e\u0301")
    assert not gets_in(quick, user, "IX e")
    assert quick.posthouse("user", "passwd", user, "--password-stdin",
                           input="bell\u0007\n", check=False).returncode != 0


def test_plain_text_in_the_users_file_is_refused(quick):
    with open(quick.conf_dir / "users", "a") as f:
        f.write("dave@posthouse.test:{PLAIN}dave-secret::::::\n")
    quick.wait_log(r"users file: line \d+: the password is plain text")
    assert "dave-secret" not in quick.log_text()
    assert not gets_in(quick, "dave@posthouse.test", "dave-secret")
    assert gets_in(quick, "alice@posthouse.test", quick.users["alice"])


def test_three_attempts(quick):
    with Wire(quick.imap_port) as w:
        w.line()
        for k in "abc":
            assert w.imap(f"{k} LOGIN alice@posthouse.test no\r\n", k)[-1] == \
                k.encode() + b" " + FAILED
        assert w.rest().startswith(b"* BYE")
    quick.wait_log(r"imap-login: Disconnected \(auth failed, 3 attempts in "
                   r"\d+ secs\): user=<alice@posthouse.test>, method=PLAIN, "
                   r"rip=127.0.0.1, lip=127.0.0.1, session=<\S+>")


def test_log_of_a_login(quick):
    p = poplib.POP3("127.0.0.1", quick.pop3_port, timeout=60)
    p.user("bob@posthouse.test")
    p.pass_(quick.users["bob"])
    p.quit()
    quick.wait_log(r"pop3-login: Login: user=<bob@posthouse.test>, "
                   r"method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, "
                   r"session=<\S+>")
    assert quick.users["bob"] not in quick.log_text()


def test_log_cannot_be_forged(quick):
    imap_login(quick, "x>, method=PLAIN, rip=192.0.2.66, lip=1.1.1.1", "y")
    imap_login(quick, "a\nimap-login: Login: user=<root>", "y")
    line = quick.wait_log(r"Disconnected \(auth failed, 1 attempts.*"
                          r"user=<x[^>]*>, method=PLAIN, rip=127").group()
    assert "rip=192" not in line
    assert "\nimap-login: Login: user=<root>" not in quick.log_text()


def test_failures_are_answered_late_and_alike(make_instance):
    """An unknown user is not told apart by time.  A busy machine may make each
    answer later, never all of them."""
    i = make_instance(auth_failure_delay="1s", login_penalty="0")

    def seconds(user, password, want=False):
        t = time.monotonic()
        assert gets_in(i, user, password) is want
        return time.monotonic() - t

    for user in ("alice@posthouse.test", "nobody@posthouse.test"):
        took = [seconds(user, "wrong") for _ in range(3)]
        assert min(took) >= 1, took
        ph.wait_for(lambda: seconds(user, "wrong") < 1.6, "a usual answer")
    ph.wait_for(lambda: seconds("alice@posthouse.test", i.users["alice"],
                                True) < 0.8, "a login without delay")


def test_no_passwords_off_loopback(make_instance):
    """Both ends must be loopback; `never` forbids it there as well."""
    i = make_instance(plaintext_logins="never")
    with Wire(i.imap_port) as w:
        assert b"LOGINDISABLED" in w.line()
        said = w.imap("a LOGIN alice@posthouse.test alice-secret\r\n", "a")
        assert said[-1].startswith(b"a NO [PRIVACYREQUIRED]")
        # Not even asked for.
        assert w.imap("b LOGIN {20}\r\n", "b")[-1].startswith(
            b"b NO [PRIVACYREQUIRED]")
    with Wire(i.pop3_port) as w:
        w.line()
        w.send("USER alice@posthouse.test\r\n")
        assert w.line().startswith(b"-ERR [SYS/PERM]")


def test_login_from_outside_is_refused(make_instance):
    """An address of this host that is not loopback."""
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("192.0.2.1", 9))
        own = s.getsockname()[0]
    except OSError:
        own = "127.0.0.1"
    assert not own.startswith("127."), "this host has no network address"
    port = ph.free_ports(1)[0]
    i = make_instance(start=False)
    i.set(listen_imap=f"127.0.0.1:{i.imap_port}, {own}:{port}")
    i.start()
    with socket.create_connection((own, port), 60) as c:
        f = c.makefile("rwb")
        assert b"LOGINDISABLED" in f.readline()
        f.write(b"a LOGIN alice@posthouse.test alice-secret\r\n")
        f.flush()
        assert f.readline().startswith(b"a NO [PRIVACYREQUIRED]")


def test_peers_die(make_instance):
    """A login meets a dead authd or spawner: told so, and works again."""
    i = make_instance(auth_failure_delay="0s")
    for daemon in ("authd", "spawner", "login"):
        i.kill(daemon)
        ph.wait_for(lambda: imap_login(i, "bob@posthouse.test",
                                       i.users["bob"]).startswith(b"a OK"),
                    f"logins after {daemon} was killed", pause=0.3)


def test_reload_keeps_who_is_connected(make_instance):
    i = make_instance()
    with Wire(i.imap_port) as w:
        w.line()
        old = set(i.pids()["login"])
        i.reload()
        ph.wait_for(lambda: set(i.pids()["login"]) - old, "new login workers")
        said = w.imap(f"a LOGIN bob@posthouse.test {i.users['bob']}\r\n", "a")
        assert said[-1].startswith(b"a OK"), said
        assert w.imap("b NOOP\r\n", "b")[-1].startswith(b"b OK")
    ph.wait_for(lambda: not set(i.pids()["login"]) & old,
                "the old workers to go")
