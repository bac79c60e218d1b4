# SPDX-License-Identifier: ISC
"""dnsd as `posthouse dns` shows it: what is true, what is not there, and what
nobody knows now."""

import concurrent.futures
import os
import re
import signal
import threading
import time

import posthouse
import pytest
import zone

FOUND, ABSENT, BAD, TEMP = 0, 1, 65, 75

ZONE = """\
@ MX 20 backup
@ MX 10 mx
@ TXT "one" "two \\"quoted\\""
mx A 192.0.2.1
mx AAAA 2001:db8::1
backup A 192.0.2.2
null MX 0 .
alias CNAME mx
far CNAME elsewhere.example.
dangling CNAME nothing
_25._tcp.mx TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""


def dns(i, *args):
    """(exit status, first line, the others) of posthouse dns; while dnsd
    starts anew, again."""
    r = posthouse.wait_for(
        lambda: not (r := i.posthouse("dns", *args, check=False)).stderr and r,
        "dnsd")
    lines = r.stdout.splitlines()
    return r.returncode, lines[0], lines[1:]


@pytest.fixture
def make_dns(make_instance):
    """make_dns(servers, **parameters): an instance that asks these."""
    def make(*servers, **more):
        return make_instance(dns_servers=" ".join(servers),
                             **{"dns_timeout": "30s", **more})
    return make


class Held:
    """A server that keeps its answers until they are let go."""

    def __init__(self, answer):
        self.answer = answer
        self.let_go = threading.Event()

    def __call__(self, q):
        self.let_go.wait(300)
        return self.answer(q)


@pytest.fixture
def bad_server():
    """bad_server(answer): a running zone.BadServer."""
    made = []

    def make(answer, **kw):
        made.append(zone.BadServer(answer, **kw))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.mark.dev
@pytest.mark.parametrize("mode", ["forward", "recurse"])
def test_answers(make_dns, make_nsd, mode):
    nsd = make_nsd({"example.org": ZONE, "example": "elsewhere A 192.0.2.3",
                    "2.0.192.in-addr.arpa": "1 PTR mx.example.org."})
    i = make_dns(nsd.address, dns_mode=mode)

    def records(*question):
        status, line, rest = dns(i, *question)
        assert status == FOUND, line
        assert "not secure" in line
        return rest

    assert sorted(records("example.org")) == ["10 mx.example.org",
                                              "20 backup.example.org"]
    assert records("MX.Example.ORG.", "a") == ["192.0.2.1"]
    assert records("mx.example.org", "AAAA") == ["2001:db8::1"]
    assert records("null.example.org", "MX") == ["0 ."]
    assert records("example.org", "TXT") == ['"one" "two \\"quoted\\""']
    assert records("example.org", "NS") == ["ns.invalid"]
    assert records("1.2.0.192.in-addr.arpa", "PTR") == ["mx.example.org"]
    assert records("_25._tcp.mx.example.org", "TLSA") == [
        "3 1 1 " + "0123456789abcdef" * 4]
    assert records("alias.example.org", "A") == [
        "is an alias of mx.example.org", "192.0.2.1"]
    assert records("far.example.org", "A") == [
        "is an alias of elsewhere.example", "192.0.2.3"]
    assert records("alias.example.org", "CNAME") == ["mx.example.org"]

    status, line, _ = dns(i, "nothing.example.org")
    assert status == ABSENT
    assert re.fullmatch(r"nothing\.example\.org MX: no such name "
                        r"\(not secure, ttl [0-5]\)", line), line
    assert dns(i, "nowhere.else")[1].startswith("nowhere.else MX: no such name")
    status, line, rest = dns(i, "dangling.example.org", "A")
    assert (status, rest) == (ABSENT, ["is an alias of nothing.example.org"])
    assert "no such name" in line
    status, line, _ = dns(i, "mx.example.org", "MX")
    assert status == ABSENT and "no such records" in line


def test_zones_like_others(make_dns, make_nsd):
    """libunbound would say itself that there is nothing in these."""
    zones = {"mail.test": "a A 192.0.2.1", "home.arpa": "a A 192.0.2.1",
             "1.0.10.in-addr.arpa": "1 PTR a.mail.test."}
    i = make_dns(make_nsd(zones).address)
    for name in ("a.mail.test", "a.home.arpa"):
        assert dns(i, name, "A")[2] == ["192.0.2.1"]
    assert dns(i, "1.1.0.10.in-addr.arpa", "PTR")[2] == ["a.mail.test"]


def test_names_that_are_none(instance):
    for name in ("", "a..b", ".a", "a" * 64 + ".org", "a." * 126 + "aa",
                 "f\u00fcr.example", "a b", "back\\slash"):
        status, line, _ = dns(instance, name, "A")
        assert status == BAD, line
        assert "cannot be asked: not a name of the DNS: " in line


# -- answers that are not to be believed

A = bytes([192, 0, 2, 66])


def wrong_question(q):
    """The right id, and an answer to what was not asked."""
    reply = q.reply([zone.record("other.example", "A", A)])
    return reply[:12] + zone.wire_name("other.example") + b"\0\1\0\1" + \
        reply[12 + len(q.raw):]


def refers_to_others(q):
    """As lame, by a server that says where it knows of one."""
    return q.reply([], [zone.record("example.org", "NS",
                                    zone.wire_name("ns.elsewhere.invalid"))],
                   flags=0x8100)


# Servers that no answer can be had from; within dns_timeout, the class must be
# "nobody knows now".
BAD_SERVERS = {
    "servfail": zone.failing(zone.SERVFAIL),
    "refused": zone.failing(zone.REFUSED),
    "notimp": zone.failing(zone.NOTIMP),
    "formerr": zone.failing(zone.FORMERR),
    "silence": zone.silence,
    "wrong_id": zone.wrong_id,
    "garbage": zone.garbage,
    "truncated": zone.truncated,
    "wrong_question": wrong_question,
    "lame": zone.lame,
    "refers_to_others": refers_to_others,
    "cname_loop": zone.cname_loop,
    "too_late": zone.slow(60, lambda q: q.reply(
        [zone.record(q.name, "A", A)])),
    "echo": lambda q: q.packet,
    "empty": lambda q: b"",
}


@pytest.mark.parametrize("mode", ["forward", "recurse"])
@pytest.mark.parametrize("name", BAD_SERVERS)
def test_bad_server_is_temporary(make_dns, bad_server, name, mode):
    server = bad_server(BAD_SERVERS[name])
    i = make_dns(server.address, dns_mode=mode, dns_timeout="2s")
    begin = time.monotonic()
    status, line, rest = dns(i, "host.example.org", "A")
    assert time.monotonic() - begin < 30
    assert (status, rest) == (TEMP, []), line
    assert server.questions
    # It was not the end of dnsd.
    assert dns(i, "a..b")[0] == BAD


def test_other_answers_do_not_count(make_dns, bad_server):
    """Somebody who guesses ids is faster than the name server."""
    i = make_dns(bad_server(lambda q: [zone.wrong_id(q), zone.wrong_id(
        q), q.reply([zone.record(q.name, "A", bytes([192, 0, 2, 1]))])]
    ).address)
    assert dns(i, "host.example.org", "A")[2] == ["192.0.2.1"]


def test_nobody_listens(instance):
    status, line, _ = dns(instance, "host.example.org", "A")
    assert status == TEMP, line


def test_first_server_is_bad(make_dns, make_nsd, bad_server):
    nsd = make_nsd({"example.org": ZONE})
    for answer in (zone.failing(zone.SERVFAIL), zone.silence):
        i = make_dns(bad_server(answer).address, nsd.address)
        assert dns(i, "mx.example.org", "A")[2] == ["192.0.2.1"]
        i.stop()


def test_nothing_without_proof(make_dns, bad_server):
    """dnsmasq, for one, says that there is nothing without saying who says
    so.  It counts from a server that can resolve the root."""
    soa = zone.wire_name("a.root") * 2 + bytes(20)

    def brief(q):
        return q.reply([zone.record(".", "SOA", soa)] if not q.name else [])
    server = bad_server(brief)
    i = make_dns(server.address)

    def asked():
        """For the root: once, or again because it is slow."""
        return len([q for q in server.questions if not q.name])
    assert dns(i, "one.example.org", "A")[0] == ABSENT
    once = asked()
    assert dns(i, "two.example.org", "A")[0] == ABSENT
    assert asked() == once > 0


# -- large answers

def test_truncated_answers_are_asked_by_tcp(make_dns, make_nsd, bad_server):
    text = " ".join(f'"{k:03}{"x" * 250}"' for k in range(40))
    nsd = make_nsd({"example.org": f"big TXT {text}"})
    i = make_dns(nsd.address)
    status, _, rest = dns(i, "big.example.org", "TXT")
    assert status == FOUND
    assert rest == [text]

    server = bad_server(zone.huge("A", 1000, lambda k: bytes(
        [10, 0, k // 256, k % 256])))
    i = make_dns(server.address)
    status, _, rest = dns(i, "many.example.org", "A")
    assert status == FOUND
    assert len(set(rest)) == 256
    assert any(q.tcp for q in server.questions)

    server = bad_server(zone.huge("TXT", 60, lambda k: bytes([3, 65, 65, k]) +
                                  b"\xff" + b"y" * 255 + (
                                      b"\xff" + b"z" * 255) * 3))
    i = make_dns(server.address)
    status, _, rest = dns(i, "large.example.org", "TXT")
    assert status == FOUND
    assert 40 < len(rest) < 60

    server = bad_server(zone.huge("TXT", 1, lambda k: (
        b"\xff" + b"y" * 255) * 80))
    i = make_dns(server.address)
    status, line, _ = dns(i, "too-large.example.org", "TXT")
    assert status == TEMP and "too large" in line


# -- DNSSEC

def test_dnssec(make_dns, make_nsd):
    nsd = make_nsd({"signed.example": ZONE, "example.org": ZONE},
                   signed=["signed.example"])
    anchors = nsd.dir / "anchors"
    anchors.write_text("; of the tests\n" + nsd.anchor("signed.example"))
    for mode in ("forward", "recurse"):
        i = make_dns(nsd.address, dns_mode=mode,
                     dns_trust_anchor_file=anchors)
        _, line, rest = dns(i, "mx.signed.example", "A")
        assert line.startswith("mx.signed.example A: found (secure, ttl ")
        assert rest == ["192.0.2.1"]
        for name, says in (("nothing", "no such name"),
                           ("mx", "no such records")):
            status, line, _ = dns(i, f"{name}.signed.example", "MX")
            assert status == ABSENT
            assert f"{says} (secure" in line
        # It leads out of what is signed.
        line = dns(i, "far.signed.example", "A")[1]
        assert "no such name (not secure" in line
        # There are no keys for this one.
        assert "found (not secure" in dns(i, "mx.example.org", "A")[1]
        i.stop()


def spoil(nsd, name, before, after):
    """Change a signed record behind the signer's back."""
    path = nsd.dir / f"{name}.zone"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    os.kill(nsd.server.pid, signal.SIGHUP)

    def served():
        try:
            return bytes(map(int, after.split("."))) in zone.ask(
                nsd.address, f"mx.{name}", timeout=1)[1]
        except OSError:
            return False
    posthouse.wait_for(served, "the forged record")


@pytest.mark.parametrize("mode", ["forward", "recurse"])
def test_forged_answers_are_not_used(make_dns, make_nsd, mode):
    nsd = make_nsd({"signed.example": ZONE}, signed=["signed.example"])
    spoil(nsd, "signed.example", "192.0.2.1", "192.0.2.66")
    anchors = nsd.dir / "anchors"
    anchors.write_text(nsd.anchor("signed.example"))
    i = make_dns(nsd.address, dns_mode=mode, dns_trust_anchor_file=anchors)
    status, line, rest = dns(i, "mx.signed.example", "A")
    assert (status, rest) == (TEMP, [])
    assert "DNSSEC: validation failure" in line
    assert dns(i, "backup.signed.example", "A")[2] == ["192.0.2.2"]


def test_name_servers_without_dnssec(make_dns, make_nsd):
    """What a resolver strips must not keep all mail at home."""
    nsd = make_nsd({"example.org": ZONE})
    i = make_dns(nsd.address, dns_mode="forward",
                 dns_trust_anchor_file="/usr/share/dns/root.key")
    _, line, rest = dns(i, "mx.example.org", "A")
    assert "found (not secure" in line and rest == ["192.0.2.1"]
    i.wait_log("the name servers do not pass DNSSEC on")
    # Asked for the keys of the root itself, it is not that easy.
    i.set(dns_mode="recurse")
    i.reload()
    status, line, _ = dns(i, "mx.example.org", "A")
    assert status == TEMP and "DNSSEC" in line


def test_anchors_that_are_none(make_dns, make_nsd):
    nsd = make_nsd({"example.org": ZONE})
    anchors = nsd.dir / "anchors"
    anchors.write_text("this is no key\n")
    i = make_dns(nsd.address, dns_trust_anchor_file=anchors)
    i.wait_log("dns_trust_anchor_file: DNSSEC cannot be checked")
    assert dns(i, "mx.example.org", "A")[2] == ["192.0.2.1"]


# -- changes

@pytest.mark.dev
def test_resolv_conf_changes(make_instance, make_nsd):
    one = make_nsd({"example.org": "a A 192.0.2.1"})
    two = make_nsd({"example.org": "a A 192.0.2.2"})
    resolv = one.dir / "resolv.conf"
    resolv.write_text("# nobody\n")
    i = make_instance(dns_servers="", resolv_conf_file=resolv,
                      dns_mode="forward", dns_timeout="30s")
    i.wait_log("dns_mode = forward, and no name server is named")
    assert dns(i, "a.example.org", "A")[0] == TEMP

    def becomes(nsd, want):
        resolv.write_text(f"search example.org\nnameserver {nsd.address}\n")
        posthouse.wait_for(
            lambda: dns(i, "a.example.org", "A")[2] == [want], want)

    becomes(one, "192.0.2.1")   # another port: another process
    pid = i.pids()["dnsd"]
    becomes(two, "192.0.2.2")
    assert i.pids()["dnsd"] != pid
    pid = i.pids()["dnsd"]
    (one.dir / "other").write_text(f"nameserver {two.address}\n# changed\n")
    (one.dir / "other").rename(resolv)
    time.sleep(3)
    assert dns(i, "a.example.org", "A")[2] == ["192.0.2.2"]
    assert i.pids()["dnsd"] == pid


def test_servers_change_while_a_question_waits(make_dns, bad_server):
    """Old questions end with those they were put to."""
    held = Held(lambda q: q.reply([zone.record(q.name, "A", A)]))
    late = bad_server(held)
    i = make_dns(late.address)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(dns, i, "mx.example.org", "A")
        posthouse.wait_for(lambda: late.questions, "a question")
        # Nobody is there.
        i.set(dns_servers=f"127.0.0.2:{late.port}", dns_timeout="2s")
        pid = i.pids()["dnsd"]
        i.reload()
        assert dns(i, "mx.example.org", "A")[0] == TEMP
        held.let_go.set()
        assert first.result()[2] == ["192.0.2.66"]
        assert i.pids()["dnsd"] == pid


def test_servers_on_another_port(make_dns, make_nsd, bad_server):
    nsd = make_nsd({"example.org": ZONE})
    late = bad_server(zone.silence)
    i = make_dns(late.address, dns_timeout="60s")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(i.posthouse, "dns", "mx.example.org", "A",
                            check=False)
        posthouse.wait_for(lambda: late.questions, "a question")
        i.set(dns_servers=f"{late.address}, {nsd.address}")
        i.reload()
        i.wait_log("a name server on another port: starting anew")
        assert dns(i, "mx.example.org", "A")[0] == FOUND
        # That process is gone, and its asker knows at once.
        assert first.result().returncode == TEMP


def test_hosts(make_dns, make_nsd):
    nsd = make_nsd({"example.org": ZONE})
    hosts = nsd.dir / "hosts"
    hosts.write_text("192.0.2.7 mx.example.org Other.Example # old\n"
                     "192.0.2.8\tmx.example.org\n::1 six\nno address\n")
    i = make_dns(nsd.address, hosts_file=hosts)
    assert dns(i, "MX.example.org", "A")[1:] == (
        "MX.example.org A: found (not secure, ttl 60)",
        ["192.0.2.7", "192.0.2.8"])
    assert dns(i, "other.example", "A")[2] == ["192.0.2.7"]
    assert dns(i, "mx.example.org", "AAAA")[0] == ABSENT
    assert dns(i, "six", "AAAA")[2] == ["::1"]
    assert dns(i, "address", "A")[0] == ABSENT
    hosts.write_text("")
    posthouse.wait_for(
        lambda: dns(i, "mx.example.org", "A")[2] == ["192.0.2.1"],
        "the DNS to be asked")


def test_dead_server_comes_back(make_dns, make_nsd):
    nsd = make_nsd({"example.org": ZONE})
    i = make_dns(nsd.address, dns_timeout="2s")
    posthouse.wait_for(lambda: dns(i, "mx.example.org", "A")[0] == FOUND,
                       "an answer")
    nsd.stop()
    for k in range(5):
        assert dns(i, f"{k}.example.org", "A")[0] == TEMP
    assert dns(i, "mx.example.org", "A")[0] == FOUND     # from the cache
    nsd.start()
    posthouse.wait_for(
        lambda: dns(i, "backup.example.org", "A")[0] == FOUND,
        "answers from the server that came back")


def test_bad_dns_servers(make_dns):
    i = make_dns("127.0.0.1:9")
    i.set(dns_servers="ns.example.org")
    i.reload()
    i.wait_log('"ns.example.org" is neither ADDRESS nor ADDRESS:PORT')
    assert i.pids()["dnsd"]
