# SPDX-License-Identifier: ISC
"""Keys and certificates: posthouse tls init, show, check; files that change
while the system runs are taken or refused, and the log says which."""

import os
import re
import socket
import ssl

import pytest

from posthouse import run, wait_for


def starttls(i, context, name=None):
    """A session on port 25, under TLS."""
    s = socket.create_connection(("127.0.0.1", i.smtp_port), 60)
    with s.makefile("rwb", buffering=0) as f:
        assert f.readline().startswith(b"220")
        f.write(b"EHLO x.test\r\n")
        lines = [f.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(f.readline())
        assert any(b"STARTTLS" in line for line in lines), lines
        f.write(b"STARTTLS\r\n")
        assert f.readline().startswith(b"220")
    return context.wrap_socket(s, server_hostname=name)


def only(kind):
    """A client that takes no other kind of certificate, and verifies none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    return context


def served(i, kind="ECDSA", name=None):
    """The certificate (DER) that a new session on port 25 is shown."""
    with starttls(i, only(kind), name) as t:
        return t.getpeercert(binary_form=True)


def served_imaps(i, kind):
    """The same on the port of IMAP under TLS."""
    with socket.create_connection(("127.0.0.1", i.imaps_port), 60) as s, \
            only(kind).wrap_socket(s) as t:
        return t.getpeercert(binary_form=True)


def certificate(text):
    """The first certificate of a PEM text, as DER."""
    at = text.index("-----BEGIN CERTIFICATE")
    end = "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(
        text[at:text.index(end, at) + len(end)])


def own_files(i):
    """The instance names files of its own, which a test may change."""
    d = i.dir / "keys"
    i.posthouse("tls", "init", "--dir", d, "--write")
    return d


def replace(path, text):
    """As certbot does: the name stands for another file from now on."""
    new = path.with_name("new")
    new.touch(0o600)
    new.write_text(text)
    new.rename(path)


def test_replaced_while_sessions_are_open(make_instance):
    """None is dropped, and those that come afterwards see the new one."""
    i = make_instance(start=False)
    d = own_files(i)
    i.set(login_tls_chain_files=None, smtpd_client_connection_count_limit=0)
    i.start()
    context = ssl.create_default_context(cafile=d / "ca.pem")
    context.check_hostname = False
    sessions = [starttls(i, context) for _ in range(200)]
    i.posthouse("tls", "init", "--dir", d, "--force")
    fresh = certificate((d / "ecdsa.pem").read_text())
    wait_for(lambda: starttls(i, context).getpeercert(True) == fresh,
             "the new certificate")
    for s in sessions:
        assert s.getpeercert(True) != fresh
        s.sendall(b"NOOP\r\n")
        assert s.recv(100).startswith(b"250")
        s.close()


@pytest.fixture
def idle(make_instance):
    return make_instance(start=False)


@pytest.mark.dev
def test_init_show_check(idle):
    d = idle.dir / "keys"
    r = idle.posthouse("tls", "init", "--dir", d, "--name", "mx.other.test")
    files = {f: d / f for f in ("ca.key", "ca.pem", "ecdsa.pem", "rsa.pem")}
    for name, f in files.items():
        mode = 0o644 if name == "ca.pem" else 0o600
        assert f.stat().st_mode & 0o777 == mode, name
    chains = f"smtpd_tls_chain_files = {d}/ecdsa.pem, {d}/rsa.pem"
    assert chains in r.stdout
    assert chains not in (idle.conf_dir / "main.cf").read_text()
    for f in (files["ecdsa.pem"], files["rsa.pem"]):
        run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver",
             "-CAfile", files["ca.pem"], "-verify_hostname",
             "mx.other.test", f])
        text = run(["openssl", "x509", "-in", f, "-noout", "-text"]).stdout
        assert "DNS:mail.posthouse.test, DNS:mx.other.test" in text
        for word in ("CA:FALSE", "TLS Web Server Authentication",
                     "Authority Key Identifier", "ecdsa-with-SHA256"):
            assert word in text, text

    # What is there is kept, unless it is to be renewed, by the same CA.
    before = {n: f.read_bytes() for n, f in files.items()}
    r = idle.posthouse("tls", "init", "--dir", d, check=False)
    assert r.returncode == 1 and "exists already" in r.stderr
    assert {n: f.read_bytes() for n, f in files.items()} == before
    idle.posthouse("tls", "init", "--dir", d, "--force", "--write")
    assert files["ca.pem"].read_bytes() == before["ca.pem"]
    assert files["ecdsa.pem"].read_bytes() != before["ecdsa.pem"]
    assert chains in (idle.conf_dir / "main.cf").read_text()

    idle.set(login_tls_chain_files=None)
    assert idle.posthouse("tls", "check").stdout == ""
    shown = idle.posthouse("tls", "show").stdout
    spki = run(["sh", "-c", f"openssl x509 -in {files['rsa.pem']} -noout "
                "-pubkey | openssl pkey -pubin -outform der | sha256sum"])
    assert spki.stdout.split()[0] in shown
    fingerprint = run(["openssl", "x509", "-in", files["ecdsa.pem"],
                       "-noout", "-fingerprint", "-sha256"]).stdout
    assert fingerprint.strip().split("=")[1] in shown
    assert "ECDSA P-256" in shown and "RSA 2048" in shown

    os.chmod(files["rsa.pem"], 0o644)
    r = idle.posthouse("tls", "check", check=False)
    assert r.returncode == 1
    assert r.stdout.splitlines() == [
        f"{files['rsa.pem']}: others than its owner can read this private "
        "key (mode 0644); want 0600 (chmod 600)"]
    files["rsa.pem"].unlink()
    idle.set(myhostname="mail.elsewhere.test")
    r = idle.posthouse("tls", "check", check=False)
    assert "cannot be read: No such file" in r.stdout
    assert "no name of the certificate covers myhostname" in r.stdout
    idle.set(smtpd_tls_chain_files=None)
    r = idle.posthouse("tls", "check", check=False)
    assert r.returncode == 1
    assert "no certificate for port 25 and people's programs" in r.stdout


@pytest.mark.parametrize("value,said", [
    ("hash:/x", "want inline:{...} or texthash:/FILE"),
    ("texthash:/nonexistent/x", "/nonexistent/x: cannot be read"),
    ("inline:{{a b = /x}}", "want a host name"),
])
def test_faulty_sni_is_refused(make_instance, value, said):
    i = make_instance(start=False)
    i.set(tls_server_sni_maps=value)
    i.start(wait=False)
    assert i.process.wait(60) == 64
    assert re.search(r"main\.cf:\d+: tls_server_sni_maps: .*" +
                     re.escape(said), i.log_text())


def expired(d):
    """A key with a certificate of yesterday."""
    run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-keyout", d / "k", "-out", d / "csr"])
    run(["openssl", "x509", "-req", "-in", d / "csr", "-signkey", d / "k",
         "-days", "-1", "-out", d / "c"])
    return (d / "k").read_text() + (d / "c").read_text()


def encrypted(good, d):
    (d / "plain").write_text(good)
    key = run(["openssl", "pkey", "-in", d / "plain", "-aes128", "-passout",
               "pass:x"]).stdout
    return key + good[good.index("-----BEGIN CERT"):]


def test_files_that_change(make_instance):
    """Each faulty file is refused and said; the good one stays in use; a good
    one is taken without a reload."""
    i = make_instance(start=False)
    d = own_files(i)
    i.set(login_tls_chain_files=None)
    i.start()
    ec, rsa = d / "ecdsa.pem", d / "rsa.pem"
    good = ec.read_text()
    scratch = i.dir / "scratch"
    scratch.mkdir()
    i.wait_log(rf"tls: {ec}: new certificate for mail\.posthouse\.test, .*, "
               r"until \d{4}-.* UTC, ECDSA P-256")
    assert served(i) == certificate(good)
    faulty = {
        "a PEM block is damaged or cut off": good[:-60],
        "the private key does not fit the certificate":
            good[:good.index("-----BEGIN CERT")] +
            rsa.read_text()[rsa.read_text().index("-----BEGIN CERT"):],
        "the certificate expired on": expired(scratch),
        "the private key is encrypted": encrypted(good, scratch),
        "no private key in it": "nothing\n",
    }
    for why, text in faulty.items():
        replace(ec, text)
        i.wait_log(rf"tls: {ec}: {why}.*; the certificate of before stays in "
                   "use")
        assert served(i) == certificate(good)
    replace(ec, good)
    ec.chmod(0o644)
    i.wait_log(rf"tls: {ec}: others than its owner can read")
    ec.unlink()
    i.wait_log(rf"tls: {ec}: .*cannot be read: No such file")
    ec.mkdir()
    i.wait_log(rf"tls: {ec}: .*is not a regular file")
    ec.rmdir()
    replace(ec, good)
    i.wait_log(rf"tls: {ec}: in order again")

    # A new one, behind a link whose target is another file from now on.
    i.posthouse("tls", "init", "--dir", scratch / "two")
    fresh = scratch / "two" / "ecdsa.pem"
    ec.unlink()
    ec.symlink_to(fresh)
    wait_for(lambda: served(i) == certificate(fresh.read_text()),
             "the new certificate")
    assert served(i, "RSA") == certificate(rsa.read_text())


def test_key_that_dies_is_replaced(make_instance):
    """A keyd that is killed comes back with the same keys."""
    i = make_instance(start=False)
    d = own_files(i)
    i.set(login_tls_chain_files=None)
    i.start()
    i.kill("keyd")
    wait_for(lambda: i.log_text().count(
        f"{d}/ecdsa.pem: new certificate") == 2, "keyd to be back")

    def shows(kind, want):
        try:
            return served(i, kind) == want
        except (OSError, AssertionError):   # tlsd does not know the new one
            return False
    for kind in ("ECDSA", "RSA"):
        pem = (d / f"{kind.lower()}.pem").read_text()
        wait_for(lambda: shows(kind, certificate(pem)), kind)


def test_sni_and_groups(make_instance):
    """Other names, other certificates; port 25 and logins apart."""
    i = make_instance(start=False)
    own_files(i)
    more = i.dir / "more"
    i.posthouse("tls", "init", "--dir", more, "--name", "sni.test")
    table = i.conf_dir / "sni"
    table.write_text(f"sni.test {more}/ecdsa.pem {more}/rsa.pem\n")
    people = i.dir / "people"
    i.posthouse("tls", "init", "--dir", people)
    i.set(tls_server_sni_maps=f"texthash:{table}",
          login_tls_chain_files=f"{people}/ecdsa.pem {people}/rsa.pem")
    i.start()
    i.wait_log(rf"tls: {more}/ecdsa.pem: new certificate")
    shown = i.posthouse("tls", "show").stdout
    assert "that ask for sni.test" in shown
    mine = certificate((i.dir / "keys" / "rsa.pem").read_text())
    theirs = certificate((more / "rsa.pem").read_text())
    assert served(i, "RSA") == mine
    assert served(i, "RSA", "mail.posthouse.test") == mine
    assert served(i, "RSA", "sni.test") == theirs
    for kind in ("ECDSA", "RSA"):
        assert served_imaps(i, kind) == certificate(
            (people / f"{kind.lower()}.pem").read_text())
    # The table is watched like the files; one that others can write is not
    # taken.
    table.chmod(0o666)
    i.wait_log(r"tls_server_sni_maps: .*others than root can write it")
    table.chmod(0o644)
    (more / "ecdsa.pem").write_text("nothing\n")
    i.wait_log(rf"tls: {more}/ecdsa.pem: no private key in it")
