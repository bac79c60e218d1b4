# SPDX-License-Identifier: ISC
"""A client of SCRAM (RFC 5802, 7677) that can bind itself to a TLS connection
(RFC 5929, 9266), rightly or wrongly, and the connections for it."""

import base64
import hashlib
import hmac
import os
import re
import socket
import ssl
import subprocess

import posthouse as ph

MECHANISMS = ("PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS "
              "SCRAM-SHA-256-PLUS")


class Scram:
    """header is the GS2 header ("n,,", "y,,", "p=tls-exporter,,"), binding
    the bytes behind it."""

    def __init__(self, user, password, digest="sha256", header="n,,",
                 binding=b""):
        self.password, self.digest = password.encode(), digest
        self.bound = base64.b64encode(header.encode() + binding).decode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"
        self.first = header + self.bare

    def answer(self, challenge):
        """The second message, to the server's first."""
        got = dict(p.split("=", 1) for p in challenge.split(","))
        assert got["r"].startswith(self.nonce) and len(got["r"]) > \
            len(self.nonce) + 15, challenge
        self.challenge = got
        salted = hashlib.pbkdf2_hmac(self.digest, self.password,
                                     base64.b64decode(got["s"]), int(got["i"]))
        without = f"c={self.bound},r={got['r']}"
        text = f"{self.bare},{challenge},{without}".encode()
        key = self._mac(salted, b"Client Key")
        signature = self._mac(hashlib.new(self.digest, key).digest(), text)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.verifier = base64.b64encode(self._mac(
            self._mac(salted, b"Server Key"), text)).decode()
        return f"{without},p={base64.b64encode(proof).decode()}"

    def _mac(self, key, text):
        return hmac.new(key, text, self.digest).digest()


class Plain:
    """IMAP without TLS, or under Python's, for the bindings that knows."""

    def __init__(self, i, tls=None):
        port = i.imaps_port if tls else i.imap_port
        s = socket.create_connection(("127.0.0.1", port), 20)
        if tls:
            s = tls.wrap_socket(s, server_hostname="localhost")
            self.certificate = s.getpeercert(True)
            self.unique = s.get_channel_binding("tls-unique") \
                if s.version() == "TLSv1.2" else None
        self._socket = s
        self._file = s.makefile("rb")

    def line(self):
        return self._file.readline().decode()

    def send(self, text):
        self._socket.sendall(text.encode() + b"\r\n")

    def close(self):
        self._file.close()
        self._socket.close()


class Exporter:
    """IMAP under openssl s_client, which tells what tls-exporter gives."""

    def __init__(self, i):
        self._p = subprocess.Popen(
            [ph.tool("openssl"), "s_client", "-connect",
             f"localhost:{i.imaps_port}", "-CAfile", str(i.ca_file),
             "-verify_return_error", "-crlf", "-keymatexport",
             "EXPORTER-Channel-Binding", "-keymatexportlen", "32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=ph.clean_env(), bufsize=0)
        self._file = self._p.stdout
        self.exporter = None
        while not self.exporter:
            line = self.line()
            assert line, "s_client ended"
            m = re.search(r"Keying material: ([0-9A-F]+)", line)
            if m:
                self.exporter = bytes.fromhex(m[1])

    def line(self):
        """Of the server; what s_client says in between is passed over."""
        text = b""
        while not text.endswith(b"\n"):
            c = self._file.read(1)
            if not c:
                break
            text += c
        return text.decode(errors="replace")

    def send(self, text):
        self._p.stdin.write(text.encode() + b"\n")

    def close(self):
        self._p.kill()
        self._p.wait()


def reply(connection):
    """The next line of IMAP that answers us."""
    while True:
        line = connection.line()
        assert line, "the server closed the connection"
        if line.startswith(("a ", "+ ")):
            return line.strip()


def login(connection, mech, client):
    """AUTHENTICATE; the tagged answer."""
    def b64(text):
        return base64.b64encode(text.encode()).decode()

    connection.send(f"a AUTHENTICATE {mech}")
    line = reply(connection)
    if line.startswith("a "):
        return line
    connection.send(b64(client.first))
    line = reply(connection)
    if line.startswith("a "):
        return line
    connection.send(b64(client.answer(
        base64.b64decode(line[2:]).decode())))
    line = reply(connection)
    if line.startswith("a "):
        return line
    assert base64.b64decode(line[2:]).decode() == f"v={client.verifier}", \
        "the server did not prove that it knows the password"
    connection.send("")
    return reply(connection)


def end_point(certificate):
    """tls-server-end-point of a certificate signed with SHA-256."""
    return hashlib.sha256(certificate).digest()


def tls(i, version=None):
    context = i.tls_context()
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
