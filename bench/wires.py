#!/usr/bin/env python3
"""The same durable work over STOMP, AMQP 1.0 and OpenWire: one producer, one consumer, 1 KiB, each message confirmed after the sync and
acknowledged. STOMP by busbar-load, AMQP by Proton's C++ client, OpenWire by ActiveMQ's Java client, which also drives ActiveMQ itself.
Prints, for each: messages a second, and processor time of the server a message. Clients differ in what they cost and in how much they
send at a time, and work that comes in small portions costs more, so STOMP is also run at the rate of each of the others: the last column
compares the wires."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import run

JARS = ":".join(f"/usr/share/java/{name}.jar" for name in (
    "activemq-client", "geronimo-jms_1.1_spec", "geronimo-j2ee-management-1.1-spec", "hawtbuf", "slf4j-api", "slf4j-nop"))


class Busbar(run.Busbar):
    arguments = ["--data", "data"] + [word for wire in ("stomp", "openwire", "amqp", "http") for word in ("--set", f"{wire}.port=0")]

    def ready(self):
        self.ports = self.first_line()
        return super().ready()


class ActiveMq(run.ActiveMq):
    config = run.ActiveMq.config.replace('name="stomp" uri="stomp://{host}:{port}?transport.tcpNoDelay=true"',
                                         'name="openwire" uri="tcp://{host}:{port}"')

    def ready(self):
        self.ports = {"openwire": self.port}
        return super().ready()


def cpu_seconds(pid):
    total = 0
    for member in run.family(pid):
        fields = open(f"/proc/{member}/stat").read().rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def drive(server, command):
    before = cpu_seconds(server.process.pid)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    used = cpu_seconds(server.process.pid) - before
    try:
        result = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise SystemExit(f"{command[0]}: {done.stdout[-500:]}{done.stderr[-500:]}") from None
    if done.returncode:
        raise SystemExit(f"{command[0]}: lost, doubled or out of order: {result}")
    return result["msgs_per_s"], used * 1e6 / result["received"]


def at_rate(options, server, rate):
    """The same over STOMP, offered at this rate."""
    return [f"{options.build}/bin/busbar-load", "--port", str(server.ports["stomp"]), "--passcode", server.passcode, "--messages",
            str(options.messages // 2), "--name", "r", "--rate", str(round(rate)), "--drain-seconds", "30"]


def commands(options, server, classes):
    port, secret = server.ports, server.passcode
    tools = os.path.join(options.build, "bin")
    count = str(options.messages)
    out = {}
    if "stomp" in port:
        out["STOMP"] = [f"{tools}/busbar-load", "--port", str(port["stomp"]), "--passcode", secret, "--messages", count, "--name", "s",
                        "--window", "1000", "--backlog", "4000"]
    if "amqp" in port:
        out["AMQP"] = [f"{tools}/busbar-amqp-load", str(port["amqp"]), server.login, secret, "a", count]
    out["OpenWire"] = ["java", "-Xmx512m", "-cp", classes + ":" + JARS, "OpenWireLoad", f"tcp://127.0.0.1:{port['openwire']}",
                       server.login, secret, "o", count, "1024"]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(run.ROOT, "build"))
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--peer-messages", type=int, default=10_000, help="for ActiveMQ, which is slower")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default="busbar,activemq")
    options = parser.parse_args()
    options.work = options.build
    classes = tempfile.mkdtemp(prefix="bench-java-")
    rows = {}
    try:
        subprocess.run(["javac", "-nowarn", "-d", classes, "-cp", JARS, os.path.join(run.ROOT, "bench", "OpenWireLoad.java")], check=True)
        for _ in range(options.repeats):
            for name, kind in (("busbar", Busbar), ("activemq", ActiveMq)):
                if name not in options.peers.split(","):
                    continue
                server = kind(options)
                if server.missing():
                    print(server.missing(), file=sys.stderr)
                    continue
                messages = options.messages
                if name == "activemq":
                    options.messages = options.peer_messages
                server.start()
                try:
                    for wire, command in commands(options, server, classes).items():
                        rate, cost = drive(server, command)
                        beside = drive(server, at_rate(options, server, rate))[1] if "stomp" in server.ports and wire != "STOMP" else 0
                        rows.setdefault((name, wire), []).append((rate, cost, beside))
                        print(name, wire, rows[name, wire][-1], file=sys.stderr)
                finally:
                    server.stop()
                    options.messages = messages
    finally:
        shutil.rmtree(classes, ignore_errors=True)
    print("| server | wire | msg/s | server's processor time, µs a message | the same over STOMP at that rate | times |\n|---|---|---|---|---|---|")
    for (name, wire), runs in rows.items():
        rate, cost, beside = (run.statistics.median(column) for column in zip(*runs))
        ratio = f"{beside:.1f} | {cost / beside:.2f}" if beside else "- | -"
        print(f"| {name} | {wire} | {rate:,.0f} | {cost:.1f} | {ratio} |".replace(",", " "))


if __name__ == "__main__":
    main()
