# SPDX-License-Identifier: ISC
"""Keys and certificates: posthouse tls init, show, check; files that change
while the system runs are taken or refused, and the log says which."""

import os
import re

import pytest

from posthouse import run, wait_for


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
    assert i.process.wait(20) == 64
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
    wait_for(lambda: i.log_text().count(f"tls: {ec}: new certificate") == 2,
             "the new certificate")


def test_key_that_dies_is_replaced(make_instance):
    """A keyd that is killed comes back with the same keys."""
    i = make_instance(start=False)
    d = own_files(i)
    i.set(login_tls_chain_files=None)
    i.start()
    i.kill("keyd")
    wait_for(lambda: i.log_text().count(
        f"{d}/ecdsa.pem: new certificate") == 2, "keyd to be back")


def test_sni_and_groups(make_instance):
    """Other names, other certificates; port 25 and logins apart."""
    i = make_instance(start=False)
    own_files(i)
    more = i.dir / "more"
    i.posthouse("tls", "init", "--dir", more, "--name", "sni.test")
    table = i.conf_dir / "sni"
    table.write_text(f"sni.test {more}/ecdsa.pem {more}/rsa.pem\n")
    i.set(tls_server_sni_maps=f"texthash:{table}")
    i.start()
    i.wait_log(rf"tls: {more}/ecdsa.pem: new certificate")
    shown = i.posthouse("tls", "show").stdout
    assert "that ask for sni.test" in shown
    # The table is watched like the files; one that others can write is not
    # taken.
    table.chmod(0o666)
    i.wait_log(r"tls_server_sni_maps: .*others than root can write it")
    table.chmod(0o644)
    (more / "ecdsa.pem").write_text("nothing\n")
    i.wait_log(rf"tls: {more}/ecdsa.pem: no private key in it")
