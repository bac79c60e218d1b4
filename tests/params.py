#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""params.py SOURCE POSTHOUSE: the names of parameters that stand in the code
of each process, against the `users` of the parameters' rows.

A process that asks for a parameter it was not sent ends as a bug, perhaps in a
case no test reaches; one that is sent what it never asks for knows more than it
needs."""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import documents  # noqa: E402

# The user's processes are forked by spawner and have its copy.
ROOMS = {
    "master": "master", "logd": "services/logd", "smtpd": "smtpd",
    "qmgr": "qmgr", "smtp": "smtp", "router": "services/router",
    "authd": "services/authd",
    "pamd": "services/pamd",
    "submitd": "submitd", "keyd": "services/keyd",
    "tlsd_mx": "services/tlsd", "tlsd_user": "services/tlsd",
    "login": "services/login", "spawner": "services/spawner",
    "deliver": "local", "imapd": "imapd", "pop3d": "pop3d", "ctl": "ctl",
}
FORKED = ("deliver", "imapd", "pop3d")
RECEIVERS = ("smtpd", "submitd")  # and lib/receive is in both
SHARED = {                        # files of lib/frame that ask
    "rawlog.c": ("imapd", "pop3d"),
    "pop3_capa.c": ("login", "pop3d"),
}
COMMON = {"sandbox_missing", "debug_services"}  # asked in lib/frame
# master finds these through the service table; elsewhere they are names of
# descriptors.
BY_TABLE = re.compile(
    r"listen_\w+|\w+_workers|(submit|auth|dialer)_socket\w*")
# What each transport has of its own is asked for as NAME_KEY.
TRANSPORTS = {"smtp", "router"}
KEY = re.compile(r"(smtp|lmtp)_(\w+)")
# smtp looks for ports to connect to in these, whatever their names.
PORTS = re.compile(r"relayhost|\w+_(transport|tcp_port|fallback_relay)")
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def literals(directory, files="*.c"):
    """The string literals of a room, without its rows and tests."""
    found = set()
    for f in directory.glob(files):
        if f.name != "params.c" and not f.stem.endswith(
                ("_test", "_fuzz")) and "testbed" not in f.stem:
            found |= {s[1:-1] for s in LITERAL.findall(f.read_text())}
    return found


def main():
    top, posthouse = pathlib.Path(sys.argv[1]), sys.argv[2]
    manual = subprocess.run([posthouse, "conf", "--manual"], check=True,
                            capture_output=True, text=True).stdout
    sent = {k: set(v) for k, v in documents.users(manual).items()}
    names = set().union(*sent.values()) - COMMON
    asked = {s: literals(top / d) for s, d in ROOMS.items()}
    for process in TRANSPORTS:
        keys = {n: m[2] for n in names if (m := KEY.fullmatch(n))}
        asked[process] = asked[process] - set(keys.values()) | {
            n for n, key in keys.items() if key in asked[process]}
    asked["smtp"] |= {n for n in names if PORTS.fullmatch(n)
                      and n in sent["smtp"]}
    asked = {s: found & names for s, found in asked.items()}
    for process in RECEIVERS:
        asked[process] |= literals(top / "lib/receive") & names
    for file, processes in SHARED.items():
        for process in processes:
            asked[process] |= literals(top / "lib/frame", file) & names
    wrong = []
    for process in ROOMS:
        has = sent.get(process, set())
        if process in FORKED:
            has = has | sent.get("spawner", set())
        for name in sorted(asked[process] - has):
            if BY_TABLE.fullmatch(name):
                continue
            wrong.append(f"{name}: asked for by {process}, not sent to it")
        needs = asked[process]
        if process == "spawner":
            needs = needs.union(*(asked[p] for p in FORKED))
        for name in sorted(sent.get(process, set()) - COMMON - needs):
            if process != "ctl" and not (process == "master" and
                                         BY_TABLE.fullmatch(name)):
                wrong.append(f"{name}: sent to {process}, which never asks")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
