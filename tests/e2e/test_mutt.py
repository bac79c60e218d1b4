# SPDX-License-Identifier: ISC
"""mutt on a terminal, over IMAP, with its caches of headers and bodies, IDLE,
CONDSTORE and QRESYNC."""

import re

import pytest

import clients
import posthouse as ph
from clients import Letter
from terminal import Terminal

MUTTRC = """\
set imap_user = "bob@posthouse.test"
set imap_pass = "{password}"
set folder = "imap://localhost:{port}/"
set spoolfile = "imap://localhost:{port}/INBOX"
set ssl_force_tls = yes
set certificate_file = "{ca}"
set header_cache = "{home}/headers"
set message_cachedir = "{home}/bodies"
set index_format = "%4C[%Z]%s"
set sort = mailbox-order
set delete = yes
set move = no
set quit = yes
set imap_idle = yes
set timeout = 1
set mail_check = 1
ignore *
"""
WAYS = {
    "plain": "",
    "condstore": "set imap_condstore = yes\n",
    "qresync": "set imap_condstore = yes imap_qresync = yes\n",
    "deflate": "set imap_condstore = yes imap_qresync = yes "
               "imap_deflate = yes\n",
}


def index(t):
    """[(flags, subject)] as the index shows them; old is new."""
    return [(flags.strip().replace("O", "N"), subject) for flags, subject in
            re.findall(r"^ *\d+\[(...)\](.*\S)", t.screen(), re.M)]


def shows(t, *want):
    try:
        ph.wait_for(lambda: index(t) == [*want], "")
    except AssertionError:
        raise AssertionError(f"not {want}, but\n{t.screen()}")


def bytes_out(i):
    """How much the server said in sessions, in their order, when it has told of
    all."""
    def told():
        log = i.log_text()
        ended = re.findall(r"Disconnected: Logged out in=\d+ out=(\d+)", log)
        return len(ended) == log.count("imap-login: Login: ") and ended
    return [int(n) for n in ph.wait_for(told, "the sessions' ends")]


@pytest.mark.parametrize("way", WAYS)
def test_caches_and_new_mail(make_instance, tmp_path, way):
    i = make_instance()
    letters = []

    def send(text):
        letter = Letter(text, [("References", f"<{'x' * 900}@example.com>")])
        letters.append(letter)
        clients.send_smtplib(i, letter, [i.address("bob")])

    for n in range(6):
        send(f"The text of letter {n}.\r\n")
        i.mailbox("bob").wait(n + 1)
    subjects = [f"letter {letter.mark}" for letter in letters]
    rc = tmp_path / "muttrc"
    rc.write_text(MUTTRC.format(
        password=i.users["bob"], port=i.imap_port, ca=i.ca_file,
        home=tmp_path) + WAYS[way])
    (tmp_path / "headers").mkdir()
    mutt = (tmp_path, ph.tool("mutt"), "-n", "-F", rc)

    with Terminal(*mutt) as t:
        shows(t, *(("N", s) for s in subjects))
        t.key("Enter")
        t.wait("The text of letter 0.")
        t.type("i")
        t.wait("[")
        t.type("jF$")
        shows(t, ("", subjects[0]), ("N !", subjects[1]),
              *(("N", s) for s in subjects[2:]))
        # A letter comes while mutt looks.
        send("The text of letter 6.\r\n")
        subjects.append(f"letter {letters[6].mark}")
        t.wait(subjects[6])
        t.type("q")
        t.wait_end()
    full = bytes_out(i)[-1]

    with clients.imap(i, "bob", "INBOX") as c:
        assert c.search(None, "SEEN")[1] == [b"1"]
        assert c.search(None, "FLAGGED")[1] == [b"2"]
        c.store("3,5", "+FLAGS", r"\Deleted")
        c.expunge()
        c.store("3", "+FLAGS", r"\Seen \Answered")
        c.store("2", "-FLAGS", r"\Flagged")
    send("The text of letter 7.\r\n")
    i.mailbox("bob").wait(6)
    subjects = [subjects[n] for n in (0, 1, 3, 5, 6)] + \
        [f"letter {letters[7].mark}"]

    with Terminal(*mutt) as t:
        flags = ["", "N", "r", "N", "N", "N"]
        shows(t, *zip(flags, subjects))
        t.key("Home")
        t.key("Enter")      # from the cache of bodies
        t.wait("The text of letter 0.")
        t.type("i")
        t.wait("[")
        t.key("End")
        t.key("Enter")
        t.wait("The text of letter 7.")
        t.type("iD")
        t.wait("Delete messages matching")
        t.type("~s .")
        t.key("Enter")
        t.type("q")
        t.wait_end()
    assert bytes_out(i)[-1] < full / 2      # no header came again
    ph.wait_for(lambda: i.mailbox("bob").count() == 0, "files to go")
