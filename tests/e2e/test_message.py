# SPDX-License-Identifier: ISC
"""A message walks through the house: in over SMTP, out over IMAP and POP3."""

import re
import smtplib

import pytest

import clients
from clients import READERS, SENDER, SENDERS, Letter, header, wait_letter

BODIES = {
    "text": "Dear Bob,\r\n\r\nhello.\r\n",
    "dots": ".\r\n..\r\n.x\r\n...\r\n.\r\n",
    "eight-bit": "grüße, \u2709\r\n".encode() + bytes(range(128, 256))
    + b"\r\n",
    "blank-lines": "\r\n\r\n\r\nx\r\n\r\n\r\n",
    "long-lines": ("x" * 990 + "\r\n") * 20,
    "header-like": "From nobody\r\nFrom: x\r\n\r\nSubject: no\r\n",
    "40k": ("forty kilobytes of this line, inline in one frame\r\n" * 800),
    "1m": ("a megabyte of this line, streamed to the queue\r\n" * 22000),
    "empty": "",
}


@pytest.mark.dev
@pytest.mark.parametrize("sender", SENDERS)
def test_senders(instance, sender):
    letter = Letter()
    SENDERS[sender](instance, letter, [instance.address("alice")])
    wait_letter(instance, "alice", letter)


@pytest.mark.dev
@pytest.mark.parametrize("reader", READERS)
def test_readers(instance, reader):
    letters = [Letter(BODIES["text"]), Letter(BODIES["dots"])]
    for letter in letters:
        clients.send_smtplib(instance, letter, [instance.address("bob")])
    for letter in letters:
        wait_letter(instance, "bob", letter)
        wait_letter(instance, "bob", letter, READERS[reader])


@pytest.mark.dev
@pytest.mark.parametrize("kind", BODIES)
def test_body_comes_out_as_it_went_in(instance, kind):
    letter = Letter(BODIES[kind])
    clients.send_smtplib(instance, letter, [instance.address("bob")])
    for reader in (clients.read_maildir, clients.read_imaplib,
                   clients.read_poplib):
        wait_letter(instance, "bob", letter, reader)


def test_smtp_source(instance):
    """PIPELINING off, several sessions at once."""
    before = instance.mailbox("alice").count()
    clients.smtp_source(instance, "-s", "10", "-m", "200", "-l", "4096", "-f",
                        SENDER, "-t", instance.address("alice"))
    instance.mailbox("alice").wait(before + 200)
    assert instance.mailbox("alice").count() == before + 200


def test_one_message_for_two(instance):
    letter = Letter()
    clients.send_smtplib(instance, letter, [instance.address("alice"),
                                            instance.address("bob")])
    wait_letter(instance, "alice", letter)
    wait_letter(instance, "bob", letter)


def test_same_recipient_twice_is_delivered_once(instance):
    letter = Letter()
    clients.send_smtplib(instance, letter, [instance.address("alice"),
                                            instance.address("alice")])
    instance.wait_log(r"removed")
    wait_letter(instance, "alice", letter)


@pytest.mark.dev
def test_reply_names_the_queue_id_that_the_log_follows(instance):
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", instance.smtp_port) as s:
        s.ehlo("client.example.com")
        s.mail(SENDER)
        s.rcpt(instance.address("bob"))
        code, text = s.data(letter.bytes)
    assert code == 250
    m = re.fullmatch(r"2\.0\.0 Ok: queued as (\w+)", text.decode())
    assert m, text
    ident = m[1]
    instance.wait_log(rf"qmgr\S*: {ident}: from=<{SENDER}>, size=\d+, "
                      r"nrcpt=1 \(queue active\)")
    instance.wait_log(rf"{ident}: to=<bob@posthouse.test>, relay=virtual, "
                      r"delay=[\d.]+, delays=[\d./]+, dsn=2\.0\.0, "
                      r"status=sent \(delivered to maildir\)")
    instance.wait_log(rf"qmgr\S*: {ident}: removed")
    instance.wait_log(r"smtpd\S*: connect from \S+\[127\.0\.0\.1\]")


def test_headers_of_the_house(instance):
    letter = Letter()
    clients.send_smtplib(instance, letter, [instance.address("bob")])
    raw = wait_letter(instance, "bob", letter)
    m = header(raw)
    assert raw.startswith(f"Return-Path: <{SENDER}>\n".encode())
    assert m["Delivered-To"] == "bob@posthouse.test"
    received = m.get_all("Received")
    assert len(received) == 1
    # RFC 5321 4.4: from, by, with, id, date
    assert re.match(r"from client\.example\.com \(\S+ \[127\.0\.0\.1\]\)\s+"
                    r"by mail\.posthouse\.test \(Posthouse\)\s+with ESMTP"
                    r"( id \w+)?\s+for <bob@posthouse\.test>;\s+"
                    r"\w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
                    received[0]), received


def test_null_sender(instance):
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", instance.smtp_port) as s:
        s.sendmail("", [instance.address("bob")], letter.bytes)
    raw = wait_letter(instance, "bob", letter)
    assert raw.startswith(b"Return-Path: <>\n")


@pytest.mark.parametrize("to, code, dsn", [
    ("nobody@posthouse.test", 550, "5.1.1"),
    ("nobody@mail.posthouse.test", 550, "5.1.1"),
])
def test_refused_recipients(instance, to, code, dsn):
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", instance.smtp_port) as s:
        s.ehlo("client.example.com")
        s.mail(SENDER)
        got, text = s.rcpt(to)
        assert got == code and text.decode().startswith(dsn), text
        # the session and its other recipients go on
        assert s.rcpt(instance.address("bob"))[0] == 250
        assert s.data(letter.bytes)[0] == 250
    wait_letter(instance, "bob", letter)


def test_address_extension_and_case(instance):
    letter = Letter()
    clients.send_smtplib(instance, letter, ["BOB@Posthouse.TEST"])
    wait_letter(instance, "bob", letter)


@pytest.mark.dev
def test_mail_outlives_a_restart(make_instance):
    i = make_instance()
    letter = Letter()
    clients.send_smtplib(i, letter, [i.address("bob")])
    wait_letter(i, "bob", letter, clients.read_imaplib)
    i.stop()
    i.start()
    wait_letter(i, "bob", letter, clients.read_imaplib)
    wait_letter(i, "bob", letter, clients.read_poplib)
    second = Letter()
    clients.send_smtplib(i, second, [i.address("bob")])
    wait_letter(i, "bob", second, clients.read_imaplib)


def test_two_instances_do_not_meet(make_instance):
    one, two = make_instance(), make_instance()
    letter = Letter()
    clients.send_smtplib(one, letter, [one.address("bob")])
    wait_letter(one, "bob", letter)
    assert not two.mailbox("bob").count()


@pytest.mark.parametrize("to", [
    "postmaster", "PostMaster", "postmaster@posthouse.test",
    "Postmaster@mail.posthouse.test", "postmaster@localhost",
    '"postmaster"@posthouse.test'])
def test_postmaster(instance, to):
    """RFC 5321 4.5.1: accepted, without a domain and at each of ours."""
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", instance.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        assert s.docmd("MAIL", "FROM:<>")[0] == 250
        assert s.docmd("RCPT", f"TO:<{to}>")[0] == 250
        assert s.data(letter.bytes)[0] == 250
    wait_letter(instance, "alice", letter)
