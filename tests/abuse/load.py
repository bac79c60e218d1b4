# SPDX-License-Identifier: ISC
"""What a process has cost, whatever else the machine does meanwhile."""

import pathlib
import re
import time


def _status(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", text)[1])


def peak(pid):
    """KiB that it has had in memory at most."""
    return _status(pid, "VmHWM")


def own(pid):
    """KiB that are its own; pages of files come and go as the kernel likes."""
    return _status(pid, "RssAnon")


def worked(pid):
    """The seconds in which it had a processor: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)
