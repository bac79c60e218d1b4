# SPDX-License-Identifier: ISC
"""Debian's Dovecot in a private root, to compare answers with."""

import os

import peer
import posthouse as ph

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
        ph.witnesses.append(self.work)
        self._uids = ph.UidBlock()
        self.uid = self._uids.base + 48
        os.chown(self.work / "mail", self.uid, self.uid)
        (self.imap_port,) = ph.free_ports(1)
        peer.make("dovecot", "dovecot-imapd", "dovecot-pop3d")
        conf = self.work / "conf" / "dovecot.conf"
        conf.write_text(CONF.format(work=self.work, uid=self.uid,
                                    port=self.imap_port, more=more))
        self._server = peer.Server("dovecot", "dovecot", "-F", "-c", conf,
                                  binds=[self.work],
                                  said=self.work / "log" / "out")
        ph.wait_for(self._answers, "Dovecot to answer", 60)

    def _answers(self):
        assert not self._server.ended(), self.log()
        return ph.greeting(self.imap_port).startswith(b"* OK")

    def log(self):
        return "".join(f.read_text(errors="replace")
                       for f in sorted((self.work / "log").iterdir()))

    def stop(self):
        self._server.stop()
        self._uids.free()
