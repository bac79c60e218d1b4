# SPDX-License-Identifier: ISC
"""The systems that are measured, each with one virtual mailbox for messages
and some users for logins."""

import crypt
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import posthouse as ph  # noqa: E402

PEER = HERE.parent / "peers" / "peer.sh"
TOOLS = ph.BIN / "bench"


class Cgroup:
    """The CPU of everything that was started in it, exited or not."""

    def __init__(self, name):
        v1 = pathlib.Path("/sys/fs/cgroup/cpuacct")
        if (v1 / "cpuacct.usage").exists():
            top, self._usage = v1, self._usage_v1
        else:
            top, self._usage = self._v2_mount(), self._usage_v2
        self.path = top / f"posthouse-bench-{os.getpid()}-{name}"
        self.path.mkdir()
        self.procs = self.path / "cgroup.procs"
        # Words before a command that make it start inside.
        self.wrapper = ["/bin/sh", "-c",
                        f'echo $$ >"{self.procs}" && exec "$@"', "sh"]

    @staticmethod
    def _v2_mount():
        for line in open("/proc/mounts"):
            _, where, kind = line.split()[:3]
            if kind == "cgroup2":
                return pathlib.Path(where)
        raise SystemExit("bench: no cgroup to account CPU with")

    def _usage_v1(self):
        return int((self.path / "cpuacct.usage").read_text()) / 1e9

    def _usage_v2(self):
        for line in (self.path / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        raise SystemExit(f"bench: {self.path}/cpu.stat has no usage_usec")

    def usage(self):
        """Seconds of CPU so far."""
        return self._usage()

    def pids(self):
        return [int(p) for p in self.procs.read_text().split()]

    def remove(self):
        self.path.rmdir()


def settle(server, calm=1):
    """The work after the last file belongs to the messages too: wait until
    so many whole seconds one after the other cost almost nothing."""
    quiet = 0
    for _ in range(20 + calm):
        before = server.cgroup.usage()
        time.sleep(1)
        quiet = quiet + 1 if server.cgroup.usage() - before < 0.005 else 0
        if quiet == calm:
            return


def machine(work):
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo")
                  if l.startswith("model name")), "?")
    fs = ph.run(["findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", work]).stdout
    return (f"{os.cpu_count()} x {model}, {platform.release()}, "
            f"{' '.join(fs.split())}")


def runtime(server):
    """{(process name, pid, thread): (user, system) seconds so far}."""
    tick = os.sysconf("SC_CLK_TCK")
    found = {}
    for pid in server.cgroup.pids():
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            stat = (task / "stat").read_text()
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            fields = stat[stat.rindex(")") + 2:].split()
            found[name, pid, task.name] = (int(fields[11]) / tick,
                                           int(fields[12]) / tick)
    return found


def spent(before, after):
    """[(process name, (user, system) seconds)] between two runtime()s of those
    that lived through it, the costliest first."""
    total = {}
    for key, (user, system) in after.items():
        u, s = before.get(key, (0, 0))
        have = total.get(key[0], (0, 0))
        total[key[0]] = (have[0] + user - u, have[1] + system - s)
    return sorted(total.items(), key=lambda x: -sum(x[1]))


# Users u0, u1, ... of the logins; a hash that is cheap, so that what is
# measured is not crypt(3).
USERS = 100
PASSWORD = "bench-secret"
HASH = crypt.crypt(PASSWORD, "$6$rounds=1000$benchbenchbench$")


# A destination where nobody listens.
NOBODY = "[127.0.0.1]:9"


def chown_all(top, uid, gid):
    for d, _, names in os.walk(top):
        os.chown(d, uid, gid)
        for name in names:
            os.chown(os.path.join(d, name), uid, gid)


def fill(server, *args):
    """A queue made by fill.c, on a tmpfs, where a sync costs nothing; the
    server is not running."""
    spool = server.instance.dir / "spool"
    st = spool.stat()
    made = pathlib.Path("/dev/shm") / f"posthouse-bench-{os.getpid()}"
    try:
        ph.run([TOOLS / "fill", *args, made], timeout=600)
        shutil.rmtree(spool)
        shutil.copytree(made, spool)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    chown_all(spool, st.st_uid, st.st_gid)
    spool.chmod(0o700)
    os.sync()


class Posthouse:
    name = "posthouse"
    address = "bench@posthouse.test"
    user = "u#@posthouse.test"
    overrides = {}

    def __init__(self, work):
        self.trash = work / "trash"
        self.work = work / self.name
        self.work.mkdir(parents=True)
        self.cgroup = Cgroup(self.name)
        i = self.instance = ph.Instance(
            self.work, {"bench": PASSWORD}, self.overrides)
        with open(i.conf_dir / "users", "a") as f:
            for n in range(USERS):
                f.write(f"{i.address(f'u{n}')}:{{SHA512-CRYPT}}{HASH}"
                        "::::::\n")
        with open(i.conf_dir / "vmailbox", "a") as f:
            for n in range(USERS):
                f.write(f"{i.address(f'u{n}')} posthouse.test/u{n}/\n")
        self.host, self.port = "127.0.0.1", i.smtp_port
        self.imap_port, self.imaps_port = i.imap_port, i.imaps_port
        self.pop3_port, self.mail_uid = i.pop3_port, i.vmail_uid
        self.submissions_port = i.submissions_port
        self.maildir = self.instance.mailbox("bench").path
        self.instance.start(wrapper=self.cgroup.wrapper)

    def mailbox(self, user):
        return self.instance.mailbox(user).path

    def version(self):
        r = ph.run(["git", "-C", ph.ROOT, "describe", "--always", "--dirty"],
                   check=False)
        return f"Posthouse {r.stdout.strip()} ({ph.PRESET})"

    def log(self):
        return self.instance.log_text()

    def stop(self):
        self.instance.stop()
        self.instance.free()
        self.cgroup.remove()
        self.work.rename(self.trash / f"{self.name}.{os.getpid()}."
                         f"{time.monotonic_ns()}")


def copy_certificates(directory):
    for name in ("ecdsa.pem", "rsa.pem"):
        shutil.copy(ph.certificates() / name, directory)


def end(server):
    """The end of a peer and of all it has started."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    server.process.wait(20)
    for pid in server.cgroup.pids():
        os.kill(pid, signal.SIGKILL)
    ph.wait_for(lambda: not server.cgroup.pids(), f"{server.name} to be gone")
    server.cgroup.remove()


MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.bench.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {host}
inet_protocols = ipv4
mail_owner = postfix
queue_directory = {work}/spool
data_directory = {work}/data
maillog_file = {work}/log/mail.log
maillog_file_prefixes = {work}
virtual_mailbox_domains = bench.test
virtual_mailbox_maps = texthash:{work}/conf/vmailbox
virtual_mailbox_base = {work}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
alias_maps =
alias_database =
smtpd_tls_security_level = may
smtpd_tls_chain_files = {work}/conf/ecdsa.pem {work}/conf/rsa.pem
"""

# Debian's master.cf without its chroots; everything else as delivered.
SED_MASTER = (r"s/^\([a-z0-9-]\+ \+\(inet\|unix\) \+[^ ]\+ \+[^ ]\+ \+\)y/\1n/;"
              r"s/^smtp \+inet/{host}:{port} inet/;s/^#postlog/postlog/")


class Peer:
    """What is one with all systems in private roots."""

    def log(self):
        return "".join(f.read_text(errors="replace")
                       for f in sorted((self.work / "log").iterdir()))

    def stop(self):
        end(self)
        self._out.close()
        self._uids.free()
        self.work.rename(self.trash / f"{self.name}.{os.getpid()}."
                         f"{time.monotonic_ns()}")


class Postfix(Peer):
    """Debian's package with its defaults, in a private root."""

    name = "postfix"
    address = "bench@bench.test"
    host = "127.0.0.1"
    more = ""  # of main.cf

    def __init__(self, work):
        self.trash = work / "trash"
        self.work = work / self.name
        for d in ("conf", "spool", "data", "log", "mail"):
            (self.work / d).mkdir(parents=True)
        uids = ph.UidBlock()
        self._uids = uids
        vmail = uids.base + 48
        os.chown(self.work / "mail", vmail, vmail)
        self.port = ph.free_ports(1)[0]
        self.maildir = self.work / "mail" / "bench.test" / "bench"
        # Like ours, the domain's directory is there and the mailbox is not.
        self.maildir.parent.mkdir()
        os.chown(self.maildir.parent, vmail, vmail)
        (self.work / "conf" / "main.cf").write_text(MAIN_CF.format(
            host=self.host, work=self.work, uid=vmail) + self.more)
        (self.work / "conf" / "vmailbox").write_text(
            f"{self.address} bench.test/bench/\n")
        copy_certificates(self.work / "conf")
        self.cgroup = Cgroup(self.name)
        sed = SED_MASTER.format(host=self.host, port=self.port)
        script = (
            f"sed '{sed}' "
            "</etc/postfix/master.cf >conf/master.cf && "
            "cp /etc/postfix/*proto /etc/postfix/post* conf/ 2>/dev/null; "
            "chown postfix data && "
            "postconf -c conf -F >/dev/null && "
            f"exec postfix -c {self.work}/conf start-fg")
        self._out = open(self.work / "log" / "out", "ab")
        self.process = subprocess.Popen(
            [*self.cgroup.wrapper, PEER, "run", "postfix", "-b", self.work,
             "/bin/sh", "-c", f"cd {self.work} && {script}"],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._out,
            env=ph.clean_env(), start_new_session=True)
        ph.wait_for(self._answers, f"Postfix to answer:\n{self.log()}")

    def _answers(self):
        if self.process.poll() is not None:
            raise SystemExit(f"bench: Postfix ended with "
                             f"{self.process.returncode}:\n{self.log()}")
        try:
            with socket.create_connection((self.host, self.port), 5) as s:
                return s.recv(100).startswith(b"220")
        except OSError:
            return False

    def version(self):
        r = ph.run([PEER, "run", "postfix", "postconf", "-d", "-h",
                    "mail_version"])
        return f"Postfix {r.stdout.strip()} (Debian's package)"


DOVECOT_CONF = """\
protocols = imap pop3
listen = 127.0.0.1
base_dir = {work}/run
state_dir = {work}/state
log_path = {work}/log/dovecot.log
ssl = yes
ssl_cert = <{work}/conf/ecdsa.pem
ssl_key = <{work}/conf/ecdsa.pem
ssl_alt_cert = <{work}/conf/rsa.pem
ssl_alt_key = <{work}/conf/rsa.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 0
mail_location = maildir:{work}/mail/%n
first_valid_uid = {uid}
passdb {{
  driver = passwd-file
  args = {work}/conf/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={work}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
  {login}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
{more}
"""


class Dovecot(Peer):
    """Debian's package with its defaults, in a private root."""

    name = "dovecot"
    user = "u#"
    host = "127.0.0.1"
    login = ""
    more = ""

    def __init__(self, work):
        self.trash = work / "trash"
        self.work = work / self.name
        for d in ("conf", "run", "state", "log", "mail"):
            (self.work / d).mkdir(parents=True)
        self._uids = ph.UidBlock()
        vmail = self._uids.base + 48
        os.chown(self.work / "mail", vmail, vmail)
        self.mail_uid = vmail
        self.imap_port, self.imaps_port, self.pop3_port = ph.free_ports(3)
        copy_certificates(self.work / "conf")
        (self.work / "conf" / "users").write_text("".join(
            f"u{n}:{{SHA512-CRYPT}}{HASH}\n" for n in range(USERS)))
        conf = self.work / "conf" / "dovecot.conf"
        conf.write_text(DOVECOT_CONF.format(
            work=self.work, uid=vmail, imap=self.imap_port,
            imaps=self.imaps_port, pop3=self.pop3_port, login=self.login,
            more=self.more))
        self.cgroup = Cgroup(self.name)
        self._out = open(self.work / "log" / "out", "ab")
        self.process = subprocess.Popen(
            [*self.cgroup.wrapper, PEER, "run", "dovecot", "-b", self.work,
             "dovecot", "-F", "-c", conf],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._out,
            env=ph.clean_env(), start_new_session=True)
        ph.wait_for(self._answers, f"Dovecot to answer:\n{self.log()}")

    def _answers(self):
        assert self.process.poll() is None, self.log()
        try:
            with socket.create_connection((self.host, self.imap_port),
                                          5) as s:
                return s.recv(100).startswith(b"* OK")
        except OSError:
            return False

    def mailbox(self, user):
        return self.work / "mail" / user

    def version(self):
        r = ph.run([PEER, "run", "dovecot", "dovecot", "--version"])
        return f"Dovecot {r.stdout.strip()} (Debian's package)"


class DovecotPerformance(Dovecot):
    """As its manual says for many logins: "high-performance mode"."""

    name = "dovecot-hp"
    login = "service_count = 0\n  process_min_avail = 2"


class Inline:
    """tls_inline.c: what a submission under TLS costs at least."""

    name = "inline"
    user = "u#"
    host = "127.0.0.1"
    address = "bench@bench.test"

    def __init__(self, work):
        self.submissions_port = ph.free_ports(1)[0]
        self.cgroup = Cgroup(self.name)
        self.process = subprocess.Popen(
            [*self.cgroup.wrapper, TOOLS / "tls_inline",
             str(self.submissions_port), ph.certificates() / "ecdsa.pem",
             work / "inline"], env=ph.clean_env())
        ph.wait_for(self._answers, "tls_inline to answer")

    def _answers(self):
        try:
            with socket.create_connection((self.host, self.submissions_port)):
                return True
        except OSError:
            return False

    def version(self):
        return "tls_inline"

    def log(self):
        return ""

    def stop(self):
        end(self)
