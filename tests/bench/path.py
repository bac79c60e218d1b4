# SPDX-License-Identifier: ISC
"""How messages go through, beside Debian's Postfix, in one run on one machine:
what `run` and `relay` have in common.

smtp-source sends messages of 4 KiB, one a session.  Both systems keep their
sync behaviour, log to a file and lie on the same file system; only one of them
runs at a time, in turn.  Timed and counting runs are separate.  Everything
measured is kept below build/bench; the table is printed.

  messages/s     messages / (the last one delivered - start of the generator)
  CPU ms/msg     of all processes of the server, by a cgroup
  syncs, calls,  of all processes of the server, by perf stat, in a run of its
  switches /msg  own

A system has, beside what is in servers.py: address, where the messages go;
empty(), so that every run begins alike; delivered(n), which waits for n
messages and returns the time at which the last one came.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import threading
import time

from servers import Cgroup, PEER, Posthouse, machine, ph, runtime, settle, spent

EVENTS = {
    "raw_syscalls:sys_enter": "calls",
    "syscalls:sys_enter_fsync": "syncs",
    "syscalls:sys_enter_fdatasync": "syncs",
    "syscalls:sys_enter_syncfs": "syncs",
    "syscalls:sys_enter_sync_file_range": "syncs",
    "context-switches": "switches",
}
UNITS = {"rate": ("messages/s", "{:.0f}"), "cpu_ms": ("CPU ms/msg", "{:.3f}"),
         "source_cpu_ms": ("generator's CPU ms/msg", "{:.3f}"),
         "syncs": ("syncs/msg", "{:.2f}"),
         "calls": ("system calls/msg", "{:.1f}"),
         "switches": ("context switches/msg", "{:.1f}")}


class Sink:
    """smtp-sink, and when which message came: it prints a line for each."""

    def __init__(self):
        self.port = ph.free_ports(1)[0]
        self.times = []
        self.process = subprocess.Popen(
            [PEER, "run", "postfix", "smtp-sink", "-u", "nobody", "-c",
             f"127.0.0.1:{self.port}", "1000"],
            stdout=subprocess.PIPE, env=ph.clean_env())
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            now = time.time()
            *lines, rest = (rest + chunk).split(b"\r")
            for line in lines:
                n = int(line.split(b"mesg=")[1])
                self.times += [now] * (n - len(self.times))

    def stop(self):
        self.process.kill()
        self.process.wait()


class ToSink:
    address = "someone@elsewhere.test"

    def __init__(self, work):
        self.sink = Sink()
        self.had = 0
        try:
            super().__init__(work)
        except BaseException:
            self.sink.stop()
            raise

    def stop(self):
        super().stop()
        self.sink.stop()

    def empty(self):
        self.had = len(self.sink.times)

    def delivered(self, messages, seconds=120):
        ph.wait_for(lambda: len(self.sink.times) >= self.had + messages,
                    f"{messages} messages at smtp-sink", seconds, 0.1)
        got = len(self.sink.times) - self.had
        assert got == messages, f"{got} instead of {messages}"
        return self.sink.times[-1]


class PosthouseRelay(ToSink, Posthouse):
    @property
    def overrides(self):
        return {"relayhost": f"[127.0.0.1]:{self.sink.port}",
                "mynetworks": "127.0.0.0/8"}


def send(server, work, sessions, messages, size):
    """Run the generator; returns (start time, its CPU seconds)."""
    begin = work / "begin"
    group = Cgroup("source")
    try:
        ph.run([PEER, "run", "postfix", "-b", work, *group.wrapper,
                "/bin/sh", "-c", f'date +%s.%N >{begin}; exec "$@"', "sh",
                "smtp-source", "-s", sessions, "-m", messages, "-l", size,
                "-f", "sender@example.com", "-t", server.address,
                f"{server.host}:{server.port}"], timeout=300)
        return float(begin.read_text()), group.usage()
    finally:
        group.remove()


def timed(server, work, sessions, messages, size):
    server.empty()
    cpu = server.cgroup.usage()
    begin, source_cpu = send(server, work, sessions, messages, size)
    end = server.delivered(messages)
    settle(server)
    cpu = server.cgroup.usage() - cpu
    return {"rate": messages / (end - begin),
            "cpu_ms": cpu * 1000 / messages,
            "source_cpu_ms": source_cpu * 1000 / messages}


def counted(server, work, sessions, messages, size):
    server.empty()
    out = work / "perf"
    pids = ",".join(str(p) for p in server.cgroup.pids())
    perf = subprocess.Popen(
        [ph.tool("perf"), "stat", "-x", ";", "-o", out, "-e",
         ",".join(EVENTS), "-p", pids], env=ph.clean_env())
    time.sleep(0.5)
    send(server, work, sessions, messages, size)
    server.delivered(messages)
    settle(server)
    perf.send_signal(signal.SIGINT)
    perf.wait(30)
    result = {}
    for line in out.read_text().splitlines():
        fields = line.split(";")
        if len(fields) > 2 and fields[2] in EVENTS:
            kind = EVENTS[fields[2]]
            result[kind] = result.get(kind, 0) + int(fields[0]) / messages
    assert set(result) == set(EVENTS.values()), out.read_text()
    return result


def explain(server, work, keep, args):
    """Where the CPU goes: by process, by system call, by function."""
    sessions, messages = max(args.sessions), args.messages
    out = keep / f"where-{server.name}.txt"
    lines = ["process      user us/msg   system us/msg"]
    server.empty()
    before = runtime(server)
    send(server, work, sessions, messages, args.size)
    server.delivered(messages)
    settle(server)
    for name, (u, s) in spent(before, runtime(server)):
        lines.append(f"{name:<16}{u * 1e6 / messages:8.1f}"
                     f"{s * 1e6 / messages:16.1f}")

    # System calls by process, counted only (strace changes all times).
    server.empty()
    pids = [str(p) for p in server.cgroup.pids()]
    names = {p: pathlib.Path(f"/proc/{p}/comm").read_text().strip()
             for p in pids}
    traces = [(p, work / f"strace.{p}", subprocess.Popen(
        [ph.tool("strace"), "-c", "-f", "-U", "calls,name", "-o",
         work / f"strace.{p}", "-p", p], env=ph.clean_env(),
        stderr=subprocess.DEVNULL)) for p in pids]
    time.sleep(1)
    send(server, work, sessions, args.count, args.size)
    server.delivered(args.count)
    settle(server)
    for _, _, strace in traces:
        strace.send_signal(signal.SIGINT)
    calls = {}
    for p, f, strace in traces:
        strace.wait(30)
        for line in f.read_text().splitlines():
            words = line.split()
            if len(words) == 2 and words[0].isdigit() and \
                    words[1] != "total":
                key = names[p], words[1]
                calls[key] = calls.get(key, 0) + int(words[0])
    lines += ["", "process          system call          calls/msg"]
    for (name, call), n in sorted(calls.items(), key=lambda x: -x[1]):
        if n >= args.count / 20:
            lines.append(f"{name:<16} {call:<20}{n / args.count:9.2f}")

    # Functions, by sampling.
    server.empty()
    data = work / f"{server.name}.perf"
    pids = [str(p) for p in server.cgroup.pids()]
    perf = subprocess.Popen(
        [ph.tool("perf"), "record", "-q", "-e", "cpu-clock", "-F", "4999",
         "-o", data, "-p", ",".join(pids)],
        env=ph.clean_env(), stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    send(server, work, sessions, messages, args.size)
    server.delivered(messages)
    perf.send_signal(signal.SIGINT)
    perf.wait(60)
    for sort in ("comm,dso", "comm,symbol"):
        r = ph.run(["perf", "report", "-i", data, "--stdio",
                    "--percent-limit", "0.7", "--sort", sort], check=False)
        lines += ["", f"samples by {sort}"] + [
            l.rstrip() for l in r.stdout.splitlines()
            if l.strip() and not l.startswith("#")]
    out.write_text("\n".join(lines) + "\n")


def measure(cls, work, keep, args, last):
    server = cls(work)
    try:
        server.empty()
        send(server, work, 5, 200, args.size)
        server.delivered(200)
        settle(server)
        result = {"version": server.version()}
        for s in args.sessions:
            result[f"s{s}"] = timed(server, work, s, args.messages, args.size)
            result[f"s{s}"] |= counted(server, work, s, args.count, args.size)
            print(f"  {cls.name} -s {s}: " + ", ".join(
                f"{k} {v:.3f}" for k, v in result[f"s{s}"].items()),
                flush=True)
        if last and args.where:
            explain(server, work, keep, args)
        return result
    except BaseException:
        (work / f"{cls.name}.log").write_text(server.log())
        raise
    finally:
        server.stop()


def table(runs, args, names):
    lines = []
    for s in args.sessions:
        head = [f"-s {s}", *names] + (["ratio"] if len(names) == 2 else [])
        lines += ["", "| " + " | ".join(head) + " |",
                  "|---|" + "---:|" * (len(head) - 1)]
        for key, (label, form) in UNITS.items():
            mid = [statistics.median(r[f"s{s}"][key] for r in runs[n])
                   for n in names]
            row = [form.format(m) for m in mid]
            if len(names) == 2:
                row.append(f"{mid[0] / mid[1]:.2f}" if mid[1] else "")
            lines.append(f"| {label} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main(about, *classes):
    systems = {s.name: s for s in classes}
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--only", choices=systems, help="measure one system")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--messages", type=int, default=5000)
    p.add_argument("--count", type=int, default=1000,
                   help="messages of a counting run")
    p.add_argument("--size", type=int, default=4096)
    p.add_argument("--sessions", type=int, nargs="*", default=[20, 1])
    p.add_argument("--where", action="store_true",
                   help="say as well where the CPU goes (where-SYSTEM.txt)")
    args = p.parse_args()

    if os.geteuid() != 0:
        raise SystemExit("bench: needs root")
    top = ph.ROOT / "build" / "bench"
    keep = top / time.strftime("%Y%m%d-%H%M%S")
    work = top / f"work.{os.getpid()}"
    keep.mkdir(parents=True)
    (work / "trash").mkdir(parents=True)
    subprocess.run([PEER, "make", "postfix", "postfix"], check=True)
    names = [args.only] if args.only else list(systems)
    runs = {n: [] for n in names}
    try:
        for i in range(args.runs):
            print(f"run {i + 1} of {args.runs}", flush=True)
            for n in names:
                runs[n].append(measure(systems[n], work, keep, args,
                                       i == args.runs - 1))
    finally:
        for f in work.glob("*.log"):
            shutil.copy(f, keep)
        shutil.rmtree(work)
    facts = {"machine": machine(top), "arguments": vars(args),
             "time": time.strftime("%Y-%m-%d %H:%M:%S"),
             "load": os.getloadavg()}
    (keep / "raw.json").write_text(
        json.dumps({"about": facts, "runs": runs}, indent=1))
    text = (f"{facts['time']}, {facts['machine']}\n"
            + ", ".join(runs[n][0]["version"] for n in names)
            + f"; medians of {args.runs} runs, {args.messages} messages of "
            f"{args.size} bytes\n" + table(runs, args, names))
    (keep / "table.md").write_text(text + "\n")
    print(f"\n{text}\n\nraw figures: {keep.relative_to(ph.ROOT)}")
