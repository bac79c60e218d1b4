# SPDX-License-Identifier: ISC
"""A user who owns his Maildir puts odd things into it: the answer is clear and
comes soon, and nobody else is kept from his mail."""

import imapwire
import pytest

from load import worked


@pytest.fixture
def serve(tmp_path):
    imapwire.make_maildir(tmp_path / "Maildir", [b"Subject: x\n\ny\n"])
    s = imapwire.Serve(tmp_path)
    yield s
    s.stop()


@pytest.mark.parametrize("name", ["posthouse.use", "subscriptions",
                                  "posthouse.folders"])
def test_a_file_of_a_terabyte(serve, tmp_path, name):
    """It has no blocks; who reads on until its end reads for an hour."""
    with open(tmp_path / "Maildir" / name, "wb") as f:
        f.truncate(1 << 40)
    c = serve.connect()
    for command in ('LIST "" *', 'LSUB "" *', "SUBSCRIBE x",
                    "CREATE y (USE (\\Sent))", "STATUS INBOX (MESSAGES)"):
        assert c.command(command).startswith(("OK", "NO "))
    assert worked(serve.imapd()) < 10
