# SPDX-License-Identifier: ISC
"""alpine on a terminal, over IMAP: read, flag, save, delete, expunge."""

import clients
import posthouse as ph
from clients import Letter
from terminal import Terminal

PINERC = """\
inbox-path={{{where}}}INBOX
folder-collections=Mail {{{where}}}[]
feature-list=enable-flag-cmd,quit-without-confirm,expunge-without-confirm,
	expunge-without-confirm-everywhere,disable-password-file-saving,
	enable-flag-screen-implicitly,auto-open-next-unread
last-version-used=7.99
user-domain=posthouse.test
"""


def flags(i, user, folder):
    """{mark: flags} of a folder."""
    with clients.imap(i, user, folder) as c:
        _, data = c.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return {d[1].split()[-1].decode(): d[0] for d in data
                if isinstance(d, tuple)}


def test_reads_flags_saves_and_deletes(make_instance, tmp_path):
    i = make_instance()
    letters = [Letter(f"The text of letter {n}.\r\n") for n in range(5)]
    for n, letter in enumerate(letters):
        clients.send_smtplib(i, letter, [i.address("bob")])
        i.mailbox("bob").wait(n + 1)
    where = f"localhost:{i.imap_port}/imap/user={i.address('bob')}" \
        "/tls/novalidate-cert"
    rc = tmp_path / "pinerc"
    rc.write_text(PINERC.format(where=where))
    marks = [letter.mark for letter in letters]

    def has(word, mark, folder="INBOX"):
        ph.wait_for(lambda: word in flags(i, "bob", folder)[mark],
                    f"{word} of {mark}")

    with Terminal(tmp_path, ph.tool("alpine"), "-p", rc, "-i") as t:
        t.wait("ENTER PASSWORD")
        t.type(i.users["bob"])
        t.key("Enter")
        t.wait(marks[4])
        t.key("Enter")                          # read the first
        t.wait("The text of letter 0.")
        has(b"\\Seen", marks[0])
        t.type("n")
        t.wait("The text of letter 1.")
        t.type("*")                             # flag the second
        t.wait("FLAG MAINTENANCE")
        t.type("x")
        t.wait("[X]  Important")
        t.type("e")
        t.wait("The text of letter 1.")
        has(b"\\Flagged", marks[1])
        t.type("n")
        t.wait("The text of letter 2.")
        t.type("s")                             # save the third, which
        t.wait("to folder [")  # deletes it here
        t.key("C-u")
        t.type("Saved")
        t.key("Enter")
        t.wait("Create it", "create it", "Create?")
        t.type("y")
        has(b"\\Deleted", marks[2])
        t.type("<")
        t.wait("MESSAGE INDEX")
        # New mail while alpine looks: it comes with the next check.
        late = Letter("The text of the late letter.\r\n")
        clients.send_smtplib(i, late, [i.address("bob")])
        i.mailbox("bob").wait(6)
        ph.wait_for(lambda: t.key("C-l") or late.mark in t.screen(),
                    "the new mail", pause=1)
        t.key("End")
        t.type("d")
        has(b"\\Deleted", late.mark)
        t.type("x")                             # expunge
        t.wait("4 messages", "of 4", "Expunged")
        ph.wait_for(lambda: {*flags(i, "bob", "INBOX")} ==
                    {marks[0], marks[1], marks[3], marks[4]}, "the expunge")
        t.type("q")
        t.wait_end()
    assert {*flags(i, "bob", "Saved")} == {marks[2]}
    assert [letters[2].is_in(raw) for raw in
            ph.Mailbox(i.mailbox("bob").path / ".Saved").messages()] == [True]
    i.mailbox("bob").wait_left(4)
