# SPDX-License-Identifier: ISC
"""sendmail(1), mailq(1) and newaliases(1) as other programs use them."""

import email
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

import posthouse as ph

SENDMAIL = ph.BIN / "sendmail"
BOB = "bob@posthouse.test"
HOST = "mail.posthouse.test"


def sendmail(i, *args, given=b"", status=0, program="sendmail", uid=None,
             conf=None, limits=None):
    """Run it; uid: as this user, by copies of program and configuration that
    it can reach (see `public`)."""
    top = ph.BIN if conf is None else conf
    argv = [top / program, "-C", i.conf_dir if conf is None else conf, *args]
    if uid is not None:
        argv = ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}",
                "--clear-groups", *argv]
    r = subprocess.run([str(a) for a in argv], input=given,
                       capture_output=True, timeout=120, env=ph.clean_env(),
                       cwd="/", preexec_fn=limits)
    if status is not None:
        assert r.returncode == status, (argv, r.returncode, r.stdout, r.stderr)
    return r


@pytest.fixture
def public():
    """A directory everybody can read, for what other users need."""
    with tempfile.TemporaryDirectory(prefix="ph-sendmail-") as name:
        top = pathlib.Path(name)
        top.chmod(0o755)
        shutil.copy(SENDMAIL, top / "sendmail")
        for link in ("mailq", "newaliases"):
            (top / link).symlink_to("sendmail")
        (top / "main.cf").write_text(f"submit_socket = {top}/submit.sock\n")
        yield top


def letters(i, user, n):
    i.mailbox(user).wait(n)
    return [email.message_from_bytes(m) for m in i.mailbox(user).messages()]


@pytest.mark.dev
def test_cron(make_instance):
    """As cron runs it."""
    i = make_instance(alias_maps="inline:{root=bob@posthouse.test}")
    sendmail(i, "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root",
             given="From: root (Cron Daemon)\nTo: root\n"
                   "Subject: Cron <root@x> job\n\n"
                   "done: 50\u00a0%\n.\nlast line".encode())
    (m,) = letters(i, "bob", 1)
    host = "mail.posthouse.test"
    assert m["From"] == f"root@{host} (Cron Daemon)"
    assert m["To"] == f"root@{host}"
    assert m["Return-Path"] == f"<root@{host}>"
    assert m["Date"] and m["Message-ID"].endswith(f"@{host}>")
    assert "from userid 0)" in m["Received"]
    assert m.get_payload(decode=True).decode() == \
        "done: 50\u00a0%\n.\nlast line\n"
    # Without a header of its own.
    sendmail(i, "-i", "-FCron, Daemon", "root", given=b"plain output\n")
    m = letters(i, "bob", 2)[1]
    assert m["From"] == f'"Cron, Daemon" <root@{host}>'
    i.wait_log(r"submission/smtpd\[\d+\]: \w+: client=local\[uid=0\], uid=0 "
               r"from=<root@mail.posthouse.test>")


def test_closed_streams(make_instance):
    """A daemon that has closed them: no complaint gets into the dialogue."""
    i = make_instance()
    for fds in ((2,), (1, 2)):
        sendmail(i, "-v", "nobody@posthouse.test", BOB, given=b"S: x\n\nx\n",
                 status=67, limits=lambda: [os.close(fd) for fd in fds])
    letters(i, "bob", 2)


def test_text(instance):
    """What programs write, and what arrives."""
    head = b"Subject: t\n\n"
    rows = [
        (["-i"], b"a\n.\nb\n..c\n", b"a\n.\nb\n..c\n"),
        ([], b"a\n.c\n.\nb\n", b"a\n.c\n"),
        ([], b"no end", b"no end\n"),
        ([], b"crlf\r\nlf\nprogress 1%\rprogress 2%\r\n",
         b"crlf\nlf\nprogress 1%\nprogress 2%\n"),
        ([], b"nul\0s \0\n", b"nuls \n"),
        ([], b"\xe9\xff 8 bit\n", b"\xe9\xff 8 bit\n"),
        ([], b"x" * 70000 + b"\n", b"x" * 65536 + b"\n" + b"x" * 4464 + b"\n"),
        ([], b"", b""),
        ([], b"\n\n", b"\n\n"),
    ]
    bob = instance.mailbox("bob")
    for args, given, want in rows:
        before = set(bob.files())
        sendmail(instance, *args, BOB, given=head + given)
        bob.wait(len(before) + 1)
        newest, = set(bob.files()) - before
        assert newest.read_bytes().split(b"\n\n", 1)[1] == want


def test_t(instance):
    """php's mail(): recipients from the header, Bcc is nobody's to see."""
    before = [instance.mailbox(u).count() for u in ("alice", "bob")]
    sendmail(instance, "-t", "-i", "-fwww@posthouse.test",
             given=b"To: Alice <alice@posthouse.test>,\r\n"
                   b" \"B, ob\" (x) <bob@posthouse.test>\r\n"
                   b"Cc: team: bob@posthouse.test;\r\n"
                   b"Bcc: alice@posthouse.test\r\n"
                   b"Subject: t\r\n\r\nhello\r\n")
    for user, n in zip(("alice", "bob"), before):
        files = instance.mailbox(user).wait(n + 1)
        text = max(files, key=lambda f: f.stat().st_mtime_ns).read_bytes()
        m = email.message_from_bytes(text)
        assert m["Bcc"] is None
        assert m["From"] == "root <www@posthouse.test>"
        assert m["Return-Path"] == "<www@posthouse.test>"
    r = sendmail(instance, "-t", given=b"To: Bob Smith\n\nx\n", status=65)
    assert b"To: no address: Bob Smith" in r.stderr
    r = sendmail(instance, "-t", given=b"Subject: x\n\nx\n", status=65)
    assert b"No recipient addresses found" in r.stderr
    sendmail(instance, "-t", BOB, status=64)
    sendmail(instance, status=64)


def test_refusals(instance):
    """Those who exist get it; the others are named."""
    before = instance.mailbox("bob").count()
    r = sendmail(instance, "nobody@posthouse.test", BOB,
                 given=b"Subject: half\n\nx\n", status=67)
    assert r.stderr.decode().startswith(
        "sendmail: nobody@posthouse.test: 550 5.1.1 ")
    instance.mailbox("bob").wait(before + 1)
    r = sendmail(instance, "-bv", "nobody@posthouse.test", BOB, status=67)
    assert r.stdout == b"bob@posthouse.test: deliverable\n"
    sendmail(instance, "-bv", BOB)
    # However many they are.
    many = [f"nobody{n}@posthouse.test" for n in range(60)]
    began = time.monotonic()
    r = sendmail(instance, *many[:30], BOB, *many[30:],
                 given=b"Subject: few\n\nx\n", status=67)
    assert r.stderr.count(b": 550 5.1.1 ") == 60
    assert time.monotonic() - began < 30    # nobody sleeps at each
    before += 1
    instance.mailbox("bob").wait(before + 1)
    r = sendmail(instance, "a b", given=b"x", status=64)
    assert b"bad address: a b" in r.stderr
    time.sleep(0.3)
    assert instance.mailbox("bob").count() == before + 1


def test_bs(instance):
    before = instance.mailbox("bob").count()
    ph.run(["swaks", "--pipe", f"{SENDMAIL} -C {instance.conf_dir} -bs",
            "--from", "root@posthouse.test", "--to", BOB, "--body", "by pipe"])
    instance.mailbox("bob").wait(before + 1)
    # All at once, as a script that does not read does it.
    sendmail(instance, "-bs", given=b"EHLO x\r\nMAIL FROM:<a@b.test>\r\n"
             b"RCPT TO:<bob@posthouse.test>\r\nDATA\r\n"
             b"Subject: piped\r\n\r\nx\r\n.\r\nQUIT\r\n")
    instance.mailbox("bob").wait(before + 2)
    # And without a QUIT.
    r = sendmail(instance, "-bs", given=b"EHLO x\r\n")
    assert b"\r\n250 HELP\r\n" in r.stdout


def test_mutt(instance, tmp_path):
    rc = tmp_path / "muttrc"
    rc.write_text(f"set sendmail=\"{SENDMAIL} -C {instance.conf_dir} -oem "
                  f"-oi\"\nset copy=no\nset from=\"alice@posthouse.test\"\n"
                  f"set use_from=yes\nset use_envelope_from=yes\n")
    body = tmp_path / "body"
    body.write_text("from mutt\n.\n\u00fc\n")
    before = instance.mailbox("bob").count()
    ph.run(["mutt", "-F", rc, "-s", "by mutt", "-i", body, BOB], home=tmp_path,
           stdin=subprocess.DEVNULL)
    m = letters(instance, "bob", before + 1)
    (m,) = [x for x in m if x["Subject"] == "by mutt"]
    assert m["Return-Path"] == "<alice@posthouse.test>"
    text = m.get_payload(decode=True).decode(m.get_content_charset())
    assert ".\n\u00fc" in text


def test_s_nail(instance, tmp_path):
    before = instance.mailbox("bob").count()
    ph.run(["s-nail", "-:/", "-S", f"mta={SENDMAIL}", "-S",
            f"mta-arguments=-C {instance.conf_dir}", "-S", "sendwait",
            "-s", "by s-nail", BOB], home=tmp_path, input="hello\n")
    assert [m for m in letters(instance, "bob", before + 1)
            if m["Subject"] == "by s-nail"]


def test_git_send_email(instance, tmp_path):
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@posthouse.test"]
    where = {"home": tmp_path, "cwd": tmp_path}
    ph.run(git + ["init", "-q", "."], **where)
    (tmp_path / "f").write_text("one\n")
    ph.run(git + ["add", "f"], **where)
    ph.run(git + ["commit", "-q", "-m", "First\n\n.\nFrom here"], **where)
    before = instance.mailbox("bob").count()
    ph.run(git + ["send-email", f"--smtp-server={SENDMAIL}",
                  "--smtp-server-option=-C",
                  f"--smtp-server-option={instance.conf_dir}",
                  "--from=a@posthouse.test", f"--to={BOB}", "--confirm=never",
                  "--suppress-cc=all", "--root", "-1"], **where)
    (m,) = [x for x in letters(instance, "bob", before + 1)
            if "First" in str(x["Subject"])]
    assert "\n.\nFrom here" in "\n" + m.get_payload()


def test_large(make_instance):
    """30 MB, in the memory of a small program."""
    i = make_instance(message_size_limit=40000000)
    text = b"Subject: big\n\n" + b"".join(b"%073d\n" % n
                                          for n in range(400000))
    limit = 24 << 20

    def limits():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    sendmail(i, BOB, given=text, limits=limits)
    (f,) = i.mailbox("bob").wait(1, 60)
    assert f.read_bytes().split(b"\n\n", 1)[1] == text.split(b"\n\n", 1)[1]
    r = sendmail(i, BOB, given=text + text, status=69)
    assert b"message file too big" in r.stderr


def test_many_recipients(make_instance):
    """More than the server takes at once."""
    i = make_instance(
        virtual_mailbox_domains="posthouse.test, many.test",
        virtual_mailbox_maps="inline:{@many.test=posthouse.test/bob/}",
        smtpd_recipient_limit=1000)
    rcpts = ", ".join(f"user{n}@many.test" for n in range(2500))
    sendmail(i, "-t", given=f"To: {rcpts}\nSubject: m\n\nx\n".encode())
    i.mailbox("bob").wait(3)
    ph.wait_for(lambda: sum(int(n) for n in re.findall(
        r" rcpt=(\d+)", i.log_text())) >= 2500, "the sessions' ends")


def test_users(make_instance, public):
    """Ten users at once; the kernel says who they are."""
    i = make_instance(submit_socket=public / "submit.sock")
    done = []

    def one(uid):
        done.append(sendmail(i, "-f", f"u{uid}@posthouse.test", BOB,
                             given=b"Subject: %d\n\nx\n" % uid, uid=uid,
                             conf=public, status=None))

    threads = [threading.Thread(target=one, args=(61000 + n % 10,))
               for n in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [r.returncode for r in done] == [0] * 30, done
    for m in letters(i, "bob", 30):
        uid = m["Subject"]
        assert f"from userid {uid})" in m["Received"]
        assert m["From"] == f"u{uid}@posthouse.test"
    # Who has no name in the password file.
    sendmail(i, BOB, given=b"Subject: none\n\nx\n", uid=61000, conf=public)
    (m,) = [x for x in letters(i, "bob", 31) if x["Subject"] == "none"]
    assert m["From"] == "uid61000@mail.posthouse.test"
    name = pwd.getpwuid(65534).pw_name
    sendmail(i, BOB, given=b"Subject: named\n\nx\n", uid=65534, conf=public)
    (m,) = [x for x in letters(i, "bob", 32) if x["Subject"] == "named"]
    assert m["Return-Path"] == f"<{name}@mail.posthouse.test>"


def test_limits(make_instance, public):
    i = make_instance(submit_socket=public / "submit.sock", submitd_workers=1,
                      submission_uid_message_rate_limit=3)
    for n in range(5):
        r = sendmail(i, BOB, given=b"x\n", uid=61001, conf=public,
                     status=0 if n < 3 else 75)
    assert b"450 4.7.1 Error: too much mail" in r.stderr
    # Others are not touched, and root is not counted.
    sendmail(i, BOB, given=b"x\n", uid=61002, conf=public)
    for _ in range(5):
        sendmail(i, BOB, given=b"x\n")
    assert i.mailbox("bob").wait(9)
    i.wait_log(r"rate limit exceeded: 3 in a minute, 3 in an hour from "
               r"local\[uid=61001\] for service submission")


def test_connection_limit(make_instance, public):
    i = make_instance(submit_socket=public / "submit.sock", submitd_workers=1,
                      submission_uid_connection_limit=2)
    argv = ["/usr/bin/setpriv", "--reuid=61003", "--clear-groups",
            public / "sendmail", "-C", public, "-bs"]
    open_ = [subprocess.Popen(argv, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) for _ in range(2)]
    for p in open_:
        assert p.stdout.readline().startswith(b"220 ")
    r = sendmail(i, "-bs", uid=61003, conf=public)
    assert r.stdout.startswith(b"421 4.7.0 ")
    sendmail(i, BOB, given=b"x\n", uid=61004, conf=public)
    for p in open_:
        p.communicate(b"QUIT\r\n", timeout=60)
    ph.wait_for(lambda: sendmail(i, BOB, given=b"x\n", uid=61003, conf=public,
                                 status=None).returncode == 0, "room again")


def test_restarts(make_instance):
    """submitd dies again and again: what was said to be sent is there."""
    i = make_instance()
    i.expected += ["submitd", "killed", "signal 9"]
    results = {}

    def some(first):
        for n in range(first, first + 15):
            results[n] = sendmail(i, BOB, given=b"Subject: n%d\n\n" % n
                                  + b"x" * 60 + b"\n", status=None)

    threads = [threading.Thread(target=some, args=(100 * k,))
               for k in range(4)]
    for t in threads:
        t.start()
    for _ in range(4):
        time.sleep(0.15)
        try:
            i.kill("submitd")
        except (AssertionError, ProcessLookupError):
            pass
    for t in threads:
        t.join()
    codes = {r.returncode for r in results.values()}
    assert codes <= {0, 75}, codes
    sent = {f"n{n}" for n, r in results.items() if r.returncode == 0}
    assert sent
    ph.wait_for(lambda: sent <= {email.message_from_bytes(m)["Subject"]
                                 for m in i.mailbox("bob").messages()},
                "all that was said to be sent")


def test_not_running(make_instance):
    """A while is waited, and then the caller is to try again."""
    i = make_instance(start=False)
    began = time.monotonic()
    argv = [str(SENDMAIL), "-C", str(i.conf_dir), BOB]
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    q = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(b"Subject: late\n\nx\n")
    p.stdin.close()
    time.sleep(1)
    i.start()
    assert p.wait(60) == 0
    assert i.mailbox("bob").wait(1)
    i.stop()
    q.stdin.write(b"never\n")
    q.stdin.close()
    r = sendmail(i, program="mailq", status=75)
    assert b"submit.sock: " in r.stderr
    assert q.wait(60) == 75
    assert b"submit.sock: " in q.stderr.read()
    assert time.monotonic() - began > 30
    i.set(submit_socket="")
    r = sendmail(i, BOB, given=b"x", status=69)
    assert b"submit_socket is empty" in r.stderr


ROW = re.compile(r"^(\w+)([*!]?) +(\d+) (\w{3} \w{3} [ \d]\d [\d:]{8}) (\S+)$")


def parse_mailq(text):
    """{id: (mark, size, sender, reasons, recipients)} of mailq's output."""
    lines = text.splitlines()
    assert lines[0] == ("----Queue ID----- --Size-- ---Arrival Time---- "
                        "--Sender/Recipient------")
    found, total = {}, 0
    for line in lines[1:-1]:
        row = ROW.match(line)
        if row:
            last = found[row[1]] = (row[2], int(row[3]), row[5], [], [])
            total += last[1]
        elif line.endswith(")"):
            last[3].append(line.strip()[1:-1])
        elif line:
            assert line.startswith(" " * 47)
            last[4].append(line.strip())
    n = len(found)
    assert lines[-1] == (f"-- {total // 1024} Kbytes in {n} "
                         f"Request{'' if n == 1 else 's'}.")
    return found


@pytest.mark.dev
def test_mailq(make_instance, public):
    i = make_instance(submit_socket=public / "submit.sock")
    assert sendmail(i, program="mailq").stdout == b"Mail queue is empty\n"
    box = i.dir / "mail" / "posthouse.test"
    box.mkdir(exist_ok=True)
    (box / "bob").write_text("in the way")
    shutil.chown(box, i.vmail_uid, i.vmail_uid)
    for n in range(3):
        sendmail(i, "-f", ["", "root", "x@posthouse.test"][n], BOB,
                 given=b"Subject: x\n\n" + b"y" * 60 * n + b"\n")

    def rows():
        out = i.posthouse("queue", "list", "-j").stdout
        return [json.loads(l) for l in out.splitlines()]

    ph.wait_for(lambda: len(rows()) == 3 and
                all(r["queue_name"] == "deferred" for r in rows()),
                "three deferred messages")
    held = rows()[0]["queue_id"]
    i.posthouse("queue", "hold", held)
    want = {r["queue_id"]: r for r in rows()}
    for how in ({"program": "mailq"}, {"program": "sendmail", "bp": True},
                {"program": "mailq", "uid": 61005, "conf": public}):
        bp = ["-bp"] if how.pop("bp", False) else []
        out = sendmail(i, *bp, **how).stdout.decode()
        found = parse_mailq(out)
        assert set(found) == set(want)
        for id_, (mark, size, sender, reasons, rcpts) in found.items():
            assert mark == ("!" if id_ == held else "")
            assert size == want[id_]["message_size"]
            assert sender == (want[id_]["sender"] or "MAILER-DAEMON")
            assert rcpts == [r["address"] for r in want[id_]["recipients"]]
            assert want[id_]["recipients"][0]["delay_reason"] in reasons
    # What was asked about notifications stays with the message.
    sendmail(i, "-N", "success,delay", "-R", "hdrs", "-V", "env=1+2", BOB,
             given=b"x\n")
    (new,) = [r["queue_id"] for r in rows() if r["queue_id"] not in want]
    text = i.posthouse("queue", "show", new).stdout
    assert " RET=HDRS ENVID=env+3D1+2B2\n" in text, text
    assert f"To: <{BOB}> NOTIFY=SUCCESS,DELAY\n" in text, text
    i.posthouse("queue", "delete", new)
    # Orders: a flush, and nothing else.
    (box / "bob").unlink()
    other = [r for r in want if r != held]
    sendmail(i, f"-qI{other[0]}", uid=61005, conf=public)
    i.mailbox("bob").wait(1)
    sendmail(i, "-q", uid=61005, conf=public)
    i.mailbox("bob").wait(2)
    sendmail(i, "-qI123", status=69)
    ph.wait_for(lambda: [r["queue_id"] for r in rows()] == [held],
                "the others to be gone")


def test_newaliases(make_instance, public):
    i = make_instance(start=False)
    source = i.conf_dir / "aliases"
    source.write_text("# names\nroot: bob@posthouse.test\n"
                      "postmaster: root\n")
    i.set(alias_maps=f"hash:{source}, inline:{{x=y}}")
    sendmail(i, program="newaliases")
    i.start()
    sendmail(i, "postmaster", given=b"Subject: a\n\nx\n")
    i.mailbox("bob").wait(1)
    source.write_text("root: alice@posthouse.test\npostmaster: root\nbad\n")
    r = sendmail(i, "-bi")
    assert b"line 3" in r.stderr
    ph.wait_for(lambda: b"alice" in ph.run(
        [ph.BIN / "posthouse", "map", "-q", "root",
         f"hash:{source}"]).stdout.encode(), "the new table")
    # Only by who may write there.
    shutil.copy(source, public / "aliases")
    (public / "main.cf").write_text(f"alias_database = hash:{public}/aliases\n")
    r = sendmail(i, program="newaliases", uid=61006, conf=public, status=77)
    assert b"aliases" in r.stderr
    assert not os.path.exists(public / "aliases.db")


def test_log_is_postfix(make_instance):
    """pflogsumm counts what was delivered.  ("received" it knows only from
    daemons named smtpd and pickup.)"""
    i = make_instance()
    for _ in range(3):
        sendmail(i, "-f", "alice@posthouse.test", BOB, given=b"x\n")
    i.mailbox("bob").wait(3)
    i.wait_log(r"removed(.|\n)*removed(.|\n)*removed")
    out = ph.run(["pflogsumm", "--syslog_name=posthouse",
                  *(i.dir / "log").glob("*")]).stdout
    assert re.search(r"^ +3 +delivered$", out, re.M), out


def test_utf8_address(make_instance):
    """RFC 6531: declared where an address needs it."""
    i = make_instance(
        virtual_mailbox_maps="inline:{b\u00f6b@posthouse.test="
                             "posthouse.test/bob/}")
    r = sendmail(i, "-v", "-f", "j\u00f6@posthouse.test", "-t", given=(
        "To: B\u00f6b <b\u00f6b@posthouse.test>\nSubject: \u00fc\n\n\u00fc\n"
    ).encode())
    assert b" BODY=8BITMIME SMTPUTF8\n" in r.stdout
    (f,) = i.mailbox("bob").wait(1)
    assert "From: root <j\u00f6@posthouse.test>\n" in f.read_text()


def test_authorized_users(make_instance, public):
    i = make_instance(submit_socket=public / "submit.sock",
                      authorized_submit_users="!games, static:all",
                      authorized_mailq_users="nobody",
                      authorized_flush_users="!nobody, static:anyone")
    uids = {name: pwd.getpwnam(name).pw_uid for name in ("games", "nobody")}

    def run(name, *args, program="sendmail", status=0):
        uid = uids.get(name)
        return sendmail(i, *args, given=b"S: x\n\nx\n", status=status,
                        program=program, uid=uid, conf=public).stderr

    assert b"user games(" in run("games", BOB, status=69)
    run("nobody", BOB)
    run(None, BOB)
    letters(i, "bob", 2)
    run("games", program="mailq", status=69)
    run("nobody", program="mailq")
    run(None, program="mailq")
    run("games", "-q")
    run("nobody", "-q", status=69)
    run(None, "-q")


def test_odd_login_names(make_instance, public):
    """As directories have them; cron sends for these users as well."""
    i = make_instance(submit_socket=public / "submit.sock")
    passwd = public / "passwd"
    for n, (login, address) in enumerate((
            ("DOM\\eve", f'"DOM\\\\eve"@{HOST}'),
            ("eve@ad.example", "eve@ad.example"),
            ("eve doe", f'"eve doe"@{HOST}'),
            ("eve", f"eve@{HOST}"))):
        passwd.write_text(f"{login}:x:4242:4242:Eve:/:/bin/sh\n")
        r = subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             f"mount --bind {passwd} /etc/passwd && exec setpriv "
             "--reuid=4242 --regid=4242 --clear-groups "
             f"{public}/sendmail -C {public} {BOB}"],
            input=b"S: x\n\nx\n", capture_output=True, timeout=60)
        assert r.returncode == 0, r.stderr
        m = letters(i, "bob", n + 1)[n]
        assert m["Return-Path"] == f"<{address}>"
        assert m["From"] == f"Eve <{address}>"
