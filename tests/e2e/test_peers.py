# SPDX-License-Identifier: ISC
"""Mail that leaves: through the MX records of a zone to port 25 of Postfix,
Exim, OpenSMTPD and aiosmtpd."""

import email.policy
import re
import smtplib

import pytest

import mtas
import posthouse as ph
import zone
from clients import SENDER, Letter


@pytest.fixture(scope="module")
def world(make_module_instance, request):
    """A house with alice and bob, the peers, and the zone that names them."""
    i = make_module_instance(start=False)
    # What Postfix has to say of a letter comes back here.
    more = f"relayhost = [127.0.0.1]:{i.smtp_port}"
    peers = [mtas.Postfix(i.dir, more=more), mtas.Exim(i.dir),
             mtas.OpenSMTPD(i.dir), mtas.Aiosmtpd()]
    dead = mtas.loopback_address()
    records = [f"dead MX 10 mx.dead\nmx.dead A {dead}\n"]
    for p in peers:
        records.append(f"{p.name} MX 10 mx.{p.name}\n"
                       f"mx.{p.name} A {p.host}\n")
    records.append("second MX 10 mx.dead\nsecond MX 20 mx.postfix\n")
    nsd = zone.Nsd(i.dir / "nsd", {"example.com": "".join(records)}).start()
    i.set(dns_servers=nsd.address, minimal_backoff_time="1s")
    i.start()
    i.peers = {p.name: p for p in peers}
    i.nsd, i.dead, i.records = nsd, dead, "".join(records)
    yield i
    nsd.stop()
    for p in peers:
        p.stop()


NAMES = ("postfix", "exim", "opensmtpd", "aiosmtpd")


def send(i, letter, to, sender=SENDER, options=(), rcpt_options=()):
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        refused = s.sendmail(sender, to, letter.bytes, options, rcpt_options)
    assert not refused


def came(peer, letter, seconds=60):
    """The letter as the peer has it, its body unchanged."""
    def look():
        return next((raw for raw in peer.letters() if letter.is_in(raw)), None)
    return ph.wait_for(look, f"the letter at {peer.name}", seconds)


def outcome(i, address, status):
    """The log line of this recipient."""
    i.wait_log(rf"to=<{re.escape(address)}>.* status={status}")
    return next(l for l in i.log_text().splitlines()
                if f"to=<{address}>" in l and f"status={status}" in l)


def report_to(i, user, letter):
    """The report about this letter in a user's mailbox, parsed."""
    def look():
        for raw in i.mailbox(user).messages():
            if letter.mark.encode() in raw and b"multipart/report" in raw:
                return email.message_from_bytes(
                    raw, policy=email.policy.default)
        return None
    return ph.wait_for(look, f"a report for {user}")


def statuses(report):
    """The blocks of message/delivery-status: the message's, then one a
    recipient."""
    part = next(p for p in report.walk()
                if p.get_content_type() in ("message/delivery-status",
                                            "message/global-delivery-status"))
    blocks = part.get_payload()
    if len(blocks) == 1:
        # The parser does not know message/global-delivery-status: the first
        # block is a header to it, the others text.
        blocks += [email.message_from_string(b, policy=email.policy.default)
                   for b in blocks[0].get_payload().split("\n\n") if b.strip()]
    return blocks


# -- plain letters

@pytest.mark.parametrize("name", NAMES)
def test_small(world, name):
    p = world.peers[name]
    letter = Letter("One line.\r\n.\r\n..two dots\r\n\r\n")
    send(world, letter, [f"small@{p.domain}"])
    raw = came(p, letter)
    line = outcome(world, f"small@{p.domain}", "sent")
    assert f"relay=mx.{p.domain}[{p.host}]:25" in line
    assert "dsn=2." in line
    assert b"Received: from client.example.com" in raw


@pytest.mark.parametrize("name", NAMES)
def test_large(world, name):
    p = world.peers[name]
    lines = [f"{n} " + "." * (n % 70) + "\r\n" + "." * (n % 5) + "\r\n"
             for n in range(20000)]
    letter = Letter("".join(lines))
    send(world, letter, [f"large@{p.domain}"])
    came(p, letter, 40)


@pytest.mark.parametrize("name", NAMES)
def test_eight_bits(world, name):
    p = world.peers[name]
    body = "Grüße aus Köln, 10 €\r\n".encode()
    letter = Letter(body, [("MIME-Version", "1.0"),
                           ("Content-Type", "text/plain; charset=utf-8"),
                           ("Content-Transfer-Encoding", "8bit")])
    send(world, letter, [f"bits@{p.domain}"], options=["BODY=8BITMIME"])
    came(p, letter)


def test_many_recipients(world):
    """One transaction for all of them."""
    p = world.peers["postfix"]
    to = [f"many{n}@{p.domain}" for n in range(40)]
    letter = Letter()
    send(world, letter, to)
    for a in to:
        outcome(world, a, "sent")
    ids = {re.search(r"queued as (\w+)", outcome(world, a, "sent"))[1]
           for a in to}
    assert len(ids) == 1


def test_to_all_at_once(world):
    letter = Letter()
    send(world, letter, [f"all@{p.domain}" for p in world.peers.values()])
    for p in world.peers.values():
        came(p, letter)


# -- what the others offer

@pytest.mark.parametrize("name", ("postfix", "exim", "aiosmtpd"))
def test_tls_when_offered(world, name):
    p = world.peers[name]
    letter = Letter()
    send(world, letter, [f"tls@{p.domain}"])
    raw = came(p, letter)
    if name == "aiosmtpd":
        assert all(e.tls for e in p.received)
    else:
        assert b"TLS" in raw.partition(b"\n\n")[0]
    world.wait_log(rf"TLS connection established to mx\.{p.domain}\["
                   rf"{re.escape(p.host)}\]:25: TLSv1\.3 with cipher")


def test_plain_when_tls_fails(world):
    """OpenSMTPD offers STARTTLS and cannot serve it."""
    p = world.peers["opensmtpd"]
    letter = Letter()
    send(world, letter, [f"plain@{p.domain}"])
    came(p, letter)
    assert "status=bounced" not in outcome(world, f"plain@{p.domain}", "sent")


def test_chunking(world):
    """Exim says in its log how a letter came."""
    p = world.peers["exim"]
    letter = Letter("chunk\r\n" * 3000)
    send(world, letter, [f"chunk@{p.domain}"])
    came(p, letter)
    line = next(l for l in p.log().splitlines() if letter.mark in l)
    assert re.search(r"\bK\b", line), line


@pytest.mark.parametrize("name", ("postfix", "exim", "aiosmtpd"))
def test_smtputf8(world, name):
    p = world.peers[name]
    letter = Letter(headers=[("X-Name", "Jürgen")])
    send(world, letter, [f"jürgen@{p.domain}"],
         options=["SMTPUTF8", "BODY=8BITMIME"])
    raw = came(p, letter)
    assert "X-Name: Jürgen".encode() in raw


def test_smtputf8_not_offered(world):
    p = world.peers["opensmtpd"]
    letter = Letter(headers=[("X-Name", "Jürgen")])
    send(world, letter, [f"jürgen@{p.domain}"], world.address("alice"),
         options=["SMTPUTF8", "BODY=8BITMIME"])
    report = report_to(world, "alice", letter)
    assert "mx.opensmtpd.example.com" in report.as_string()
    assert statuses(report)[1]["Status"] == "5.6.7"


class SevenBits:
    """An aiosmtpd that does not offer 8BITMIME or SMTPUTF8."""

    def __init__(self):
        self.received = []

    async def handle_EHLO(self, server, session, envelope, name, responses):
        session.host_name = name
        return [r for r in responses
                if "8BITMIME" not in r and "SMTPUTF8" not in r]

    async def handle_DATA(self, server, session, envelope):
        self.received.append(envelope.content)
        return "250 2.0.0 taken"


def test_eight_bits_not_offered(world):
    handler = SevenBits()
    p = mtas.Aiosmtpd(handler=handler)
    world.nsd.set("example.com", world.records +
                  f"seven MX 10 mx.seven\nmx.seven A {p.host}\n")
    text = "Grüße = 10 € \r\n-- \r\nKöln\r\n"
    letter = Letter(text.encode(),
                    [("MIME-Version", "1.0"),
                     ("Content-Type", "text/plain; charset=utf-8"),
                     ("Content-Transfer-Encoding", "8bit")])
    try:
        send(world, letter, ["x@seven.example.com"],
             options=["BODY=8BITMIME"])
        raw = ph.wait_for(lambda: handler.received, "the letter")[0]
    finally:
        p.stop()
        world.nsd.set("example.com", world.records)
    assert max(raw) < 128
    m = email.message_from_bytes(raw, policy=email.policy.default)
    assert m["Content-Transfer-Encoding"] == "quoted-printable"
    assert m.get_content().replace("\r\n", "\n") == text.replace("\r\n", "\n")


def test_notify_is_passed_on(world):
    """Postfix takes NOTIFY, RET, ENVID and ORCPT, and reports by itself."""
    p = world.peers["postfix"]
    letter = Letter()
    send(world, letter, [f"dsn@{p.domain}"], world.address("bob"),
         options=["RET=HDRS", "ENVID=env+2Bid"],
         rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;orig@example.org"])
    came(p, letter)
    status = statuses(report_to(world, "bob", letter))
    assert status[0]["Reporting-MTA"] == f"dns; mx.{p.domain}"
    assert status[0]["Original-Envelope-Id"] == "env+id"
    assert status[1]["Original-Recipient"] == "rfc822;orig@example.org"
    assert status[1]["Action"] == "delivered"


def test_notify_is_not_passed_on(world):
    """aiosmtpd does not: the report says that it was relayed."""
    p = world.peers["aiosmtpd"]
    letter = Letter()
    send(world, letter, [f"dsn@{p.domain}"], world.address("bob"),
         rcpt_options=["NOTIFY=SUCCESS"])
    came(p, letter)
    status = statuses(report_to(world, "bob", letter))
    assert status[1]["Action"] == "relayed"
    assert status[1]["Remote-MTA"] == f"dns; mx.{p.domain}"


# -- servers that are away

def test_refused_recipient(world):
    """One of two recipients is refused by the peer."""
    class Picky(SevenBits):
        async def handle_RCPT(self, server, session, envelope, address,
                              options):
            if address.startswith("no"):
                return "550 5.1.1 no such user here"
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 fine"

    handler = Picky()
    p = mtas.Aiosmtpd(handler=handler)
    world.nsd.set("example.com", world.records +
                  f"picky MX 10 mx.picky\nmx.picky A {p.host}\n")
    letter = Letter()
    try:
        send(world, letter, ["no@picky.example.com", "yes@picky.example.com"],
             world.address("alice"))
        outcome(world, "yes@picky.example.com", "sent")
        line = outcome(world, "no@picky.example.com", "bounced")
        assert f"host mx.picky.example.com[{p.host}] said: 550 5.1.1 no such " \
            "user here (in reply to RCPT TO command)" in line
    finally:
        p.stop()
        world.nsd.set("example.com", world.records)
    status = statuses(report_to(world, "alice", letter))
    assert len(status) == 2
    assert status[1]["Final-Recipient"] == "rfc822; no@picky.example.com"
    assert status[1]["Action"] == "failed"
    assert status[1]["Status"] == "5.1.1"
    assert status[1]["Diagnostic-Code"].startswith("smtp; 550 5.1.1")


def test_next_mx(world):
    letter = Letter()
    p = world.peers["postfix"]
    # second.example.com is not Postfix's: it says so, and that is an answer.
    send(world, letter, ["x@second.example.com"], world.address("alice"))
    line = outcome(world, "x@second.example.com", "bounced")
    assert f"relay=mx.{p.domain}[{p.host}]:25" in line
    report_to(world, "alice", letter)


def test_away_and_back(world):
    """Nobody listens: the letter waits, and leaves when somebody does."""
    letter = Letter()
    send(world, letter, ["x@dead.example.com"])
    line = outcome(world, "x@dead.example.com", "deferred")
    assert f"connect to mx.dead.example.com[{world.dead}]:25: Connection " \
        "refused" in line
    assert "dsn=4.4.1" in line
    listed = world.posthouse("queue", "list").stdout
    assert "x@dead.example.com" in listed and "Connection refused" in listed
    p = mtas.Aiosmtpd(host=world.dead)
    try:
        world.posthouse("queue", "flush", "ALL")
        came(p, letter, 60)
    finally:
        p.stop()
    outcome(world, "x@dead.example.com", "sent")
