# SPDX-License-Identifier: ISC
import pytest

import clients
import posthouse as ph
from clients import Letter, wait_letter


@pytest.fixture
def unmoved(instance):
    """After the abuse the same processes run, and a letter gets through."""
    def daemons():
        return {name: pids for name, pids in instance.pids().items()
                if name not in ("deliver", "imapd", "pop3d")}

    before = daemons()
    yield instance
    # A process that is being forked bears its parent's name for a moment.
    ph.wait_for(lambda: daemons() == before, lambda:
                f"the daemons to be {before}: {daemons()}")
    letter = Letter()
    clients.send_smtplib(instance, letter, [instance.address("alice")])
    for reader in (clients.read_maildir, clients.read_imaplib,
                   clients.read_poplib):
        wait_letter(instance, "alice", letter, reader)
    for f in instance.mailbox("alice").files():
        f.unlink()
