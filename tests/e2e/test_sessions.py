# SPDX-License-Identifier: ISC
"""Sessions as the administrator sees them: who, kick, limits, rawlog; and how
soon new mail is seen."""

import contextlib
import imaplib
import itertools
import json
import pathlib
import poplib
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

import posthouse as ph
import pytest
from wire import Wire


def imap(instance, user="alice", ssl=False):
    if ssl:
        c = imaplib.IMAP4_SSL("127.0.0.1", instance.imaps_port,
                              ssl_context=instance.tls_context())
    else:
        c = imaplib.IMAP4("127.0.0.1", instance.imap_port)
    c.login(instance.address(user), instance.users[user])
    return c


def pop3(instance, user="bob"):
    c = poplib.POP3("127.0.0.1", instance.pop3_port, timeout=60)
    c.user(instance.address(user))
    c.pass_(instance.users[user])
    return c


def who(instance, *args):
    out = instance.posthouse("who", "--json", *args, check=False).stdout
    return [json.loads(l) for l in out.splitlines()]


def wait_sessions(instance, n, *args):
    """Their rows; those of before may need a moment to end."""
    ph.wait_for(lambda: len(who(instance, *args)) == n, f"{n} sessions")
    return who(instance, *args)


def logged_in(rows):
    return [r for r in rows if r["user"]]


def test_who(instance):
    a, b = imap(instance), imap(instance, ssl=True)
    a.select("INBOX")
    c = pop3(instance)
    with Wire(instance.imap_port) as w:
        w.line()
        rows = wait_sessions(instance, 4)
        assert len(logged_in(rows)) == 3
        text = instance.posthouse("who").stdout
        assert "3 sessions; before login: imap 1, pop3 0\n" in text
    by_tls = {r["tls"]: r for r in rows if r["service"] == "imap"
              and r["user"]}
    assert by_tls[False]["state"] == "INBOX" and by_tls[True]["state"] == "-"
    assert by_tls[False]["user"] == instance.address("alice")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", by_tls[True]["client"])
    assert abs(time.time() - by_tls[True]["since"]) < 60
    # One name for a session, from the login to the logout.
    name = re.escape(by_tls[False]["session"])
    instance.wait_log(rf"imap-login: Login: user=<alice@[^\n]*session=<{name}>")
    a.logout()
    instance.wait_log(rf"imap\(alice@[^)]*\)<\d+><{name}>: Disconnected: "
                      r"Logged out in=\d+ out=\d+")
    rows = who(instance, instance.address("bob"))
    assert [r["service"] for r in rows] == ["pop3"]
    assert who(instance, instance.address("BOB")) == rows
    assert who(instance, "nobody@else") == []
    b.logout()
    c.quit()


def test_kick(instance):
    a, b = imap(instance), imap(instance)
    c = pop3(instance, "alice")
    other = pop3(instance)
    rows = wait_sessions(instance, 3, instance.address("alice"))
    one = next(r["session"] for r in rows if r["service"] == "imap")
    r = instance.posthouse("kick", "--session", one)
    assert r.stdout == "1 session ended\n"
    wait_sessions(instance, 2, instance.address("alice"))
    ended = 0
    for conn in (a, b):
        try:
            conn.noop()
        except imaplib.IMAP4.abort:
            ended += 1
    assert ended == 1
    r = instance.posthouse("kick", instance.address("Alice"))
    assert r.stdout == "2 sessions ended\n"
    assert b"administrator" in c.file.readline()
    assert c.file.readline() == b""
    assert other.noop().startswith(b"+OK")
    other.quit()
    instance.wait_log(r"pop3\(alice@.*Disconnected: Kicked")
    instance.wait_log(r"imap\(alice@.*Disconnected: Kicked")
    r = instance.posthouse("kick", instance.address("alice"), check=False)
    assert r.returncode == 1 and r.stdout == "0 sessions ended\n"
    assert instance.posthouse("kick", check=False).returncode == 64


def test_kick_ends_idle_and_appends(instance):
    with Wire(instance.imap_port) as w:
        w.line()
        w.send(f"a LOGIN {instance.address('alice')} "
               f"{instance.users['alice']}\r\nb SELECT INBOX\r\n")
        while not w.line().startswith(b"b OK"):
            pass
        w.send("c IDLE\r\n")
        assert w.line().startswith(b"+")
        ph.wait_for(lambda: [r["state"] for r in who(
            instance, instance.address("alice"))] == ["INBOX, idle"], "IDLE")
        instance.posthouse("kick", instance.address("alice"))
        assert w.rest().startswith(b"* BYE")
    with Wire(instance.imap_port) as w:
        w.line()
        w.send(f"a LOGIN {instance.address('alice')} "
               f"{instance.users['alice']}\r\n")
        w.line()
        w.send("b APPEND INBOX {100}\r\n")
        assert w.line().startswith(b"+")
        w.send("half of it")
        instance.posthouse("kick", instance.address("alice"))
        assert b"* BYE" in w.rest()


def test_last_login(instance):
    imap(instance, "bob").logout()
    r = instance.posthouse("who", "--last", instance.address("bob"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ imap 127.0.0.1\n",
                        r.stdout)
    assert instance.posthouse("who", "--last", instance.address("Bob")
                              ).stdout == r.stdout
    r = instance.posthouse("who", "--last", "nobody@else", check=False)
    assert r.returncode == 1


def test_who_and_kick_are_for_root_alone(instance):
    c = imap(instance)
    alice = instance.address("alice")
    with tempfile.TemporaryDirectory() as d:
        program = shutil.copy(ph.BIN / "posthouse", d)
        conf = pathlib.Path(d) / "conf"
        conf.mkdir()
        shutil.copy(instance.dir / "conf" / "main.cf", conf)
        pathlib.Path(d).chmod(0o755)
        for args in (["who"], ["who", alice], ["who", "--last", alice],
                     ["kick", alice]):
            for uid in (65534, instance.vmail_uid):
                r = subprocess.run([program, "-c", conf, *args], user=uid,
                                   group=uid, extra_groups=[],
                                   capture_output=True, text=True)
                assert r.returncode == 77, (args, r)
                assert "Permission denied" in r.stderr and not r.stdout
    c.noop()
    c.logout()


def test_limits(make_instance):
    i = make_instance(imap_session_limit=2, pop3_session_limit=1)
    a, b = imap(i), imap(i)
    with pytest.raises(imaplib.IMAP4.error, match="LIMIT"):
        imap(i)
    c = pop3(i)
    with pytest.raises(poplib.error_proto, match="Too many sessions"):
        pop3(i)
    c.quit()
    wait_sessions(i, 2)
    pop3(i).quit()
    a.logout()
    wait_sessions(i, 1)
    imap(i).logout()
    b.logout()
    ph.wait_for(lambda: i.log_text().count("too many sessions") == 2,
                "what the log says")


def test_rawlog(make_instance):
    i = make_instance(rawlog_users="alice@posthouse.test",
                      rawlog_size_limit="2k")
    a, b, c = imap(i), imap(i, "bob"), pop3(i, "alice")
    a.noop()
    a.append("INBOX", None, None, b"A: b\r\n\r\n" + b"x" * 5000)
    c.list()
    for conn in (a, b):
        conn.logout()
    c.quit()
    ph.wait_for(lambda: not logged_in(who(i)), "the sessions to end")
    d = i.mailbox("alice").path / "posthouse.rawlog"
    texts = {f.name.split("-")[1] + f.suffix: f.read_bytes()
             for f in d.iterdir()}
    assert sorted(texts) == ["imap.in", "imap.out", "pop3.in", "pop3.out"]
    assert re.search(rb"^\d+\.\d{6} \S+ NOOP\r$", texts["imap.in"], re.M)
    assert re.search(rb"^\d+\.\d{6} \S+ OK .*NOOP", texts["imap.out"], re.M)
    assert b" LIST\r\n" in texts["pop3.in"]
    assert texts["imap.in"].endswith(b"(cut: rawlog_size_limit)\n")
    assert len(texts["imap.in"]) < 2100
    assert not any(i.users["alice"].encode() in t for t in texts.values())
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in d.iterdir())
    assert not (i.mailbox("bob").path / "posthouse.rawlog").exists()
    # What is too much goes, oldest first.
    for n in range(130):
        f = d / f"20200101T{n:06}Z-imap-x.in"
        f.touch()
        ph.os.chown(f, i.vmail_uid, i.vmail_uid)
    pop3(i, "alice").quit()
    left = sorted(f.name for f in d.iterdir())
    assert len(left) == 100 and left[0].startswith("20200101T")


def test_autoexpunge(make_instance):
    i = make_instance(imap_autoexpunge="Trash=1d, Nowhere=2d, INBOX=3d")
    c = imap(i)
    c.create("Trash")
    for folder in ("Trash", "INBOX"):
        for n in range(20):
            c.append(folder, None, '"01-Jan-2001 00:00:00 +0000"',
                     b"Subject: %d\r\n\r\n" % n)
    c.select("INBOX")
    c.copy("1:2", "Trash")
    c.logout()
    # Nobody can make a ctime older: nothing is a day old yet, whatever the
    # messages' dates are; and once a day is enough.
    stamp = i.mailbox("alice").path / "posthouse.autoexpunge"
    ph.wait_for(stamp.exists, "autoexpunge to have been run")
    before = stamp.stat().st_mtime_ns
    c = imap(i)
    assert c.select("Trash")[1] == [b"22"]
    assert c.select("INBOX")[1] == [b"20"]
    c.logout()
    ph.wait_for(lambda: not logged_in(who(i)), "the session to end")
    assert stamp.stat().st_mtime_ns == before
    assert "autoexpunge: " not in i.log_text()


def seconds_to_exists(instance, n):
    """From the 250 to EXISTS in another session, which is in IDLE."""
    took = []
    with Wire(instance.imap_port) as w, Wire(instance.smtp_port) as s:
        w.line()
        w.send(f"a LOGIN {instance.address('alice')} "
               f"{instance.users['alice']}\r\nb SELECT INBOX\r\n")
        while not w.line().startswith(b"b OK"):
            pass
        w.send("c IDLE\r\n")
        assert w.line().startswith(b"+")
        s.line()
        s.send("HELO client\r\n")
        s.line()
        for k in range(n):
            s.send("MAIL FROM:<x@posthouse.test>\r\n"
                   f"RCPT TO:<{instance.address('alice')}>\r\nDATA\r\n")
            for _ in range(3):
                s.line()
            s.send(f"Subject: {k}\r\n\r\ntext\r\n.\r\n")
            assert s.line().startswith(b"250")
            begin = time.monotonic()
            while not re.match(rb"\* \d+ EXISTS", w.line()):
                pass
            took.append(time.monotonic() - begin)
    return took


@contextlib.contextmanager
def no_inotify(instance):
    """The kernel counts the instances by uid: be the mailboxes' user, and have
    all of them."""
    most = 64 + int(pathlib.Path(
        "/proc/sys/fs/inotify/max_user_instances").read_text())
    helper = subprocess.Popen(
        ["/usr/bin/setpriv", f"--reuid={instance.vmail_uid}",
         f"--regid={instance.vmail_uid}", "--clear-groups", "/usr/bin/python3",
         "-c", "import ctypes\nlibc = ctypes.CDLL(None)\n"
         "n = 0\nwhile libc.inotify_init1(0o2000000) >= 0: n += 1\n"
         "print(n, flush=True)\nimport sys\nsys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=lambda:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
    try:
        assert int(helper.stdout.readline()) > 0
        yield
    finally:
        helper.stdin.close()
        helper.wait()


@pytest.mark.parametrize("inotify", [True, False])
def test_new_mail_is_seen_soon(make_instance, inotify):
    i = make_instance(start=False)
    with contextlib.nullcontext() if inotify else no_inotify(i):
        i.start()
        took = seconds_to_exists(i, 50)
    print(f"inotify {inotify}: median {statistics.median(took) * 1e3:.2f} ms, "
          f"worst {max(took) * 1e3:.2f} ms")
    # Who only looked now and then would need seconds.
    assert statistics.median(took) < 0.25


def drop(instance, user, name):
    """A delivery by another program."""
    box = instance.mailbox(user).path
    (box / "tmp" / name).write_text("Subject: x\n\ntext\n")
    shutil.chown(box / "tmp" / name, instance.vmail_uid, instance.vmail_uid)
    (box / "tmp" / name).rename(box / "new" / name)


def test_mail_by_others_without_inotify(make_instance):
    i = make_instance(start=False)

    def idle(w, user):
        w.line()
        w.send(f"a LOGIN {i.address(user)} {i.users[user]}\r\n"
               "b SELECT INBOX\r\nc IDLE\r\n")
        while not w.line().startswith(b"+"):
            pass

    serial = itertools.count()

    def seconds(w):
        drop(i, "alice", f"{next(serial)}.others.x")
        begin = time.monotonic()
        while not re.match(rb"\* \d+ EXISTS", w.line()):
            pass
        return time.monotonic() - begin
    with contextlib.ExitStack() as stack:
        with no_inotify(i):
            i.start()
            a, b = (stack.enter_context(Wire(i.imap_port)) for _ in range(2))
            idle(a, "alice")
            idle(b, "bob")
            assert seconds(a) < 30
        i.wait_log(r"fs\.inotify\.max_user_instances")
        said = re.findall(r"fs\.inotify\.max_user_instances", i.log_text())
        assert len(said) == 1   # not once for each user
        # There are some again, and it is noticed.
        ph.wait_for(lambda: max(seconds(a) for _ in range(3)) < 0.5,
                    "mail to be seen at once")


def test_without_the_seed(make_instance):
    """spawner's copy, from which users' processes are forked, may go."""
    i = make_instance()
    imap(i, "bob").logout()
    seed = max(i.pids()["spawner"], key=lambda p: pathlib.Path(
        f"/proc/{p}/stat").read_text().split()[21].zfill(20) + f"{p:09}")
    ph.os.kill(seed, ph.signal.SIGKILL)
    i.wait_log("the seed of users' processes was killed by signal 9")
    assert imap(i).select("INBOX")[0] == "OK"
    ph.wait_for(lambda: len({*i.pids()["spawner"]} - {seed}) == 2,
                "another seed")
    i.reload()
    assert imap(i, "bob").select("INBOX")[0] == "OK"
