# SPDX-License-Identifier: ISC
"""Programs people use, over TLS with a login: each sends a letter through
submission, or reads one by IMAP or POP3."""

import imaplib
import smtplib
import subprocess
import textwrap

import posthouse as ph
import pytest
import scram
from clients import Letter, read_maildir, wait_letter

# A user whose credentials were made by "posthouse user add".
CAROL = "carol"


def make_mail(make, **overrides):
    i = make(**overrides)
    ph.run([ph.BIN / "posthouse", "-c", i.conf_dir, "user", "add",
            i.address(CAROL), "--password-stdin"], input="carol-secret\n")
    with open(i.conf_dir / "vmailbox", "a") as f:
        f.write(f"{i.address(CAROL)} {ph.DOMAIN}/{CAROL}/\n")
    i.users[CAROL] = "carol-secret"
    ph.wait_for(lambda: logs_in(i, CAROL), "the new user to be known")
    return i


@pytest.fixture(scope="module")
def mail(make_module_instance):
    return make_mail(make_module_instance)


@pytest.fixture(scope="module")
def bound(make_module_instance):
    """One that offers channel binding."""
    return make_mail(make_module_instance, auth_mechanisms=scram.MECHANISMS)


def logs_in(i, user):
    try:
        with imaplib.IMAP4_SSL("localhost", i.imaps_port,
                               ssl_context=i.tls_context()) as c:
            c.login(i.address(user), i.users[user])
        return True
    except imaplib.IMAP4.error:
        return False


def client(*args, i=None, files=None, **more):
    """A program with a home directory of its own, in which files stand."""
    home = i.dir / "home"
    (home / "Mail").mkdir(parents=True, exist_ok=True)
    for name, text in (files or {}).items():
        f = home / name
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_text(textwrap.dedent(text))
        f.chmod(0o600)
    args = [str(a) for a in args]
    args[0] = ph.tool(args[0])
    r = subprocess.run(args, capture_output=True, timeout=60,
                       env={**ph.clean_env(), "HOME": str(home),
                            "TERM": "xterm"}, cwd=home, **more)
    said = (r.stdout + r.stderr).decode(errors="replace")
    assert r.returncode == 0, f"{args}: {said}"
    return said


# -- who sends: (instance, letter, user, recipient)

def swaks(*options):
    def send(i, letter, user, to):
        f = i.dir / "swaks.eml"
        f.write_bytes(letter.bytes.removesuffix(b"\r\n"))
        port = i.submissions_port if "--tls-on-connect" in options \
            else i.submission_port
        said = client("swaks", "--server", f"localhost:{port}",
                      "--from", i.address(user), "--to", to,
                      "--auth-user", i.address(user),
                      "--auth-password", i.users[user], *options,
                      "--tls-verify", "--tls-ca-path", i.ca_file,
                      "--data", f"@{f}", i=i)
        assert "235 2.7.0" in said, said
    return send


def curl(scheme):
    def send(i, letter, user, to):
        f = i.dir / "curl.eml"
        f.write_bytes(letter.bytes)
        port = i.submissions_port if scheme == "smtps" else i.submission_port
        client("curl", "-sS", "--ssl-reqd", "--cacert", i.ca_file,
               f"{scheme}://localhost:{port}/client.example.com", "-u",
               f"{i.address(user)}:{i.users[user]}", "--mail-from",
               i.address(user), "--mail-rcpt", to, "-T", f, i=i)
    return send


def send_smtplib(i, letter, user, to):
    with smtplib.SMTP_SSL("localhost", i.submissions_port,
                          context=i.tls_context()) as s:
        s.login(i.address(user), i.users[user])
        s.sendmail(i.address(user), [to], letter.bytes)


def msmtp(auth, starttls=True):
    def send(i, letter, user, to):
        port = i.submission_port if starttls else i.submissions_port
        client("msmtp", "--host=localhost", f"--port={port}", "--tls=on",
               f"--tls-starttls={'on' if starttls else 'off'}",
               f"--tls-trust-file={i.ca_file}", f"--auth={auth}",
               f"--user={i.address(user)}",
               f"--passwordeval=echo {i.users[user]}",
               f"--from={i.address(user)}", to, i=i, input=letter.bytes)
    return send


def mutt_rc(i, user):
    return f"""\
        set ssl_starttls=yes ssl_force_tls=yes
        set certificate_file={i.ca_file}
        set smtp_url="smtps://{i.address(user)}@localhost:{i.submissions_port}/"
        set smtp_pass="{i.users[user]}"
        set imap_user="{i.address(user)}"
        set imap_pass="{i.users[user]}"
        set from={i.address(user)} use_from=yes use_envelope_from=yes
        set copy=no record=""
        """


def send_mutt(i, letter, user, to):
    client("mutt", "-F", "muttrc", "-s", letter.mark, "--", to, i=i, files={"muttrc": mutt_rc(i, user)}, input=letter.body)


def send_nail(i, letter, user, to):
    url = f"smtp://localhost:{i.submission_port}"
    f = i.dir / "nail.eml"
    f.write_text(f"From: {i.address(user)}\nTo: {to}\n"
                 f"Subject: {letter.mark}\n\nHello.\n")
    client("s-nail", "-:/", "-Sv15-compat", f"-Smta={url}", "-Ssmtp-use-starttls",
           "-Ssmtp-auth=plain", f"-Suser={i.address(user)}",
           f"-Spassword={i.users[user]}", f"-Stls-ca-file={i.ca_file}",
           "-Stls-ca-no-defaults", "-Stls-verify=strict",
           f"-Sfrom={i.address(user)}", "-Smessage-id-disable",
           "-t", "-S", "hostname=client.example.com", i=i,
           input=f.read_bytes())


def send_git(i, letter, user, to):
    home = i.dir / "home"
    home.mkdir(exist_ok=True)
    patch = home / "0001-letter.patch"
    patch.write_bytes(
        b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 "
        b"2001\n" + letter.bytes.replace(b"\r\n", b"\n").replace(
            b"From: sender@example.com", f"From: {i.address(user)}".encode()))
    client("git", "send-email", "--quiet", "--confirm=never", "--suppress-cc=all",
           "--no-validate", f"--from={i.address(user)}", f"--to={to}",
           "--smtp-server=localhost", f"--smtp-server-port={i.submission_port}",
           "--smtp-encryption=tls", f"--smtp-user={i.address(user)}",
           f"--smtp-pass={i.users[user]}", f"--smtp-ssl-cert-path={i.ca_file}",
           "--smtp-domain=client.example.com", patch, i=i)


SENDERS = {
    "swaks-plain": swaks("--tls", "--auth", "PLAIN"),
    "swaks-login": swaks("--tls", "--auth", "LOGIN"),
    "swaks-implicit": swaks("--tls-on-connect", "--auth", "PLAIN"),
    "curl-starttls": curl("smtp"),
    "curl-smtps": curl("smtps"),
    "smtplib": send_smtplib,
    "msmtp-plain": msmtp("plain"),
    "msmtp-login": msmtp("login", starttls=False),
    "msmtp-scram-sha-1": msmtp("scram-sha-1"),
    "msmtp-scram-sha-256": msmtp("scram-sha-256", starttls=False),
    "mutt": send_mutt,
    "s-nail": send_nail,
    "git-send-email": send_git,
}


@pytest.mark.parametrize("name", SENDERS)
def test_send(mail, name):
    letter = Letter()
    SENDERS[name](mail, letter, CAROL, mail.address("bob"))
    if name in ("mutt", "git-send-email", "s-nail"):
        # They write the body their own way.
        ph.wait_for(lambda: any(letter.mark.encode() in m
                                for m in read_maildir(mail, "bob")),
                    f"the letter sent by {name}")
        return
    wait_letter(mail, "bob", letter)


# -- who reads: (instance, user) -> text in which the letter's mark stands

def read_curl(scheme):
    def read(i, user):
        port = {"imap": i.imap_port, "imaps": i.imaps_port,
                "pop3": i.pop3_port, "pop3s": i.pop3s_port}[scheme]
        base = f"{scheme}://localhost:{port}/"
        args = ["curl", "-sS", "--ssl-reqd", "--cacert", i.ca_file, "-u",
                f"{i.address(user)}:{i.users[user]}"]
        if scheme.startswith("imap"):
            return client(*args, f"{base}INBOX;MAILINDEX=1", i=i)
        return client(*args, f"{base}1", i=i)
    return read


def read_mutt(i, user):
    folder = f"imap://localhost:{i.imap_port}/INBOX"
    out = i.dir / "home" / "mutt.out"
    out.unlink(missing_ok=True)
    client("expect", "-c", f"""
        set timeout 40
        spawn mutt -F muttrc -R -f {folder} -e "push '<pipe-message>cat>{out}<enter><quit>'"
        expect eof
        """, i=i, files={"muttrc": mutt_rc(i, user) +
                         "set quit=yes wait_key=no pipe_decode=no\n"})
    return out.read_text(errors="replace")


def read_mbsync(implicit):
    def read(i, user):
        where = i.dir / "home" / f"mbsync{implicit:d}"
        (where / "cur").mkdir(parents=True)
        (where / "new").mkdir()
        (where / "tmp").mkdir()
        port = i.imaps_port if implicit else i.imap_port
        client("mbsync", "-c", "mbsyncrc", "c", i=i, files={"mbsyncrc": f"""\
            IMAPStore far
            Host localhost
            Port {port}
            User {i.address(user)}
            Pass {i.users[user]}
            SSLType {'IMAPS' if implicit else 'STARTTLS'}
            CertificateFile {i.ca_file}

            MaildirStore near
            Inbox {where}

            Channel c
            Far :far:
            Near :near:
            Create None
            SyncState {where}/state

            """})
        return "".join(f.read_text(errors="replace")
                       for f in (where / "new").iterdir()) + "".join(
            f.read_text(errors="replace") for f in (where / "cur").iterdir())
    return read


def read_fetchmail(proto):
    def read(i, user):
        out = i.dir / "home" / f"{proto}.mbox"
        ssl = proto.endswith("s")
        port = {"imap": i.imap_port, "imaps": i.imaps_port,
                "pop3": i.pop3_port, "pop3s": i.pop3s_port}[proto]
        client("fetchmail", "-f", "fetchmailrc", "-v", "--keep", "--all",
               "--pidfile", i.dir / "home" / "pid", "--idfile",
               i.dir / "home" / f"ids.{proto}", i=i, files={"fetchmailrc": f"""\
            poll localhost protocol {proto.rstrip('s')} port {port}
              user "{i.address(user)}" password "{i.users[user]}"
              {'ssl' if ssl else 'sslproto TLS1.2+'} sslcertck
              sslcertfile {i.ca_file} sslcommonname localhost
              mda "cat >>{out}"
            """})
        return out.read_text(errors="replace")
    return read


READERS = {
    "curl-imap": read_curl("imap"), "curl-imaps": read_curl("imaps"),
    "curl-pop3": read_curl("pop3"), "curl-pop3s": read_curl("pop3s"),
    "mutt": read_mutt, "mbsync": read_mbsync(False),
    "mbsync-imaps": read_mbsync(True),
    "fetchmail-imap": read_fetchmail("imap"),
    "fetchmail-imaps": read_fetchmail("imaps"),
    "fetchmail-pop3": read_fetchmail("pop3"),
    "fetchmail-pop3s": read_fetchmail("pop3s"),
}


@pytest.fixture(scope="module")
def letter(mail):
    """The first letter in carol's mailbox."""
    one = Letter()
    send_smtplib(mail, one, CAROL, mail.address(CAROL))
    wait_letter(mail, CAROL, one)
    return one


@pytest.mark.parametrize("name", READERS)
def test_read(mail, letter, name):
    assert letter.mark in READERS[name](mail, CAROL)


# -- SCRAM by GNU SASL, which binds it to the TLS connection

GSASL = {"imap": ("--imap", "imap_port"),
         "smtp": ("--smtp", "submission_port")}


@pytest.mark.parametrize("proto", GSASL)
@pytest.mark.parametrize("mech", [
    "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS"])
def test_gsasl(mail, bound, proto, mech):
    option, port = GSASL[proto]
    i = bound if mech.endswith("-PLUS") else mail
    said = client("gsasl", "--client", option, "--mechanism", mech,
                  "--authentication-id", i.address(CAROL),
                  "--authorization-id", "",
                  "--password", i.users[CAROL], "--verbose",
                  *([] if i is bound else ["--no-cb"]),
                  "--x509-ca-file", i.ca_file, "--connect",
                  f"localhost:{getattr(i, port)}", i=i,
                  stdin=subprocess.DEVNULL)
    assert "235 2.7.0" in said or " OK " in said, said


def test_gsasl_wrong_password(mail):
    r = subprocess.run(
        [ph.tool("gsasl"), "--client", "--imap", "--mechanism",
         "SCRAM-SHA-256", "--authentication-id", mail.address(CAROL),
         "--password", "wrong", "--x509-ca-file", mail.ca_file, "--connect",
         f"localhost:{mail.imap_port}"], env=ph.clean_env(),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert r.returncode != 0 or b"AUTHENTICATIONFAILED" in r.stdout


# -- what looks at TLS itself

PORTS = {"smtp": "smtp", "submission": "smtp", "submissions": None,
         "imap": "imap", "imaps": None, "pop3": "pop3", "pop3s": None}


@pytest.mark.parametrize("service", PORTS)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client(mail, service, version):
    """A full handshake, verified, and one resumed."""
    session = mail.dir / f"session{version}"
    base = ["openssl", "s_client", "-connect",
            f"localhost:{getattr(mail, service + '_port')}", version,
            "-CAfile", mail.ca_file, "-verify_return_error",
            "-verify_hostname", "localhost", "-servername", "localhost"]
    if PORTS[service]:
        base += ["-starttls", PORTS[service]]
    quit = {"imap": b"a LOGOUT\r\n", "pop3": b"QUIT\r\n"}.get(
        service.rstrip("s"), b"QUIT\r\n")
    # -ign_eof: until the server closes; the ticket has come by then.
    first = client(*base, "-ign_eof", "-sess_out", session, i=mail,
                   input=quit)
    assert "Verify return code: 0 (ok)" in first
    assert "New, TLSv1" in first
    again = client(*base, "-ign_eof", "-sess_in", session, i=mail, input=quit)
    assert "Reused, TLSv1" in again, again


@pytest.mark.parametrize("service", PORTS)
def test_gnutls_cli(mail, service):
    args = ["gnutls-cli", "--x509cafile", mail.ca_file, "--port",
            getattr(mail, service + "_port"), "--resume", "--waitresumption"]
    if PORTS[service]:
        args += [f"--starttls-proto={PORTS[service]}"]
    said = client(*args, "localhost", i=mail, input=b"")
    assert "- Status: The certificate is trusted." in said, said
    assert "This is a resumed session" in said, said


@pytest.mark.parametrize("service", PORTS)
def test_sslscan(mail, service):
    args = ["sslscan", "--no-colour", "--no-check-certificate",
            "--timeout=20"]
    if PORTS[service]:
        args += [f"--starttls-{PORTS[service]}"]
    said = client(*args, f"localhost:{getattr(mail, service + '_port')}",
                  i=mail)
    for line in ("SSLv2     disabled", "SSLv3     disabled",
                 "TLSv1.0   disabled", "TLSv1.1   disabled",
                 "TLSv1.2   enabled", "TLSv1.3   enabled",
                 "not vulnerable to heartbleed"):
        assert line in said, said
    for word in ("RC4", "3DES", "NULL", "EXPORT", "anon", "CBC3"):
        assert word not in said, said
    assert "Session renegotiation not supported" in said, said
