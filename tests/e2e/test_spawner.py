# SPDX-License-Identifier: ISC
"""spawner and its seed, from which users' processes are forked."""

import imaplib
import os
import poplib
import signal

import posthouse as ph


def seeds(i):
    """spawner's children that are called spawner, too."""
    pids = i.pids()["spawner"]
    return [pid for pid, name, ppid, _ in ph.processes()
            if name == "spawner" and ppid in pids]


def login(i, name):
    with imaplib.IMAP4("127.0.0.1", i.imap_port) as c:
        c.login(i.address(name), f"{name}-secret")
        assert c.select()[0] == "OK"


def pop3_login(i, name):
    c = poplib.POP3("127.0.0.1", i.pop3_port)
    c.user(i.address(name))
    c.pass_(f"{name}-secret")
    c.quit()


def test_seed_that_is_killed(make_instance):
    """Another takes its place; logins go on meanwhile."""
    i = make_instance()
    ph.wait_for(lambda: len(seeds(i)) == 1, "a seed")
    login(i, "alice")
    first, = seeds(i)
    os.kill(first, signal.SIGKILL)
    login(i, "bob")
    ph.wait_for(lambda: seeds(i) and first not in seeds(i), "another seed")
    # The next one comes after a while (spawner_test.c); nobody waits for it.
    second, = seeds(i)
    os.kill(second, signal.SIGKILL)
    i.wait_log("the seed of users' processes dies again and again")
    pop3_login(i, "alice")
    pop3_login(i, "bob")
