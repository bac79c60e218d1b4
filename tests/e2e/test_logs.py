# SPDX-License-Identifier: ISC
"""The programs that read Postfix's and Dovecot's logs understand ours."""

import concurrent.futures
import re
import smtplib
import subprocess

import pytest

import clients
import posthouse as ph
from clients import SENDER, Letter
from wire import Wire


def pflogsumm(log, *options):
    return ph.run(["pflogsumm", *options, log]).stdout


def totals(report):
    """{"received": 3, ...}, the first block of the report."""
    block = report.split("Per-Hour")[0].split("Per-Day")[0]
    return {name: number for number, name in
            re.findall(r"^ +(\d+[km]?) +(\D+?)(?: +\(\d+%\))?$", block, re.M)}


def matches(log, name):
    """The lines of the log that a filter of fail2ban takes for failures."""
    r = ph.run(["fail2ban-regex", "--print-all-matched", log, name])
    found = re.search(r"^Lines: \d+ lines, \d+ ignored, (\d+) matched", r.stdout,
                      re.M)
    assert found, r.stdout
    # Missed lines follow, if they are few.
    part = r.stdout.split("Matched line(s)")[-1].split("Missed line(s)")[0]
    lines = re.findall(r"^\|  (.*\]: .*)$", part, re.M) if int(found[1]) else []
    assert len(lines) == int(found[1]), r.stdout
    return lines


@pytest.fixture(scope="module")
def named(make_module_instance):
    """An instance that logs under the names these programs look for."""
    i = make_module_instance(start=False, syslog_name="postfix",
                             mailbox_syslog_name="dovecot",
                             auth_failure_delay="0s", auth_verbose="yes",
                             mynetworks="192.0.2.0/24",
                             smtpd_hard_error_limit="3")
    return i.start()


def refused(i, to):
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=60) as s:
        s.ehlo("client.example.com")
        s.mail(SENDER)
        return s.rcpt(to)[0]


def test_pflogsumm_counts_right(named):
    alice, bob = named.address("alice"), named.address("bob")
    for to in ([alice], [alice, bob], [bob]):
        clients.send_smtplib(named, Letter(), to)
    named.mailbox("alice").wait(2)
    named.mailbox("bob").wait(2)
    assert refused(named, named.address("nobody")) == 550
    assert refused(named, "who@nobody.example") == 554
    named.wait_log(r"(?s)(removed.*){3}")
    named.wait_log(r"(?s)User unknown.*disconnect from")
    named.wait_log(r"(?s)Relay access denied.*disconnect from")
    log = named.dir / "log" / "mail.log"
    ph.wait_for(lambda: log.read_text().count("disconnect from") >= 5,
                "the sessions' ends")
    report = pflogsumm(log, "--smtpd-stats")
    sums = totals(report)
    assert {k: sums[k] for k in ("received", "delivered", "rejected",
                                 "deferred", "bounced", "senders",
                                 "recipients")} == {
        "received": "3", "delivered": "4", "rejected": "2", "deferred": "0",
        "bounced": "0", "senders": "1", "recipients": "2"}, report
    # The sizes are only known if "client=" came before "from=".
    assert int(sums["bytes received"]) > 300, report
    assert int(sums["bytes delivered"]) > int(sums["bytes received"]), report
    assert re.search(r"^ +3 +sender@example\.com$", report, re.M), report
    assert re.search(r"^ +\d+ +alice@posthouse\.test$", report, re.M), report
    assert "Relay access denied" in report and "User unknown" in report
    assert "smtpd" in report and int(sums["connections"]) >= 5, report


def test_fail2ban_sees_rejects(named):
    refused(named, named.address("nobody"))
    refused(named, "who@nobody.example")
    with Wire(named.smtp_port) as w:
        w.smtp()
        while w.smtp("NONSENSE\r\n").startswith(b"5"):
            pass
    for words in ("User unknown", "Relay access denied",
                  "too many errors after"):
        named.wait_log(words)
    lines = matches(named.dir / "log" / "mail.log", "postfix")
    for words in ("User unknown", "Relay access denied", "too many errors"):
        assert any(words in line for line in lines), (words, lines)
    assert all("postfix/smtpd[" in line for line in lines)


def try_login(i, user, password):
    with smtplib.SMTP_SSL("127.0.0.1", i.submissions_port, timeout=60,
                          context=i.tls_context()) as s:
        s.ehlo("laptop.example.com")
        s.login(i.address(user), password)
        s.sendmail(i.address(user), [i.address("bob")], Letter().bytes)


def test_submission_is_counted(make_instance):
    """submitd's lines are those of Postfix's smtpd for submission."""
    i = make_instance(syslog_name="postfix", auth_failure_delay="0s",
                      auth_mechanisms="PLAIN")
    try_login(i, "alice", i.users["alice"])
    for _ in range(2):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            try_login(i, "alice", "wrong")
    ph.run([ph.BIN / "sendmail", "-C", i.conf_dir, i.address("bob")],
           input="Subject: local\n\nhello\n")
    i.mailbox("bob").wait(2)
    i.wait_log(r"(?s)(removed.*){2}")
    log = i.dir / "log" / "mail.log"
    ph.wait_for(lambda: log.read_text().count("disconnect from") >= 4 and
                log.read_text().count("authentication failed") >= 2,
                "the sessions' ends")
    report = pflogsumm(log, "--smtpd-stats")
    sums = totals(report)
    assert (sums["received"], sums["delivered"]) == ("2", "2"), report
    assert int(sums["connections"]) >= 4, report
    assert "SASL PLAIN authentication failed" in report
    assert int(sums["bytes received"]) > 300, report
    lines = matches(log, "postfix[mode=auth]")
    assert len(lines) == 2, lines
    assert all("postfix/submission/smtpd[" in line and "127.0.0.1" in line
               for line in lines)
    assert len(matches(log, "postfix[mode=aggressive]")) >= 2
    assert not matches(log, "postfix")


def test_fail2ban_sees_failed_logins(named):
    with Wire(named.imap_port) as w:
        w.line()
        w.imap(f"a LOGIN {named.address('alice')} wrong\r\n", "a")
        w.imap("b LOGOUT\r\n", "b")
    with Wire(named.pop3_port) as w:
        w.line()
        for said in (f"USER {named.address('nobody')}\r\n", "PASS wrong\r\n",
                     "QUIT\r\n"):
            w.send(said)
            w.line()
    clients.read_imaplib(named, "alice")
    for words in ("imap-login: Disconnected.*auth failed",
                  "pop3-login: Disconnected.*auth failed", "unknown user",
                  "Password mismatch", "imap-login: Login"):
        named.wait_log(words)
    lines = matches(named.dir / "log" / "mail.log", "dovecot")
    for words in ("imap-login: Disconnected", "pop3-login: Disconnected",
                  "unknown user", "Password mismatch"):
        assert any(words in line for line in lines), (words, lines)
    assert not any("Login:" in line for line in lines)
    assert matches(named.dir / "log" / "mail.log", "dovecot") == lines


def test_fail2ban_bans_no_address_in_a_name(make_instance):
    """Who fails to log in by a name that looks like the end of a line is the
    one that is found, in the lines of IMAP, POP3 and authd."""
    i = make_instance(syslog_name="postfix", mailbox_syslog_name="dovecot",
                      auth_failure_delay="0s", auth_verbose="yes")
    evil = "x>,rip=192.0.2.66,lip=192.0.2.1,session=<y"
    shadow = "x,192.0.2.66): unknown user"
    for name in (evil, shadow):
        with Wire(i.imap_port) as w:
            w.line()
            w.imap(f'a LOGIN "{name}" wrong\r\n', "a")
            w.imap("b LOGOUT\r\n", "b")
        with Wire(i.pop3_port) as w:
            w.send(f"USER {name}\r\nPASS wrong\r\nQUIT\r\n")
            w.rest()
    log = i.dir / "log" / "mail.log"

    def found():
        r = subprocess.run(["fail2ban-regex", "--out", "ip", log, "dovecot"],
                           capture_output=True, text=True, check=True)
        return re.findall(r"^[\d.]+$", r.stdout, re.M)
    # Each failure's line of authd and of login.
    ph.wait_for(lambda: len(found()) >= 8, lambda: f"eight: {found()}")
    assert found() == ["127.0.0.1"] * 8


def test_client_comes_before_from(make_instance):
    """For pflogsumm a message without a client has no size."""
    i = make_instance()

    def send(_):
        with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=60) as s:
            s.ehlo("client.example.com")
            for _ in range(50):
                s.sendmail(SENDER, [i.address("alice")], Letter().bytes)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))
    i.mailbox("alice").wait(300)
    ph.wait_for(lambda: i.log_text().count(": removed") == 300, "the end")
    clients_seen, froms = set(), 0
    for m in re.finditer(r": (\w+): (client|from)=", i.log_text()):
        if m[2] == "client":
            clients_seen.add(m[1])
        else:
            froms += 1
            assert m[1] in clients_seen
    assert froms == 300


def test_fail2ban_leaves_good_sessions_alone(make_instance):
    """Logins, logouts, an administrator's kick, too many sessions: nobody is
    to be banned for them."""
    i = make_instance(syslog_name="postfix", mailbox_syslog_name="dovecot",
                      pop3_session_limit="1")
    login = [f"USER {i.address('alice')}\r\nPASS {i.users['alice']}\r\n"]
    with Wire(i.pop3_port) as a, Wire(i.pop3_port) as b, \
            Wire(i.imap_port) as c:
        a.send(login[0])
        assert [a.line()[:3] for _ in range(3)] == [b"+OK"] * 3
        b.send(login[0])
        assert [b.line()[:4] for _ in range(3)][2] == b"-ERR"
        c.line()
        c.imap(f"a LOGIN {i.address('alice')} {i.users['alice']}\r\n", "a")
        i.posthouse("kick", i.address("alice"))
        assert a.line().startswith(b"-ERR") and not a.line()
        # Who leaves before the word comes has left by himself.
        assert c.line().startswith(b"* BYE Disconnected") and not c.line()
    with Wire(i.pop3_port) as w:
        w.send(login[0] + "QUIT\r\n")
        assert w.rest().endswith(b"+OK Logging out.\r\n")
    line = r"dovecot\[\d+\]: %s\([^)]*\)<\d+><[^>]+>: Disconnected: "
    i.wait_log(line % "pop3" + "Logged out top=0, retr=0/0, del=0/0, size=0")
    i.wait_log(line % "imap" + "Kicked by the administrator in=")
    log = i.dir / "log" / "mail.log"
    assert not matches(log, "dovecot")


def test_debugging_lines(make_instance):
    """Of the processes that debug_services names, from a reload on; a user's
    process stays as it began."""
    i = make_instance()
    step = re.compile(r"posthouse/(\w+)\[.*: \w+ -> \w+$", re.M)
    clients.read_imaplib(i, "alice")
    i.wait_log("imap\\(alice@.*Logged out")
    assert not step.search(i.log_text())
    i.set(debug_services="imapd, login")
    i.reload()
    ph.wait_for(lambda: (clients.read_imaplib(i, "bob"), {
        m[1] for m in step.finditer(i.log_text())})[1] == {"imapd", "login"},
        "debugging lines")
