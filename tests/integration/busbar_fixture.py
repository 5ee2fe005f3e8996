"""A busbard of its own for a test: its own data directory, free ports, and a way to kill it.

    with Bus(settings=["queue-defaults.deliveries-max=3"]) as bus:
        bus.start()
        status, headers, body = bus.http("POST", "/queues/q/messages", b"hello")
        bus.kill9()
        bus.restart()          # same data, same ports, so clients can reconnect

The programs come from the environment: BUSBARD and BUSBAR, else build/bin/ of this tree.
"""

import base64
import http.client
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSBARD = os.environ.get("BUSBARD", str(ROOT / "build" / "bin" / "busbard"))
BUSBAR = os.environ.get("BUSBAR", str(ROOT / "build" / "bin" / "busbar"))
# What a developer's shell may have set must not reach the programs under test.
FOREIGN = ("BUSBAR_DATA", "BUSBAR_ADMIN_PASSWORD", "BUSBAR_PASSWORD", "BUSBAR_NEW_PASSWORD",
           "BUSBAR_STOMP_PORT", "BUSBAR_HTTP_PORT", "BUSBAR_AMQP_PORT", "BUSBAR_OPENWIRE_PORT")


def clean_environment(extra=None):
    """This process's environment without Busbar's variables, plus `extra`."""
    environment = {k: v for k, v in os.environ.items() if k not in FOREIGN}
    environment.update(extra or {})
    return environment


def allow_open_files(wanted):
    """Raises this process's limit, which its children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise unittest.SkipTest(f"{wanted} open files are needed, the hard limit is {hard}: run it with `ulimit -Hn {wanted}`")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class BusError(Exception):
    """The bus did not start, or did not end in time; the text has the end of its log."""


class Bus:
    """One bus over any number of starts. Everything of it lives below `directory`, which is removed
    by close() where the fixture made it.

    config    path of a configuration file, or its XML text
    settings  ["KEY=VALUE"]: --set
    env       more environment variables, such as BUSBAR_ADMIN_PASSWORD
    """

    def __init__(self, config=None, settings=(), env=None, directory=None):
        self._own = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="busbar-test-"))
        self.data = self.directory / "data"
        self.settings = list(settings)
        self.env = dict(env or {})
        self.config = None
        if config is not None:
            if str(config).lstrip().startswith("<"):
                self.config = self.directory / "busbar.xml"
                self.config.write_text(str(config))
            else:
                self.config = pathlib.Path(config)
        self.process = None
        self.ports = {}
        self._log = self.directory / "busbard.log"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- life ----

    def start(self, timeout=30, ready=True):
        """Starts it and returns the ports once it listens (and, with `ready`, once /readyz says so).
        Later starts use the ports of the first one."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        command = [BUSBARD, "--data", str(self.data)]
        if self.config:
            command += ["--config", str(self.config)]
        for name in ("stomp", "amqp", "openwire", "http"):
            command += ["--set", f"{name}.port={self.ports.get(name, 0)}"]
        for setting in self.settings:
            command += ["--set", setting]
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                            env=clean_environment(self.env), start_new_session=True)
        deadline = time.monotonic() + timeout
        line = self._first_line(deadline)
        try:
            self.ports = json.loads(line)
        except ValueError:
            self.kill9()
            raise BusError(f"busbard printed {line!r} instead of its ports\n{self.log()[-3000:]}") from None
        if ready and "http" in self.ports:
            self.wait_ready(deadline)
        return self.ports

    def kill9(self):
        """SIGKILL, at once: what a power switch does to the process."""
        return self._end(signal.SIGKILL, 10)

    def terminate(self, timeout=20):
        """SIGTERM; returns the exit code (0 after an orderly end)."""
        return self._end(signal.SIGTERM, timeout)

    def restart(self, timeout=30):
        """Ends it in an orderly way where it still runs, then starts it on the same data and ports."""
        if self.running():
            self.terminate()
        return self.start(timeout)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        """Kills what runs and removes what the fixture made."""
        if self.running():
            self.kill9()
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)

    # ---- what tests ask ----

    @property
    def stomp_port(self):
        return self.ports["stomp"]

    @property
    def openwire_port(self):
        return self.ports["openwire"]

    @property
    def amqp_port(self):
        return self.ports["amqp"]

    @property
    def http_port(self):
        return self.ports["http"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def password(self):
        """The password of admin."""
        return self.env.get("BUSBAR_ADMIN_PASSWORD") or (self.data / "admin.password").read_text().strip()

    def log(self):
        """What all starts so far wrote to standard error."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def http(self, method, path, body=None, headers=None, login=True, timeout=30):
        """One request as admin: (status, headers, body as bytes)."""
        headers = dict(headers or {})
        if login:
            token = base64.b64encode(f"admin:{self.password}".encode()).decode()
            headers.setdefault("Authorization", "Basic " + token)
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def wait_ready(self, deadline):
        while time.monotonic() < deadline:
            try:
                if self.http("GET", "/readyz", login=False)[0] == 200:
                    return
            except OSError:
                if not self.running():
                    break
            time.sleep(0.01)
        raise BusError(f"busbard is not ready\n{self.log()[-3000:]}")

    # ---- private ----

    def _first_line(self, deadline):
        line = b""
        while not line.endswith(b"\n") and time.monotonic() < deadline:
            readable, _, _ = select.select([self.process.stdout], [], [], 0.2)
            if readable:
                piece = os.read(self.process.stdout.fileno(), 4096)
                if not piece:
                    break
                line += piece
        return line.decode(errors="replace").strip()

    def _end(self, number, timeout):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BusError(f"busbard did not end within {timeout} s\n{self.log()[-3000:]}") from None
        finally:
            self.process.stdout.close()
        return code
