# SPDX-License-Identifier: ISC
"""posthouse user app: the administrator's side of app passwords."""

import imaplib
import poplib
import re
import smtplib

import posthouse as ph
import pytest

ALICE = "alice@posthouse.test"


@pytest.fixture
def offline(make_instance):
    return make_instance(start=False)


@pytest.mark.dev
def test_add_list_remove(offline):
    user = offline.posthouse
    first = user("user", "app", "add", "Alice@posthouse.test", "my phone",
                 "--services", "imap,smtp", "--expires", "90d").stdout.strip()
    second = user("user", "app", "add", ALICE, "laptop").stdout.strip()
    for password in (first, second):
        assert re.fullmatch(r"([a-z2-9]{5}-){4}[a-z2-9]{5}", password)
    assert first != second
    file = offline.conf_dir / "app_passwords"
    assert file.stat().st_mode & 0o7777 == 0o600
    assert first not in file.read_text()
    rows = [l.split("\t") for l in
            user("user", "app", "list", ALICE).stdout.splitlines()]
    assert rows[0][:2] == ["my phone", "imap,smtp"]
    assert re.match(r"20\d\d-", rows[0][2])
    assert rows[1] == ["laptop", "imap,pop3,smtp", "never", "-"]
    assert user("user", "app", "list", "bob@posthouse.test").stdout == ""
    user("user", "app", "remove", ALICE, "my phone")
    assert user("user", "app", "list", ALICE).stdout.count("\n") == 1
    assert user("user", "app", "remove", ALICE, "my phone",
                check=False).returncode == 1
    # Whose name is gone has no passwords left for the next of that name.
    user("user", "app", "add", "bob@posthouse.test", "x")
    user("user", "delete", ALICE)
    assert "alice" not in file.read_text()
    assert file.read_text().startswith("bob@posthouse.test:x:::{SSHA256}")


def test_refused(offline):
    def status(*args):
        return offline.posthouse("user", "app", *args,
                                 check=False).returncode

    assert status("add", "nobody@posthouse.test", "x") == 1
    assert status("add", ALICE, "x") == 0
    assert status("add", ALICE, "x") == 1
    assert status("add", ALICE, "a:b") == 64
    assert status("add", ALICE, "") == 64
    assert status("add", ALICE, "y", "--services", "ftp") == 64
    assert status("add", ALICE, "y", "--expires", "soon") == 64
    assert status("add", ALICE) == 64
    assert status() == 64
    for i in range(31):
        assert status("add", ALICE, f"n{i}") == 0
    assert status("add", ALICE, "one more") == 1


def imap_login(i, password):
    with imaplib.IMAP4("127.0.0.1", i.imap_port) as c:
        try:
            return c.login(ALICE, password)[0]
        except imaplib.IMAP4.error as e:
            return str(e)


def smtp_login(i, password):
    with smtplib.SMTP_SSL("127.0.0.1", i.submissions_port, timeout=30,
                          context=i.tls_context()) as s:
        try:
            return s.login(ALICE, password)[0]
        except smtplib.SMTPAuthenticationError as e:
            return e.smtp_code


def pop3_login(i, password):
    p = poplib.POP3("127.0.0.1", i.pop3_port)
    try:
        p.user(ALICE)
        return p.pass_(password)[:3]
    except poplib.error_proto as e:
        return str(e)
    finally:
        p.close()


def test_logins(make_instance):
    """Each where it is good; what was used when is seen."""
    i = make_instance(auth_failure_delay="0s", login_penalty="0s")
    phone = i.posthouse("user", "app", "add", ALICE, "phone",
                        "--services", "imap,smtp").stdout.strip()
    reader = i.posthouse("user", "app", "add", ALICE, "reader",
                         "--services", "pop3", "--expires", "1h")
    reader = reader.stdout.strip()
    # The file is looked at once a second.
    ph.wait_for(lambda: imap_login(i, phone) == "OK" and
                pop3_login(i, reader) == b"+OK", "them to be known")
    assert imap_login(i, phone) == "OK"
    assert smtp_login(i, phone) == 235
    assert pop3_login(i, reader) == b"+OK"
    assert "AUTH" in pop3_login(i, phone)
    assert "AUTHENTICATIONFAILED" in imap_login(i, reader)
    assert smtp_login(i, reader) == 535
    assert imap_login(i, i.users["alice"]) == "OK"
    rows = i.posthouse("user", "app", "list", ALICE).stdout.splitlines()
    assert re.search(r"^phone\t.*\t20\d\d-\S+Z smtp 127\.0\.0\.1$", rows[0])
    assert re.search(r"^reader\t.*\t20\d\d-\S+Z pop3 127\.0\.0\.1$", rows[1])
    # The last logins outlive authd.
    i.kill("authd")
    ph.wait_for(lambda: imap_login(i, phone) == "OK", "authd to be back")
    rows = i.posthouse("user", "app", "list", ALICE).stdout.splitlines()
    assert " imap " in rows[0] and " pop3 " in rows[1]
    i.posthouse("user", "app", "remove", ALICE, "phone")
    ph.wait_for(lambda: "AUTHENTICATIONFAILED" in imap_login(i, phone),
                "the app password to be gone")
    assert imap_login(i, i.users["alice"]) == "OK"
    assert (i.dir / "last_use").stat().st_mode & 0o7777 == 0o600
