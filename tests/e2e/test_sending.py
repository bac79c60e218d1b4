# SPDX-License-Identifier: ISC
"""Mail for several sites at once, as its administrator sees it: what goes
where and how quickly, what waits for whom, what the log adds up to."""

import json
import re
import smtplib
import time

import posthouse as ph
import pytest
from clients import Letter
from mtas import loopback_address
from mx import Mx
from test_logs import pflogsumm, totals
from test_servers import renew

ALICE = f"alice@{ph.DOMAIN}"


@pytest.fixture
def make(make_instance):
    """make(**parameters): an instance to whose mail for NAME.test the server
    NAME listens, on a port of its own."""
    servers = {}

    def make(names, replies=None, **more):
        (port,) = ph.free_ports(1)
        for name in names:
            servers[name] = Mx(loopback_address(port), port,
                               replies=(replies or {}).get(name)).start()
        table = ", ".join(f"{n}.test={more.pop(n, 'smtp')}:[{s.host}]"
                          for n, s in servers.items())
        return make_instance(**{
            "transport_maps": f"inline:{{ {table} }}",
            "smtp_tcp_port": str(port), "smtp_tls_security_level": "none",
            "minimal_backoff_time": "300s", **more}), servers
    yield make
    for s in servers.values():
        s.stop()


def send(i, *to, sender=ALICE, options=(), letter=None):
    letter = letter or Letter()
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=60) as s:
        s.ehlo("client.example.com")
        assert not s.sendmail(sender, to, letter.bytes, options)
    return letter


# -- what goes where

def test_each_site_has_its_own(make):
    """One message, three sites: one is dead, one refuses, one takes it; the
    others do not wait for the dead one."""
    i, servers = make(("good", "bad", "dead"),
                      {"bad": {"RCPT": "550 5.1.1 unknown"}})
    servers["dead"].stop()
    letter = send(i, *(f"{n}@{s}.test" for s in servers for n in "ab"))
    mail = ph.wait_for(lambda: servers["good"].mails, "the letter")[0]
    assert mail[1] == ["a@good.test", "b@good.test"]
    i.wait_log(r"to=<b@good\.test>.*status=sent")
    i.wait_log(r"to=<b@bad\.test>.*status=bounced")
    i.wait_log(r"to=<b@dead\.test>.*status=deferred")
    ph.wait_for(lambda: [m for m in i.mailbox("alice").messages()
                         if letter.mark.encode() in m], "a report")
    shown = i.posthouse("queue", "list").stdout
    assert "a@dead.test" in shown and "b@dead.test" in shown
    assert "bad.test" not in shown and "good.test" not in shown


def test_recipients_at_a_time(make):
    """A message for many is cut in pieces, by each transport's own limit."""
    i, servers = make(("few", "many"), transports="sparse", few="sparse",
                      sparse_transport="smtp",
                      sparse_destination_recipient_limit="3",
                      default_destination_recipient_limit="50")
    send(i, *(f"r{n}@{s}.test" for s in servers for n in range(20)))
    for name, sizes in (("few", [2, 3, 3, 3, 3, 3, 3]), ("many", [20])):
        server = servers[name]
        ph.wait_for(lambda: sum(len(m[1]) for m in server.mails) == 20,
                    "all recipients")
        assert sorted(len(m[1]) for m in server.mails) == sizes
        assert len({r for m in server.mails for r in m[1]}) == 20


def test_rate_delay(make):
    i, servers = make(("slow", "quick"), transports="crawl", slow="crawl",
                      crawl_transport="smtp",
                      crawl_destination_rate_delay="2s")
    begin = time.monotonic()
    for n in range(4):
        send(i, f"r{n}@slow.test", f"r{n}@quick.test")
    ph.wait_for(lambda: len(servers["quick"].mails) == 4, "the quick ones")
    assert len(servers["slow"].mails) < 4
    ph.wait_for(lambda: len(servers["slow"].mails) == 4, "the slow ones")
    assert time.monotonic() - begin > 5.9


# -- what waits

def queued(i, *selection):
    out = i.posthouse("queue", "list", "--json", *selection).stdout
    return sorted(r["address"] for line in out.splitlines()
                  for r in json.loads(line)["recipients"])


def test_selections_by_site(make):
    i, servers = make(("one", "two", "three"))
    hosts = {n: s.host for n, s in servers.items()}
    for s in servers.values():
        s.stop()
    for n in ("one", "two", "three"):
        send(i, f"a@{n}.test")
        send(i, f"b@{n}.test")
    ph.wait_for(lambda: len(queued(i, "--state", "deferred")) == 6,
                "six deferred messages")
    assert queued(i, "--site", "one.test") == ["a@one.test", "b@one.test"]
    # By the name of the next hop as well, with its transport or without.
    for site in (f"[{hosts['two']}]", f"smtp:[{hosts['two']}]"):
        assert queued(i, "--site", site) == ["a@two.test", "b@two.test"]
    assert queued(i, "--site", "relay:" + f"[{hosts['two']}]") == []
    assert i.posthouse("queue", "hold", "--site", "three.test").stdout == \
        "2 messages held\n"
    assert i.posthouse("queue", "delete", "--site", "three.test", "--to",
                       "a@three.test").stdout == "1 message deleted\n"
    # Only that site is tried now.
    servers["one"].start()
    servers["two"].start()
    i.posthouse("queue", "flush", "--site", "one.test")
    ph.wait_for(lambda: len(servers["one"].mails) == 2, "site one")
    ph.wait_for(lambda: queued(i) == ["a@two.test", "b@three.test",
                                      "b@two.test"], "the queue without them")
    assert not servers["two"].connections
    table = i.posthouse("queue", "stats").stdout
    assert re.search(r"^ +2 .* smtp:\[" + hosts["two"], table, re.M), table
    # What is on hold stays there.
    servers["three"].start()
    i.posthouse("queue", "flush", "ALL")
    ph.wait_for(lambda: len(servers["two"].mails) == 2, "site two")
    assert not servers["three"].mails
    i.posthouse("queue", "release", "--site", "three.test")
    i.posthouse("queue", "flush", "ALL")
    ph.wait_for(lambda: servers["three"].mails, "site three")
    ph.wait_for(lambda: "is empty" in i.posthouse("queue", "list").stdout,
                "an empty queue")


def test_mailq_says_why(make):
    i, servers = make(("dead", "later"), {"later": {
        "RCPT": "450 4.2.1 try again, please"}})
    servers["dead"].stop()
    send(i, "a@dead.test", "a@later.test")
    i.wait_log(r"to=<a@dead\.test>.*status=deferred")
    i.wait_log(r"to=<a@later\.test>.*status=deferred")
    for why in (r"\(connect to .*: Connection refused\)\n +a@dead\.test",
                r"\(host .* said: 450 4\.2\.1 try again, please .*\)\n"
                r" +a@later\.test"):
        ph.wait_for(lambda: re.search(why, ph.run(
            [ph.BIN / "mailq", "-C", i.conf_dir]).stdout), why)


# -- what the log adds up to

def test_pflogsumm(make):
    i, servers = make(("good", "bad", "dead"),
                      {"bad": {"RCPT": "550 5.1.1 unknown"}},
                      syslog_name="postfix")
    servers["dead"].stop()
    for _ in range(3):
        send(i, "a@good.test", "a@bad.test", "a@dead.test")
    ph.wait_for(lambda: i.log_text().count("status=deferred") == 3,
                "the dead ones")
    ph.wait_for(lambda: i.log_text().count("status=sent") == 6,
                "the good ones and the reports")
    i.mailbox("alice").wait(3)      # the reports
    i.wait_log(r"(?s)(removed.*){3}")
    report = pflogsumm(i.dir / "log" / "mail.log")
    sums = totals(report)
    # To three at good, and the reports.
    assert {k: sums[k] for k in ("received", "delivered", "bounced",
                                 "rejected")} == {
        "received": "3", "delivered": "6", "bounced": "3", "rejected": "0"}, \
        report
    assert re.search(r"^ +3 +deferred +\(3 +deferrals\)$", report, re.M), report
    assert "5.1.1 unknown (in reply to RCPT TO command)" in report
    assert "Connection refused" in report
    # By domain: sent count, bytes, defers.
    assert re.search(r"^ +3 +\d+ +0 .* good\.test$", report, re.M), report
    assert re.search(r"^ +0 +0 +3 .* dead\.test$", report, re.M), report


# -- addresses that are not ASCII

def test_domains_that_are_not_ascii(make_instance, make_nsd):
    """They are asked for in the DNS as A-labels and told as they came."""
    with Mx(loopback_address(), extensions=("8BITMIME", "SMTPUTF8")) as utf8, \
            Mx(loopback_address()) as ascii_only:
        nsd = make_nsd({"example.test": (
            f"xn--bcher-kva MX 10 mx\nmx A {utf8.host}\n"
            f"xn--mller-kva MX 10 old\nold A {ascii_only.host}\n")})
        i = make_instance(dns_servers=nsd.address,
                          smtp_tls_security_level="none")

        def said(server):
            return [l for l in server.lines if l.startswith("RCPT")]
        for to in ("k\u00f6ln@b\u00fccher.example.test",
                   "koeln@b\u00fccher.example.test",
                   "koeln@xn--bcher-kva.example.test"):
            send(i, to, options=["SMTPUTF8"] if not to.isascii() else ())
            ph.wait_for(lambda: any(f"<{to}>" in l for l in said(utf8)), to)
            i.wait_log(rf"to=<{to}>, relay=mx\.example\.test\[.*status=sent")
        # An old server behind such a domain.
        send(i, "koeln@xn--mller-kva.example.test")
        ph.wait_for(lambda: ascii_only.mails, "the letter by A-label")
        letter = send(i, "koeln@m\u00fcller.example.test",
                      options=["SMTPUTF8"])
        i.wait_log("to=<koeln@m\u00fcller.example.test>, .*dsn=5.6.7, "
                   "status=bounced .SMTPUTF8 is required, but was not offered "
                   r"by host old\.example\.test")
        raw = ph.wait_for(lambda: [m for m in i.mailbox("alice").messages()
                                   if letter.mark.encode() in m],
                          "a report")[0]
        assert "utf-8; koeln@m\u00fcller.example.test".encode() in raw


# -- loops

def test_two_houses_that_think_it_is_the_other(make_instance):
    """It ends by hopcount_limit, and the sender is told."""
    more = {"hopcount_limit": "10", "smtp_tls_security_level": "none",
            "minimal_backoff_time": "1s"}
    a = make_instance(**more)
    b = make_instance(myhostname="other.posthouse.test",
                      relayhost=f"[127.0.0.1]:{a.smtp_port}", **more)
    a.set(relayhost=f"[127.0.0.1]:{b.smtp_port}")
    renew(a)
    letter = send(a, "nobody@nowhere.test")
    raw = ph.wait_for(lambda: [m for m in a.mailbox("alice").messages() +
                               b.mailbox("alice").messages()
                               if letter.mark.encode() in m], "a report",
                      30)[0]
    assert b"5.4.6" in raw, raw
    for house in (a, b):
        ph.wait_for(lambda: "is empty" in house.posthouse("queue",
                                                          "list").stdout,
                    "an empty queue")
