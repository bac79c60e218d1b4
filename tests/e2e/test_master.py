# SPDX-License-Identifier: ISC
"""master: reload, restart, stop, two masters, -u."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest

import clients
import posthouse as ph
from clients import Letter, wait_letter

PATIENCE = 10       # seconds for a greeting, were nobody there to say it


def said(port, host="127.0.0.1"):
    """The greeting, b"" if nobody speaks, None if nobody listens."""
    try:
        s = socket.create_connection((host, port), PATIENCE)
    except ConnectionRefusedError:
        return None
    with s:
        s.settimeout(PATIENCE)
        try:
            return s.recv(1000)
        except (TimeoutError, ConnectionResetError):
            return b""


def hold(port):
    """A session that stays open."""
    s = socket.create_connection(("127.0.0.1", port), 60)
    assert s.recv(1000).startswith(b"220 ")
    return s


def still_speaks(s):
    s.sendall(b"NOOP\r\n")
    return s.recv(1000).startswith(b"250 ")


def all_greet(port, n=30):
    """Every socket of a port (the kernel chooses one by the client's port)
    has somebody behind it."""
    return all((said(port) or b"").startswith(b"220 ") for _ in range(n))


def states(i, service):
    rows = [l.split() for l in i.posthouse("status").stdout.splitlines()]
    return [r[3] for r in rows if r[0] == service]


def wait_states(i, service, want):
    ph.wait_for(lambda: sorted(states(i, service)) == sorted(want),
                f"{service} to be {want}")


def test_listeners_come_move_and_go(make_instance):
    i = make_instance()
    first, second = i.smtp_port, ph.free_ports(1)[0]
    with hold(first) as s:
        i.set(listen_smtp=f"127.0.0.1:{first} 127.0.0.1:{second}")
        i.reload()
        ph.wait_for(lambda: all_greet(second), "the second port")
        assert all_greet(first)
        # The same port at an address that includes the old one.
        i.set(listen_smtp=f"0.0.0.0:{second}")
        i.reload()
        ph.wait_for(lambda: said(second, "127.0.0.3"), "the wider address")
        # A session that is not finished keeps its process, not the port.
        ph.wait_for(lambda: said(first) is None, "the first port to close")
        assert still_speaks(s)
        i.set(listen_smtp=f"127.0.0.1:{second}")
        i.reload()
        ph.wait_for(lambda: said(second, "127.0.0.3") is None,
                    "the wider address to close")
        assert all_greet(second)


def test_a_port_changes_its_protocol(make_instance):
    i = make_instance()
    i.set(listen_imap=f"127.0.0.1:{i.pop3_port}",
          listen_pop3=f"127.0.0.1:{i.imap_port}")
    i.reload()
    ph.wait_for(lambda: (said(i.pop3_port) or b"").startswith(b"* OK") and
                (said(i.imap_port) or b"").startswith(b"+OK"),
                "the ports to be exchanged")


def test_refused_reload_leaves_no_socket(make_instance):
    i = make_instance()
    other = ph.free_ports(1)[0]
    i.set(listen_smtp=f"127.0.0.1:{i.smtp_port} 127.0.0.1:{other} "
                      "192.0.2.1:25")
    r = i.posthouse("reload", check=False)
    assert r.returncode == 64
    assert "192.0.2.1:25" in r.stdout + r.stderr
    assert said(other) is None
    assert all_greet(i.smtp_port)


def test_workers_more_and_fewer_under_sessions(make_instance):
    i = make_instance(smtpd_workers="2")
    held = [hold(i.smtp_port) for _ in range(12)]
    for n in (1, 3, 1, 2):
        i.set(smtpd_workers=n)
        i.reload()
        ph.wait_for(lambda: states(i, "smtpd").count("ready") == n,
                    f"{n} workers")
        assert all_greet(i.smtp_port)
        held.append(hold(i.smtp_port))
    assert all(still_speaks(s) for s in held)
    for s in held:
        s.close()
    wait_states(i, "smtpd", ["ready"] * 2)


def test_fewer_workers_while_clients_come(make_instance):
    """Who is connected, but not accepted yet, is greeted by another worker."""
    i = make_instance(smtpd_workers="4")
    greetings, over = [], threading.Event()

    def come():
        while not over.is_set():
            greetings.append(said(i.smtp_port))

    threads = [threading.Thread(target=come) for _ in range(4)]
    for t in threads:
        t.start()
    for n in (1, 4, 3, 2, 4, 1):
        i.set(smtpd_workers=n)
        i.reload()
        wait_states(i, "smtpd", ["ready"] * n)
    over.set()
    for t in threads:
        t.join()
    assert len(greetings) > 100
    assert all((g or b"").startswith(b"220 ") for g in greetings)


def sockets(pid):
    """What its descriptors of sockets name."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return [f for f in found if f.startswith("socket:")]


def spread(i):
    """How many sockets 30 sessions under TLS cost each worker of tlsd."""
    pids = i.pids()["tlsd_user"]
    before = [len(sockets(p)) for p in pids]
    held = [socket.create_connection(("127.0.0.1", i.imaps_port), 60)
            for _ in range(30)]
    held = [i.tls_context().wrap_socket(s, server_hostname="localhost")
            for s in held]
    for s in held:
        assert s.recv(4) == b"* OK"
    after = [len(sockets(p)) for p in pids]
    for s in held:
        s.close()
    return [b - a for a, b in zip(before, after)]


@pytest.mark.parametrize("what", ["reload", "login", "tlsd_user"])
def test_askers_are_spread_over_workers(make_instance, what):
    """Each worker of login has a worker of tlsd of its own, whatever has been
    restarted in which order."""
    i = make_instance(login_workers="3", tlsd_workers="3")
    service = "login" if what == "reload" else what
    for _ in range(3):
        gone = set(i.pids()[service])
        if what == "reload":
            i.reload()
        else:
            gone = {min(gone)}
            os.kill(min(gone), signal.SIGKILL)
        ph.wait_for(lambda: not gone & set(i.pids()[service]) and
                    states(i, service) == ["ready"] * 3, "all workers")
        # When the channels are there.
        ph.wait_for(lambda: min(spread(i)) > 0, "all to have work", pause=0.2)


def test_reload_during_reload(make_instance):
    i = make_instance()
    master = i.process.pid
    for n in range(6):
        i.set(smtpd_banner=f"$myhostname round{n}")
        # Not by command: that would wait for each.
        os.kill(master, signal.SIGHUP)
        time.sleep(0.01 * n)
    i.set(smtpd_banner="$myhostname last")
    i.reload()
    i.reload()
    wait_states(i, "smtpd", ["ready"] * 2)
    for _ in range(20):
        assert b" last" in said(i.smtp_port)


def test_death_during_reload(make_instance):
    i = make_instance()
    for _ in range(3):
        before = set(i.pids()["smtpd"])
        os.kill(i.process.pid, signal.SIGHUP)
        for pid in before:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        ph.wait_for(lambda: not before & set(i.pids().get("smtpd", [])) and
                    states(i, "smtpd") == ["ready"] * 2,
                    "two new workers, no more")
    time.sleep(1.5)     # the back-off of one that should not come
    assert states(i, "smtpd") == ["ready"] * 2
    assert all_greet(i.smtp_port)


@pytest.mark.parametrize("service", ["smtpd", "login"])
def test_a_sibling_serves_during_backoff(make_instance, service):
    i = make_instance()
    port = i.smtp_port if service == "smtpd" else i.imap_port
    hello = b"220 " if service == "smtpd" else b"* OK"
    wait_states(i, service, ["ready"] * 2)
    stays, dies = i.pids()[service]
    # 0 s or 1 s, then 2 s, then 4 s.
    for _ in range(3):
        os.kill(dies, signal.SIGKILL)
        ph.wait_for(lambda: dies not in i.pids().get(service, []), "its end")
        if not ph.wait_for(lambda: "down" in states(i, service) or
                           len(i.pids()[service]) == 2, "back-off"):
            continue
        down = "down" in states(i, service)
        if down and _ > 0:
            assert all((said(port) or b"").startswith(hello)
                       for _ in range(20))
        ph.wait_for(lambda: states(i, service) == ["ready"] * 2, "the restart")
        new = [p for p in i.pids()[service] if p != stays]
        assert len(new) == 1
        dies = new[0]
    # Lent again and again, its sockets are there but once.
    there = sockets(stays)
    assert len(there) == len(set(there))


def test_backoff_grows_and_bad_start_ends_it(make_instance):
    i = make_instance()
    died, gone = [], set()
    for _ in range(4):
        ph.wait_for(lambda: not gone & set(i.pids().get("router", ())) and
                    states(i, "router") == ["ready"], "router")
        died.append(time.monotonic())
        gone = set(i.kill("router"))
    ph.wait_for(lambda: not gone & set(i.pids().get("router", ())) and
                states(i, "router") == ["ready"], "router")
    waits = [b - a for a, b in zip(died, died[1:])]
    assert waits[2] > 3.5 and waits[1] > 1.5, waits
    # A reload restarts nobody who runs, and mail flows again.
    letter = Letter()
    clients.send_smtplib(i, letter, [i.address("bob")])
    wait_letter(i, "bob", letter)


def test_stop_with_open_sessions(make_instance):
    i = make_instance()
    held = [hold(i.smtp_port) for _ in range(20)]
    half = hold(i.smtp_port)
    half.sendall(b"EHLO x\r\n")
    assert half.recv(1000).startswith(b"250")
    half.sendall(f"MAIL FROM:<>\r\nRCPT TO:<{i.address('bob')}>\r\nDATA\r\n".encode())
    half.sendall(b"Subject: never finished\r\n")
    imap = clients.imaplib.IMAP4("127.0.0.1", i.imap_port)
    imap.login(i.address("alice"), i.users["alice"])
    imap.select()
    imap.send(b"x IDLE\r\n")
    i.stop()
    for s in (*held, half):
        s.close()
    assert i.mailbox("bob").count() == 0


def second_of(i, **changes):
    """main.cf of i, with changes, in a directory of its own."""
    conf = i.dir / "conf2"
    shutil.copytree(i.conf_dir, conf, dirs_exist_ok=True)
    lines = [l for l in (conf / "main.cf").read_text().splitlines()
             if l.split("=")[0].strip() not in changes]
    lines += [f"{k} = {v}" for k, v in changes.items()]
    (conf / "main.cf").write_text("\n".join(lines) + "\n")
    return subprocess.run(
        [i.master, "-c", conf, "--uid-base", str(i.uid_base)],
        env=ph.clean_env(), capture_output=True, text=True, timeout=60)


def test_second_master_on_the_same_ports(instance):
    r = second_of(instance, pid_file=instance.dir / "other.pid",
                  socket_directory=instance.dir / "sock2")
    assert r.returncode != 0 and str(instance.smtp_port) in r.stderr
    assert instance.posthouse("status").returncode == 0
    assert all_greet(instance.smtp_port)


def test_second_master_on_the_same_control_socket(instance):
    a, b, c = ph.free_ports(3)
    r = second_of(instance, pid_file=instance.dir / "other.pid",
                  listen_smtp=f"127.0.0.1:{a}", listen_imap=f"127.0.0.1:{b}",
                  listen_pop3=f"127.0.0.1:{c}")
    assert r.returncode == os.EX_TEMPFAIL
    assert "control.sock" in r.stderr
    assert instance.posthouse("status").returncode == 0


def test_closed_standard_files(make_instance):
    """What is opened first must not end as a child's standard input."""
    i = make_instance(start=False)
    i.start(wrapper=["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh"])
    assert all_greet(i.smtp_port)


UNPRIVILEGED = 59999


@pytest.fixture
def tree():
    """A directory somebody without rights can reach, with the programs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        os.chmod(d, 0o755)
        path = pathlib.Path(d)
        (path / "bin").mkdir()
        for f in ("master", "logd", "smtpd", "submitd", "qmgr", "router",
                  "keyd", "tlsd_mx", "tlsd_user", "authd", "pamd", "login",
                  "spawner", "smtp", "dnsd", "dialer", "posthouse"):
            shutil.copy(ph.BIN / f, path / "bin" / f)
        yield path


def test_without_root(make_instance, tree):
    """-u: the same processes, as whoever started master."""
    i = make_instance(start=False)
    where = tree / "run"
    ports = ph.free_ports(3)
    subprocess.run([ph.ROOT / "conf" / "instance", where, "60000",
                    *map(str, ports)], check=True, env=ph.clean_env())
    cf = where / "conf" / "main.cf"
    cf.write_text(cf.read_text().replace("60048", str(UNPRIVILEGED)))
    for name in ("users", "vmailbox"):
        shutil.copy(i.conf_dir / name, where / "conf" / name)
    for d, dirs, files in os.walk(where):
        for f in (d, *(os.path.join(d, x) for x in files)):
            os.chown(f, UNPRIVILEGED, UNPRIVILEGED)
    drop = [ph.tool("setpriv"), f"--reuid={UNPRIVILEGED}",
            f"--regid={UNPRIVILEGED}", "--clear-groups"]
    refused = subprocess.run([*drop, tree / "bin" / "master", "-c",
                              where / "conf"], env=ph.clean_env(),
                             capture_output=True, text=True, timeout=30)
    assert refused.returncode == os.EX_NOPERM and "-u" in refused.stderr
    master = ph.spawn([*drop, tree / "bin" / "master", "-u", "-c",
                       where / "conf"], start_new_session=True)
    try:
        ph.wait_for(lambda: (said(ports[0]) or b"").startswith(b"220 "),
                    "its greeting")
        ph.wait_for(lambda: "\nrunning" in ph.run(
            [*drop, tree / "bin" / "posthouse", "-c", where / "conf",
             "status"], check=False).stdout, "all daemons to be up")
        uids = {uid for pid, name, ppid, uid in ph.processes()
                if ppid == master.pid}
        assert uids == {UNPRIVILEGED}
        i.smtp_port, i.imap_port, i.pop3_port = ports
        letter = Letter()
        clients.send_smtplib(i, letter, [i.address("bob")])
        wait_letter(i, "bob", letter, clients.read_imaplib)
        r = subprocess.run([*drop, tree / "bin" / "posthouse", "-c",
                            where / "conf", "stop"], env=ph.clean_env(),
                           capture_output=True, text=True, timeout=30)
        assert r.returncode == 0, r.stderr
        assert master.wait(60) == 0
    finally:
        if master.poll() is None:
            master.terminate()
            master.wait(60)
    log = (where / "log" / "mail.log").read_text()
    assert not [a for a in ph.ALARMS if a in log]


# --- sockets in the file system

def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


def test_socket_of_submission(make_instance):
    i = make_instance()
    path = i.dir / "sock" / "submit.sock"
    assert listens(path)
    assert stat.S_IMODE(path.lstat().st_mode) == 0o666
    other = i.dir / "sock" / "other.sock"
    i.set(submit_socket=other)
    i.reload()
    assert listens(other) and not path.exists()
    i.set(submit_socket="")
    i.reload()
    assert not other.exists()
    i.set(submit_socket=path)
    i.reload()
    first = path.stat().st_ino
    i.reload()
    assert listens(path) and path.stat().st_ino == first
    # What a dead master left is replaced, and goes at an orderly end.
    i.kill_all()
    assert path.exists() and not listens(path)
    i.start()
    assert listens(path)
    i.stop()
    assert not path.exists()


@pytest.mark.parametrize("there", ["file", "link", "socket", "directory"])
def test_socket_takes_nobodys_place(make_instance, there):
    i = make_instance(submit_socket="")
    path = i.dir / "sock" / "taken"
    target = i.dir / "target"
    with socket.socket(socket.AF_UNIX) as s:
        if there == "socket":
            s.bind(str(path))
            s.listen()
        elif there == "link":
            target.write_text("mine")
            path.symlink_to(target)
        elif there == "directory":
            path = i.dir / "open" / "taken"
            path.parent.mkdir()
            path.parent.chmod(0o1777)
        else:
            path.write_text("mine")
        i.set(submit_socket=path)
        r = i.posthouse("reload", check=False)
    assert r.returncode == 64 and str(path) in r.stdout + r.stderr
    assert path.exists() or there == "directory"
    assert there != "link" or target.read_text() == "mine"


def test_tls_ports_without_a_certificate(make_instance):
    i = make_instance(smtpd_tls_chain_files=None)
    for port in (i.submissions_port, i.imaps_port, i.pop3s_port):
        assert said(port) == b""
    for who in ("submission/smtpd", "imap-login", "pop3-login"):
        i.wait_log(f"{who}.*there is no certificate")
    assert all_greet(i.smtp_port, 3) and said(i.imap_port)
