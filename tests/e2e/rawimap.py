# SPDX-License-Identifier: ISC
"""IMAP as bytes: what no library sends, and answers as they came."""

import contextlib
import re
import socket
import zlib


class Imap:
    """A connection.  `cmd("NOOP")` returns (b"OK ...", [untagged lines]); a
    line has its literals in it, as they came."""

    def __init__(self, port, user=None, password=None, host="127.0.0.1"):
        self.s = socket.create_connection((host, port), 60)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.n = 0
        self.pack = self.unpack = None
        self.wire_in = self.wire_out = 0
        self.greeting = self.line()
        if user:
            self.ok(f'LOGIN "{user}" "{password}"')

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        if self.pack:
            data = self.pack.compress(data) + self.pack.flush(self.flush)
        self.wire_out += len(data)
        self.s.sendall(data)

    def _more(self):
        data = self.s.recv(65536)
        if not data:
            raise EOFError(self.rest)
        self.wire_in += len(data)
        self.rest += self.unpack.decompress(data) if self.unpack else data

    def line(self):
        """One response, without its CR LF."""
        at = 0
        while True:
            while (end := self.rest.find(b"\r\n", at)) < 0:
                self._more()
            literal = re.search(rb"\{(\d+)\}$", self.rest[:end])
            if not literal:
                break
            at = end + 2 + int(literal[1])
            while len(self.rest) < at:
                self._more()
        line, self.rest = self.rest[:end], self.rest[end + 2:]
        return line

    def begin(self, command):
        """Send a command; its tag."""
        self.n += 1
        tag = b"t%d" % self.n
        if isinstance(command, str):
            command = command.encode()
        self.send(tag + b" " + command + b"\r\n")
        return tag

    def end(self, tag):
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                return line[len(tag) + 1:], untagged
            assert line.startswith((b"* ", b"+ ")), line
            untagged.append(line)

    def cmd(self, command):
        return self.end(self.begin(command))

    def ok(self, command):
        """The untagged answers to what must succeed."""
        status, untagged = self.cmd(command)
        assert status.startswith(b"OK"), (command, status)
        return untagged

    def no(self, command):
        status, untagged = self.cmd(command)
        assert status.startswith(b"NO"), (command, status, untagged)
        return status

    def bad(self, command):
        status, untagged = self.cmd(command)
        assert status.startswith(b"BAD"), (command, status, untagged)
        return status

    def literal(self, command, *parts, mark=b""):
        """A command whose synchronising literals are parts: {literal, text
        behind it}."""
        self.n += 1
        tag = b"t%d" % self.n
        text = tag + b" " + command
        for data, behind in parts:
            self.send(text + b" " + mark + b"{%d}\r\n" % len(data))
            line = self.line()
            if not line.startswith(b"+"):
                assert line.startswith(tag), line
                return line[len(tag) + 1:], []
            self.send(data)
            text = behind
        self.send(text + b"\r\n")
        return self.end(tag)

    def capabilities(self):
        (line,) = [x for x in self.ok("CAPABILITY")
                   if x.startswith(b"* CAPABILITY ")]
        return line.decode().split()[2:]

    def compress(self, flush=zlib.Z_SYNC_FLUSH):
        self.ok("COMPRESS DEFLATE")
        self.flush = flush
        self.pack = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.unpack = zlib.decompressobj(-15)


LIST = re.compile(rb'^\* (LIST|LSUB) \(([^)]*)\) (?:"(.)"|NIL) (.*)$', re.S)


def parse_list(line):
    """(verb, attributes, name, extended data) of a LIST or LSUB response."""
    m = LIST.match(line)
    assert m, line
    rest = m[4]
    if rest.startswith(b"{"):
        n, rest = rest[1:].split(b"}\r\n", 1)
        name, rest = rest[:int(n)], rest[int(n):]
    elif rest.startswith(b'"'):
        q = re.match(rb'"((?:[^"\\]|\\.)*)"', rest)
        name = re.sub(rb"\\(.)", rb"\1", q[1])
        rest = rest[q.end():]
    else:
        name, _, rest = rest.partition(b" ")
    return (m[1].decode(), frozenset(m[2].decode().split()), name,
            rest.strip().decode())
