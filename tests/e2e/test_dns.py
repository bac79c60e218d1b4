# SPDX-License-Identifier: ISC
"""dnsd as `posthouse dns` shows it: what is true, what is not there, and what
nobody knows now."""

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
    """(exit status, first line, the others) of posthouse dns."""
    r = i.posthouse("dns", *args, check=False)
    assert r.stderr == "", r.stderr
    lines = r.stdout.splitlines()
    return r.returncode, lines[0], lines[1:]


@pytest.fixture
def make_dns(make_instance):
    """make_dns(servers, **parameters): an instance that asks these."""
    def make(*servers, **more):
        return make_instance(dns_servers=" ".join(servers),
                             **{"dns_timeout": "5s", **more})
    return make


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

    assert dns(i, "nothing.example.org")[0:2] == (
        ABSENT, "nothing.example.org MX: no such name (not secure, ttl 5)")
    assert dns(i, "nowhere.else")[1].startswith("nowhere.else MX: no such name")
    status, line, rest = dns(i, "dangling.example.org", "A")
    assert (status, rest) == (ABSENT, ["is an alias of nothing.example.org"])
    assert "no such name" in line
    status, line, _ = dns(i, "mx.example.org", "MX")
    assert status == ABSENT and "no such records" in line


def test_names_that_are_none(instance):
    for name in ("", "a..b", ".a", "a" * 64 + ".org", "a." * 126 + "aa",
                 "f\u00fcr.example", "a b", "back\\slash"):
        status, line, _ = dns(instance, name, "A")
        assert status == BAD, line
        assert "cannot be asked: not a name of the DNS: " in line
