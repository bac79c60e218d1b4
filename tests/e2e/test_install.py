# SPDX-License-Identifier: ISC
"""What is installed: its places, the units, the named users.

Everything happens below a directory of the test, which a mount namespace shows
as /usr/local; the host has neither the files nor the users."""

import re
import subprocess

import pytest

import posthouse as ph
from clients import Letter, send_smtplib, wait_letter

# "$1" is the installed tree; the rest is a command.
PRIVATE = """\
set -e
tree=$1
shift
mount --bind "$tree/usr/local" /usr/local
for f in passwd group; do
	[ ! -e "$tree/etc/$f" ] || mount --bind "$tree/etc/$f" /etc/$f
done
exec "$@"
"""
DAEMONS = {"master", "logd", "smtpd", "submitd", "qmgr", "router", "keyd",
           "tlsd_mx", "tlsd_user", "authd", "pamd", "login", "spawner",
           "smtp", "dnsd", "dialer"}


def inside(tree, *argv):
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", PRIVATE,
            "sh", tree, *argv]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    top = tmp_path_factory.mktemp("tree")
    subprocess.run(["cmake", "--install", ph.BIN.parent], check=True,
                   stdout=subprocess.DEVNULL,
                   env=ph.clean_env(DESTDIR=str(top)))
    (top / "etc").mkdir()
    for f in ("passwd", "group"):
        (top / "etc" / f).write_text(open(f"/etc/{f}").read())
    ph.run(["systemd-sysusers", f"--root={top}", "posthouse.conf"],
           input="")
    return top


def test_places(tree):
    local = tree / "usr/local"
    assert {f.name for f in (local / "libexec/posthouse").iterdir()} == DAEMONS
    assert (local / "sbin/posthouse").stat().st_mode & 0o7777 == 0o755
    for name in ("mailq", "newaliases"):
        assert (local / "bin" / name).resolve() == local / "sbin/sendmail"
    modes = {f: f.lstat().st_mode & 0o7777 for f in local.rglob("*")
             if f.is_file() and not f.is_symlink()}
    assert not {f for f, mode in modes.items() if mode not in (0o644, 0o755)}
    manuals = {f.name for f in (local / "share/man").glob("*/*")}
    assert {"main.cf.5", "master.8", "posthouse.8", "sendmail.1"} <= manuals


def test_units(tree):
    units = ["posthouse.service", "posthouse.socket"]
    r = ph.run(inside(tree, "systemd-analyze", "verify", *units))
    assert r.stderr == "" and r.stdout == ""
    service = (tree / "usr/local/lib/systemd/system" / units[0]).read_text()
    for program in re.findall(r"^Exec\w+=(\S+)", service, re.M):
        assert (tree / program[1:]).exists()


def test_directories(tree):
    ph.run(["systemd-tmpfiles", f"--root={tree}", "--create",
            "posthouse.conf"])
    users = {l.split(":")[0]: int(l.split(":")[2])
             for l in open(tree / "etc/passwd")}
    have = {d: (st.st_uid, oct(st.st_mode & 0o7777))
            for d in ("run/posthouse", "var/lib/posthouse/empty",
                      "var/spool/posthouse", "var/log/posthouse")
            for st in [(tree / d).stat()]}
    assert have == {
        "run/posthouse": (0, "0o755"),
        "var/lib/posthouse/empty": (0, "0o555"),
        "var/spool/posthouse": (users["posthouse-qmgr"], "0o700"),
        "var/log/posthouse": (users["posthouse-logd"], "0o700")}


def bounding(tree):
    """The capabilities the unit leaves to master, as setpriv wants them."""
    service = (tree / "usr/local/lib/systemd/system/posthouse.service"
               ).read_text()
    words = " ".join(re.findall(r"^CapabilityBoundingSet=(.*)", service, re.M))
    return ",".join(["-all"] + [f"+{w[4:].lower()}" for w in words.split()])


def test_runs_as_named_users(tree, make_instance):
    """With what the unit leaves it: so many capabilities, no new privileges."""
    i = make_instance(start=False)
    users = {l.split(":")[0]: l.split(":")[2:4]
             for l in open(tree / "etc/passwd")}
    qmgr, logd = (users[f"posthouse-{n}"] for n in ("qmgr", "logd"))
    for name, (uid, gid) in (("spool", qmgr), ("log", logd)):
        ph.run(["chown", f"{uid}:{gid}", i.dir / name])
    out = open(i.dir / "master.out", "a+b")
    i.process = ph.spawn(
        inside(tree, "setpriv", "--no-new-privs",
               f"--bounding-set={bounding(tree)}", "--inh-caps=-all",
               "/usr/local/libexec/posthouse/master", "-c", i.conf_dir), stdout=out, stderr=out)
    i.wait_ready()
    for name, pid in i.tree():
        status = dict(l.split(":\t", 1) for l in
                      open(f"/proc/{pid}/status").read().splitlines()
                      if ":\t" in l)
        uid, gid = users[f"posthouse-{name}"]
        assert status["Uid"].split() == [uid] * 4, name
        assert status["Gid"].split() == [gid] * 4, name
    letter = Letter()
    send_smtplib(i, letter, [i.address("bob")])
    wait_letter(i, "bob", letter)
    i.reload()
