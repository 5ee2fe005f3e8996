#!/usr/bin/env python3
"""Measures Busbar beside the limit program and Debian's RabbitMQ and ActiveMQ, in one run, over STOMP on 127.0.0.1.

Each server runs alone, in a temporary directory on the same disk, in turn (A B C A B C ...); busbar-load drives it and
checks that every message arrived once. Prints medians and ratios. docs/benchmarks.md says what the rows mean.
"""
import argparse
import contextlib
import ctypes
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Row:
    """One kind of work: arguments of busbar-load, and which of its numbers count. `lower`: the smaller the better."""

    def __init__(self, name, title, arguments, metrics=(("msgs_per_s", "", False),), durable=False):
        self.name, self.title, self.arguments = name, title, arguments.split()
        self.metrics, self.durable = metrics, durable


RATE = ("msgs_per_s", "", False)
ROWS = [
    Row("durable-1x1", "durable, 1 producer, 1 consumer, msg/s", "--window 1000 --backlog 4000",
        (RATE, ("server_cpu_us_per_msg", "the same: server's processor time, us a message", True)), True),
    Row("durable-4x4-one", "durable, 4 and 4 on one queue, msg/s",
        "--producers 4 --consumers 4 --window 500 --backlog 4000", durable=True),
    Row("durable-4x4-four", "durable, 4 and 4 on four queues, msg/s",
        "--producers 4 --consumers 4 --queues 4 --window 500 --backlog 4000", durable=True),
    Row("sync-1", "each send waits, 1 connection, msg/s", "--window 1", durable=True),
    Row("sync-64", "each send waits, 64 connections, msg/s", "--producers 64 --window 1", durable=True),
    Row("offered-1000", "", "--rate 1000",
        (("confirm_p50_ms", "1 000 msg/s offered: confirm p50, ms", True),
         ("confirm_p99_ms", "1 000 msg/s offered: confirm p99, ms", True)), True),
    Row("transient-1x1", "not persistent, 1 and 1, msg/s", "--persistent 0 --ack auto --backlog 4000"),
    Row("topic-10", "topic to 10 subscribers, deliveries/s",
        "--topic --consumers 10 --persistent 0 --ack auto --backlog 1000"),
    Row("request-reply-1", "request-reply, 1 outstanding, round trips/s", "--request-reply 1 --persistent 0"),
    Row("request-reply-64", "request-reply, 64 outstanding, round trips/s", "--request-reply 64 --persistent 0"),
    Row("transaction-1", "consume + send in a transaction, 1 session, tx/s", "--transaction 1 --backlog 400", durable=True),
    Row("transaction-16", "consume + send in a transaction, 16 sessions, tx/s", "--transaction 16 --backlog 1000",
        durable=True),
]
START_ROWS = [("start_ms", "start to ready, ms", True), ("idle_rss_mib", "memory when idle, MiB", True)]


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def port_open(port):
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def http_ready(port):
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as peer:
        peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
        return b" 200 " in peer.recv(64)
    return False


def die_with_parent():
    """In the child: a killed run.py takes its servers along."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def family(pid):
    """`pid` and its descendants."""
    parents = {}
    for stat in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            text = open(stat).read()
            parents[int(stat.split("/")[2])] = int(text.rsplit(")", 1)[1].split()[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def rss_mib(pid):
    pages = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            pages += int(open(f"/proc/{member}/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


class Server:
    """A server program in a directory of its own. Subclasses say how it starts and when it is ready."""
    login, passcode = "admin", "bench"
    start_seconds = 60

    def __init__(self, options):
        self.options, self.process, self.helpers = options, None, []

    def missing(self):
        """Why it cannot run here; empty: it can."""
        return ""

    def command(self):
        raise NotImplementedError

    def prepare(self):
        pass

    def ready(self):
        return port_open(self.port)

    def environment(self):
        return {}

    def spawn(self, command, output):
        return subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                env={**os.environ, **self.environment()}, start_new_session=True, preexec_fn=die_with_parent)

    def start(self):
        self.directory = tempfile.mkdtemp(prefix="bench-", dir=self.options.work)
        os.chmod(self.directory, 0o755)
        self.output_path = os.path.join(self.directory, "output")
        self.prepare()
        began = time.monotonic()
        with open(self.output_path, "wb") as output:
            self.process = self.spawn(self.command(), output)
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > began + self.start_seconds:
                raise RuntimeError("did not start: " + open(self.output_path, errors="replace").read()[-600:])
            time.sleep(0.002)
        self.start_ms = (time.monotonic() - began) * 1000
        time.sleep(1)
        self.idle_rss_mib = rss_mib(self.process.pid)

    def stop(self):
        for process in filter(None, [self.process, *self.helpers]):
            for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience)
                    break
            with contextlib.suppress(ProcessLookupError):  # what the leader left in its session
                os.killpg(process.pid, signal.SIGKILL)
        self.process, self.helpers = None, []
        shutil.rmtree(self.directory, ignore_errors=True)

    def first_line(self):
        """The JSON line with ports that our own programs print; {} while it is not whole."""
        for line in open(self.output_path, errors="replace"):
            if line.startswith("{") and line.endswith("}\n"):
                with contextlib.suppress(ValueError):
                    return json.loads(line)
        return {}


class OwnServer(Server):
    program = ""

    def missing(self):
        path = os.path.join(self.options.build, "bin", self.program)
        return "" if os.access(path, os.X_OK) else f"{path} is not built"

    def command(self):
        return [os.path.join(self.options.build, "bin", self.program), *self.arguments]


class Busbar(OwnServer):
    program = "busbard"
    arguments = ["--data", "data", "--set", "stomp.port=0", "--set", "openwire.enabled=false", "--set", "amqp.enabled=false", "--set", "http.port=0"]

    def environment(self):
        return {"BUSBAR_ADMIN_PASSWORD": self.passcode}

    def ready(self):
        ports = self.first_line()
        self.port = ports.get("stomp", 0)
        return self.port and http_ready(ports["http"])


class Limit(OwnServer):
    program = "busbar-limit"
    arguments = ["--port", "0", "--data", "."]

    def ready(self):
        self.port = self.first_line().get("stomp", 0)
        return self.port and port_open(self.port)


class RabbitMq(Server):
    """Debian's package, classic queues. Node, cookie, epmd and all files are its own; everything listens on 127.0.0.1."""
    login = passcode = "guest"
    script = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    def missing(self):
        return "" if os.access(self.script, os.X_OK) and shutil.which("epmd") else "rabbitmq-server is not installed (bench/install-peers)"

    def prepare(self):
        self.port, amqp, self.epmd_port, self.dist_port = (free_port() for _ in range(4))
        with open(os.path.join(self.directory, "rabbitmq.conf"), "w") as conf:
            conf.write(f"listeners.tcp.local = {HOST}:{amqp}\nstomp.listeners.tcp.1 = {HOST}:{self.port}\n")
        with open(os.path.join(self.directory, "enabled_plugins"), "w") as plugins:
            plugins.write("[rabbitmq_stomp].\n")
        self.helpers = [self.spawn(["epmd", "-port", str(self.epmd_port), "-address", HOST], subprocess.DEVNULL)]

    def environment(self):
        inside = {"MNESIA_BASE": "mnesia", "LOG_BASE": "log", "ENABLED_PLUGINS_FILE": "enabled_plugins",
                  "CONFIG_FILE": "rabbitmq.conf", "PID_FILE": "pid", "CONF_ENV_FILE": "no-such-file",
                  "ADVANCED_CONFIG_FILE": "no-such-file", "GENERATED_CONFIG_DIR": "config"}
        return {**{"RABBITMQ_" + key: os.path.join(self.directory, value) for key, value in inside.items()},
                "HOME": self.directory, "RABBITMQ_NODENAME": "bench@localhost", "RABBITMQ_DIST_PORT": str(self.dist_port),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
                "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": HOST}

    def command(self):
        return [self.script]


class ActiveMq(Server):
    """Debian's package, KahaDB with its defaults (a sync before each confirm), Debian's heap of 512 MiB, no Nagle."""
    home = "/usr/share/activemq"
    config = """<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="bench" dataDirectory="{directory}/data">
    <persistenceAdapter><kahaDB directory="{directory}/data/kahadb"/></persistenceAdapter>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://{host}:{port}?transport.tcpNoDelay=true"/>
    </transportConnectors>
  </broker>
</beans>
"""

    def missing(self):
        installed = os.path.exists(self.home + "/bin/activemq.jar") and shutil.which("java")
        return "" if installed else "activemq is not installed (bench/install-peers)"

    def prepare(self):
        self.port = free_port()
        with open(os.path.join(self.directory, "activemq.xml"), "w") as conf:
            conf.write(self.config.format(directory=self.directory, host=HOST, port=self.port))

    def command(self):
        own = [f"-Dactivemq.{key}={self.directory}" for key in ("base", "conf", "data")]
        return ["java", "-Xms512M", "-Xmx512M", "-Dorg.apache.activemq.UseDedicatedTaskRunner=true",
                f"-Dactivemq.home={self.home}", *own, "-jar", self.home + "/bin/activemq.jar", "start",
                f"xbean:file:{self.directory}/activemq.xml"]


SERVERS = {"busbar": Busbar, "limit": Limit, "rabbitmq": RabbitMq, "activemq": ActiveMq}
QUORUM = "rabbitmq quorum"


def load(options, server, arguments, seconds):
    """One run of busbar-load: its JSON, with "exit" added."""
    command = [os.path.join(options.build, "bin", "busbar-load"), "--host", HOST, "--port", str(server.port), "--login", server.login,
               "--passcode", server.passcode, "--seconds", str(seconds), "--server-pid", str(server.process.pid), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, preexec_fn=die_with_parent)
    except subprocess.TimeoutExpired:
        return {"exit": 3, "error": "busbar-load did not end"}
    try:
        result = json.loads(done.stdout)
    except ValueError:
        result = {"error": done.stderr.strip()}
    return {**result, "exit": done.returncode}


def columns_of(peer):
    return [peer, QUORUM] if peer == "rabbitmq" else [peer]


def measure(options, peer, rows, results):
    """One life of one server: start time, memory, every row."""
    server = SERVERS[peer](options)
    try:
        server.start()
        for column in columns_of(peer):
            results.setdefault(column, [])
        results[peer].append({"row": "start", "start_ms": server.start_ms, "idle_rss_mib": server.idle_rss_mib, "exit": 0})
        if not options.smoke:
            load(options, server, ["--backlog", "2000"], 2)  # compilers at run time get their warm-up
        for row in rows:
            for column in columns_of(peer):
                if column == QUORUM and not row.durable:
                    continue
                quorum = ["--header", "x-queue-type:quorum"] if column == QUORUM else []
                result = {"row": row.name, **load(options, server, row.arguments + quorum, options.seconds)}
                results[column].append(result)
                note = "" if result["exit"] == 0 else "  " + trouble(result)
                print(f"{column:16} {row.name:18} {result.get('msgs_per_s', 0):>10}{note}", file=sys.stderr, flush=True)
    except RuntimeError as error:
        print(f"{peer}: {error}", file=sys.stderr)
        results.setdefault(peer, []).append({"row": "start", "exit": 3, "error": str(error)})
    finally:
        server.stop()


@contextlib.contextmanager
def held(path):
    """Holds the lock file `path`, if any."""
    with open(path or os.devnull, "a") as lock:
        if path:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def trouble(result):
    if result["exit"] == 1:
        return f"lost {result['lost']}, doubled {result['duplicates']}"
    return "failed: " + result.get("error", f"exit code {result['exit']}")


def median(results, column, row, metric):
    values = [r[metric] for r in results.get(column, []) if r["row"] == row and r["exit"] != 3 and metric in r]
    return statistics.median(values) if values else None


def show(value):
    if value is None:
        return "-"
    if value >= 10000:
        return f"{round(value, -2):,.0f}".replace(",", " ")
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def table(results, rows):
    columns = [c for c in ("busbar", "limit", "rabbitmq", QUORUM, "activemq") if c in results]
    peers = [c for c in columns if c not in ("busbar", "limit")]
    lines = ["| work | " + " | ".join(columns) + " | to the limit | to the best peer |", "|---" * (len(columns) + 3) + "|"]
    wanted = [(row.name, key, title or row.title, lower) for row in rows for key, title, lower in row.metrics]
    wanted += [("start", key, title, lower) for key, title, lower in START_ROWS]
    for row, key, title, lower in wanted:
        values = {c: median(results, c, row, key) for c in columns}
        others = [values[c] for c in peers if values[c]]
        best = (min if lower else max)(others) if others else None
        ours = values.get("busbar")

        def ratio(base):
            return f"{ours / base:.2f}x" if ours and base else "-"

        lines.append(f"| {title} | " + " | ".join(show(values[c]) for c in columns) + f" | {ratio(values.get('limit'))} | {ratio(best)} |")
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="build directory (default: build)")
    parser.add_argument("--peers", default="busbar,limit,rabbitmq,activemq", help="which servers, in this order")
    parser.add_argument("--only", default="", help="rows whose names contain one of these words, separated by commas")
    parser.add_argument("--seconds", type=float, default=3, help="of each run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="write all results to this file, after each round")
    parser.add_argument("--work", help="where the servers' directories go (default: the build directory, not a memory disk)")
    parser.add_argument("--lock", help="hold this lock file during each round, on machines shared with builds")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--smoke", action="store_true", help="a moment of every row against the limit program; fails on any loss")
    options = parser.parse_args()
    if options.smoke:
        options.peers, options.seconds, options.repeats = "limit", 0.15, 1
    options.work = os.path.abspath(options.work or options.build)
    options.build = os.path.abspath(options.build)
    return options


def main():
    options = parse()
    words = [w for w in options.only.split(",") if w]
    rows = [r for r in ROWS if not words or any(w in r.name for w in words)]
    if options.list:
        print("\n".join(r.name for r in rows))
        return 0
    unknown = [p for p in options.peers.split(",") if p not in SERVERS]
    if unknown or not rows:
        print(f"unknown: {' '.join(unknown) or options.only}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally clauses
    peers = []
    for peer in options.peers.split(","):
        why = SERVERS[peer](options).missing()
        if why:
            print(f"{peer}: skipped, {why}", file=sys.stderr)
        else:
            peers.append(peer)
    results = {}
    for _ in range(options.repeats):
        with held(options.lock):
            for peer in peers:
                measure(options, peer, rows, results)
        if options.json:
            with open(options.json, "w") as out:
                json.dump({"seconds": options.seconds, "repeats": options.repeats, "results": results}, out, indent=1)
    print(table(results, rows))
    bad = [(c, r) for c, all_of in results.items() for r in all_of if r["exit"] != 0]
    for column, result in bad:
        print(f"{column}, {result['row']}: {trouble(result)}")
    return 1 if not peers or any(column in ("busbar", "limit") for column, _ in bad) else 0


if __name__ == "__main__":
    sys.exit(main())
