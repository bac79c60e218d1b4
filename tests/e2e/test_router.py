# SPDX-License-Identifier: ISC
"""Lookup tables and addresses: what the router makes of them while it runs,
and whether Debian's postmap and ours read each other's files."""

import smtplib

import pytest

import clients
import peer
import posthouse as ph
from clients import SENDER, Letter

ROWS = [
    ("alice@example.com", "box/alice/"),
    ("ALICE@Example.com", "box/alice/"),
    ('"a b"@example.com', "quoted"),
    ("bob@example.com", "one,  two"),
    ("@example.com", "all"),
    ("nobody@example.com", None),
]
SOURCE = ('Alice@Example.com\tbox/alice/\n"a b"@example.com quoted\n'
          "# a comment\nbob@example.com one,\n  two\n@example.com all\n")


def rcpt(i, address):
    """The reply to RCPT, as (code, text)."""
    with smtplib.SMTP("127.0.0.1", i.smtp_port, timeout=30) as s:
        s.ehlo("client.example.com")
        s.mail(SENDER)
        code, text = s.rcpt(address)
        return code, text.decode()


def wait_rcpt(i, address, code):
    """A changed table is seen within a second or so."""
    ph.wait_for(lambda: rcpt(i, address)[0] == code,
                f"{code} for {address}", pause=0.2)


def map_query(key, spec, cwd):
    r = ph.run([ph.BIN / "posthouse", "map", "-q", key, spec], check=False,
               cwd=cwd)
    assert r.returncode in (0, 1), r
    return r.stdout.rstrip("\n") if r.returncode == 0 else None


@pytest.mark.parametrize("kind", ["hash", "btree"])
def test_maps_and_postfix(tmp_path, kind):
    """Each program reads the file that the other one built."""
    peer.make("postfix", "postfix")

    def theirs(*argv):
        return peer.run("postfix", *argv, binds=[tmp_path], check=False)

    for name in ("ours", "theirs"):
        (tmp_path / name).write_text(SOURCE)
    ph.run([ph.BIN / "posthouse", "map", f"{kind}:ours"], cwd=tmp_path)
    assert theirs("postmap", f"{kind}:{tmp_path}/theirs").returncode == 0
    for key, want in ROWS:
        r = theirs("postmap", "-q", key, f"{kind}:{tmp_path}/ours")
        assert (r.stdout.rstrip("\n") if r.returncode == 0 else None) == want
        for name in ("ours", "theirs"):
            assert map_query(key, f"{kind}:{name}", tmp_path) == want, name
        assert map_query(key, "texthash:ours", tmp_path) == want
    (tmp_path / "aliases").write_text("Root: alice,\n bob\n")
    ph.run([ph.BIN / "posthouse", "map", "-a", f"{kind}:aliases"],
           cwd=tmp_path)
    r = theirs("postalias", "-q", "root", f"{kind}:{tmp_path}/aliases")
    assert r.stdout.split() == ["alice,", "bob"]
    assert theirs("postalias", f"{kind}:{tmp_path}/aliases").returncode == 0
    assert map_query("root", f"{kind}:aliases", tmp_path).split() == [
        "alice,", "bob"]


def test_addresses(make_instance):
    i = make_instance(start=False, virtual_alias_maps="hash:valias",
                      alias_maps="btree:aliases", recipient_delimiter="+")
    conf = i.conf_dir
    alice, bob = i.address("alice"), i.address("bob")
    (conf / "valias").write_text(f"{i.address('team')} {alice}, {bob}\n"
                                 f"{i.address('far')} x@far.example.net\n")
    (conf / "aliases").write_text(f"postmaster: {i.address('team')}\n"
                                  "prog: |/bin/true\n")
    i.posthouse("map", f"hash:{conf}/valias")
    i.posthouse("map", "-a", f"btree:{conf}/aliases")
    i.start()

    # One delivery a mailbox, however many ways lead there.
    letter = Letter()
    clients.send_smtplib(i, letter, ["postmaster", i.address("team"),
                                     i.address("alice+tag"), alice])
    for user in ("alice", "bob"):
        clients.wait_letter(i, user, letter)
        assert i.mailbox(user).count() == 1

    for address, code, text in [
            (i.address("none"), 550,
             "User unknown in virtual mailbox table"),
            ("nobody.here@localhost", 550,
             "User unknown in local recipient table"),
            ("root@localhost", 550, "needs an alias"),
            ("prog@localhost", 550, "delivery to commands"),
            (i.address("far"), 250, ""),
            ("x@far.example.net", 250, "")]:
        got = rcpt(i, address)
        assert got[0] == code and text in got[1], (address, got)

    # A new edition of a table is seen without a reload.
    new = i.address("new")
    assert rcpt(i, new)[0] == 550
    with open(conf / "valias", "a") as f:
        f.write(f"{new} {bob}\n")
    i.posthouse("map", f"hash:{conf}/valias")
    wait_rcpt(i, new, 250)

    # A table that is gone makes nobody unknown.
    (conf / "valias.db").rename(conf / "away.db")
    wait_rcpt(i, alice, 451)
    assert "Temporary lookup failure" in rcpt(i, i.address("none"))[1]
    (conf / "away.db").rename(conf / "valias.db")
    wait_rcpt(i, alice, 250)

    # A reload that names another directory: a new process, a new jail.
    other = i.address("other")
    before = i.pids()["router"]
    (i.dir / "maps").mkdir()
    (i.dir / "maps" / "more").write_text(f"{other} {alice}\n")
    i.posthouse("map", f"btree:{i.dir}/maps/more")
    i.set(virtual_alias_maps=f"hash:valias, btree:{i.dir}/maps/more")
    i.reload()
    wait_rcpt(i, other, 250)
    assert rcpt(i, new)[0] == 250
    assert i.pids()["router"] != before


def test_transports(make_instance):
    """What a stranger is told of domains that are passed on, refused, or
    routed to a transport that does not exist."""
    i = make_instance(
        mynetworks="192.0.2.0/24", relay_domains="relay.example.net",
        relay_recipient_maps="inline:{ u@relay.example.net=x, "
                             "@sub.relay.example.net=x }",
        transport_maps="inline:{ {bad@posthouse.test = error:5.7.1 not now}, "
                       "{relay.example.net = relay:[127.0.0.1]:9}, "
                       "{alice@posthouse.test = gone:x}, "
                       "{later@posthouse.test = retry:4.2.1 later} }",
        virtual_mailbox_maps="static:x/")
    for address, code, text in [
            ("u@relay.example.net", 250, "Ok"),
            ("any@sub.relay.example.net", 250, "Ok"),
            ("v@relay.example.net", 550,
             "User unknown in relay recipient table"),
            ("x@example.net", 554, "Relay access denied"),
            ("bad@posthouse.test", 550, "5.7.1 <bad@posthouse.test>: "
             "Recipient address rejected: not now"),
            ("later@posthouse.test", 250, "Ok"),
            ("alice@posthouse.test", 451, "Temporary lookup failure")]:
        got = rcpt(i, address)
        assert got[0] == code and text in got[1], (address, got)
    i.wait_log(r'transport_maps: unknown transport "gone" for '
               r"alice@posthouse\.test: mail transport unavailable")
