# SPDX-License-Identifier: ISC
"""mbsync and offlineimap: two homes and programs on the server's own files,
with random operations on all, come to equal stores.

POSTHOUSE_SYNC_SECONDS: for how long (tests/long takes ten minutes);
POSTHOUSE_SEED: other operations.
"""

import os
import time

import pytest

import homes
import posthouse as ph

SECONDS = int(os.environ.get("POSTHOUSE_SYNC_SECONDS", "0"))


def converge(i, tmp_path, programs, seconds):
    end = time.monotonic() + (SECONDS or seconds)
    world = homes.World(i, "bob", [
        homes.Home(i, "bob", tmp_path / f"home{n}", program)
        for n, program in enumerate(programs)], ph.SEED)
    rounds = 0
    while time.monotonic() < end:
        world.round(world.random.randrange(1, 30), storm=rounds % 3 == 2)
        world.settle()
        world.check()
        rounds += 1
    print(f"{programs}, seed {ph.SEED}: {rounds} rounds, "
          f"{len(world.done)} operations")


@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("programs, seconds", [
    (("mbsync", "mbsync"), 30), (("mbsync", "offlineimap"), 10)],
    ids=["mbsync", "offlineimap"])
def test_homes_become_equal(make_instance, tmp_path, programs, seconds):
    converge(make_instance(), tmp_path, programs, seconds)
