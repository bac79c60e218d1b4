# SPDX-License-Identifier: ISC
"""Delivery into mbox files: in the spool directory, below the home, below
virtual_mailbox_base; locks, limits, odd files, kill -9."""

import os
import stat
import time

import mboxes
import posthouse as ph
import pytest


@pytest.mark.dev
def test_spool(make_instance):
    s = mboxes.Spool(make_instance).start()
    s.send("first", "From here\r\n>From there\r\n.dot\r\n")
    ph.wait_for(lambda: s.file().exists() and s.file().stat().st_size, "mail")
    st = s.file().stat()
    assert int(st.st_atime) < int(st.st_mtime), "a shell sees no new mail"
    s.send("second", to="dave")
    m, = s.wait(1)
    assert m.get_from().startswith("s@example.org  ")
    assert m["Return-Path"] == "<s@example.org>"
    assert m["X-Original-To"] == m["Delivered-To"] == "carol@localhost"
    assert m.get_payload() == ">From here\n>From there\n.dot\n"
    assert stat.S_IMODE(st.st_mode) == 0o660
    assert (st.st_uid, st.st_gid) == (mboxes.UID, mboxes.GROUP)
    s.wait(1, "dave")
    for k in range(20):
        s.send(f"more {k}")
    s.wait(21)
    assert s.subjects() == ["first"] + [f"more {k}" for k in range(20)]
    ph.wait_for(lambda: sorted(p.name for p in s.path.iterdir()) ==
                ["carol", "dave"], "the locks to be gone")
    assert "delivered to mailbox" in s.instance.log_text()
