# SPDX-License-Identifier: ISC
"""The certificate is replaced while sessions are open and new ones arrive:
none of them notices, and the new ones see the new one."""

import imaplib
import poplib
import smtplib
import ssl
import threading

import posthouse as ph
import pytest

OPEN = 200


def smtp(i, tls):
    s = smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=60)
    s.starttls(context=tls)
    return s.sock, lambda: s.noop()[0] == 250, s.close


def submission(i, tls):
    s = smtplib.SMTP_SSL("localhost", i.submissions_port, timeout=60,
                         context=tls)
    s.login(i.address("alice"), i.users["alice"])
    return s.sock, lambda: s.noop()[0] == 250, s.close


def imap(i, tls):
    c = imaplib.IMAP4_SSL("localhost", i.imaps_port, ssl_context=tls,
                          timeout=60)
    c.login(i.address("alice"), i.users["alice"])
    return c.sock, lambda: c.noop()[0] == "OK", c.shutdown


def before_login(i, tls):
    c = imaplib.IMAP4_SSL("localhost", i.imaps_port, ssl_context=tls,
                          timeout=60)
    return c.sock, lambda: c.noop()[0] == "OK", c.shutdown


def pop3(i, tls):
    c = poplib.POP3("127.0.0.1", i.pop3_port, timeout=60)
    c.stls(context=tls)
    c.user(i.address("bob"))
    c.pass_(i.users["bob"])
    return c.sock, lambda: c.noop().startswith(b"+OK"), c.close


KINDS = (smtp, submission, imap, before_login, pop3)


def certificate(sock):
    return sock.getpeercert(True)


class Arrivals(threading.Thread):
    """One new session after the other, of every kind."""

    def __init__(self, i, tls):
        super().__init__()
        self.i, self.tls = i, tls
        self.enough = threading.Event()
        self.seen, self.errors = [], []

    def run(self):
        n = 0
        while not self.enough.is_set():
            try:
                sock, alive, close = KINDS[n % len(KINDS)](self.i, self.tls)
                self.seen.append(certificate(sock))
                if not alive():
                    self.errors.append("not alive")
                close()
            except (OSError, smtplib.SMTPException, imaplib.IMAP4.error,
                    poplib.error_proto) as e:
                self.errors.append(repr(e))
            n += 1


@pytest.fixture
def instance(make_instance):
    return make_instance(smtpd_client_connection_count_limit="0",
                         imap_session_limit="100", pop3_session_limit="100",
                         login_timeout="3600s")


def test_replaced_under_load(instance, tmp_path):
    i = instance
    ph.make_certificates(tmp_path / "new")
    both = (i.ca_file.read_text() +
            (tmp_path / "new" / "ca.pem").read_text())
    tls = ssl.create_default_context(cadata=both)
    sessions = [KINDS[n % len(KINDS)](i, tls) for n in range(OPEN)]
    old = {certificate(sock) for sock, _, _ in sessions}
    arrivals = Arrivals(i, tls)
    arrivals.start()
    try:
        ph.wait_for(lambda: len(arrivals.seen) > 20, "sessions to arrive")
        for name in ("ecdsa.pem", "rsa.pem"):
            fresh = i.ca_file.with_name(name + ".new")
            fresh.touch(0o600)
            fresh.write_bytes((tmp_path / "new" / name).read_bytes())
            fresh.replace(i.ca_file.with_name(name))
        ph.wait_for(lambda: arrivals.seen[-1] not in old,
                    "the new certificate to be seen")
        n = len(arrivals.seen)
        ph.wait_for(lambda: len(arrivals.seen) > n + 20, "more sessions")
    finally:
        arrivals.enough.set()
        arrivals.join()
    assert not arrivals.errors, arrivals.errors[:5]
    # Both keys change within one look at the files, or two.
    assert all(c not in old for c in arrivals.seen[n:])
    assert all(alive() for _, alive, _ in sessions)
    for _, _, close in sessions:
        close()
    # One logged line a file says what is new.
    assert i.log_text().count("new certificate") >= 2
