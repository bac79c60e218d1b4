# SPDX-License-Identifier: ISC
"""kill -9 while failures are reported, and a file system that is full.

Of each message whose 250 the client received, and which cannot be delivered,
the sender gets one report: never none, never two.
"""

import collections
import os
import random
import re
import smtplib
import subprocess
import time

import pytest

import posthouse as ph
from clients import Letter
from mx import Mx
from test_kill import Flow, kill, queue_is_empty

MESSAGES = 400
MARK = re.compile(rb"^X-Mark: (\S+)\r?$", re.M)
NEVER, NOT_NOW = "550 5.1.1 unknown", "451 4.3.0 not now"


class Failing(Flow):
    """Mail from alice to somebody elsewhere who does not exist."""

    sender = "alice@posthouse.test"

    def recipient(self, _user):
        return "nobody@example.net"


def relayed(make_instance, server, **more):
    return make_instance(**{
        "relayhost": f"[127.0.0.1]:{server.port}",
        "smtp_connect_ports": str(server.port),
        "smtp_tls_security_level": "none",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "1s",
        "default_destination_concurrency_failed_cohort_limit": "0", **more})


def reported(i):
    """How often each message is reported."""
    found = collections.Counter()
    for raw in i.mailbox("alice").messages():
        assert b"report-type=delivery-status" in raw
        found.update(m.decode() for m in MARK.findall(raw))
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("daemon", ["qmgr", "everything"])
def test_reports(make_instance, daemon):
    rng = random.Random(ph.SEED)
    with Mx(port=0, replies={"RCPT": NEVER}) as server:
        i = relayed(make_instance, server)
        flow = Failing(i)
        try:
            for _ in range(4):
                flow.wait_more(rng.randrange(MESSAGES // 4), 90)
                if daemon == "qmgr":
                    kill(i, "qmgr")
                else:
                    i.kill_all()
                    i.start()
            flow.wait_more(50, 90)
        finally:
            flow.stop()

        def all_there():
            there = reported(i)
            return all(m in there for m in flow.accepted) and \
                queue_is_empty(i)
        ph.wait_for(all_there, "the reports", 100, 0.5)
    there = reported(i)
    twice = {m: n for m, n in there.items() if n > 1}
    assert not twice
    known = {**flow.accepted, **flow.unknown}
    assert not [m for m in there if m not in known]


@pytest.fixture
def small_disk(make_instance, tmp_path):
    """An instance with its queue on a file system of 16 MiB, and the server
    all mail goes to."""
    image = tmp_path / "image"
    mounted = []
    with open(image, "wb") as f:
        f.truncate(16 << 20)
    ph.run(["mkfs.ext4", "-q", "-m", "0", image])
    with Mx(port=0, replies={"RCPT": NOT_NOW}) as server:
        i = relayed(make_instance, server, start=False,
                    maximal_queue_lifetime="20s", bounce_queue_lifetime="60s")
        spool = i.dir / "spool"
        owner = spool.stat()
        ph.run(["mount", "-o", "loop", image, spool])
        mounted.append(spool)
        os.chown(spool, owner.st_uid, owner.st_gid)
        spool.chmod(0o700)
        i.start()
        yield i, spool
        i.stop()
        for d in mounted:
            subprocess.run([ph.tool("umount"), str(d)], check=True)


def submit(i, letter):
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.mail("alice@posthouse.test")
        s.rcpt("later@example.net")
        code, text = s.data(letter.bytes)
        return code, text.decode()


def fill(path):
    """All that is left."""
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 16, 1 << 12, 512):
            try:
                while f.write(b"x" * size):
                    pass
            except OSError:
                pass
        os.fsync(f.fileno())


def test_full_file_system(small_disk):
    i, spool = small_disk
    waiting = Letter(headers=[("X-Mark", "waiting")])
    code, text = submit(i, waiting)
    assert code == 250, text
    i.wait_log(r"status=deferred \(host .* said: 451 4.3.0 not now")
    fill(spool / "filler")
    refused = Letter("x" * 70 + "\r\n" * 30000)
    code, text = submit(i, refused)
    assert (code, text[:5]) == (452, "4.3.1"), text
    # Its sender cannot be told now; nothing of it is lost.
    i.wait_log(r"a report waits: .*No space left on device", 80)
    assert not i.mailbox("alice").count()
    time.sleep(2)
    (spool / "filler").unlink()

    def taken():
        try:
            return submit(i, Letter(headers=[("X-Mark", "after")]))[0] == 250
        except smtplib.SMTPException:
            return False
    ph.wait_for(taken, "mail to be taken again", 30, 0.5)
    ph.wait_for(lambda: reported(i)["waiting"], "the report", 80)
    ph.wait_for(lambda: queue_is_empty(i), "an empty queue", 80, 0.5)
    assert reported(i)["waiting"] == 1
