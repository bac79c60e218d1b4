# SPDX-License-Identifier: ISC
"""Debian's Courier in a private root: one user, by PAM."""

import os

import peer
import posthouse as ph

RUN = """\
set -e
echo "{user}:x:{uid}:{uid}::{work}/home:/bin/sh" >>/etc/passwd
echo "{user}:*:19000:0:99999:7:::" >>/etc/shadow
echo "{user}:{password}" | chpasswd
mkdir -p /run/courier/authdaemon
/usr/sbin/authdaemond start
set -a
. /etc/courier/imapd
. /etc/courier/pop3d
set +a
tcpd="/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=40 -maxperip=40 \\
  -nodnslookup -noidentlookup"
$tcpd {pop3} /usr/lib/courier/courier/courierpop3login \\
  /usr/lib/courier/courier/courierpop3d Maildir &
$tcpd {imap} /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir &
wait
"""


class Courier:
    def __init__(self, directory, user):
        self.work = directory / "courier"
        self.user, self.password = user, "secret"
        self.maildir = self.work / "home" / "Maildir"
        for d in ("cur", "new", "tmp"):
            (self.maildir / d).mkdir(parents=True)
        self._uids = ph.UidBlock()
        self.uid = self._uids.base + 48
        for d in (self.work / "home", self.maildir,
                  *self.maildir.iterdir()):
            os.chown(d, self.uid, self.uid)
        self.imap_port, self.pop3_port = ph.free_ports(2)
        peer.make("courier", "courier-imap", "courier-pop",
                  "courier-authdaemon")
        self.said = self.work / "out"
        self._server = peer.Server(
            "courier", "/bin/sh", "-c",
            RUN.format(work=self.work, user=user, uid=self.uid,
                       password=self.password, imap=self.imap_port,
                       pop3=self.pop3_port),
            binds=[self.work], said=self.said)
        for port, hello in ((self.imap_port, b"* OK"),
                            (self.pop3_port, b"+OK")):
            ph.wait_for(lambda: self._answers(port, hello),
                        "Courier to answer", 60)

    def _answers(self, port, hello):
        assert not self._server.ended(), self.said.read_text()
        return ph.greeting(port).startswith(hello)

    def stop(self):
        self._server.stop()
        self._uids.free()
