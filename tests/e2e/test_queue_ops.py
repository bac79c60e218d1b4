# SPDX-License-Identifier: ISC
"""What the administrator does to the queue: posthouse queue."""

import json
import os
import re
import shutil
import smtplib
import socket
import subprocess
import threading
import time

import pytest

import posthouse as ph

BOB, ALICE = "bob@posthouse.test", "alice@posthouse.test"


def queue(i, *args, status=0, given=None):
    """Standard output; on an error, what was said."""
    r = i.posthouse("queue", *args, check=False, input=given)
    assert r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
    return r.stdout if status == 0 else r.stderr


def rows(i, *args):
    out = queue(i, "list", "--json", *args)
    return [json.loads(line) for line in out.splitlines()]


def ids(i, *args):
    return [r["queue_id"] for r in rows(i, *args)]


def block(i, name="bob"):
    """Nothing can be delivered to this user: a file is in the way."""
    box = i.dir / "mail" / "posthouse.test"
    box.mkdir(exist_ok=True)
    shutil.chown(box, i.vmail_uid, i.vmail_uid)
    (box / name).write_text("in the way")


def unblock(i, name="bob"):
    (i.dir / "mail" / "posthouse.test" / name).unlink()


def send(i, rcpts=(BOB,), sender="root@posthouse.test", subject="x",
         body="hello\r\n", options=(), rcpt_options=()):
    """The queue id."""
    with smtplib.SMTP("127.0.0.1", i.smtp_port) as s:
        s.ehlo("test")
        code, text = s.mail(sender, options)
        assert code == 250, text
        for r in rcpts:
            code, text = s.rcpt(r, rcpt_options)
            assert code == 250, text
        code, text = s.data(f"Subject: {subject}\r\n\r\n{body}".encode())
        assert code == 250, text
    return text.decode().split()[-1]


def wait_deferred(i, n):
    ph.wait_for(lambda: len(ids(i, "--state", "deferred")) == n,
                f"{n} deferred messages")


@pytest.fixture
def deferring(make_instance):
    i = make_instance()
    block(i)
    return i


@pytest.mark.dev
def test_json_is_that_of_postqueue(deferring):
    """The members postqueue(1) names, and their types."""
    i = deferring
    want = send(i, [BOB], subject='quo"te')
    wait_deferred(i, 1)
    (row,) = rows(i)
    assert list(row) == ["queue_name", "queue_id", "arrival_time",
                         "message_size", "forced_expire", "sender",
                         "recipients"]
    assert row["queue_id"] == want and row["queue_name"] == "deferred"
    assert abs(row["arrival_time"] - time.time()) < 60
    assert isinstance(row["message_size"], int)
    assert row["forced_expire"] is False
    assert row["sender"] == "root@posthouse.test"
    (rcpt,) = row["recipients"]
    assert list(rcpt) == ["address", "delay_reason"]
    assert rcpt["address"] == BOB
    # The words alone, without the status.
    assert re.match("[a-z].+ .+", rcpt["delay_reason"])
    queue(i, "hold", want)
    assert rows(i)[0]["queue_name"] == "hold"


def test_selections(deferring):
    i = deferring
    one = send(i, sender="a@one.test")
    two = send(i, sender="b@two.test", body="y" * 70 + "\r\n")
    three = send(i, sender="", body=("z" * 70 + "\r\n") * 2000)
    wait_deferred(i, 3)
    everything = [one, two, three]
    for args, want in (
            ([], everything),
            (["ALL"], everything),
            ([two], [two]),
            (["--from", "a@one.test"], [one]),
            (["--from", "@TWO.test"], [two]),
            (["--from", "<>"], [three]),
            (["--to", BOB], everything),
            (["--to", ALICE], []),
            (["--site", "posthouse.test"], everything),
            (["--site", "example.com"], []),
            (["--older", "1h"], []),
            (["--younger", "1h"], everything),
            (["--younger", "1h", "--from", "@one.test"], [one]),
            (["--larger", "100k"], [three]),
            (["--smaller", "100k"], [one, two]),
            (["--state", "held"], []),
            (["--state", "held,deferred"], everything)):
        assert ids(i, *args) == want, args
    assert queue(i, "hold", "--from", "@one.test") == "1 message held\n"
    assert ids(i, "--state", "held") == [one]
    # Names by the dozen, as from a pipe.
    assert queue(i, "hold", "-", given=f"{two}\n{three}\n") == \
        "2 messages held\n"
    assert queue(i, "release", one, three) == "2 messages released\n"
    assert queue(i, "delete", "--state", "held") == "1 message deleted\n"
    assert ids(i) == [one, three]
    wait_deferred(i, 2)
    assert queue(i, "delete", "ALL") == "2 messages deleted\n"
    assert queue(i, "list") == "Mail queue is empty\n"


def test_what_a_tired_administrator_types(deferring):
    i = deferring
    one = send(i)
    wait_deferred(i, 1)
    for args, status, said in (
            (["delete"], 64, "give an ID, a selection or ALL"),
            (["hold"], 64, "give an ID, a selection or ALL"),
            (["delete", "all"], 64, 'no queue id: "all"'),
            (["delete", "6B0000000000"], 1, "6B0000000000: no such message"),
            (["show", "6B0000000000"], 1, "6B0000000000: no such message"),
            (["list", "6B0000000000"], 1, "6B0000000000: no such message"),
            (["release", one], 1, f"{one}: it is not on hold"),
            (["show"], 64, "give one ID"),
            (["change", one], 64, "say what to change"),
            (["change", one, "--to", "nobody@@"], 64, "no address"),
            (["change", one, "--delete-rcpt", ALICE], 1,
             f"{ALICE} is no recipient that is to do"),
            (["change", one, "--delete-rcpt", BOB], 1,
             "delete the message instead"),
            (["change", one, "--route", "virtual:x"], 64,
             'no transport that sends: "virtual"'),
            (["hold", "--older", "soon"], 64, "no time like"),
            (["hold", "--sender", "x"], 64, "unknown option"),
            (["remove", one], 64, "no such verb: remove"),
            (["import", "/nonexistent"], 65, "/nonexistent")):
        assert said in queue(i, *args, status=status), args
    # A pipe in which nothing came names nothing; a variable that is empty, too.
    for args in (["delete", "--site", "posthouse.test", "-"],
                 ["delete", "-"], ["flush", "-"]):
        assert "no ID on standard input" in queue(i, *args, status=64,
                                                  given=" \n"), args
    assert "--state wants" in queue(i, "delete", "--state", "", status=64)
    for args in (["--help"], ["delete", "--help"], ["delete", "ALL", "--help"]):
        assert queue(i, *args).startswith("usage: "), args
    assert ids(i) == [one]
    i.stop()
    assert "not running" in queue(i, "list", status=69)


@pytest.mark.dev
def test_show(deferring):
    i = deferring
    one = send(i, [ALICE, BOB], subject="shown", body="the body\r\n",
               options=["BODY=8BITMIME"])
    wait_deferred(i, 1)
    text = queue(i, "show", one)
    assert text.startswith(f"{one}: deferred, "), text
    assert "From: <root@posthouse.test> BODY=8BITMIME\n" in text
    assert re.search(rf"To: <{ALICE}>\n    done, by virtual", text), text
    assert re.search(rf"To: <{BOB}>\n    to do, by virtual", text), text
    assert re.search(rf"Attempts:\n    \S+ \S+ deferred <{BOB}>: 4\.", text)
    assert "\nSubject: shown\n" in text
    assert "the body" not in text
    assert "\nSubject: shown\n\nthe body\n" in queue(i, "show", "-b", one)
    big = send(i, [BOB], body="0123456789abcde\r\n" * 20000)
    wait_deferred(i, 2)
    assert len(queue(i, "show", big)) < 3000
    assert queue(i, "show", "-b", big).endswith(
        "\n\n" + "0123456789abcde\n" * 20000)


def test_hold_release_delete_flush(deferring):
    i = deferring
    one, two = send(i), send(i)
    wait_deferred(i, 2)
    queue(i, "hold", one)
    unblock(i)
    assert "on hold" in queue(i, "flush", one, status=1)
    assert queue(i, "flush", "--site", "posthouse.test") == \
        "1 message to be tried now\n"
    i.mailbox("bob").wait(1)
    ph.wait_for(lambda: ids(i) == [one], "one left")
    queue(i, "release", one)
    i.mailbox("bob").wait(2)
    i.wait_log(f"{one}: removed")
    i.wait_log(f"{two}: removed")


@pytest.mark.dev
def test_requeue_after_the_alias_changed(make_instance):
    i = make_instance(start=False, virtual_alias_maps="texthash:aliases")
    aliases = i.conf_dir / "aliases"
    aliases.write_text(f"team@posthouse.test {BOB}, {ALICE}\n")
    i.start()
    block(i)
    one = send(i, ["team@posthouse.test"], sender="",
               rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    wait_deferred(i, 1)
    i.mailbox("alice").wait(1)
    assert [r["address"] for r in rows(i)[0]["recipients"]] == [BOB]
    # As it was: bob still, and alice not again.
    assert queue(i, "requeue", one) == "1 message requeued\n"
    i.wait_log(f"{one}: requeued: .*1 recipients to do")
    ph.wait_for(lambda: i.log_text().count(f"{one}: to=<{BOB}>") == 2,
                "a second attempt")
    i.add_user("carol", "carol-secret")
    aliases.write_text(f"team@posthouse.test carol@posthouse.test, {ALICE}\n")
    i.reload()
    ph.wait_for(lambda: i.posthouse("queue", "requeue", "ALL", check=False)
                and i.mailbox("carol").count(), "carol's mail")
    ph.wait_for(lambda: not ids(i), "an empty queue")
    assert i.mailbox("alice").count() == 1
    assert i.mailbox("carol").count() == 1


@pytest.mark.dev
def test_change(deferring):
    i = deferring
    one = send(i, [BOB])
    wait_deferred(i, 1)
    assert queue(i, "change", one, "--from", "new@posthouse.test", "--to",
                 ALICE) == "1 message changed\n"
    i.mailbox("alice").wait(1)
    ph.wait_for(lambda: not ids(i), "an empty queue")
    (text,) = i.mailbox("alice").messages()
    assert b"Return-Path: <new@posthouse.test>" in text
    # On hold it stays there; who is added is asked of router.
    two = send(i, [BOB])
    wait_deferred(i, 1)
    queue(i, "hold", two)
    queue(i, "change", two, "--add-rcpt", "nobody@posthouse.test",
          "--add-rcpt", ALICE)
    assert [r["address"] for r in rows(i)[0]["recipients"]] == \
        [BOB, "nobody@posthouse.test", ALICE]
    assert ids(i, "--state", "held") == [two]
    queue(i, "change", two, "--delete-rcpt", "nobody@posthouse.test")
    i.stop()
    i.start()
    assert [r["address"] for r in rows(i)[0]["recipients"]] == [BOB, ALICE]
    unblock(i)
    queue(i, "release", two)
    i.mailbox("alice").wait(2)
    i.mailbox("bob").wait(1)


@pytest.mark.dev
def test_export_edit_import(deferring):
    i = deferring
    one = send(i, [ALICE, BOB], subject="old", body="..\r\n...\r\nx\r\n" +
               "y" * 900 + ("\r\n" + "z" * 900) * 70 + "\r\n")
    wait_deferred(i, 1)
    i.mailbox("alice").wait(1)
    text = queue(i, "export", one)
    assert "\nMAIL FROM:<root@posthouse.test>\n" in text
    assert f"\nRCPT TO:<{BOB}>\n" in text
    assert f"\n# RCPT TO:<{ALICE}>\n" in text     # has it
    file = i.dir / "exported"
    edited = text.replace("Subject: old", "Subject: new")
    edited = edited.replace("root@posthouse.test>",
                            "root@posthouse.test> RET=HDRS ENVID=a+2Bb")
    edited = edited.replace(f"\nRCPT TO:<{BOB}>", f"\nRCPT TO:<{BOB}> "
                            f"NOTIFY=FAILURE ORCPT=rfc822;{BOB}")
    file.write_text(edited, newline="\r\n")
    two = queue(i, "import", "--hold", file).strip()
    assert ids(i, "--state", "held") == [two]
    shown = queue(i, "export", two)
    assert "\nHOLD\nMAIL FROM:<root@posthouse.test> RET=HDRS " \
        "ENVID=a+2Bb\n" in shown
    assert f"\nRCPT TO:<{BOB}> NOTIFY=FAILURE ORCPT=rfc822;{BOB}\n" in shown
    assert shown.split("DATA\n", 1)[1] == \
        text.split("DATA\n", 1)[1].replace("Subject: old", "Subject: new")
    queue(i, "delete", one)
    unblock(i)
    queue(i, "release", two)
    i.mailbox("bob").wait(1)
    (got,) = i.mailbox("bob").messages()
    assert b"\nSubject: new\n" in got and got.endswith(b"z" * 900 + b"\n")
    assert b"\n\n..\n...\nx\n" in got
    # And by a pipe; whom router does not know is refused as at SMTP.
    three = queue(i, "import", given=f"MAIL FROM:<>\nRCPT TO:<{ALICE}>\nDATA\n"
                  "Subject: by hand\n\nx\n").strip()
    i.mailbox("alice").wait(2)
    i.wait_log(f"{three}: removed")
    assert "refused: 550 5.1.1" in queue(
        i, "import", status=1, given="MAIL FROM:<>\n"
        "RCPT TO:<nobody@posthouse.test>\nDATA\nSubject: x\n\n")
    assert "line 1: neither MAIL" in queue(i, "import", status=65,
                                           given="Subject: x\n\n")


def spool_file(i, queue_id, suffix=""):
    (path,) = (i.dir / "spool").rglob(queue_id + suffix)
    return path


def test_a_part_of_a_message_is_no_export(deferring):
    """What cannot be read in full is said, and the exit status tells."""
    i = deferring
    small, large = send(i), send(i, body=("z" * 70 + "\r\n") * 2000)
    wait_deferred(i, 2)
    path = spool_file(i, large, ".b")
    size = path.stat().st_size
    with open(path, "r+b") as f:
        f.truncate(size // 2)
    assert f"{large}: body: " in queue(i, "export", large, status=1)
    assert f"{large}: body: " in queue(i, "show", "-b", large, status=1)
    queue(i, "show", large)
    path = spool_file(i, small)
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    r = i.posthouse("queue", "export", small, check=False)
    assert r.returncode == 1 and "checksum" in r.stderr
    assert "checksum" in queue(i, "show", small, status=1)
    assert ids(i) == [small, large]
    # And of several names the one that is not there is said.
    assert "6B0000000000: no such message" in \
        queue(i, "hold", small, "6B0000000000", large, status=1)


def test_show_gives_the_terminal_no_orders(deferring):
    i = deferring
    one = send(i, body="\x1b]0;owned\x07\tx\r\n", subject="\x1b[2J")
    wait_deferred(i, 1)
    mine, its = os.openpty()
    subprocess.run([ph.BIN / "posthouse", "-c", i.conf_dir, "queue", "show",
                    "-b", one], stdout=its, check=True)
    text = os.read(mine, 65536)
    os.close(its)
    os.close(mine)
    assert b"\x1b" not in text and b"\x07" not in text
    assert b"Subject: \\x1b[2J\r\n" in text
    assert b"\\x1b]0;owned\\x07\tx\r\n" in text or \
        b"\\x1b]0;owned\\x07 " in text
    assert "\x1b" in queue(i, "show", "-b", one)


RCPT_OPTIONS = ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;B+2Bo+3Db@x.test"]


@pytest.mark.parametrize("options, rcpt, rcpt_options, text", [
    (["BODY=8BITMIME", "RET=FULL", "ENVID=QQ+2B+3D314"], BOB, RCPT_OPTIONS,
     b"Subject: \xff\xfe\r\n\r\n\x80\x1b[2J\r\n.\r\n..\r\n"),
    (["BODY=8BITMIME"], BOB, ["NOTIFY=NEVER"],
     b"X: " + b"y" * 900 + b"\r\n" + b"".join(
         b"X%d: %s\r\n" % (k, b"h" * 900) for k in range(100)) +
     b"\r\n" + b"\xe4" * 500 + b"\r\n"),
    (["SMTPUTF8", "BODY=8BITMIME"], BOB,
     ["ORCPT=utf-8;b\u00f6b\\x{2B}@x.test"],
     "Subject: \u00fc\r\n\r\n\u00e4\r\n".encode()),
    ([], BOB, ["ORCPT=utf-8;b\\x{F6}b@x.test"], b"\r\nno header\r\n"),
    ([], BOB, [], b"no header and no empty line\r\n"),
    ([], BOB, [], b"Subject: x\r\nnot a field\r\nX: y\r\n\r\nbody\r\n"),
    ([], BOB, [], b""),
], ids=["options", "huge-header", "utf8", "orcpt", "text",
        "strange", "empty"])
def test_round_trip(deferring, options, rcpt, rcpt_options, text):
    """What is exported and imported is the same to the last byte."""
    i = deferring
    with socket.create_connection(("127.0.0.1", i.smtp_port)) as s:
        f = s.makefile("rb")

        def say(line, want):
            s.sendall(line)
            while (got := f.readline())[3:4] == b"-":
                pass
            assert got[:3] == want, (line, got)
            return got
        f.readline()
        say(b"EHLO test\r\n", b"250")
        say(" ".join(["MAIL FROM:<root@posthouse.test>"] + options).encode() +
            b"\r\n", b"250")
        say(" ".join([f"RCPT TO:<{rcpt}>"] + rcpt_options).encode() + b"\r\n",
            b"250")
        say(b"DATA\r\n", b"354")
        text = b"".join(b"." + t if t.startswith(b".") else t
                        for t in text.splitlines(keepends=True))
        one = say(text + b".\r\n", b"250").split()[-1].decode()
    wait_deferred(i, 1)
    queue(i, "hold", one)

    def export(queue_id):
        file = i.dir / queue_id
        with open(file, "wb") as out:
            subprocess.run([ph.BIN / "posthouse", "-c", i.conf_dir, "queue",
                            "export", queue_id], stdout=out, check=True)
        return file, [x for x in file.read_bytes().split(b"\n")
                      if not x.startswith(b"# ")]
    file, want = export(one)
    two = queue(i, "import", file).strip()
    assert export(two)[1] == want
    queue(i, "delete", one)
    unblock(i)
    queue(i, "release", two)
    i.mailbox("bob").wait(1)


def test_stats(deferring):
    i = deferring
    for _ in range(3):
        send(i)
    wait_deferred(i, 3)
    queue(i, "hold", ids(i)[0])
    out = queue(i, "stats").splitlines()
    assert re.fullmatch(r"3 messages, \d+ Kbytes: 0 active, 2 deferred, "
                        r"1 on hold", out[0]), out
    assert out[2].split()[:9] == ["messages"] + \
        [str(5 << n) for n in range(8)]
    assert out[3].split() == ["3", "3"] + ["0"] * 8 + ["TOTAL"]
    assert out[4].split() == ["3", "3"] + ["0"] * 8 + ["posthouse.test"]


def fill(i, n):
    """n messages on hold: nobody delivers them meanwhile."""
    with smtplib.SMTP("127.0.0.1", i.smtp_port) as s:
        s.ehlo("test")
        for k in range(n):
            s.sendmail(f"s{k % 7}@posthouse.test", [BOB],
                       f"Subject: {k}\r\n\r\nx\r\n")


def test_ten_thousand_are_listed_while_mail_flows(deferring):
    i = deferring
    i.set(smtpd_recipient_limit=1000)
    threads = [threading.Thread(target=fill, args=(i, 2500)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    slowest, stop = [0.0], threading.Event()

    def flow():
        n = i.mailbox("alice").count()
        while not stop.is_set():
            begun = time.monotonic()
            send(i, [ALICE])
            n += 1
            slowest[0] = max(slowest[0], time.monotonic() - begun)
        slowest.append(n)

    t = threading.Thread(target=flow)
    t.start()
    try:
        begun = time.monotonic()
        assert len([r for r in rows(i)
                    if r["recipients"][0]["address"] == BOB]) == 10000
        listed = time.monotonic() - begun
        assert len(ids(i, "--from", "s3@posthouse.test")) in (1428, 1429,
                                                              1432)
        assert queue(i, "hold", "--to", BOB) == "10000 messages held\n"
        text = queue(i, "list", "--state", "held")
        assert text.rstrip().endswith(" in 10000 Requests.")
    finally:
        stop.set()
        t.join()
    print(f"listed in {listed:.2f} s, slowest SMTP {slowest[0]:.2f} s")
    i.mailbox("alice").wait(slowest[1])
    ph.wait_for(lambda: len(ids(i)) == 10000, "alice's mail to be done",
                pause=0.2)
    assert queue(i, "delete", "ALL") == "10000 messages deleted\n"


def test_orders_during_an_attempt(make_instance):
    """The delivery process stands still meanwhile."""
    i = make_instance()
    send(i, [ALICE])
    i.mailbox("alice").wait(1)
    (pid,) = i.pids()["deliver"] if "deliver" in i.pids() else [None]
    if pid is None:
        pytest.fail("no delivery process")
    subprocess.run(["/bin/kill", "-STOP", str(pid)], check=True)
    try:
        one, two = send(i, [ALICE]), send(i, [ALICE])
        ph.wait_for(lambda: ids(i, "--state", "active") == [one, two],
                    "both to be on their way")
        assert "being delivered just now" in queue(i, "requeue", one,
                                                   status=1)
        assert "being delivered just now" in queue(i, "change", one, "--to",
                                                   BOB, status=1)
        queue(i, "hold", one)
        queue(i, "delete", two)
        queue(i, "release", one)
    finally:
        subprocess.run(["/bin/kill", "-CONT", str(pid)], check=True)
    ph.wait_for(lambda: not ids(i), "an empty queue")
    assert i.mailbox("alice").count() >= 2


def far(i_kw, port):
    """Parameters for mail to far.test by a server at this port."""
    return {"transport_maps": f"inline:{{ far.test=smtp:[127.0.0.1]:{port} }}",
            "smtp_connect_ports": f"25, {port}", **i_kw}


def test_show_has_the_dialogue_of_a_failed_attempt(make_instance):
    """A server that refuses for now; then another way for its mail."""
    (port,) = ph.free_ports(1)
    server = socket.create_server(("127.0.0.1", port))

    def serve():
        while True:
            try:
                c, _ = server.accept()
            except OSError:
                return
            with c, c.makefile("rwb") as f:
                f.write(b"220 far.test ESMTP\r\n")
                f.flush()
                for line in f:
                    verb = line[:4].upper()
                    f.write(b"250 far.test\r\n" if verb == b"EHLO" else
                            b"221 bye\r\n" if verb == b"QUIT" else
                            b"450 4.3.2 come back later\r\n")
                    f.flush()
                    if verb == b"QUIT":
                        break

    t = threading.Thread(target=serve, daemon=True)
    t.start()
    i = make_instance(**far({}, port))
    one = send(i, ["x@far.test"])
    wait_deferred(i, 1)
    text = queue(i, "show", one)
    assert f"to do, by smtp:[127.0.0.1]:{port}\n" in text, text
    assert "come back later" in text.split("Attempts:")[1], text
    assert re.search(r"\n +> MAIL FROM:<root@posthouse.test>", text), text
    assert re.search(r"\n +< 450 4\.3\.2 come back later\n", text), text
    for site in ("far.test", f"[127.0.0.1]:{port}",
                 f"smtp:[127.0.0.1]:{port}"):
        assert ids(i, "--site", site) == [one]
        assert queue(i, "flush", "--site", site) == \
            "1 message to be tried now\n"
        wait_deferred(i, 1)
    i.set(transport_maps=None, virtual_alias_maps="texthash:aliases")
    (i.conf_dir / "aliases").write_text(f"x@far.test {ALICE}\n")
    i.reload()
    ph.wait_for(lambda: i.posthouse("queue", "requeue", one, check=False)
                .returncode in (0, 1) and i.mailbox("alice").count(),
                "the mail at alice's")
    ph.wait_for(lambda: not ids(i), "an empty queue")
    server.close()
