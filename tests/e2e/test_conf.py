# SPDX-License-Identifier: ISC
"""The command `posthouse conf` on a main.cf of its own: what it shows, what
it refuses (file, line, what is wrong, what would be right; exit 64), and how it
edits."""

import os
import subprocess
import threading

import pytest

import posthouse as ph

START = """\
# The first line.
myhostname = mail.posthouse.test

mynetworks = 127.0.0.0/8
  # between
  [::1]/128
queue_directory = ../spool
"""


class Conf:
    def __init__(self, directory):
        self.dir = directory / "conf"
        self.dir.mkdir(mode=0o755)
        self.dir.chmod(0o755)
        self.file = self.dir / "main.cf"
        self.write(START)

    def write(self, text):
        self.file.write_text(text)
        self.file.chmod(0o644)

    def run(self, *args):
        return subprocess.run(
            [ph.BIN / "posthouse", "-c", self.dir, "conf", *args],
            env=ph.clean_env(), capture_output=True, text=True, timeout=30)

    def lines(self, *args):
        r = self.run(*args)
        assert (r.returncode, r.stderr) == (0, "")
        return r.stdout.splitlines()


@pytest.fixture
def conf(tmp_path):
    tmp_path.chmod(0o755)
    return Conf(tmp_path)


# {what: (line to add, what is said behind FILE:8:)}
BAD = {
    "unknown name": ("mynetwork = 10.0.0.0/8", 'unknown parameter "mynetwork"'
                     ", did you mean mynetworks?"),
    "unknown reference": ("myorigin = $mydomian", "myorigin: $mydomian: no "
                          "parameter has this name, did you mean $mydomain?"),
    "choice": ("log_format = xml", 'log_format: "xml": want one of text|json'),
    "loop": ("mydomain = $mydomain", "values refer to each other: mydomain -> "
             "mydomain; one of them must not"),
    "network": ("mynetworks = 10.0.0.1/8", 'mynetworks: "10.0.0.1/8": want a '
                "network, as 192.0.2.0/24 or [2001:db8::]/32"),
    "no equals sign": ("log_format text", '"log_format text": the "=" is '
                       "missing, want NAME = VALUE"),
    "bracket": ("myorigin = ${myhostname", "myorigin: \"${myhostname\": the "
                "closing bracket is missing"),
    "CR LF": ("log_format = text\r", "the line ends in CR LF, want LF alone"),
    "UIDL": ("pop3_uidl_format = %v", "pop3_uidl_format: %v: without %u or %f "
             "all messages have one name"),
    "UIDL variable": ("pop3_uidl_format = %u%h", "pop3_uidl_format: %u%h: want "
                      "%u, %v, %f, %g or %%"),
    "autoexpunge": ("imap_autoexpunge = Trash=30d, Junk=1h",
                    'imap_autoexpunge: "Junk=1h": want FOLDER=TIME, a day at '
                    "least"),
    "host": ("mydomain = -x", 'mydomain: "-x" is no host name, want one as '
             "mail.example.com"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_main_cf(conf, kind):
    line, said = BAD[kind]
    text = START + line + "\n"
    conf.file.write_bytes(text.encode())
    for args in ((), ("-n",), ("myhostname",), ("-e", "mail_name=X")):
        r = conf.run(*args)
        assert r.returncode == 64
        assert r.stdout == ""
        assert f"{conf.file}:8: {said}" in r.stderr
    assert conf.file.read_bytes() == text.encode()


def test_all_errors_at_once(conf):
    conf.write(START + "log_format = xml\nnonsuch = 1\nsyslog_name = $$$\n")
    r = conf.run("-n")
    assert r.returncode == 64
    where = [l.split(": ")[0] for l in r.stderr.splitlines()]
    assert where == [f"{conf.file}:{n}" for n in (8, 9, 10)] + ["posthouse"]
    assert "3 errors" in r.stderr


def test_others_may_write(conf):
    for path, mode in ((conf.file, 0o664), (conf.file, 0o646),
                       (conf.dir, 0o777)):
        was = path.stat().st_mode
        path.chmod(mode)
        r = conf.run("-n")
        path.chmod(was)
        assert r.returncode == 64
        assert f"{path} has mode" in r.stderr and "chmod go-w" in r.stderr
    conf.lines("-n")


def test_of_somebody_else(conf):
    os.chown(conf.file, 12345, -1)
    r = conf.run("-n")
    assert r.returncode == 64
    assert f"{conf.file} belongs to uid 12345, want root" in r.stderr


def test_missing(conf):
    conf.file.unlink()
    r = conf.run("-n")
    assert r.returncode == 64
    assert f"{conf.file}: No such file or directory" in r.stderr


def test_show(conf):
    assert conf.lines("-n") == [
        "myhostname = mail.posthouse.test",
        "mynetworks = 127.0.0.0/8  [::1]/128",
        "queue_directory = ../spool",
    ]
    assert conf.lines("myorigin", "syslog_name") == [
        "myorigin = $myhostname", "syslog_name = posthouse"]
    assert conf.lines("-x", "myorigin", "queue_directory") == [
        "myorigin = mail.posthouse.test",
        f"queue_directory = {conf.dir.parent}/spool"]
    assert conf.lines("-h", "myhostname") == ["mail.posthouse.test"]
    assert conf.lines("-d", "queue_directory") == [
        "queue_directory = /var/spool/posthouse"]
    names = [l.split(" ")[0] for l in conf.lines()]
    assert names == sorted(names) and "listen_smtp" in names
    assert names == [l.split(" ")[0] for l in conf.lines("-d")]


def test_show_unknown(conf):
    r = conf.run("syslog_names", "syslog_name")
    assert r.returncode == 1
    assert r.stdout == "syslog_name = posthouse\n"
    assert 'unknown parameter "syslog_names", did you mean syslog_name?' \
        in r.stderr


def test_warnings_do_no_harm(conf):
    conf.write(START + "mail_name = A\nmail_name = B # b\n")
    r = conf.run("mail_name")
    assert r.returncode == 0
    assert r.stdout == "mail_name = B # b\n"
    assert f"{conf.file}:9: warning: mail_name is set again" in r.stderr
    assert f'{conf.file}:9: warning: the "#" in the value' in r.stderr


def test_names_of_postfix_without_effect(conf):
    conf.write(START + "compatibility_level = 3.6\nreadme_directory = no\n"
               "daemon_directory = /usr/lib/postfix/sbin\n")
    assert conf.lines("-h", "compatibility_level") == ["3.6"]


def test_edit(conf):
    before = conf.file.stat()
    assert conf.run("-e", "mynetworks=10.0.0.0/8 192.0.2.1",
                    "mail_name = The Mail").returncode == 0
    assert conf.file.read_text() == """\
# The first line.
myhostname = mail.posthouse.test

mynetworks = 10.0.0.0/8 192.0.2.1
  # between
queue_directory = ../spool
mail_name = The Mail
"""
    after = conf.file.stat()
    assert after.st_mode == before.st_mode
    assert after.st_ino != before.st_ino  # put in place at once
    assert os.listdir(conf.dir) == ["main.cf"]


@pytest.mark.parametrize("settings, said", [
    (["log_format=xml"], "want one of text|json"),
    (["syslog_nam=x"], "did you mean syslog_name?"),
    (["mail_name=fine", "log_format=xml"], "want one of text|json"),
    (["mail_name"], 'want NAME=VALUE'),
    (["mail_name=a\nb=c"], "more than one line"),
    (["mail name=a"], "is no name"),
    ([], "usage:"),
])
def test_edit_is_refused(conf, settings, said):
    r = conf.run("-e", *settings)
    assert r.returncode == 64
    assert said in r.stderr
    assert conf.file.read_text() == START
    assert os.listdir(conf.dir) == ["main.cf"]


def test_edit_mends(conf):
    conf.write(START + "log_format = xml\n")
    assert conf.run("-e", "log_format=json").returncode == 0
    assert conf.lines("-h", "log_format") == ["json"]


def test_edit_of_a_link(conf):
    real = conf.dir / "real.cf"
    conf.file.rename(real)
    conf.file.symlink_to("real.cf")
    assert conf.lines("-h", "myhostname") == ["mail.posthouse.test"]
    r = conf.run("-e", "mail_name=x")
    assert r.returncode == 64 and "is a link" in r.stderr
    assert real.read_text() == START


def test_edits_at_once(conf):
    """None is lost."""
    names = ["mail_name", "syslog_name", "log_format", "mydomain", "myorigin",
             "maillog_file"]
    def edit(name):
        value = "json" if name == "log_format" else "x.example"
        assert conf.run("-e", f"{name}={value}").returncode == 0
    threads = [threading.Thread(target=edit, args=(n,)) for n in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    set_names = [l.split(" ")[0] for l in conf.lines("-n")]
    assert set(names) <= set(set_names)


def test_not_running(conf):
    """A mistake in main.cf does not hide where the socket would be."""
    conf.write(START + "socket_directory = ../sock\nlog_format = xml\n")
    r = subprocess.run([ph.BIN / "posthouse", "-c", conf.dir, "stop"],
                       env=ph.clean_env(), capture_output=True, text=True,
                       timeout=30)
    assert r.returncode == 69
    assert f"{conf.dir.parent}/sock" in r.stderr
    assert "not running" in r.stderr


def test_topology():
    r = ph.run([ph.BIN / "posthouse", "topology"])
    assert "smtpd -> qmgr" in r.stdout
    assert "login -> qmgr" not in r.stdout
