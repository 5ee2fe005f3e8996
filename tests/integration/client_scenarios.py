"""What every client must get through, whatever its language and protocol: one test a scenario, each with a bus of its own.

    class RheaTest(Scenarios, unittest.TestCase):
        def command(self):
            return ["node", "rhea_client.mjs", str(self.bus.amqp_port)]
        test_transactions = None    # the client has none

The program is called with the names of scenarios after its command. It prints "ok" at the end and exits with 0, or says what is wrong. On the
way it may print "kill": then the bus gets SIGKILL and is started again on the same data and ports, while the program goes on.
docs/protocols/README.md has the table of clients and scenarios.
"""
import subprocess
import tempfile
import threading

from busbar_fixture import Bus, allow_open_files


class Scenarios:
    TIMEOUT = 150  # seconds for a program, on a busy machine

    def command(self):
        raise NotImplementedError

    def perform(self, *scenarios, settings=()):
        self.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}, settings=settings)
        self.addCleanup(self.bus.close)
        self.bus.start()
        with tempfile.TemporaryFile("w+") as errors:
            program = subprocess.Popen([*self.command(), *scenarios], stdout=subprocess.PIPE, stderr=errors, text=True)
            late = threading.Timer(self.TIMEOUT, program.kill)
            late.start()
            with program:
                lines = [self.obey(line.strip()) for line in program.stdout]
            late.cancel()
            errors.seek(0)
            self.assertEqual((0, "ok"), (program.returncode, lines[-1] if lines else ""),
                             f"{lines[-20:]}\n{errors.read()[-3000:]}\n{self.bus.log()[-2000:]}")
        return lines

    def obey(self, line):
        if line == "kill":
            self.bus.kill9()
            self.bus.start()
        return line

    def test_login(self):
        """A wrong password is refused with the reason, the right one is not."""
        self.perform("login")

    def test_send_receive(self):
        """Confirmed sends with header fields; text and bytes; in order."""
        self.perform("sendReceive")

    def test_acknowledgements(self):
        """Every mode or outcome that the client has."""
        self.perform("acknowledgements")

    def test_transactions(self):
        """Sends (and acknowledgements) at commit, and never after a rollback."""
        self.perform("transactions")

    def test_selector(self):
        """What is selected comes, the rest stays for another consumer."""
        self.perform("selector")

    def test_durable_subscription(self):
        """What was published meanwhile comes when the subscriber is back."""
        self.perform("durable")

    def test_temporary_queue(self):
        """A reply over a temporary queue, sent by another connection."""
        self.perform("requestReply")

    def test_large_message(self):
        self.perform("large")

    def test_idle(self):
        """Nothing is said for several times the time after which either side would end the connection; its heart-beats keep it."""
        self.perform("idle", settings=["amqp.idle-timeout-ms=2000"])

    def test_reconnect_after_kill(self):
        """The client comes back by itself while it sends: all that was confirmed is there, and twice only what was sent twice."""
        lines = self.perform("reconnect")
        self.assertIn("kill", lines)

    def test_thousand_connections(self):
        """Each sends a message to a queue of its own and gets it, while all are open."""
        allow_open_files(4000)
        self.assertIn("1000 served", self.perform("thousand"))
