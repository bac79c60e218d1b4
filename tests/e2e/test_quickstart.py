# SPDX-License-Identifier: ISC
"""./quickstart, in a network and a run/ of its own beside one that runs."""

import subprocess

import pytest

import posthouse as ph

# The same checkout and build, but nothing of it collides.
PRIVATE = """\
set -e
ip link set lo up
mount --bind "$1" {root}/run
shift
cd /
for words in "$@"; do
	echo "-- $words"
	case $words in
	README) (cd {root} && sh -e run/readme) ;;
	*) {root}/quickstart $words ;;
	esac
done
"""


@pytest.fixture
def quickstart(tmp_path):
    (ph.ROOT / "run").mkdir(exist_ok=True)
    run = tmp_path / "run"
    run.mkdir()

    def call(*lines):
        r = subprocess.run(
            ["unshare", "-n", "-m", "--propagation", "private", "sh", "-c",
             PRIVATE.format(root=ph.ROOT), "sh", run, *lines],
            capture_output=True, text=True, timeout=600,
            stdin=subprocess.DEVNULL,
            env=ph.clean_env(HOSTILE="1", CFLAGS="-broken", TZ="Asia/Tokyo"))
        assert r.returncode == 0, r.stdout + r.stderr
        return r.stdout

    yield call, run
    call("stop")
    pid = run / "master.pid"
    assert not pid.exists() or not ph.alive(int(pid.read_text())), \
        "quickstart stop left master running"


def test_what_the_readme_says(quickstart):
    """The commands a newcomer copies from it work."""
    call, run = quickstart
    blocks = (ph.ROOT / "README.md").read_text().split("```\n")
    commands, = [b for b in blocks if b.startswith("curl ")]
    assert commands.count("curl") == 2 and "bin/sendmail" in commands
    (run / "readme").write_text(commands)
    assert "* 1 FETCH (UID 1" in call("", "README", "stop")
    log = (run / "log" / "mail.log").read_text().splitlines()
    taken = [l for l in log if "submission/smtpd" in l and ": client=" in l]
    assert len(taken) == 3      # by the quickstart, curl and sendmail


def test_start_twice_and_stop(quickstart):
    call, run = quickstart
    said = call("", "", "stop", "--no-demo", "stop", "stop")
    parts = said.split("-- ")[1:]
    for part in parts[:2]:
        assert "250 2.0.0 Ok: queued as" in part
        assert "IMAP hands it to bob" in part
        assert "POP3 hands it to bob" in part
        assert "IMAP 2143 (STARTTLS), 2993 (TLS)" in part
    assert "running already" in parts[1]
    assert "has stopped" in parts[2]
    assert "The first letter" not in parts[3]
    assert "was not running" in parts[5]
    modes = {name: (oct((run / name).stat().st_mode)[-4:],
                    (run / name).stat().st_uid)
             for name in ("conf", "empty", "spool", "mail", "log", "sock",
                          "conf/users", "conf/main.cf", "conf/tls/ca.pem",
                          "conf/tls/ca.key", "conf/tls/rsa.pem")}
    assert modes == {
        "conf": ("0755", 0), "empty": ("0555", 0), "spool": ("0700", 50003),
        "mail": ("0700", 50048), "log": ("0700", 50001), "sock": ("0755", 0),
        "conf/users": ("0600", 0), "conf/main.cf": ("0644", 0),
        "conf/tls/ca.pem": ("0644", 0), "conf/tls/ca.key": ("0600", 0),
        "conf/tls/rsa.pem": ("0600", 0)}
    letters = list((run / "mail/posthouse.test/bob").glob("*/*:*")) + \
        list((run / "mail/posthouse.test/bob/new").iterdir())
    assert len(set(letters)) == 2


def test_without_root(tmp_path):
    # By standard input: the user may not be able to walk to this checkout.
    with open(ph.ROOT / "quickstart") as script:
        r = subprocess.run(["/bin/sh", "-s"], stdin=script, text=True,
                           capture_output=True, user=65534, group=65534,
                           extra_groups=[], cwd="/", env=ph.clean_env())
    assert r.returncode == 77
    assert "master -u" in r.stderr and r.stderr.count("\n") == 1


def test_wrong_use():
    r = subprocess.run([ph.ROOT / "quickstart", "--what"], text=True,
                       capture_output=True, env=ph.clean_env())
    assert r.returncode == 64 and "usage:" in r.stderr
