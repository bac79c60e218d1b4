# SPDX-License-Identifier: ISC
"""A private instance of Posthouse, for the tests.

Each instance has a directory, a block of 64 uids and ports of its own, so that
any number of them run side by side, whoever started them.
"""

import base64
import collections
import contextlib
import crypt
import fcntl
import hashlib
import hmac
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESET = os.environ.get("POSTHOUSE_PRESET", "release")
BIN = ROOT / "build" / PRESET / "bin"
# Of what tests choose at random; the same for all processes of a run, which
# says it at its end (conftest.py).
if "POSTHOUSE_SEED" not in os.environ:
    os.environ["POSTHOUSE_SEED_DRAWN"] = "yes"
SEED_GIVEN = "POSTHOUSE_SEED_DRAWN" not in os.environ
SEED = int(os.environ.setdefault("POSTHOUSE_SEED",
                                 str(random.randrange(1 << 16))))
DOMAIN = "posthouse.test"

# No test may ask the DNS outside: unless it brings name servers of its own
# (zone.py), nobody listens where its instance asks.  The zones of tests are not
# signed by the root.
NO_DNS = {"dns_servers": "127.0.0.1:9", "dns_timeout": "3s",
          "dns_trust_anchor_file": ""}

# Clients see this environment and nothing of the caller's.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# What no log may hold, in any test, unless the test says that it expects it.
ALARMS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "runtime error:",
    "panic:",
    "SIGSYS",
    "Bad system call",
    "signal 31",
    "is not in this jail's list",
)


# Directories and files whose logs tell of a failure (conftest.py), the latest
# last.
witnesses = collections.deque(maxlen=32)


class MissingTool(AssertionError):
    """A client program is not there: a failure, never a skip."""


def tool(name):
    """The absolute name of an installed program."""
    path = shutil.which(name, path=PATH)
    if not path:
        raise MissingTool(f"{name} is not installed (see tests/packages.test)")
    return path


def clean_env(home="/nonexistent", **more):
    return {"PATH": PATH, "HOME": str(home), "LC_ALL": "C.UTF-8",
            "TERM": "xterm", **more}


def run(argv, *, home="/nonexistent", timeout=300, check=True, **kw):
    """Run a client by its installed name, in a clean environment."""
    argv = [str(a) for a in argv]
    if "/" not in argv[0]:
        argv[0] = tool(argv[0])
    r = subprocess.run(argv, env=clean_env(home), timeout=timeout,
                       capture_output=True, text=True, errors="replace", **kw)
    if check and r.returncode != 0:
        raise AssertionError(
            f"{' '.join(argv)}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def spawn(argv, **kw):
    """Start what runs beside a test.  It gets SIGTERM when the test's process
    is gone, however that ended (from the main thread only: the kernel means
    the thread that started it)."""
    assert threading.current_thread() is threading.main_thread()
    return subprocess.Popen(
        [tool("setpriv"), "--pdeathsig", "TERM", *argv],
        **{"env": clean_env(), "stdin": subprocess.DEVNULL, **kw})


def wait_for(question, what, seconds=60, pause=0.02):
    """Ask until the answer is true, and return it.  what: its name in the
    failure, or a function that says it then.  Waiting costs nothing when all
    is well: seconds are for a machine that has ten other things to do."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for "
                                 f"{what() if callable(what) else what}")
        time.sleep(pause)


class Ports:
    """Ports below the ephemeral range, each for one test on this machine: also
    while nobody listens there yet, or for the moment."""

    def __init__(self):
        self._taken = set()     # by this process, whom no lock of it stops
        self._file = None

    def take(self):
        while True:
            port = random.randrange(20000, 32768)
            if port not in self._taken and self._lock(port):
                if self._unused(port):
                    self._taken.add(port)
                    return port
                self.give(port)

    def give(self, port):
        """What is not given back goes with this process."""
        self._taken.discard(port)
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, port)

    def _lock(self, port):
        # Never opened again: closing it anywhere would end all locks.
        self._file = self._file or open(locks() / "ports", "a")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        return True

    @staticmethod
    def _unused(port):
        with socket.socket() as tcp, \
                socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True


_ports = Ports()


def free_ports(n):
    """Ports nobody listens on, nor will."""
    return [_ports.take() for _ in range(n)]


def locks():
    """Where the tests of all clones on this machine agree."""
    directory = pathlib.Path("/run/lock/posthouse-tests")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def testimony(since, lines=60, width=400, files=8):
    """[(file, its end)] of the witnesses' logs that were written to since
    then, bounded."""
    there = [f for w in witnesses for f in
             ([w] if w.is_file() else [*sorted((w / "log").glob("*")),
                                       *sorted(w.glob("*.out"))])]
    told = []
    for f in reversed(there):
        try:
            if f.stat().st_mtime < since or len(told) == files:
                continue
            with open(f, "rb") as log:
                log.seek(max(0, f.stat().st_size - lines * width))
                end = log.read().decode(errors="replace").splitlines()
        except OSError:
            continue
        if end:
            told.append((str(f), "\n".join(l[:width] for l in end[-lines:])))
    return told


def greeting(port, host="127.0.0.1"):
    """The first line a server says there, or b""."""
    try:
        with socket.create_connection((host, port), 5) as s:
            s.settimeout(5)
            return s.makefile("rb").readline()
    except OSError:
        return b""


class UidBlock:
    """64 uids that no other test on this machine uses meanwhile, and no process
    that a test left behind."""

    def __init__(self):
        directory = locks()
        taken = {(uid - 50064) // 64 for _, _, _, uid in processes()}
        for k in range(150):
            if k in taken:
                continue
            self._file = open(directory / str(k), "w")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._file.close()
                continue
            self.base = 50064 + 64 * k
            return
        raise AssertionError("150 instances are running already")

    def free(self):
        self._file.close()


# Name and names of each certificate of a test instance.
CERTIFICATES = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}
ALT_NAMES = f"DNS:mail.{DOMAIN},DNS:localhost,IP:127.0.0.1"
CERTIFICATES_KEPT = 24 * 3600


def make_certificates(directory):
    """ca.pem with ca.key, and an ecdsa.pem and an rsa.pem signed by it: the
    key, then the certificate."""
    def openssl(*args):
        run(["openssl", *args], cwd=directory)

    directory.mkdir()
    openssl("genpkey", *CERTIFICATES["ecdsa"], "-out", "ca.key")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-days", "100",
            "-subj", "/CN=Posthouse tests", "-out", "ca.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    (directory / "ext").write_text(
        f"subjectAltName={ALT_NAMES}\nextendedKeyUsage=serverAuth\n"
        "basicConstraints=critical,CA:false\n"
        "keyUsage=critical,digitalSignature\n")
    for name, algorithm in CERTIFICATES.items():
        openssl("genpkey", *algorithm, "-out", "key")
        openssl("req", "-new", "-key", "key", "-out", "csr",
                "-subj", f"/CN=mail.{DOMAIN}")
        openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-CAcreateserial", "-days", "90", "-extfile", "ext",
                "-out", "crt")
        pem = directory / f"{name}.pem"
        pem.touch(0o600)
        pem.write_text((directory / "key").read_text() +
                       (directory / "crt").read_text())


def certificates():
    """The directory of the certificates that all instances share; they are
    made once a day, because that takes a while."""
    top = ROOT / "build" / "tests"
    top.mkdir(parents=True, exist_ok=True)
    top.chmod(0o700)
    there = top / "tls"
    with open(top / "tls.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = there / "rsa.pem"
        if not ready.exists() or \
                time.time() - ready.stat().st_mtime > CERTIFICATES_KEPT:
            fresh = top / "tls.new"
            shutil.rmtree(fresh, ignore_errors=True)
            make_certificates(fresh)
            shutil.rmtree(there, ignore_errors=True)
            fresh.rename(there)
    return there


def issue(directory, name, *alt_names, ca=None, purpose="serverAuth"):
    """DIRECTORY/NAME.pem with a key and its certificate, by the CA of all
    instances, or (ca False) by itself."""
    pem, crt = directory / f"{name}.pem", directory / f"{name}.crt"
    by = [] if ca is False else ["-CA", certificates() / "ca.pem", "-CAkey",
                                 certificates() / "ca.key"]
    run(["openssl", "req", "-x509", *by, "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", pem, "-out", crt,
            "-subj", f"/CN={name}", "-days", "30",
            "-addext", "basicConstraints=critical,CA:false",
            "-addext", "subjectAltName=" +
            ",".join(f"DNS:{n}" for n in alt_names),
            "-addext", f"extendedKeyUsage={purpose}"])
    pem.write_text(pem.read_text() + crt.read_text())
    pem.chmod(0o600)
    return pem


def scram_keys(password, iterations=10000):
    """What SCRAM-SHA-256 needs in the users file (RFC 5802 3), as many
    iterations as "posthouse user" takes."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    return ",".join([str(iterations)] + [
        base64.b64encode(b).decode()
        for b in (salt, hashlib.sha256(client).digest(), server)])


class Mailbox:
    """One user's Maildir, seen from outside."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def files(self, *parts):
        """Each once, also if it goes from new/ to cur/ meanwhile."""
        found = {}
        for part in parts or ("new", "cur"):
            d = self.path / part
            if d.is_dir():
                found.update((f.name.partition(":2,")[0], f)
                             for f in d.iterdir() if f.is_file())
        return sorted(found.values())

    def messages(self):
        """The contents of new/ and cur/, as bytes."""
        while True:
            try:
                return [f.read_bytes() for f in self.files()]
            except FileNotFoundError:
                pass            # renamed: look again

    def count(self):
        return len(self.files())

    def wait(self, n, seconds=60):
        """Wait for at least n messages; return their files."""
        wait_for(lambda: self.count() >= n, lambda:
                 f"{n} messages in {self.path} (there: {self.count()})",
                 seconds)
        return self.files()

    def wait_left(self, n):
        """Until there are n and no more, whenever the files of the others
        go."""
        wait_for(lambda: self.count() == n, lambda:
                 f"{n} messages in {self.path} (there: {self.count()})")


class Instance:
    """An instance below `directory`, with users {local part: password}, and
    certificates whose CA is in ca_file.

    overrides: main.cf parameters, by name; None leaves one out.
    """

    def __init__(self, directory, users=None, overrides=None, master="master",
                 args=()):
        self.dir = pathlib.Path(directory)
        self.users = dict(users or {})
        self.master = BIN / master
        self.args = list(args)
        self.process = None
        self.expected = []      # alarms a test provokes on purpose
        self._uids = UidBlock()
        self.uid_base = self._uids.base
        self.vmail_uid = self.uid_base + 48
        self._ports = ports = free_ports(7)
        (self.smtp_port, self.imap_port, self.pop3_port,
         self.submission_port, self.submissions_port,
         self.imaps_port, self.pop3s_port) = ports
        self.conf_dir = self.dir / "conf"
        self.submit_socket = self.dir / "sock" / "submit.sock"
        witnesses.append(self.dir)
        tls = self.conf_dir / "tls"
        tls.mkdir(parents=True)
        for name in ("ca.pem", "ecdsa.pem", "rsa.pem"):
            shutil.copy(certificates() / name, tls)
        self.ca_file = tls / "ca.pem"
        run([ROOT / "conf" / "instance", self.dir, self.uid_base, *ports])
        self.set(**{**NO_DNS, **(overrides or {})})
        for name, password in self.users.items():
            self.add_user(name, password)

    # -- configuration

    def set(self, **overrides):
        """Change main.cf; the running instance learns it by reload()."""
        cf = self.conf_dir / "main.cf"
        lines = [l for l in cf.read_text().splitlines()
                 if l.split("=")[0].strip() not in overrides]
        lines += [f"{k} = {v}" for k, v in overrides.items() if v is not None]
        cf.write_text("\n".join(lines) + "\n")

    def address(self, name):
        return f"{name}@{DOMAIN}"

    def add_user(self, name, password):
        """Write a user as `posthouse user add` does, without its sleeps."""
        hashed = crypt.crypt(password, crypt.mksalt(crypt.METHOD_SHA512))
        with open(self.conf_dir / "users", "a") as f:
            f.write(f"{self.address(name)}:{{CRYPT}}{hashed}::::::"
                    f"scram_sha_256={scram_keys(password)}\n")
        with open(self.conf_dir / "vmailbox", "a") as f:
            f.write(f"{self.address(name)} {DOMAIN}/{name}/\n")
        self.users[name] = password

    def tls_context(self, **changes):
        """For the clients of Python's library, which know this instance by
        its address."""
        context = ssl.create_default_context(cafile=self.ca_file)
        for name, value in changes.items():
            setattr(context, name, value)
        return context

    # -- life

    def start(self, wait=True, wrapper=(), pass_fds=()):
        """wrapper: words before the command, which exec what follows them."""
        assert self.process is None
        # Readable, so that the intruder of the jail test finds its orders.
        out = open(self.dir / "master.out", "a+b")
        self.process = spawn(
            [*wrapper, self.master, "-c", self.conf_dir, "--uid-base",
             str(self.uid_base), *self.args],
            stdout=out, stderr=out, start_new_session=True, pass_fds=pass_fds)
        out.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=60):
        for port, hello in ((self.smtp_port, b"220"),
                            (self.imap_port, b"* OK"),
                            (self.pop3_port, b"+OK")):
            wait_for(lambda: self.gone() or
                     greeting(port).startswith(hello),
                     f"a greeting on port {port}", seconds)
            assert not self.gone(), \
                f"master ended: {self.gone()}\n{self.log_text()}"
        # All are up: from now on orders are taken.
        wait_for(lambda: "\nrunning" in
                 self.posthouse("status", check=False).stdout,
                 "all daemons to be up", seconds)

    def gone(self):
        """Why master is not there, or None."""
        if self.process is None:
            return "not started"
        status = self.process.poll()
        return None if status is None else f"exit status {status}"

    def stop(self, seconds=60):
        """SIGTERM to master; everything has to be gone afterwards."""
        if self.process is None:
            return
        names = {p: name for name, p in self.tree()}
        below = list(names)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError(f"master did not stop in {seconds} s")
        self.process = None
        try:
            wait_for(lambda: not [p for p in below if alive(p)],
                     "the daemons to end after master")
        except AssertionError as e:
            left = [p for p in below if alive(p)]
            for p in left:
                kill(p)
            raise AssertionError(f"{e}: {[names[p] for p in left]}")

    def kill_all(self):
        """kill -9 of master and of everything below it, at once."""
        pids = [p for _, p in self.tree()]
        if self.process and self.process.poll() is None:
            pids.insert(0, self.process.pid)
        for pid in pids:
            kill(pid)
        if self.process:
            self.process.wait(60)
            self.process = None
        wait_for(lambda: not [p for p in pids if alive(p)],
                 "the killed processes to be gone")

    def reload(self):
        return self.posthouse("reload")

    def free(self):
        self._uids.free()
        for port in self._ports:
            _ports.give(port)

    # -- what there is to see

    def tree(self):
        """[(name, pid)] of the instance's processes but master, from /proc:
        its children, and what runs this build with a uid of its block
        (processes of users outlive a spawner that was killed)."""
        master = self.process.pid if self.process else -1
        return [(name, pid) for pid, name, ppid, uid in processes()
                if ppid == master or
                (self.uid_base <= uid < self.uid_base + 64 and
                 executable(pid).startswith(f"{BIN}/"))]

    def pids(self):
        """{daemon: [pid]} of what runs now."""
        by_name = {}
        for name, pid in self.tree():
            by_name.setdefault(name, []).append(pid)
        return by_name

    def the_pid(self, daemon):
        """Of a daemon that has one process; the one before may still be on
        its way out."""
        (pid,) = wait_for(lambda: [p for p in [self.pids().get(daemon, [])]
                                   if len(p) == 1],
                          lambda: f"one {daemon}: {self.tree()}")[0]
        return pid

    def kill(self, daemon, sig=signal.SIGKILL):
        """Signal all processes of a daemon; returns their pids."""
        pids = self.pids().get(daemon, [])
        assert pids, f"no {daemon} is running: {self.tree()}"
        for pid in pids:  # one may end with the other: spawner's seed
            kill(pid, sig)
        return pids

    def log_text(self):
        text = ""
        for f in [*sorted((self.dir / "log").glob("*")),
                  self.dir / "master.out"]:
            if f.is_file():
                text += f.read_text(errors="replace")
        return text

    def wait_log(self, pattern, seconds=60):
        """Wait for a line that holds this regular expression."""
        rx = re.compile(pattern)
        return wait_for(lambda: rx.search(self.log_text()),
                        f"log line {pattern!r}", seconds)

    def mailbox(self, user):
        return Mailbox(self.dir / "mail" / DOMAIN / user)

    def posthouse(self, *args, check=True, **kw):
        """The administrator's command on this instance."""
        return run([BIN / "posthouse", "-c", self.conf_dir, *args],
                   check=check, **kw)

    def alarms(self):
        """Log lines that no run may leave behind."""
        return [l for l in self.log_text().splitlines()
                if any(a in l for a in ALARMS)
                and not any(e in l for e in self.expected)]


def processes():
    """(pid, name, ppid, uid) of all processes."""
    for d in os.listdir("/proc"):
        if not d.isdigit():
            continue
        try:
            lines = pathlib.Path("/proc", d, "status").read_text(
                errors="replace")
        except OSError:
            continue
        status = dict(l.split(":\t", 1) for l in lines.splitlines()
                      if ":\t" in l)
        if not status["State"].startswith("Z"):
            yield (int(d), status["Name"], int(status["PPid"]),
                   int(status["Uid"].split()[0]))


def kill(pid, sig=signal.SIGKILL):
    """Signal a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def alive(pid):
    try:
        stat = pathlib.Path("/proc", str(pid), "stat").read_text(
            errors="replace")
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"
