"""AMQP 1.0 against a real bus with python3-qpid-proton (rhea: node_clients_test.py; C++: proton_cpp_test.py)."""

import json
import os
import socket
import time
import unittest
import uuid

from busbar_fixture import Bus
from proton import (ConnectionException, Data, Delivery, Described, Link, Message, Terminus, Timeout, symbol,
                    timestamp, uint)
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import Container, Copy, ReceiverOption, Selector
from proton.utils import BlockingConnection, LinkDetached, SendException
from stomp_wire import Wire


class Capabilities(ReceiverOption):
    """A receiver whose source has these capabilities."""

    def __init__(self, *names):
        self.names = names

    def apply(self, receiver):
        receiver.source.capabilities.put_array(False, Data.SYMBOL)
        receiver.source.capabilities.enter()
        for name in self.names:
            receiver.source.capabilities.put_symbol(name)


class Durable(Capabilities):
    def apply(self, receiver):
        super().apply(receiver)
        receiver.source.durability = Terminus.DELIVERIES
        receiver.source.expiry_policy = Terminus.EXPIRE_NEVER


class AmqpTest(unittest.TestCase):
    settings = ()
    config = None

    def setUp(self):
        self.bus = Bus(config=self.config, settings=["queue-defaults.deliveries-max=3", *self.settings])
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.open = []

    def tearDown(self):
        for connection in self.open:
            try:
                connection.close()
            except Exception:
                pass

    def connect(self, password=None, timeout=10, **options):
        options.setdefault("allowed_mechs", "PLAIN")
        connection = BlockingConnection(f"127.0.0.1:{self.bus.amqp_port}", user="admin",
                                        password=password or self.bus.password, timeout=timeout, **options)
        self.open.append(connection)
        return connection

    def send(self, address, *bodies, **fields):
        sender = self.connect().create_sender(address)
        for body in bodies:
            sender.send(Message(body=body, durable=True, **fields))

    def receive(self, address, count=1, timeout=5, options=None, connection=None):
        receiver = (connection or self.connect()).create_receiver(address, credit=count, options=options)
        out = []
        for _ in range(count):
            out.append(receiver.receive(timeout=timeout))
            receiver.accept()
        receiver.close()
        return out

    def nothing(self, receiver, timeout=0.3):
        """Nothing comes on the credit that there is."""
        with self.assertRaises(Timeout):
            receiver.connection.wait(lambda: receiver.fetcher.has_message, timeout=timeout)

    def fail(self, receiver):
        """modified, with delivery-failed, which python's release() leaves out."""
        receiver.fetcher.unsettled[0].local.failed = True
        receiver.release(delivered=True)

    def round_trip(self, receiver):
        """The blocking client writes when it waits."""
        receiver.connection.create_sender(None, name=str(uuid.uuid4()))

    def wait_depth(self, queue, wanted):
        deadline = time.monotonic() + 5
        while True:
            status, _, body = self.bus.http("GET", f"/api/v1/queues/{queue}")
            depth = json.loads(body)["depth"] if status == 200 else 0
            if depth == wanted or time.monotonic() > deadline:
                return self.assertEqual(depth, wanted)
            time.sleep(0.02)


class LoginTest(AmqpTest):
    def test_wrong_password_is_refused(self):
        with self.assertRaises(ConnectionException):
            self.connect(password="wrong", timeout=3)

    def test_anonymous_is_not_offered(self):
        with self.assertRaises(ConnectionException):
            BlockingConnection(f"127.0.0.1:{self.bus.amqp_port}", timeout=3, allowed_mechs="ANONYMOUS")

    def test_garbage_and_silence_before_login_end(self):
        with socket.create_connection(("127.0.0.1", self.bus.amqp_port), 5) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            s.settimeout(5)
            while s.recv(4096):
                pass


class AnonymousTest(AmqpTest):
    settings = ("amqp.anonymous=true",)
    config = ('<busbar xmlns="urn:busbar:configuration"><permissions>'
              '<allow role="anonymous" queues="anonymous.&gt;" rights="send create"/></permissions></busbar>')

    def test_anonymous_where_it_is_configured(self):
        connection = BlockingConnection(f"127.0.0.1:{self.bus.amqp_port}", timeout=5)
        with self.assertRaises(SendException):
            connection.create_sender("elsewhere").send(Message(body="x"))
        connection.create_sender("anonymous.q").send(Message(body="x"))
        self.assertEqual(self.receive("anonymous.q")[0].user_id, b"anonymous")
        connection.close()


class MessageTest(AmqpTest):
    def test_what_is_sent_is_received(self):
        sent = Message(body={"a": 1, "b": [True, "x", b"y", None], "c": 1.5}, durable=True, id="id-1",
                       subject="kind", correlation_id=uuid.UUID(int=7), reply_to="answers", priority=7,
                       ttl=60, group_id="g", group_sequence=3, content_type="a/b", content_encoding="gzip",
                       reply_to_group_id="h", creation_time=1700000000.0,
                       properties={"s": "t", "n": 3, "u": uint(7), "w": timestamp(99), "f": 1.5, "b": False,
                                   "id": uuid.UUID(int=9)},
                       annotations={symbol("x-opt-mine"): "kept"})
        sender = self.connect().create_sender("q")
        self.assertEqual(sender.send(sent).remote_state, Delivery.ACCEPTED)
        got = self.receive("q")[0]
        for field in ("body", "id", "subject", "correlation_id", "reply_to", "priority", "group_id",
                      "group_sequence", "content_type", "content_encoding", "reply_to_group_id", "creation_time",
                      "properties", "durable"):
            self.assertEqual(getattr(got, field), getattr(sent, field), field)
        for name in sent.properties:
            self.assertIs(type(got.properties[name]), type(sent.properties[name]), name)
        self.assertEqual(got.annotations[symbol("x-opt-mine")], "kept")
        self.assertEqual(got.user_id, b"admin")
        self.assertEqual(got.delivery_count, 0)
        self.assertLessEqual(got.ttl, 60)

    def test_every_kind_of_body(self):
        bodies = ["text", "", b"bytes", {"k": 1}, [1, "two", None], None, 42, 1.5, True, uuid.UUID(int=1),
                  timestamp(5), symbol("s"), {"deep": {"er": [1, [2]]}}, {1: "key"}, Described(symbol("d"), [1])]
        self.send("bodies", *bodies)
        for sent, got in zip(bodies, self.receive("bodies", len(bodies))):
            if isinstance(sent, Described):
                self.assertEqual((got.body.descriptor, got.body.value), (sent.descriptor, sent.value))
            else:
                self.assertEqual(got.body, sent)
            self.assertIs(type(got.body), type(sent))
        sender = self.connect().create_sender("inferred")
        for body in (b"raw", [1, 2]):
            sender.send(Message(body=body, inferred=True))
        data, sequence = self.receive("inferred", 2)
        self.assertTrue(data.inferred and data.body == b"raw")
        self.assertTrue(sequence.inferred and sequence.body == [1, 2])

    def test_large_messages(self):
        body = os.urandom(1 << 16) * 640  # 40 MiB
        self.send("large", body, body + b"x")
        receiver = self.connect().create_receiver("large", credit=1)
        started = time.monotonic()
        for wanted in (body, body + b"x"):
            self.assertEqual(receiver.receive(timeout=30).body, wanted)
            receiver.accept()
        self.assertLess(time.monotonic() - started, 20, "it stalled")

    def test_text_crosses_with_stomp(self):
        wire = Wire(self.bus.stomp_port, passcode=self.bus.password)
        wire.send("SEND", {"destination": "/queue/cross", "receipt": "1"})
        wire.next("RECEIPT")
        wire.send("SEND", {"destination": "/queue/cross", "content-type": "text/plain", "receipt": "2"},
                  "h\u00e4llo".encode())
        wire.next("RECEIPT")
        empty, text = self.receive("cross", 2)
        self.assertEqual((empty.body, text.body), ("", "h\u00e4llo"))
        self.send("cross", "zur\u00fcck", subject="kind", properties={"n": 5})
        wire.send("SUBSCRIBE", {"destination": "/queue/cross", "id": "1"})
        _, headers, body = wire.next("MESSAGE")
        self.assertEqual(body.decode(), "zur\u00fcck")
        self.assertEqual((headers["n"], headers["type"]), ("5", "kind"))
        wire.close()

    def test_large_bodies_of_other_wires_are_streamed(self):
        body = os.urandom(1 << 16) * 160  # 10 MiB: a file of its own
        status, _, _ = self.bus.http("POST", "/queues/files/messages", body,
                                     {"Content-Type": "application/octet-stream"}, timeout=60)
        self.assertEqual(status, 201)
        self.assertEqual(self.receive("files", timeout=30)[0].body, body)
        self.wait_depth("files", 0)

    def test_expired_and_delayed(self):
        self.send("later", "soon", annotations={symbol("x-opt-delivery-delay"): 700})
        started = time.monotonic()
        self.receive("later")
        self.assertGreater(time.monotonic() - started, 0.3)

    def test_relay_sends_to_the_address_of_each_message(self):
        sender = self.connect().create_sender(None)
        sender.send(Message(body="1", address="relay.a"))
        sender.send(Message(body="2", address="queue://relay.b"))
        self.assertEqual(self.receive("relay.a")[0].body, "1")
        self.assertEqual(self.receive("relay.b")[0].body, "2")
        with self.assertRaises(Exception):
            sender.send(Message(body="nowhere"))

    def test_dedup_id(self):
        self.send("once", "a", properties={"_AMQ_DUPL_ID": "k1"})
        self.send("once", "a", properties={"_AMQ_DUPL_ID": "k1"})
        self.wait_depth("once", 1)


class SmallTest(AmqpTest):
    settings = ("amqp.body-bytes-max=200000", "limits.large-body-bytes-max=200000", "amqp.credit=5")

    def test_too_large_is_refused_and_the_connection_lives(self):
        connection = self.connect()
        with self.assertRaises(LinkDetached) as caught:
            connection.create_sender("huge").send(Message(body=b"x" * 10_000_000))
        self.assertIn("message-size-exceeded", str(caught.exception))
        connection.create_sender("small").send(Message(body="x"))
        self.assertEqual(self.receive("small")[0].body, "x")

    def test_credit_comes_back(self):
        sender = self.connect().create_sender("many")
        self.assertEqual(sender.link.remote_max_message_size, 200000)
        for n in range(50):
            sender.send(Message(body=str(n)))
        self.assertEqual(len(self.receive("many", 50)), 50)


class SettlementTest(AmqpTest):
    def test_outcomes(self):
        self.send("o", "x")
        receiver = self.connect().create_receiver("o", credit=1)
        self.assertEqual(receiver.receive(timeout=5).delivery_count, 0)
        receiver.release(delivered=False)
        self.assertEqual(receiver.receive(timeout=5).delivery_count, 0)
        receiver.release(delivered=True)  # modified, but not failed
        self.assertEqual(receiver.receive(timeout=5).delivery_count, 0)
        self.fail(receiver)
        self.assertEqual(receiver.receive(timeout=5).delivery_count, 1)
        receiver.reject()
        self.round_trip(receiver)
        self.assertEqual(self.receive("DLQ.o")[0].body, "x")
        self.wait_depth("o", 0)

    def test_undeliverable_here_is_a_dead_letter(self):
        self.send("u", "x")
        receiver = self.connect().create_receiver("u", credit=1)
        receiver.receive(timeout=5)
        receiver.fetcher.unsettled[0].local.undeliverable = True
        receiver.release(delivered=True)
        self.round_trip(receiver)
        self.assertEqual(self.receive("DLQ.u")[0].body, "x")

    def test_failures_end_in_the_dead_letters(self):
        self.send("f", "x")
        receiver = self.connect().create_receiver("f", credit=1)
        for count in range(3):
            self.assertEqual(receiver.receive(timeout=5).delivery_count, count)
            self.fail(receiver)
        self.round_trip(receiver)
        self.assertEqual(self.receive("DLQ.f")[0].body, "x")

    def test_closed_receiver_gives_back_what_it_held(self):
        self.send("back", "x")
        connection = self.connect()
        receiver = connection.create_receiver("back", credit=1)
        receiver.receive(timeout=5)
        receiver.close()
        self.assertEqual(self.receive("back")[0].body, "x")

    def test_pre_settled(self):
        class AtMostOnce(ReceiverOption):
            def apply(self, receiver):
                receiver.snd_settle_mode = Link.SND_SETTLED
        self.send("p", "1", "2")
        receiver = self.connect().create_receiver("p", credit=2, options=AtMostOnce())
        for body in "12":
            self.assertEqual(receiver.receive(timeout=5).body, body)
        self.wait_depth("p", 0)

    def test_second_settle_mode_is_answered(self):
        class Second(ReceiverOption):
            def apply(self, receiver):
                receiver.rcv_settle_mode = Link.RCV_SECOND
        self.send("second", "x")
        connection = self.connect()
        receiver = connection.create_receiver("second", credit=1, options=Second())
        receiver.receive(timeout=5)
        delivery = receiver.fetcher.unsettled[0]
        delivery.update(Delivery.ACCEPTED)
        connection.wait(lambda: delivery.settled, msg="the bus settles", timeout=5)
        self.wait_depth("second", 0)

    def test_drain(self):
        self.send("d", "1", "2")
        connection = self.connect()
        receiver = connection.create_receiver("d", credit=0)
        receiver.link.drain(10)
        self.assertEqual(receiver.receive(timeout=5).body, "1")
        self.assertEqual(receiver.receive(timeout=5).body, "2")
        connection.wait(lambda: not receiver.link.draining(), msg="drained", timeout=5)
        self.assertEqual(receiver.link.credit, 0)
        self.send("d", "3")
        receiver.link.drain_mode = False
        receiver.flow(1)
        self.assertEqual(receiver.receive(timeout=5).body, "3")


class SourceTest(AmqpTest):
    def test_selector(self):
        sender = self.connect().create_sender("sel")
        for colour in ("red", "blue"):
            sender.send(Message(body=colour, properties={"colour": colour}))
        receiver = self.connect().create_receiver("sel", credit=5, options=Selector("colour = 'blue'"))
        self.assertEqual(receiver.receive(timeout=5).body, "blue")
        self.nothing(receiver)
        filters = receiver.link.remote_source.filter
        self.assertTrue(filters.next() and filters.type() == Data.MAP)

    def test_bad_selector_is_refused(self):
        with self.assertRaises(LinkDetached) as caught:
            self.connect().create_receiver("sel", options=Selector("colour = = 3"))
        self.assertIn("amqp:invalid-field", str(caught.exception))

    def test_browse_takes_nothing(self):
        self.send("b", *[str(n) for n in range(250)])
        receiver = self.connect().create_receiver("b", credit=300, options=Copy())
        for n in range(250):
            self.assertEqual(receiver.receive(timeout=5).body, str(n))
        self.nothing(receiver, 0.2)
        self.wait_depth("b", 250)

    def test_topic_has_copies_for_each(self):
        connection = self.connect()
        receivers = [connection.create_receiver("topic://prices.*", credit=5, name=name) for name in "ab"]
        self.send("topic://prices.eur", "1.1")
        for receiver in receivers:
            self.assertEqual(receiver.receive(timeout=5).body, "1.1")

    def test_topic_by_capability(self):
        receiver = self.connect().create_receiver("news", credit=5, options=Capabilities("topic"))
        self.send("topic://news", "x")
        self.assertEqual(receiver.receive(timeout=5).body, "x")

    def test_durable_subscription_survives_its_connection(self):
        def subscribe():
            connection = self.connect()
            return connection, connection.create_receiver("topic://t", credit=5, name="sub",
                                                          options=Durable("shared", "global"))
        connection, receiver = subscribe()
        receiver.link.detach()
        connection.close()
        self.send("topic://t", "while away")
        connection, receiver = subscribe()
        self.assertEqual(receiver.receive(timeout=5).body, "while away")
        receiver.accept()
        receiver.close()  # ends the subscription
        self.send("topic://t", "for nobody")
        _, receiver = subscribe()
        self.nothing(receiver)

    def test_unsubscribe_by_a_link_without_source(self):
        connection = self.connect()
        receiver = connection.create_receiver("topic://un", name="n|global", options=Durable("shared", "global"))
        receiver.link.detach()
        connection.close()
        connection = self.connect()
        again = connection.create_receiver(None, name="n|global")
        self.assertEqual(again.link.remote_source.address, "n")
        again.close()
        with self.assertRaises(LinkDetached) as caught:
            self.connect().create_receiver(None, name="n|global")
        self.assertIn("amqp:not-found", str(caught.exception))

    def test_shared_subscription_is_shared(self):
        receivers = []
        for name in ("s", "s|2"):
            receivers.append(self.connect().create_receiver("topic://sh", credit=1, name=name,
                                                            options=Durable("shared", "global")))
        self.send("topic://sh", "1", "2")
        self.assertEqual({r.receive(timeout=5).body for r in receivers}, {"1", "2"})

    def test_request_reply_over_a_dynamic_node(self):
        server = self.connect()
        requests = server.create_receiver("service", credit=5)
        client = self.connect()
        replies = client.create_receiver(None, credit=5, dynamic=True)
        address = replies.link.remote_source.address
        self.assertTrue(address.startswith("temp-queue://"), address)
        client.create_sender("service").send(Message(body="ping", reply_to=address, correlation_id="7"))
        request = requests.receive(timeout=5)
        server.create_sender(request.reply_to).send(
            Message(body="pong", correlation_id=request.correlation_id))
        requests.accept()
        reply = replies.receive(timeout=5)
        self.assertEqual((reply.body, reply.correlation_id), ("pong", "7"))
        client.close()
        with self.assertRaises(Exception):
            server.create_sender(address).send(Message(body="late"))


class Work(MessagingHandler, TransactionHandler):
    """Receives from one queue and sends to another within transactions; each is committed or aborted in turn."""

    def __init__(self, url, password, source, target, decisions):
        MessagingHandler.__init__(self, prefetch=0, auto_accept=False)
        self.url, self.password, self.source, self.target = url, password, source, target
        self.decisions, self.seen, self.ends, self.failure = list(decisions), [], [], None
        self.transaction = None

    def on_start(self, event):
        self.container = event.container
        self.connection = event.container.connect(self.url, user="admin", password=self.password,
                                                  allowed_mechs="PLAIN", reconnect=False)
        self.receiver = event.container.create_receiver(self.connection, self.source)
        self.sender = event.container.create_sender(self.connection, self.target)
        self.next()

    def next(self):
        if not self.decisions:
            return self.connection.close()
        self.container.declare_transaction(self.connection, handler=self)

    def on_transaction_declared(self, event):
        self.transaction = event.transaction
        self.receiver.flow(1)

    def on_message(self, event):
        self.seen.append((event.message.body, event.message.delivery_count))
        self.transaction.accept(event.delivery)
        self.transaction.send(self.sender, Message(body="re: " + event.message.body, durable=True))
        if self.decisions.pop(0):
            self.transaction.commit()
        else:
            self.transaction.abort()

    def on_transaction_committed(self, event):
        self.ends.append("committed")
        self.next()

    def on_transaction_aborted(self, event):
        self.ends.append("aborted")
        self.next()

    def on_transaction_declare_failed(self, event):
        self.ends.append("declare failed")
        self.connection.close()

    def on_transaction_commit_failed(self, event):
        self.ends.append("commit failed")
        self.connection.close()

    def on_transport_error(self, event):
        self.failure = event.transport.condition


class TransactionTest(AmqpTest):
    def test_commit_and_abort(self):
        self.send("in", "1", "2")
        work = Work(f"127.0.0.1:{self.bus.amqp_port}", self.bus.password, "in", "out", [False, True, True])
        Container(work).run()
        self.assertEqual(work.ends, ["aborted", "committed", "committed"], work.failure)
        self.assertEqual(work.seen, [("1", 0), ("1", 1), ("2", 0)])
        self.assertEqual([m.body for m in self.receive("out", 2)], ["re: 1", "re: 2"])
        self.wait_depth("in", 0)
        self.wait_depth("out", 0)

    def test_what_was_committed_survives_a_kill(self):
        self.send("in", "1")
        work = Work(f"127.0.0.1:{self.bus.amqp_port}", self.bus.password, "in", "out", [True])
        Container(work).run()
        self.bus.kill9()
        self.bus.start()
        self.assertEqual(self.receive("out")[0].body, "re: 1")
        self.wait_depth("in", 0)


class Numbers(MessagingHandler):
    """Sends numbers, each when the one before is confirmed, through a kill of the bus; then takes them all. Proton reconnects by itself."""
    KILL, COUNT = 20, 60

    def __init__(self, url, password, kill):
        super().__init__(prefetch=100)
        self.url, self.password, self.kill = url, password, kill
        self.confirmed, self.opens, self.sent_at, self.came, self.failure = 0, 0, 0, [], None

    def on_start(self, event):
        event.container.schedule(60, self)
        self.connection = event.container.connect(self.url, user="admin", password=self.password, allowed_mechs="PLAIN", reconnect=[0.1] * 300)
        self.sender = event.container.create_sender(self.connection, "numbers")

    def on_timer_task(self, event):
        self.failure = f"{self.confirmed} are confirmed and {len(self.came)} came after {self.opens} connections"
        event.container.stop()

    def on_connection_opened(self, event):
        self.opens += 1

    def on_sendable(self, event):
        if self.sent_at != self.opens:  # at first, and what was not confirmed when the connection was lost
            self.send()

    def send(self):
        self.sent_at = self.opens
        self.sender.send(Message(body=self.confirmed, durable=True))

    def on_accepted(self, event):
        self.confirmed += 1
        if self.confirmed == self.KILL:
            self.kill()
        if self.confirmed < self.COUNT:
            self.send()
        else:
            event.container.create_receiver(self.connection, "numbers")

    def on_message(self, event):
        self.came.append(event.message.body)
        if len(set(self.came)) == self.COUNT:
            event.container.stop()


class RecoveryTest(AmqpTest):
    def test_the_client_reconnects_by_itself_after_a_kill(self):
        def kill():
            self.bus.kill9()
            self.bus.start()
        numbers = Numbers(f"127.0.0.1:{self.bus.amqp_port}", self.bus.password, kill)
        Container(numbers).run()
        self.assertIsNone(numbers.failure, self.bus.log()[-2000:])
        self.assertEqual(2, numbers.opens)
        once = [n for n in numbers.came if n != Numbers.KILL]  # that one was sent to the killed bus, and again
        self.assertEqual([n for n in range(Numbers.COUNT) if n != Numbers.KILL], once)

    def test_nothing_confirmed_is_lost_by_a_kill(self):
        sender = self.connect().create_sender("k")
        for n in range(200):
            sender.send(Message(body=str(n), durable=True))
        self.bus.kill9()
        self.bus.start()
        got = [m.body for m in self.receive("k", 200)]
        self.assertEqual(got, [str(n) for n in range(200)])
        self.wait_depth("k", 0)

    def test_idle_clients_are_kept_by_heartbeats(self):
        self.bus.terminate()
        self.bus.settings.append("amqp.idle-timeout-ms=600")
        self.bus.start()
        self.connect().close()  # the password is remembered: on a busy machine checking it takes longer than a heartbeat
        connection = self.connect(heartbeat=1)
        receiver = connection.create_receiver("idle", credit=1)
        self.nothing(receiver, 1.5)
        self.send("idle", "x")
        self.assertEqual(receiver.receive(timeout=5).body, "x")

    def test_silent_client_is_cut_off(self):
        self.bus.terminate()
        self.bus.settings.append("amqp.idle-timeout-ms=400")
        self.bus.start()
        connection = self.connect()
        connection.create_receiver("x", credit=1)
        deadline = time.monotonic() + 5  # the client does not work its connection meanwhile
        while json.loads(self.bus.http("GET", "/api/v1/sessions")[2])["sessions"][-1]["protocol"] == "amqp":
            self.assertLess(time.monotonic(), deadline, "the connection is kept")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
