# SPDX-License-Identifier: ISC
"""An SMTP client that sends exactly what a test says."""

import socket

# 127.0.0.1 is a stranger to an instance with these parameters.
STRANGER = {"mynetworks": "192.0.2.0/24",
            "smtpd_client_event_limit_exceptions": "192.0.2.0/24",
            "smtpd_error_sleep_time": "0s",
            "smtpd_hard_error_limit": "1000"}


class Raw:
    def __init__(self, instance, timeout=60, port=None, tls=False):
        """tls: from the first byte."""
        self.context = instance.tls_context()
        self.sock = socket.create_connection(
            ("127.0.0.1", port or instance.smtp_port), timeout)
        if tls:
            self.wrap()
        else:
            self.file = self.sock.makefile("rb")
        self.greeting = self.reply()

    def wrap(self):
        """The TLS handshake."""
        self.sock = self.context.wrap_socket(self.sock,
                                             server_hostname="127.0.0.1")
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode("latin-1")
                          if isinstance(data, str) else data)

    def reply(self):
        """The whole of the next reply, or "" at the end."""
        lines = []
        while True:
            line = self.file.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                break
            lines.append(line)
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    def say(self, line):
        """A command; its reply."""
        self.send(line + "\r\n")
        return self.reply()

    def expect(self, line, want):
        got = self.say(line)
        assert got.startswith(want), f"{line!r}: {got!r}, wanted {want}"
        return got

    def envelope(self, instance, rcpt="alice", sender="a@stranger.test"):
        self.expect(f"MAIL FROM:<{sender}>", "250")
        self.expect(f"RCPT TO:<{instance.address(rcpt)}>", "250")

    def data(self, instance, text, **envelope):
        """A transaction; the reply to its text, which is sent as it is."""
        self.envelope(instance, **envelope)
        self.expect("DATA", "354")
        self.send(text)
        return self.reply()

    def hello(self):
        self.expect("EHLO probe.test", "250")
        return self

    def silent(self, seconds=0.5):
        """Does the server say nothing now?"""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b"never"
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(60)
