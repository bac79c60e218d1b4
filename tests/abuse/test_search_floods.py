# SPDX-License-Identifier: ISC
"""SEARCH, SORT and THREAD with much to do: the answer comes, memory stays
bounded, and the user's other session is served meanwhile."""

import threading

import imapwire
import pytest

from load import peak, worked

PATIENCE = 0.25  # of a processor's seconds before a NOOP; a turn is 20 ms
MEMORY = 150 << 10      # KiB


class Beside:
    """Another session that says NOOP all the time; worst: how long the process
    did something else before it answered."""

    def __init__(self, client, pid):
        self.client, self.pid = client, pid
        self.worst, self.count, self.done = 0.0, 0, False
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.done:
            before = worked(self.pid)
            self.client.ok("NOOP")
            self.worst = max(self.worst, worked(self.pid) - before)
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done = True
        self.thread.join()


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(letters):
        imapwire.make_maildir(tmp_path / "Maildir", letters)
        running.append(imapwire.Serve(tmp_path))
        return running[0]
    yield start
    for s in running:
        s.stop()


def run(s, *commands):
    c, other = s.connect(), s.connect()
    child = s.imapd()
    with Beside(other, child) as beside:
        for command in commands:
            c.ok(command)
            assert peak(child) < MEMORY, command[:80]
    assert beside.count
    assert beside.worst < PATIENCE
    return c


def test_many_texts_in_large_mail(serve):
    """1,000 keys over megabytes in one line, in parts, and in a header."""
    line = b"Subject: one line\n\n" + b"zz y " * 300000 + b"\n"
    parts = (b"Subject: parts\nContent-Type: multipart/mixed; boundary=b\n\n" +
             b"--b\nContent-Type: text/plain; charset=koi8-r\n"
             b"Content-Transfer-Encoding: quoted-printable\n\nzz=\n=C1\n" *
             30000 + b"--b--\n")
    header = b"X-Long: " + b"=?utf-8?q?zz=C3=BC?= zz\n " * 10000 + b"\n\nx\n"
    s = serve([line, parts, header])
    texts = b" ".join(b"NOT TEXT \"zz%dz\"" % n for n in range(499))
    c = run(s, b"SEARCH " + texts,
            b"SEARCH " + b"OR TEXT zzq " * 499 + b"BODY zzq")
    assert [b"* SEARCH\r\n"] in c.untagged


def test_many_keys_of_many_fields(serve):
    """Each field is decoded once, not for each of the keys."""
    s = serve([b"To:a@b\nX-To:a\n" * 90000 + b"\nx\n"])
    run(s, b"SEARCH " + b"OR HEADER X-To zzq OR HEADER To zzq " * 240 + b"TO y",
        b"SEARCH " + b"OR HEADER Cc zzq " * 490 + b"HEADER X-To ab")


def test_many_addresses(serve):
    """100,000 recipients, and as many fields."""
    wide = b"To: " + b", ".join(b"a%d@example.com" % n
                                for n in range(100000)) + b"\n\nx\n"
    deep = b"".join(b"To: (\"%d\") <b%d@example.com>\n" % (n, n)
                    for n in range(100000)) + b"\nx\n"
    odd = b"To: " + b"(" * 100000 + b"\nFrom: " + b"<" * 100000 + b"\n\nx\n"
    s = serve([wide, deep, odd] * 20)
    run(s, b"SEARCH TO a99 NOT FROM x", b"SORT (TO DISPLAYFROM) UTF-8 ALL",
        b"SEARCH OR HEADER TO b1 HEADER X y")


def test_hostile_subjects_and_references(serve):
    """What base subjects are taken from, and threads are made of."""
    letters = []
    for n in range(1500):
        subject = (b"[a]" * 20000, b"Re: " * 20000, b"[fwd: " * 20000 +
                   b"]" * 20000, b"Re[" * 20000)[n % 4]
        refs = b" ".join(b"<%d@x>" % (n * 7919 * k % 1000003)
                         for k in range(1, 600))
        letters.append(b"Subject: %s\nMessage-ID: <%d@x>\nReferences: %s\n\n"
                       % (subject, n, refs))
    s = serve(letters)
    run(s, b"THREAD REFERENCES UTF-8 ALL", b"THREAD ORDEREDSUBJECT UTF-8 ALL",
        b"SORT (SUBJECT REVERSE DATE) UTF-8 ALL", b"UID THREAD REFERENCES "
        b"UTF-8 ALL")
