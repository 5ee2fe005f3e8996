"""Batches over HTTP against the real daemon: each on its own or all or none, repeated over kills, and of what was received."""
import base64
import json
import threading
import time
import unittest

from busbar_fixture import Bus
from stomp_wire import Wire

SECRET = {"BUSBAR_ADMIN_PASSWORD": "secret"}


class BatchTest(unittest.TestCase):
    def bus(self, **options):
        bus = Bus(env=SECRET, **options)
        self.addCleanup(bus.close)
        bus.start()
        return bus

    def batch(self, bus, elements, to="queues/q", atomic=False):
        status, _, body = bus.http("POST", f"/{to}/messages/batch" + ("?atomic=true" if atomic else ""), json.dumps(elements))
        return status, json.loads(body)

    def receive(self, bus, queue="q", wait=0):
        return json.loads(bus.http("GET", f"/queues/{queue}/messages?max=1000&wait={wait}")[2])

    def depth(self, bus, queue):
        return json.loads(bus.http("GET", f"/api/v1/queues/{queue}")[2])["depth"]

    def test_five_hundred_arrive_in_their_order(self):
        bus = self.bus()
        began = time.monotonic()
        status, answer = self.batch(bus, [{"body": str(n)} for n in range(500)])
        self.assertEqual((200, [201] * 500), (status, [r["status"] for r in answer["results"]]))
        self.assertLess(time.monotonic() - began, 10)
        got = self.receive(bus)
        self.assertEqual([str(n) for n in range(500)], [m["body"] for m in got])
        self.assertEqual([r["id"] for r in answer["results"]], [m["id"] for m in got])

    def repeated_over_kills(self, atomic):
        """Batches whose answers are lost with the bus, again and again: in the end each message is there once."""
        bus = self.bus()
        for round_ in range(4):
            elements = [{"body": f"{round_}.{n}", "idempotencyKey": f"k{round_}.{n}"} for n in range(500)]
            sender = threading.Thread(target=self.send_and_lose, args=(bus, elements, atomic))
            sender.start()
            time.sleep(0.01 * round_)
            bus.kill9()
            sender.join()
            bus.restart()
            if atomic:
                self.assertIn(self.depth(bus, "q") if round_ else 0, (500 * round_, 500 * (round_ + 1)))
            first = self.batch(bus, elements, atomic=atomic)[1]["results"]
            bus.kill9()  # what was confirmed is safe
            bus.restart()
            status, answer = self.batch(bus, elements, atomic=atomic)
            self.assertEqual(200, status, answer)
            self.assertEqual([(200, True)] * 500, [(r["status"], r["repeated"]) for r in answer["results"]])
            self.assertEqual([r["id"] for r in first], [r["id"] for r in answer["results"]])
        self.assertEqual(2000, self.depth(bus, "q"))
        bodies = []  # what comes from the disk comes in parts
        while len(bodies) < 2000 and (more := self.receive(bus, wait=10)):
            bodies += [m["body"] for m in more]
        self.assertEqual(sorted(f"{r}.{n}" for r in range(4) for n in range(500)), sorted(bodies))

    def send_and_lose(self, bus, elements, atomic):
        try:
            self.batch(bus, elements, atomic=atomic)
        except (OSError, ValueError):
            pass

    def test_each_is_stored_once_though_the_answers_were_lost(self):
        self.repeated_over_kills(atomic=False)

    def test_all_or_none_is_stored_once_though_the_answers_were_lost(self):
        self.repeated_over_kills(atomic=True)

    def test_one_refused_element_of_an_atomic_batch_leaves_nothing(self):
        bus = self.bus()
        bus.http("PUT", "/api/v1/queues/q", json.dumps({"messagesMax": 10}))
        elements = [{"body": str(n), "idempotencyKey": f"k{n}"} for n in range(11)]
        status, answer = self.batch(bus, elements, atomic=True)
        self.assertEqual((409, "transaction-aborted"), (status, answer["error"]["code"]))
        self.assertRegex(answer["error"]["message"], r"\A\[10\]: nothing was done: queue 'q' is full")
        self.assertEqual(0, self.depth(bus, "q"))
        self.assertEqual(200, self.batch(bus, elements[:10], atomic=True)[0], "their keys are as new")
        # On its own each of the rest is refused, and the repeat is none.
        results = self.batch(bus, elements)[1]["results"]
        self.assertEqual([200] * 10 + [429], [r["status"] for r in results])
        self.assertEqual("limit-reached", results[10]["error"]["code"])
        self.assertEqual(10, self.depth(bus, "q"))

    def test_a_malformed_element_is_named_and_nothing_is_sent(self):
        bus = self.bus()
        bus.http("PUT", "/api/v1/queues/q", "{}")
        for element, name in (({"priority": 10}, "[1].priority: "), ({"prio": 1}, "[1].prio: "), (7, "[1]: ")):
            status, answer = self.batch(bus, [{"body": "good"}, element])
            self.assertEqual(400, status)
            self.assertTrue(answer["error"]["message"].startswith(name), answer)
        self.assertEqual(413, self.batch(bus, [{}] * 1001)[0])
        self.assertEqual(0, self.depth(bus, "q"))

    def test_what_was_received_can_be_sent(self):
        bus = self.bus()
        wire = Wire(bus.stomp_port)
        wire.send("SEND", {"destination": "/queue/q", "count": "3", "ratio": "0.1", "name": "\u00e4", "busbar-types": "count=int,ratio=float",
                           "correlation-id": "c", "reply-to": "/queue/back", "priority": "7", "content-type": "text/plain",
                           "receipt": "1"}, "t\u00e4xt".encode())
        wire.send("SEND", {"destination": "/queue/q", "content-length": "3", "receipt": "2"}, b"\0\xff\n")
        wire.send("SEND", {"destination": "/queue/q", "busbar-body": "map", "receipt": "3"},
                  b'{"n":{"type":"long","value":9007199254740993},"l":{"type":"list","value":[{"type":"char","value":"x"}]}}')
        for _ in range(3):
            wire.read()
        wire.close()
        bus.http("POST", "/queues/q/messages", b'{"a":1}', {"Content-Type": "application/json", "X-Group-Id": "g", "X-Group-Seq": "2",
                                                            "X-Expires-Ms": "600000", "X-Persistent": "false"})
        first = self.receive(bus)
        status, answer = self.batch(bus, first, to="queues/again")
        self.assertEqual((200, [201] * 4), (status, [r["status"] for r in answer["results"]]))
        second = self.receive(bus, "again")

        def said(message):  # what its sender said of it
            return {k: v for k, v in message.items() if k not in ("id", "lease", "position", "fencingToken", "timestamp", "destination")}
        self.assertEqual([said(m) for m in first], [said(m) for m in second])
        self.assertEqual({"type": "int", "value": 3}, second[0]["properties"]["count"])
        self.assertEqual(b"\0\xff\n", base64.b64decode(next(m for m in second if m["bodyKind"] == "bytes")["body"]))

    def test_each_counts_for_the_pace_of_its_user(self):
        bus = self.bus(settings=["limits.user-sends-per-second=100"])
        self.assertEqual(200, self.batch(bus, [{"body": "x"}] * 600)[0])
        status, headers, _ = bus.http("POST", "/queues/q/messages", b"x")
        self.assertEqual(429, status)
        self.assertGreaterEqual(int(headers["Retry-After"]), 2)

    def test_topics_get_batches_too(self):
        bus = self.bus()
        wire = Wire(bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "1", "destination": "/topic/t", "receipt": "s"})
        self.assertEqual("RECEIPT", wire.read()[0])
        self.assertEqual(200, self.batch(bus, [{"body": "a"}, {"body": "b"}], to="topics/t")[0])
        self.assertEqual([b"a", b"b"], [wire.read()[2] for _ in range(2)])
        wire.close()


if __name__ == "__main__":
    unittest.main()
