# SPDX-License-Identifier: ISC
"""Debian's Dovecot in a private root, to compare answers with."""

import os
import signal
import socket
import subprocess

import posthouse as ph

PEER = ph.ROOT / "tests" / "peers" / "peer.sh"
CONF = """\
protocols = imap
listen = 127.0.0.1
base_dir = {work}/run
state_dir = {work}/state
log_path = {work}/log/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{work}/mail/%n
first_valid_uid = {uid}
mailbox_list_index = no
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={work}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
  separator = .
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
  mailbox Archive {{
    special_use = \\Archive
  }}
}}
{more}
"""


class Dovecot:
    """Any user, with the password "secret"."""

    user, password = "test", "secret"

    def __init__(self, directory, more=""):
        self.work = directory / "dovecot"
        for d in ("conf", "run", "state", "log", "mail"):
            (self.work / d).mkdir(parents=True)
        self._uids = ph.UidBlock()
        self.uid = self._uids.base + 48
        os.chown(self.work / "mail", self.uid, self.uid)
        (self.imap_port,) = ph.free_ports(1)
        ph.run([PEER, "make", "dovecot", "dovecot-imapd", "dovecot-pop3d"],
               timeout=600)
        conf = self.work / "conf" / "dovecot.conf"
        conf.write_text(CONF.format(work=self.work, uid=self.uid,
                                    port=self.imap_port, more=more))
        with open(self.work / "log" / "out", "ab") as out:
            self.process = subprocess.Popen(
                [PEER, "run", "dovecot", "-b", self.work, "/bin/sh", "-c",
                 f"p={self.work}; "
                 'while p=$(dirname "$p"); [ "$p" != / ]; do chmod a+x "$p"; '
                 f"done; exec dovecot -F -c {conf}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=ph.clean_env(), start_new_session=True)
        ph.wait_for(self._answers, "Dovecot to answer", 60)

    def _answers(self):
        assert self.process.poll() is None, self.log()
        try:
            with socket.create_connection(("127.0.0.1", self.imap_port),
                                          5) as s:
                return s.recv(100).startswith(b"* OK")
        except OSError:
            return False

    def log(self):
        return "".join(f.read_text(errors="replace")
                       for f in sorted((self.work / "log").iterdir()))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._uids.free()
