# SPDX-License-Identifier: ISC
"""The tests' own machinery: nothing of a test outlives it."""

import os
import signal
import subprocess
import sys

import posthouse as ph

# What a test does, in a process that can be killed.
TEST = """\
import sys
sys.path.insert(0, sys.argv[1])
import posthouse
i = posthouse.Instance(sys.argv[2]).start()
print(i.process.pid, i.uid_base, flush=True)
sys.stdin.read()
"""


def test_instance_ends_with_a_killed_test(tmp_path):
    """And its user ids are not given to another before that."""
    with subprocess.Popen(
            [sys.executable, "-c", TEST, ph.ROOT / "tests" / "e2e",
             tmp_path / "house"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True) as test:
        master, base = map(int, test.stdout.readline().split())
        house = [pid for pid, _, ppid, uid in ph.processes()
                 if ppid == master or base <= uid < base + 64]
        assert len(house) > 5
        os.kill(house[-1], signal.SIGSTOP)
        test.kill()
    ph.wait_for(lambda: sum(map(ph.alive, house)) < len(house),
                "the instance to see it")
    block = ph.UidBlock()
    assert block.base != base
    block.free()
    ph.kill(house[-1], signal.SIGCONT)
    ph.wait_for(lambda: not any(map(ph.alive, [master, *house])),
                "the instance to be gone")
