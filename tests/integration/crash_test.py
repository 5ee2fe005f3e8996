"""kill -9 of the real daemon at random moments under load; then sent, confirmed and received sets are reconciled.

A pipeline: producers put numbered messages on `in`; movers take each and send it on to `out` in one transaction;
consumers take from `out`. What the bus confirmed must come out at the end exactly once, whatever was killed when.
Then the same for each promise of its own: at most once, at least once, exactly once with a processed list, groups, delayed
messages, a full disk, a backlog that is larger than the memory, a backup under load.
BUSBAR_CRASHES: how many kills (default 8). BUSBAR_CRASH_SEED: the seed, printed at the start.
"""
import json
import os
import random
import shutil
import threading
import time
import unittest

from busbar_fixture import Bus
from stomp_wire import Closed, Wire


class Ledger:
    """What is known of each message, shared by the threads of one run."""

    def __init__(self):
        self.lock = threading.Lock()
        self.confirmed = set()      # sends that have their receipt
        self.unknown = set()        # sends that were cut off: may be there or not
        self.received = {}          # from `out`: body -> times
        self.ids = {}               # from `out`: body -> message ids: two of them are two messages
        self.acknowledged = set()   # acknowledgements that have their receipt
        self.returned = []          # came again after their acknowledgement was confirmed


class Party(threading.Thread):
    """Runs `turn` on a connection, over and over, with a new connection after each kill."""

    def __init__(self, bus, ledger, stop):
        super().__init__(daemon=True)
        self.bus, self.ledger, self.stop = bus, ledger, stop
        self.failure = None

    def run(self):
        while not self.stop.is_set():
            wire = None
            try:
                wire = Wire(self.bus.stomp_port)
                self.begin(wire)
                while not self.stop.is_set():
                    self.turn(wire)
            except Closed:
                time.sleep(0.05)
            except Exception as error:  # noqa: BLE001: told by the main thread
                self.failure = error
                return
            finally:
                self.cut()
                if wire:
                    wire.close()

    def begin(self, wire):
        pass

    def cut(self):
        pass


class Producer(Party):
    def __init__(self, bus, ledger, stop, number):
        super().__init__(bus, ledger, stop)
        self.number, self.sequence, self.waiting = number, 0, set()

    def turn(self, wire):
        while len(self.waiting) < 50:
            self.sequence += 1
            name = f"{self.number}-{self.sequence}"
            self.waiting.add(name)
            wire.send("SEND", {"destination": "/queue/in", "persistent": "true", "receipt": name}, name.encode() + b"x" * 500)
        frame = wire.read()
        if frame and frame[0] == "RECEIPT":
            name = frame[1]["receipt-id"]
            self.waiting.discard(name)
            with self.ledger.lock:
                self.ledger.confirmed.add(name)

    def cut(self):
        with self.ledger.lock:
            self.ledger.unknown |= self.waiting
        self.waiting = set()


class Mover(Party):
    """Consume and send on, as one transaction: the exactly-once step."""

    def begin(self, wire):
        self.count = 0
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/in", "ack": "client-individual", "activemq.prefetchSize": "20"})

    def turn(self, wire):
        frame = wire.read(timeout=0.2)
        if not frame:
            return
        if frame[0] == "ERROR":
            raise AssertionError(f"mover: {frame[1]}")
        if frame[0] != "MESSAGE":
            return
        self.count += 1
        tx = f"t{self.count}"
        wire.send("BEGIN", {"transaction": tx})
        wire.send("SEND", {"destination": "/queue/out", "persistent": "true", "transaction": tx}, frame[2])
        wire.send("ACK", {"id": frame[1]["ack"], "transaction": tx})
        wire.send("COMMIT", {"transaction": tx})


class Consumer(Party):
    def begin(self, wire):
        self.open = {}
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/out", "ack": "client-individual"})

    def turn(self, wire):
        frame = wire.read(timeout=0.2)
        if not frame:
            return
        if frame[0] == "ERROR":
            raise AssertionError(f"consumer: {frame[1]}")
        if frame[0] == "RECEIPT":
            name = self.open.pop(frame[1]["receipt-id"])
            with self.ledger.lock:
                self.ledger.acknowledged.add(name)
            return
        name = frame[2].rstrip(b"x").decode()
        with self.ledger.lock:
            if name in self.ledger.acknowledged:
                self.ledger.returned.append(name)
            self.ledger.received[name] = self.ledger.received.get(name, 0) + 1
            self.ledger.ids.setdefault(name, set()).add(frame[1]["message-id"])
        receipt = f"a{frame[1]['ack']}"
        self.open[receipt] = name
        wire.send("ACK", {"id": frame[1]["ack"], "receipt": receipt})


class Run:
    """Some parties on one bus that is killed now and then."""

    def __init__(self, test, bus, name):
        seed = int(os.environ.get("BUSBAR_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
        self.crashes = int(os.environ.get("BUSBAR_CRASHES", "8"))
        print(f"{name}: BUSBAR_CRASH_SEED={seed}, {self.crashes} kills", flush=True)
        self.chance, self.bus, self.test = random.Random(seed), bus, test
        self.producing, self.consuming = threading.Event(), threading.Event()
        self.epoch = 0  # changes with each kill: what was read of a dead bus is not looked at any more

    def kills(self, ledger, shortest=0.05, longest=0.8):
        for _ in range(self.crashes):
            time.sleep(self.chance.uniform(shortest, longest))
            with ledger.lock:
                self.epoch += 1
                self.bus.kill9()
            self.bus.start()
        time.sleep(0.3)

    def parties(self, producers, consumers, during, settled):
        """Starts all, does `during`, ends the producers, waits for `settled` and ends the others."""
        try:
            for party in producers + consumers:
                party.start()
            during()
            self.producing.set()
            for party in producers:
                party.join(20)
            settled()
        finally:
            self.producing.set()
            self.consuming.set()
        for party in consumers:
            party.join(15)
        for party in producers + consumers:
            self.test.assertIsNone(party.failure)


def quiet(ledger, done=lambda: True, seconds=60):
    """Waits until `done` and nothing more has come for a second."""
    deadline, seen = time.time() + seconds, -1
    while time.time() < deadline:
        time.sleep(1)
        with ledger.lock:
            total, ready = sum(ledger.received.values()), done()
        if ready and total == seen:
            return
        seen = total


class Numbered(Party):
    """Sends `prefix-1`, `prefix-2`, ... with receipts to a queue; never one of them twice. `lead`: how far it may be ahead of
    what was received, so that a run of many kills ends with a queue that can be emptied soon."""

    def __init__(self, bus, ledger, stop, queue, prefix="", headers=None, size=300, window=50, lead=5_000):
        super().__init__(bus, ledger, stop)
        self.lead = lead
        self.queue, self.prefix, self.headers, self.size, self.window = queue, prefix, headers or {}, size, window
        self.sequence, self.waiting, self.refused = 0, set(), 0

    def turn(self, wire):
        with self.ledger.lock:
            ahead = len(self.ledger.confirmed) - len(self.ledger.received)
        if ahead > self.lead and not self.waiting:
            return time.sleep(0.01)
        while len(self.waiting) < self.window and ahead <= self.lead:
            self.sequence += 1
            name = f"{self.prefix}-{self.sequence}"
            self.waiting.add(name)
            wire.send("SEND", {"destination": f"/queue/{self.queue}", "persistent": "true", "receipt": name, **self.headers},
                      name.encode() + b"x" * self.size)
        frame = wire.read()
        if frame and frame[0] == "ERROR":
            assert frame[1]["code"] == "storage-full", frame
            self.refused += 1
            raise Closed("refused")
        if frame and frame[0] == "RECEIPT":
            self.waiting.discard(frame[1]["receipt-id"])
            with self.ledger.lock:
                self.ledger.confirmed.add(frame[1]["receipt-id"])

    def cut(self):
        with self.ledger.lock:
            self.ledger.unknown |= self.waiting
        self.waiting = set()
        if self.refused:
            time.sleep(0.05)


class Taker(Party):
    """Takes from a queue: notes each body, then acknowledges it."""

    def __init__(self, run, ledger, queue, ack="client-individual", headers=None, pause=0.0):
        super().__init__(run.bus, ledger, run.consuming)
        self.of, self.queue, self.ack, self.headers, self.pause = run, queue, ack, headers or {}, pause

    def begin(self, wire):
        self.epoch = self.of.epoch
        wire.send("SUBSCRIBE", {"id": "0", "destination": f"/queue/{self.queue}", "ack": self.ack, **self.more(), **self.headers})

    def more(self):
        return {}

    def turn(self, wire):
        frame = wire.read(timeout=0.2)
        if not frame:
            return
        if frame[0] == "ERROR":
            raise AssertionError(f"{self.queue}: {frame[1]}")
        if frame[0] == "RECEIPT":
            return self.receipt(frame[1]["receipt-id"])
        time.sleep(self.pause)
        with self.ledger.lock:
            if self.epoch != self.of.epoch:
                raise Closed("of a bus that is dead")
            self.note(frame[2].rstrip(b"x").decode(), frame[1])
        self.settle(wire, frame[1])

    def note(self, name, headers):
        self.ledger.received[name] = self.ledger.received.get(name, 0) + 1

    def settle(self, wire, headers):
        if self.ack != "auto":
            wire.send("ACK", {"id": headers["ack"]})

    def receipt(self, receipt):
        pass


class Exactly(Taker):
    """Keeps, with its work, which stored messages it has processed; tells those whose acknowledgement it is not sure of."""

    def __init__(self, run, ledger, queue):
        super().__init__(run, ledger, queue, headers={"exclusive": "true", "exactly-once": "true"})
        self.unsure = set()

    def more(self):
        """All that are unsure, as ranges; the receipt says that they are off the queue for good."""
        ranges = []
        for number in sorted(self.unsure):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        self.told = set(self.unsure)
        return {"receipt": "told", **({"processed": ",".join(f"{a}-{b}" for a, b in ranges)} if ranges else {})}

    def note(self, name, headers):
        super().note(name, headers)
        self.unsure.add(int(headers["busbar-stored"]))

    def settle(self, wire, headers):
        wire.send("ACK", {"id": headers["ack"], "receipt": headers["busbar-stored"]})

    def receipt(self, receipt):
        self.unsure -= self.told if receipt == "told" else {int(receipt)}


class Grouped(Taker):
    """Checks that each group's messages come for the first time in their order."""

    def note(self, name, headers):
        group, number = name.rsplit("-", 1)
        if name not in self.ledger.received:
            last = self.ledger.last.get(group, 0)
            if int(number) < last:
                self.ledger.disorder.append((name, last))
            self.ledger.last[group] = max(last, int(number))
        super().note(name, headers)


class CrashTest(unittest.TestCase):
    def bus(self, *settings):
        bus = Bus(settings=["journal.segment-bytes=4194304", *settings], env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(bus.close)
        bus.start()
        return bus

    def check(self, ledger, name, lost=True):
        if lost:
            self.assertEqual(set(), ledger.confirmed - set(ledger.received), "confirmed and lost")
        self.assertEqual(set(), set(ledger.received) - ledger.confirmed - ledger.unknown, "received, though never sent")
        doubled = sum(ledger.received.values()) - len(ledger.received)
        print(f"{name}: {len(ledger.confirmed)} confirmed, {len(ledger.unknown)} cut off, {len(ledger.received)} came, "
              f"{doubled} of them again", flush=True)

    def one_queue(self, name, taker, takers=1, producers=1, **more):
        """Producers, takers and kills on one queue."""
        bus = self.bus()
        run, ledger = Run(self, bus, name), Ledger()
        ledger.last, ledger.disorder = {}, []
        if taker.lossy:
            more.setdefault("lead", 1 << 60)  # what is lost must not hold the producer up
        senders = [Numbered(bus, ledger, run.producing, "q", str(n), **more) for n in range(producers)]
        run.parties(senders, [taker(run, ledger) for _ in range(takers)], lambda: run.kills(ledger),
                    lambda: quiet(ledger, lambda: taker.lossy or ledger.confirmed <= set(ledger.received)))
        self.check(ledger, name, lost=not taker.lossy)
        self.assertGreater(len(ledger.received), 20 * run.crashes)
        return ledger

    def test_at_most_once_is_never_twice(self):
        def taker(run, ledger):
            return Taker(run, ledger, "q", ack="auto", headers={"at-most-once": "true", "activemq.prefetchSize": "20"})
        taker.lossy = True
        ledger = self.one_queue("at most once", taker)
        self.assertEqual([], [name for name, times in ledger.received.items() if times > 1])

    def test_at_least_once_with_cumulative_acknowledgements_loses_nothing(self):
        def taker(run, ledger):
            return Taker(run, ledger, "q", ack="client")
        taker.lossy = False
        self.one_queue("at least once", taker, takers=2)

    def test_exactly_once_with_a_processed_list(self):
        def taker(run, ledger):
            return Exactly(run, ledger, "q")
        taker.lossy = False
        ledger = self.one_queue("exactly once", taker)
        self.assertEqual([], [name for name, times in ledger.received.items() if times > 1])

    def test_groups_keep_their_order_over_kills(self):
        bus = self.bus()
        run, ledger = Run(self, bus, "groups"), Ledger()
        ledger.last, ledger.disorder = {}, []
        senders = [Numbered(bus, ledger, run.producing, "q", f"g{n}", headers={"JMSXGroupID": f"g{n}"}, window=20)
                   for n in range(5)]
        run.parties(senders, [Grouped(run, ledger, "q", headers={"activemq.prefetchSize": "10"}) for _ in range(2)],
                    lambda: run.kills(ledger), lambda: quiet(ledger, lambda: ledger.confirmed <= set(ledger.received)))
        self.check(ledger, "groups")
        self.assertEqual([], ledger.disorder)

    def test_delayed_messages_survive_and_come_at_their_time(self):
        bus = self.bus()
        wire, start = Wire(bus.stomp_port), time.time()
        due = {}
        for n in range(300):
            due[str(n)] = start + 3.0 + 2.0 * (n * 7919 % 300) / 300
            wire.send("SEND", {"destination": "/queue/q", "persistent": "true", "receipt": str(n),
                               "deliver-at": str(int(due[str(n)] * 1000))}, str(n).encode())
        for _ in due:
            self.assertEqual("RECEIPT", wire.read()[0])
        bus.kill9()
        wire.close()
        bus.start()
        self.assertLess(time.time(), start + 3.0, "too slow a machine for this test")
        wire = Wire(bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "auto", "activemq.prefetchSize": "1000"})
        late = {}
        while len(late) < 300:
            frame = wire.read(timeout=10)
            self.assertIsNotNone(frame, f"{300 - len(late)} did not come")
            late[frame[2].decode()] = time.time() - due[frame[2].decode()]
        wire.close()
        print(f"delayed: {min(late.values()) * 1000:.1f} to {max(late.values()) * 1000:.1f} ms after their time", flush=True)
        self.assertGreater(min(late.values()), -0.002, "too early")
        self.assertLess(sorted(late.values())[int(0.98 * len(late))], 0.05)  # this machine may stumble now and then
        self.assertEqual(300, len(late))

    def test_a_full_disk_and_kills_lose_nothing(self):
        bus = self.bus("journal.bytes-max=16777216", "journal.reserve-bytes=1048576", "journal.slack-bytes=1048576",
                       "journal.segment-bytes=1048576")
        run, ledger = Run(self, bus, "full disk"), Ledger()
        senders = [Numbered(bus, ledger, run.producing, "q", str(n), size=20_000, lead=1 << 60) for n in range(2)]
        run.parties(senders, [Taker(run, ledger, "q", pause=0.004)], lambda: run.kills(ledger, 0.3, 1.0),
                    lambda: quiet(ledger, lambda: ledger.confirmed <= set(ledger.received)))
        self.check(ledger, "full disk")
        self.assertGreater(sum(sender.refused for sender in senders), 0, "the disk was never full")

    def test_a_backlog_beyond_the_memory_is_drained_after_a_kill(self):
        bus = self.bus("limits.memory-bytes-max=4194304", "limits.read-ahead-bytes=1048576", "queue-defaults.messages-max=0")
        wire, count = Wire(bus.stomp_port), 4000
        for n in range(count):
            wire.send("SEND", {"destination": "/queue/q", "persistent": "true", "receipt": str(n)}, b"%d" % n + b"x" * 10_000)
            if n >= 100:
                self.assertEqual("RECEIPT", wire.read()[0])
        for _ in range(100):
            self.assertEqual("RECEIPT", wire.read()[0])
        state = json.loads(bus.http("GET", "/api/v1/queues/q")[2])
        self.assertEqual(count, state["depth"])
        self.assertLess(state["inMemory"], 8 << 20)
        bus.kill9()
        wire.close()
        bus.start()
        wire = Wire(bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "client"})
        half = count // 2
        for n in range(half):
            frame = wire.next("MESSAGE")
            self.assertIsNotNone(frame, f"nothing after {n}")
            self.assertEqual(str(n), frame[2].rstrip(b"x").decode())
            if n % 500 == 499:
                wire.send("ACK", {"id": frame[1]["ack"], "receipt": str(n)})
                self.assertTrue(wire.next("RECEIPT"))
        bus.kill9()
        wire.close()
        bus.start()
        wire = Wire(bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "auto"})
        for n in range(half, count):
            frame = wire.next("MESSAGE")
            self.assertIsNotNone(frame, f"nothing after {n}")
            self.assertEqual(str(n), frame[2].rstrip(b"x").decode())
        wire.close()
        with open(f"/proc/{bus.process.pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        print(f"backlog: {count * 10 // 1000} MB over 4 MiB of memory, {peak // 1024} MiB resident at most", flush=True)

    def test_a_backup_under_load_restores_what_was_confirmed(self):
        bus = self.bus()
        ledger, producing, consuming = Ledger(), threading.Event(), threading.Event()
        parties = [Producer(bus, ledger, producing, n) for n in range(2)]
        parties += [Mover(bus, ledger, consuming), Consumer(bus, ledger, consuming)]
        to = bus.directory / "backup"
        try:
            for party in parties:
                party.start()
            time.sleep(1)
            with ledger.lock:
                confirmed, gone = set(ledger.confirmed), set(ledger.acknowledged)
            status, _, body = bus.http("POST", "/api/v1/journal/backup", json.dumps({"to": str(to)}))
            self.assertEqual(202, status, body)
            deadline = time.time() + 60
            while (state := json.loads(bus.http("GET", "/api/v1/journal/backup")[2]))["state"] == "running":
                self.assertLess(time.time(), deadline, state)
                time.sleep(0.02)
            self.assertEqual("done", state["state"], state)
            time.sleep(0.3)
        finally:
            producing.set()
            consuming.set()
        for party in parties:
            party.join(15)
            self.assertIsNone(party.failure)
        bus.kill9()
        with ledger.lock:
            taken = set(ledger.received)
        restored = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(restored.close)
        restored.data.mkdir()
        shutil.copytree(to, restored.data / "journal")
        restored.start()
        found = []
        for queue in ("in", "out"):
            wire = Wire(restored.stomp_port)
            wire.send("SUBSCRIBE", {"id": "0", "destination": f"/queue/{queue}", "ack": "auto"})
            while frame := wire.read(timeout=1):
                found.append(frame[2].rstrip(b"x").decode())
            wire.close()
        print(f"backup: {len(confirmed)} confirmed before it, {len(gone)} taken before it, {len(found)} in it", flush=True)
        self.assertEqual(len(found), len(set(found)), "a message is there twice")
        self.assertEqual(set(), gone & set(found), "taken before the backup, and in it")
        self.assertEqual(set(), confirmed - taken - set(found), "confirmed before the backup, taken by nobody, not in it")

    def test_nothing_confirmed_is_lost_or_done_twice(self):
        seed = int(os.environ.get("BUSBAR_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
        crashes = int(os.environ.get("BUSBAR_CRASHES", "8"))
        print(f"seed: BUSBAR_CRASH_SEED={seed}, {crashes} kills", flush=True)
        chance = random.Random(seed)
        bus = Bus(settings=["journal.segment-bytes=4194304"], env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(bus.close)
        bus.start()
        ledger, producing, consuming = Ledger(), threading.Event(), threading.Event()
        producers = [Producer(bus, ledger, producing, n) for n in range(2)]
        others = [Mover(bus, ledger, consuming), Mover(bus, ledger, consuming), Consumer(bus, ledger, consuming)]
        try:
            for party in producers + others:
                party.start()
            for _ in range(crashes):
                time.sleep(chance.uniform(0.05, 0.8))
                bus.kill9()
                bus.start()
            time.sleep(0.3)
            producing.set()
            for party in producers:
                party.join(15)
            self.settle(ledger, bus)
            consuming.set()
            for party in others:
                party.join(15)
        finally:
            producing.set()
            consuming.set()
        for party in producers + others:
            self.assertIsNone(party.failure)
        lost = ledger.confirmed - set(ledger.received)
        invented = set(ledger.received) - ledger.confirmed - ledger.unknown
        self.assertEqual(set(), lost, "confirmed and lost")
        self.assertEqual(set(), invented, "received, though never sent")
        self.assertEqual([], ledger.returned, "came back after its acknowledgement was confirmed")
        doubled = [name for name, ids in ledger.ids.items() if len(ids) > 1]
        self.assertEqual([], doubled, "moved twice: a transaction was done twice")
        self.assertGreater(len(ledger.confirmed), 50 * crashes)
        print(f"{len(ledger.confirmed)} confirmed, {len(ledger.unknown)} cut off, {len(ledger.received)} came out, "
              f"{sum(ledger.received.values()) - len(ledger.received)} redelivered before their acknowledgement")
        self.assertEqual(0, bus.terminate())

    def settle(self, ledger, bus):
        """Waits until nothing more comes out, or a minute."""
        deadline, seen = time.time() + 60, -1
        while time.time() < deadline:
            time.sleep(1)
            with ledger.lock:
                total = sum(ledger.received.values())
                done = ledger.confirmed <= set(ledger.received)
            if done and total == seen:
                return
            seen = total


if __name__ == "__main__":
    unittest.main()
