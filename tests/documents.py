#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""documents.py [--write] SOURCE POSTHOUSE: what is generated in the documents
against the tables in the code, as the program POSTHOUSE shows them.

  docs/man/main.cf.5    all of it (posthouse conf --manual)
  conf/main.cf.sample   all of it (posthouse conf --sample)
  ARCHITECTURE.md       the process table and the channel table
  docs/man/NAME.8       the parameters of that process
  conf/systemd/sysusers.conf
                        a user for each process that has one of its own

Also: a file that ARCHITECTURE.md names exists, and an option that sendmail
takes stands in its manual.  --write brings them up to
date instead."""

import json
import pathlib
import re
import subprocess
import sys


def ask(posthouse, *args):
    return subprocess.run([posthouse, *args], capture_output=True, text=True,
                          check=True).stdout


def between(text, begin, end, new, name):
    """text with what stands between the two marker lines replaced."""
    if text.count(begin + "\n") != 1 or text.count(end + "\n") != 1:
        sys.exit(f"{name}: wants one line {begin} and one line {end}")
    head, rest = text.split(begin + "\n")
    return head + begin + "\n" + new + end + "\n" + rest.split(end + "\n")[1]


def users(manual):
    """{process: [parameter]} from the generated manual."""
    found = {}
    for name, row in re.findall(r"^\.B (\S+) \(default.*?\n(.*?)(?=^\.TP|^\.SH)",
                                manual, re.M | re.S):
        for user in re.search(r"Used by: (.*)\.$", row, re.M)[1].split(", "):
            found.setdefault(user, []).append(name.replace("\\-", "-"))
    return found


def parameters(names):
    if not names:
        return "None.\n"
    return "".join(f".BR {n}{',' if n != names[-1] else '.'}\n"
                   for n in names).replace(",\n", " ,\n").replace(".\n", " .\n")


def sysusers(posthouse):
    """For sysusers.d(5): the names master looks for (master_ids)."""
    lines = ["# SPDX-License-Identifier: ISC",
             "# A user for each daemon (posthouse topology)."]
    for row in json.loads(ask(posthouse, "topology", "--json")):
        if row["uid_slot"]:
            name = row["name"]
            lines.append(f'u posthouse-{name:<10} - "Posthouse {name}" -')
    return "\n".join(lines) + "\n"


def of_page(by_user, page):
    """The parameters of a process, or of the processes PAGE_something."""
    return sorted({name for user, names in by_user.items() for name in names
                   if user == page or user.startswith(page + "_")})


def generated(top, posthouse):
    """(path, what it should hold) of each document."""
    manual = ask(posthouse, "conf", "--manual")
    yield top / "docs/man/main.cf.5", manual
    yield top / "conf/main.cf.sample", ask(posthouse, "conf", "--sample")
    yield top / "conf/systemd/sysusers.conf", sysusers(posthouse)
    processes, channels = ask(posthouse, "topology",
                              "--markdown").split("\n\n")
    path = top / "ARCHITECTURE.md"
    text = path.read_text()
    for what, new in (("process", processes), ("channel", channels)):
        text = between(text, f"<!-- begin {what} table -->",
                       f"<!-- end {what} table -->",
                       new.rstrip("\n") + "\n", path.name)
    yield path, text
    by_user = users(manual)
    for path in sorted((top / "docs/man").glob("*.8")):
        if path.stem != "posthouse":
            text = path.read_text()
            yield path, between(text, '.\\" begin parameters',
                                '.\\" end parameters',
                                parameters(of_page(by_user, path.stem)),
                                path.name)


def missing_files(top):
    """Names in ARCHITECTURE.md, as `lib/base/str.h`, of files not there."""
    text = (top / "ARCHITECTURE.md").read_text()
    names = set(re.findall(r"`((?:lib|tests|ctl|master|smtpd|qmgr|local|imapd|"
                           r"pop3d|services|docs|conf|cmake)/[\w./-]+)`", text))
    return sorted(n for n in names if not (top / n).exists())


def missing_options(top):
    """Letters that sendmail takes and its manual does not name."""
    code = (top / "ctl/sendmail/options.c").read_text()
    manual = (top / "docs/man/sendmail.1").read_text()
    letters = re.search(r'letters\[\] =\s*"([^"]+)"', code)[1]
    return [c for c in letters if c != ":" and f"\\-{c}" not in manual]


def main():
    write = sys.argv[1:2] == ["--write"]
    args = sys.argv[2:] if write else sys.argv[1:]
    if len(args) != 2:
        sys.exit(__doc__)
    top = pathlib.Path(args[0])
    wrong = [f"ARCHITECTURE.md: names {n}, which does not exist"
             for n in missing_files(top)]
    wrong += [f"docs/man/sendmail.1: says nothing about -{c}"
              for c in missing_options(top)]
    for path, want in generated(top, pathlib.Path(args[1]).resolve()):
        if path.exists() and path.read_text() == want:
            continue
        if write:
            path.write_text(want)
        else:
            wrong.append(f"{path.relative_to(top)}: not what the tables in the "
                         f"code say; run tests/documents.py --write")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
