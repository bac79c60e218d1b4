# SPDX-License-Identifier: ISC
"""TLS on port 25: STARTTLS, its facts in the Received field and the log, and
what is said without it."""

import re
import smtplib
import ssl

import pytest

import posthouse as ph
from clients import SENDER, Letter, header, wait_letter


def secured(i, **changes):
    s = smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30)
    s.ehlo("client.example.com")
    s.starttls(context=i.tls_context(**changes))
    s.ehlo("client.example.com")
    return s


@pytest.mark.dev
@pytest.mark.parametrize("version,words", [
    (ssl.TLSVersion.TLSv1_2, r"TLSv1\.2 with cipher ECDHE-\S+"),
    (ssl.TLSVersion.TLSv1_3, r"TLSv1\.3 with cipher TLS_\S+")])
def test_starttls(instance, version, words):
    i, letter = instance, Letter()
    with secured(i, minimum_version=version, maximum_version=version) as s:
        assert not s.has_extn("starttls")
        s.sendmail(SENDER, [i.address("alice")], letter.bytes)
    got = header(wait_letter(i, "alice", letter))["Received"]
    assert re.search(r"^from client\.example\.com \(unknown \[127\.0\.0\.1\]\)"
                     rf"\s+\(using {words} \(\d+/\d+ bits\)", got), got
    assert "\n\t(No client certificate requested)\n" in got
    assert "(Posthouse) with ESMTPS\n" in got
    i.wait_log(r"Anonymous TLS connection established from "
               rf"unknown\[127\.0\.0\.1\]: {words} \(\d+/\d+ bits\)")


@pytest.mark.dev
def test_large_text(instance):
    """Through the pumps of tlsd and the pipe to the queue."""
    i = instance
    letter = Letter("a megabyte of this line, through TLS and streamed\r\n"
                    * 22000)
    with secured(i) as s:
        s.sendmail(SENDER, [i.address("bob")], letter.bytes)
    wait_letter(i, "bob", letter)


def test_swaks(instance):
    i = instance
    r = ph.run(["swaks", "--server", f"127.0.0.1:{i.smtp_port}", "-tls",
                "--tls-verify", "--tls-ca-path", i.ca_file, "--helo",
                "client.example.com", "--from", SENDER, "--to",
                i.address("alice")])
    assert "250 2.0.0 Ok: queued as" in r.stdout, r.stdout


def test_several_messages(instance):
    i = instance
    letters = [Letter() for _ in range(5)]
    with secured(i) as s:
        for letter in letters:
            s.sendmail(SENDER, [i.address("bob")], letter.bytes)
    for letter in letters:
        wait_letter(i, "bob", letter)


def test_sni_is_logged(instance):
    i = instance
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s._host = f"mail.{ph.DOMAIN}"
        s.starttls(context=i.tls_context())
    i.wait_log(r"TLS connection established from unknown\[127\.0\.0\.1\] to "
               rf"mail\.{ph.DOMAIN}: TLSv1\.3")


def test_encrypt(make_instance):
    i = make_instance(smtpd_tls_security_level="encrypt")
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        assert s.mail(SENDER)[0] == 530
    with secured(i) as s:
        s.sendmail(SENDER, [i.address("alice")], letter.bytes)
    wait_letter(i, "alice", letter)


def test_without_certificate(make_instance):
    """Nothing to offer: mail goes on in the clear."""
    i = make_instance(smtpd_tls_chain_files=None)
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        assert not s.has_extn("starttls")
        assert s.docmd("STARTTLS")[0] == 454
        s.sendmail(SENDER, [i.address("alice")], Letter().bytes)


def test_none(make_instance):
    i = make_instance(smtpd_tls_security_level="none")
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        assert not s.has_extn("starttls")
        assert s.docmd("STARTTLS")[0] == 502


def test_tlsd_dies(make_instance):
    """A session loses its TLS; the next one has the new process's."""
    i = make_instance()
    with pytest.raises((smtplib.SMTPException, ssl.SSLError, OSError)):
        with secured(i) as s:
            i.kill("tlsd_mx")
            for _ in range(50):
                s.noop()

    def again():
        try:
            with secured(i) as s:
                return s.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    ph.wait_for(again, "STARTTLS after tlsd died")
