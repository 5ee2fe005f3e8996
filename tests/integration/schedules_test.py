"""Recurring schedules against the real daemon: by stomp.py, Qpid Proton, HTTP and busbar; over kill -9 and a time of rest.

(By ActiveMQ's Java client: the cases repeats, periodAlone and badCron of the catalogue, openwire_clients_test.py.)
"""
import base64
import json
import queue
import random
import subprocess
import threading
import time
import unittest

import stomp
from busbar_fixture import BUSBAR, Bus, clean_environment
from proton import Message, symbol
from proton.utils import BlockingConnection, SendException
from stomp_wire import Wire


class Ear(stomp.ConnectionListener):
    def __init__(self):
        self.messages, self.errors, self.receipts = queue.Queue(), queue.Queue(), queue.Queue()

    def on_message(self, frame):
        self.messages.put((time.time(), frame))

    def on_error(self, frame):
        self.errors.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])


def schedules(bus):
    return json.loads(bus.http("GET", "/api/v1/schedules?max=10000")[2])["schedules"]


def cancel_all(bus):
    return json.loads(bus.http("DELETE", "/api/v1/schedules")[2])["count"]


def browse(bus, name):
    """All messages of a queue; none where it is not there yet."""
    out, after = [], 0
    while True:
        status, _, page = bus.http("GET", f"/queues/{name}/messages?browse=true&max=1000&after={after}")
        if status == 404:
            return []
        page = json.loads(page)
        out += page["messages"]
        if not page["more"]:
            return out
        after = out[-1]["position"]


class Protocols(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        cls.addClassCleanup(cls.bus.close)
        cls.bus.start()

    def setUp(self):
        cancel_all(self.bus)

    def connect(self):
        connection, ear = stomp.Connection12([("127.0.0.1", self.bus.stomp_port)]), Ear()
        connection.set_listener("", ear)
        connection.connect("admin", "secret", wait=True)
        self.addCleanup(connection.disconnect)
        return connection, ear

    def test_stomp_repeats(self):
        connection, ear = self.connect()
        connection.subscribe("/queue/again", "1")
        start = time.time()
        connection.send("/queue/again", "x", receipt="r", persistent="true", kind="note", AMQ_SCHEDULED_DELAY="400",
                        AMQ_SCHEDULED_PERIOD="200", AMQ_SCHEDULED_REPEAT="3")
        self.assertEqual("r", ear.receipts.get(timeout=5))
        got = [ear.messages.get(timeout=5) for _ in range(4)]
        for i, (at, frame) in enumerate(got):
            self.assertGreater(at - start, 0.39 + 0.2 * i)
            self.assertEqual(("x", "note", "admin"), (frame.body, frame.headers["kind"], frame.headers["JMSXUserID"]))
            self.assertFalse([h for h in frame.headers if h.startswith("AMQ_")], frame.headers)
        self.assertEqual(4, len({frame.headers["message-id"] for _, frame in got}))
        self.assertEqual(1, len({frame.headers["scheduledJobId"] for _, frame in got}))
        self.assertRaises(queue.Empty, ear.messages.get, timeout=0.5)
        self.assertEqual([], schedules(self.bus))

    def test_stomp_cron_to_a_topic(self):
        connection, ear = self.connect()
        connection.send("/topic/second", "tick", receipt="r", AMQ_SCHEDULED_CRON="* * * * * *",
                        **{"busbar-cron-zone": "Europe/Berlin"})
        self.assertEqual("r", ear.receipts.get(timeout=5))
        connection.subscribe("/topic/second", "1")  # who comes later gets the next one
        times = [int(ear.messages.get(timeout=5)[1].headers["timestamp"]) for _ in range(3)]
        self.assertEqual([1000, 1000], [round(b - a, -2) for a, b in zip(times, times[1:])])
        self.assertLess(sorted(time % 1000 for time in times)[1], 500)
        one = schedules(self.bus)[0]
        self.assertEqual(("* * * * * *", "Europe/Berlin", "topic://second"), (one["cron"], one["zone"], one["destination"]))

    def test_stomp_is_told_what_is_wrong(self):
        for headers, text in (({"AMQ_SCHEDULED_CRON": "61 * * * *"}, "the minute '61'"),
                              ({"AMQ_SCHEDULED_CRON": "* * * * *", "busbar-cron-zone": "Mars/Phobos"}, "Mars/Phobos"),
                              ({"AMQ_SCHEDULED_PERIOD": "5", "AMQ_SCHEDULED_REPEAT": "5"}, "period must be within 100 ms")):
            wire = Wire(self.bus.stomp_port)
            wire.send("SEND", {"destination": "/queue/q", "receipt": "r", **headers}, b"x")
            frame = wire.read()
            self.assertEqual("ERROR", frame[0])
            self.assertIn(text, frame[1]["message"])
            wire.close()
        self.assertEqual([], schedules(self.bus))

    def test_a_transaction_makes_it_at_its_commit(self):
        connection, ear = self.connect()
        for end, count in ((connection.abort, 0), (connection.commit, 1)):
            tx = connection.begin()
            connection.send("/queue/tx", "x", transaction=tx, AMQ_SCHEDULED_PERIOD="200", AMQ_SCHEDULED_REPEAT="-1")
            time.sleep(0.3)
            self.assertEqual([], schedules(self.bus))
            end(tx, receipt="done")
            self.assertEqual("done", ear.receipts.get(timeout=5))
            self.assertEqual(count, len(schedules(self.bus)))

    def test_amqp_annotations(self):
        connection = BlockingConnection(f"127.0.0.1:{self.bus.amqp_port}", user="admin", password="secret",
                                        allowed_mechs="PLAIN", timeout=10)
        self.addCleanup(connection.close)
        sender, receiver = connection.create_sender("amqp"), connection.create_receiver("amqp", credit=10)
        sender.send(Message("again", annotations={symbol("x-opt-delivery-delay"): 300, symbol("x-opt-delivery-period"): 200,
                                                  symbol("x-opt-delivery-repeat"): 1}))
        names = set()
        for _ in range(2):
            message = receiver.receive(timeout=5)
            self.assertEqual("again", message.body)
            names.add(message.properties["scheduledJobId"])
            receiver.accept()
        self.assertEqual(1, len(names))
        with self.assertRaises(SendException):
            sender.send(Message("never", annotations={symbol("x-opt-delivery-cron"): "every monday"}))

    def busbar(self, *words, code=0):
        run = subprocess.run([BUSBAR, *words], capture_output=True, timeout=60, text=True,
                             env=clean_environment({"BUSBAR_DATA": str(self.bus.data), "BUSBAR_PASSWORD": "secret"}))
        self.assertEqual(code, run.returncode, f"{words}\n{run.stdout}\n{run.stderr}")
        return run.stdout + run.stderr

    def test_command_line(self):
        made = self.busbar("send", "reports", "make it", "--cron", "30 2 * * *", "--zone", "Europe/Berlin")
        number = made.split()[1]
        self.assertEqual(f"schedule {number} is made\n", made)
        other = json.loads(self.busbar("send", "meters", "read", "--every", "1h", "--times", "5", "--json"))
        self.assertGreater(other["schedule"], int(number))
        listed = self.busbar("schedule", "list")
        self.assertRegex(listed, rf"{number} +active +\S+ \d\d:30:00 +0 +admin +queue://reports +30 2 \* \* \* Europe/Berlin")
        self.assertIn("every 1 h 0 min, 5 times", listed)
        lines = [json.loads(line) for line in self.busbar("schedule", "list", "--json").splitlines()]
        self.assertEqual([int(number), other["schedule"]], [line["id"] for line in lines])
        self.busbar("schedule", "pause", number)
        self.assertIn("paused", self.busbar("schedule", "list"))
        self.busbar("schedule", "resume", number)
        self.busbar("schedule", "change", number, "--every", "200ms", "--times", "2")
        deadline = time.time() + 10
        while time.time() < deadline and len(browse(self.bus, "reports")) < 2:
            time.sleep(0.05)
        self.assertEqual(["make it"] * 2, [m["body"] for m in browse(self.bus, "reports")])
        self.busbar("schedule", "cancel", str(other["schedule"]))
        self.assertEqual("there are no recurring schedules\n", self.busbar("schedule", "list"))
        self.assertIn("no schedule", self.busbar("schedule", "cancel", number, code=1))
        self.assertIn("the hour '24'", self.busbar("send", "q", "x", "--cron", "0 24 * * *", code=1))

    def test_a_repeat_with_its_key_makes_no_second_one(self):
        headers = {"X-Cron": "0 3 * * *", "Idempotency-Key": "nightly"}
        first = self.bus.http("POST", "/queues/q/messages", b"x", headers)
        again = self.bus.http("POST", "/queues/q/messages", b"x", headers)
        self.assertEqual((201, 200), (first[0], again[0]))
        self.assertEqual(json.loads(first[2]), json.loads(again[2]))
        self.assertEqual(1, len(schedules(self.bus)))
        self.assertIn("\nbusbar_schedules 1\n", self.bus.http("GET", "/metrics")[2].decode())
        self.assertEqual(200, self.bus.http("GET", first[1]["Location"])[0])

    def test_others_do_not_see_it(self):
        self.bus.terminate()  # users are read at the start
        for name in ("ann", "bob"):
            subprocess.run([BUSBAR, "user", "add", name, "--role", "user"], check=True, capture_output=True, timeout=60,
                           env=clean_environment({"BUSBAR_DATA": str(self.bus.data), "BUSBAR_PASSWORD": "secret",
                                                  "BUSBAR_NEW_PASSWORD": "pass-" + name}))
        self.bus.start()

        def of(name, method, path, **headers):
            token = base64.b64encode(f"{name}:pass-{name}".encode()).decode()
            return self.bus.http(method, path, b"x" if method == "POST" and headers else None,
                                 {**headers, "Authorization": "Basic " + token}, login=False)
        made = of("ann", "POST", "/queues/hers/messages", **{"X-Period-Ms": "3600000"})
        place = made[1]["Location"]
        self.assertEqual(200, of("ann", "GET", place)[0])
        self.assertEqual(404, of("bob", "GET", place)[0])
        self.assertEqual(403, of("bob", "DELETE", place)[0])
        self.assertEqual(403, of("bob", "POST", place + "/pause")[0])
        self.assertEqual([], json.loads(of("bob", "GET", "/api/v1/schedules")[2])["schedules"])
        self.assertEqual(1, len(schedules(self.bus)))  # an admin does
        self.assertEqual(204, of("ann", "DELETE", place)[0])


class Crashes(unittest.TestCase):
    """What a schedule says it has sent is there, each copy of a time of its own, whatever was killed when."""

    PERIOD, SCHEDULES, KILLS = 200, 20, 6

    def check(self, bus):
        """Gives back how late the copies were, in ms."""
        known = {one["scheduledJobId"]: one for one in schedules(bus)}
        copies = {}
        for message in browse(bus, "ticks"):
            copies.setdefault(message["properties"]["scheduledJobId"]["value"], []).append(message)
        late = []
        self.assertEqual(self.SCHEDULES, len(known))
        for name, one in known.items():
            own = copies.get(name, [])
            self.assertEqual(one["sent"], len(own), name)
            first = one["created"] + self.PERIOD
            turns = [(message["timestamp"] - first) // self.PERIOD for message in own]
            self.assertEqual(sorted(set(turns)), turns, f"{name}: a time was sent twice")
            late += [(message["timestamp"] - first) % self.PERIOD for message in own]
        return late

    def test_each_firing_is_once(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            for _ in range(self.SCHEDULES):
                status = bus.http("POST", "/queues/ticks/messages", b"tick", {"X-Period-Ms": str(self.PERIOD)})[0]
                self.assertEqual(201, status)
            for _ in range(self.KILLS):
                time.sleep(chance.uniform(0.2, 1.0))
                bus.kill9()
                bus.restart()
            time.sleep(1)
            for one in schedules(bus):
                self.assertEqual(204, bus.http("POST", f"/api/v1/schedules/{one['id']}/pause")[0])
            late = self.check(bus)
            self.assertGreater(len(late), self.SCHEDULES * self.KILLS)
            late.sort()
            print(f"{len(late)} copies; late in ms: median {late[len(late) // 2]}, 90 %: {late[len(late) * 9 // 10]}")
            self.assertEqual(0, bus.terminate())
            bus.start()
            self.check(bus)

    def test_what_was_missed_comes_as_one(self):
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            for headers in ({"X-Period-Ms": "500"}, {"X-Cron": "* * * * * *"}):
                bus.http("POST", "/queues/q/messages", b"x", headers)
            bus.kill9()
            time.sleep(3)
            before = time.time() * 1000
            bus.restart()
            time.sleep(0.7)
            sent = browse(bus, "q")
            names = {m["properties"]["scheduledJobId"]["value"] for m in sent}
            self.assertEqual(2, len(names))
            for name in names:
                at_once = [m for m in sent if m["properties"]["scheduledJobId"]["value"] == name]
                # One for what was missed, and what has become due since.
                self.assertLessEqual(len(at_once), 1 + (time.time() * 1000 - before) / 500 + 1)
                self.assertGreaterEqual(at_once[0]["timestamp"], before - 5)

    def test_a_kill_while_they_are_made_and_cancelled(self):
        with Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"}) as bus:
            bus.start()
            for _ in range(3):
                confirmed, gone, stop = set(), set(), threading.Event()

                def work():
                    while not stop.is_set():
                        try:
                            made = bus.http("POST", "/queues/q/messages", b"x", {"X-Period-Ms": "3600000"})
                            number = json.loads(made[2])["schedule"]
                            confirmed.add(number)
                            if number % 2 == 0:
                                confirmed.discard(number)
                                if bus.http("DELETE", f"/api/v1/schedules/{number}")[0] == 204:
                                    gone.add(number)
                        except (OSError, ValueError, KeyError):
                            return

                threads = [threading.Thread(target=work) for _ in range(4)]
                for thread in threads:
                    thread.start()
                deadline = time.monotonic() + 60
                while (len(confirmed) < 5 or len(gone) < 3) and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(random.uniform(0, 0.1))
                bus.kill9()
                stop.set()
                for thread in threads:
                    thread.join(30)
                bus.restart()
                known = {one["id"] for one in schedules(bus)}
                self.assertGreater(len(confirmed), 3)
                self.assertEqual(set(), confirmed - known, "confirmed and lost")
                self.assertEqual(set(), gone & known, "cancelled and back")
                cancel_all(bus)
                self.assertEqual([], schedules(bus))


if __name__ == "__main__":
    unittest.main()
