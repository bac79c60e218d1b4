# SPDX-License-Identifier: ISC
"""Delivery status notifications, as Python's email package reads them."""

import email
import email.policy
import email.utils
import re
import smtplib
import subprocess
import time

import pytest

import posthouse as ph
from clients import Letter
from mx import Mx

ALICE, BOB = f"alice@{ph.DOMAIN}", f"bob@{ph.DOMAIN}"
QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "1s"}
NOT_NOW, NEVER = "451 4.3.0 not now", "550 5.1.1 unknown here"


def by_name(_server, line):
    """What the local part of RCPT TO:<...> asks for."""
    name = line[9:]
    return NEVER if name.startswith("no") else \
        NOT_NOW if name.startswith("later") else None


@pytest.fixture
def elsewhere():
    """The server all mail to other domains goes to."""
    with Mx(port=0, replies={"RCPT": by_name}) as s:
        yield s


@pytest.fixture
def plain_elsewhere():
    """One that has never heard of DSN."""
    with Mx(port=0, replies={"RCPT": by_name},
            extensions=("PIPELINING", "8BITMIME")) as s:
        yield s


@pytest.fixture
def make(make_instance):
    def make(server, **more):
        return make_instance(**{
            "relayhost": f"[127.0.0.1]:{server.port}",
            "smtp_connect_ports": str(server.port),
            "smtp_tls_security_level": "none",
            "2bounce_notice_recipient": BOB,
            "bounce_notice_recipient": BOB,
            "delay_notice_recipient": BOB, **QUICK, **more})
    return make


def send(i, to, letter=None, sender=ALICE, mail=(), rcpt=()):
    """rcpt: the parameters of all recipients, or {recipient: parameters}."""
    letter = letter or Letter()
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=60) as s:
        s.ehlo("client.example.com")
        assert s.mail(sender, mail)[0] == 250
        for r in to:
            reply = s.rcpt(r, rcpt.get(r, ()) if isinstance(rcpt, dict)
                           else rcpt)
            assert reply[0] == 250, reply
        code, text = s.data(letter.bytes)
    assert code == 250, text
    return letter


def fields(block):
    """(name, value) of a header block, by RFC 5322 alone."""
    lines = re.sub(r"\n[ \t]+", " ", block).splitlines()
    assert all(re.match(r"[!-9;-~]+: ", line) for line in lines), lines
    return [tuple(line.split(": ", 1)) for line in lines]


def conforms(raw):
    """What RFC 5322, 2045, 2046, 3464 and 6522 say of form, seen by no parser
    that forgives."""
    assert b"\r" not in raw and b"\0" not in raw and raw.endswith(b"\n")
    assert max(map(len, raw.split(b"\n"))) <= 998
    text = raw.decode("latin-1")
    head, body = text.split("\n\n", 1)
    head = fields(head)
    names = [name.lower() for name, _ in head]
    once = ("from", "to", "date", "subject", "message-id", "mime-version",
            "content-type", "auto-submitted", "return-path")
    assert [names.count(n) for n in once] == [1] * len(once), names
    head = dict(zip(names, (v for _, v in head)))
    assert email.utils.parsedate_to_datetime(head["date"])
    assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", head["message-id"])
    assert head["mime-version"] == "1.0"
    boundary = re.fullmatch(
        r"multipart/report; report-type=delivery-status; "
        r'boundary="([\w]{1,70})"', head["content-type"]).group(1)
    encoding = head.get("content-transfer-encoding", "7bit")
    assert encoding in ("7bit", "8bit")
    assert body.isascii() or encoding == "8bit"
    parts = re.split(rf"(?:^|\n)--{boundary}(?=\n|--\n)", body)
    assert len(parts) == 5 and parts[4] == "--\n", parts[4]
    types = []
    for part in parts[1:4]:
        inner, content = part[1:].split("\n\n", 1)
        inner = {k.lower(): v for k, v in fields(inner)}
        coding = inner.get("content-transfer-encoding", "7bit")
        types.append(inner["content-type"].split(";")[0])
        assert coding in ("7bit", "8bit") or \
            coding == "quoted-printable" and types[-1] == "text/plain"
        assert content.isascii() or coding == encoding == "8bit"
        if len(types) == 2:
            status = content
    assert types[1] in ("message/delivery-status",
                        "message/global-delivery-status")
    groups = [fields(g) for g in status.rstrip("\n").split("\n\n")]
    assert groups[0][0][0] == "Reporting-MTA" and len(groups) > 1
    for group in groups[1:]:
        names = [name for name, _ in group]
        assert len(set(names)) == len(names)
        group = dict(group)
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", group["Status"])
        assert group["Action"] in ("failed", "delayed", "delivered",
                                   "relayed", "expanded")
        for name in ("Final-Recipient", "Original-Recipient", "Remote-MTA",
                     "Diagnostic-Code"):
            assert re.match(r"[\w-]+; \S", group.get(name, "x; y")), group
        for name in ("Last-Attempt-Date", "Will-Retry-Until"):
            if name in group:
                assert email.utils.parsedate_to_datetime(group[name])


def bounce_parser(raw):
    """{address: (reason, status, Action)} by Perl's
    Mail::DeliveryStatus::BounceParser, which stands on MIME::Parser."""
    words = subprocess.run(["perl", "-MMail::DeliveryStatus::BounceParser",
                            "-e", """
        my $b = Mail::DeliveryStatus::BounceParser->new(join "", <STDIN>);
        print "bounce: ", ($b->is_bounce ? 1 : 0), "\n";
        print join("\t", map { $_ // "" } $_->get("email"),
                   $_->get("std_reason"), $_->get("status"),
                   $_->get("action")), "\n" for $b->reports;
        """], input=raw, capture_output=True, check=True)
    assert words.stderr == b""
    first, *rest = words.stdout.decode().splitlines()
    rows = [line.split("\t") for line in rest]
    return first == "bounce: 1", {r[0]: tuple(x.strip() for x in r[1:])
                                  for r in rows}


class Report:
    def __init__(self, raw):
        conforms(raw)
        self.raw = raw
        self.message = email.message_from_bytes(raw, policy=email.policy.SMTP)
        m = self.message
        assert not m.defects
        assert m.get_content_type() == "multipart/report"
        assert m.get_param("report-type") == "delivery-status"
        assert m["Auto-Submitted"] == "auto-replied"
        assert "MAILER-DAEMON@mail.posthouse.test" in m["From"]
        assert m["Return-Path"] in ("<>",
                                    "<double-bounce@mail.posthouse.test>")
        self.human, self.status, self.original = m.iter_parts()
        assert self.human.get_content_type() == "text/plain"
        groups = self.status.get_payload()
        self.about, self.rcpts = groups[0], groups[1:]
        assert self.about["Reporting-MTA"] == "dns; mail.posthouse.test"
        assert self.about["Arrival-Date"]
        for r in self.rcpts:
            assert r["Status"] and r["Action"] and r["Final-Recipient"]

    def rcpt(self, address):
        found = [r for r in self.rcpts
                 if r["Final-Recipient"].split("; ", 1)[1] == address]
        assert len(found) == 1, f"{address} is there {len(found)} times"
        return found[0]

    def text(self):
        return self.human.get_content()

    def returned(self):
        """What stands in the third part, as bytes."""
        p = self.original
        if p.get_content_maintype() == "text":
            return p.get_content().encode()
        return p.get_payload(0).as_bytes()


def reports(i, user="alice"):
    return [m for m in i.mailbox(user).messages()
            if b"report-type=delivery-status" in m]


def wait_reports(i, n=1, user="alice"):
    ph.wait_for(lambda: len(reports(i, user)) >= n, f"{n} reports")
    found = reports(i, user)
    assert len(found) == n
    return [Report(r) for r in found]


def the_report(i, user="alice"):
    return wait_reports(i, 1, user)[0]


def wait_empty(i):
    ph.wait_for(lambda: "is empty" in i.posthouse("queue", "list").stdout
                or not i.posthouse("queue", "list").stdout.strip(),
                "an empty queue")


# -- failures

@pytest.mark.dev
def test_failure(make, elsewhere):
    i = make(elsewhere)
    letter = send(i, ["no@example.net", "yes@example.net"],
                  mail=["ENVID=QQ+2B314"],
                  rcpt={"no@example.net":
                        ["ORCPT=rfc822;No+40example.net"]})
    r = the_report(i)
    m = r.message
    assert m["Subject"] == "Undelivered Mail Returned to Sender"
    assert m["To"] == ALICE
    assert m["Return-Path"] == "<>"
    assert r.about["Original-Envelope-Id"] == "QQ+314"
    assert r.about["X-Posthouse-Sender"] == f"rfc822; {ALICE}"
    assert len(r.rcpts) == 1
    to = r.rcpt("no@example.net")
    assert to["Action"] == "failed"
    assert to["Status"] == "5.1.1"
    assert to["Original-Recipient"] == "rfc822; No@example.net"
    assert to["Diagnostic-Code"] == f"smtp; {NEVER}"
    assert "127.0.0.1" in to["Remote-MTA"]
    assert to["Last-Attempt-Date"]
    assert "<no@example.net>:" in r.text() and NEVER in r.text()
    assert r.original.get_content_type() == "message/rfc822"
    assert letter.is_in(r.returned())
    assert not elsewhere.mails[0][2].count(b"multipart/report")
    assert bounce_parser(r.raw) == (True, {"No@example.net": (
        "user_unknown", "5.1.1", "failed")})
    i.wait_log(r"\w+: sender non-delivery notification: \w+\n")
    i.wait_log(r"to=<no@example.net>, .*, dsn=5\.1\.1, status=bounced ")
    wait_empty(i)


@pytest.mark.parametrize("mail, body, kind, whole", [
    (["RET=HDRS"], "body\r\n", "text/rfc822-headers", False),
    (["RET=FULL"], "body\r\n", "message/rfc822", True),
    ([], "x" * 70 + "\r\n", "message/rfc822", True),
    (["RET=FULL"], ("x" * 70 + "\r\n") * 800, "text/rfc822-headers", False),
], ids=["hdrs", "full", "default", "large"])
def test_ret(make, elsewhere, mail, body, kind, whole):
    i = make(elsewhere)
    letter = send(i, ["no@example.net"], Letter(body), mail=mail)
    r = the_report(i)
    assert r.original.get_content_type() == kind
    assert letter.mark.encode() in r.returned()
    assert (body.strip()[-60:].encode() in r.returned()) == whole


# A message whose body stands in a file of its own.
def test_streamed(make, elsewhere):
    i = make(elsewhere, bounce_size_limit="1000000")
    body = "".join(f"{k:070}\r\n" for k in range(3000))
    letter = send(i, ["no@example.net"], Letter(body))
    assert letter.is_in(the_report(i).returned())


@pytest.mark.parametrize("notify, want", [
    (None, "failed"), ("FAILURE", "failed"), ("SUCCESS,FAILURE", "failed"),
    ("NEVER", None), ("DELAY", None), ("SUCCESS", None),
])
def test_notify_failure(make, elsewhere, notify, want):
    i = make(elsewhere)
    send(i, ["no@example.net"], rcpt=[f"NOTIFY={notify}"] if notify else [])
    i.wait_log(r"status=bounced")
    if want:
        assert the_report(i).rcpts[0]["Action"] == want
    wait_empty(i)
    assert len(reports(i)) == (1 if want else 0)


# -- the null sender

def test_bounce_of_a_bounce(make, elsewhere):
    i = make(elsewhere)
    letter = send(i, ["no@example.net"], sender="nobody@example.net")
    r = the_report(i, "bob")
    assert r.message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert r.message["Return-Path"] == "<double-bounce@mail.posthouse.test>"
    assert r.message["To"] == BOB
    assert r.rcpt("nobody@example.net")["Status"] == "5.1.1"
    # What comes back is the bounce with the letter in it.
    inner = Report(b"Return-Path: <>\n" +
                   r.returned().replace(b"\r\n", b"\n"))
    assert letter.is_in(inner.returned())
    i.wait_log(r"postmaster non-delivery notification: \w+\n")
    wait_empty(i)


def test_double_bounce_is_dropped(make, elsewhere):
    i = make(elsewhere, **{"2bounce_notice_recipient": "no@example.org"})
    send(i, ["no@example.net"], sender="nobody@example.net")
    i.wait_log(r"undeliverable double bounce: discarded")
    wait_empty(i)


def test_no_2bounce(make, elsewhere):
    i = make(elsewhere, notify_classes="resource")
    send(i, ["no@example.net"], sender="")
    i.wait_log(r"undeliverable bounce: discarded")
    wait_empty(i)
    assert not reports(i, "bob")


def test_postmaster_copy(make, elsewhere):
    i = make(elsewhere, notify_classes="bounce, 2bounce")
    letter = send(i, ["no@example.net"])
    r = the_report(i, "bob")
    assert r.message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert letter.mark.encode() in r.returned()
    assert letter.is_in(the_report(i).returned())
    wait_empty(i)


# -- success

def test_delivered(make, elsewhere):
    i = make(elsewhere)
    letter = send(i, [ALICE, BOB], rcpt={BOB: ["NOTIFY=SUCCESS"]})
    r = the_report(i)
    assert r.message["Subject"] == "Successful Mail Delivery Report"
    assert [x["Action"] for x in r.rcpts] == ["delivered"]
    assert r.rcpt(BOB)["Status"] == "2.0.0"
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert letter.mark.encode() in r.returned()
    i.wait_log(r"sender delivery status notification: \w+\n")
    wait_empty(i)


def test_relayed(make, plain_elsewhere):
    i = make(plain_elsewhere)
    send(i, ["yes@example.net"], rcpt=["NOTIFY=SUCCESS,FAILURE"])
    r = the_report(i)
    assert [x["Action"] for x in r.rcpts] == ["relayed"]
    wait_empty(i)


def test_passed_on(make, elsewhere):
    """Who takes DSN parameters takes care of the rest."""
    i = make(elsewhere)
    send(i, ["yes@example.net"], mail=["ENVID=a+2Bb", "RET=HDRS"],
         rcpt=["NOTIFY=SUCCESS", "ORCPT=rfc822;y+2B@example.net"])
    ph.wait_for(lambda: elsewhere.mails, "the letter")
    lines = "\n".join(elsewhere.lines)
    assert "RET=HDRS" in lines and "ENVID=a+2Bb" in lines
    assert "NOTIFY=SUCCESS" in lines
    assert "ORCPT=rfc822;y+2B@example.net" in lines
    wait_empty(i)
    assert not reports(i)


def test_expanded(make, elsewhere):
    i = make(elsewhere)
    (i.conf_dir / "virtual").write_text(
        f"team@{ph.DOMAIN} {BOB}, yes@example.net\n")
    i.set(virtual_alias_maps=f"texthash:{i.conf_dir}/virtual")
    i.reload()
    ph.wait_for(lambda: _accepts(i, f"team@{ph.DOMAIN}"), "the alias")
    send(i, [f"team@{ph.DOMAIN}"], rcpt=["NOTIFY=SUCCESS"])
    r = the_report(i)
    assert [x["Action"] for x in r.rcpts] == ["expanded"]
    r.rcpt(f"team@{ph.DOMAIN}")
    ph.wait_for(lambda: elsewhere.mails, "the letter")
    assert "NOTIFY=SUCCESS" not in "\n".join(elsewhere.lines)
    wait_empty(i)
    assert len(reports(i)) == 1


def _accepts(i, address):
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.mail("x@example.com")
        return s.rcpt(address)[0] == 250


# -- delays

def test_delay_then_expiry(make, elsewhere):
    i = make(elsewhere, delay_warning_time="2s", maximal_queue_lifetime="12s",
             notify_classes="delay 2bounce")
    letter = send(i, ["later@example.net"])
    r = the_report(i)
    assert r.message["Subject"] == "Delayed Mail (still being retried)"
    to = r.rcpt("later@example.net")
    assert to["Action"] == "delayed"
    assert to["Status"] == "4.3.0"
    assert to["Diagnostic-Code"] == f"smtp; {NOT_NOW}"
    assert to["Will-Retry-Until"]
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert the_report(i, "bob").message["Subject"] == \
        "Postmaster Warning: Delayed Mail"
    # What the log of attempts says is all that is left after a restart.
    i.kill("qmgr")
    second = wait_reports(i, 2)
    failed = [x for x in second if x.rcpts[0]["Action"] == "failed"]
    assert len(failed) == 1
    to = failed[0].rcpt("later@example.net")
    assert to["Status"] == "4.3.0"
    assert to["Diagnostic-Code"] == f"smtp; {NOT_NOW}"
    assert letter.is_in(failed[0].returned())
    i.wait_log(rf"from=<{ALICE}>, status=expired, returned to sender")
    wait_empty(i)
    assert len(reports(i)) == 2 and len(reports(i, "bob")) == 1


def test_notify_delay(make, elsewhere):
    i = make(elsewhere, delay_warning_time="1s")
    send(i, ["later@example.net"], rcpt=["NOTIFY=FAILURE"])
    letter = send(i, ["later@example.net"], rcpt=["NOTIFY=DELAY"])
    r = the_report(i)
    assert letter.mark.encode() in r.returned()
    time.sleep(3)
    assert len(reports(i)) == 1


def test_bounce_lifetime(make, elsewhere):
    i = make(elsewhere, bounce_queue_lifetime="2s")
    send(i, ["later@example.net"], sender="")
    assert the_report(i, "bob").rcpts[0]["Action"] == "failed"
    wait_empty(i)


def test_dead_destination_is_warned_of(make, elsewhere):
    """Nobody is asked again and again; the sender learns of it in time."""
    i = make(elsewhere, delay_warning_time="2s", maximal_queue_lifetime="10s",
             minimal_backoff_time="100s", maximal_backoff_time="100s")
    elsewhere.stop()
    for _ in range(3):
        send(i, ["yes@example.net"])
    found = wait_reports(i, 6)
    assert sorted(r.rcpts[0]["Action"] for r in found) == \
        ["delayed"] * 3 + ["failed"] * 3
    for r in found:
        assert "Connection refused" in r.rcpts[0]["Diagnostic-Code"]
    wait_empty(i)


# -- many recipients

@pytest.mark.dev
def test_thousand_outcomes(make, plain_elsewhere):
    i = make(plain_elsewhere, delay_warning_time="1s")
    names = [f"{('yes', 'no', 'later')[k % 3]}{k}@example.net"
             for k in range(998)] + [BOB, f"never-there@{ph.DOMAIN}"]
    to = names[:-1]
    send(i, to, rcpt=["NOTIFY=SUCCESS,FAILURE,DELAY"])

    def seen():
        actions = {}
        for raw in reports(i):
            for x in Report(raw).rcpts:
                address = x["Final-Recipient"].split("; ", 1)[1]
                actions.setdefault(address, []).append(x["Action"])
        return actions
    ph.wait_for(lambda: len(seen()) == len(to), "all outcomes", 120, 0.5)
    for address, actions in seen().items():
        want = {"y": "relayed", "n": "failed", "l": "delayed",
                "b": "delivered"}[address[0]]
        assert actions == [want], (address, actions)


# -- words

TEMPLATE = """\
# ours
failure_template = <<EOF
Charset: utf-8
From: Die Post <post@posthouse.test>
Subject: Kam nicht an

Gr\u00fc\u00dfe von ${myhostname}, $maximal_queue_lifetime_days Tage.
EOF
"""


def test_template(make, elsewhere):
    i = make(elsewhere)
    path = i.conf_dir / "bounce.cf"
    path.write_text(TEMPLATE.replace("${myhostname}", "${nothing}"))
    i.set(bounce_template_file=path)
    i.reload()
    i.wait_log(r"bounce_template_file: line \d+: \$nothing is not known")
    send(i, ["no@example.net"])
    assert "MAILER-DAEMON" in the_report(i).message["From"]
    path.write_text(TEMPLATE)

    def in_our_words():         # master looks once a second
        before = len(reports(i))
        send(i, ["no@example.net"])
        ph.wait_for(lambda: len(reports(i)) > before, "another report")
        return [r for r in reports(i) if b"Kam nicht an" in r]
    raw = ph.wait_for(in_our_words, "the new words", pause=0.5)
    m = email.message_from_bytes(raw[0], policy=email.policy.SMTP)
    assert m["From"] == "Die Post <post@posthouse.test>"
    human = next(m.iter_parts())
    assert human.get_content().startswith(
        "Gr\u00fc\u00dfe von mail.posthouse.test, 5 Tage.\n")


def test_soft_bounce(make, elsewhere):
    i = make(elsewhere, soft_bounce="yes")
    send(i, ["no@example.net"])
    i.wait_log(r"to=<no@example.net>, .*, dsn=4\.1\.1, status=SOFTBOUNCE ")
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.mail(ALICE)
        assert s.rcpt(f"nobody@{ph.DOMAIN}")[0] == 450
    assert not reports(i)


def test_smtputf8(make, plain_elsewhere):
    """The other host cannot take it: the report is in the same alphabet."""
    i = make(plain_elsewhere)
    with smtplib.SMTP("127.0.0.1", i.submission_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.starttls(context=i.tls_context())
        s.ehlo("client.example.com")
        s.login(ALICE, i.users["alice"])
        s.mail(ALICE, ["SMTPUTF8", "BODY=8BITMIME"])
        s.send("RCPT TO:<\u03b4\u03bf\u03ba@example.net>\r\n".encode())
        assert s.getreply()[0] == 250
        code, _ = s.data("Subject: \u03b4\r\n\r\nx\r\n".encode())
        assert code == 250
    ph.wait_for(lambda: reports(i), "a report")
    m = email.message_from_bytes(reports(i)[0], policy=email.policy.SMTPUTF8)
    types = [p.get_content_type() for p in m.iter_parts()]
    assert types == ["text/plain", "message/global-delivery-status",
                     "message/global"]
    assert "Final-Recipient: utf-8; \u03b4\u03bf\u03ba@example.net\n".encode()\
        in reports(i)[0].replace(b"\r\n", b"\n")
