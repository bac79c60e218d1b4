# SPDX-License-Identifier: ISC
"""imapd without the rest of the house: imapd_serve over one Maildir, on a
loopback port, where every user and password will do."""

import pathlib
import signal

import posthouse as ph


class Serve:
    def __init__(self, root, mail="Maildir"):
        self.root, self.mail = pathlib.Path(root), mail
        self.port, = ph.free_ports(1)
        ph.witnesses.append(self.root / "imapd.log")
        self.start()

    def start(self):
        with open(self.root / "imapd.log", "ab") as log:
            self.process = ph.spawn([ph.BIN / "imapd_serve", self.root,
                                     self.mail, str(self.port)], stderr=log)
        ph.wait_for(self._answers, "imapd_serve to answer")

    def _answers(self):
        assert self.process.poll() is None, self.log()
        return ph.greeting(self.port).startswith(b"* OK")

    def log(self):
        return (self.root / "imapd.log").read_text(errors="replace")

    def imapd(self):
        """The pid of the process that serves the Maildir."""
        pid = self.process.pid
        task = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        return int(ph.wait_for(task.read_text, "the process of the Maildir"))

    def kill(self):
        ph.kill(self.imapd())
        self.stop(signal.SIGKILL)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        self.process.wait(60)
