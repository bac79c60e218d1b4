# SPDX-License-Identifier: ISC
"""kill -9 while mail flows.

A message whose 250 the client received is in the mailbox exactly once; one
without 250, which the client does not send again, once or not at all.
"""

import collections
import random
import re
import socket
import threading
import time

import pytest

import posthouse as ph

MESSAGES = 2000
THREADS = 8
SIZES = (300, 4000, 20000, 90000)   # the last is streamed to the queue
USERS = ("alice", "bob")
MARK = re.compile(rb"^X-Mark: (\S+)\r?$", re.M)


class Flow:
    """Threads that send one message a session, each message once."""

    sender = "sender@example.com"

    def recipient(self, user):
        return f"{user}@posthouse.test"

    def __init__(self, instance):
        self.instance = instance
        self.lock = threading.Lock()
        self.accepted = {}      # mark -> user
        self.unknown = {}       # sent at least in part, no 250
        self.stopped = False
        self._serial = 0
        self._threads = [threading.Thread(target=self._run, daemon=True)
                         for _ in range(THREADS)]
        for t in self._threads:
            t.start()

    def _next(self):
        with self.lock:
            self._serial += 1
            return f"m{self._serial}", USERS[self._serial % len(USERS)]

    def _run(self):
        while not self.stopped:
            mark, user = self._next()
            if self._send(mark, user):
                time.sleep(0.01)
            else:
                time.sleep(0.05)

    def _send(self, mark, user):
        size = SIZES[int(mark[1:]) % 7 % len(SIZES)]
        body = (f"From: sender@example.com\r\nX-Mark: {mark}\r\n\r\n"
                + "line of the body\r\n" * (size // 18))
        try:
            with socket.create_connection(
                    ("127.0.0.1", self.instance.smtp_port), 10) as s:
                s.settimeout(15)
                f = s.makefile("rb")

                def say(text, want):
                    if text is not None:
                        s.sendall(text.encode())
                    while True:
                        line = f.readline()
                        if line[3:4] != b"-":
                            break
                    return line[:3] == want

                if not (say(None, b"220") and
                        say("EHLO client.example.com\r\n", b"250") and
                        say(f"MAIL FROM:<{self.sender}>\r\n", b"250") and
                        say(f"RCPT TO:<{self.recipient(user)}>\r\n",
                            b"250") and
                        say("DATA\r\n", b"354")):
                    return False
                with self.lock:
                    self.unknown[mark] = user
                if not say(body + ".\r\n", b"250"):
                    return False
                with self.lock:
                    del self.unknown[mark]
                    self.accepted[mark] = user
                s.sendall(b"QUIT\r\n")
                f.readline()
                return True
        except OSError:
            return False

    def count(self):
        return len(self.accepted)

    def wait_more(self, n, seconds=100):
        goal = self.count() + n
        ph.wait_for(lambda: self.count() >= goal,
                    f"{n} more messages to be accepted (now {self.count()}); "
                    f"log:\n{self.instance.log_text()[-4000:]}", seconds)

    def stop(self):
        self.stopped = True
        for t in self._threads:
            t.join(30)


def marks(instance, user):
    """How often each message is in this mailbox."""
    found = collections.Counter()
    for raw in instance.mailbox(user).messages():
        m = MARK.search(raw)
        assert m, f"not one of ours: {raw[:200]!r}"
        found[m[1].decode()] += 1
    return found


def judge(instance, flow):
    """Every accepted message is there once; nothing is there twice."""
    def missing():
        there = {u: marks(instance, u) for u in USERS}
        return [m for m, u in flow.accepted.items() if m not in there[u]]

    def all_there():
        if not missing():
            return True
        instance.posthouse("queue", "flush", check=False)
        time.sleep(0.5)
        return False

    try:
        ph.wait_for(all_there, "accepted messages", 60, 0.2)
    except AssertionError:
        lost = missing()
        queue = instance.posthouse("queue", "list", check=False).stdout
        raise AssertionError(
            f"{len(lost)} of {flow.count()} accepted messages are not there: "
            f"{lost[:10]}; queue:\n{queue[-2000:]}\n"
            f"{instance.log_text()[-3000:]}") from None
    # What is still queued without a 250 gets its chance to double.
    ph.wait_for(lambda: queue_is_empty(instance), "an empty queue", 60, 0.2)
    for user in USERS:
        there = marks(instance, user)
        twice = {m: n for m, n in there.items() if n > 1}
        assert not twice, f"{user} has doubles: {twice}"
        known = {**flow.accepted, **flow.unknown}
        strange = [m for m in there if known.get(m) != user]
        assert not strange, f"{user} has mail never sent: {strange[:10]}"


def kill(instance, daemon):
    """kill -9 of what runs of a daemon, when something does; its pids."""
    pids = ph.wait_for(lambda: instance.pids().get(daemon), f"a {daemon}")
    for pid in pids:
        ph.kill(pid)
    return pids


def queue_is_empty(instance):
    instance.posthouse("queue", "flush", check=False)
    return "is empty" in instance.posthouse("queue", "list").stdout


@pytest.fixture
def crowd(make_instance):
    """An instance that retries at once and takes mail."""
    i = make_instance(minimal_backoff_time="1s", maximal_backoff_time="2s")
    flow = Flow(i)
    yield i, flow
    flow.stop()


# Those in the message's way, and those who must not matter to it.
DAEMONS = ("smtpd", "qmgr", "router", "spawner", "deliver", "logd", "authd",
           "login")


@pytest.mark.timeout(900)
def test_every_daemon_in_turn(crowd):
    i, flow = crowd
    rng = random.Random(ph.SEED)
    flow.wait_more(100)
    each = MESSAGES // len(DAEMONS)
    for daemon in DAEMONS:
        flow.wait_more(rng.randrange(each // 2))
        killed = kill(i, daemon)
        ph.wait_for(lambda: not set(i.pids().get(daemon, ())) & set(killed),
                    f"{daemon} to be gone")
        flow.wait_more(each)
        ph.wait_for(lambda: i.pids().get(daemon), f"{daemon} to be back")
    flow.stop()
    assert flow.count() >= MESSAGES
    judge(i, flow)


@pytest.mark.timeout(900)
def test_everything_at_once(crowd):
    i, flow = crowd
    rng = random.Random(ph.SEED)
    for _ in range(4):
        flow.wait_more(MESSAGES // 4 - rng.randrange(50))
        i.kill_all()
        i.start()
    flow.wait_more(200)
    flow.stop()
    assert flow.count() >= MESSAGES
    judge(i, flow)


@pytest.mark.timeout(900)
def test_master_alone(crowd):
    """The daemons end by themselves; a new master waits for the spool."""
    i, flow = crowd
    for _ in range(2):
        flow.wait_more(200)
        orphans = [p for _, p in i.tree()]
        i.process.kill()
        i.process.wait()
        i.process = None
        i.start()
        ph.wait_for(lambda: not [p for p in orphans if ph.alive(p)],
                    "the daemons of the dead master to end")
    flow.wait_more(200)
    flow.stop()
    judge(i, flow)
