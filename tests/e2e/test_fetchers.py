# SPDX-License-Identifier: ISC
"""What collects mail and keeps count of what it has: getmail, mpop and
fetchmail, by POP3 and by IMAP."""

import mailbox
import os
import pathlib
import shutil
import tempfile

import pytest

import clients
import posthouse as ph
from clients import Letter

NOBODY = 65534


@pytest.fixture
def home():
    """Of a user who is not root: getmail refuses to run as root."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="posthouse-home."))
    for part in ("cur", "new", "tmp"):
        (d / "mail" / part).mkdir(parents=True)
    yield d
    shutil.rmtree(d)


def rc(home, name, text):
    f = home / name
    f.write_text(text)
    f.chmod(0o600)
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    return f


def as_nobody(home, *command, **kw):
    return ph.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                   "--clear-groups", *command], home=home, cwd=home, **kw)


# getmail forks for each message, and only then begins to listen for the child's
# end: where the child is faster it waits for a minute, and gives up.
GETMAIL = """\
import os, runpy, sys
from getmailcore.baseclasses import ForkingBase
ForkingBase._prepare_child = lambda self: None
ForkingBase._wait_for_child = lambda self, pid: os.waitstatus_to_exitcode(
    os.waitpid(pid, 0)[1])
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def getmail(kind, **options):
    def fetch(i, user, home, keep):
        port = i.pop3_port if "POP3" in kind else i.imap_port
        lines = "".join(f"{k} = {v}\n" for k, v in options.items())
        f = rc(home, "getmailrc", f"""\
[retriever]
type = {kind}
server = localhost
port = {port}
username = {i.address(user)}
password = {i.users[user]}
{lines}
[destination]
type = Maildir
path = {home}/mail/
[options]
read_all = false
delete = {str(not keep).lower()}
delivered_to = false
received = false
""")
        as_nobody(home, "/usr/bin/python3", "-c", GETMAIL, ph.tool("getmail"),
                  "--getmaildir", home, "--rcfile", f)
    return fetch


def mpop(auth, pipelining):
    def fetch(i, user, home, keep):
        f = rc(home, "mpoprc", f"""\
defaults
tls on
tls_starttls on
tls_trust_file {home}/ca.pem
auth {auth}
pipelining {pipelining}
uidls_file {home}/uidls
received_header off
account default
host localhost
port {i.pop3_port}
user {i.address(user)}
password {i.users[user]}
keep {'on' if keep else 'off'}
delivery maildir {home}/mail
""")
        as_nobody(home, "mpop", "-C", f)
    return fetch


def fetchmail(proto):
    def fetch(i, user, home, keep):
        port = i.pop3_port if proto == "POP3" else i.imap_port
        box = home / "mail"
        f = rc(home, "fetchmailrc", f"""\
poll localhost service {port} protocol {proto} {'uidl' * (proto == 'POP3')}
  user "{i.address(user)}" password "{i.users[user]}"
  sslproto TLS1.2+ sslcertck sslcertfile {home}/ca.pem
  mda "/bin/sh -c 'cat >{box}/tmp/$$ && mv {box}/tmp/$$ {box}/new/$$'"
  {'keep' if keep else 'nokeep'}
""")
        r = as_nobody(home, "fetchmail", "-f", f, "-i", home / "ids",
                      "--pidfile", home / "pid", "--nodetach", "--nosyslog",
                      "--invisible", check=False)
        assert r.returncode in (0, 1), r.stdout + r.stderr  # 1: nothing new
    return fetch


FETCHERS = {
    "getmail-pop3": getmail("SimplePOP3Retriever"),
    "getmail-imap": getmail("SimpleIMAPRetriever", mailboxes='("INBOX",)'),
    "getmail-imap-folders": getmail("SimpleIMAPRetriever",
                                    mailboxes='("INBOX", "Work")'),
    "mpop": mpop("user", "off"),
    "mpop-pipelining": mpop("user", "on"),
    "mpop-plain": mpop("plain", "auto"),
    "mpop-scram": mpop("scram-sha-256", "auto"),
    "fetchmail-pop3": fetchmail("POP3"),
    "fetchmail-imap": fetchmail("IMAP"),
}


@pytest.fixture(scope="module")
def house(make_module_instance):
    return make_module_instance(
        users={name: f"{name}-secret" for name in FETCHERS})


BODIES = ("Short.\r\n", ".dot\r\n..\r\n.\r\n", "x" * 70 + "\r\n",
          "\r\n\r\n", "long " * 180 + "\r\n", "line\r\n" * 5000)


def send(i, user, letters):
    before = i.mailbox(user).count()
    for letter in letters:
        clients.send_smtplib(i, letter, [i.address(user)])
    i.mailbox(user).wait(before + len(letters))


@pytest.mark.parametrize("user", FETCHERS)
def test_collects_each_once(house, home, user):
    """Kept mail is not fetched again, not even after a restart of the server;
    what is not kept is gone afterwards."""
    shutil.copy(house.ca_file, home / "ca.pem")
    (home / "ca.pem").chmod(0o644)
    fetch = FETCHERS[user]

    def has(letters):
        box = mailbox.Maildir(home / "mail", create=False)
        found = [m.as_bytes() for m in box]
        assert len(found) == len(letters)
        for letter in letters:
            assert sum(letter.is_in(raw) for raw in found) == 1

    letters = [Letter(body) for body in BODIES]
    send(house, user, letters)
    if user.endswith("folders"):
        in_work = Letter("In a folder.\r\n")
        with clients.imap(house, user) as c:
            assert c.create("Work")[0] == "OK"
            assert c.append("Work", None, None, in_work.bytes)[0] == "OK"
        letters.append(in_work)
    fetch(house, user, home, keep=True)
    has(letters)
    fetch(house, user, home, keep=True)
    has(letters)
    late = Letter("Late.\r\n")
    send(house, user, [late])
    if user in ("mpop", "getmail-imap"):
        house.stop()
        house.start()
    fetch(house, user, home, keep=True)
    has([*letters, late])
    last = Letter("Last.\r\n")
    send(house, user, [last])
    fetch(house, user, home, keep=False)
    has([*letters, late, last])
    ph.wait_for(lambda: not any(last.is_in(raw) for raw in
                                clients.read_imaplib(house, user)),
                "the last one to be gone")
