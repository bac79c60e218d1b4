# SPDX-License-Identifier: ISC
"""Open-relay probes: no spelling of an address makes a stranger's mail leave
for another host (RFC 5321 3.6.1, 3.9)."""

import pytest

from wire import Wire

PROBES = [
    "victim@example.com",
    "victim%example.com@posthouse.test",
    "victim%example.com@mail.posthouse.test",
    "victim%example.com@[127.0.0.1]",
    "victim%example.com",
    "victim@example.com@posthouse.test",
    '"victim@example.com"@posthouse.test',
    '"victim@example.com"@mail.posthouse.test',
    '"victim%example.com"@posthouse.test',
    '"victim@example.com"',
    "@posthouse.test:victim@example.com",
    "@mail.posthouse.test,@example.net:victim@example.com",
    "example.com!victim",
    "example.com!victim@posthouse.test",
    "example.com!victim@mail.posthouse.test",
    "posthouse.test!example.com!victim",
    "victim@[192.0.2.1]",
    "victim@[IPv6:2001:db8::1]",
    "victim@192.0.2.1",
    "victim@posthouse.test.example.com",
    "victim@example.com.",
    "victim@posthouse.test\\@example.com",
    "victim@example.com\x00@posthouse.test",
    "|/bin/true@posthouse.test",
    "/etc/passwd@posthouse.test",
    "../alice@posthouse.test",
    # through a domain that is passed on
    "victim%example.com@inner.example.net",
    "example.com!victim@inner.example.net",
    "victim@example.com@inner.example.net",
    '"victim@example.com"@inner.example.net',
    "victim@inner.example.net.example.com",
    "victim@xinner.example.net",
    # by a domain that only has a route
    "victim@routed.example.net",
]


@pytest.fixture(scope="module")
def stranger(make_module_instance):
    """An instance for which this machine is not a network of its own."""
    return make_module_instance(
        mynetworks="192.0.2.0/24", relay_domains="inner.example.net",
        relayhost="[127.0.0.1]:9",
        transport_maps="inline:{ routed.example.net=relay:[127.0.0.1]:9, "
                       "example.com=smtp:[127.0.0.1]:9 }")


@pytest.mark.parametrize("to", PROBES)
@pytest.mark.parametrize("sender", ["spam@example.net",
                                    "alice@posthouse.test", ""])
def test_refused(stranger, to, sender):
    with Wire(stranger.smtp_port) as w:
        w.smtp()
        w.smtp("EHLO client.example.net\r\n")
        assert w.smtp(f"MAIL FROM:<{sender}>\r\n")[:3] == b"250"
        reply = w.smtp(f"RCPT TO:<{to}>\r\n")
        assert reply[:1] == b"5", reply
        assert w.smtp("DATA\r\n")[:1] == b"5"


def test_own_recipients_are_taken_from_strangers(stranger):
    with Wire(stranger.smtp_port) as w:
        w.smtp()
        w.smtp("EHLO client.example.net\r\n")
        w.smtp("MAIL FROM:<someone@example.net>\r\n")
        assert w.smtp("RCPT TO:<alice@posthouse.test>\r\n")[:3] == b"250"
        assert w.smtp("RCPT TO:<x@a.inner.example.net>\r\n")[:3] == b"250"


def test_nothing_was_queued(stranger):
    assert "is empty" in stranger.posthouse("queue", "list").stdout
