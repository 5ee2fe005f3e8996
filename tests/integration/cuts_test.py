"""Does a reconnecting client keep the promise wherever its connection breaks?

A proxy cuts the connection before each frame in turn, and once within one, in both directions; the client reconnects and
goes on. At the end what was sent was received, each message once. STOMP by stomp.py and AMQP by python3-qpid-proton, with
numbered sends and exactly-once consumers; plain AMQP with links that are resumed by their unsettled maps, by a client of our
own, as none of the others can; OpenWire by ActiveMQ's Java client and its failover:.
"""
import json
import logging
import queue
import time
import unittest

import proton
import stomp
from proton.reactor import ReceiverOption
from proton.utils import BlockingConnection

import amqp_wire
from amqp_wire import ACCEPTED, DETACH, RECEIVER, TRANSFER, AmqpWire, Described, Symbol, Uint
from busbar_fixture import Bus
from cutting_proxy import DOWN, UP, CuttingProxy, amqp_frame, openwire_frame, stomp_frame
from java_client import Peer

COUNT = 3          # messages of one run
FRAMES_MAX = 60    # of one direction of one run: more means that the client does not come to its end
ATTEMPTS_MAX = 5   # a client that needs more connections than this does not get on
WAIT = 20


logging.getLogger("stomp.py").setLevel(logging.CRITICAL)  # it reports each cut


class Lost(Exception):
    """The connection broke: the client goes on with another one."""


class StompClient:
    """stomp.py as an application uses it that wants each message once."""

    def __init__(self, port):
        self.port, self.done, self.bodies, self.open = port, {}, [], set()

    # ---- a connection

    class Ear(stomp.ConnectionListener):
        def __init__(self):
            self.events = queue.Queue()

        def on_connected(self, frame):
            self.events.put(("connected", frame))

        def on_message(self, frame):
            self.events.put(("message", frame))

        def on_receipt(self, frame):
            self.events.put(("receipt", frame.headers["receipt-id"]))

        def on_error(self, frame):
            self.events.put(("error", frame))

        def on_disconnected(self):
            self.events.put(("lost", None))

    def __enter__(self):
        self.ear = self.Ear()
        self.connection = stomp.Connection12([("127.0.0.1", self.port)], reconnect_attempts_max=1)
        self.connection.set_listener("", self.ear)
        self.guard(self.connection.connect, "admin", "secret")
        self.next("connected")
        return self

    def __exit__(self, kind, *_):
        try:
            self.connection.disconnect()
        except (stomp.exception.StompException, OSError):
            pass
        return kind is Lost

    @staticmethod
    def guard(act, *arguments, **options):
        try:
            act(*arguments, **options)
        except (stomp.exception.StompException, OSError) as error:
            raise Lost from error

    def next(self, *wanted):
        kind, what = self.ear.events.get(timeout=WAIT)
        if kind == "lost":
            raise Lost
        assert kind in wanted, (kind, what)
        return kind, what

    # ---- the two jobs; each call is one connection

    def produce(self, name, count):
        """True when all are confirmed: what has no receipt is sent again under its number."""
        with self:
            missing = [n for n in range(1, count + 1) if n not in self.done]
            for n in missing:
                self.guard(self.connection.send, "/queue/" + name, f"m{n}", "text/plain", receipt=str(n), headers={
                    "persistent": "true", "busbar-producer": name, "busbar-sequence": n})
            for _ in missing:
                self.done[int(self.next("receipt")[1])] = True
        return len(self.done) == count

    def consume(self, name, count):
        """True when all are processed and their acknowledgements confirmed."""
        with self:
            headers = {"exactly-once": "true", "exclusive": "true"}
            if self.open:
                headers["processed"] = ",".join(map(str, sorted(self.open)))
            self.guard(self.connection.subscribe, "/queue/" + name, "s", ack="client-individual", headers=headers | {"receipt": "s"})
            while True:
                kind, what = self.next("message", "receipt")
                if kind == "message":
                    number = int(what.headers["busbar-stored"])
                    self.bodies.append(what.body)
                    self.open.add(number)
                    self.guard(self.connection.ack, what.headers["ack"], receipt=str(number))
                elif what == "s":
                    self.open.clear()  # those that were named have left the queue
                else:
                    self.open.discard(int(what))
                if len(self.bodies) >= count and not self.open:
                    return True
        return False


class ExactlyOnce(ReceiverOption):
    def __init__(self, processed):
        self.processed = processed

    def apply(self, receiver):
        properties = {proton.symbol("busbar-exactly-once"): True, proton.symbol("exclusive"): True}
        if self.processed:
            properties[proton.symbol("busbar-processed")] = ",".join(map(str, sorted(self.processed)))
        receiver.properties = properties


class AmqpClient:
    """python3-qpid-proton's blocking client."""

    def __init__(self, port):
        self.port, self.done, self.bodies, self.processed = port, 0, [], set()

    def __enter__(self):
        self.connection = None
        try:
            self.connection = BlockingConnection(f"127.0.0.1:{self.port}", user="admin", password="secret", timeout=WAIT,
                                                 allowed_mechs="PLAIN")
        except (proton.ProtonException, OSError) as error:
            raise Lost from error
        return self

    def __exit__(self, kind, error, _):
        self.connection.timeout = 0.2  # where the cut comes that late nobody answers the close
        try:
            self.connection.close()
        except (proton.ProtonException, OSError):
            pass
        return kind is not None and issubclass(kind, (proton.ProtonException, OSError)) and not issubclass(kind, proton.Timeout)

    def produce(self, name, count):
        with self:
            sender = self.connection.create_sender(name)
            while self.done < count:
                number = self.done + 1
                sender.send(proton.Message(body=f"m{number}", durable=True, annotations={
                    proton.symbol("x-opt-busbar-producer"): name,
                    proton.symbol("x-opt-busbar-sequence"): proton.ulong(number)}))
                self.done = number
        return self.done == count

    def consume(self, name, count):
        with self:
            receiver = self.connection.create_receiver(name, credit=10, options=ExactlyOnce(self.processed))
            while len(self.bodies) < count:
                message = receiver.receive(timeout=WAIT)
                self.bodies.append(message.body)
                self.processed.add(int(message.instructions[proton.symbol("x-opt-busbar-stored")]))
                receiver.accept()
            return self.drained(receiver, name)
        return False

    @staticmethod
    def drained(receiver, name):
        """Returns when the acceptances got through: the blocking client writes when it waits, here for other links, and Proton
        writes the attach of a turn before its dispositions."""
        receiver.connection.create_sender(name, name="first")
        receiver.connection.create_sender(name, name="second")
        return True


class ResumingAmqpClient:
    """Plain AMQP 1.0, with nothing of Busbar's: links are resumed with what is unsettled (section 2.6.13)."""

    def __init__(self, port):
        self.port, self.attached, self.unsettled, self.sent, self.bodies = port, False, {}, 0, []

    def __enter__(self):
        try:
            self.wire = AmqpWire(self.port, "secret", timeout=WAIT)
        except (amqp_wire.Closed, OSError) as error:
            raise Lost from error
        return self

    def __exit__(self, kind, *_):
        self.wire.close()
        return kind is not None and issubclass(kind, (amqp_wire.Closed, OSError))

    def produce(self, name, count):
        with self:
            ours = dict.fromkeys(self.unsettled) if self.attached else None
            known = self.wire.attach_sender(name, name, ours)[7] or {}
            self.attached = True
            waiting = {}
            for tag in list(self.unsettled):
                if tag in known:
                    self.wire.transfer(tag, b"", state=Described(ACCEPTED, []), settled=True, resume=True)
                    del self.unsettled[tag]
                else:
                    waiting[self.wire.transfer(tag, self.unsettled[tag])] = tag
            while self.sent < count:
                self.sent += 1
                tag = b"%d" % self.sent
                self.unsettled[tag] = amqp_wire.message(f"m{self.sent}")
                waiting[self.wire.transfer(tag, self.unsettled[tag])] = tag
            while waiting:
                for number, (code, _) in self.wire.answers(1).items():
                    assert code == ACCEPTED, code
                    self.wire.settle(number)
                    del self.unsettled[waiting.pop(number)]
            return True
        return False

    def consume(self, name, count):
        with self:
            done = Described(ACCEPTED, [])
            self.wire.attach_receiver(name, name, self.unsettled if self.attached else None, properties={Symbol("exclusive"): True})
            self.attached = True
            self.unsettled = {}  # what was named has left the queue
            while len(self.bodies) < count:
                frame = self.wire.wait(TRANSFER)
                self.bodies.append(amqp_wire.text_of(frame.payload))
                self.unsettled[frame[2]] = done
                self.wire.settle(frame[1], RECEIVER, done)
            self.wire.say(DETACH, Uint(0), False)
            self.wire.wait(DETACH)
            return True
        return False


class CutsTest(unittest.TestCase):
    """What the protocols share: the loop over all frames."""

    @classmethod
    def setUpClass(cls):
        cls.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        cls.addClassCleanup(cls.bus.close)
        cls.bus.start()

    def look(self, name):
        """The bodies on a queue, in order."""
        status, _, body = self.bus.http("GET", f"/queues/{name}/messages?browse=true&max=1000")
        return [message["body"] for message in json.loads(body)["messages"]] if status == 200 else []

    def wait_empty(self, name):
        deadline = time.monotonic() + WAIT
        while self.look(name) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual([], self.look(name), "not acknowledged")

    def fill(self, name):
        for n in range(1, COUNT + 1):
            self.assertEqual(201, self.bus.http("POST", f"/queues/{name}/messages", f"m{n}", {"Content-Type": "text/plain"})[0])

    def all_cuts(self, port, frame, run):
        """`run(port, name)` once for each frame of both directions, and once more for a cut within one."""
        for direction in (UP, DOWN):
            at = 0
            while self.one_cut(port, frame, run, direction, at, False):
                at += 1
                self.assertLess(at, FRAMES_MAX)
            self.assertGreater(at, 3, "there was nothing to cut")
            self.assertTrue(self.one_cut(port, frame, run, direction, at // 2, True))
            print(f"{self.id().split('.', 1)[1]}: {at + 1} cuts {direction}", flush=True)

    def one_cut(self, port, frame, run, direction, at, within):
        proxy = CuttingProxy(port, frame, direction, at, within)
        try:
            with self.subTest(direction=direction, frame=at, within=within):
                run(proxy.port, f"{self.id().split('.')[-1]}.{'up' if direction == UP else 'down'}.{at}.{within}")
            return proxy.cut
        finally:
            proxy.close()

    def persist(self, job, name):
        for _ in range(ATTEMPTS_MAX):
            try:
                if job(name, COUNT):
                    return
            except Lost:
                pass
        self.fail(f"not done after {ATTEMPTS_MAX} connections")

    EXPECTED = [f"m{n}" for n in range(1, COUNT + 1)]

    def producer(self, make):
        def run(port, name):
            self.persist(make(port).produce, name)
            self.assertEqual(self.EXPECTED, self.look(name))
        return run

    def consumer(self, make):
        def run(port, name):
            self.fill(name)
            client = make(port)
            self.persist(client.consume, name)
            self.assertEqual(self.EXPECTED, client.bodies)
            self.wait_empty(name)
        return run

    def test_stomp_producer(self):
        self.all_cuts(self.bus.stomp_port, stomp_frame, self.producer(StompClient))

    def test_stomp_consumer(self):
        self.all_cuts(self.bus.stomp_port, stomp_frame, self.consumer(StompClient))

    def test_amqp_producer(self):
        self.all_cuts(self.bus.amqp_port, amqp_frame, self.producer(AmqpClient))

    def test_amqp_consumer(self):
        self.all_cuts(self.bus.amqp_port, amqp_frame, self.consumer(AmqpClient))

    def test_amqp_links_that_send_are_resumed(self):
        self.all_cuts(self.bus.amqp_port, amqp_frame, self.producer(ResumingAmqpClient))

    def test_amqp_links_that_receive_are_resumed(self):
        self.all_cuts(self.bus.amqp_port, amqp_frame, self.consumer(ResumingAmqpClient))


class FailoverCutsTest(CutsTest):
    """ActiveMQ's client reconnects by itself: the application does not see the cut."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.peer = Peer()
        cls.addClassCleanup(cls.peer.close)

    def open(self, port):
        """A close whose answer was cut off is waited for closeTimeout long."""
        options = f"initialReconnectDelay=10&useExponentialBackOff=false&timeout={WAIT * 1000}&jms.closeTimeout=300"
        self.peer("open", **{"as": "x"}, user="admin", password="secret", url=f"failover:(tcp://127.0.0.1:{port})?{options}")

    def test_openwire_producer(self):
        def run(port, name):
            self.open(port)
            self.peer("send", **{"as": "x"}, queue=name, messages=[{"kind": "text", "body": body} for body in self.EXPECTED])
            self.peer("close", **{"as": "x"})
            self.assertEqual(self.EXPECTED, self.look(name))
        self.all_cuts(self.bus.openwire_port, openwire_frame, run)

    def test_openwire_consumer(self):
        def run(port, name):
            self.fill(name)
            self.open(port)
            got = self.peer("receive", **{"as": "x"}, queue=name, count=COUNT, ms=WAIT * 1000)["messages"]
            self.assertEqual(self.EXPECTED, [message["body"] for message in got])
            # An acknowledgement that was lost is made up for when the client is back: it knows what it had.
            self.wait_empty(name)
            self.assertEqual([], self.peer("receive", **{"as": "x"}, queue=name, count=1, ms=50)["messages"])
            self.peer("close", **{"as": "x"})
        self.all_cuts(self.bus.openwire_port, openwire_frame, run)

    # Those of the others are not run again.
    test_stomp_producer = test_stomp_consumer = test_amqp_producer = test_amqp_consumer = None
    test_amqp_links_that_send_are_resumed = test_amqp_links_that_receive_are_resumed = None


if __name__ == "__main__":
    unittest.main(verbosity=2)
