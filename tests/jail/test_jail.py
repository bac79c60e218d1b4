# SPDX-License-Identifier: ISC
"""The jail of each process: what /proc shows against the service table, and
what an intruder inside can do (intruder.c, in the programs of bin/intruder)."""

import ctypes
import imaplib
import json
import os
import pathlib
import poplib
import re
import smtplib

import mboxes
import posthouse
import pytest

DAEMONS = ("logd", "smtpd", "submitd", "qmgr", "smtp", "router", "dnsd",
           "dialer", "keyd", "tlsd_mx", "tlsd_user", "authd", "pamd", "login",
           "spawner")
USER_PROCESSES = ("deliver", "imapd", "pop3d")
SETUID, SETGID, SYS_CHROOT = 7, 6, 18
CALLS_FORK = 16

DEADLY = (
    "make_socket", "make_local_socket", "make_local_datagram_socket",
    "make_udp_socket", "make_raw_socket", "make_multipath_socket",
    "send_to_open", "send_from_listener", "make_kernel_socket", "make_packet_socket", "listen_for_others", "run_program", "trace_other", "mount_something",
    "make_process", "signal_other", "signal_thread_of_other",
    "signal_by_descriptor", "signal_by_descriptor_of_thread", "limit_other",
    "read_memory_of_other", "new_namespace", "kernel_programs",
    "ring_of_calls", "open_how", "open_any",
    "link_outside", "make_device", "make_set_id_file",
    "make_set_id_directory", "make_pipe_with_name",
    "open_to_write", "child_as_root", "child_as_daemon", "child_in_group",
)


# So that pamd and dialer run; every Debian has this service.
ALL = {"pam_service": "other", "dialer_sockets": "/nonexistent/lmtp"}


def landlock_abi():
    """What this kernel's Landlock can do: from 4 on, it knows ports."""
    create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, version)


@pytest.fixture(scope="module")
def instance(make_module_instance):
    return make_module_instance(**ALL)


@pytest.fixture(scope="module")
def table():
    out = posthouse.run([posthouse.BIN / "posthouse", "topology", "--json"])
    return {row["name"]: row for row in json.loads(out.stdout)}


def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text()


def status(pid):
    return dict(line.split(":\t", 1) for line in
                proc(pid, "status").splitlines() if ":\t" in line)


def limits(pid):
    found = {}
    for line in proc(pid, "limits").splitlines()[1:]:
        m = re.match(r"(Max [a-z ]+?)\s{2,}(\S+)\s+(\S+)", line)
        found[m[1]] = (m[2], m[3])
    return found


def deliver(instance):
    """A letter; the process that delivers it stays for some seconds."""
    box = instance.mailbox("alice")
    n = box.count()
    with smtplib.SMTP("127.0.0.1", instance.smtp_port) as s:
        s.sendmail("a@example.org", [instance.address("alice")],
                   "Subject: jail\r\n\r\nx\r\n")
    box.wait(n + 1)


def wake_users(instance):
    """A delivery, an IMAP and a POP3 session: their connections."""
    deliver(instance)
    imap = imaplib.IMAP4("127.0.0.1", instance.imap_port)
    imap.login(instance.address("alice"), instance.users["alice"])
    pop3 = poplib.POP3("127.0.0.1", instance.pop3_port)
    pop3.user(instance.address("bob"))
    pop3.pass_(instance.users["bob"])
    return imap, pop3


def check_process(instance, row, pid):
    st = status(pid)
    name = row["name"]
    user = row["root"] == "user"
    uid = instance.vmail_uid if user else instance.uid_base + row["uid_slot"]
    gid = uid
    if row["as_root"]:
        uid, gid = 0, 65534
    assert st["Uid"].split() == [str(uid)] * 4, name
    assert st["Gid"].split() == [str(gid)] * 4, name
    assert st["Groups"].strip() == "", name
    caps = 0
    if row["calls"] & CALLS_FORK:
        caps = 1 << SETUID | 1 << SETGID | 1 << SYS_CHROOT
    for field in ("CapPrm", "CapEff"):
        assert int(st[field], 16) == caps, f"{name} {field}"
    assert int(st["CapInh"], 16) == int(st["CapAmb"], 16) == 0, name
    if not user:
        assert int(st["CapBnd"], 16) == caps, name
    assert st["NoNewPrivs"] == "1", name
    assert st["Seccomp"] == "2", name
    assert int(st["Seccomp_filters"]) >= (4 if user else 2), name
    lim = limits(pid)
    assert lim["Max core file size"][1] == "0", name
    assert lim["Max open files"][1] == str(row["nofile"]), name
    assert lim["Max data size"][1] == str(row["data_mb"] << 20), name
    if not user:
        assert lim["Max processes"][1] == str(row["nproc"]), name
    # Not dumpable: its /proc belongs to root.
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0, name


def check_root(instance, row, pid):
    where = {
        "slash": "/",
        "empty": str(instance.dir / "empty"),
        "spool": str(instance.dir / "spool"),
        "log": str(instance.dir / "log"),
    }
    root = os.readlink(f"/proc/{pid}/root")
    if row["root"] == "user":
        assert root.startswith(str(instance.dir / "mail")), row["name"]
    else:
        assert root == where[row["root"]], row["name"]
    return root


def check_descriptors(row, pid, root):
    """Nothing but pipes, sockets, memfds, and files below the root."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            to = os.readlink(fd)
        except FileNotFoundError:
            continue
        if re.match(r"(socket|pipe|anon_inode|/memfd):?", to) or \
           to == "/dev/null" or fd.name == "2":
            continue
        if row["root"] in ("spool", "log", "user"):
            assert to == root or to.startswith(root + "/"), \
                f"{row['name']}: fd {fd.name} is {to}"
        elif row["name"] == "authd":
            assert to.endswith("/last_use"), f"authd: fd {fd.name} is {to}"
        elif row["name"] in ("router",):
            # The tables, and their directories to notice new editions.
            assert to.endswith(".db") or os.path.isdir(to), \
                f"router: fd {fd.name} is {to}"
        else:
            # spawner keeps the directory of virtual mailboxes.
            assert row["name"] == "spawner" and os.path.isdir(to), \
                f"{row['name']}: fd {fd.name} is {to}"


def test_proc_against_the_table(instance, table):
    imap, pop3 = wake_users(instance)
    pids = instance.pids()
    for name in DAEMONS + USER_PROCESSES:
        if name == "deliver":
            deliver(instance)
            pids[name] = instance.pids()[name]
        assert pids.get(name), f"no {name}: {pids}"
        for pid in pids[name]:
            check_process(instance, table[name], pid)
            root = check_root(instance, table[name], pid)
            check_descriptors(table[name], pid, root)
    imap.logout()
    pop3.quit()
    assert set(pids) == set(DAEMONS + USER_PROCESSES), pids


def test_intruder_is_held(make_instance):
    i = make_instance(master="intruder/master", **ALL)
    i.expected = ["is not in this jail's list"]
    imap, pop3 = wake_users(i)
    imap.logout()
    pop3.quit()
    for name in ("smtpd", "qmgr", "login", "spawner"):
        i.wait_log(f"intruder: {name}: held hoard_channels")
    for name in DAEMONS:
        i.wait_log(f"intruder: {name}: held reach_strangers")
    for name in DAEMONS + USER_PROCESSES:
        i.wait_log(rf"intruder: {name}: held become_root_group"
                   rf"|intruder: {name}: held gain_capability")
        i.wait_log(f"intruder: {name}: works own_memory")
    for name in ("qmgr", "logd", "imapd", "pop3d", "deliver"):
        i.wait_log(f"intruder: {name}: works own_file")
    for name in ("imapd", "pop3d"):
        i.wait_log(f"intruder: {name}: works own_mail")
        i.wait_log(f"intruder: {name}: held watch_outside")
        i.wait_log(f"intruder: {name}: held give_away")
    for name, can in (("smtp", "connect_to_own_port"),
                      ("dnsd", "connect_to_own_port"),
                      ("dnsd", "own_udp_socket"),
                      ("dialer", "own_local_socket")):
        i.wait_log(f"intruder: {name}: works {can}")
    i.wait_log("intruder: pamd: works read_shadow")
    i.wait_log("intruder: pamd: held read_other_files")
    log = i.log_text()
    if landlock_abi() < 4:
        log = re.sub("BREACH (connect_to_other|bind)_port", "", log)
    assert "BREACH" not in log, re.findall(".*BREACH.*", log)
    assert "BROKEN" not in log, re.findall(".*BROKEN.*", log)


@pytest.mark.parametrize("attempt", DEADLY)
def test_intruder_dies(make_instance, table, attempt):
    i = make_instance(start=False, master="intruder/master", **ALL)
    i.expected = ["SIGSYS", "signal 31", "Bad system call",
                  "is not in this jail's list"]
    (i.dir / "master.out").write_text(attempt + "\n")
    i.start()
    log = i.log_text
    i.wait_log(rf"intruder: \w+: tries {attempt}")
    posthouse.wait_for(
        lambda: all(
            re.search(rf"{name}\[\d+\] was killed by signal 31", log())
            for name in set(re.findall(
                rf"intruder: (\w+): tries {attempt}", log()))
            if name in DAEMONS),
        f"death by {attempt}: {log()}")
    assert "BREACH" not in log(), re.findall(".*BREACH.*", log())


# --- an mbox in the spool directory


def with_spool(make_instance, order=""):
    """A mailbox of dave's, and the processes that carol's mail needs."""
    s = mboxes.Spool(make_instance, master="intruder/master")
    s.instance.expected = ["is not in this jail's list", "SIGSYS",
                           "signal 31", "Bad system call"]
    s.file("dave").write_text("From a  b\n\nSecret\n")
    os.chown(s.file("dave"), mboxes.UID + 1, mboxes.GROUP)
    s.file("dave").chmod(0o660)
    (s.instance.dir / "master.out").write_text(order + "\n")
    s.start()
    s.send("jail")
    return s


def test_intruder_in_an_mbox(make_instance):
    s = with_spool(make_instance)
    s.wait(1)
    with imaplib.IMAP4("127.0.0.1", s.instance.imap_port) as c:
        c.login("carol", mboxes.PASSWORD)
        assert c.select()[1] == [b"1"]
        assert s.pids("mbox") and s.pids("imapd")
        for pid in s.pids("mbox"):
            st = status(pid)
            assert st["Uid"].split() == [str(mboxes.UID)] * 4
            assert st["Gid"].split() == [str(mboxes.GROUP)] * 4
            assert st["Groups"].strip() == ""
            assert int(st["CapPrm"], 16) == int(st["CapEff"], 16) == 0
            assert st["NoNewPrivs"] == "1" and st["Seccomp"] == "2"
            assert os.path.samefile(f"/proc/{pid}/root", s.path)
        # It has no group but the user's own.
        for pid in s.pids("imapd"):
            assert status(pid)["Gid"].split() == [str(mboxes.UID)] * 4
    wait_log = s.instance.wait_log
    for name in ("mbox", "taker"):
        wait_log(f"intruder: {name}: works own_memory")
    wait_log("intruder: mbox: works own_lock")
    for name in ("move", "cut", "share"):
        wait_log(f"intruder: mbox: held {name}_other_mailbox")
    for name in ("own_file", "own_list"):
        wait_log(f"intruder: taker: works {name}")
    for name in ("read_outside_by_dots", "write_outside", "give_away"):
        wait_log(f"intruder: taker: held {name}")
    log = s.instance.log_text()
    assert "BREACH" not in log, re.findall(".*BREACH.*", log)
    assert "BROKEN" not in log, re.findall(".*BROKEN.*", log)
    assert s.file("dave").read_text() == "From a  b\n\nSecret\n"


@pytest.mark.parametrize("attempt", (
    "open_other_mailbox", "open_any", "open_to_write", "make_device",
    "make_pipe_with_name", "link_outside", "make_socket", "run_program"))
def test_intruder_in_an_mbox_dies(make_instance, attempt):
    s = with_spool(make_instance, attempt)
    s.instance.wait_log(rf"intruder: mbox: tries {attempt}")
    s.instance.wait_log(r"mbox\[\d+\] was killed by signal 31")
    assert "intruder: mbox: BREACH" not in s.instance.log_text()
