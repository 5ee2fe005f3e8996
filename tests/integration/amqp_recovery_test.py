"""AMQP 1.0 section 2.6.13 against a real bus: links that are resumed after the connection, or the bus, was lost at the worst time."""

import json
import time
import unittest

import amqp_wire
from amqp_wire import (ACCEPTED, ATTACH, DETACH, DISPOSITION, FLOW, RECEIVER, RELEASED, TRANSFER, AmqpOverWebSocket, AmqpWire, Described, Symbol,
                       Uint, message, text_of)
from busbar_fixture import Bus

EXCLUSIVE = {Symbol("exclusive"): True}


class Recovery(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.bus.start()

    def connect(self, **how):
        return AmqpWire(self.bus.amqp_port, self.bus.password, **how)

    def client(self, **how):
        client = self.connect(**how)
        self.addCleanup(client.close)
        return client

    def lose(self, client, kill):
        """The connection is gone, or the bus is, by SIGKILL."""
        if kill:
            self.bus.kill9()
            self.bus.restart()
        client.close()

    def depth(self, queue="q"):
        _, _, body = self.bus.http("GET", "/api/queues")
        return {q["name"]: q["messages"] for q in json.loads(body)["queues"]}.get(queue, 0)

    def drain(self, queue="q"):
        """What is on a queue, in its order."""
        client = self.client(container="reader")
        client.attach_receiver("reader", queue, durable=0, credit=0)
        client.say(FLOW, Uint(0), Uint(1 << 30), Uint(0), Uint(1 << 30), Uint(0), Uint(0), Uint(1000), None, True)
        out = []
        while True:
            frame = client.read()
            if frame.code == TRANSFER:
                out.append(text_of(frame.payload))
                client.settle(frame[1], RECEIVER, Described(ACCEPTED, []))
            elif frame.code == FLOW and frame[4] is not None:
                client.close()
                return out

    def send(self, texts, queue="q"):
        client = self.client(container="sender")
        client.attach_sender("sender", queue, durable=0, second=False)
        for i, text in enumerate(texts):
            client.transfer(b"%d" % i, message(text))
        client.answers(len(texts))
        client.close()

    # ---- who sends

    def test_what_was_answered_to_nobody_is_not_sent_again(self):
        for kill in (False, True):
            with self.subTest(kill=kill):
                queue = f"lost-{kill}"
                client = self.client()
                client.attach_sender("out", queue)
                for tag in (b"a", b"b", b"c"):
                    client.transfer(tag, message(tag.decode()))
                # It is stored, the answer does not arrive.
                self.assertEqual([(ACCEPTED, False)] * 3, list(client.answers(3).values()))
                self.lose(client, kill)
                client = self.client()
                attach = client.attach_sender("out", queue, {b"a": None, b"b": None, b"c": None, b"d": None})
                self.assertEqual({b"a": ACCEPTED, b"b": ACCEPTED, b"c": ACCEPTED},
                                 {tag: state.code for tag, state in attach[7].items()})
                # As the standard has it: resumed with the outcome alone; what is not in the map is sent anew.
                for tag in (b"a", b"b", b"c"):
                    client.transfer(tag, b"", state=Described(ACCEPTED, []), settled=True, resume=True)
                client.transfer(b"d", message("d"))
                self.assertEqual(ACCEPTED, client.wait(DISPOSITION)[4].code)
                client.close()
                self.assertEqual(["a", "b", "c", "d"], self.drain(queue))

    def test_cut_at_any_time_each_message_is_there_once(self):
        """A sender that loses its connection after each transfer, before it looks for an answer."""
        unsettled, sent = {}, 0
        for round_ in range(40):
            client = self.client()
            attach = client.attach_sender("out", "q", {tag: None for tag in unsettled} if round_ else None)
            ours = attach[7] or {}
            for tag in list(unsettled):
                if tag in ours:
                    client.transfer(tag, b"", state=Described(ACCEPTED, []), settled=True, resume=True)
                    del unsettled[tag]
                else:
                    client.transfer(tag, unsettled[tag])
            for _ in range(3):
                tag = b"tag-%d" % sent
                unsettled[tag] = message(f"{sent}")
                client.transfer(tag, unsettled[tag])
                sent += 1
            if round_ % 10 == 7:
                self.bus.kill9()
                self.bus.restart()
            client.close()
        client = self.client()
        attach = client.attach_sender("out", "q", {tag: None for tag in unsettled})
        left = [tag for tag in unsettled if tag not in attach[7]]
        for tag in left:
            client.transfer(tag, unsettled[tag])
        self.assertEqual([(ACCEPTED, False)] * len(left), list(client.answers(len(left)).values()))
        client.close()
        got = self.drain()
        self.assertEqual(sorted(map(str, range(sent))), sorted(got))

    def test_where_the_bus_settles_first_the_message_id_tells(self):
        client = self.client()
        client.attach_sender("out", "q", second=False)
        client.transfer(b"a", message("a", "id-a"))
        self.assertTrue(client.wait(DISPOSITION)[3])
        self.lose(client, True)
        client = self.client()
        attach = client.attach_sender("out", "q", {b"a": None}, second=False)
        self.assertEqual({}, attach[7])
        client.transfer(b"a", message("a", "id-a"))
        self.assertEqual(ACCEPTED, client.wait(DISPOSITION)[4].code)
        client.transfer(b"a", message("the tag again", "id-b"))
        client.wait(DISPOSITION)
        self.assertEqual(["a", "the tag again"], self.drain())

    def test_what_the_sender_settled_is_forgotten(self):
        client = self.client()
        client.attach_sender("out", "q")
        id_ = client.transfer(b"a", message("a"))
        client.wait(DISPOSITION)
        client.settle(id_)
        client.transfer(b"b", message("b"))
        client.wait(DISPOSITION)
        client.close()
        client = self.client()
        attach = client.attach_sender("out", "q", {b"a": None, b"b": None})
        self.assertEqual([b"b"], list(attach[7]))
        # A resume that was sent before the map was seen is ignored.
        client.transfer(b"a", message("again"), resume=True)
        self.assertEqual(RELEASED, client.wait(DISPOSITION)[4].code)
        client.say(DETACH, Uint(0), True)
        client.wait(DETACH)
        attach = client.attach_sender("out", "q", {b"b": None})
        self.assertEqual({}, attach[7], "closed: nothing is left of it")

    def test_the_old_connection_sends_no_more(self):
        old = self.client()
        old.attach_sender("out", "q")
        new = self.client()
        new.attach_sender("out", "q", {b"a": None})
        old.transfer(b"a", message("late"))
        answer = old.wait(DISPOSITION)
        self.assertEqual(amqp_wire.REJECTED, answer[4].code)
        new.transfer(b"a", message("a"))
        new.wait(DISPOSITION)
        self.assertEqual(["a"], self.drain())

    # ---- who receives

    def test_what_was_accepted_is_not_delivered_again(self):
        for kill in (False, True):
            with self.subTest(kill=kill):
                queue = f"accepted-{kill}"
                self.send(["1", "2", "3", "4"], queue)
                client = self.client()
                client.attach_receiver("in", queue, properties=EXCLUSIVE, credit=3)
                got = [client.wait(TRANSFER) for _ in range(3)]
                self.assertEqual(["1", "2", "3"], [text_of(f.payload) for f in got])
                # It has done the first two; that it had does not arrive.
                self.lose(client, kill)
                client = self.client()
                done = Described(ACCEPTED, [])
                attach = client.attach_receiver("in", queue, {got[0][2]: done, got[1][2]: done, got[2][2]: None},
                                                properties=EXCLUSIVE)
                self.assertEqual([got[2][2]], list(attach[7]), "only what is to be resumed")
                first, second = client.wait(TRANSFER), client.wait(TRANSFER)
                self.assertEqual((got[2][2], True, "3"), (first[2], first[8], text_of(first.payload)))
                self.assertEqual((False, "4"), (bool(second[8]), text_of(second.payload)))
                client.settle(first[1], RECEIVER, done, second[1])
                client.say(DETACH, Uint(0), True)
                client.wait(DETACH)
                client.close()
                self.assertEqual([], self.drain(queue))

    def test_cut_between_transfer_and_disposition_each_is_processed_once(self):
        texts = [str(i) for i in range(60)]
        self.send(texts)
        done, unsettled = [], {}
        for round_ in range(200):
            client = self.client()
            client.attach_receiver("in", "q", unsettled if round_ else None, properties=EXCLUSIVE, credit=2)
            ours = {}
            client.socket.settimeout(1.0)
            try:
                frame = client.wait(TRANSFER)
            except amqp_wire.Closed:
                break
            # Processed and noted as one; the answer is on its way when the connection breaks.
            done.append(text_of(frame.payload))
            ours[frame[2]] = Described(ACCEPTED, [])
            if round_ % 3 == 0:
                client.settle(frame[1], RECEIVER, Described(ACCEPTED, []))
            if round_ % 20 == 9:
                self.bus.kill9()
                self.bus.restart()
            unsettled = ours
            client.close()
        self.assertEqual(texts, done)

    def test_over_a_durable_subscription(self):
        client = self.client()
        client.attach_receiver("sub", "topic://t", credit=5)
        self.send(["1", "2"], "topic://t")
        first = client.wait(TRANSFER)
        client.wait(TRANSFER)
        client.close()
        client = self.client()
        # Another of its links' names would be another subscription; nobody else can have had these.
        for _ in range(50):
            try:
                client.attach_receiver("sub", "topic://t", {first[2]: Described(ACCEPTED, [])}, credit=5)
                break
            except AssertionError:
                time.sleep(0.1)
        frame = client.wait(TRANSFER)
        self.assertEqual("2", text_of(frame.payload))

    def test_without_being_alone_what_nobody_else_has_is_settled(self):
        self.send(["1", "2"])
        client = self.client()
        client.attach_receiver("in", "q", credit=2)
        first, second = client.wait(TRANSFER), client.wait(TRANSFER)
        client.close()
        client = self.client()
        attach = client.attach_receiver("in", "q", {first[2]: Described(ACCEPTED, []), second[2]: None}, credit=2)
        self.assertEqual({}, attach[7], "another may get it: it is not resumed")
        frame = client.wait(TRANSFER)
        self.assertEqual(("2", False), (text_of(frame.payload), bool(frame[8])))

    def test_a_map_that_is_not_whole_holds_deliveries(self):
        self.send(["1", "2"])
        client = self.client()
        client.attach_receiver("in", "q", properties=EXCLUSIVE, credit=1)
        first = client.wait(TRANSFER)
        client.close()
        client = self.client()
        client.attach_receiver("in", "q", {first[2]: Described(ACCEPTED, [])}, properties=EXCLUSIVE, incomplete=True)
        client.say(DETACH, Uint(0), False)
        client.wait(DETACH)
        self.assertFalse([f for f in client.waiting if f.code == TRANSFER])
        client.attach_receiver("in", "q", {}, properties=EXCLUSIVE)
        self.assertEqual("2", text_of(client.wait(TRANSFER).payload))


class RecoveryOverWebSocket(Recovery):
    """The same with each connection through /ws/amqp."""

    def connect(self, **how):
        return AmqpOverWebSocket(self.bus.http_port, self.bus.password, **how)


if __name__ == "__main__":
    unittest.main()
