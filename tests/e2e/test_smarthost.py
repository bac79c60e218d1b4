# SPDX-License-Identifier: ISC
"""A relay host that asks for a login: Postfix with Dovecot's SASL, and a
scripted server for XOAUTH2 (RFC 4954)."""

import base64
import re
import shutil
import smtplib
import socketserver
import threading
import time

import memory
import mtas
import posthouse as ph
import pytest

LONG = "Tr0ub4dor-and-3-for-the-hub"
USERS = {"long-name": LONG, "hub-a": "pass-a", "hub-b": "pass:b", "t\u00f6m": "p\u00e4ss"}

POSTFIX_MORE = """\
mynetworks =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = @work@/sasl/auth
smtpd_sasl_security_options = noanonymous
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_error_sleep_time = 0
smtpd_tls_auth_only = no
"""
# Without its penalties: after some wrong passwords it would let a right one wait
# for up to 15 s, and Postfix waits 10 s.
DOVECOT_CONF = """\
protocols =
base_dir = @work@/run
state_dir = @work@/run
log_path = @work@/log/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = @mechanisms@
auth_verbose = yes
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = scheme=plain username_format=%u @work@/conf/passwd
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/tmp
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener @work@/sasl/auth {
    mode = 0666
  }
}
"""


class Smarthost(mtas.Postfix):
    """Takes mail from who has logged in."""

    name = "smarthost"
    packages = ("postfix", "dovecot-core")
    # In the same process group, so that it ends with the rest.
    # Postfix's smtpd ends, and is throttled, without Dovecot's socket.
    script = ("{ dovecot -F -c @work@/conf/dovecot.conf & } && "
              "while ! [ -S sasl/auth ]; do sleep 0.1; done && " +
              mtas.Postfix.script)

    def configure(self):
        (self.work / "run").mkdir()
        (self.work / "sasl").mkdir(mode=0o755)
        text = DOVECOT_CONF.replace("@mechanisms@",
                                    self.settings["mechanisms"])
        self.write("dovecot.conf", text)
        (self.work / "conf" / "passwd").write_text("".join(
            f"{user}:{{plain.b64}}"
            f"{base64.b64encode(password.encode()).decode()}::::::\n"
            for user, password in USERS.items()))
        self.settings["more"] = POSTFIX_MORE.replace(
            "@work@", str(self.work)) + self.settings.get("lines", "")
        super().configure()

    @property
    def nexthop(self):
        return f"[{self.host}]:25"

    def logins(self):
        """[(mechanism, user)] of logins that were taken."""
        return re.findall(r"client=.*sasl_method=(\S+), sasl_username=(\S+)",
                          self.log())

    def failures(self):
        return len(re.findall(r"SASL \S+ authentication failed", self.log()))


def running(**settings):
    directory = ph.ROOT / "build" / "tests" / f"hub.{time.monotonic_ns()}"
    peer = Smarthost(directory, **settings)
    yield peer
    peer.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def hub():
    yield from running(mechanisms="plain login scram-sha-1 scram-sha-256")


def house(make, hub, **more):
    """An instance that sends all through the hub, as hub-a."""
    return make(**{
        "relayhost": hub.nexthop,
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps":
            f"inline:{{ {{{hub.nexthop} = hub-a:pass-a}} }}",
        "smtp_sasl_tls_security_options": "noanonymous",
        "minimal_backoff_time": "300s", **more})


def send(i, to, sender="alice@posthouse.test"):
    """Hand a letter in; its subject."""
    subject = f"letter {time.monotonic_ns()}"
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.sendmail(sender, [to], f"From: {sender}\r\nSubject: {subject}\r\n"
                                 "\r\nhello\r\n")
    return subject


def arrived(hub, subject, seconds=60):
    def look():
        return [m for m in hub.letters() if subject.encode() in m]
    return ph.wait_for(look, f"{subject} at the hub\n{hub.log()[-3000:]}",
                       seconds)[0].decode()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-1",
                                       "SCRAM-SHA-256", ""])
def test_mechanisms(make_instance, hub, mechanism):
    i = house(make_instance, hub, smtp_sasl_mechanism_filter=mechanism)
    before = len(hub.logins())
    text = arrived(hub, send(i, f"x@{hub.domain}"))
    assert "(Authenticated sender: hub-a)" in text
    assert "using TLS" in text
    want = mechanism or "SCRAM-SHA-256"
    ph.wait_for(lambda: hub.logins()[before:] == [(want, "hub-a")],
                f"the hub to log {want}")
    i.wait_log(rf"to=<x@{re.escape(hub.domain)}>, relay=\S+, .*status=sent")


def test_odd_names(make_instance, hub):
    """A colon in the password, UTF-8 in both; by the name of the host."""
    i = house(make_instance, hub, smtp_sasl_password_maps=(
        f"inline:{{ {{{hub.host} = hub-b:pass:b}} }}"))
    assert "(Authenticated sender: hub-b)" in arrived(
        hub, send(i, f"x@{hub.domain}"))


def test_wrong_password(make_instance, hub):
    """Deferred, said clearly, not hammered; later it goes out."""
    i = make_instance(start=False)
    table = i.conf_dir / "hub_password"
    table.write_text(f"{hub.nexthop} hub-a:wrong\n")
    i.set(relayhost=hub.nexthop, smtp_sasl_auth_enable="yes",
          smtp_sasl_password_maps=f"texthash:{table}",
          smtp_sasl_tls_security_options="noanonymous")
    i.start()
    before = hub.failures()
    subjects = [send(i, f"x{k}@{hub.domain}") for k in range(12)]
    i.wait_log(r"to=<x\d+@\S+>, relay=\S+, .*dsn=4\.7\.8, status=deferred "
               r"\(SASL authentication failed; server \S+ said: 535 5\.7\.8 "
               r"Error: authentication failed")
    ph.wait_for(lambda: i.log_text().count("status=deferred") ==
                len(subjects), "all to be deferred")
    # initial_destination_concurrency is 5: so many may have been under way.
    ph.wait_for(lambda: hub.failures() > before, "the hub's log")
    assert hub.failures() - before <= 5
    assert "(delivery temporarily suspended: SASL authentication failed" \
        in i.log_text()
    assert "SASL authentication failed" in i.posthouse("queue", "list").stdout
    assert not [m for m in hub.letters() if b"letter" in m
                and any(s.encode() in m for s in subjects)]
    # A new edition of the table is seen without a reload, after a second.
    table.write_text(f"{hub.nexthop} hub-a:pass-a\n")

    def flushed():
        i.posthouse("queue", "flush")
        return all(any(s.encode() in m for m in hub.letters())
                   for s in subjects)
    ph.wait_for(flushed, "all at the hub", pause=0.5)


def test_nobody_may_read_the_table(make_instance, hub):
    """A table that router cannot read: the mail waits, and is not sent
    without a login."""
    i = make_instance(start=False)
    table = i.conf_dir / "hub_password"
    table.write_text(f"{hub.nexthop} hub-a:pass-a\n")
    table.chmod(0o600)
    i.set(relayhost=hub.nexthop, smtp_sasl_auth_enable="yes",
          smtp_sasl_password_maps=f"texthash:{table}")
    i.start()
    send(i, f"x@{hub.domain}")
    i.wait_log(r"hub_password: Permission denied")
    i.wait_log(r"status=deferred \(.*Temporary lookup failure")


def test_sender_dependent(make_instance, hub):
    """Relay host and login by the sender; connections are not shared."""
    login = ("inline:{ {alice@posthouse.test = hub-a:pass-a}, "
             "{bob@posthouse.test = hub-b:pass:b} }")
    i = house(make_instance, hub, relayhost="[127.0.0.1]:9",
              smtp_sender_dependent_authentication="yes",
              smtp_sasl_password_maps=login,
              sender_dependent_relayhost_maps=(
                  f"inline:{{ @posthouse.test={hub.nexthop} }}"))
    sent = [(user, send(i, f"x@{hub.domain}", f"{name}@posthouse.test"))
            for _ in range(3)
            for name, user in (("alice", "hub-a"), ("bob", "hub-b"))]
    for user, subject in sent:
        assert f"(Authenticated sender: {user})" in arrived(hub, subject)
    # Others go to the other relay host, which is not there.
    send(i, f"x@{hub.domain}", "x@example.net")
    i.wait_log(r"relay=none, .*status=deferred \(connect to "
               r"127\.0\.0\.1\[127\.0\.0\.1\]:9: Connection refused\)")


def test_named_transport(make_instance, hub):
    """Its own login, beside smtp's, which has none."""
    i = make_instance(
        transports="hub", smtp_sasl_auth_enable="no",
        hub_sasl_auth_enable="yes",
        hub_sasl_password_maps=f"inline:{{ {{{hub.nexthop} = "
                               "hub-b:pass:b} }",
        hub_sasl_tls_security_options="noanonymous",
        transport_maps=f"inline:{{ {{{hub.domain} = hub:{hub.nexthop}}} }}")
    assert "(Authenticated sender: hub-b)" in arrived(
        hub, send(i, f"x@{hub.domain}"))


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256"])
def test_password_is_gone(make_instance, hub, mechanism):
    """Nobody but router has it when the connection is closed."""
    i = house(make_instance, hub, smtp_sasl_mechanism_filter=mechanism,
              smtp_connection_cache_on_demand="no", smtp_sasl_password_maps=(
                  f"inline:{{ {{{hub.nexthop} = long-name:{LONG}}} }}"))
    arrived(hub, send(i, f"x@{hub.domain}"))
    plain = base64.b64encode(f"\0long-name\0{LONG}".encode())
    patterns = {"password": LONG.encode(), "in PLAIN": plain[:40],
                "in LOGIN": base64.b64encode(LONG.encode())[:32]}

    def where():
        return [name for name, pids in i.pids().items() if name != "router"
                for pid in pids if memory.found_in(pid, patterns)]
    ph.wait_for(lambda: not where(), lambda: f"it to be gone: {where()}",
                pause=0.5)


@pytest.fixture(scope="module")
def plain_hub():
    yield from running(domain="plain.example.com", mechanisms="plain login",
                       lines="smtpd_tls_security_level = none\n")


def test_no_password_in_the_clear(make_instance, plain_hub):
    """By default no mechanism is used that shows the password; with the
    options that everybody sets, none without TLS."""
    hub = plain_hub
    for more in ({}, {"smtp_sasl_tls_security_options":
                      "$smtp_sasl_security_options"}):
        i = house(make_instance, hub, **more)
        send(i, f"x@{hub.domain}")
        i.wait_log(r"status=deferred \(SASL authentication failed; cannot "
                   r"authenticate to server \S+: it offers no compatible "
                   r"authentication mechanism for this type of connection "
                   r"security\)")
        i.stop()
    assert hub.logins() == [] and hub.failures() == 0
    # Who wants it all the same can have it.
    i = house(make_instance, hub, smtp_sasl_security_options="noanonymous")
    assert "(Authenticated sender: hub-a)" in arrived(
        hub, send(i, f"x@{hub.domain}"))


def test_default_options_under_tls(make_instance, hub):
    """noplaintext also under TLS, as in Postfix, is no obstacle to SCRAM."""
    i = house(make_instance, hub, smtp_sasl_tls_security_options=None)
    arrived(hub, send(i, f"x@{hub.domain}"))
    ph.wait_for(lambda: hub.logins()[-1] == ("SCRAM-SHA-256", "hub-a"),
                "the hub to log it")


# --- XOAUTH2 -----------------------------------------------------------------

TOKEN = "ya29." + "x" * 1500


class Scripted(socketserver.StreamRequestHandler):
    """One connection of a server that wants XOAUTH2; what was said is kept in
    server.said, without texts."""

    def reply(self, *lines):
        self.wfile.write("".join(f"{l}\r\n" for l in lines).encode())

    def auth(self, words):
        message = words[2] if len(words) > 2 else None
        if message is None:
            self.reply("334 ")
            message = self.rfile.readline().strip().decode()
        text = base64.b64decode(message).decode()
        self.server.tokens.append(text)
        good = f"user=hub-a\x01auth=Bearer {self.server.token}\x01\x01"
        if text == good:
            return self.reply("235 2.7.0 Accepted")
        why = base64.b64encode(b'{"status":"400","schemes":"Bearer"}')
        self.reply("334 " + why.decode())
        self.server.empty.append(self.rfile.readline())
        return self.reply("535 5.7.8 token is no good")

    def data(self):
        self.reply("354 go on")
        lines = iter(self.rfile.readline, b".\r\n")
        self.server.letters.append(b"".join(lines))
        self.reply("250 2.0.0 taken")

    def handle(self):
        self.reply("220 token.test ESMTP")
        for raw in iter(self.rfile.readline, b""):
            words = raw.decode().split()
            verb = words[0].upper() if words else ""
            if verb == "EHLO":
                self.reply("250-token.test", "250 AUTH LOGIN PLAIN XOAUTH2")
            elif verb == "AUTH":
                self.auth(words)
            elif verb == "DATA":
                self.data()
            elif verb == "QUIT":
                return self.reply("221 bye")
            else:
                self.reply("250 2.0.0 ok")


@pytest.fixture
def token_server():
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    host = mtas.loopback_address()
    with Server((host, 25), Scripted) as server:
        server.tokens, server.empty, server.letters = [], [], []
        server.host, server.token = host, TOKEN
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_xoauth2(make_instance, token_server):
    server = token_server
    i = make_instance(
        relayhost=f"[{server.host}]", smtp_sasl_auth_enable="yes",
        smtp_sasl_password_maps=f"inline:{{ {server.host}=hub-a:{TOKEN} }}",
        smtp_sasl_security_options="noanonymous",
        smtp_sasl_mechanism_filter="xoauth2", smtp_tls_security_level="none",
        smtp_connection_cache_on_demand="no")
    send(i, "x@example.net")
    ph.wait_for(lambda: server.letters, "the letter")
    assert server.tokens == [f"user=hub-a\x01auth=Bearer {TOKEN}\x01\x01"]
    assert TOKEN not in i.log_text()
    # An old token: said why, and an empty answer to the reason.
    server.token = "another"
    send(i, "y@example.net")
    i.wait_log(r'XOAUTH2: the server refuses the token: .*"status":"400"')
    i.wait_log(r"status=deferred \(SASL authentication failed; server \S+ "
               r"said: 535 5\.7\.8 token is no good")
    assert server.empty == [b"\r\n"]
    assert TOKEN not in i.log_text()
