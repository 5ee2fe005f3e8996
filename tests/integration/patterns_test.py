"""How people use queues together: competing workers, workers that die, keys that must stay in order, scaling by the
backlog, many threads on one connection. Against a real busbard, over STOMP and HTTP."""
import base64
import collections
import json
import random
import re
import threading
import time
import unittest

import stomp

from busbar_fixture import Bus
from stomp_wire import Wire

KEYS = 10_000


def subscribe(wire, queue, prefetch, ack="client-individual"):
    wire.send("SUBSCRIBE", {"id": "0", "destination": f"/queue/{queue}", "ack": ack, "prefetch-count": prefetch,
                            "receipt": "subscribed"})
    assert wire.next("RECEIPT"), "no answer to SUBSCRIBE"


def send_all(wire, queue, bodies, headers=lambda i: {}):
    """Sends them all, persistent, and returns when the last one is confirmed."""
    bodies = list(bodies)
    for i, body in enumerate(bodies):
        last = {"receipt": "all"} if i == len(bodies) - 1 else {}
        wire.send("SEND", {"destination": f"/queue/{queue}", "persistent": "true", **headers(i), **last}, str(body).encode())
    assert wire.next("RECEIPT", 60)[1]["receipt-id"] == "all"


def ack(wire, frame, **headers):
    wire.send("ACK", {"id": frame[1]["ack"], **headers})


class PatternsTest(unittest.TestCase):
    def setUp(self):
        self.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(self.bus.close)
        self.ports = self.bus.start()

    def wire(self):
        wire = Wire(self.ports["stomp"])
        self.addCleanup(wire.close)
        return wire

    def depth(self, queue):
        """What /metrics says to a scaler."""
        text = self.bus.http("GET", "/metrics")[2].decode()
        found = re.search(r'^busbar_queue_messages\{[^}]*queue="%s"[^}]*\} (\d+)' % re.escape(queue), text, re.M)
        return int(found.group(1)) if found else 0

    def test_four_equal_workers_get_equal_shares_pushed_and_pulled(self):
        workers = [self.wire() for _ in range(4)]
        for worker in workers:
            subscribe(worker, "pushed", 10)
        send_all(self.wire(), "pushed", range(4000))
        shares = [0] * 4
        while sum(shares) < 4000:
            for i, worker in enumerate(workers):
                frame = worker.next("MESSAGE", 0.05)
                if frame:
                    shares[i] += 1
                    ack(worker, frame)
        self.assertLess(max(shares) - min(shares), 0.05 * 1000, shares)

        send_all(self.wire(), "pulled", range(400))
        seen = []
        for _ in range(40):  # fetched in batches, as many as were asked for
            status, _, body = self.bus.http("GET", "/queues/pulled/messages?max=10")
            self.assertEqual(200, status, body)
            batch = json.loads(body)
            self.assertEqual(10, len(batch))
            seen += [base64.b64decode(message["body"]).decode() for message in batch]
        self.assertEqual([str(i) for i in range(400)], seen)

    def test_what_a_dead_worker_held_is_with_another_within_a_second(self):
        dying, other = self.wire(), self.wire()
        subscribe(dying, "work", 10)
        send_all(self.wire(), "work", range(10))
        for _ in range(10):
            self.assertTrue(dying.next("MESSAGE"))
        subscribe(other, "work", 10)
        died = time.monotonic()
        dying.close()
        again = [other.next("MESSAGE", 5) for _ in range(10)]
        self.assertLess(time.monotonic() - died, 1)
        self.assertEqual([str(i) for i in range(10)], [frame[2].decode() for frame in again])
        self.assertEqual({"true"}, {frame[1]["redelivered"] for frame in again})

    def test_keys_stay_in_order_while_workers_come_go_and_die(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        each = 2
        order = [key for key in range(KEYS) for _ in range(each)]
        chance.shuffle(order)
        count = collections.Counter()
        bodies = []
        for key in order:
            bodies.append(f"{key} {count[key]}")
            count[key] += 1
        send_all(self.wire(), "keys", bodies, lambda i: {"JMSXGroupID": f"k{order[i]}"})
        workers, done = [], collections.defaultdict(list)
        total = 0
        while total < KEYS * each:
            if len(workers) < 6 and (not workers or chance.random() < 0.02):
                worker = self.wire()
                subscribe(worker, "keys", 50)
                workers.append(worker)
            worker = chance.choice(workers)
            frame = worker.next("MESSAGE", 0.02 if len(workers) > 1 else 1)
            if frame:
                key, number = map(int, frame[2].split())
                self.assertEqual(len(done[key]), number, f"seed {seed}: key {key} out of order")
                if len(workers) > 2 and chance.random() < 0.002:  # dies over it, with all that it has
                    workers.remove(worker)
                    worker.close()
                    continue
                ack(worker, frame, receipt="r")
                self.assertTrue(worker.next("RECEIPT"))
                done[key].append(number)
                total += 1
            if len(workers) > 2 and chance.random() < 0.002:
                leaving = workers.pop(chance.randrange(len(workers)))
                if chance.random() < 0.5:
                    leaving.send("DISCONNECT", {"receipt": "bye"})
                leaving.close()
        self.assertEqual({tuple(range(each))}, {tuple(v) for v in done.values()})
        self.assertEqual(KEYS, len(done))

    def test_a_scaler_adds_workers_by_the_backlog_and_takes_them_away(self):
        send_all(self.wire(), "jobs", range(3000))
        workers, most, seen = [], 0, []
        while True:
            depth = self.depth("jobs")
            wanted = min(5, (depth + 499) // 500)
            while len(workers) < wanted:
                workers.append(self.wire())
                subscribe(workers[-1], "jobs", 20)
            while len(workers) > max(wanted, 1 if depth else 0):
                workers.pop().close()
            most = max(most, len(workers))
            if not workers:
                break
            for worker in workers:
                for _ in range(20):
                    frame = worker.next("MESSAGE", 0.05)
                    if not frame:
                        break
                    seen.append(int(frame[2]))
                    ack(worker, frame, receipt="r")
                    self.assertTrue(worker.next("RECEIPT"))
        self.assertEqual(5, most)
        self.assertEqual(list(range(3000)), sorted(seen))
        self.assertEqual(0, self.depth("jobs"))

    def test_threads_share_a_connection_and_each_confirm_is_of_one_message(self):
        class Receipts(stomp.ConnectionListener):
            def __init__(self):
                self.seen, self.all = collections.Counter(), threading.Event()

            def on_receipt(self, frame):
                if "-" in frame.headers["receipt-id"][:2]:  # not the library's own
                    self.seen[frame.headers["receipt-id"]] += 1
                if len(self.seen) == 8 * 200:
                    self.all.set()

        connection = stomp.Connection12([("127.0.0.1", self.ports["stomp"])])
        receipts = Receipts()
        connection.set_listener("", receipts)
        connection.connect("admin", "secret", wait=True)

        def sender(number):
            for i in range(200):
                connection.send("/queue/shared", f"{number}-{i}", persistent="true", receipt=f"{number}-{i}")

        threads = [threading.Thread(target=sender, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(receipts.all.wait(30))
        connection.disconnect()
        self.assertEqual({1}, set(receipts.seen.values()))
        self.bus.kill9()
        self.bus.restart()
        reader = self.wire()
        subscribe(reader, "shared", 2000)
        found = [reader.next("MESSAGE")[2].decode() for _ in range(8 * 200)]
        self.assertEqual(sorted(receipts.seen), sorted(found))
        for number in range(8):  # what one thread sent is in its order
            own = [int(text.split("-")[1]) for text in found if text.startswith(f"{number}-")]
            self.assertEqual(list(range(200)), own)


if __name__ == "__main__":
    unittest.main()
