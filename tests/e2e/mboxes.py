# SPDX-License-Identifier: ISC
"""System users with an mbox each in a private spool directory, for the tests:
an instance in a mount namespace with a passwd and homes of its own."""

import fcntl
import mailbox
import os
import pathlib
import smtplib
import time

import posthouse as ph

UID = 60011                     # in no instance's block; the next is another's
GROUP = 60019                   # of the spool directory, as mail
PASSWORD = "carol-secret"
PRIVATE = ('for f in passwd group; do '
           'mount --bind "$1/$f" "/etc/$f" || exit 1; done; '
           'mount --bind "$1/home" /home || exit 1; shift; exec "$@"')
NAMES = ("carol", "dave")


class Spool:
    """The instance's spool directory and its users."""

    def __init__(self, make_instance, **overrides):
        i = self.instance = make_instance(start=False, **{
            "home_mailbox": "",
            "mydestination": "localhost, host.test",
            "last_valid_uid": str(UID + 5), "last_valid_gid": str(UID + 5),
            "login_penalty": "0", **overrides})
        self.top = i.dir / "system"
        self.path = i.dir / "var-mail"
        self.path.mkdir()
        os.chown(self.path, 0, GROUP)
        self.path.chmod(0o3775)
        if "mail_spool_directory" not in overrides:
            i.set(mail_spool_directory=self.path)
        self._write_system()

    def _write_system(self):
        passwd = "root:x:0:0::/root:/bin/sh\n"
        for n, name in enumerate(NAMES):
            passwd += f"{name}:x:{UID + n}:{UID + n}::/home/{name}:/bin/sh\n"
            home = self.top / "home" / name
            home.mkdir(parents=True)
            os.chown(home, UID + n, UID + n)
            home.chmod(0o700)
            self.instance.add_user(name, PASSWORD)
        (self.top / "home").chmod(0o755)
        (self.top / "passwd").write_text(passwd)
        (self.top / "group").write_text("root:x:0:\n")
        # As system users have it: no domain, no uid.
        users = self.instance.conf_dir / "users"
        users.write_text("".join(
            line.replace(f"@{ph.DOMAIN}:", ":", 1)
            if line.split("@")[0] in NAMES else line
            for line in users.read_text().splitlines(True)))

    def start(self):
        self.instance.start(wrapper=[
            "unshare", "-m", "--propagation", "private", "sh", "-c", PRIVATE,
            "sh", self.top])
        return self

    # -- what there is

    def pids(self, name):
        """Of users' processes of this name (instances share their uids)."""
        spawners = self.instance.pids()["spawner"]
        return [pid for pid, n, ppid, _ in ph.processes()
                if n == name and ppid in spawners]

    def file(self, name="carol"):
        return self.path / name

    def home(self, name="carol"):
        return self.top / "home" / name

    def box(self, name="carol"):
        return ph.Mailbox(self.home(name) / "Maildir")

    def messages(self, name="carol"):
        """What stands in the mbox, by somebody else's reading."""
        if not self.file(name).exists():
            return []
        return [m for m in mailbox.mbox(self.file(name), create=False)]

    def subjects(self, name="carol"):
        return [m["Subject"] for m in self.messages(name)]

    def wait(self, n, name="carol", seconds=60):
        ph.wait_for(lambda: len(self.messages(name)) >= n,
                    lambda: f"{n} messages in {self.file(name)}: "
                    f"{self.subjects(name)}", seconds)
        return self.messages(name)

    def send(self, subject, body="x\r\n", to="carol", sender="s@example.org"):
        with smtplib.SMTP("127.0.0.1", self.instance.smtp_port) as s:
            s.sendmail(sender, [f"{to}@localhost"],
                       f"Subject: {subject}\r\n\r\n{body}")


class Lock:
    """fcntl, then NAME.lock, as Debian's programs do it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.dot = pathlib.Path(f"{path}.lock")

    def __enter__(self):
        while True:
            self.file = open(self.path, "r+b")
            fcntl.lockf(self.file, fcntl.LOCK_EX)
            try:
                os.close(os.open(self.dot, os.O_CREAT | os.O_EXCL))
                return self.file
            except FileExistsError:
                self.file.close()
                time.sleep(0.002)

    def __exit__(self, *_):
        self.file.flush()
        self.dot.unlink()
        self.file.close()
