# SPDX-License-Identifier: ISC
"""Bad configuration: file, line, what is wrong, what would be right; exit 64;
a running instance goes on with the old one."""

import pytest

import clients
import posthouse as ph
from clients import Letter, wait_letter

BAD = {
    "unknown name": ("myhostnam = x\n", ["myhostnam", "myhostname"]),
    "not a number": ("smtpd_workers = many\n", ["smtpd_workers", "many"]),
    "out of bounds": ("smtpd_workers = 100000\n", ["smtpd_workers"]),
    "not a choice": ("log_format = xml\n", ["log_format", "text", "json"]),
    "not an address": ("listen_smtp = nowhere\n", ["listen_smtp"]),
    "no equals sign": ("just words\n", ["just words"]),
    "unknown table": ("virtual_alias_maps = nosuch:/x\n", ["nosuch"]),
}


def broken(i, text):
    """Put text at the end of main.cf; its line number."""
    cf = i.conf_dir / "main.cf"
    lines = [l for l in cf.read_text().splitlines()
             if l.split("=")[0].strip() != text.split("=")[0].strip()]
    cf.write_text("\n".join(lines) + "\n" + text)
    return len(lines) + 1


@pytest.mark.parametrize("kind", BAD)
def test_start_is_refused(make_instance, kind):
    text, named = BAD[kind]
    i = make_instance(start=False)
    line = broken(i, text)
    i.start(wait=False)
    assert i.process.wait(60) == 64
    said = i.log_text()
    assert f"main.cf:{line}:" in said
    for word in named:
        assert word in said, said
    conf = i.posthouse("conf", "-n", check=False)
    assert conf.returncode == 64
    assert f"main.cf:{line}:" in conf.stderr


@pytest.mark.parametrize("kind", BAD)
def test_reload_is_refused_and_the_old_one_stays(instance, kind):
    text, _ = BAD[kind]
    cf = instance.conf_dir / "main.cf"
    good = cf.read_text()
    before = instance.pids()
    line = broken(instance, text)
    try:
        r = instance.posthouse("reload", check=False)
        assert r.returncode != 0
        assert f"main.cf:{line}:" in r.stdout + r.stderr
        assert {k: v for k, v in instance.pids().items() if k != "deliver"} \
            == {k: v for k, v in before.items() if k != "deliver"}
        letter = Letter()
        clients.send_smtplib(instance, letter, [instance.address("bob")])
        wait_letter(instance, "bob", letter)
    finally:
        cf.write_text(good)


def test_reload_takes_the_new_one(make_instance):
    i = make_instance()
    i.set(smtpd_banner="$myhostname ESMTP changed")
    i.reload()
    ph.wait_for(lambda: b"changed" in ph.greeting(i.smtp_port),
                        "the new banner")
    i.add_user("carol", "carol-secret")
    i.reload()
    letter = Letter()

    def sent():
        try:
            clients.send_smtplib(i, letter, [i.address("carol")])
            return True
        except clients.smtplib.SMTPRecipientsRefused:
            return False

    ph.wait_for(sent, "carol to be known")

    def logs_in():
        try:
            with clients.imap(i, "carol"):
                return True
        except clients.imaplib.IMAP4.error:
            return False

    ph.wait_for(logs_in, "carol to get in")
    wait_letter(i, "carol", letter, clients.read_imaplib)


def test_main_cf_others_may_write_is_refused(make_instance):
    i = make_instance(start=False)
    (i.conf_dir / "main.cf").chmod(0o666)
    i.start(wait=False)
    assert i.process.wait(60) != 0
    assert "main.cf" in i.log_text()
