# SPDX-License-Identifier: ISC
"""Which way mail takes, by the tables and parameters that say so: relay hosts,
fallback relays, transports and what each has of its own; and what the sender
learns where there is no way."""

import email
import smtplib
import socket
import threading
import time

import posthouse as ph
import pytest
import zone
from clients import Letter
from test_servers import arrived, one_by_one, renew, send
from test_servers import world  # noqa: F401 (a fixture)

# hub's MX is not its address.
HUB = "hub MX 10 mx\nhub A {backup}\n"


@pytest.fixture
def hub(world):  # noqa: F811
    world.nsd.set("example.test", world.nsd.zones["example.test"] +
                  HUB.format(backup=world.backup))
    return world


def waits(i, to, text="", status="deferred", dsn=r"4\.\d\.\d"):
    """The log line of a recipient."""
    return i.wait_log(rf"to=<{to}>, .*dsn={dsn}, status={status} \({text}")[0]


# -- relay hosts

@pytest.mark.parametrize("relayhost, by", [
    ("hub.example.test", "mx"),
    ("[hub.example.test]", "backup"),
    ("hub.example.test:{port}", "mx"),
    ("[hub.example.test]:{port}", "backup"),
    ("[{backup}]:{port}", "backup"),
    ("[{backup}]", "backup"),
    ("[{dead}]:{port}, [hub.example.test]:{port}", "backup"),
])
def test_relayhost(hub, relayhost, by):
    servers = {"mx": hub.serve(), "backup": hub.serve(hub.backup)}
    dead = "127.255.255.254"
    i = hub.make(relayhost=relayhost.format(port=hub.port, dead=dead,
                                            backup=hub.backup))
    # The domain itself is not looked up.
    arrived(servers.pop(by), send(i, "someone@no.such.domain.test"))
    assert not any(s.connections for s in servers.values())


@pytest.mark.dev
def test_relayhost_is_for_others_only(hub):
    """Neither for what is ours, nor where transport_maps knows better; a
    relay domain goes there as well."""
    relay, other = hub.serve(), hub.serve(hub.backup)
    i = hub.make(relayhost=f"[{hub.mx}]", relay_domains="relay.test",
                 transport_maps=f"inline:{{ known.test=smtp:[{hub.backup}], "
                 "itself.example.test=smtp: }")
    letter = send(i, i.address("alice"), "a@known.test", "b@relay.test")
    assert arrived(other, letter)[1] == ["a@known.test"]
    assert arrived(relay, letter)[1] == ["b@relay.test"]
    i.mailbox("alice").wait(1)


def test_sender_dependent(hub):
    """By address, by domain, DUNNO, and the null sender's key."""
    one, two = hub.serve(), hub.serve(hub.backup)
    i = hub.make(
        relayhost=f"[{hub.backup}]",
        sender_dependent_relayhost_maps="inline:{ "
        f"a@posthouse.test=[{hub.mx}], @posthouse.test=DUNNO, "
        f"@other.test=[{hub.mx}]:{hub.port}, <>=[{hub.mx}] }}")
    for sender, server in (("a@posthouse.test", one),
                           ("b@posthouse.test", two),
                           ("x@other.test", one), ("", one),
                           ("y@third.test", two)):
        letter = Letter()
        with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
            s.ehlo("client.example.com")
            s.sendmail(sender, ["to@elsewhere.test"], letter.bytes)
        assert arrived(server, letter)[0] == sender


def test_sender_dependent_transport(hub):
    """A transport and its nexthop by the sender: it counts before relayhost,
    and transport_maps before both."""
    one, two = hub.serve(), hub.serve(hub.backup)
    i = hub.make(
        relayhost=f"[{hub.backup}]", transports="marked",
        marked_transport="smtp", marked_helo_name="marked.example.com",
        transport_maps=f"inline:{{ table.test=smtp:[{hub.backup}] }}",
        sender_dependent_default_transport_maps="inline:{ "
        f"@posthouse.test=marked:[{hub.mx}] }}")
    for sender, to, server in (
            ("a@posthouse.test", "x@elsewhere.test", one),
            ("a@posthouse.test", "x@table.test", two),
            ("a@third.test", "x@elsewhere.test", two)):
        letter = Letter()
        with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
            s.ehlo("client.example.com")
            s.sendmail(sender, [to], letter.bytes)
        arrived(server, letter)
    assert "EHLO marked.example.com" in one.lines
    assert "EHLO marked.example.com" not in two.lines


# -- fallback relays

@pytest.mark.dev
def test_fallback_relay(hub):
    """Where nobody answers, where the DNS does not, where there is no such
    domain (postconf(5)); what a server refuses for good is refused."""
    fallback = hub.serve(hub.backup)
    i = hub.make(smtp_fallback_relay=f"[{hub.backup}]:{hub.port}")
    for domain in ("alone.example.test", "no.such.domain.test"):
        arrived(fallback, send(i, f"someone@{domain}"))
    hub.serve(replies={"RCPT": "550 5.1.1 unknown"})
    send(i, "refused@alone.example.test")
    waits(i, "refused@alone.example.test", "host .* said: 550", "bounced",
          r"5\.1\.1")
    assert not any("refused@" in l for l in fallback.lines)


def test_fallback_relay_when_put_off(hub):
    """A server that takes one recipient and not the other for now: the
    fallback gets the other."""
    fallback = hub.serve(hub.backup)
    best = hub.serve(replies={
        "RCPT": lambda s, l: "450 4.2.0 later" if "later@" in l else None})
    i = hub.make(smtp_fallback_relay=f"[{hub.backup}]")
    letter = send(i, "now@alone.example.test", "later@alone.example.test")
    assert arrived(best, letter)[1] == ["now@alone.example.test"]
    assert arrived(fallback, letter)[1] == ["later@alone.example.test"]


@pytest.mark.parametrize("domain, dsn, text", [
    ("selfonly", r"5\.4\.6",
     "mail for selfonly.example.test loops back to myself"),
    ("loop", r"4\.4\.1", "connect to backup.example.test"),
    ("null", r"5\.1\.10",
     r"Domain null.example.test does not accept mail \(nullMX\)"),
])
def test_no_fallback_relay(world, domain, dsn, text):  # noqa: F811
    """For a domain whose MX we are, or that wants no mail: the fallback relay
    would only send it back."""
    i = world.make(start=False)
    fallback = world.serve("127.0.0.2", ph.free_ports(1)[0])
    i.set(smtp_tcp_port=str(i.smtp_port),
          smtp_fallback_relay=f"[127.0.0.2]:{fallback.port}")
    i.start()
    send(i, f"someone@{domain}.example.test")
    waits(i, f"someone@{domain}.example.test", text,
          "bounced" if dsn[0] == "5" else "deferred", dsn)
    assert not any("RCPT TO:<someone@" in l for l in fallback.lines)


# -- transports that are none

@pytest.mark.dev
def test_transports_of_the_house(world):  # noqa: F811
    """error:, retry:, discard:, with a status of their own or without."""
    i = world.make(transport_maps="inline:{ "
                   "{ never.test = error:5.7.1 no mail for them }, "
                   "{ never2.test = error:gone fishing }, "
                   "{ later.test = retry:4.7.1 their host is moved }, "
                   "{ later2.test = retry:too early }, "
                   "{ thrown.test = discard:silently } }",
                   virtual_alias_maps="inline:{ "
                   "{ all@posthouse.test = a@never.test, a@never2.test, "
                   "a@later.test, a@later2.test, a@thrown.test } }")
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.sendmail(i.address("alice"), ["all@posthouse.test"], letter.bytes)
        # A stranger learns it at once.
        s.mail("x@example.com")
        assert s.rcpt("x@never.test") == (550, b"5.7.1 <x@never.test>: "
                                          b"Recipient address rejected: "
                                          b"no mail for them")
    waits(i, "a@never.test", r"no mail for them\)", "bounced", r"5\.7\.1")
    waits(i, "a@never2.test", r"gone fishing\)", "bounced", r"5\.\d\.\d")
    waits(i, "a@later.test", r"their host is moved\)", dsn=r"4\.7\.1")
    waits(i, "a@later2.test", r"too early\)", dsn=r"4\.3\.0")
    waits(i, "a@thrown.test", "", "sent", r"2\.0\.0")
    status = delivery_status(i, "alice", letter)
    assert status["a@never.test"]["Status"] == "5.7.1"
    assert "no mail for them" in status["a@never.test"]["Diagnostic-Code"]
    assert "a@thrown.test" not in status and "a@later.test" not in status


def test_soft_bounce(world):  # noqa: F811
    """Neither what the DNS says nor what a table says fails for good."""
    i = world.make(soft_bounce="yes", virtual_alias_maps="inline:{ "
                   "{ all@posthouse.test = a@null.example.test, "
                   "a@no.such.test, a@never.test } }",
                   transport_maps="inline:{ { never.test = error:5.7.1 no } }")
    send(i, "all@posthouse.test")
    waits(i, "a@null.example.test", "Domain", "SOFTBOUNCE", r"4\.1\.10")
    waits(i, "a@no.such.test", "Host or domain", "SOFTBOUNCE", r"4\.4\.4")
    waits(i, "a@never.test", "no", "SOFTBOUNCE", r"4\.7\.1")
    assert "status=bounced" not in i.log_text()


# -- what the sender learns

def blocks(i, user, letter):
    """(recipient, fields) of all reports about this letter."""
    for raw in i.mailbox(user).messages():
        if letter.mark.encode() not in raw:
            continue
        m = email.message_from_bytes(raw)
        if m.get_content_type() != "multipart/report":
            continue
        for block in m.get_payload(1).get_payload()[1:]:
            yield block["Final-Recipient"].split("; ")[1], block


def delivery_status(i, user, letter, n=1):
    """{recipient: fields} of the reports about this letter."""
    def look():
        found = dict(blocks(i, user, letter))
        return len(found) >= n and found
    return ph.wait_for(look, f"reports on {n} recipients")


def test_reports_of_domains_without_servers(world):  # noqa: F811
    i = world.make(start=False)
    i.set(smtp_tcp_port=str(i.smtp_port))
    i.start()
    want = {
        "a@null.example.test": ("5.1.10", "Domain null.example.test does not "
                                "accept mail (nullMX)"),
        "a@no.such.example.test": ("5.4.4", "Name service error for "
                                   "name=no.such.example.test type=MX: Host "
                                   "not found"),
        "a@noaddress.example.test": ("5.4.4", "name=nothing.example.test"),
        "a@selfonly.example.test": ("5.4.6", "mail for selfonly.example.test "
                                    "loops back to myself"),
    }
    letter = Letter()
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.sendmail(i.address("alice"), list(want), letter.bytes)
    status = delivery_status(i, "alice", letter, len(want))
    for to, (dsn, text) in want.items():
        assert status[to]["Action"] == "failed"
        assert status[to]["Status"] == dsn
        words = " ".join(status[to]["Diagnostic-Code"].split())
        assert words.startswith("X-Posthouse; ") and text in words, words
        assert status[to]["Remote-MTA"] is None


@pytest.mark.parametrize("answer", [
    zone.failing(zone.SERVFAIL), zone.silence, zone.lame,
], ids=["servfail", "timeout", "lame"])
def test_reports_of_a_dead_dns(make_instance, answer):
    """Late, and after a while returned, with what was the matter."""
    bad = zone.BadServer(answer)
    try:
        i = make_instance(dns_servers=bad.address, dns_timeout="1s",
                          minimal_backoff_time="1s", maximal_backoff_time="1s",
                          delay_warning_time="1s",
                          maximal_queue_lifetime="5s")
        letter = Letter()
        with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
            s.ehlo("client.example.com")
            s.sendmail(i.address("alice"), ["a@example.org"], letter.bytes)

        def report(action):
            return ph.wait_for(
                lambda: next((fields for _, fields in blocks(
                    i, "alice", letter) if fields["Action"] == action), None),
                f"a report: {action}", 60)
        for action in ("delayed", "failed"):
            block = report(action)
            assert block["Status"] == "4.4.3", block.as_string()
            assert "Host not found, try again" in " ".join(
                block["Diagnostic-Code"].split())
        i.wait_log("status=expired, returned to sender")
    finally:
        bad.stop()


# -- several addresses

def test_addresses_of_one_host(hub):
    """The next address of the host, then the next host; no more than
    smtp_mx_address_limit."""
    dead = [f"127.255.{n}.254" for n in range(1, 9)]
    hub.nsd.set("example.test", hub.nsd.zones["example.test"] +
                "many MX 10 hosts\nmany MX 20 last\n" +
                f"last A {hub.backup}\n" +
                "".join(f"hosts A {d}\n" for d in dead[:3]) +
                "more MX 10 eight\nmore MX 20 last\n" +
                "".join(f"eight A {d}\n" for d in dead))
    last = hub.serve(hub.backup)
    i = hub.make()
    arrived(last, send(i, "someone@many.example.test"))
    for d in dead[:3]:
        i.wait_log(rf"connect to hosts.example.test\[{d}\]:{hub.port}: "
                   "Connection refused")
    send(i, "someone@more.example.test")
    waits(i, "someone@more.example.test", "connect to eight.example.test")
    assert len({l for l in i.log_text().splitlines()
                if ": connect to eight.example.test[" in l and "to=" not in l
                }) <= 5


def test_both_protocols(hub):
    """::1 and an IPv4 address of one host; each is tried where the other is
    dead, and smtp_address_preference says which is first."""
    hub.nsd.set("example.test", hub.nsd.zones["example.test"] +
                f"dual A {hub.mx}\ndual AAAA ::1\n")
    four = hub.serve()
    i = hub.make(smtp_address_preference="ipv6",
                 smtp_connection_cache_on_demand="no")
    arrived(four, send(i, "someone@dual.example.test"))
    i.wait_log(rf"connect to dual.example.test\[::1\]:{hub.port}: "
               "Connection refused")
    six = hub.serve("::1")
    arrived(six, send(i, "someone@dual.example.test"))
    i.set(inet_protocols="ipv4")
    renew(i)
    arrived(four, send(i, "someone@dual.example.test"))
    i.set(inet_protocols="ipv6", smtp_bind_address6="::1")
    renew(i)
    arrived(six, send(i, "someone@dual.example.test"))
    assert six.clients[-1][0] == "::1"
    arrived(six, send(i, "someone@[IPv6:::1]"))


# -- named transports

class Slow:
    """How many texts were on their way at the same time.  The first waits so
    long for a second one."""

    def __init__(self, seconds):
        self.now = self.most = 0
        self.second, self.seconds = threading.Event(), seconds

    def __call__(self, server, line):
        self.now += 1
        self.most = max(self.most, self.now)
        if self.most > 1:
            self.second.set()
        self.second.wait(self.seconds)
        self.now -= 1


def test_named_transport_concurrency(hub):
    """slow_destination_concurrency_limit holds for slow alone."""
    slow, quick = Slow(0.3), Slow(20)
    one = hub.serve(replies={".": slow})
    two = hub.serve(hub.backup, replies={".": quick})
    i = hub.make(transports="slow", slow_transport="smtp",
                 slow_destination_concurrency_limit="1",
                 slow_helo_name="slow.example.com",
                 transport_maps=f"inline:{{ slow.test=slow:[{hub.mx}], "
                 f"quick.test=smtp:[{hub.backup}] }}")
    for n in range(8):
        send(i, f"to{n}@slow.test", f"to{n}@quick.test")
    ph.wait_for(lambda: len(one.mails) == len(two.mails) == 8, "16 letters")
    assert slow.most == 1
    assert quick.most > 1
    assert "EHLO slow.example.com" in one.lines
    assert "EHLO mail.posthouse.test" in two.lines


class Deaf:
    """A port whose SYNs are dropped: nobody accepts, and the queue is full."""

    def __init__(self, host):
        self.s = socket.socket()
        self.s.bind((host, 0))
        self.s.listen(0)
        self.port = self.s.getsockname()[1]
        self.fill = []
        for _ in range(3):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex((host, self.port))
            self.fill.append(c)

    def close(self):
        for c in [self.s, *self.fill]:
            c.close()


def test_named_transport_connect_timeout(hub):
    deaf = Deaf(hub.mx)
    try:
        i = hub.make(transports="slow", slow_transport="smtp",
                     smtp_connect_timeout="300s", slow_connect_timeout="2s",
                     smtp_connect_ports=str(deaf.port),
                     transport_maps="inline:{ "
                     f"slow.test=slow:[{hub.mx}]:{deaf.port}, "
                     f"quick.test=smtp:[{hub.mx}]:{deaf.port} }}")
        begin = time.monotonic()
        send(i, "a@slow.test", "a@quick.test")
        waits(i, "a@slow.test", r"connect to \S+: Connection timed out")
        assert time.monotonic() - begin > 1.9
        time.sleep(2)
        assert "to=<a@quick.test>" not in i.log_text()
    finally:
        deaf.close()


# -- connections that are kept

def test_connection_is_used_so_often(hub):
    server = hub.serve()
    i = hub.make(smtp_connection_reuse_count_limit="3",
                 smtp_connection_cache_time_limit="20s")
    one_by_one(server, i, 9)
    assert server.connections == 3


def test_connection_is_used_so_long(hub):
    server = hub.serve()
    i = hub.make(smtp_connection_reuse_time_limit="3s",
                 smtp_connection_cache_time_limit="20s")
    begin, n = time.monotonic(), 0
    while server.connections < 3:
        one_by_one(server, i, 1)
        n += 1
        time.sleep(0.2)
    assert time.monotonic() - begin > 5.5
    assert n > 3


@pytest.mark.parametrize("destinations, few", [
    ("", False), ("other.test", False), ("example.test", True)])
def test_connections_by_destination(hub, destinations, few):
    server = hub.serve()
    i = hub.make(smtp_connection_cache_on_demand="no",
                 smtp_connection_cache_time_limit="20s",
                 smtp_connection_cache_destinations=destinations)
    one_by_one(server, i, 5)
    assert server.connections == (1 if few else 5)
