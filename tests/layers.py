#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Check the includes of every source against the order of the layers.

    base <- net <- frame, table      base <- mail <- queue, store
    mail <- frame           net, mail, frame <- receive
    a daemon -> any layer of lib, never another daemon's headers

Exceptions: spawner links local, imapd and pop3d through the headers that
declare their entries (lib/frame/entry.h, NAME/entry.h).  A daemon's params.c
is linked into master and ctl, and has no header.
"""

import pathlib
import re
import subprocess
import sys

LAYERS = {
    "base": {"base"},
    "net": {"base", "net"},
    "table": {"base", "net", "table"},
    "mail": {"base", "mail"},
    "queue": {"base", "mail", "queue"},
    "store": {"base", "mail", "store"},
    "frame": {"base", "net", "mail", "frame"},
    "cert": {"base", "cert"},
    "password": {"base", "mail", "password"},
    "sasl": {"base", "sasl"},
    "receive": {"base", "net", "mail", "frame", "receive"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SPDX = "SPDX-License-Identifier: ISC"
# External libraries, and the one place of lib/ (or daemon) that may name them.
LIBRARIES = {
    "event2/": {"lib/net"},
    "seccomp.h": {"lib/frame"},
    "db.h": {"lib/table"},
    "crypt.h": {"services/authd", "services/pamd", "ctl"},
    "openssl/ssl.h": {"services/tlsd"},
    "openssl/": {"services/tlsd", "services/keyd", "services/authd", "ctl",
                 "lib/cert", "lib/password"},
    "unicode/": {"lib/store", "lib/password"},
    "idn2.h": {"smtp"},
    "zlib.h": {"imapd"},
    "sasl/": {"lib/sasl", "services/authd", "smtp"},
    "unbound": {"services/dnsd"},
    "security/": {"services/pamd"},
}
SYSTEM = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.M)


def room(path):
    """lib/base/x.c -> lib/base; smtpd/x.c -> smtpd; services/logd/x.c ->
    services/logd."""
    parts = path.parts
    if parts[0] in ("lib", "services", "tests") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def allowed(top, source, name):
    here = room(source)
    if (top / source.parent / name).exists():
        return True
    target = pathlib.PurePath(name)
    if (top / "lib" / target).exists():
        layer = target.parts[0]
        if here.startswith("lib/"):
            return layer in LAYERS.get(here[4:], ())
        return True
    if here.startswith("tests"):
        return True
    if here == "services/spawner" and target.name == "entry.h":
        return True
    return False


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    names = subprocess.run(
        ["find", ".", "-name", "build", "-prune", "-o", "-name", ".git",
         "-prune", "-o", "-name", "*.[ch]", "-print"],
        cwd=top, capture_output=True, text=True, check=True).stdout.split()
    wrong = []
    for name in sorted(names):
        source = pathlib.PurePath(name)
        text = (top / source).read_text(errors="replace")
        if SPDX not in text[:200]:
            wrong.append(f"{source}: no SPDX line")
        for include in INCLUDE.findall(text):
            if not allowed(top, source, include):
                wrong.append(f'{source}: may not include "{include}"')
        for include in SYSTEM.findall(text):
            for prefix, rooms in LIBRARIES.items():
                if include.startswith(prefix) and room(source) not in rooms \
                        and not room(source).startswith("tests"):
                    wrong.append(f"{source}: may not include <{include}>")
    for line in wrong:
        print(line)
    print(f"{len(names)} files, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
