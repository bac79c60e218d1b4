# SPDX-License-Identifier: ISC
"""Programs of others in private roots (tests/peers/peer.sh)."""

import contextlib
import os
import signal
import subprocess

import posthouse as ph

PEER = ph.ROOT / "tests" / "peers" / "peer.sh"


def make(root, *packages):
    """The root called so, with these packages of Debian's."""
    ph.run([PEER, "make", root, *packages], timeout=900)


def command(root, *argv, binds=()):
    """The words that run argv in a root, in which the directories BINDS are
    the host's own."""
    return [PEER, "run", root, *(w for d in binds for w in ("-b", d)), *argv]


def run(root, *argv, binds=(), **kw):
    return ph.run(command(root, *argv, binds=binds), **kw)


class Server:
    """What runs in a root until stop().  said: the file for its output."""

    def __init__(self, root, *argv, binds, said, **env):
        with open(said, "ab") as out:
            self.process = ph.spawn(
                command(root, *argv, binds=binds), env=ph.clean_env(**env),
                stdout=out, stderr=out, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def ended(self):
        return self.process.poll() is not None

    def stop(self, pid=None):
        """End the server, whose main process is PID, and all of its session."""
        if not self.ended():
            ph.kill(pid or self.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        for p, *_ in ph.processes():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(p) == self.pid:
                    ph.kill(p)
        self.process.wait(60)
