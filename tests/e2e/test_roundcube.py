# SPDX-License-Identifier: ISC
"""Roundcube on PHP's own server, driven as a browser does: log in, list, read,
search, mark, move, delete, send through submission."""

import html
import http.cookiejar
import json
import re
import urllib.parse
import urllib.request

import pytest

import clients
import peer
import posthouse as ph
from clients import Letter, wait_letter

ROOT = "roundcube"
PACKAGES = ["roundcube", "roundcube-core", "roundcube-sqlite3", "php8.2-cli",
            "php8.2-sqlite3"]
CONFIG = """<?php
$config = [];
$tls = ['ssl' => ['verify_peer' => true, 'cafile' => '{ca}']];
$config['db_dsnw'] = 'sqlite:///{home}/db?mode=0600';
$config['imap_host'] = 'tls://localhost:{imap}';
$config['imap_conn_options'] = $tls;
$config['smtp_host'] = 'tls://localhost:{submission}';
$config['smtp_conn_options'] = $tls;
$config['smtp_user'] = '%u';
$config['smtp_pass'] = '%p';
$config['des_key'] = 'a-key-of-24-characters-!';
$config['log_dir'] = '{home}/logs';
$config['temp_dir'] = '{home}/temp';
$config['imap_debug'] = true;
$config['create_default_folders'] = true;
$config['plugins'] = [];
$config['language'] = 'en_US';
$config['timezone'] = 'UTC';
$config['autoexpand_threads'] = 1;
"""


class Webmail:
    """The server, and one browser."""

    def __init__(self, i):
        self.home = i.dir / "roundcube"
        for name in ("config", "logs", "temp"):
            (self.home / name).mkdir(parents=True)
        (self.home / "config" / "config.inc.php").write_text(CONFIG.format(
            ca=i.ca_file, home=self.home, imap=i.imap_port,
            submission=i.submission_port))
        peer.make(ROOT, *PACKAGES)
        self.port = ph.free_ports(1)[0]
        self.server = peer.Server(
            ROOT, "/bin/sh", "-c",
            'cp /etc/roundcube/defaults.inc.php /etc/roundcube/mimetypes.php '
            '"$ROUNDCUBE_CONFIG_DIR" && exec php -q -S "$0" -t '
            '/var/lib/roundcube/public_html', f"127.0.0.1:{self.port}",
            binds=[i.dir], said=self.home / "php.out",
            ROUNDCUBE_CONFIG_DIR=str(self.home / "config") + "/")
        self.browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.token = ""

    def answers(self):
        assert not self.server.ended(), self.said()
        try:
            self.page(_task="login")
            return True
        except OSError:
            return False

    def said(self):
        return "".join(f.read_text(errors="replace")[-3000:] for f in
                       [self.home / "php.out",
                        *(self.home / "logs").glob("errors*")])

    def get(self, post=None, **query):
        """What a click answers."""
        if post is not None:
            post = urllib.parse.urlencode(
                {"_token": self.token, **post}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/?" + urllib.parse.urlencode(query),
            data=post, headers={"X-Roundcube-Request": self.token})
        with self.browser.open(request, timeout=30) as r:
            self.url = r.geturl()
            return r.read()

    def page(self, post=None, **query):
        """A page as HTML; its request token is kept."""
        text = self.get(post, **query).decode()
        token = re.search(r'"request_token":"([^"]+)"', text)
        if token:
            self.token = token.group(1)
        return text

    def mail(self, action, post=None, **query):
        """What the browser asks for in the background: parsed JSON."""
        if post is not None:
            post = {"_remote": 1, **post}
        answer = json.loads(self.page(
            post, _task="mail", _action=action, _remote=1, **query))
        assert "display_message" not in answer["exec"] or \
            '"error"' not in answer["exec"], answer["exec"] + self.said()
        return answer

    def login(self, user, password):
        self.page(_task="login")
        return self.page({"_task": "login", "_action": "login",
                          "_timezone": "UTC", "_url": "", "_user": user,
                          "_pass": password}, _task="login")

    def rows(self, answer):
        """[(uid, subject)] that an answer adds to the list."""
        return [(int(uid), json.loads(what)["subject"]) for uid, what in
                re.findall(r"this\.add_message_row\((\d+),(\{.*?\}),\{",
                           answer["exec"])]

    def list(self, folder="INBOX", **query):
        return self.rows(self.mail("list", _mbox=folder, **query))


@pytest.fixture(scope="module")
def house(make_module_instance):
    return make_module_instance()


@pytest.fixture(scope="module")
def web(house):
    w = Webmail(house)
    ph.wait_for(w.answers, "Roundcube")
    yield w
    w.server.stop()


@pytest.fixture(scope="module")
def letters(house, web):
    made = [Letter(f"Text {n} with grüne Äpfel.\r\n", [
        ("MIME-Version", "1.0"), ("To", "bob@posthouse.test"),
        ("Content-Type", "text/plain; charset=utf-8")]) for n in range(4)]
    made.append(Letter("--b\r\nContent-Type: text/plain\r\n\r\nSee it.\r\n"
                       "--b\r\nContent-Type: application/octet-stream; "
                       "name=file.bin\r\nContent-Transfer-Encoding: base64\r\n"
                       "\r\nAAECAwQF\r\n--b--\r\n", [
                           ("MIME-Version", "1.0"),
                           ("Content-Type",
                            "multipart/mixed; boundary=b")]))
    for n, letter in enumerate(made):
        clients.send_smtplib(house, letter, [house.address("bob")])
        house.mailbox("bob").wait(n + 1)
    page = web.login(house.address("bob"), house.users["bob"])
    assert "_task=mail" in web.url, page[-2000:] + web.said()
    return made


def test_wrong_password(house, web):
    other = Webmail.__new__(Webmail)
    other.__dict__.update(web.__dict__)
    other.browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with pytest.raises(urllib.error.HTTPError) as e:
        other.login(house.address("bob"), "wrong")
    assert e.value.code == 401


def test_default_folders(house, web, letters):
    with clients.imap(house, "bob") as c:
        names = b" ".join(c.list()[1])
    for name in (b"Drafts", b"Sent", b"Junk", b"Trash"):
        assert name in names


def test_lists_sorts_and_searches(web, letters):
    subjects = [f"letter {letter.mark}" for letter in letters]
    rows = web.list()
    assert sorted(rows) == [*enumerate(subjects, 1)]
    for order in ("ASC", "DESC"):
        rows = web.list(_sort=f"subject_{order}")
        want = sorted(subjects, reverse=order == "DESC")
        assert [s for _, s in rows] == want
    for column in ("date", "arrival", "from", "to", "cc", "size"):
        assert len(web.list(_sort=f"{column}_DESC")) == 5
    found = web.rows(web.mail("search", _mbox="INBOX", _scope="base",
                              _headers="subject", _q=letters[2].mark))
    assert found == [(3, subjects[2])]
    found = web.rows(web.mail("search", _mbox="INBOX", _scope="base",
                              _headers="text", _q="GRÜNE äpfel"))
    assert sorted(uid for uid, _ in found) == [1, 2, 3, 4]
    web.mail("list", _mbox="INBOX")     # ends the search


def test_reads_and_marks(house, web, letters):
    page = web.page(_task="mail", _action="show", _mbox="INBOX", _uid=2)
    assert "Text 1 with grüne Äpfel." in html.unescape(page)
    assert letters[1].mark in page
    page = web.page(_task="mail", _action="show", _mbox="INBOX", _uid=5)
    assert "file.bin" in page
    assert web.get(_task="mail", _action="get", _mbox="INBOX", _uid=5,
                   _part=2, _download=1) == bytes(range(6))
    web.mail("mark", {"_uid": "1,3", "_flag": "flagged", "_mbox": "INBOX"})
    web.mail("mark", {"_uid": "2", "_flag": "unread", "_mbox": "INBOX"})
    with clients.imap(house, "bob", "INBOX") as c:
        assert c.search(None, "FLAGGED")[1] == [b"1 3"]
        assert c.search(None, "SEEN")[1] == [b"5"]


def test_threads(house, web, letters):
    """A list in threads: an answer stands under what it answers."""
    answer = Letter("Yes.\r\n", [
        ("In-Reply-To", f"<{letters[0].mark}@example.com>")])
    clients.send_smtplib(house, answer, [house.address("bob")])
    wait_letter(house, "bob", answer)
    web.mail("refresh", {})
    said = web.mail("list", _mbox="INBOX", _layout="list", _threads="1")
    assert re.search(r'"parent_uid":"?1\b', said["exec"]), said
    web.mail("list", _mbox="INBOX", _threads="0")


def test_moves_and_deletes(house, web, letters):
    web.mail("move", {"_mbox": "INBOX", "_uid": "1,3",
                      "_target_mbox": "Trash"})
    assert sorted(s for _, s in web.list("Trash")) == \
        sorted(f"letter {letters[n].mark}" for n in (0, 2))
    assert not {1, 3} & {uid for uid, _ in web.list()}
    web.mail("copy", {"_mbox": "INBOX", "_uid": "2", "_target_mbox": "Junk"})
    assert [s for _, s in web.list("Junk")] == [f"letter {letters[1].mark}"]
    web.mail("delete", {"_mbox": "Trash", "_uid": "1"})
    assert len(web.list("Trash")) == 1
    web.mail("purge", {"_mbox": "Junk"})
    ph.wait_for(lambda: not ph.Mailbox(house.mailbox("bob").path /
                                       ".Junk").files(), "files to go")


def test_sends(house, web, letters):
    page = web.page(_task="mail", _action="compose", _mbox="INBOX")
    compose = re.search(r'name="_id" value="([^"]+)"', page).group(1)
    identity = re.search(r'name="_from"[^>]*>\s*<option value="(\d+)"',
                         page).group(1)
    page = web.page({"_task": "mail", "_action": "send", "_id": compose,
                     "_from": identity, "_to": house.address("alice"),
                     "_subject": "Grüße", "_message": "Früh.\n",
                     "_is_html": 0, "_store_target": "Sent"},
                    _task="mail", _action="send", _framed=1)
    assert "sent_successfully" in page, page[-3000:] + web.said()
    raw, = house.mailbox("alice").wait(1)
    message = clients.header(raw.read_bytes())
    assert message["From"] == house.address("bob")
    assert message.get_payload(decode=True).decode().strip() == "Früh."
    assert [s for _, s in web.list("Sent")] == ["Grüße"]


def test_folders(house, web, letters):
    page = web.page({"_mbox": "", "_name": "Bücher", "_parent": "",
                     "_task": "settings", "_action": "save-folder"},
                    _task="settings", _action="save-folder")
    with clients.imap(house, "bob") as c:
        assert any(b"B&APw-cher" in line for line in c.list()[1]), page[-2000:]
    assert web.list("B&APw-cher") == []
