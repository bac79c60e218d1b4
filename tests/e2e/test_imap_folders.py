# SPDX-License-Identifier: ISC
"""Mailboxes and what is said of them: a test for each capability, beside
Debian's Dovecot where it has the same one."""

import contextlib
import imaplib
import os
import random
import re
import time
import zlib

import pytest

import posthouse as ph
from rawimap import Imap, parse_list

imaplib.Commands.setdefault("ENABLE", ("AUTH",))


def login(i, user="alice"):
    if hasattr(i, "users"):
        return Imap(i.imap_port, i.address(user), i.users[user])
    return Imap(i.imap_port, user, i.password)


def names(c, pattern="*"):
    return [parse_list(x)[2].decode() for x in c.ok(f'LIST "" "{pattern}"')
            if b"\\Noselect" not in x and b"\\NonExistent" not in x]


@pytest.fixture
def c(instance):
    """alice, with an INBOX alone."""
    with login(instance) as c:
        for name in reversed(names(c)):
            if name != "INBOX":
                c.ok(f'DELETE "{name}"')
        for x in c.ok('LSUB "" *'):
            c.ok(b'UNSUBSCRIBE "' + parse_list(x)[2] + b'"')
        c.ok("SELECT INBOX")
        c.ok(r"STORE 1:* +FLAGS.SILENT (\Deleted)"
             if c.ok("STATUS INBOX (MESSAGES)") !=
             [b"* STATUS INBOX (MESSAGES 0)"] else "NOOP")
        c.ok("CLOSE")
        yield c


# -- the same tree on both

def make_tree(rnd, n=60):
    """(folders, subscriptions): names below each other, some with a gap."""
    words = ["a", "b", "Work", "work", "Post 2026", "x-y", "Drafts", "Sent",
             "Entw&APw-rfe"]
    made, wished = [], []
    while len(made) < n:
        name = ".".join(rnd.choice(words) for _ in range(rnd.randint(1, 4)))
        if name not in made:
            made.append(name)
    for name in made:
        if rnd.random() < 0.3:
            wished.append(name)
        if rnd.random() < 0.1:
            wished.append(name + ".gone")
    made += ["INBOX.Work", "INBOX.a.b", "INBOX-x", "A"]
    wished += ["Nowhere", "Far.Away.Deep", "INBOX", "INBOX.a.b"]
    return made, wished


def fill_tree(c, made, wished):
    for name in made:
        c.ok(f'CREATE "{name}"')
    for name in wished:
        status, _ = c.cmd(f'SUBSCRIBE "{name}"')
        if not status.startswith(b"OK"):
            # Dovecot subscribes to what exists only.
            c.ok(f'CREATE "{name}"')
            c.ok(f'SUBSCRIBE "{name}"')
            c.ok(f'DELETE "{name}"')


@pytest.fixture(scope="module")
def pair(make_module_instance, dovecot):
    """Two sessions, ours and Dovecot's, over equal trees."""
    made, wished = make_tree(random.Random(5258))
    both = [login(make_module_instance(), "bob"), login(dovecot, "test")]
    for one in both:
        fill_tree(one, made, wished)
        for k, name in enumerate(made[:6]):
            for n in range(k):
                flags = [rb"(\Seen)", rb"(\Deleted)", rb"()"][n % 3]
                status, _ = one.literal(
                    f'APPEND "{name}" '.encode() + flags,
                    (b"Subject: %d\r\n\r\n" % n + b"x" * n, b""))
                assert status.startswith(b"OK")
    yield both
    for one in both:
        one.close()


# What a response means, in one form: \NonExistent is \Noselect too, and a name
# without anything below it may say so or be silent.
def meaning(line, children):
    verb, attrs, name, extended = parse_list(line)
    attrs = {a.lower() for a in attrs}
    if "\\nonexistent" in attrs:
        attrs = attrs - {"\\nonexistent"} | {"\\noselect"}
    attrs = set(attrs) - {"\\unmarked", "\\marked", "\\noinferiors"}
    if not children:
        attrs -= {"\\haschildren", "\\hasnochildren"}
    # Dovecot says what a special mailbox is when asked for it alone.
    attrs -= {"\\drafts", "\\sent", "\\trash", "\\junk", "\\archive"}
    # What is subscribed and not there: Dovecot's LSUB says nothing of it.
    if verb == "LSUB":
        attrs.discard("\\noselect")
    return verb, name, frozenset(attrs), extended.replace('"', "").upper()


def answers(one, command):
    """What is listed.  Of mere levels above others "*" may be silent: what is
    below them is listed."""
    # Dovecot shows these in a plain LIST, or if asked.
    children = "CHILDREN" in command or "(" not in command
    found = [meaning(x, children) for x in one.ok(command)]
    assert len(set(found)) == len(found)
    return {(verb, name, attrs, extended)
            for verb, name, attrs, extended in found
            if not (verb == "LIST" and "*" in command and not extended and
                    "\\noselect" in attrs and "\\subscribed" not in attrs)}


def assert_equal(pair, command):
    ours, theirs = (answers(one, command) for one in pair)
    assert ours == theirs, (
        f"{command}\nours alone: {sorted(map(str, ours - theirs))}\n"
        f"Dovecot's alone: {sorted(map(str, theirs - ours))}")


LISTS = [
    'LIST "" *', 'LIST "" %', 'LIST "" %.%', 'LIST a. %', 'LIST "" *.b.*',
    'LIST "" inbox', 'LIST "" "Post 2026*"', 'LIST "Work." "%.%"',
    'LIST () "" % RETURN (CHILDREN)', 'LIST () "" * RETURN (CHILDREN)',
    'LIST "" (a* work% INBOX) RETURN (CHILDREN)',
    'LIST "" ("%" "a.%" "a.%")', 'LIST "" * RETURN (SUBSCRIBED)',
    'LIST "" % RETURN (SUBSCRIBED CHILDREN)',
    'LIST (SUBSCRIBED) "" *', 'LIST (SUBSCRIBED) "" %',
    'LIST (SUBSCRIBED) "" *.gone', 'LIST (SUBSCRIBED) "" (Far* No%)',
    'LIST (SUBSCRIBED) "" * RETURN (CHILDREN)',
    'LIST (SUBSCRIBED REMOTE) "" %.%',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" %',
    'LIST (RECURSIVEMATCH SUBSCRIBED) "" *',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" %.%',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" a',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("a.%" "Work*")',
    'LSUB "" *', 'LSUB "" %', 'LSUB "" %.%', 'LSUB "" a.%', 'LSUB a. *',
    'LSUB "" *.gone',
]


@pytest.mark.parametrize("command", LISTS)
def test_list_extended(pair, command):
    assert_equal(pair, command)


def test_list_status(pair):
    command = 'LIST "" * RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))'
    answers = []
    for one in pair:
        found = {}
        for line in one.ok(command):
            m = re.match(rb'\* STATUS (?:"(.*?)"|(\S+)) \((.*)\)$', line)
            if m:
                words = m[3].split()
                found[m[1] or m[2]] = dict(zip(words[::2], words[1::2]))
        answers.append(found)
    assert answers[0] == answers[1]
    assert len(answers[0]) > 60


def test_status_size(pair):
    """STATUS=SIZE, RFC 8438; Dovecot counts as we do."""
    assert "STATUS=SIZE" in pair[0].capabilities()
    for name in names(pair[0]):
        ours, theirs = (
            re.search(rb"SIZE (\d+)", one.ok(f'STATUS "{name}" (SIZE)')[0])[1]
            for one in pair)
        assert ours == theirs, name


@pytest.mark.parametrize("command", [
    'LIST (SPECIAL-USE) "" *', 'LIST (SPECIAL-USE) "" %',
    'LIST "" % RETURN (SPECIAL-USE)'])
def test_special_use(pair, command):
    """RFC 6154: by customary name at the top."""
    def uses(one):
        return {(parse_list(x)[2], a) for x in one.ok(command)
                for a in parse_list(x)[1]
                if a in ("\\Drafts", "\\Sent", "\\Trash", "\\Junk",
                         "\\Archive") and b"\\NonExistent" not in x}
    assert uses(pair[0]) == uses(pair[1])


@pytest.mark.parametrize("seed", range(2))
def test_create_rename_delete(make_instance, dovecot, seed):
    """Random changes of the tree: the same answers, the same tree."""
    rnd = random.Random(seed)
    i = make_instance()
    both = [login(i, "bob"), login(dovecot, f"tree{seed}")]

    def pick():
        return ".".join(rnd.choice("abc") for _ in range(rnd.randint(1, 4)))

    for _ in range(150):
        verb = rnd.choice(["CREATE"] * 3 + ["DELETE", "DELETE", "RENAME",
                                            "SUBSCRIBE", "UNSUBSCRIBE"])
        if verb == "SUBSCRIBE":
            command = f"SUBSCRIBE {rnd.choice(names(both[0]))}"
        elif verb == "RENAME":
            # Dovecot merges what is below a level into a mailbox that exists;
            # RFC 9051 6.3.6: that is an error.
            new = pick()
            if both[0].ok(f'LIST "" {new}'):
                continue
            command = f"RENAME {pick()} {new}"
        else:
            command = f"{verb} {pick()}"
        ours, theirs = (one.cmd(command)[0].decode() for one in both)
        assert ours.split()[0] == theirs.split()[0], (command, ours, theirs)
        for look in ('LIST "" *', 'LSUB "" *', 'LIST "" %',
                     'LIST (SUBSCRIBED RECURSIVEMATCH) "" %'):
            assert_equal(both, look)
    for one in both:
        one.close()


# -- ours

def test_capabilities(instance, c):
    with Imap(instance.imap_port) as before:
        offered = before.capabilities()
        assert {"IMAP4rev1", "LITERAL-", "SASL-IR", "ID"} <= set(offered)
        assert "LITERAL+" not in offered
    offered = c.capabilities()
    assert {"IMAP4rev1", "LITERAL+", "IDLE", "NAMESPACE", "ID", "ENABLE",
            "CHILDREN", "UIDPLUS", "MOVE", "UNSELECT", "SPECIAL-USE",
            "CREATE-SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS",
            "STATUS=SIZE", "COMPRESS=DEFLATE"} <= set(offered)
    assert any(x.startswith("APPENDLIMIT=") for x in offered)
    assert len(set(offered)) == len(offered)


def test_create_special_use(instance, c):
    """RFC 6154 5: it lasts, and goes along."""
    c.ok(r'CREATE Gesendet (USE (\Sent))')
    c.ok(r'CREATE "Work.Weg" (USE (\Trash))')
    assert b"[USEATTR]" in c.no(r'CREATE Alles (USE (\All))')
    assert "Alles" not in names(c)
    c.ok("RENAME Work Arbeit")
    instance.kill("imapd")

    def works():
        try:
            return login(instance)
        except (EOFError, OSError, AssertionError):     # it has just died
            return None
    with ph.wait_for(works, "a login", pause=0.2) as again:
        found = {parse_list(x)[2]: parse_list(x)[1]
                 for x in again.ok('LIST (SPECIAL-USE) "" *')}
        assert set(found) == {b"Gesendet", b"Arbeit.Weg"}
        assert "\\Sent" in found[b"Gesendet"]
        assert "\\Trash" in found[b"Arbeit.Weg"]


def test_multiappend(instance, c):
    """RFC 3502: all of them with UIDs in a row, or none."""
    assert "MULTIAPPEND" in c.capabilities()

    def there():
        """Files, whatever flags are written behind to their names."""
        return sorted(f.name.partition(":2,")[0] for f in
                      instance.mailbox("alice").path.rglob(".Many/*/*"))

    some = [b"Subject: %d\r\n\r\n" % k + b"x" * 3000 * k for k in range(20)]
    c.ok("CREATE Many")
    parts = [(m, rb" (\Seen $Tag%d)" % k) for k, m in enumerate(some[1:])]
    status, _ = c.literal(b"APPEND Many (\\Flagged)", (some[0], parts[0][1]),
                          *[(m, after) for (m, _), (_, after) in
                            zip(parts, parts[1:] + [(b"", b"")])])
    assert re.match(rb"OK \[APPENDUID \d+ 1:20\]", status), status
    before = there()
    status, _ = c.literal(b"APPEND Many", (some[0], b""), (b"", b""))
    assert status.startswith(b"NO"), status
    assert b"MESSAGES 20 UIDNEXT 21" in \
        c.ok("STATUS Many (MESSAGES UIDNEXT)")[0]
    assert there() == before
    with login(instance) as other:
        other.ok("SELECT Many")
        assert rb"(\Seen $Tag18 " in other.ok("UID FETCH 20 FLAGS")[0]
        assert some[7] in b"".join(other.ok("UID FETCH 8 BODY.PEEK[]"))


def calls(pid):
    """How often a process has read, and how much."""
    with open(f"/proc/{pid}/io") as f:
        io = dict(x.split(": ") for x in f.read().splitlines())
    return int(io["syscr"]), int(io["rchar"])


def test_list_status_of_500_mailboxes(make_instance):
    """Opens none of them once it is known what they have."""
    i = make_instance()
    with login(i) as c:
        c.ok("CREATE First")
        top = i.mailbox("alice").path
        ids = os.stat(top / ".First" / "cur")[4:6]
        for k in range(499):
            box = top / f".Box{k % 50}.Sub{k}"
            for d in (box, box / "tmp", box / "new", box / "cur"):
                d.mkdir(mode=0o700)
                os.chown(d, *ids)
        c.ok(b"APPEND Box7.Sub57 {15+}\r\nSubject: a\r\n\r\nb")
        command = 'LIST "" * RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))'
        c.ok(command)
    with login(i) as c:
        pid = i.the_pid("imapd")
        before = calls(pid)
        lines = c.ok(command)
        n, size = (a - b for a, b in zip(calls(pid), before))
        assert sum(x.startswith(b"* STATUS") for x in lines) == 501
        assert any(b"Sub57 (MESSAGES 1 " in x for x in lines)
        # Of each no more than whether its log has grown.
        assert n < 1200 and size < 50000, (n, size)
        # and what comes in from outside is seen
        new = top / ".Box8.Sub58" / "tmp" / "1.x"
        new.write_bytes(b"Subject: c\n\nd\n")
        os.chown(new, *ids)
        new.rename(new.parent.parent / "new" / new.name)
        assert any(b"Sub58 (MESSAGES 1 " in x for x in c.ok(command))


def test_appendlimit(c):
    """RFC 7889: said, and refused before a byte is sent."""
    (limit,) = [int(x.split("=")[1]) for x in c.capabilities()
                if x.startswith("APPENDLIMIT=")]
    assert f"APPENDLIMIT {limit}".encode() in \
        c.ok("STATUS INBOX (APPENDLIMIT)")[0]
    c.send(b"x APPEND INBOX {%d}\r\n" % (limit + 1))
    assert c.line().startswith(b"x NO [TOOBIG]")
    c.send(b"x APPEND INBOX {%d}\r\n" % limit)
    assert c.line().startswith(b"+ ")


def test_literals(instance, c):
    """RFC 7888: LITERAL- before the login, LITERAL+ after it."""
    with Imap(instance.imap_port) as before:
        user, password = instance.address("alice"), instance.users["alice"]
        before.ok(f"LOGIN {{{len(user)}+}}\r\n{user} "
                  f"{{{len(password)}+}}\r\n{password}")
    body = b"Subject: x\r\n\r\n" + b"y" * 50000
    c.ok(b"APPEND INBOX {%d+}\r\n" % len(body) + body)
    c.ok(b"STATUS {5+}\r\nINBOX (MESSAGES)")


def test_utf8_names(instance, c):
    c.ok("CREATE Entw&APw-rfe")
    with login(instance) as u:
        assert u.ok("ENABLE UTF8=ACCEPT") == [b"* ENABLED UTF8=ACCEPT"]
        assert "Entwürfe" in names(u)
        u.ok('SELECT "Entwürfe"')
        u.ok('CREATE "日本語.🐎"')
        u.no('CREATE "Entwu\u0308rfe"')
    assert "&ZeVnLIqe-.&2D3cDg-" in names(c)


def test_imaplib(instance):
    """What Python makes of it."""
    m = imaplib.IMAP4("127.0.0.1", instance.imap_port, timeout=60)
    m.login(instance.address("alice"), instance.users["alice"])
    assert m.enable("UTF8=ACCEPT")[0] == "OK"
    assert m.utf8_enabled
    assert m.create('"Grüße"')[0] == "OK"
    # (Its APPEND puts "UTF8 (" into the literal, which no server can know.)
    assert m.status('"Grüße"', "(MESSAGES SIZE)")[1] == [
        '"Grüße" (MESSAGES 0 SIZE 0)'.encode()]
    assert any("Grüße".encode() in x for x in m.list('""', "%")[1])
    assert m.delete('"Grüße"')[0] == "OK"
    m.logout()


def test_utf8_append(c):
    """RFC 9755, and the form of RFC 6855 before it."""
    message = "Subject: Grüße\r\n\r\nä\r\n".encode()
    c.ok("ENABLE UTF8=ACCEPT")
    for command, behind in ((b"APPEND INBOX", b""),
                            (b"APPEND INBOX (\\Seen) UTF8 (", b")")):
        mark = b"~" if behind else b""
        c.n += 1
        c.send(b"u%d " % c.n + command + (b"" if behind else b" ") + mark +
               b"{%d+}\r\n" % len(message) + message + behind + b"\r\n")
        assert c.end(b"u%d" % c.n)[0].startswith(b"OK [APPENDUID")
    c.ok("SELECT INBOX")
    assert all(message in x for x in c.ok("FETCH 1:2 BODY.PEEK[]"))


# -- COMPRESS

@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH,
                                   zlib.Z_FULL_FLUSH])
def test_compress(instance, c, flush):
    body = b"Subject: x\r\n\r\n" + b"the same line again and again\r\n" * 5000
    c.ok(b"APPEND INBOX {%d+}\r\n" % len(body) + body)
    with login(instance) as z:
        assert "COMPRESS=DEFLATE" in z.capabilities()
        z.compress(flush)
        assert "COMPRESS=DEFLATE" not in z.capabilities()
        assert b"[COMPRESSIONACTIVE]" in z.no("COMPRESS DEFLATE")
        z.ok("SELECT INBOX")
        before = z.wire_in
        assert body in b"".join(z.ok("FETCH 1 BODY.PEEK[]"))
        assert z.wire_in - before < len(body) / 20
        z.literal(b"APPEND INBOX", (body, b""))
        time.sleep(4)           # it rests, and knows what it was told
        assert body in b"".join(z.ok("FETCH 2 BODY.PEEK[]"))
        tag = z.begin("IDLE")
        assert z.line() == b"+ idling"
        c.ok(b"APPEND INBOX {%d+}\r\n" % len(body) + body)
        assert z.line() == b"* 3 EXISTS"
        z.send("DONE\r\n")
        z.end(tag)


def test_compress_can_be_off(make_instance):
    with login(make_instance(imap_compress="no")) as z:
        assert "COMPRESS=DEFLATE" not in z.capabilities()
        z.no("COMPRESS DEFLATE")


def own(pid):
    """kB that are its own: what files give depends on who else has them."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("Pss_Anon:"))


def test_idle_compressed_sessions_are_small(instance, c):
    """Forty of them, after their rest: a few kB each."""
    pid = instance.the_pid("imapd")
    before = own(pid)
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(login(instance)) for _ in range(40)]
        plain = own(pid) - before
        for z in many:
            z.compress()
            z.ok("LIST \"\" *")
        at_work = own(pid) - before
        print(f"plain {plain}, at work {at_work} kB")
        assert at_work > plain + 40 * 30
        ph.wait_for(lambda: own(pid) - before < plain + 40 * 30,
                    lambda: f"their rest: {own(pid) - before} kB")
