# SPDX-License-Identifier: ISC
"""System users through PAM: a private /etc in a mount namespace of master's,
so that nobody's real password is looked at."""

import crypt
import imaplib
import os
import re
import shutil
import subprocess
import time

import posthouse as ph
import pytest

PASSWORD = "carol-secret"
UID = 60001                     # in no instance's block
VALID = {"last_valid_uid": str(UID), "last_valid_gid": str(UID),
         "auth_failure_delay": "0s",
         "auth_verbose": "yes"}
# Bind what stands in $1 over /etc, and the homes over /home.
PRIVATE = ('for f in passwd shadow group pam.d; do '
           'mount --bind "$1/$f" "/etc/$f" || exit 1; done; '
           'mount --bind "$1/home" /home || exit 1; shift; exec "$@"')


def write_etc(top, uid=UID):
    """passwd, shadow and PAM services with carol, dave (expired), erin
    (locked) and frank (no password is asked of him at the console)."""
    (top / "pam.d").mkdir(parents=True)
    hashed = crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_SHA512,
                                                  rounds=50000))
    passwd, shadow = "root:x:0:0::/root:/bin/sh\n", "root:!:19000::::::\n"
    expire = {"carol": "", "dave": "19001", "erin": "", "frank": ""}
    fields = {"erin": "!", "frank": ""}
    for name in expire:
        passwd += f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n"
        shadow += (f"{name}:{fields.get(name, hashed)}"
                   f":19000:0:99999:7::{expire[name]}:\n")
        home = top / "home" / name
        home.mkdir(parents=True)
        os.chown(home, uid, uid)
    (top / "passwd").write_text(passwd)
    (top / "shadow").write_text(shadow)
    (top / "shadow").chmod(0o600)
    (top / "group").write_text("root:x:0:\n")
    for f in ("common-auth", "common-account", "common-password",
              "common-session"):
        source = f"/etc/pam.d/{f}"
        if os.path.exists(source):
            shutil.copy(source, top / "pam.d")
    (top / "pam.d" / "posthouse").write_text(
        "auth required pam_unix.so\naccount required pam_unix.so\n")
    (top / "pam.d" / "debian").write_text(
        "@include common-auth\n@include common-account\n")
    (top / "pam.d" / "other").write_text("auth required pam_deny.so\n")
    (top / "home").chmod(0o755)


def start(make_instance, **overrides):
    i = make_instance(start=False, **VALID, **overrides)
    write_etc(i.dir / "etc")
    return i.start(wrapper=["unshare", "-m", "--propagation", "private", "sh",
                            "-c", PRIVATE, "sh", i.dir / "etc"])


def login(i, user, password):
    """The answer's first word."""
    with imaplib.IMAP4("127.0.0.1", i.imap_port) as c:
        try:
            return c.login(user, password)[0]
        except imaplib.IMAP4.error as e:
            return str(e)


@pytest.mark.parametrize("service", ("posthouse", "debian"))
def test_system_user(make_instance, service):
    i = start(make_instance, pam_service=service)
    assert i.pids()["pamd"]
    assert login(i, "carol", PASSWORD) == "OK"
    assert "AUTHENTICATIONFAILED" in login(i, "carol", "wrong")
    assert "AUTHENTICATIONFAILED" in login(i, "dave", PASSWORD)
    assert "AUTHENTICATIONFAILED" in login(i, "erin", PASSWORD)
    assert "AUTHENTICATIONFAILED" in login(i, "frank", PASSWORD)
    assert "AUTHENTICATIONFAILED" in login(i, "root", PASSWORD)
    assert "AUTHENTICATIONFAILED" in login(i, "nobody-at-all", PASSWORD)
    assert (i.dir / "etc" / "home" / "carol" / "Maildir").is_dir()
    # The users file goes on as before.
    assert login(i, i.address("alice"), i.users["alice"]) == "OK"
    i.wait_log(r"pam_unix\(")        # the modules' words
    i.wait_log(r"pam\(carol,127\.0\.0\.1\): Authentication failure")
    last = i.posthouse("user", "list").stdout
    assert re.search(r"^alice@\S+\t.*\t20\d\d-\S+ imap 127\.0\.0\.1$", last, re.M)


def test_no_time_tells(make_instance):
    """Whoever cannot log in costs what a wrong password does."""
    i = start(make_instance, pam_service="debian", login_penalty="0")
    least = {}
    # In turn, so that what else this machine does is in all of them.
    for _ in range(8):
        for name in ("carol", "dave", "erin", "frank"):
            began = time.monotonic()
            assert "AUTHENTICATIONFAILED" in login(i, name, "wrong")
            spent = time.monotonic() - began
            least[name] = min(spent, least.get(name, spent))
    # Without the hash it would be a fortieth.
    assert min(least.values()) > max(least.values()) / 8, least


def test_a_new_password(make_instance):
    """passwd(1) replaces /etc/shadow: pamd, which may read only the old file,
    starts anew."""
    i = make_instance(start=False, pam_service="posthouse", **VALID)
    write_etc(i.dir / "etc")
    # All of /etc is a copy here, so that a file of it can be replaced.
    etc = i.dir / "etc"
    for name in ("nsswitch.conf", "login.defs"):
        if os.path.exists(f"/etc/{name}"):
            shutil.copy(f"/etc/{name}", etc)
    i.start(wrapper=["unshare", "-m", "--propagation", "private", "sh", "-c",
                     'mount --bind "$1/home" /home && mount --bind "$1" /etc '
                     '&& shift && exec "$@"', "sh", etc])
    assert login(i, "carol", PASSWORD) == "OK"
    before = i.pids()["pamd"]
    fresh = crypt.crypt("another", crypt.mksalt(crypt.METHOD_SHA512))
    text = re.sub(r"^carol:[^:]*:", lambda _: f"carol:{fresh}:",
                  (etc / "shadow").read_text(), flags=re.M)
    (etc / "shadow.new").write_text(text)
    (etc / "shadow.new").chmod(0o600)
    (etc / "shadow.new").rename(etc / "shadow")
    i.wait_log("/etc/shadow is new: starting anew")
    ph.wait_for(lambda: login(i, "carol", "another") == "OK",
                "the new password to be taken")
    assert i.pids()["pamd"] != before
    assert "AUTHENTICATIONFAILED" in login(i, "carol", PASSWORD)


def test_off_and_on(make_instance):
    """pamd comes and goes with pam_service."""
    i = start(make_instance)
    assert "pamd" not in i.pids()
    assert "AUTHENTICATIONFAILED" in login(i, "carol", PASSWORD)
    i.set(pam_service="posthouse")
    i.reload()
    ph.wait_for(lambda: login(i, "carol", PASSWORD) == "OK", "PAM to be on")
    i.set(pam_service="debian")
    i.reload()
    ph.wait_for(lambda: login(i, "carol", PASSWORD) == "OK",
                "the other service")
    i.set(pam_service="")
    i.reload()
    ph.wait_for(lambda: "pamd" not in i.pids(), "pamd to end")
    assert "AUTHENTICATIONFAILED" in login(i, "carol", PASSWORD)
    assert login(i, i.address("alice"), i.users["alice"]) == "OK"


def test_what_pamd_may(make_instance):
    """Uid 0 and nothing that comes with it."""
    i = start(make_instance, pam_service="debian")
    pid = i.pids()["pamd"][0]
    status = dict(line.split(":\t", 1) for line in
                  open(f"/proc/{pid}/status") if ":\t" in line)
    assert status["Uid"].split() == ["0"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].strip() == ""
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[caps], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    # Nothing of /etc stays open, nor anything else but what master gave.
    for fd in os.listdir(f"/proc/{pid}/fd"):
        to = os.readlink(f"/proc/{pid}/fd/{fd}")
        assert re.match(r"(socket|pipe|anon_inode|/memfd):?|.*/dev/null$",
                        to) \
            or fd == "2", to
    row = subprocess.run([ph.BIN / "posthouse", "topology"],
                         capture_output=True, text=True, check=True).stdout
    assert "runs only if pam_service is set" in row
