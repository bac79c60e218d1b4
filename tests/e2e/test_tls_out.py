# SPDX-License-Identifier: ISC
"""TLS with the servers that mail is sent to: levels, policies, certificates of
both sides, sessions."""

import hashlib
import shutil
import ssl

import posthouse as ph
import pytest
from clients import Letter, send_smtplib
from mtas import loopback_address
from mx import Mx, server_context

MX = "mx.example.test"


def sha256(pem, key=False):
    text = pem.read_text()
    der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT"):])
    if key:
        der = ssl.PEM_cert_to_DER_cert(
            ph.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"])
            .stdout.replace("PUBLIC KEY", "CERTIFICATE").strip())
    return hashlib.sha256(der).digest().hex(":").upper()


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    d = tmp_path_factory.mktemp("pems")
    return {"mx": ph.issue(d, "mx", MX),
            "domain": ph.issue(d, "domain", "example.test"),
            "below": ph.issue(d, "below", "*.example.test"),
            "other": ph.issue(d, "other", "mx.example.org"),
            "self": ph.issue(d, "self", MX, ca=False),
            "client": ph.issue(d, "client", "posthouse.test",
                            purpose="clientAuth")}


@pytest.fixture
def world(make_instance, make_nsd):
    """make(**overrides): an instance for which the MX of example.test and of
    all below is the server that serve() starts."""
    class World:
        pass

    w = World()
    w.port = ph.free_ports(1)[0]
    w.host = loopback_address(w.port)
    w.nsd = make_nsd({"example.test": f"@ MX 10 mx\n* MX 10 mx\n"
                                      f"mx A {w.host}\n"})
    w.servers = []

    def make(**more):
        w.i = make_instance(**{
            "dns_servers": w.nsd.address, "dns_timeout": "5s",
            "smtp_tcp_port": str(w.port), "smtp_connect_timeout": "5s",
            "minimal_backoff_time": "300s",
            "smtp_connection_cache_on_demand": "no", **more})
        return w.i

    def serve(pem=None, **kw):
        tls = kw.pop("tls", None) or (server_context(pem) if pem else None)
        s = Mx(w.host, w.port, tls=tls, **kw).start()
        w.servers.append(s)
        return s

    def send(to="someone@example.test"):
        letter = Letter()
        send_smtplib(w.i, letter, [to])
        return letter

    def sent(server, to="someone@example.test"):
        """One letter that arrives."""
        mark = send(to).mark.encode()
        ph.wait_for(lambda: [m for m in server.mails if mark in m[2]],
                    f"the letter; log:\n{w.i.log_text()}")

    def deferred(why, to="someone@example.test"):
        """One that does not, and the log says why."""
        send(to)
        w.i.wait_log(rf"to=<{to}>.*status=deferred \(.*{why}")
    w.make, w.serve, w.send, w.sent, w.deferred = \
        make, serve, send, sent, deferred
    yield w
    for s in w.servers:
        s.stop()


def tls_log(w, trust, how="established"):
    w.i.wait_log(rf"{trust} TLS connection {how} to mx\.example\.test"
                 rf"\[{w.host}\]:{w.port}: TLSv1\.3 with cipher \S+ "
                 r"\(\d+/\d+ bits\)")


# -- may

@pytest.mark.dev
def test_may(world, pems):
    seen = []
    tls = server_context(pems["mx"])
    tls.sni_callback = lambda sock, name, ctx: seen.append(name)
    server = world.serve(tls=tls)
    world.make()
    world.sent(server)
    tls_log(world, "Untrusted")
    assert server.handshakes[0].version == "TLSv1.3"
    assert seen == [MX]
    # Said anew under TLS.
    assert [l.split()[0] for l in server.lines[:4]] == \
        ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def test_may_trusted(world, pems):
    server = world.serve(pems["mx"])
    i = world.make(smtp_tls_CAfile="tls/ca.pem", tls_append_default_CA="yes")
    world.sent(server)
    tls_log(world, "Trusted")
    assert "Untrusted" not in i.log_text()
    assert "cannot be read" not in i.log_text()


def test_may_not_offered(world):
    server = world.serve()
    world.make()
    world.sent(server)
    assert "STARTTLS" not in server.lines


def test_may_falls_back(world, pems):
    """A server that offers TLS and cannot speak it gets the mail in plain
    text."""
    tls = server_context(pems["mx"])
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("AES128-SHA256")  # needs an RSA key
    server = world.serve(tls=tls)
    world.make()
    world.sent(server)
    assert isinstance(server.handshakes[0], ssl.SSLError)
    assert server.connections == 2


def test_may_refused(world, pems):
    server = world.serve(pems["mx"], replies={"STARTTLS": "454 4.7.0 no"})
    world.make()
    world.sent(server)
    assert not server.handshakes


def test_none(world, pems):
    server = world.serve(pems["mx"])
    i = world.make(smtp_tls_security_level="none",
                   smtp_tls_note_starttls_offer="yes")
    world.sent(server)
    assert not server.handshakes
    i.wait_log(r"Host offered STARTTLS: \[mx\.example\.test\]")


def test_injection(world, pems):
    """What comes with the answer to STARTTLS was not sent under TLS."""
    server = world.serve(pems["mx"], replies={
        "STARTTLS": "220 2.0.0 go on\r\n250 2.0.0 injected"})
    i = world.make()
    world.send()
    i.wait_log("possible attack")
    assert not server.mails


# -- encrypt

def test_encrypt(world, pems):
    plain = world.serve()
    world.make(smtp_tls_security_level="encrypt")
    world.deferred("TLS is required, but was not offered by host "
                   r"mx\.example\.test")
    plain.stop()
    server = world.serve(pems["self"])
    world.i.posthouse("queue", "flush")
    world.sent(server)
    tls_log(world, "Untrusted")
    assert not plain.mails


def test_encrypt_does_not_fall_back(world, pems):
    tls = server_context(pems["mx"])
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
    server = world.serve(tls=tls)
    world.make(smtp_tls_security_level="encrypt",
               smtp_tls_mandatory_protocols="TLSv1.3")
    world.deferred("Cannot start TLS: handshake failure")
    assert not server.mails


# -- verify and secure

@pytest.mark.dev
@pytest.mark.parametrize("level, pem, why", [
    ("verify", "mx", None),
    ("verify", "below", None),
    ("verify", "other", "Server certificate not verified: subject mismatch, "
     'it is for "mx.example.org", not for "mx.example.test"'),
    ("verify", "self", "Server certificate not trusted: self-signed"),
    ("secure", "domain", None),
    ("secure", "mx", None),     # dot-nexthop
    ("secure", "other", "Server certificate not verified: subject mismatch"),
])
def test_verified(world, pems, level, pem, why):
    server = world.serve(pems[pem])
    world.make(smtp_tls_security_level=level, smtp_tls_CAfile="tls/ca.pem")
    if why:
        world.deferred(why)
        assert not server.mails
    else:
        world.sent(server)
        tls_log(world, "Verified")


def test_authorities(world, pems):
    """None are trusted at first; then those of a directory, taken without a
    reload."""
    server = world.serve(pems["mx"])
    i = world.make(start=False, smtp_tls_security_level="verify",
                   smtp_tls_CApath="authorities")
    directory = i.conf_dir / "authorities"
    directory.mkdir()
    i.start()
    world.deferred('Server certificate not trusted: untrusted issuer '
                   '"Posthouse tests"')
    shutil.copy(i.conf_dir / "tls" / "ca.pem", directory)
    ph.run(["openssl", "rehash", directory])

    def trusted():
        i.posthouse("queue", "flush")
        return server.mails
    ph.wait_for(trusted, "the authority to be taken", pause=0.3)
    tls_log(world, "Verified")


# -- fingerprints and policies

def test_policies(world, pems):
    server = world.serve(pems["self"])
    i = world.make(start=False, smtp_tls_CAfile="tls/ca.pem",
                   smtp_tls_policy_maps="texthash:policy")
    good, key = sha256(pems["self"]), sha256(pems["self"], key=True)
    (i.conf_dir / "policy").write_text(
        "plain.example.test none\n"
        f"good.example.test fingerprint match={sha256(pems['mx'])}|{good}\n"
        f"key.example.test fingerprint match={key.lower()}\n"
        f"bad.example.test fingerprint match={sha256(pems['mx'])}\n"
        ".secure.example.test secure ciphers=high\n"
        "old.example.test encrypt protocols=TLSv1.2 servername=a.test\n"
        "faulty.example.test secur\n"
        "dane.example.test dane-only\n")
    i.start()
    world.sent(server, "x@plain.example.test")
    assert not server.handshakes
    world.sent(server, "x@good.example.test")
    tls_log(world, "Verified")
    world.sent(server, "x@key.example.test")
    assert len(server.handshakes) == 2
    world.deferred("Server certificate not verified: no fingerprint match, "
                   f"its sha256 is {good}", "x@bad.example.test")
    world.deferred("Server certificate not trusted: self-signed",
                   "x@a.secure.example.test")
    world.sent(server, "x@old.example.test")
    assert server.handshakes[-1].version == "TLSv1.2"
    world.deferred('TLS policy of faulty.example.test: there is no security '
                   'level "secur"', "x@faulty.example.test")
    world.deferred('TLS policy of dane.example.test: not available yet is '
                   '"dane-only"', "x@dane.example.test")
    world.sent(server, "x@other.example.test")
    tls_log(world, "Untrusted")


# -- our own certificate

@pytest.mark.dev
def test_own_certificate(world, pems):
    tls = server_context(pems["mx"])
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(ph.certificates() / "ca.pem")
    server = world.serve(tls=tls)
    i = world.make(start=False, smtp_tls_security_level="encrypt",
                   smtp_tls_chain_files="tls/client.pem")
    shutil.copy(pems["client"], i.conf_dir / "tls")
    i.start()
    world.sent(server)
    der = server.handshakes[-1].client
    text = pems["client"].read_text()
    assert der == ssl.PEM_cert_to_DER_cert(
        text[text.index("-----BEGIN CERT"):])
    shown = i.posthouse("tls", "show").stdout
    assert "client.pem\n  for         other hosts, where we send\n" in shown
    assert "client.pem" not in i.posthouse("tls", "check", check=False).stdout
    assert "not meant for servers" not in i.log_text()


# -- sessions, and the process that speaks

def test_resumption(world, pems):
    server = world.serve(pems["mx"])
    world.make(smtp_tls_security_level="verify", tlsd_workers="1",
               smtp_workers="1", smtp_tls_CAfile="tls/ca.pem")
    for _ in range(3):
        world.sent(server)
    tls_log(world, "Verified")
    tls_log(world, "Verified", "reused")
    assert [h.reused for h in server.handshakes] == [False, True, True]


def test_tlsd_dies(world, pems):
    server = world.serve(pems["mx"])
    i = world.make(minimal_backoff_time="1s", maximal_backoff_time="1s")
    world.sent(server)
    i.kill("tlsd_mx")
    world.sent(server)
    assert len(server.handshakes) == 2, "the second went in plain text"


def test_without_server_certificate(world, pems):
    server = world.serve(pems["mx"])
    i = world.make(smtpd_tls_chain_files=None, login_tls_chain_files=None,
                   smtp_tls_security_level="encrypt")
    world.sent(server)
    tls_log(world, "Untrusted")
    assert "STARTTLS" not in ph.greeting(i.smtp_port).decode()


def test_wrappermode(world, pems):
    server = world.serve(pems["mx"], wrapper=True)
    world.make(smtp_tls_security_level="verify", smtp_tls_wrappermode="yes",
               smtp_tls_CAfile="tls/ca.pem")
    world.sent(server)
    tls_log(world, "Verified")
    assert "STARTTLS" not in server.lines


# -- configuration

def test_not_available_yet(make_instance):
    i = make_instance(start=False, smtp_tls_security_level="dane")
    r = i.posthouse("conf", "check", check=False)
    assert r.returncode != 0
    assert 'smtp_tls_security_level: "dane" is not available yet' in \
        r.stdout + r.stderr
