# SPDX-License-Identifier: ISC
"""SCRAM bound to TLS, by a scripted client: the bindings, and what must not
pass: a wrong one, a downgrade, a binding where there is no TLS."""

import base64

import posthouse as ph
import pytest
import scram

USER, PASSWORD = "dora", "dora-secret"


@pytest.fixture(scope="module")
def mail(make_module_instance):
    i = make_module_instance(start=False, auth_mechanisms=scram.MECHANISMS)
    ph.run([ph.BIN / "posthouse", "-c", i.conf_dir, "user", "add",
            i.address(USER), "--password-stdin"], input=PASSWORD + "\n")
    i.start()
    return i


@pytest.fixture
def client(mail):
    made = []

    def make(kind, *args, **more):
        c = kind(mail, *args, **more)
        made.append(c)
        return c

    yield make
    for c in made:
        c.close()


def exchange(mail, *args, password=PASSWORD, user=USER, **more):
    return scram.Scram(mail.address(user), password, *args, **more)


DIGESTS = {"SHA-1": "sha1", "SHA-256": "sha256"}


@pytest.mark.parametrize("digest", DIGESTS)
def test_exporter(mail, client, digest):
    """Under TLS 1.3: before, s_client's words mean another number than RFC
    9266 (no context is not a context of length zero, RFC 5705 4)."""
    c = client(scram.Exporter)
    x = exchange(mail, DIGESTS[digest], "p=tls-exporter,,", c.exporter)
    assert scram.login(c, f"SCRAM-{digest}-PLUS", x).startswith("a OK")


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_end_point(mail, client, digest, version):
    c = client(scram.Plain, scram.tls(mail, version))
    x = exchange(mail, DIGESTS[digest], "p=tls-server-end-point,,",
                 scram.end_point(c.certificate))
    assert scram.login(c, f"SCRAM-{digest}-PLUS", x).startswith("a OK")


def test_unique(mail, client):
    c = client(scram.Plain, scram.tls(mail, "1.2"))
    x = exchange(mail, "sha256", "p=tls-unique,,", c.unique)
    assert scram.login(c, "SCRAM-SHA-256-PLUS", x).startswith("a OK")


def test_unique_is_not_for_tls_1_3(mail, client):
    c = client(scram.Plain, scram.tls(mail))
    x = exchange(mail, "sha256", "p=tls-unique,,", bytes(12))
    assert scram.login(c, "SCRAM-SHA-256-PLUS", x).startswith("a NO")


@pytest.mark.parametrize("binding", ["exporter", "end-point"])
def test_another_connection(mail, client, binding):
    """What somebody in the middle would present."""
    c, other = client(scram.Exporter), client(scram.Exporter)
    if binding == "exporter":
        x = exchange(mail, "sha256", "p=tls-exporter,,", other.exporter)
    else:
        x = exchange(mail, "sha256", "p=tls-server-end-point,,", bytes(32))
    assert scram.login(c, "SCRAM-SHA-256-PLUS", x).startswith(
        "a NO [AUTHENTICATIONFAILED]")


@pytest.mark.parametrize("mech, header", [
    ("SCRAM-SHA-256", "y,,"),               # "you offer no -PLUS": a lie
    ("SCRAM-SHA-256-PLUS", "n,,"),
    ("SCRAM-SHA-256-PLUS", "y,,"),
    ("SCRAM-SHA-256", "p=tls-exporter,,"),
    ("SCRAM-SHA-256-PLUS", "p=tls-nonsense,,"),
])
def test_downgrade(mail, client, mech, header):
    c = client(scram.Exporter)
    x = exchange(mail, "sha256", header,
                 c.exporter if header.startswith("p=") else b"")
    assert scram.login(c, mech, x).startswith("a NO")


def test_plus_without_tls(mail, client):
    c = client(scram.Plain)
    x = exchange(mail, "sha256", "p=tls-exporter,,", bytes(32))
    assert scram.login(c, "SCRAM-SHA-256-PLUS", x).startswith("a NO")
    x = exchange(mail)
    assert scram.login(c, "SCRAM-SHA-256", x).startswith("a OK")


@pytest.mark.parametrize("tls", [False, True])
def test_unbound(mail, client, tls):
    c = client(scram.Plain, scram.tls(mail) if tls else None)
    assert scram.login(c, "SCRAM-SHA-256", exchange(mail)).startswith("a OK")


def first_challenge(c, x):
    c.send("a AUTHENTICATE SCRAM-SHA-256 " +
           base64.b64encode(x.first.encode()).decode())
    line = scram.reply(c)
    assert line.startswith("+ "), line
    return dict(p.split("=", 1) for p in
                base64.b64decode(line[2:]).decode().split(","))


def test_unknown_users_look_like_known_ones(mail, client):
    """A salt that stays the same, the usual count, the same words in the
    end."""
    shapes = []
    for user in (USER, "nobody-here", "alice"):     # alice: no SCRAM keys
        seen = [first_challenge(client(scram.Plain, scram.tls(mail)),
                                exchange(mail, user=user)) for _ in range(2)]
        assert seen[0]["s"] == seen[1]["s"], user
        assert seen[0]["r"] != seen[1]["r"], user
        shapes.append((seen[0]["i"], len(seen[0]["s"])))
        c = client(scram.Plain, scram.tls(mail))
        shapes.append(scram.login(c, "SCRAM-SHA-256", exchange(
            mail, user=user, password="wrong")))
    assert shapes[0:2] == shapes[2:4] == shapes[4:6], shapes


def test_salts_of_unknown_users_outlive_a_restart(mail, client):
    before = first_challenge(client(scram.Plain),
                             exchange(mail, user="nobody"))
    gone = set(mail.kill("authd"))
    ph.wait_for(lambda: set(mail.pids().get("authd", ())) - gone,
                "a new authd")

    def again():
        """None while login does not know the new one."""
        try:
            return first_challenge(client(scram.Plain),
                                   exchange(mail, user="nobody"))
        except AssertionError:
            return None
    after = ph.wait_for(again, "its challenge", pause=0.2)
    assert before["s"] == after["s"]
