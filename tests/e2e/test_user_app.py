# SPDX-License-Identifier: ISC
"""posthouse user app: the administrator's side of app passwords."""

import re

import pytest

ALICE = "alice@posthouse.test"


@pytest.fixture
def offline(make_instance):
    return make_instance(start=False)


@pytest.mark.dev
def test_add_list_remove(offline):
    user = offline.posthouse
    first = user("user", "app", "add", "Alice@posthouse.test", "my phone",
                 "--services", "imap,smtp", "--expires", "90d").stdout.strip()
    second = user("user", "app", "add", ALICE, "laptop").stdout.strip()
    for password in (first, second):
        assert re.fullmatch(r"([a-z2-9]{5}-){4}[a-z2-9]{5}", password)
    assert first != second
    file = offline.conf_dir / "app_passwords"
    assert file.stat().st_mode & 0o7777 == 0o600
    assert first not in file.read_text()
    rows = [l.split("\t") for l in
            user("user", "app", "list", ALICE).stdout.splitlines()]
    assert rows[0][:2] == ["my phone", "imap,smtp"]
    assert re.match(r"20\d\d-", rows[0][2])
    assert rows[1] == ["laptop", "imap,pop3,smtp", "never", "-"]
    assert user("user", "app", "list", "bob@posthouse.test").stdout == ""
    user("user", "app", "remove", ALICE, "my phone")
    assert user("user", "app", "list", ALICE).stdout.count("\n") == 1
    assert user("user", "app", "remove", ALICE, "my phone",
                check=False).returncode == 1
    # Whose name is gone has no passwords left for the next of that name.
    user("user", "app", "add", "bob@posthouse.test", "x")
    user("user", "delete", ALICE)
    assert "alice" not in file.read_text()
    assert file.read_text().startswith("bob@posthouse.test:x:::{SSHA256}")


def test_refused(offline):
    def status(*args):
        return offline.posthouse("user", "app", *args,
                                 check=False).returncode

    assert status("add", "nobody@posthouse.test", "x") == 1
    assert status("add", ALICE, "x") == 0
    assert status("add", ALICE, "x") == 1
    assert status("add", ALICE, "a:b") == 64
    assert status("add", ALICE, "") == 64
    assert status("add", ALICE, "y", "--services", "ftp") == 64
    assert status("add", ALICE, "y", "--expires", "soon") == 64
    assert status("add", ALICE) == 64
    assert status() == 64
    for i in range(31):
        assert status("add", ALICE, f"n{i}") == 0
    assert status("add", ALICE, "one more") == 1
