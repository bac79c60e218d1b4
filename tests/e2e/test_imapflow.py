# SPDX-License-Identifier: ISC
"""imapflow, the IMAP client of Node: e2e/imapflow/walk.cjs does the walk."""

import fcntl
import shutil
import subprocess

import pytest

import posthouse as ph

HERE = ph.ROOT / "tests" / "e2e" / "imapflow"


def modules():
    """imapflow in the versions of package-lock.json, installed once."""
    there = ph.ROOT / "build" / "tests" / "imapflow"
    there.mkdir(parents=True, exist_ok=True)
    lock_file = HERE / "package-lock.json"
    with open(there / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = there / "done"
        if not done.exists() or done.read_text() != lock_file.read_text():
            shutil.copy(HERE / "package.json", there)
            shutil.copy(lock_file, there)
            # In the caller's environment, which knows the registry.
            r = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=there, capture_output=True, text=True, timeout=500)
            assert r.returncode == 0, r.stdout + r.stderr
            done.write_text(lock_file.read_text())
    return there / "node_modules"


@pytest.mark.dev
def test_walk(make_instance):
    i = make_instance()
    r = subprocess.run(
        [ph.tool("node"), HERE / "walk.cjs", "localhost", str(i.imap_port),
         i.address("bob"), i.users["bob"], i.ca_file],
        env=ph.clean_env(NODE_PATH=str(modules())), capture_output=True,
        text=True, timeout=300)
    assert r.stdout == "walked\n", r.stdout + r.stderr
