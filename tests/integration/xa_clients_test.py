"""Two-phase commit as a Java coordinator drives it: ActiveMQ's XA client, unchanged, over javax.transaction.xa."""
import json
import shutil
import subprocess
import tempfile
import unittest

from busbar_fixture import BUSBAR, Bus, clean_environment
from java_client import XA, Java


class Coordinator:
    """tests/integration/java/Xa.java: one step a line."""

    def __init__(self, test, bus, failover=False):
        url, options = f"tcp://127.0.0.1:{bus.openwire_port}", "?jms.redeliveryPolicy.initialRedeliveryDelay=0"
        if failover:
            url, options = f"failover:({url})", options + "&initialReconnectDelay=20&useExponentialBackOff=false"
        url += options
        self.process = subprocess.Popen(Java.command("Xa", url, "admin", "secret"), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        for end in (self.process.stdin.close, self.process.stdout.close, self.process.wait, self.process.kill):
            test.addCleanup(end)
        test.assertEqual("ready", self.process.stdout.readline().strip())

    def __call__(self, line):
        self.tell(line)
        return self.answer()

    def tell(self, line):
        self.process.stdin.write(line + "\n")

    def answer(self):
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.kill()
        self.process.wait()


class TwoPhaseTest(unittest.TestCase):
    def setUp(self):
        self.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(self.bus.close)
        self.bus.start()

    def put(self, *texts):
        for text in texts:
            status, _, body = self.bus.http("POST", "/queues/xa.in/messages", text.encode(),
                                            {"Content-Type": "text/plain"})
            self.assertEqual(201, status, body)

    def queue(self, name):
        status, _, body = self.bus.http("GET", f"/api/v1/queues/{name}")
        return json.loads(body) if status == 200 else {"depth": 0, "held": 0, "prepared": 0}

    def busbar(self, *arguments):
        return subprocess.run([BUSBAR, *arguments, "--url", self.bus.url], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30,
                              env=clean_environment({"BUSBAR_PASSWORD": "secret"}))

    def branches(self):
        return json.loads(self.busbar("tx", "list", "--json").stdout)["transactions"]

    def test_both_phases_on_one_connection(self):
        self.put("a")
        xa = Coordinator(self, self.bus)
        self.assertEqual("took a (delivery 1)", xa("work t1"))
        self.assertEqual("prepared 0", xa("prepare t1"))
        self.assertEqual("nothing", xa("receive xa.out"))
        self.assertEqual("prepared t1", xa("recover"))
        self.assertEqual("done", xa("commit t1"))
        self.assertEqual("prepared", xa("recover"))
        self.assertEqual("invoice of a", xa("receive xa.out"))
        self.assertEqual("xa -4", xa("commit t1"))
        self.assertEqual((0, 0), (self.queue("xa.in")["depth"], self.queue("xa.in")["prepared"]))

    def test_rolled_back_it_is_delivered_again_by_the_client(self):
        self.put("a")
        xa = Coordinator(self, self.bus)
        self.assertEqual("took a (delivery 1)", xa("work t1"))
        self.assertEqual("prepared 0", xa("prepare t1"))
        self.assertEqual("done", xa("rollback t1"))
        self.assertEqual("took a (delivery 2)", xa("work t2"))
        self.assertEqual("prepared 0", xa("prepare t2"))
        self.assertEqual("done", xa("commit t2"))
        self.assertEqual("invoice of a", xa("receive xa.out"))
        self.assertEqual(0, self.queue("xa.in")["depth"])

    def test_suspended_work_and_empty_branches(self):
        xa = Coordinator(self, self.bus)
        self.assertEqual("done", xa("suspended t1"))
        self.assertEqual("outside", xa("receive xa.out"))
        self.assertEqual("done", xa("one t1"))
        self.assertEqual("1,2", xa("receive xa.out"))
        self.assertEqual("done", xa("empty t2"))
        self.assertEqual("prepared 3", xa("prepare t2"))
        for step in ("commit", "rollback", "forget"):
            self.assertEqual("xa -4", xa(step + " t3"), step)

    def test_prepared_survives_kill_and_is_committed_once(self):
        self.put("a")
        first = Coordinator(self, self.bus)
        first("work t1")
        self.assertEqual("prepared 0", first("prepare t1"))
        for _ in range(2):
            self.bus.kill9()
            self.bus.start()
            self.assertEqual((1, 0), (self.queue("xa.in")["held"], self.queue("xa.out")["depth"]))
        second = Coordinator(self, self.bus)
        self.assertEqual("prepared t1", second("recover"))
        self.assertEqual("nothing", second("receive xa.in"))
        self.assertEqual("nothing", second("receive xa.out"))
        self.assertEqual("done", second("commit t1"))
        self.bus.kill9()
        self.bus.start()
        third = Coordinator(self, self.bus)
        self.assertEqual("prepared", third("recover"))
        self.assertEqual("xa -4", third("commit t1"))
        self.assertEqual("nothing", third("receive xa.in"))
        self.assertEqual("invoice of a", third("receive xa.out"))

    def test_prepared_survives_kill_and_is_rolled_back(self):
        self.put("a")
        first = Coordinator(self, self.bus)
        first("work t1")
        self.assertEqual("prepared 0", first("prepare t1"))
        self.bus.kill9()
        self.bus.start()
        second = Coordinator(self, self.bus)
        self.assertEqual("prepared t1", second("recover"))
        self.assertEqual("done", second("rollback t1"))
        self.assertEqual("a again", second("receive xa.in"))
        self.assertEqual("nothing", second("receive xa.out"))

    def test_large_bodies_are_kept_until_the_decision(self):
        first = Coordinator(self, self.bus)
        for name in ("t1", "t2"):
            self.assertEqual("done", first("large " + name))
            self.assertEqual("prepared 0", first("prepare " + name))
        bodies = self.bus.data / "journal"
        self.assertEqual(2, len(list(bodies.glob("*.body"))))
        self.bus.kill9()
        self.bus.start()
        second = Coordinator(self, self.bus)
        self.assertEqual("done", second("commit t1"))
        self.assertEqual("done", second("rollback t2"))
        self.assertEqual("5242880 characters", second("receive xa.out"))
        self.assertEqual(0, self.bus.terminate(), self.bus.log()[-3000:])
        self.bus.start()
        self.assertEqual([], list(bodies.glob("*.body")))

    def test_what_was_not_prepared_is_rolled_back_with_its_connection(self):
        self.put("a")
        first = Coordinator(self, self.bus)
        self.assertEqual("took a (delivery 1)", first("work t1"))
        first.end()
        second = Coordinator(self, self.bus)
        self.assertEqual("prepared", second("recover"))
        self.assertEqual("a again", second("receive xa.in"))
        self.assertEqual("nothing", second("receive xa.out"))

    def test_a_prepared_branch_outlives_its_connection(self):
        self.put("a", "b")
        first = Coordinator(self, self.bus)
        first("work t1")
        self.assertEqual("prepared 0", first("prepare t1"))
        first.end()
        second = Coordinator(self, self.bus)
        self.assertTrue(second("work t2").startswith("took b "))
        self.assertEqual("prepared 0", second("prepare t2"))
        self.assertEqual("prepared t1,t2", second("recover"))
        self.assertEqual("done", second("commit t2"))
        self.assertEqual("done", second("commit t1"))
        self.assertEqual("invoice of a,invoice of b", second("receive xa.out"))

    def test_an_operator_decides_and_the_coordinator_is_told(self):
        self.put("a", "b")
        xa = Coordinator(self, self.bus)
        for number in (1, 2):
            xa(f"work t{number}")
            self.assertEqual("prepared 0", xa(f"prepare t{number}"))
        branches = self.branches()
        self.assertEqual(["t1", "t2"], [one["global"] for one in branches])
        self.assertEqual("4711:7431:0102", branches[0]["id"])
        self.assertEqual(("prepared", "admin", 1, 1),
                         tuple(branches[0][key] for key in ("state", "user", "messages", "acknowledgements")))
        refused = self.busbar("queue", "delete", "xa.out", "--yes")
        self.assertEqual(1, refused.returncode, refused.stdout)
        self.assertIn("in transactions", refused.stdout)
        self.assertEqual(2, self.busbar("tx", "commit", branches[0]["id"]).returncode)
        done = self.busbar("tx", "commit", branches[0]["id"], "--yes")
        self.assertEqual((0, "4711:7431:0102 is committed\n"), (done.returncode, done.stdout))
        self.assertEqual(0, self.busbar("tx", "rollback", branches[1]["id"], "--yes").returncode)
        self.bus.kill9()
        self.bus.start()
        again = Coordinator(self, self.bus)
        self.assertEqual("xa 7", again("rollback t1"))  # XA_HEURCOM
        self.assertEqual("xa 6", again("commit t2"))  # XA_HEURRB
        self.assertEqual("invoice of a", again("receive xa.out"))
        self.assertEqual("b again", again("receive xa.in"))
        self.assertEqual(["committed", "rolled-back"], [one["state"] for one in self.branches()])
        self.assertIn("4711:7431:0102", self.busbar("tx", "list").stdout)
        self.assertEqual("done", again("forget t1"))
        self.assertEqual(0, self.busbar("tx", "forget", branches[1]["id"]).returncode)
        self.assertEqual([], self.branches())
        self.assertIn("no transaction", self.busbar("tx", "commit", branches[0]["id"], "--yes").stdout)

    def test_a_failover_client_prepares_over_a_kill(self):
        """The answer to prepare may be lost with the bus; the client plays its branch back, and it is done once."""
        count = 6
        self.put(*(str(i) for i in range(count)))
        xa = Coordinator(self, self.bus, failover=True)
        done, steps = 0, []
        for i in range(count):
            took = xa(f"work t{i}")
            self.assertTrue(took.startswith("took "), took)
            xa.tell(f"prepare t{i}")
            if i % 2:
                self.bus.kill9()
                self.bus.start()
            answer = xa.answer()
            steps += [took, answer]
            if answer == "prepared 0":
                self.assertEqual("done", xa(f"commit t{i}"))
                done += 1
            else:
                self.assertTrue(answer.startswith("xa "), answer)
        self.assertGreaterEqual(done, count // 2)
        xa.end()
        other = Coordinator(self, self.bus)
        for name in filter(None, other("recover").removeprefix("prepared").strip().split(",")):
            self.assertEqual("done", other("rollback " + name))
        invoices = other("receive xa.out").split(",")
        rest = other("receive xa.in")
        left = [] if rest == "nothing" else [one.split(" ")[0] for one in rest.split(",")]
        self.assertEqual([str(i) for i in range(count)],
                         sorted([one.removeprefix("invoice of ") for one in invoices] + left),
                         (steps, invoices, left))


class TransactionManagerTest(unittest.TestCase):
    """Bitronix moves messages from one bus to another while both are killed in turn: each arrives once."""

    COUNT = 60

    def test_two_buses_and_kills(self):
        buses = []
        for _ in range(2):
            buses.append(Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}))
            self.addCleanup(buses[-1].close)
            buses[-1].start()
        for i in range(self.COUNT):
            self.assertEqual(201, buses[0].http("POST", "/queues/bt.in/messages", str(i).encode(),
                                                {"Content-Type": "text/plain"})[0])
        directory = tempfile.mkdtemp(prefix="busbar-btm-")
        self.addCleanup(shutil.rmtree, directory, True)
        urls = [f"tcp://127.0.0.1:{bus.openwire_port}?jms.redeliveryPolicy.maximumRedeliveries=-1" for bus in buses]
        process = subprocess.Popen(Java.command("BitronixMove", directory, *urls, "admin", "secret", more=XA),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for end in (process.stdout.close, process.wait, process.kill):
            self.addCleanup(end)
        kills, lines = [(8, 0), (20, 1), (32, 0), (44, 1)], []
        for line in process.stdout:
            lines.append(line.strip())
            if kills and line.strip().isdigit() and int(line) >= kills[0][0]:
                bus = buses[kills.pop(0)[1]]
                bus.kill9()
                bus.start()
        self.assertEqual([], kills, lines[-5:])
        self.assertTrue(lines[-1].startswith("done "), lines[-5:])
        for bus in buses:  # nothing is in doubt: the manager has asked each
            status, _, body = bus.http("GET", "/api/v1/transactions")
            self.assertEqual((200, []), (status, json.loads(body)["transactions"]))
        other = Coordinator(self, buses[1])
        self.assertEqual(sorted(map(str, range(self.COUNT))), sorted(other("receive bt.out").split(",")))
        self.assertEqual(0, json.loads(buses[0].http("GET", "/api/v1/queues/bt.in")[2])["depth"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
