# SPDX-License-Identifier: ISC
"""What systemd does to master, done here: sockets handed over."""

import contextlib
import os
import socket
import stat
import sys

import posthouse as ph

# Give the sockets whose descriptors are named the numbers from 3 on, and become
# the program, as sd_listen_fds(3) says.
LAUNCHER = """\
import fcntl, os, sys
pid, fds = sys.argv[1], [int(a) for a in sys.argv[2].split(",")]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n)
os.closerange(3 + len(fds), 1000)
os.environ.update(LISTEN_PID=pid or str(os.getpid()),
                  LISTEN_FDS=str(len(fds)))
os.execv(sys.argv[3], sys.argv[3:])
"""


def start_with(i, sockets, pid="", wait=True):
    fds = [s.fileno() for s in sockets]
    for fd in fds:
        os.set_inheritable(fd, True)
    return i.start(wait=wait, pass_fds=fds, wrapper=[
        sys.executable, "-c", LAUNCHER, pid, ",".join(map(str, fds))])


def tcp(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen()
    return s


def unix(path, mode=0o666):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    path.chmod(mode)
    s.listen()
    return s


def inode(path):
    return path.stat().st_ino


def held(i, sock):
    """The processes that have this socket."""
    want = os.readlink(f"/proc/self/fd/{sock.fileno()}")
    found = []
    for name, pid in [*i.tree(), ("master", i.process.pid)]:
        try:
            fds = os.listdir(f"/proc/{pid}/fd")
        except FileNotFoundError:
            continue
        for fd in fds:
            # It may have been closed just now.
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == want:
                    found.append(name)
                    break
    return sorted(found)


def test_sockets_are_taken(make_instance):
    i = make_instance(start=False)
    with tcp(i.smtp_port) as smtp, unix(i.submit_socket) as submit:
        start_with(i, [smtp, submit])
        # Each worker has it; nobody has bound another.
        assert held(i, smtp) == ["master", "smtpd", "smtpd"]
        assert held(i, submit) == ["master", "submitd", "submitd"]
        for _ in range(10):
            assert ph.greeting(i.smtp_port).startswith(b"220 ")
        # It goes and comes back with the configuration.
        other = ph.free_ports(1)[0]
        i.set(listen_smtp=f"127.0.0.1:{other}")
        i.reload()
        ph.wait_for(lambda: held(i, smtp) == ["master"], "its end")
        i.set(listen_smtp=f"127.0.0.1:{i.smtp_port}")
        i.reload()
        ph.wait_for(lambda: held(i, smtp) == ["master", "smtpd", "smtpd"],
                    "its return")
        assert ph.greeting(i.smtp_port).startswith(b"220 ")
        # The socket is systemd's: it outlives us, and clients wait.
        before = inode(i.submit_socket)
        i.stop()
        assert inode(i.submit_socket) == before
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(i.submit_socket))
            start_with(i, [submit, smtp])
        assert held(i, submit) == ["master", "submitd", "submitd"]


def test_other_sockets_are_named_in_the_log(make_instance):
    i = make_instance(start=False)
    other = i.dir / "sock" / "other"
    port = ph.free_ports(1)[0]
    with tcp(port) as s, unix(other) as u, socket.socket() as none, \
            open("/dev/null") as file:
        start_with(i, [s, none, u, file])
        i.wait_log(f"127.0.0.1:{port}: a socket from systemd that the "
                   "configuration does not name is not served")
        i.wait_log(f"{other}: a socket from systemd")
    out = (i.dir / "master.out").read_text()
    assert "descriptor 4 from systemd is no listening stream socket" in out
    assert "descriptor 6 from systemd" in out
    assert stat.S_IMODE(i.submit_socket.stat().st_mode) == 0o666


def test_sockets_of_another_process_are_left(make_instance):
    i = make_instance(start=False)
    port = ph.free_ports(1)[0]
    with tcp(port) as s:
        start_with(i, [s], pid="1")
    assert "systemd" not in i.log_text()
    for name, pid in i.tree():
        env = open(f"/proc/{pid}/environ").read()
        assert "LISTEN" not in env, name
