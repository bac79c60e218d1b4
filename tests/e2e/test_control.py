# SPDX-License-Identifier: ISC
"""The administrator's command and a running instance, through control.sock."""

import os
import stat
import subprocess

import posthouse as ph


def test_status(instance):
    r = instance.posthouse("status")
    rows = [l.split() for l in r.stdout.splitlines()]
    shown = {}
    for row in rows[1:]:
        if len(row) > 3 and row[2].isdigit():
            shown.setdefault(row[0], []).append(int(row[2]))
            assert row[3] == "ready"
    # And the seed of users' processes, which is spawner's.
    running = ph.wait_for(lambda: [p for p in [instance.pids()]
                                   if len(p["spawner"]) == 2], "the seed")[0]
    for name in ("logd", "smtpd", "qmgr", "router", "authd", "login"):
        assert sorted(shown[name]) == sorted(running[name])
    assert set(shown["spawner"]) < set(running["spawner"])
    assert rows[-1] == ["running"]


def test_control_socket_is_for_root_alone(instance):
    sock = instance.dir / "sock" / "control.sock"
    st = sock.stat()
    assert stat.S_ISSOCK(st.st_mode)
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == 0
    command = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
               "--clear-groups", str(ph.BIN / "posthouse"), "-c",
               str(instance.conf_dir), "status"]
    r = subprocess.run(command, capture_output=True, text=True, timeout=30,
                       env=ph.clean_env())
    assert r.returncode != 0
    assert "running" not in r.stdout


def test_reload(instance):
    before = instance.pids()
    r = instance.reload()
    assert r.stdout.splitlines()[-1] == "reloaded"
    after = instance.pids()
    for name in ("logd", "qmgr", "router", "authd"):
        assert after[name] == before[name]
    # It stays, but makes a new seed of itself, with the new parameters.
    ph.wait_for(lambda: len(instance.pids()["spawner"]) == 2 and len(
        set(instance.pids()["spawner"]) & set(before["spawner"])) == 1,
        "another seed")


def test_stop(make_instance):
    i = make_instance()
    r = i.posthouse("stop")
    # It returns when master has ended, or is about to.
    assert i.process.wait(60) == 0
    assert not (i.dir / "master.pid").exists()
    assert not (i.dir / "sock" / "control.sock").exists()
    assert r.stdout.splitlines()[-1] == "stopping"
    for command in ("stop", "status", "reload"):
        r = i.posthouse(command, check=False)
        assert r.returncode == 69
        assert "not running" in r.stderr


def test_two_masters(make_instance):
    i = make_instance()
    second = subprocess.run(
        [i.master, "-c", i.conf_dir, "--uid-base", str(i.uid_base)],
        env=ph.clean_env(), capture_output=True, text=True, timeout=30)
    assert second.returncode == os.EX_TEMPFAIL
    assert "another master" in second.stderr + second.stdout
    assert i.posthouse("status").returncode == 0
