# SPDX-License-Identifier: ISC
"""Other mail servers to send to, each on port 25 of a loopback address of its
own: Postfix, Exim and OpenSMTPD of Debian in private roots, and Python's
aiosmtpd.  Whatever arrives, for any user of the peer's domain, is one file in
its mailbox."""

import email.policy
import random
import shutil
import socket
import threading

import peer
import posthouse as ph


def loopback_address(port=25):
    """An address of 127.0.0.0/8 on which nobody has this port."""
    for _ in range(100):
        host = "127.%d.%d.%d" % (random.randrange(64, 250),
                                 random.randrange(256),
                                 random.randrange(1, 255))
        with socket.socket() as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
            return host
    raise AssertionError(f"no loopback address with a free port {port}")


class Peer:
    """A server in a private root.  Subclasses say how it is configured; their
    script must take the place of the shell (exec)."""

    name = ""
    packages = ()
    script = ""
    mail_user = "nobody"

    def __init__(self, directory, domain=None, **settings):
        self.domain = domain or f"{self.name}.example.com"
        self.host, self.port = loopback_address(), 25
        self.work = directory / self.name
        self.settings = settings
        for d in ("conf", "spool", "data", "log", "mail"):
            (self.work / d).mkdir(parents=True)
        self.mailbox = ph.Mailbox(self.work / "mail" / "inbox")
        ph.witnesses.append(self.work)
        for name in ("ecdsa.pem", "rsa.pem", "ca.pem"):
            shutil.copy(ph.certificates() / name, self.work / "conf")
        peer.make(self.name, *self.packages)
        self.configure()
        self.start()

    def write(self, name, text):
        values = {"work": self.work, "host": self.host, "domain": self.domain,
                  "more": self.settings.get("more", "")}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (self.work / "conf" / name).write_text(text)

    def start(self):
        script = (f"cd {self.work} && {self.script}"
                  .replace("@work@", str(self.work))
                  .replace("@host@", self.host)
                  .replace("@port@", str(self.port))
                  .replace("@user@", self.mail_user))
        self.server = peer.Server(
            self.name, "/bin/sh", "-c", script, said=self.work / "log" / "out",
            binds=(self.work, *self.settings.get("binds", ())))
        ph.wait_for(self._answers, f"{self.name} to answer")

    def _answers(self):
        assert not self.server.ended(), self.log()
        return ph.greeting(self.port, self.host).startswith(b"220")

    def log(self):
        return "".join(f.read_text(errors="replace")
                       for f in sorted((self.work / "log").iterdir())
                       if f.is_file())

    def main_pid(self):
        return self.server.pid

    def stop(self):
        if self.server:
            self.server.stop(self.main_pid())
        self.server = None

    def letters(self):
        """What has arrived, as bytes with LF."""
        return [m.replace(b"\r\n", b"\n") for m in self.mailbox.messages()]


POSTFIX_MAIN = """\
compatibility_level = 3.6
myhostname = mx.@domain@
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
mail_owner = postfix
queue_directory = @work@/spool
data_directory = @work@/data
maillog_file = @work@/log/mail.log
maillog_file_prefixes = @work@
alias_maps =
alias_database =
virtual_mailbox_domains = @domain@
virtual_mailbox_maps = static:inbox/
virtual_mailbox_base = @work@/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
smtpd_tls_security_level = may
smtpd_tls_chain_files = @work@/conf/ecdsa.pem @work@/conf/rsa.pem
smtpd_tls_received_header = yes
smtpd_relay_restrictions = reject_unauth_destination
@more@
"""
# Debian's master.cf without its chroots.  inet_interfaces takes only addresses
# that an interface has; 127.0.0.0/8 has one.
POSTFIX_SED = (
    r"s/^\([a-z0-9-]\+ \+\(inet\|unix\) \+[^ ]\+ \+[^ ]\+ \+\)y/\1n/;"
    r"s/^smtp \+inet/@host@:@port@ inet/;s/^#postlog/postlog/")


class Postfix(Peer):
    name = "postfix"
    packages = ("postfix",)
    script = (f"sed '{POSTFIX_SED}' </etc/postfix/master.cf >conf/master.cf && "
              "cp /etc/postfix/*proto /etc/postfix/post* conf/ 2>/dev/null; "
              "chown postfix data; chown @user@ mail; "
              "exec postfix -c @work@/conf start-fg")

    def configure(self):
        self.write("main.cf", POSTFIX_MAIN)

    def main_pid(self):
        # Its master has a session of its own.
        pid = self.work / "spool" / "pid" / "master.pid"
        return int(pid.read_text()) if pid.exists() else self.server.pid


EXIM_CONF = """\
primary_hostname = mx.@domain@
local_interfaces = <; @host@
daemon_smtp_ports = 25
domainlist local_domains = @domain@
spool_directory = @work@/spool
log_file_path = @work@/log/%slog
tls_advertise_hosts = *
tls_certificate = @work@/conf/exim.crt
tls_privatekey = @work@/conf/exim.key
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
accept_8bitmime = true
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = acl_rcpt
keep_environment =
@more@
begin acl
acl_rcpt:
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
all:
  driver = accept
  domains = +local_domains
  transport = inbox
begin transports
inbox:
  driver = appendfile
  directory = @work@/mail/inbox
  maildir_format
  create_directory
  user = Debian-exim
  group = Debian-exim
"""


class Exim(Peer):
    name = "exim"
    packages = ("exim4-daemon-light",)
    mail_user = "Debian-exim"
    script = ("chown -R @user@ spool log mail && "
              "chown @user@ conf/exim.key conf/exim.crt && "
              "cp conf/exim.conf /etc/exim4/exim4.conf && "
              "exec exim4 -bdf -q30m")

    def configure(self):
        pem = (self.work / "conf" / "rsa.pem").read_text()
        key, sep, crt = pem.partition("-----BEGIN CERTIFICATE-----")
        (self.work / "conf" / "exim.key").write_text(key)
        (self.work / "conf" / "exim.crt").write_text(sep + crt)
        self.write("exim.conf", EXIM_CONF)


OPENSMTPD_CONF = """\
pki peer cert "@work@/conf/exim.crt"
pki peer key "@work@/conf/exim.key"
table users { "@" = "nobody" }
listen on @host@ port 25 tls pki peer hostname "mx.@domain@"
action "in" maildir "@work@/mail/inbox" virtual <users> user nobody
match from any for domain "@domain@" action "in"
@more@
"""


class OpenSMTPD(Peer):
    """Offers STARTTLS and then fails, with OpenSSL 3."""

    name = "opensmtpd"
    packages = ("opensmtpd",)
    script = ("mkdir -p /run/opensmtpd; chown @user@ mail; "
              "chmod 600 conf/exim.key; "
              "exec smtpd -d -f @work@/conf/smtpd.conf")

    def configure(self):
        Exim.configure(self)
        self.write("smtpd.conf", OPENSMTPD_CONF)


class Aiosmtpd:
    """Python's aiosmtpd in this process; `received` holds its envelopes."""

    name = "aiosmtpd"

    def __init__(self, domain=None, tls=True, port=25, host=None,
                 handler=None, **options):
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import SMTP
        self.domain = domain or f"{self.name}.example.com"
        self.host = host or loopback_address(port)
        self.port = port
        self.received = []
        self.lock = threading.Lock()
        if tls:
            import ssl
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(ph.certificates() / "ecdsa.pem")
            options["tls_context"] = context
        self.controller = Controller(
            handler or self, hostname=self.host, port=port,
            server_hostname=f"mx.{self.domain}", enable_SMTPUTF8=True,
            decode_data=False, data_size_limit=100 * 1000 * 1000,
            server_kwargs=options)
        self.SMTP = SMTP
        self.start()

    def start(self):
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):
        envelope.tls = session.ssl is not None
        with self.lock:
            self.received.append(envelope)
        return "250 2.0.0 taken"

    def letters(self):
        with self.lock:
            return [e.content.replace(b"\r\n", b"\n") for e in self.received]

    def log(self):
        return ""

    def stop(self):
        self.controller.stop()


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)
