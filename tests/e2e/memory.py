# SPDX-License-Identifier: ISC
"""Looking for secrets in a process: its memory, and what its descriptors
hold."""

import pathlib

CHUNK = 1 << 20


def memory(pid):
    """All readable memory of a process, in overlapping pieces."""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            if "r" not in mode or "[v" in line:
                continue
            at, end = (int(x, 16) for x in span.split("-"))
            while at < end:
                n = min(CHUNK + 64, end - at)
                try:
                    mem.seek(at)
                    yield mem.read(n)
                except OSError:
                    pass
                at += CHUNK


def descriptors(pid):
    """What its memfds and files hold."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
            if fd.is_file() and not target.startswith("/dev/"):
                yield fd.read_bytes()
        except OSError:
            continue


def found_in(pid, patterns):
    found = set()
    for place in (memory, descriptors):
        for piece in place(pid):
            found |= {f"{place.__name__}: {name}"
                      for name, p in patterns.items() if p in piece}
    return found
