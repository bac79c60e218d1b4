# SPDX-License-Identifier: ISC
"""Where the secrets are not: the private keys of TLS outside keyd, the password
hashes outside authd.  What a process could find if it were taken over is what
is in its memory and in its descriptors: both are searched from outside, all of
it, while sessions of every kind are open and after many have gone."""

import base64
import contextlib
import imaplib
import pathlib
import poplib
import re
import smtplib
import socket
import ssl
import subprocess

import memory
import posthouse
import pytest
from mtas import loopback_address
from mx import Mx, server_context
from posthouse import wait_for

# Who may have what; master is root and hands them on.
KEYS = {"master", "keyd"}
HASHES = {"master", "authd"}


def numbers(pem):
    """The secret numbers of a private key: {name: big-endian bytes}."""
    out = subprocess.run(["openssl", "pkey", "-noout", "-text"], input=pem,
                         capture_output=True, check=True,
                         env=posthouse.clean_env()).stdout.decode()
    found = {}
    for name, digits in re.findall(
            r"^(priv|privateExponent|prime1|prime2|exponent1|exponent2|"
            r"coefficient):[^\n]*\n((?:    [0-9a-f:]+\n)+)", out, re.M):
        found[name] = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
    assert found, out[:200]
    return found


def key_patterns(files):
    """Each key as it may lie in memory: the number as DER has it, as OpenSSL's
    words have it (little-endian), and a piece of the PEM text."""
    patterns = {}
    for f in files:
        text = pathlib.Path(f).read_bytes()
        for i, block in enumerate(re.findall(
                rb"-----BEGIN (?:\w+ )?PRIVATE KEY-----.*?-----END[^\n]*",
                text, re.S)):
            for name, number in numbers(block).items():
                # The middle: the ends may be padded or cut.
                patterns[f"{f} {i} {name}"] = number[2:26]
                patterns[f"{f} {i} {name} reversed"] = number[::-1][:-2][-24:]
            patterns[f"{f} {i} PEM"] = block.splitlines()[1][20:60]
    return patterns


def hash_patterns(users):
    """The secret part of each credential of the users file."""
    patterns = {}
    for line in pathlib.Path(users).read_text().splitlines():
        name, rest = line.split(":", 1)
        for i, word in enumerate(re.findall(r"[A-Za-z0-9./+=]{24,}", rest)):
            patterns[f"hash {name} {i}"] = word[-24:].encode()
    return patterns


def relay_host(pem):
    """A server that asks its clients for a certificate."""
    tls = server_context(pem)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(posthouse.certificates() / "ca.pem")
    return Mx(loopback_address(2525), 0, tls=tls).start()


@pytest.fixture(scope="module")
def busy(make_module_instance):
    """An instance in the midst of sessions of every kind."""
    i = make_module_instance(
        start=False, smtp_tls_chain_files="tls/client.pem",
        smtp_tls_security_level="encrypt", relayhost="[127.0.0.1]")
    posthouse.issue(i.conf_dir / "tls", "client", "posthouse.test",
                    purpose="clientAuth")
    server = relay_host(i.ca_file.with_name("ecdsa.pem"))
    i.set(relayhost=f"[{server.host}]:{server.port}")
    i.start()
    tls = i.tls_context()
    open_sessions = []
    for round_ in range(3):
        with smtplib.SMTP("127.0.0.1", i.submission_port) as s:
            s.starttls(context=tls)
            s.login(i.address("alice"), i.users["alice"])
            s.sendmail(i.address("alice"),
                       [i.address("bob"), "someone@example.net"],
                       f"Subject: {round_}\r\n\r\nx\r\n")
        with smtplib.SMTP("127.0.0.1", i.smtp_port) as s:
            s.starttls(context=tls)
            s.sendmail("a@example.org", [i.address("alice")],
                       "Subject: jail\r\n\r\nx\r\n")
        for name in ("alice", "bob"):
            a = imaplib.IMAP4_SSL("localhost", i.imaps_port, ssl_context=tls)
            a.login(i.address(name), i.users[name])
            b = poplib.POP3("127.0.0.1", i.pop3_port)
            b.stls(context=tls)
            b.user(i.address(name))
            b.pass_(i.users[name])
            open_sessions += [a, b]
            with pytest.raises(imaplib.IMAP4.error):
                imaplib.IMAP4_SSL("localhost", i.imaps_port,
                                  ssl_context=tls).login(i.address(name), "no")
    i.mailbox("bob").wait(3)
    i.mailbox("alice").wait(3)
    posthouse.wait_for(lambda: len(server.mails) == 3, "mail at the relay host")
    assert all(h.client for h in server.handshakes)
    yield i
    server.stop()
    del open_sessions


def holders(instance, patterns):
    found = {}
    for name, pids in {**instance.pids(),
                       "master": [instance.process.pid]}.items():
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for what in memory.found_in(pid, patterns):
                    found.setdefault(name, set()).add(what)
    return found


def nobody_holds(instance, patterns):
    """Who has just had them may need a moment to forget."""
    wait_for(lambda: not holders(instance, patterns),
             lambda: f"them to be gone: {holders(instance, patterns)}",
             pause=0.2)


def test_keys_are_with_keyd_alone(busy):
    files = [busy.ca_file.with_name(n)
             for n in ("ecdsa.pem", "rsa.pem", "client.pem")]
    patterns = key_patterns(files)
    assert len(patterns) > 2 * len(files)
    found = holders(busy, patterns)
    assert "keyd" in found, "the search finds nothing where the keys must be"
    assert set(found) <= KEYS, {k: v for k, v in found.items()
                                if k not in KEYS}
    assert set(busy.pids()) >= {"imapd", "pop3d"}


def test_hashes_are_with_authd_alone(busy):
    patterns = hash_patterns(busy.conf_dir / "users")
    assert patterns
    found = holders(busy, patterns)
    assert "authd" in found, "the search finds nothing where the hashes are"
    assert set(found) <= HASHES, {k: v for k, v in found.items()
                                  if k not in HASHES}


def test_passwords_are_gone(busy):
    """Passwords pass through tlsd, login, submitd and authd; none keeps them."""
    nobody_holds(busy, {n: p.encode() for n, p in busy.users.items()})


def test_half_a_password_is_gone(busy):
    """Of who hangs up in the midst of it, and of who says it in pieces."""
    secret = "Tr0ub4dor-and-3"
    plain = base64.b64encode(f"\0me\0{secret}{secret}".encode()).decode()
    talks = (
        (busy.imaps_port, f"a NOOP\r\nb LOGIN me {secret}", "\r\n"),
        (busy.imaps_port,
         f"a NOOP\r\nb AUTHENTICATE PLAIN {plain[:40]}", "\r\n"),
        (busy.pop3s_port, f"NOOP\r\nUSER me\r\nPASS {secret}", "\r\n"),
        (busy.submissions_port,
         f"EHLO me\r\nNOOP\r\nAUTH PLAIN {plain[:40]}", "\r\n"),
    )
    for port, begin, rest in talks:
        for more in ("", rest):
            with busy.tls_context().wrap_socket(
                    socket.create_connection(("127.0.0.1", port), 60),
                    server_hostname="localhost") as c:
                c.recv(1000)
                c.sendall(begin.encode())
                c.recv(1000)
                c.sendall(more.encode())
                if more:
                    c.recv(1000)
    nobody_holds(busy, {"password": secret.encode(),
                        "base64": plain[:40].encode()})
