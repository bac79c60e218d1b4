# SPDX-License-Identifier: ISC
"""A mail server of a test's own that does as it is told: SMTP or LMTP, on a
port of any loopback address or on a local socket."""

import contextlib
import os
import socket
import ssl
import threading
import typing


def server_context(pem):
    """Of a file with the key and its certificate."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(pem)
    return c


class Tls(typing.NamedTuple):
    version: str
    reused: bool
    client: bytes       # its certificate, DER, or None


class Mx:
    """Takes mail from any number of clients.

    replies: {"MAIL": "451 4.3.0 not now"}: what a verb is answered instead
    ("GREETING" and "." are the greeting and the end of the text); a function
    is called with the server and the line, and its None means "as usual".

    tls: an ssl.SSLContext, for STARTTLS or (wrapper) from the first byte; what
    became of each handshake is in `handshakes`: a Tls or an error.
    """

    def __init__(self, host="127.0.0.1", port=25, path=None, lmtp=False,
                 replies=None, extensions=("PIPELINING", "8BITMIME", "DSN",
                                           "ENHANCEDSTATUSCODES"),
                 tls=None, wrapper=False):
        self.host, self.port, self.path = host, port, path
        self.lmtp = lmtp
        self.replies = replies or {}
        self.extensions = extensions
        self.tls, self.wrapper = tls, wrapper
        self.handshakes = []
        self.connections = 0
        self.clients = []       # (address, port) of each
        self.mails = []         # (sender, [recipients], text)
        self.lines = []
        self._lock = threading.Lock()
        self._listener = None
        self._open = set()

    def start(self):
        family = socket.AF_UNIX if self.path else \
            socket.AF_INET6 if ":" in self.host else socket.AF_INET
        s = socket.socket(family, socket.SOCK_STREAM)
        if self.path:
            s.bind(str(self.path))
            os.chmod(self.path, 0o666)
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((self.host, self.port))
            self.port = s.getsockname()[1]
        s.listen(128)
        self._listener = s
        threading.Thread(target=self._accept, args=(s,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more, and all connections are closed."""
        if not self._listener:
            return
        # Wakes the threads in accept() and recv().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        with self._lock:
            for c in self._open:
                with contextlib.suppress(OSError):  # the client was first
                    c.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _accept(self, listener):
        while True:
            try:
                c, peer = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.clients.append(peer)
                self._open.add(c)
            threading.Thread(target=self._serve, args=(c,),
                             daemon=True).start()

    def _serve(self, c):
        tls = None
        try:
            if self.wrapper:
                tls = self._start_tls(c)
            if self._session(tls or c) == "STARTTLS":
                tls = self._start_tls(c)
                self._session(tls, again=True)
        except OSError:
            pass
        if tls:
            tls.close()
        with self._lock:
            self._open.remove(c)
            c.close()

    def _start_tls(self, c):
        """On a copy, so that the other can be shut down whatever happens."""
        try:
            done = self.tls.wrap_socket(c.dup(), server_side=True)
        except OSError as e:
            with self._lock:
                self.handshakes.append(e)
            raise
        with self._lock:
            self.handshakes.append(Tls(done.version(), done.session_reused,
                                       done.getpeercert(binary_form=True)))
        return done

    def _special(self, verb, line):
        reply = self.replies.get(verb)
        return reply(self, line) if callable(reply) else reply

    def _session(self, c, again=False):
        """again: under TLS, after what came before it.  Ends where TLS is to
        begin."""
        f = c.makefile("rb")

        def say(text):
            c.sendall(text.encode() + b"\r\n")

        def answer(verb, line, usual):
            text = self._special(verb, line) or usual
            say(text)
            return text.startswith(("2", "3"))

        sender, rcpts = None, []
        if not again and not answer("GREETING", "", "220 mx.test ESMTP"):
            return None
        while line := f.readline().decode("utf-8", "replace").rstrip("\r\n"):
            with self._lock:
                self.lines.append(line)
            verb = line.split()[0].upper()
            if verb in ("EHLO", "LHLO"):
                words = ["mx.test", *self.extensions]
                if self.tls and not again and not self.wrapper:
                    words.append("STARTTLS")
                answer(verb, line, "\r\n".join(
                    f"250{'-' if w != words[-1] else ' '}{w}"
                    for w in words))
            elif verb == "MAIL":
                if answer(verb, line, "250 2.1.0 ok"):
                    sender, rcpts = line[11:line.index(">")], []
            elif verb == "RCPT":
                if answer(verb, line, "250 2.1.5 ok"):
                    rcpts.append(line[9:line.index(">")])
            elif verb == "DATA":
                if not rcpts:
                    say("554 5.5.1 no valid recipients")
                elif answer(verb, line, "354 go on"):
                    text = b""
                    while (l := f.readline()) not in (b".\r\n", b""):
                        text += l[1:] if l.startswith(b".") else l
                    if not l:
                        return None
                    said = [self._special(".", r) or "250 2.0.0 ok: taken"
                            for r in (rcpts if self.lmtp else rcpts[:1])]
                    # Before it is said: who hears it may look at once.
                    if any(x.startswith("2") for x in said):
                        with self._lock:
                            self.mails.append((sender, rcpts, text))
                    for x in said:
                        say(x)
                    rcpts = []
            elif verb == "QUIT":
                answer(verb, line, "221 2.0.0 bye")
                return None
            elif verb == "STARTTLS" and self.tls:
                if answer(verb, line, "220 2.0.0 go on"):
                    return verb
            else:
                answer(verb, line, "250 2.0.0 ok")
        return None
