# SPDX-License-Identifier: ISC
"""Each word of CAPABILITY has a test.  Those of the small extensions stand
here: the same dialogue with Debian's Dovecot gives the same answers."""

import importlib
import re

import pytest

import posthouse as ph
from rawimap import Imap

# Where each is tested: "file.test".
TESTED = {
    "IMAP4rev1": "test_imap.test_walk",
    "IMAP4rev2": "test_imap_rev2.test_capability",
    "BINARY": "test_imap_rev2.test_binary",
    "LITERAL+": "test_imap_folders.test_literals",
    "IDLE": "test_imap_capabilities.test_idle",
    "NAMESPACE": "test_imap_capabilities.test_as_dovecot",
    "UIDPLUS": "test_imap_capabilities.test_as_dovecot",
    "MOVE": "test_imap_capabilities.test_as_dovecot",
    "UNSELECT": "test_imap_capabilities.test_as_dovecot",
    "ENABLE": "test_imap_capabilities.test_as_dovecot",
    "ID": "test_imap_rev2.test_namespace_and_id",
    "CHILDREN": "test_imap_folders.test_list_extended",
    "SPECIAL-USE": "test_imap_folders.test_special_use",
    "CREATE-SPECIAL-USE": "test_imap_folders.test_create_special_use",
    "LIST-EXTENDED": "test_imap_folders.test_list_extended",
    "LIST-STATUS": "test_imap_folders.test_list_status",
    "STATUS=SIZE": "test_imap_folders.test_status_size",
    "UTF8=ACCEPT": "test_imap_folders.test_utf8_names",
    "MULTIAPPEND": "test_imap_folders.test_multiappend",
    "APPENDLIMIT": "test_imap_folders.test_appendlimit",
    "COMPRESS=DEFLATE": "test_imap_folders.test_compress",
    "CONDSTORE": "test_imap_capabilities.test_condstore",
    "QRESYNC": "test_imap_capabilities.test_condstore",
    "ESEARCH": "test_search.test_return_options",
    "SEARCHRES": "test_search.test_saved_result",
    "WITHIN": "test_search.test_every_word",
    "I18NLEVEL=1": "test_search.test_as_dovecot_has_it",
    "SORT": "test_sort.test_as_dovecot_has_it",
    "ESORT": "test_sort.test_esort",
    "SORT=DISPLAY": "test_sort.test_as_dovecot_has_it",
    "THREAD=REFERENCES": "test_sort.test_threads_by_the_rfc",
    "THREAD=ORDEREDSUBJECT": "test_sort.test_threads_by_the_rfc",
}


def login(i, user):
    if hasattr(i, "users"):
        return Imap(i.imap_port, i.address("alice"), i.users["alice"])
    return Imap(i.imap_port, user, i.password)


def test_each_word_has_a_test(instance):
    with login(instance, None) as c:
        words = {w.split("=")[0] if w.startswith("APPENDLIMIT=") else w
                 for w in c.capabilities()}
    assert words == set(TESTED)
    for place in TESTED.values():
        module, name = place.split(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_each_word_is_in_the_manual():
    manual = (ph.ROOT / "docs" / "man" / "imapd.8").read_text()
    words = set(re.split(r"[\s,()]+", manual.replace("\\-", "-")))
    assert set(TESTED) <= words


def plain(line):
    """Without what is one server's own: words for people, numbers of
    UIDVALIDITY and mod-sequences, the order of flags."""
    line = re.sub(rb"\[(APPENDUID|COPYUID|UIDVALIDITY) \d+", rb"[\1 V", line)
    line = re.sub(rb"\[HIGHESTMODSEQ \d+", b"[HIGHESTMODSEQ M", line)
    line = re.sub(rb"MODSEQ \(\d+\)", b"MODSEQ (M)", line)
    line = re.sub(rb"FLAGS \(([^)]*)\)",
                  lambda m: b"FLAGS (%s)" % b" ".join(sorted(m[1].split())),
                  line)
    m = re.match(rb"((?:\* )?(?:OK|NO|BAD|BYE))( \[[^\]]*\])?", line)
    return m[1] + (m[2] or b"") if m else line


def answers(c, command):
    status, lines = c.cmd(command)
    return plain(status), sorted(map(plain, lines))


LETTER = b"Subject: x\r\n\r\ny\r\n"
APPEND = b"APPEND INBOX {%d+}\r\n%s" % (len(LETTER), LETTER)
DIALOGUES = {
    "NAMESPACE": ["NAMESPACE"],
    "ENABLE": ["ENABLE CONDSTORE", "ENABLE CONDSTORE X-NONE"],
    "UIDPLUS": [APPEND, APPEND, APPEND, "CREATE Other", "SELECT INBOX",
                "COPY 1:3 Other", "UID COPY 2,3 Other", "COPY 9 Other",
                r"STORE 1:3 +FLAGS.SILENT (\Deleted)", "UID EXPUNGE 2",
                "UID EXPUNGE 7", "FETCH 1:* UID", "UID COPY 99 Other",
                "COPY 1 Nowhere", "EXPUNGE", "UID EXPUNGE", "UNSELECT"],
    "MOVE": [APPEND, APPEND, APPEND, "SELECT INBOX", "MOVE 2 Other",
             "FETCH 1:* UID", "UID MOVE 99 Other", "MOVE 1 Nowhere",
             "MOVE 1:2 Other", "NOOP", "EXAMINE Other", "UNSELECT"],
    "UNSELECT": [APPEND, "UNSELECT", "SELECT INBOX",
                 r"STORE 1 +FLAGS.SILENT (\Deleted)", "UNSELECT",
                 "STATUS INBOX (MESSAGES)", "SELECT INBOX", "CLOSE",
                 "STATUS INBOX (MESSAGES)"],
    # "*" is the last UID that ever was, where it is asked what has gone.
    "QRESYNC": [APPEND, APPEND, APPEND, "ENABLE QRESYNC", "SELECT INBOX",
                r"STORE * +FLAGS.SILENT (\Deleted)", "EXPUNGE",
                "UID FETCH 1:* (UID) (CHANGEDSINCE 1 VANISHED)",
                "UID FETCH 99:* (UID) (CHANGEDSINCE 1 VANISHED)",
                "FETCH 1:* (UID) (CHANGEDSINCE 1 VANISHED)",
                r"STORE 1:* +FLAGS.SILENT (\Deleted)", "EXPUNGE",
                "UID FETCH 1:* (UID) (CHANGEDSINCE 1 VANISHED)"],
}
# What says nothing of the extension.
SILENT = (b"FLAGS ", b"OK [UNSEEN", b"OK [PERMANENTFLAGS", b"OK [UIDNEXT",
          b"OK [NOMODSEQ", b"OK [CLOSED", b"OK [HIGHESTMODSEQ")


@pytest.fixture(scope="module")
def pair(make_module_instance, dovecot):
    both = [login(make_module_instance(), None), login(dovecot, "small")]
    yield both
    for one in both:
        one.close()


@pytest.mark.parametrize("what", DIALOGUES)
def test_as_dovecot(pair, what):
    for command in DIALOGUES[what]:
        ours, theirs = (answers(one, command) for one in pair)
        for said in (ours[1], theirs[1]):
            said[:] = [x for x in said if not x[2:].startswith(SILENT) and
                       b"RECENT" not in x and b" FETCH (FLAGS" not in x]
            if "STORE" in str(command):
                # Dovecot leaves out what RFC 7162 3.2.4 wants with CONDSTORE.
                said[:] = [re.sub(rb"\(UID \d+ ", b"(", x) for x in said]
        # A code for people's eyes is no difference.
        assert ours[0].split(b" [")[0] == theirs[0].split(b" [")[0], \
            (command, ours, theirs)
        if b"UID " in ours[0] or b"UID " in theirs[0]:
            assert ours[0] == theirs[0], (command, ours, theirs)
        assert ours[1] == theirs[1], (command, ours, theirs)


def test_idle(instance):
    """RFC 2177; what comes in meanwhile is said at once."""
    with login(instance, None) as c, login(instance, None) as other:
        c.ok("SELECT INBOX")
        tag = c.begin("IDLE")
        assert c.line().startswith(b"+ ")
        before = int(re.search(rb"MESSAGES (\d+)", other.ok(
            "STATUS INBOX (MESSAGES)")[0])[1])
        other.ok(APPEND)
        assert c.line() == b"* %d EXISTS" % (before + 1)
        c.send("DONE\r\n")
        assert c.end(tag)[0].startswith(b"OK")
        tag = c.begin("IDLE")
        c.line()
        c.send("NOOP\r\n")
        assert c.end(tag)[0].startswith(b"BAD")
        c.ok("NOOP")


def test_condstore(instance):
    """RFC 7162 in short: a client that comes back is told what changed."""
    with login(instance, None) as c:
        for _ in range(3):
            c.ok(APPEND)
        c.ok("ENABLE QRESYNC")
        said = b"\n".join(c.ok("SELECT INBOX"))
        validity = re.search(rb"UIDVALIDITY (\d+)", said)[1]
        modseq = re.search(rb"HIGHESTMODSEQ (\d+)", said)[1]
        n = int(re.search(rb"\* (\d+) EXISTS", said)[1])
        uids = [int(re.search(rb"UID (\d+)", x)[1])
                for x in c.ok("FETCH 1:* UID")]
        c.ok(r"STORE %d +FLAGS (\Flagged)" % n)
        c.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        c.ok("UID EXPUNGE %d" % uids[0])
        c.ok("UNSELECT")
        said = c.ok(b"SELECT INBOX (QRESYNC (%s %s))" % (validity, modseq))
        assert b"* VANISHED (EARLIER) %d" % uids[0] in said
        (changed,) = [x for x in said if b" FETCH (" in x]
        assert b"UID %d " % uids[-1] in changed and rb"\Flagged" in changed
        assert b"[MODIFIED %d]" % (n - 1) in c.cmd(
            r"STORE %d (UNCHANGEDSINCE %s) +FLAGS (\Seen)"
            % (n - 1, modseq.decode()))[0]
