"""Leases are the same over every protocol: one model of what a lease is, random work, and a real client of each.

The worker has one message at a time, over the wire that is tested; a rival fetches over HTTP what the worker is too late for. The
model says who has what and what may be said of it. Time is real, so nothing is asked close to a moment at which the answer changes.
BUSBAR_LEASES_SEED gives the work again.
"""
import json
import os
import random
import threading
import time
import unittest

from busbar_fixture import Bus
from lease_wires import WIRES, Amqp, Http

SEED = int(os.environ.get("BUSBAR_LEASES_SEED", random.SystemRandom().randrange(1 << 32)))
MARGIN = 0.8  # seconds: no question is asked closer than this to a change
LEASE = 3.0
MESSAGES = 6
STEPS = 16


class Slow(Exception):
    """The machine was too slow for what was asked to be clear: this round says nothing."""


class Holding:
    """What somebody has, or had: the worker keeps what ran out in its hands until it has spoken of it."""

    def __init__(self, number, until):
        self.number, self.until = number, until

    def lasts(self):
        return time.monotonic() < self.until


class Round:
    """One queue, one worker, one rival, and what they should see."""

    def __init__(self, test, bus, wire, queue, rng):
        self.test, self.rng = test, rng
        self.bus, self.queue = bus, queue
        self.counts = {n: 0 for n in range(MESSAGES)}  # how often each was given, of those that are not done
        self.delayed = {}  # number: ready again at
        self.held = None  # the worker's
        self.rivals = []
        self.fence = 0
        self.may_have_missed_one = False
        for n in range(MESSAGES):
            test.assertEqual(201, bus.http("POST", f"/queues/{queue}/messages", str(n), {"Content-Type": "text/plain"})[0])
        self.worker, self.rival = wire(bus, queue, LEASE), Http(bus, queue, LEASE)

    # ---- the model

    def ready_at(self):
        """When each message may be handed out (again); what was returned keeps its place."""
        at = {n: self.delayed.get(n, 0) for n in self.counts}
        at.update((h.number, h.until) for h in (self.held, *self.rivals) if h and h.lasts())
        return dict(sorted(at.items()))

    def let_it_be_clear(self):
        """No change is near."""
        while near := [at for at in self.ready_at().values() if abs(at - time.monotonic()) < MARGIN]:
            time.sleep(max(0.01, max(near) + MARGIN - time.monotonic()))

    def within(self, limit, what, *arguments):
        began = time.monotonic()
        result = what(*arguments)
        if time.monotonic() - began > limit:
            raise Slow(f"{what.__name__} took {time.monotonic() - began:.2f} s")
        return result

    def given(self, taken, numbers):
        self.test.assertIsNotNone(taken, f"one of {numbers} was ready")
        number = int(taken.body)
        self.test.assertIn(number, numbers, "the first one that is ready")
        self.counts[number] += 1
        if self.may_have_missed_one and taken.count > self.counts[number]:
            self.counts[number] += 1
        self.may_have_missed_one = False
        self.test.assertEqual(self.counts[number], taken.count, f"how often message {number} was given")
        self.test.assertGreater(taken.fence, self.fence, "fencing tokens ascend")
        self.fence = taken.fence
        left = taken.until - time.time() if taken.until else LEASE
        self.test.assertTrue(LEASE - 2 * MARGIN < left < LEASE + 0.1, f"{left:.2f} s are left")
        return Holding(number, time.monotonic() + left)

    # ---- what is done

    def worker_takes(self):
        """At once, or when something is ready: a wire that pushes does so then, whoever asks."""
        while self.counts and not self.held:
            now = time.monotonic()
            at = self.ready_at()
            first = max(now, min(at.values()))
            numbers = [n for n, when in at.items() if when <= first]
            numbers = [numbers[0]] + [n for n, when in at.items() if abs(when - first) < MARGIN and when > now]
            taken = self.within(first - now + MARGIN, self.worker.take, first - now + MARGIN)
            self.held = self.given(taken, numbers)

    def say(self, what, *arguments):
        """The worker is heard while its lease lasts, and only then; None where it is not."""
        self.let_it_be_clear()
        number, lasts = self.held.number, self.held.lasts()
        agreed = self.within(MARGIN / 2, getattr(self.worker, what), *arguments)
        self.test.assertEqual(lasts, agreed, f"{what} of message {number}")
        if not agreed or what != "extend":
            self.held = None
        # Where the refusal ends the connection, the next message may have been on its way already.
        self.may_have_missed_one = not agreed and self.worker.REFUSAL_ENDS_CONNECTION
        return number if agreed else None

    def accept(self):
        if (number := self.say("accept")) is not None:
            del self.counts[number]

    def extend(self):
        seconds = self.rng.choice((2.0, 4.0, 6.0))
        if self.say("extend", seconds) is not None:
            self.held.until = time.monotonic() + seconds

    def fail(self):
        delay = self.rng.choice((0.0, 2.5))
        if (number := self.say("fail", delay)) is not None:
            self.delayed[number] = time.monotonic() + delay

    def rest(self):
        time.sleep(self.rng.choice((1.0, 2.0, 3.5)))

    def rival_takes(self):
        self.let_it_be_clear()
        numbers = [n for n, at in self.ready_at().items() if at <= time.monotonic()][:1]
        taken = self.within(MARGIN / 2, self.rival.take, MARGIN / 4)
        if numbers:
            self.rivals.append(self.given(taken, numbers))
        else:
            self.test.assertIsNone(taken, "nothing was ready")

    def run(self):
        try:
            for _ in range(STEPS):
                self.worker_takes()
                if not self.counts:
                    break
                self.rng.choice((self.accept, self.extend, self.extend, self.fail, self.rest, self.rest, self.rival_takes))()
        finally:
            self.worker.close()
        left = set(self.counts)
        deadline = time.monotonic() + 30
        while left and time.monotonic() < deadline:
            if taken := self.rival.take(1):
                self.test.assertIn(int(taken.body), left, "what was accepted came again, or something came twice")
                left.remove(int(taken.body))
                self.test.assertTrue(self.rival.accept())
        self.test.assertEqual(set(), left, "lost")
        self.test.assertIsNone(self.rival.take(0.2))


class ModelTest(unittest.TestCase):
    def setUp(self):
        self.bus = Bus(settings=["queue-defaults.deliveries-max=0"])
        self.addCleanup(self.bus.close)
        self.bus.start()

    def rounds(self, name, failures):
        """One that was clear."""
        try:
            for attempt in range(6):
                try:
                    return Round(self, self.bus, WIRES[name], f"{name}-{attempt}", random.Random(f"{SEED} {name} {attempt}")).run()
                except Slow as slow:
                    print(f"{name}, round {attempt}: {slow}; once more")
            self.fail("the machine was too slow for every round")
        except Exception as failed:  # told by the test's own thread
            failures[name] = failed

    def test_a_lease_is_the_same_over_every_protocol(self):
        print(f"BUSBAR_LEASES_SEED={SEED}")
        failures = {}
        threads = [threading.Thread(target=self.rounds, args=(name, failures)) for name in WIRES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, failed in failures.items():
            raise AssertionError(f"{name}: {failed}") from failed


class TokenTest(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.bus.start()

    def send(self, queue):
        self.assertEqual(201, self.bus.http("POST", f"/queues/{queue}/messages", "x", {"Content-Type": "text/plain"})[0])

    def depth(self, queue):
        return json.loads(self.bus.http("GET", f"/api/v1/queues/{queue}")[2])["depth"]

    def test_a_token_is_good_over_every_protocol(self):
        for name, wire in WIRES.items():
            with self.subTest(name):
                self.send(name)
                worker = wire(self.bus, name, 20)
                self.addCleanup(worker.close)
                lease = f"/queues/{name}/leases/{worker.take(5).token}"
                self.assertEqual(204, self.bus.http("POST", lease + "/extend?lease=30")[0])
                self.assertEqual(1, self.depth(name))
                self.assertEqual(204, self.bus.http("DELETE", lease)[0])
                self.assertEqual(0, self.depth(name))
                self.assertEqual(410, self.bus.http("DELETE", lease)[0])

    def test_orders_come_over_http_too(self):
        self.send("q")
        worker = Http(self.bus, "q", 20)
        token = worker.take(5).token
        headers = {"X-Property-BusbarLease": token, "X-Property-BusbarOrder": "reject", "X-Property-BusbarReason": "no"}
        self.assertEqual(201, self.bus.http("POST", "/queues/busbar.leases/messages", "", headers)[0])
        self.assertEqual(1, self.depth("DLQ.q"))
        self.assertEqual(410, self.bus.http("POST", "/queues/busbar.leases/messages", "", headers)[0])

    def test_who_is_still_at_it_says_received(self):
        """AMQP 1.0 has a word for it: each one holds the message for as long again."""
        self.send("q")
        worker = Amqp(self.bus, "q", 3)
        self.addCleanup(worker.close)
        self.assertEqual(1, worker.take(5).count)
        for _ in range(5):
            worker.still_at_it()
            worker.wait(1)
        self.assertFalse(worker.delivery.settled)
        self.assertEqual(1, self.depth("q"))
        self.assertIsNone(Http(self.bus, "q", 20).take(0.1))
        worker.wait(4)
        self.assertTrue(worker.delivery.settled, "the bus took it back")
        self.assertEqual(2, Http(self.bus, "q", 20).take(5).count)


if __name__ == "__main__":
    unittest.main()
