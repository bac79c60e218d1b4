# SPDX-License-Identifier: ISC
"""The systems that are measured, each with one virtual mailbox."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import posthouse as ph  # noqa: E402

PEER = HERE.parent / "peers" / "peer.sh"


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


class Posthouse:
    name = "posthouse"
    address = "bench@posthouse.test"

    def __init__(self, work):
        self.trash = work / "trash"
        self.work = work / self.name
        self.work.mkdir(parents=True)
        self.cgroup = Cgroup(self.name)
        self.instance = ph.Instance(self.work, {"bench": "bench-secret"})
        self.host, self.port = "127.0.0.1", self.instance.smtp_port
        self.maildir = self.instance.mailbox("bench").path
        self.instance.start(wrapper=self.cgroup.wrapper)

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
"""

# Debian's master.cf without its chroots; everything else as delivered.
SED_MASTER = (r"s/^\([a-z0-9-]\+ \+\(inet\|unix\) \+[^ ]\+ \+[^ ]\+ \+\)y/\1n/;"
              r"s/^smtp \+inet/{host}:{port} inet/;s/^#postlog/postlog/")


class Postfix:
    """Debian's package with its defaults, in a private root."""

    name = "postfix"
    address = "bench@bench.test"
    host = "127.0.0.1"

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
            host=self.host, work=self.work, uid=vmail))
        (self.work / "conf" / "vmailbox").write_text(
            f"{self.address} bench.test/bench/\n")
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

    def log(self):
        return "".join(f.read_text(errors="replace")
                       for f in sorted((self.work / "log").iterdir()))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        for pid in self.cgroup.pids():
            os.kill(pid, signal.SIGKILL)
        ph.wait_for(lambda: not self.cgroup.pids(), "Postfix to be gone")
        self.cgroup.remove()
        self._out.close()
        self._uids.free()
        self.work.rename(self.trash / f"{self.name}.{os.getpid()}."
                         f"{time.monotonic_ns()}")


SYSTEMS = {s.name: s for s in (Posthouse, Postfix)}
