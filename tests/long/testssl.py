# SPDX-License-Identifier: ISC
"""testssl.sh on all ports: nothing that it calls worse than a remark.

Three minutes a port; ./check has openssl, gnutls-cli and sslscan instead."""

import json
import subprocess

import pytest

import posthouse

# The ciphers with CBC, which some hosts and old programs still need, are LOW.
STRICT = {"smtpd_tls_exclude_ciphers": "SHA1, SHA256, SHA384"}
# Protocols, ciphers, forward secrecy, preferences, certificates,
# vulnerabilities.
CHECKS = ["-p", "-s", "-f", "-P", "-S", "-U"]
FINE = {"OK", "INFO", "DEBUG"}
# No authority of a test has a place for revocations, and its domain no DNS; a
# client of testssl.sh now and then hangs up before its ticket has come; and
# Debian's openssl has no GOST.
EXPECTED = {"cert_revocation", "DNS_CAArecord", "sessionresumption_ticket",
            "sessionresumption_ID", "engine_problem"}


pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def mail(make_module_instance):
    return make_module_instance(**STRICT)


@pytest.mark.parametrize("port,starttls", [
    ("smtp", "smtp"), ("submission", "smtp"), ("submissions", None),
    ("imap", "imap"), ("imaps", None), ("pop3", "pop3"), ("pop3s", None)])
def test_testssl(mail, tmp_path, port, starttls):
    out = tmp_path / "found.json"
    words = ["--starttls", starttls] if starttls else []
    r = subprocess.run(
        [posthouse.tool("testssl"), "--quiet", "--color", "0", "--warnings",
         "batch", "--add-ca", mail.ca_file, "--jsonfile", out, *CHECKS, *words,
         f"127.0.0.1:{getattr(mail, port + '_port')}"],
        env=posthouse.clean_env(tmp_path), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", timeout=900)
    found = json.loads(out.read_text())
    said = {f["id"]: f["finding"] for f in found}
    assert "offered" in said["TLS1_3"], r.stdout + r.stderr
    assert said["cert_chain_of_trust <cert#1>"].startswith("passed"), said
    bad = [f for f in found if f["severity"] not in FINE and
           f["id"].split()[0] not in EXPECTED]
    assert not bad, "\n".join(f"{f['severity']} {f['id']}: {f['finding']}"
                              for f in bad)
