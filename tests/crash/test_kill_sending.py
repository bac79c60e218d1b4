# SPDX-License-Identifier: ISC
"""kill -9, and reloads, while mail leaves for another host.

A message whose 250 our client received arrives there; once more for each time
that the other host had taken it when the process died that should have noted
so.
"""

import collections
import itertools
import os
import pathlib
import re
import smtplib
import threading
import time

import pytest

import mtas
import posthouse as ph
from mx import Mx, server_context
from test_kill import kill

MESSAGES = 200
KILLS = 3
THREADS = 4
CONCURRENCY = 20        # default_destination_concurrency_limit
LATE = 5                # seconds our server may note too late, if busy
MARK = re.compile(rb"^X-Mark: (\S+)\r?$", re.M)


class Sink(Mx):
    """arrivals: {mark: [when it was taken]}."""

    def __init__(self, **kw):
        super().__init__(tls=server_context(ph.certificates() / "ecdsa.pem"),
                         **kw)
        self.arrivals = collections.defaultdict(list)
        self.mails = self

    def append(self, mail):
        self.arrivals[MARK.search(mail[2])[1].decode()].append(
            time.monotonic())


class Flow:
    """Threads that send messages to far.test, each once, as quickly as they
    are taken, until MESSAGES are."""

    def __init__(self, i):
        self.i = i
        self.accepted = []
        self._serial = itertools.count()
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(THREADS)]
        for t in self.threads:
            t.start()

    def _run(self):
        while len(self.accepted) < MESSAGES:
            mark = f"m{next(self._serial)}"
            body = f"X-Mark: {mark}\r\n\r\n" + "line\r\n" * 400
            try:
                with smtplib.SMTP("127.0.0.1", self.i.smtp_port,
                                  timeout=20) as s:
                    s.ehlo("client.example.com")
                    s.sendmail("sender@posthouse.test", [f"{mark}@far.test"],
                               body)
                self.accepted.append(mark)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    def wait(self, n):
        ph.wait_for(lambda: len(self.accepted) >= n, f"{n} accepted messages",
                    60)

    def join(self):
        for t in self.threads:
            t.join(60)


@pytest.fixture
def world(make_instance, make_nsd):
    class World:
        pass

    w = World()
    w.sink = Sink(host=mtas.loopback_address(), replies={
        ".": lambda *_: time.sleep(0.02)}).start()
    nsd = make_nsd({"far.test": f"@ MX 10 mx\nmx A {w.sink.host}\n"})
    # So that router is asked about each connection.
    w.i = make_instance(
        dns_servers=nsd.address, minimal_backoff_time="1s",
        maximal_backoff_time="2s", smtp_connection_reuse_count_limit="5",
        smtp_tls_policy_maps="inline:{ other.test=none }",
        default_destination_concurrency_limit=str(CONCURRENCY))
    yield w
    w.sink.stop()


def all_arrived(w, flow):
    """Returns the marks of those that arrived more than once."""
    def missing():
        return [m for m in flow.accepted if m not in w.sink.arrivals]

    def settled():
        # What was there at three deaths is on hold: it might be their cause.
        w.i.posthouse("queue", "release", "ALL", check=False)
        w.i.posthouse("queue", "flush", "ALL", check=False)
        time.sleep(0.3)
        return not missing() and "is empty" in w.i.posthouse(
            "queue", "list", check=False).stdout
    try:
        ph.wait_for(settled, "all messages to arrive", 60)
    except AssertionError:
        lost = missing()
        raise AssertionError(
            f"{len(lost)} are not there: {lost[:10]}\n" +
            w.i.posthouse("queue", "list", check=False).stdout[-2000:]
        ) from None
    return [m for m, times in w.sink.arrivals.items() if len(times) > 1]


# What a process knows that nobody else does: whether the other host has taken
# what is on its way.
KNOWS = {"smtp": True, "tlsd_mx": True, "qmgr": True, "dnsd": False,
         "router": False}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("daemon", KNOWS)
def test_kill_while_sending(world, daemon):
    i, sink = world.i, world.sink
    flow = Flow(i)
    killed = []
    for k in range(KILLS):
        flow.wait(30 + k * 50)
        ph.wait_for(lambda: i.pids().get(daemon), f"a {daemon}")
        pids = kill(i, daemon)
        killed.append(time.monotonic())
        ph.wait_for(lambda: set(i.pids().get(daemon, ())) - set(pids),
                    f"{daemon} to be back")
    flow.wait(MESSAGES)
    flow.join()
    twice = all_arrived(world, flow)
    print(f"{daemon}: {len(twice)} of {len(flow.accepted)} twice")
    if not KNOWS[daemon]:
        assert not twice
    repeats = [sink.arrivals[m][:-1] for m in twice]
    assert sum(map(len, repeats)) <= KILLS * CONCURRENCY
    for mark, times in zip(twice, repeats):
        # What comes again may be under way at the next kill, too.
        assert len(times) <= KILLS, f"{mark} came {len(times) + 1} times"
        again = sink.arrivals[mark][1:]
        assert all(any(at - LATE < t < next_ for t in killed)
                   for at, next_ in zip(times, again)), \
            f"{mark} came again, and nobody was killed meanwhile"


@pytest.mark.timeout(900)
def test_reload_while_sending(world):
    """The workers of before finish what they have: once each."""
    i = world.i
    flow = Flow(i)
    for k in range(5):
        flow.wait(20 + k * 35)
        i.reload()
    flow.join()
    assert not all_arrived(world, flow)
    ph.wait_for(lambda: i.log_text().count("@far.test>, relay=") >=
                len(flow.accepted), "the log")
    log = i.log_text()
    for mark in flow.accepted:
        assert log.count(f"to=<{mark}@far.test>") == 1, mark
    assert "died with this message" not in log


# -- a message that kills

def owner(port, pids):
    """The process whose connection has this local port."""
    inodes = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port:
            inodes.add(f"socket:[{words[9]}]")
    for pid in pids:
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(fd) in inodes:
                    return pid
            except FileNotFoundError:
                pass
    raise AssertionError(f"nobody has port {port}")


@pytest.mark.timeout(900)
def test_message_that_kills_is_held(make_instance):
    """Its worker dies three times with it; the others, some of which were in
    the same hands, arrive."""
    killed, clients = [], {}

    class Fatal(Mx):
        def _session(self, c, again=False):
            clients[threading.get_ident()] = c.getpeername()[1]
            return super()._session(c, again)

    def rcpt(_server, line):
        if "killer@" in line:
            pid = owner(clients[threading.get_ident()], i.pids()["smtp"])
            killed.append(pid)
            os.kill(pid, 9)
            raise ConnectionError
        time.sleep(0.2)

    sink = Fatal(port=ph.free_ports(1)[0], replies={"RCPT": rcpt}).start()
    try:
        i = make_instance(relayhost=f"[127.0.0.1]:{sink.port}",
                          minimal_backoff_time="1s",
                          maximal_backoff_time="2s")
        with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
            s.ehlo("client.example.com")
            for n in range(30):
                s.sendmail("sender@posthouse.test",
                           ["killer@far.test" if n == 12 else
                            f"fine{n}@far.test"], "Subject: x\r\n\r\nx\r\n")
        ph.wait_for(lambda: len({m[1][0] for m in sink.mails}) == 29,
                    "the others", 60)
        def held():
            return i.posthouse("queue", "list", "--state", "held").stdout
        ph.wait_for(lambda: "killer@far.test" in held(), "the killer on hold",
                    30)
        assert "in 1 Request." in held()
        assert len(killed) == 3
        one = re.search(r"^([0-9A-F]+)!", held(), re.M)[1]
        i.wait_log(rf"{one}: warning: a delivery process died with this message in "
                   r"hand \(3 of 3\)")
        assert "on hold" in i.posthouse("queue", "show", one).stdout
        # Released, it is tried again.
        i.posthouse("queue", "release", one)
        ph.wait_for(lambda: len(killed) > 3, "another attempt")
    finally:
        sink.stop()
