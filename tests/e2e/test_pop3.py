# SPDX-License-Identifier: ISC
"""POP3: what poplib, curl and fetchmail see, and what stays on the disk."""

import imaplib
import poplib
import time

import posthouse as ph
import pytest
from clients import Letter
from wire import Wire

USER = "alice@posthouse.test"


def put(instance, letter, user="alice"):
    """A letter in the mailbox, as a delivery would leave it."""
    box = instance.mailbox(user).path
    for part in (box, box / "new", box / "cur", box / "tmp"):
        if not part.exists():
            part.mkdir(parents=True)
            ph.os.chown(part, instance.vmail_uid, instance.vmail_uid)
            part.chmod(0o700)
    ph.os.chown(box.parent, instance.vmail_uid, instance.vmail_uid)
    f = box / "tmp" / letter.mark
    f.write_bytes(letter.bytes.replace(b"\r\n", b"\n"))
    ph.os.chown(f, instance.vmail_uid, instance.vmail_uid)
    f.rename(box / "new" / letter.mark)
    return letter


def log_in(instance, user="alice"):
    p = poplib.POP3("127.0.0.1", instance.pop3_port, timeout=60)
    p.user(instance.address(user))
    assert p.pass_(instance.users[user]).startswith(b"+OK")
    return p


@pytest.fixture
def box(instance):
    """alice's mailbox, empty, on a running instance."""
    p = log_in(instance)
    for n in range(p.stat()[0]):
        p.dele(n + 1)
    p.quit()
    assert instance.mailbox("alice").count() == 0
    return instance


def test_a_mailbox_begins_empty(make_instance):
    i = make_instance()
    p = log_in(i, "bob")
    assert p.stat() == (0, 0)
    p.quit()
    for part in ("new", "cur", "tmp"):
        d = i.mailbox("bob").path / part
        assert d.is_dir() and d.stat().st_uid == i.vmail_uid


def test_read_and_delete(box):
    letters = [put(box, Letter("one\r\n")),
               put(box, Letter(".\r\n..\r\n.dot\r\n")),
               put(box, Letter(("x" * 70 + "\r\n") * 1000))]
    p = log_in(box)
    n, octets = p.stat()
    assert n == 3 and octets == sum(len(l.bytes) for l in letters)
    sizes = [int(r.split()[1]) for r in p.list()[1]]
    seen = []
    for k in range(1, 4):
        lines = p.retr(k)[1]
        raw = b"\r\n".join(lines) + b"\r\n"
        assert len(raw) == sizes[k - 1]
        seen += [l for l in letters if l.is_in(raw)]
        head = b"\r\n".join(p.top(k, 0)[1])
        assert raw.startswith(head) and len(head) < len(raw)
    assert sorted(l.mark for l in seen) == sorted(l.mark for l in letters)
    p.dele(2)
    assert len(p.list()[1]) == 2
    p.quit()
    assert box.mailbox("alice").count() == 2


def test_nothing_goes_without_quit(box):
    put(box, Letter())
    p = log_in(box)
    p.dele(1)
    p.close()
    p = log_in(box)
    assert p.stat()[0] == 1
    p.dele(1)
    p.rset()
    p.quit()
    assert box.mailbox("alice").count() == 1


def test_uidl_is_durable(box):
    for _ in range(3):
        put(box, Letter())
    p = log_in(box)
    before = p.uidl()[1]
    assert len({l.split()[1] for l in before}) == 3
    p.dele(2)
    p.quit()
    box.stop()
    box.start()
    p = log_in(box)
    after = p.uidl()[1]
    p.quit()
    assert [l.split()[1] for l in after] == \
        [before[0].split()[1], before[2].split()[1]]


def test_two_clients_and_no_lock(box):
    put(box, Letter("first\r\n"))
    a, b = log_in(box), log_in(box)
    put(box, Letter("second\r\n"))
    assert a.stat()[0] == b.stat()[0] == 1
    c = log_in(box)
    assert c.stat()[0] == 2
    a.dele(1)
    a.quit()
    with pytest.raises(poplib.error_proto, match="removed"):
        b.retr(1)
    b.quit()
    c.quit()
    assert box.mailbox("alice").count() == 1


@pytest.mark.dev
def test_pipelined_with_the_login(box):
    letter = put(box, Letter("hello\r\n"))
    with Wire(box.pop3_port) as w:
        w.line()
        w.send(f"USER {USER}\r\nPASS {box.users['alice']}\r\n"
               "STAT\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
        said = w.rest()
    assert said.startswith(b"+OK\r\n+OK Logged in.\r\n+OK 1 ")
    assert letter.body in said and b"\r\n.\r\n" in said
    assert said.endswith(b"+OK Logging out.\r\n")
    assert box.mailbox("alice").count() == 0


def test_curl(box):
    letter = put(box, Letter("for curl\r\n"))
    url = f"pop3://127.0.0.1:{box.pop3_port}/"
    login = ["-sS", "--user", f"{USER}:{box.users['alice']}"]
    listing = ph.run(["curl", *login, url]).stdout.split()
    assert listing[0] == "1"
    assert letter.is_in(ph.run(["curl", *login, url + "1"]).stdout.encode())
    ph.run(["curl", *login, "-X", "DELE 1", "-I", url])
    assert box.mailbox("alice").count() == 0


def test_fetchmail(box, tmp_path):
    letters = [put(box, Letter(f"number {n}\r\n")) for n in range(5)]
    out = tmp_path / "out"
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f"poll 127.0.0.1 service {box.pop3_port} protocol POP3\n"
        f'  user "{USER}" password "{box.users["alice"]}"\n'
        f"  mda \"/bin/sh -c 'cat >>{out}'\"\n"
        "  sslproto ''\n  nokeep\n")
    rc.chmod(0o600)
    ph.run(["fetchmail", "-f", rc, "--nodetach", "--pidfile",
            tmp_path / "pid"], home=tmp_path)
    text = out.read_bytes()
    for letter in letters:
        assert letter.mark.encode() in text
    assert box.mailbox("alice").count() == 0


def test_a_slow_reader_gets_everything(box):
    """More than all buffers hold: the server waits for the client."""
    body = b"".join(b"%08d %s\r\n" % (n, b"." * 60) for n in range(100000))
    letter = put(box, Letter(body))
    with Wire(box.pop3_port, timeout=60) as w:
        w.line()
        w.send(f"USER {USER}\r\nPASS {box.users['alice']}\r\nRETR 1\r\n")
        ph.time.sleep(1)
        assert sum(kb for kb in resident(box, "pop3d")) < 60000
        w.send("QUIT\r\n")
        said = w.rest()
    assert letter.body in said


def resident(instance, name):
    """Resident kilobytes of each process of this name."""
    sizes = []
    for pid in instance.pids().get(name, []):
        with open(f"/proc/{pid}/status") as f:
            sizes += [int(l.split()[1]) for l in f if l.startswith("VmRSS")]
    return sizes


def test_pop3_and_imap_on_one_mailbox(box):
    letters = [put(box, Letter(f"{n}\r\n")) for n in range(6)]
    a, b = log_in(box), log_in(box)
    c = imaplib.IMAP4("127.0.0.1", box.imap_port)
    c.login(USER, box.users["alice"])
    assert c.select("INBOX")[1] == [b"6"]
    c.store("2", "+FLAGS", "(\\Deleted)")
    c.expunge()
    # Numbers stay what they were, for both.
    assert a.stat()[0] == b.stat()[0] == 6
    with pytest.raises(poplib.error_proto, match="removed"):
        a.retr(2)
    a.retr(1)
    a.dele(2)       # gone already: no matter
    a.dele(3)
    b.dele(3)       # both of them
    b.dele(4)
    c.store("5", "+FLAGS", "(\\Flagged)")   # a file gets another name
    text = b"".join(a.retr(6)[1])
    assert any(l.mark.encode() in text for l in letters)
    a.quit()
    b.quit()
    # IMAP is told of it all, and that POP3 has read one.
    c.noop()
    assert c.select("INBOX")[1] == [b"3"]
    assert c.search(None, "SEEN")[1][0].split() == [b"1", b"3"]
    assert c.search(None, "FLAGGED")[1][0].split() == [b"3"]
    c.logout()
    ph.wait_for(lambda: box.mailbox("alice").count() == 3, "files to go")
    box.wait_log(r"pop3\(alice@.*Disconnected: Logged out top=0, retr=2/\d+, "
                 r"del=2/6, size=\d+")


def patient_log_in(instance):
    """After deaths in a row spawner waits before the next one."""
    end = time.monotonic() + 30
    while True:
        try:
            return log_in(instance)
        except poplib.error_proto:
            assert time.monotonic() < end
            time.sleep(.1)


def test_killed_at_quit(box):
    """+OK means gone for good; what was not to go is there, whatever
    happens."""
    box.expected += ["was killed by signal 9"]
    answered = 0
    for delay in (0, .001, .003, .006, None):
        keep = [put(box, Letter("keep\r\n")) for _ in range(3)]
        p = patient_log_in(box)
        n = p.stat()[0]
        for k in range(1, n + 1):
            text = b"".join(p.top(k, 0)[1])
            if not any(l.mark.encode() in text for l in keep):
                p.dele(k)
        with p.sock as s:
            f = p.file
            for _ in range(20):
                put(box, Letter("new\r\n"))
            s.sendall(b"QUIT\r\n")
            said = b""
            if delay is None:
                said = f.readline()
            else:
                time.sleep(delay)
            box.kill("pop3d")
            try:
                ok = (said or f.readline()).startswith(b"+OK")
            except OSError:
                ok = False
        texts = box.mailbox("alice").messages()
        assert all(any(k.mark.encode() in t for t in texts) for k in keep)
        assert len(texts) >= 23
        if ok:
            assert len(texts) == 23
            answered += 1
        time.sleep(.05)
    assert answered > 0
