# SPDX-License-Identifier: ISC
"""Raw dialogues, for what no honest client says."""

import socket


class Wire:
    """A connection that writes bytes and reads lines; EOF reads as b""."""

    def __init__(self, port, timeout=60):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, data):
        """Write; the server may have hung up already, which is its right."""
        if isinstance(data, str):
            data = data.encode()
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def line(self):
        try:
            return self.file.readline(65536)
        except ConnectionResetError:
            return b""

    def smtp(self, data=None):
        """Write, then read one SMTP reply; its text, b"" at EOF."""
        if data is not None:
            self.send(data)
        reply = b""
        while True:
            line = self.line()
            reply += line
            if line[3:4] != b"-":
                return reply

    def imap(self, data, tag):
        """Write, then read lines up to the tagged one (or EOF, or a
        continuation)."""
        self.send(data)
        said = []
        while True:
            line = self.line()
            said.append(line)
            if not line or line.startswith((tag.encode() + b" ", b"+")):
                return said

    def rest(self):
        """Everything up to EOF."""
        try:
            return self.file.read()
        except ConnectionResetError:
            return b""


def smtp_until_data(port, to, sender="sender@example.com"):
    """A connection that waits for the message's first byte."""
    w = Wire(port)
    for line in (None, "EHLO client.example.com\r\n",
                 f"MAIL FROM:<{sender}>\r\n", f"RCPT TO:<{to}>\r\n"):
        reply = w.smtp(line)
        assert reply[:1] == b"2", reply
    reply = w.smtp("DATA\r\n")
    assert reply[:3] == b"354", reply
    return w
