# SPDX-License-Identifier: ISC
"""Which server mail goes to, and what becomes of it where there is none: MX
records, dead and unwilling hosts, kept connections, LMTP."""

import concurrent.futures
import os
import pathlib
import tempfile
import threading

import posthouse as ph
import pytest
import zone
from clients import SENDER, Letter, send_smtplib
from mtas import loopback_address
from mx import Mx

ZONE = """\
@ MX 20 backup
@ MX 10 mx
mx A {mx}
backup A {backup}
null MX 0 .
noaddress MX 10 nothing
alone A {mx}
cname MX 10 alias
alias CNAME mx
mixed MX 5 .
mixed MX 5 192\\.0\\.2\\.1.
mixed MX 10 mx
loop MX 10 self
loop MX 5 backup
loop MX 20 mx
self A 127.0.0.1
selfonly MX 10 self
six AAAA ::1
both MX 10 mx
both MX 10 backup
"""


@pytest.fixture
def world(make_instance, make_nsd):
    """An instance whose DNS knows example.test, and two addresses with a port
    on which nobody listens yet."""
    class World:
        pass

    w = World()
    w.mx, w.backup = loopback_address(2525), loopback_address(2525)
    w.port = ph.free_ports(1)[0]
    w.nsd = make_nsd({"example.test": ZONE.format(mx=w.mx, backup=w.backup)})

    def make(**more):
        w.i = make_instance(**{
            "dns_servers": w.nsd.address, "dns_timeout": "5s",
            "smtp_tcp_port": str(w.port), "smtp_connect_timeout": "5s",
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
            "smtp_tls_security_level": "none", **more})
        return w.i
    w.make = make
    w.servers = []

    def serve(host=None, port=None, **kw):
        s = Mx(host or w.mx, port or w.port, **kw).start()
        w.servers.append(s)
        return s
    w.serve = serve
    yield w
    for s in w.servers:
        s.stop()


def send(i, *to, **kw):
    letter = Letter(**kw)
    send_smtplib(i, letter, list(to))
    return letter


def renew(i):
    """A reload, and no worker of before it is there any more."""
    old = set(i.pids()["smtp"])
    i.reload()
    ph.wait_for(lambda: (now := set(i.pids().get("smtp", ()))) and
                not now & old, "new workers")


def arrived(server, letter, seconds=60):
    def there():
        return [m for m in server.mails if letter.mark.encode() in m[2]]
    return ph.wait_for(there, "the letter", seconds)[0]


def one_by_one(server, i, n):
    """Letters, each when the connection of the one before is free: when its
    worker has said so."""
    for _ in range(n):
        said = i.log_text().count("status=sent")
        arrived(server, send(i, "someone@example.test"))
        ph.wait_for(lambda: i.log_text().count("status=sent") > said,
                    "the result")


@pytest.mark.dev
def test_best_mx(world):
    best, backup = world.serve(), world.serve(world.backup)
    i = world.make()
    letter = send(i, "someone@example.test")
    sender, rcpts, text = arrived(best, letter)
    assert (sender, rcpts) == (SENDER, ["someone@example.test"])
    assert not backup.connections
    i.wait_log(rf"to=<someone@example.test>, relay=mx\.example\.test"
               rf"\[{world.mx}\]:{world.port}, .*status=sent "
               r"\(250 2.0.0 ok: taken\)")


def test_dead_best_mx(world):
    backup = world.serve(world.backup)
    i = world.make()
    arrived(backup, send(i, "someone@example.test"))
    i.wait_log(rf"connect to mx\.example\.test\[{world.mx}\]:{world.port}: "
               "Connection refused")


def test_all_dead_then_alive(world):
    i = world.make()
    letter = send(i, "someone@example.test")
    i.wait_log(r"status=deferred \(connect to backup\.example\.test"
               rf"\[{world.backup}\]:{world.port}: Connection refused\)")
    arrived(world.serve(), letter)


@pytest.mark.parametrize("where, replies", [
    ("greeting", {"GREETING": "554 5.3.2 go away"}),
    ("greeting421", {"GREETING": "421 4.3.2 closing"}),
    ("ehlo", {"EHLO": "421 4.3.0 closing"}),
    ("mail", {"MAIL": "451 4.3.0 not now"}),
    ("rcpt", {"RCPT": "450 4.2.0 not now"}),
    ("data", {"DATA": "451 4.3.0 not now"}),
    ("text", {".": "451 4.3.0 not now"}),
])
def test_unwilling_best_mx(world, where, replies):
    best, backup = world.serve(replies=replies), world.serve(world.backup)
    i = world.make()
    arrived(backup, send(i, "someone@example.test"))
    assert best.connections == 1


@pytest.mark.dev
def test_recipients_are_settled_one_by_one(world):
    answers = {"gone@example.test": "550 5.1.1 unknown",
               "later@example.test": "450 4.2.0 not now"}

    def rcpt(server, line):
        return answers.get(line[9:line.index(">")])
    best = world.serve(replies={"RCPT": rcpt})
    backup = world.serve(world.backup)
    i = world.make()
    letter = send(i, "here@example.test", "gone@example.test",
                  "later@example.test")
    assert arrived(best, letter)[1] == ["here@example.test"]
    assert arrived(backup, letter)[1] == ["later@example.test"]
    i.wait_log(r"to=<gone@example.test>.*dsn=5.1.1, status=bounced "
               r"\(host mx\.example\.test\[.*\] said: 550 5.1.1 unknown")


WRONG = [
    ("null.example.test", "5.1.10",
     r"Domain null.example.test does not accept mail \(nullMX\)"),
    ("no.such.name.example.test", "5.4.4",
     r"Host or domain name not found. Name service error for "
     r"name=no.such.name.example.test type=MX: Host not found"),
    ("noaddress.example.test", "5.4.4",
     r"Host or domain name not found. Name service error for "
     r"name=nothing.example.test type=A(AAA)?: Host not found"),
    ("selfonly.example.test", "5.4.6",
     "mail for selfonly.example.test loops back to myself"),
]


def test_no_server(world):
    i = world.make(start=False)
    # So that an MX at our own address is our own server.
    i.set(smtp_tcp_port=str(i.smtp_port))
    i.start()
    for domain, dsn, text in WRONG:
        send(i, f"someone@{domain}")
        i.wait_log(rf"to=<someone@{domain}>, relay=none, .*dsn={dsn}, "
                   rf"status=bounced \({text}\)")


def test_own_address_cuts_off(world):
    """RFC 5321 5.1: not the worse ones than ourselves."""
    worse = world.serve()
    i = world.make(start=False)
    i.set(smtp_tcp_port=str(i.smtp_port))
    i.start()
    send(i, "someone@loop.example.test")
    i.wait_log(rf"to=<someone@loop.example.test>.*status=deferred "
               rf"\(connect to backup.example.test\[{world.backup}\]")
    assert not worse.connections


@pytest.mark.parametrize("answer, words", [
    (zone.failing(zone.SERVFAIL), "SERVFAIL"),
    (zone.silence, ""),
    (zone.lame, ""),
])
def test_no_answer_of_the_dns(make_instance, answer, words):
    bad = zone.BadServer(answer)
    try:
        i = make_instance(dns_servers=bad.address, dns_timeout="2s")
        send(i, "someone@example.test")
        i.wait_log(r"to=<someone@example.test>, relay=none, .*dsn=4.4.3, "
                   r"status=deferred \(Host or domain name not found. Name "
                   r"service error for name=example.test type=MX: Host not "
                   rf"found, try again.*{words}")
    finally:
        bad.stop()


@pytest.mark.parametrize("to", [
    "cname.example.test", "alone.example.test", "mixed.example.test",
])
def test_other_records(world, to):
    server = world.serve()
    i = world.make()
    arrived(server, send(i, f"someone@{to}"))


def test_equal_preference_is_shuffled(world):
    a, b = world.serve(), world.serve(world.backup)
    i = world.make(smtp_connection_cache_on_demand="no")
    for _ in range(32):     # all to one: two times in 2**32
        send(i, "someone@both.example.test")
    ph.wait_for(lambda: len(a.mails) + len(b.mails) == 32, "32 letters")
    assert a.connections and b.connections


def test_relayhost_and_fallback(world):
    """[HOST]:PORT is not looked up; nor is mail returned where our own
    relayhost has no address."""
    relay = world.serve(port=ph.free_ports(1)[0])
    i = world.make(relayhost=f"[mx.example.test]:{relay.port}")
    arrived(relay, send(i, "someone@no.such.domain.test"))
    i.set(relayhost="[nothing.example.test]")
    renew(i)
    send(i, "deferred@no.such.domain.test")
    i.wait_log(r"to=<deferred@no.such.domain.test>.*dsn=4.3.5, "
               "status=deferred")
    i.set(relayhost="[mx.example.test]:1",
          smtp_fallback_relay=f"[backup.example.test]:{relay.port}")
    renew(i)
    backup = world.serve(world.backup, relay.port)
    arrived(backup, send(i, "other@no.such.domain.test"))


@pytest.mark.dev
def test_connections_are_kept(world):
    server = world.serve()
    i = world.make(smtp_connection_cache_time_limit="8s")
    one_by_one(server, i, 20)
    assert server.connections == 1
    # Idle ones are closed.
    ph.wait_for(lambda: sum(l == "QUIT" for l in server.lines) ==
                server.connections, "QUIT")


def test_connection_reuse_count(world):
    server = world.serve()
    i = world.make(smtp_connection_reuse_count_limit="1")
    for _ in range(5):
        send(i, "someone@example.test")
    ph.wait_for(lambda: len(server.mails) == 5, "5 letters")
    assert server.connections == 5


def test_server_closes_what_is_kept(world):
    """A second connection, and nothing lost or doubled."""
    i = world.make(smtp_connection_cache_time_limit="10s")
    for _ in range(3):
        server = world.serve()
        letter = send(i, "someone@example.test")
        arrived(server, letter)
        server.stop()
    assert all(len(s.mails) == 1 for s in world.servers)


def test_many_at_once(world):
    server = world.serve()
    i = world.make()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        letters = list(pool.map(
            lambda n: send(i, f"to{n}@example.test"), range(100)))
    ph.wait_for(lambda: len(server.mails) == 100, "100 letters")
    for letter in letters:
        assert sum(letter.mark.encode() in m[2] for m in server.mails) == 1


def test_bind_address(world):
    server = world.serve()
    source = loopback_address()
    i = world.make(smtp_bind_address=source)
    arrived(server, send(i, "someone@example.test"))
    assert server.clients[0][0] == source


def test_literals(world):
    server = world.serve()
    i = world.make()
    arrived(server, send(i, f"someone@[{world.mx}]"))


def test_ipv6(world):
    server = world.serve("::1")
    i = world.make()
    arrived(server, send(i, "someone@six.example.test"))
    i.wait_log(rf"relay=six\.example\.test\[::1\]:{world.port}, ")


@pytest.mark.parametrize("how", ["reload", "stop"])
def test_worker_leaves_while_it_sends(world, how):
    """What is under way is finished, once."""
    go = threading.Event()

    def slow(server, line):
        go.wait(60)
    server = world.serve(replies={".": slow})
    i = world.make()
    letter = send(i, "someone@example.test")
    ph.wait_for(lambda: "DATA" in server.lines, "DATA")
    if how == "reload":
        i.reload()
        # New ones go to the new workers.
        send(i, "someone@alone.example.test")
        ph.wait_for(lambda: server.connections == 2, "a second connection")
        go.set()
    else:
        threading.Timer(1, go.set).start()
        i.stop()
        i.start()
    i.wait_log(r"to=<someone@example.test>.*status=sent")
    assert len([m for m in server.mails if letter.mark.encode() in m[2]]) == 1


def test_kept_connections_end_with_the_worker(world):
    server = world.serve()
    i = world.make(smtp_connection_cache_time_limit="60s")
    arrived(server, send(i, "someone@example.test"))
    i.reload()
    ph.wait_for(lambda: "QUIT" in server.lines, "QUIT")


# -- LMTP

def lmtp_reply(server, line):
    return "452 4.2.2 full" if "full@" in line else None


def test_lmtp_over_tcp(world):
    server = world.serve(port=ph.free_ports(1)[0], lmtp=True)
    i = world.make(
        transport_maps="inline:{ lmtp.test="
        f"lmtp:inet:{world.mx}:{server.port} }}",
        smtp_connect_ports=str(server.port))
    letter = send(i, "a@lmtp.test", "b@lmtp.test")
    assert arrived(server, letter)[1] == ["a@lmtp.test", "b@lmtp.test"]
    assert any(l.startswith("LHLO ") for l in server.lines)


@pytest.mark.dev
@pytest.fixture
def open_dir():
    """A directory that every process can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        os.chmod(d, 0o755)
        yield pathlib.Path(d)


def test_lmtp_over_a_local_socket(world, open_dir):
    path = open_dir / "lmtp"
    replies = {".": lambda s, rcpt: "452 4.2.2 full"
               if rcpt.startswith("full@") else None}
    server = world.serve(path=path, lmtp=True, replies=replies)
    i = world.make(
        transport_maps=f"inline:{{ lmtp.test=lmtp:unix:{path} }}",
        dialer_sockets=str(path))
    letter = send(i, "a@lmtp.test", "full@lmtp.test")
    arrived(server, letter)
    i.wait_log(r"to=<a@lmtp.test>, relay=mail.posthouse.test"
               rf"\[{path}\], .*status=sent")
    i.wait_log(r"to=<full@lmtp.test>.*dsn=4.2.2, status=deferred")


def test_lmtp_to_a_socket_that_is_not_listed(world):
    i = world.make(
        transport_maps="inline:{ lmtp.test=lmtp:unix:/run/other }",
        dialer_sockets="/run/posthouse-test-nobody")
    send(i, "a@lmtp.test")
    i.wait_log(r"to=<a@lmtp.test>.*status=deferred \(connect to "
               r"mail.posthouse.test\[/run/other\]: not among dialer_sockets")
