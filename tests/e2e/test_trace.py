# SPDX-License-Identifier: ISC
"""posthouse trace: the story of a message on one screen."""

import re
import smtplib
import subprocess

import pytest

import posthouse as ph
from test_queue_ops import ALICE, BOB, block, queue, send, \
    wait_deferred


def trace(i, *args, status=0):
    r = i.posthouse("trace", *args, check=False)
    assert r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
    return r.stdout if status == 0 else r.stderr


@pytest.mark.dev
def test_delivered_deferred_and_aliased(make_instance):
    i = make_instance(start=False, virtual_alias_maps="texthash:aliases")
    (i.conf_dir / "aliases").write_text(f"team@posthouse.test {BOB}, {ALICE}\n")
    i.start()
    block(i)
    one = send(i, [ALICE], sender="Sender@far.test",
               subject="one\r\nMessage-ID: <one@far.test>")
    i.wait_log(f"{one}: removed")
    i.wait_log(f"{one}: to=<{ALICE}>.*status=sent")
    text = trace(i, one)
    assert re.match(rf"{one}  \w+ +\d+ [\d:]+\n", text), text
    assert "\n  came from unknown[127.0.0.1], without TLS\n" in text
    assert re.search(r"\n  from <Sender@far.test>, \d+ bytes\n", text), text
    assert re.search(rf"\n  to <{ALICE}>: sent, .*\n    2\.0\.0 .*\n"
                     r"    by virtual; [\d.]+ s \(", text), text
    assert re.search(r"\n  left the queue: ", text)
    # By its sender, its Message-ID.
    assert trace(i, "sender@far.test") == text
    mid = re.search(r"Message-ID: (<.*>)", text).group(1)
    assert trace(i, mid) == text
    two = send(i, ["team@posthouse.test"], sender="other@far.test")
    wait_deferred(i, 1)
    for to, status in ((ALICE, "sent"), (BOB, "deferred")):
        i.wait_log(f"{two}: to=<{to}>.*status={status}")
    text = trace(i, two)
    assert re.search(rf"to <{ALICE}>, for <team@posthouse.test>: sent", text)
    assert re.search(rf"to <{BOB}>, for <team@posthouse.test>: deferred, .*\n"
                     r"    4\.", text), text
    assert "\n  is in the queue, deferred, next try " in text
    queue(i, "flush", two)
    ph.wait_for(lambda: f"to <{BOB}>, for <team@posthouse.test>: deferred "
                "(2 attempts)" in trace(i, two), "another attempt")
    queue(i, "hold", two)
    # At once, or when what the attempt came to is written.
    ph.wait_for(lambda: "\n  is in the queue, on hold\n" in trace(i, two),
                "the message to be on hold")
    assert trace(i, ALICE).count("\n\n") == 1       # two messages
    # What was put aside comes first; without a queue it says so.
    i.stop()
    log = i.dir / "log"
    (name,) = [p.name for p in log.iterdir()]
    (log / name).rename(log / f"{name}.1")
    (log / name).write_text("")
    text = trace(i, two)
    assert "may be in the queue, which cannot be asked now" in text
    given = trace(i, "--log", log / f"{name}.1", one)
    assert f"to <{ALICE}>: sent" in given
    piped = subprocess.run(
        [ph.BIN / "posthouse", "-c", i.conf_dir, "trace", "--log", "-", one],
        input=(log / f"{name}.1").read_bytes(), capture_output=True)
    assert piped.stdout.decode() == given
    assert "nothing in" in trace(i, "6B0000000000", status=1)
    assert "usage: " in trace(i, status=64)
    assert "nosuchfile" in trace(i, "--log", "/nosuchfile", one, status=66)


def test_strange_address(make_instance):
    i = make_instance()
    strange = r'"o\"\\ x@y"@far.test'
    one = send(i, [ALICE], sender=f"<{strange}>")
    i.wait_log(f"{one}: removed")
    assert one in trace(i, strange)


def test_many_sessions_before(make_instance):
    """What the log says of others takes no memory."""
    i = make_instance(start=False)
    log = i.dir / "long.log"
    head = "Nov 22 09:00:00 host posthouse/smtp[1]: "
    with open(log, "w") as f:
        for k in range(250000):
            f.write(f"{head}Untrusted TLS connection established to "
                    f"mx{k}.test[192.0.2.1]:25: {'TLSv1.3 ' * 30}\n")
        f.write(f"{head}6B0000000001: from=<a@b.test>, size=3, nrcpt=1\n")
        f.write(f"{head}6B0000000001: to=<c@d.test>, "
                "relay=mx249999.test[192.0.2.1]:25, delay=1, delays=0/0/0/1, "
                "dsn=2.0.0, status=sent (250 ok)\n")
    text = trace(i, "--log", log, "6B0000000001")
    assert "to <c@d.test>: sent, " in text
    assert "by mx249999.test[192.0.2.1]:25, TLSv1.3 TLSv1.3" in text


def test_tls_and_login(make_instance):
    i = make_instance()
    with smtplib.SMTP("127.0.0.1", i.submission_port) as s:
        s.starttls(context=i.tls_context(check_hostname=False))
        s.login(ALICE, "alice-secret")
        s.sendmail(ALICE, [BOB], "Subject: x\r\n\r\nx\r\n")
    i.wait_log(f"to=<{BOB}>.*status=sent")
    text = trace(i, BOB)
    assert re.search(rf"came from \S+, logged in as {ALICE}, TLSv1\.\d with ",
                     text), text


def test_json_log(make_instance):
    i = make_instance(log_format="json")
    one = send(i, [ALICE])
    i.mailbox("alice").wait(1)
    i.wait_log(one)
    ph.wait_for(lambda: "left the queue" in trace(i, one), "its end")
    assert f"to <{ALICE}>: sent" in trace(i, one)
