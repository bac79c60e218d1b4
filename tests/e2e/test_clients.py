# SPDX-License-Identifier: ISC
"""Mail programs nobody here wrote: mutt, mbsync and fetchmail."""

import mailbox
import os

import pytest

import clients
import homes
import posthouse as ph
from clients import Letter, wait_letter


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def filled(make_instance, n=3):
    i = make_instance()
    letters = [Letter(f"Letter {k}.\r\n.dot\r\n") for k in range(n)]
    for letter in letters:
        clients.send_smtplib(i, letter, [i.address("bob")])
    i.mailbox("bob").wait(n)
    return i, letters


def holds(messages, letter):
    return sum(letter.is_in(m) for m in messages) == 1


# -- mutt over IMAP

MUTTRC = """\
set imap_user = "bob@posthouse.test"
set imap_pass = "{password}"
set folder = "imap://127.0.0.1:{port}/"
set spoolfile = "imap://127.0.0.1:{port}/INBOX"
set ssl_starttls = no
set ssl_force_tls = no
set confirmappend = no
set confirmcreate = no
set delete = yes
set move = no
set wait_key = no
set sort = mailbox-order
set mbox_type = Maildir
set copy = no
set header_cache = ""
push "{keys}"
"""


def mutt(i, home, keys):
    rc = home / "muttrc"
    rc.write_text(MUTTRC.format(password=i.users["bob"], port=i.imap_port,
                                keys=keys))
    # mutt wants a terminal.
    return ph.run(["script", "-qec", f"{ph.tool('mutt')} -n -F {rc}",
                   "/dev/null"], home=home, stdin=open(os.devnull))


def test_mutt_reads_and_deletes(make_instance, home):
    i, letters = filled(make_instance)
    out = home / "copy"
    mutt(i, home, "<first-entry><tag-pattern>~A<enter><tag-prefix>"
         f"<copy-message>{out}<enter><untag-pattern>~A<enter>"
         "<first-entry><delete-message><sync-mailbox><quit>")
    copies = [m.as_bytes() for m in mailbox.Maildir(out, create=False)]
    for letter in letters:
        assert holds(copies, letter)
    left = clients.read_imaplib(i, "bob")
    assert len(left) == len(letters) - 1
    assert not any(letters[0].is_in(m) for m in left)


def test_mutt_saves_to_another_mailbox(make_instance, home):
    i, letters = filled(make_instance)
    mutt(i, home, "<first-entry><save-message>=Saved<enter><sync-mailbox>"
         "<quit>")
    saved = i.mailbox("bob").path / ".Saved"
    found = [m.as_bytes() for m in mailbox.Maildir(saved, create=False)]
    assert len(found) == 1 and letters[0].is_in(found[0])
    assert len(clients.read_imaplib(i, "bob")) == len(letters) - 1


# -- mbsync, two ways between two stores

def near(home, folder="INBOX"):
    return mailbox.Maildir(home.path(folder), create=False)


def names(home):
    return sorted(p.name for p in home.store.rglob("*")
                  if p.is_file() and not p.name.startswith("."))


def test_mbsync_two_ways_between_two_stores(make_instance, home):
    i, letters = filled(make_instance, 10)
    one, two = (homes.Home(i, "bob", home / name, "mbsync")
                for name in ("one", "two"))
    one.sync()
    two.sync()
    for store in (one, two):
        for letter in letters:
            assert holds([m.as_bytes() for m in near(store)], letter)

    # One deletes a message, flags another, and writes a new one in a new
    # folder; two does not touch anything and learns it all.
    box = near(one)
    by_letter = {letter: key for key, m in box.items() for letter in letters
                 if letter.is_in(m.as_bytes())}
    box.remove(by_letter[letters[0]])
    message = box[by_letter[letters[1]]]
    message.set_subdir("cur")
    message.set_flags("FS")
    box[by_letter[letters[1]]] = message
    draft = Letter("Written at one's home.\r\n")
    mailbox.Maildir(one.path("Folder"), create=True).add(
        draft.bytes.replace(b"\r\n", b"\n"))
    one.sync()
    two.sync()

    found = list(near(two))
    assert len(found) == len(letters) - 1
    assert not any(letters[0].is_in(m.as_bytes()) for m in found)
    flags = [m.get_flags() for m in found if letters[1].is_in(m.as_bytes())]
    assert flags == ["FS"]
    assert holds([m.as_bytes() for m in near(two, "Folder")], draft)

    # The other way; and after that there is nothing left to do.
    near(two, "Folder").clear()
    two.sync()
    one.sync()
    assert len(near(one, "Folder")) == 0
    before = names(one)
    one.sync()
    assert names(one) == before


# -- fetchmail over POP3

def test_fetchmail(make_instance, home):
    i, letters = filled(make_instance)
    out = home / "fetched"
    rc = home / "fetchmailrc"
    rc.write_text(
        f'poll 127.0.0.1 service {i.pop3_port} protocol POP3 uidl\n'
        f'  user "bob@posthouse.test" password "{i.users["bob"]}"\n'
        f'  mda "/bin/sh -c \'cat >>{out}; echo @@@ >>{out}\'"\n'
        "  sslproto ''\n  {keep}\n".replace("{keep}", "keep"))
    rc.chmod(0o600)
    fetch = ["fetchmail", "-f", rc, "-i", home / "ids", "--pidfile",
             home / "pid", "--nodetach", "--nosyslog"]
    ph.run(fetch, home=home)

    def fetched():
        return out.read_bytes().split(b"@@@\n")[:-1]

    for letter in letters:
        assert holds(fetched(), letter)
    # Its UIDLs are known now: nothing new (exit status 1), after a restart
    # of the server as well.
    i.stop()
    i.start()
    assert ph.run(fetch, home=home, check=False).returncode == 1
    assert len(fetched()) == len(letters)
    late = Letter("Late.\r\n")
    clients.send_smtplib(i, late, [i.address("bob")])
    wait_letter(i, "bob", late)
    rc.write_text(rc.read_text().replace("keep\n", "nokeep fetchall\n"))
    ph.run(fetch, home=home)
    assert holds(fetched(), late)
    i.mailbox("bob").wait_left(0)
