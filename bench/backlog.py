#!/usr/bin/env python3
"""What long queues, and many connections, cost. One JSON line a step.

    bench/backlog.py backlog   [--messages 10000000] [--steps 5]   fills a queue, kills the bus, starts it again, drains it
    bench/backlog.py selective [--messages 1000000]  [--keys 1000] the same backlog drained by as many consumers, each with
                                                                   a selector for its own messages; without selectors; by
                                                                   one whose selector takes all
    bench/backlog.py delayed   [--messages 1000000]                all wait for their time together: how late do they come?
    bench/backlog.py stuck     [--messages 1000000]                one is held by a consumer while all others pass: disk use
    bench/backlog.py idle      [--messages 200000]  [--connections 10000]   one producer and one consumer, without and beside
                                                                   connections that have logged in and do nothing

Needs build/bin/busbard and build/bin/busbar-load; puts its data below --directory and deletes it in the end.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "bin"


class Bus:
    def __init__(self, directory, memory):
        self.directory, self.memory = directory, memory

    def start(self):
        """Starts it; the milliseconds until it says that it is ready."""
        ports = self.directory / "data" / "ports.json"
        ports.unlink(missing_ok=True)
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [BIN / "busbard", "--data", self.directory / "data", "--set", "stomp.port=0", "--set", "openwire.enabled=false", "--set", "amqp.enabled=false", "--set", "http.port=0",
             "--set", f"limits.memory-bytes-max={self.memory}"],
            env={**os.environ, "BUSBAR_ADMIN_PASSWORD": "admin"}, stdout=subprocess.DEVNULL,
            stderr=open(self.directory / "log", "a", encoding="utf-8"))
        while True:
            if self.process.poll() is not None:
                sys.exit(f"busbard ended: see {self.directory / 'log'}")
            try:
                self.ports = json.loads(ports.read_text(encoding="utf-8"))
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}/readyz", timeout=1) as answer:
                    if answer.status == 200:
                        return (time.monotonic() - begun) * 1000
            except (OSError, ValueError, KeyError):
                pass
            time.sleep(0.005)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def resident(self, what="VmRSS"):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(what + r":\s+(\d+)", text).group(1)) / 1024

    def disk(self):
        return sum(f.stat().st_blocks * 512 for f in (self.directory / "data" / "journal").iterdir()) / 2**20


def load(bus, *arguments):
    done = subprocess.run([BIN / "busbar-load", "--port", str(bus.ports["stomp"]), "--run", "7",
                           "--server-pid", str(bus.process.pid), *map(str, arguments)],
                          capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def say(step, **values):
    print(json.dumps({"step": step, **{k: round(v, 1) if isinstance(v, float) else v for k, v in values.items()}}), flush=True)


def backlog(bus, chosen):
    say("empty", ready_ms=bus.start(), resident_mib=bus.resident())
    each = chosen.messages // chosen.steps
    for number in range(chosen.steps):
        # Each run numbers its messages from 1; a run of its own name keeps them apart.
        result = load(bus, "--consumers", 0, "--backlog", 0, "--messages", each, "--size", chosen.size, "--name", f"b{number}")
        say("filled", waiting=(number + 1) * each, msgs_per_s=result["msgs_per_s"], confirm_p99_ms=result["confirm_p99_ms"],
            resident_mib=bus.resident(), disk_mib=bus.disk())
    bus.kill()
    say("killed and started", ready_ms=bus.start(), resident_mib=bus.resident())
    for number in range(chosen.steps):
        result = load(bus, "--consumers", 1, "--drain", each, "--prefetch", 1000, "--name", f"b{number}")
        say("drained", waiting=chosen.messages - (number + 1) * each, **checked(result), resident_mib=bus.resident(),
            disk_mib=bus.disk())


def checked(result):
    return {k: result[k] for k in ("msgs_per_s", "lost", "duplicates", "out_of_order", "server_cpu_us_per_msg")}


def selective(bus, chosen):
    bus.start()
    for keys, consumers in ((0, 1), (0, chosen.keys), (1, 1), (chosen.keys, chosen.keys)):
        name = f"s{keys}-{consumers}"
        # The same header for all, so that only the selectors differ.
        load(bus, "--consumers", 0, "--backlog", 0, "--messages", chosen.messages, "--size", chosen.size, "--name", name,
             "--keys", keys or chosen.keys)
        result = load(bus, "--consumers", consumers, "--drain", chosen.messages, "--prefetch", 100, "--name", name,
                      *(["--keys", keys] if keys else []))
        say("drained", consumers=consumers, selectors=keys, **checked(result), resident_mib=bus.resident())


def delayed(bus, chosen):
    bus.start()
    rate = 20_000
    delay = chosen.messages // rate + 20
    done = load(bus, "--consumers", 1, "--backlog", 0, "--messages", chosen.messages, "--rate", rate, "--size", chosen.size,
                "--delay", delay * 1000, "--drain-seconds", delay + 60, "--ack", "auto")
    say("came", waited_s=delay, offered_per_s=rate, early=done["early"], lost=done["lost"], duplicates=done["duplicates"],
        late_p50_ms=done["e2e_p50_ms"], late_p99_ms=done["e2e_p99_ms"], late_max_ms=done["e2e_max_ms"],
        resident_mib=bus.resident())


def stuck(bus, chosen):
    bus.start()
    with socket.create_connection(("127.0.0.1", bus.ports["stomp"])) as holder:
        queue = "/queue/k.7.0"
        holder.sendall(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:admin\npasscode:admin\n\n\0"
                       b"SEND\ndestination:" + queue.encode() + b"\npersistent:true\n\nstuck\0"
                       b"SUBSCRIBE\nid:0\nack:client-individual\nprefetch-count:1\ndestination:" + queue.encode() + b"\n\n\0")
        seen = b""
        while b"stuck" not in seen:
            seen += holder.recv(4096)
        most = 0
        for _ in range(chosen.steps):
            result = load(bus, "--messages", chosen.messages // chosen.steps, "--size", chosen.size, "--name", "k",
                          "--backlog", 20_000)
            most = max(most, bus.disk())
            say("passed", **checked(result), disk_mib=bus.disk())
        say("held one of", messages=chosen.messages, disk_most_mib=most)


def idle(bus, chosen):
    files = 2 * chosen.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(files, hard)), hard))
    bus.start()
    for number, connections in enumerate((0, chosen.connections) * 3):
        result = load(bus, "--connections-idle", connections, "--messages", chosen.messages, "--size", chosen.size, "--backlog", 4000,
                      "--name", f"i{number}")
        say("passed", idle_connections=connections, **checked(result), resident_most_mib=bus.resident("VmHWM"))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("scenario", nargs="?", default="backlog", choices=("backlog", "selective", "delayed", "stuck", "idle"))
    options.add_argument("--messages", type=int, default=None)
    options.add_argument("--keys", type=int, default=1000)
    options.add_argument("--connections", type=int, default=10_000)
    options.add_argument("--size", type=int, default=1024)
    options.add_argument("--memory", type=int, default=32 << 20, help="limits.memory-bytes-max")
    options.add_argument("--steps", type=int, default=5)
    options.add_argument("--directory", type=pathlib.Path, default=None)
    chosen = options.parse_args()
    chosen.messages = chosen.messages or {"backlog": 10_000_000, "idle": 200_000}.get(chosen.scenario, 1_000_000)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="busbar-backlog-", dir=chosen.directory))
    bus = Bus(directory, chosen.memory)
    try:
        globals()[chosen.scenario](bus, chosen)
        say("peak", resident_mib=bus.resident("VmHWM"))
    finally:
        bus.kill()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
