# SPDX-License-Identifier: ISC
"""Connections before login: many, slow, silent, half-dead."""

import random
import time

import posthouse as ph
import pytest
from wire import Wire


@pytest.fixture(scope="module")
def tight(instance):
    instance.stop()
    instance.set(login_workers="1", login_connection_limit="50",
                 login_timeout="3s", auth_failure_delay="0s",
                 auth_queue_limit="4", auth_hash_threads="1")
    return instance.start()


def logs_in(instance):
    with Wire(instance.imap_port) as w:
        if not w.line().startswith(b"* OK"):
            return False
        said = w.imap(f"a LOGIN bob@posthouse.test {instance.users['bob']}"
                      "\r\n", "a")
        return said[-1].startswith(b"a OK")


def test_a_crowd_does_not_lock_others_out(tight):
    """Beyond the limit the longest silent one goes, the new one is served."""
    crowd = [Wire(tight.imap_port) for _ in range(200)]
    assert logs_in(tight)
    gone = [w for w in crowd if b"BYE" in w.line() + w.line()]
    for w in crowd:
        w.close()
    assert len(gone) >= 150


def test_silence_ends(tight):
    t = time.monotonic()
    with Wire(tight.imap_port) as w, Wire(tight.pop3_port) as p:
        w.line(), p.line()
        assert b"BYE" in w.rest() and b"-ERR" in p.rest()
    assert time.monotonic() - t > 2


def test_a_byte_at_a_time_ends_too(tight):
    """The time is counted from the connection, not from the last byte."""
    t = time.monotonic()
    with Wire(tight.imap_port) as w:
        w.line()
        w.sock.settimeout(0.2)
        while time.monotonic() - t < 60:
            w.send(b"x")
            try:
                w.sock.recv(100)
                break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        else:
            pytest.fail("the connection does not end")


def test_guesses_at_once(tight):
    """More passwords than may wait: temporary answers, and authd lives."""
    wires = [Wire(tight.imap_port) for _ in range(40)]
    for w in wires:
        w.line()
    for w in wires:
        w.send("a LOGIN bob@posthouse.test wrong\r\n")
    said = [w.line() for w in wires]
    for w in wires:
        w.close()
    assert all(b"a NO [" in s for s in said), said
    ph.wait_for(lambda: logs_in(tight), "bob to get in")


@pytest.mark.dev
@pytest.mark.parametrize("port", ["imap_port", "pop3_port"])
@pytest.mark.parametrize("seed", range(10))
def test_pieces_of_protocol(tight, port, seed):
    """Random sequences of what parsers stumble over; the server stays."""
    rng = random.Random(seed)
    pieces = [b"a ", b"LOGIN ", b"AUTHENTICATE PLAIN", b"{3}\r\n", b"{3+}\r\n",
              b"{2000+}\r\n", b"abc", b'"', b"\\", b"(", b")", b"\r\n",
              b"\n", b"\r", b"\0", b"\xff", b"ID (", b"USER a\r\n",
              b"PASS b\r\n", b"AUTH PLAIN\r\n", b"*\r\n", b"AGEAYg==\r\n",
              b"NOOP\r\n", b"x" * 3000]
    before = tight.pids()["login"]
    for _ in range(20):
        with Wire(getattr(tight, port)) as w:
            w.line()
            w.send(b"".join(rng.choice(pieces)
                            for _ in range(rng.randrange(1, 60))))
    ph.wait_for(lambda: logs_in(tight), "bob to get in")
    assert tight.pids()["login"] == before


def test_hang_up_while_checked(tight):
    for _ in range(50):
        with Wire(tight.imap_port) as w:
            w.line()
            w.send(f"a LOGIN bob@posthouse.test {tight.users['bob']}\r\n")
    ph.wait_for(lambda: logs_in(tight), "bob to get in")
