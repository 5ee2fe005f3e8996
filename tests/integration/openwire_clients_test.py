"""ActiveMQ's own Java client (Debian's libactivemq-java), unchanged: tests/integration/java."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from busbar_fixture import Bus
from java_client import SPRING, Java


class FreezingProxy:
    """Passes bytes on until told to freeze: then its connections stay open and silent, new ones are passed on."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open, self.frozen = [], set()
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self.frozen.update(self.open)

    def close(self):
        for one in [self.listener, *self.open]:
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.open += [client, server]
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        try:
            while data := a.recv(65536):
                if a not in self.frozen:
                    b.sendall(data)
            if a not in self.frozen:
                b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class CatalogueTest(unittest.TestCase):
    """What JMS 1.1 promises, case by case: each line of the programme's output is one."""

    def test_the_catalogue_holds(self):
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            run = subprocess.run(Java.command("Catalogue", f"tcp://127.0.0.1:{bus.openwire_port}", "admin", "secret"),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
            lines = [line.split("\t") for line in run.stdout.splitlines()]
            answers = {line[0]: line[1:] for line in lines if len(line) > 1}
            self.assertGreater(len(answers), 60, run.stdout)
            for name, answer in answers.items():
                with self.subTest(name):
                    self.assertEqual("ok", answer[0], "\t".join(answer))
            self.assertEqual(0, run.returncode, run.stdout[-3000:] + bus.log()[-3000:])
            self.assertEqual(0, bus.terminate(), bus.log()[-3000:])


    def test_spring_sends_listens_and_replies(self):
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            url = f"tcp://127.0.0.1:{bus.openwire_port}"
            run = subprocess.run(Java.command("SpringCases", url, "admin", "secret", more=SPRING),
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120)
            # 200 messages by three consumers, each once; one failed first and came again
            self.assertEqual(["template hello", "container true 200 200 2", "exchange re: ask"],
                             run.stdout.splitlines())

    def test_spring_in_every_mode_and_through_a_kill(self):
        """In auto and dups-ok modes Spring's container has acknowledged before its listener fails: there nothing comes again."""
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            url = f"tcp://127.0.0.1:{bus.openwire_port}"
            run = subprocess.Popen(Java.command("SpringModes", url, "admin", "secret", more=SPRING), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
            late = threading.Timer(200, run.kill)
            late.start()
            lines = []
            with run:
                for line in run.stdout:
                    lines.append(line.strip())
                    if lines[-1] == "kill":
                        bus.kill9()
                        bus.start()
            late.cancel()
            self.assertEqual(["login refused true", "auto, end", "dupsOk, end", "client, fails once again, end",
                              "transacted, fails once again, end", "selector 2 1 3", "rest 0", "durable meanwhile", "large true",
                              "kill", "reconnect before kept after true", "ok"], lines, bus.log()[-2000:])

    def test_two_protocols_meet(self):
        """What JMS sends HTTP gets, and the other way round, with types and ids kept."""
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            self.assertEqual(201, bus.http("POST", "/queues/failover/messages", b"0",
                                           {"Content-Type": "text/plain"})[0])
            url = f"tcp://127.0.0.1:{bus.openwire_port}"
            run = subprocess.run(Java.command("Failover", "receive", url, "admin", "secret", 1),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            self.assertIn("done received 1 twice 0", run.stdout)
            subprocess.run(Java.command("Failover", "send", url, "admin", "secret", 1), check=True,
                           stdout=subprocess.DEVNULL, timeout=60)
            status, _, body = bus.http("GET", "/queues/failover/messages?max=1")
            self.assertEqual(200, status)
            self.assertIn(b'"0"', body)


class PeerTest(unittest.TestCase):
    """The same catalogue against Debian's ActiveMQ: where do the two differ? docs/protocols/openwire.md says it."""
    # ActiveMQ keeps no priorities by default, misses what a composite consumer's topic gets, takes any name.
    DIFFERENT = {"priorities", "compositeConsumer", "properties", "temporaryDeleted", "badName", "toAdvisory"}
    CONFIG = """<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="peer" dataDirectory="{directory}/data"
          schedulerSupport="true">
    <plugins><simpleAuthenticationPlugin><users>
      <authenticationUser username="admin" password="secret" groups="admins"/>
    </users></simpleAuthenticationPlugin></plugins>
    <transportConnectors><transportConnector name="openwire" uri="tcp://127.0.0.1:{port}"/></transportConnectors>
  </broker>
</beans>
"""
    HOME = "/usr/share/activemq"

    @staticmethod
    def answers(port):
        run = subprocess.run(Java.command("Catalogue", f"tcp://127.0.0.1:{port}", "admin", "secret"),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=240)
        return dict(line.split("\t", 1) for line in run.stdout.splitlines() if "\t" in line)

    def start_peer(self):
        directory = tempfile.mkdtemp(prefix="busbar-peer-")
        self.addCleanup(shutil.rmtree, directory, True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (pathlib.Path(directory) / "activemq.xml").write_text(self.CONFIG.format(directory=directory, port=port))
        own = [f"-Dactivemq.{key}={directory}" for key in ("base", "conf", "data")]
        peer = subprocess.Popen(["java", "-Xmx512M", f"-Dactivemq.home={self.HOME}", *own, "-jar",
                                 self.HOME + "/bin/activemq.jar", "start", f"xbean:file:{directory}/activemq.xml"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(peer.wait)
        self.addCleanup(peer.kill)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the peer did not start")

    @unittest.skipUnless(os.environ.get("BUSBAR_COMPARE") and os.path.exists(HOME + "/bin/activemq.jar"),
                         "BUSBAR_COMPARE is not set, or activemq is not installed")
    def test_only_the_known_answers_differ(self):
        theirs = self.answers(self.start_peer())
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            ours = self.answers(bus.openwire_port)
        self.assertEqual(theirs.keys(), ours.keys())
        different = {name for name in ours if ours[name] != theirs[name]}
        self.assertEqual(self.DIFFERENT, different, {name: (theirs[name], ours[name]) for name in different})


class FailoverTest(unittest.TestCase):
    """failover: while the bus is killed (SIGKILL) and started again on the same port."""

    def setUp(self):
        self.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(self.bus.close)
        self.bus.start()

    def start(self, what, count, *more, port=None, options=""):
        url = (f"failover:(tcp://127.0.0.1:{port or self.bus.openwire_port}{options})"
               "?initialReconnectDelay=20&useExponentialBackOff=false")
        process = subprocess.Popen(Java.command("Failover", what, url, "admin", "secret", count, *more),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def finish(self, process, kills=()):
        """Reads on to the end, killing the bus where a number of `kills` was passed."""
        kills, lines = list(kills), []
        for line in process.stdout:
            lines.append(line.strip())
            if kills and line.strip().isdigit() and int(line) >= kills[0]:
                kills.pop(0)
                self.bus.kill9()
                self.bus.start()
        self.assertEqual([], kills, lines)
        self.assertEqual(0, process.wait(), lines)
        self.assertTrue(lines[-1].startswith("done "), lines[-20:])
        return lines[-1][5:]

    def test_sends_are_stored_once(self):
        count = 1000
        self.assertEqual(f"sent {count}", self.finish(self.start("send", count), kills=(100, 400, 700)))
        self.assertEqual(f"received {count} twice 0 order 0 more false", self.finish(self.start("receive", count)))

    def test_a_client_whose_line_went_dead_takes_its_session_over(self):
        """The bus still has the old connection, under the same client id, when the client is back."""
        proxy = FreezingProxy(self.bus.openwire_port)
        self.addCleanup(proxy.close)
        count = 300
        sender = self.start("send", count, port=proxy.port, options="?wireFormat.maxInactivityDuration=2000")
        frozen, lines = False, []
        for line in sender.stdout:
            lines.append(line.strip())
            if line.strip() == "100" and not frozen:
                frozen = True
                proxy.freeze()
        self.assertEqual(f"done sent {count}", lines[-1], lines)
        self.assertTrue(frozen)
        self.assertEqual(f"received {count} twice 0 order 0 more false", self.finish(self.start("receive", count)))

    def test_nothing_is_received_twice_or_lost(self):
        count = 1000
        self.finish(self.start("send", count))
        found = self.finish(self.start("receive", count), kills=(100, 400, 700))
        self.assertEqual(f"received {count} twice 0", " ".join(found.split()[:4]), found)
        self.assertTrue(found.endswith("more false"), found)

    def test_transactions_move_each_message_once(self):
        count = 600
        self.finish(self.start("send", count))
        self.finish(self.start("move", count), kills=(50, 200, 350))
        found = self.finish(self.start("receive", count, "moved"))
        self.assertEqual(f"received {count} twice 0", " ".join(found.split()[:4]), found)


if __name__ == "__main__":
    unittest.main(verbosity=2)
