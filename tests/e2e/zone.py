# SPDX-License-Identifier: ISC
"""Name servers of the tests' own on loopback: NSD with zones that a test
gives, and servers that misbehave in ways NSD never would."""

import contextlib
import os
import pathlib
import secrets
import signal
import socket
import struct
import threading
import time

import peer
import posthouse as ph

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28, "OPT": 41, "TLSA": 52}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


# -- the wire

def wire_name(name):
    """A name in wire form, uncompressed."""
    labels = [l for l in name.rstrip(".").split(".") if l]
    return b"".join(bytes([len(l)]) + l.encode() for l in labels) + b"\0"


def record(name, rtype, rdata, ttl=60):
    return wire_name(name) + struct.pack(">HHIH", TYPES.get(rtype, rtype), 1,
                                         ttl, len(rdata)) + rdata


class Question:
    """The question of a query as a server sees it; tcp: came over TCP."""

    def __init__(self, packet, tcp=False):
        self.packet, self.tcp = packet, tcp
        self.id = packet[:2]
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += packet[at] + 1
        self.name = ".".join(labels).lower()
        self.type, self.cls = struct.unpack(">HH", packet[at + 1:at + 5])
        self.raw = packet[12:at + 5]

    def reply(self, answers=(), authority=(), additional=(), rcode=NOERROR,
              flags=0x8580, id=None):
        """A response with the same question; flags: QR AA RD RA."""
        return ((self.id if id is None else id) +
                struct.pack(">HHHHH", flags | rcode, 1, len(answers),
                            len(authority), len(additional)) +
                self.raw + b"".join([*answers, *authority, *additional]))


def ask(address, name, rtype="A", timeout=5):
    """Ask a server over UDP without its cache: (rcode, answer packet).  What
    it does not answer raises OSError."""
    host, port = address.rsplit(":", 1)
    ident = secrets.token_bytes(2)
    packet = ident + struct.pack(">HHHHH", 0, 1, 0, 0, 0) + wire_name(name) + \
        struct.pack(">HH", TYPES[rtype], 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((host, int(port)))
        s.send(packet)
        while True:
            got = s.recv(65535)
            if got[:2] == ident:
                return got[3] & 15, got


# -- NSD

CONF = """\
server:
	ip-address: 127.0.0.1@{port}
	server-count: 1
	username: ""
	chroot: ""
	database: ""
	zonesdir: "{dir}"
	pidfile: "{dir}/nsd.pid"
	xfrdfile: "{dir}/xfrd.state"
	xfrdir: "{dir}"
	zonelistfile: "{dir}/zone.list"
	cookie-secret-file: "{dir}/cookies"
	logfile: "{dir}/nsd.log"
	verbosity: 1
	round-robin: no
	rrl-ratelimit: 0
	rrl-whitelist-ratelimit: 0
	zonefiles-check: yes
remote-control:
	control-enable: no
"""


def _zone_file(name):
    return name.strip(".") or "root"


class Nsd:
    """NSD with zones {name: text}, on a loopback port of its own.

    A zone's text is in master file syntax, names relative to the zone; a SOA
    and an NS record come by themselves.  Names in no zone do not exist: there
    is a root zone (one of the test's own may replace it).  signed: names of
    zones to be signed with DNSSEC; their key is the trust anchor anchor().

    address: "127.0.0.1:PORT", for dns_servers.
    """

    def __init__(self, directory, zones, signed=(), port=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        peer.make("nsd", "nsd", "ldnsutils")
        self.port = port or ph.free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self.zones = {".": "", **zones}
        self.signed = {z.strip(".") for z in signed}
        self.server = None
        self._serial = 1
        self._marked = None
        conf = CONF.format(port=self.port, dir=self.dir)
        for name in self.zones:
            conf += f'zone:\n\tname: "{name}"\n' \
                    f'\tzonefile: "{_zone_file(name)}.zone"\n'
            self._write(name)
        (self.dir / "nsd.conf").write_text(conf)

    # -- life

    def start(self):
        self.server = peer.Server(
            "nsd", "nsd", "-d", "-c", self.dir / "nsd.conf", binds=[self.dir],
            said=self.dir / "nsd.out")
        self._wait_serial()
        return self

    def stop(self):
        """Nobody answers any more; start() brings it back."""
        if self.server:
            self.server.stop()
        self.server = None

    def __enter__(self):
        return self if self.server else self.start()

    def __exit__(self, *_):
        self.stop()

    # -- zones

    def set(self, name, text):
        """Change a zone; returns when the new edition is served."""
        assert name in self.zones
        self._serial += 1
        self.zones[name] = text
        self._write(name)
        if self.server:
            old = self._answering()
            os.kill(self.server.pid, signal.SIGHUP)
            self._wait_serial()
            # Who has the old edition may have had the question, too.
            ph.wait_for(lambda: not old & self._answering(),
                        "NSD's process of before to end")

    def _answering(self):
        """The processes that ask nobody else."""
        found = set()
        for pid, name, *_ in ph.processes():
            with contextlib.suppress(ProcessLookupError):
                if name.startswith("nsd: server") and \
                        os.getsid(pid) == self.server.pid:
                    found.add(pid)
        return found

    def anchor(self, name):
        """The trust anchor of a signed zone: the text of a file for
        dns_trust_anchor_file."""
        return next(self.dir.glob(f"K{name.strip('.')}.+*.key")).read_text()

    def _write(self, name):
        origin = name.rstrip(".") + "."
        path = self.dir / f"{_zone_file(name)}.zone"
        fresh = path.with_suffix(".new")
        fresh.write_text(
            f"$ORIGIN {origin}\n$TTL 60\n"
            f"@ SOA ns.invalid. hostmaster.invalid. {self._serial} "
            f"3600 600 86400 5\n@ NS ns.invalid.\n{self.zones[name]}\n")
        if name.strip(".") in self.signed:
            self._sign(name.strip("."), fresh)
        fresh.rename(path)
        self._marked = name

    def _sign(self, name, path):
        def ldns(*argv):
            return peer.run("nsd", "sh", "-c", 'cd "$0" && exec "$@"',
                            self.dir, *argv, binds=[self.dir]).stdout

        keys = list(self.dir.glob(f"K{name}.+*.key"))
        key = keys[0].stem if keys else ldns(
            "ldns-keygen", "-k", "-a", "ECDSAP256SHA256", name).strip()
        ldns("ldns-signzone", "-o", name, "-f", path.name + ".signed",
             path.name, key)
        path.with_name(path.name + ".signed").rename(path)

    def _wait_serial(self):
        """Until the zone written last is there with its serial."""
        serial = struct.pack(">I", self._serial)

        def served():
            assert not self.server.ended(), \
                f"nsd ended:\n{(self.dir / 'nsd.out').read_text()}"
            try:
                _, packet = ask(self.address, self._marked, "SOA", 1)
            except OSError:
                return False
            return serial in packet
        ph.wait_for(served, f"NSD on {self.address}")


# -- servers that misbehave

class BadServer:
    """A name server on a loopback port whose every answer is what
    answer(question) returns: bytes, a list of them, or None (silence).
    questions: all that were asked."""

    def __init__(self, answer, port=None):
        self.answer = answer
        self.questions = []
        self._stop = False
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = socket.socket()
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = port or ph.free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        for s in (self._udp, self._tcp):
            s.bind(("127.0.0.1", self.port))
            s.settimeout(0.1)
        self._tcp.listen(50)
        self._threads = [threading.Thread(target=t, daemon=True)
                         for t in (self._serve_udp, self._serve_tcp)]
        for t in self._threads:
            t.start()

    def _answers(self, packet, tcp):
        q = Question(packet, tcp)
        self.questions.append(q)
        answer = self.answer(q)
        return answer if isinstance(answer, list) else [answer]

    def _serve_udp(self):
        while not self._stop:
            try:
                packet, peer = self._udp.recvfrom(65535)
            except socket.timeout:
                continue
            threading.Thread(target=self._answer_udp, args=(packet, peer),
                             daemon=True).start()

    def _answer_udp(self, packet, peer):
        for a in self._answers(packet, False):
            if a is not None and not self._stop:
                self._udp.sendto(a, peer)

    def _serve_tcp(self):
        while not self._stop:
            try:
                c, _ = self._tcp.accept()
            except socket.timeout:
                continue
            threading.Thread(target=self._serve_stream, args=(c,),
                             daemon=True).start()

    def _serve_stream(self, c):
        with c:
            f = c.makefile("rb")
            while len(head := f.read(2)) == 2:
                packet = f.read(struct.unpack(">H", head)[0])
                for a in self._answers(packet, True):
                    if a is not None:
                        c.sendall(struct.pack(">H", len(a)) + a)

    def stop(self):
        self._stop = True
        for t in self._threads:
            t.join()
        self._udp.close()
        self._tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def failing(rcode):
    """Answers every question with this rcode."""
    return lambda q: q.reply(rcode=rcode, flags=0x8180)


def silence(_):
    """Never answers."""
    return None


def wrong_id(q):
    """Answers under another id than the question's."""
    return q.reply([record(q.name, "A", bytes([192, 0, 2, 66]))],
                   id=bytes(b ^ 0xff for b in q.id))


def garbage(q):
    """The right id, then nothing that could be read."""
    return q.id + b"\x85\x80" + secrets.token_bytes(40)


def truncated(q):
    """An answer that ends in the middle of its record."""
    return q.reply([record(q.name, "A", bytes([192, 0, 2, 1]))])[:-2]


def lame(q):
    """Knows nothing, and refers to the root."""
    return q.reply([], [record(".", "NS", wire_name("ns.elsewhere.invalid"))],
                   flags=0x8100)


def cname_loop(q):
    """A name that is an alias of itself, by way of others."""
    other = f"x{len(q.name) % 7}.{q.name}"[-60:].lstrip(".")
    return q.reply([record(q.name, "CNAME", wire_name(other)),
                    record(other, "CNAME", wire_name(q.name))])


def huge(rtype, n, rdata):
    """n records rdata(i): over UDP only "ask by TCP"."""
    def answer(q):
        if q.type != TYPES[rtype]:
            return q.reply()
        if not q.tcp:
            return q.reply(flags=0x8780)
        return q.reply([record(q.name, rtype, rdata(i)) for i in range(n)])
    return answer


def slow(seconds, answer):
    """Another server's answers, late."""
    def late(q):
        time.sleep(seconds)
        return answer(q)
    return late
