"""stomp.py (Debian's python3-stomp), unchanged, against a real bus. stompit and stompjs: node_clients_test.py."""
import json
import os
import queue
import time
import unittest

import stomp

from busbar_fixture import Bus, allow_open_files
from stomp_wire import Wire


class Ear(stomp.ConnectionListener):
    def __init__(self):
        self.messages, self.errors, self.receipts = queue.Queue(), queue.Queue(), queue.Queue()
        self.lost = 0

    def on_message(self, frame):
        self.messages.put(frame)

    def on_error(self, frame):
        self.errors.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_disconnected(self):
        self.lost += 1


class StompPyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        cls.addClassCleanup(cls.bus.close)
        cls.bus.start()

    def connect(self, version=stomp.Connection12, **options):
        connection = version([("127.0.0.1", self.bus.stomp_port)], **options.pop("connection", {}))
        ear = Ear()
        connection.set_listener("", ear)
        connection.connect("admin", "secret", wait=True, **options)
        self.addCleanup(lambda: connection.is_connected() and connection.disconnect())
        return connection, ear

    def confirmed(self, connection, ear, destination, body, **headers):
        receipt = f"r{time.monotonic_ns()}"
        connection.send(destination, body, receipt=receipt, **headers)
        self.assertEqual(receipt, ear.receipts.get(timeout=5))

    def test_each_version_sends_and_receives(self):
        for version in (stomp.Connection10, stomp.Connection11, stomp.Connection12):
            connection, ear = self.connect(version)
            where = f"/queue/{version.__name__}"
            connection.subscribe(where, id="1", ack="auto")
            connection.send(where, "grüezi", persistent="true", **{"correlation-id": "c1", "own-header": "a:b"} if version is not stomp.Connection10 else {})
            frame = ear.messages.get(timeout=5)
            self.assertEqual("grüezi", frame.body)
            if version is not stomp.Connection10:
                self.assertEqual(("c1", "a:b"), (frame.headers["correlation-id"], frame.headers["own-header"]))

    def test_a_wrong_login_is_refused_with_a_reason(self):
        connection = stomp.Connection12([("127.0.0.1", self.bus.stomp_port)])
        ear = Ear()
        connection.set_listener("", ear)
        with self.assertRaises(stomp.exception.ConnectFailedException):
            connection.connect("admin", "wrong", wait=True)
        self.assertIn("password", ear.errors.get(timeout=5).headers["message"])

    def test_client_acknowledgement_is_cumulative(self):
        connection, ear = self.connect()
        connection.subscribe("/queue/cumulative", id="1", ack="client")
        for n in range(6):
            connection.send("/queue/cumulative", str(n), persistent="true")
        frames = [ear.messages.get(timeout=5) for _ in range(6)]
        connection.ack(frames[3].headers["ack"])
        self.confirmed(connection, ear, "/queue/other", "barrier")
        connection.disconnect()
        connection, ear = self.connect()
        connection.subscribe("/queue/cumulative", id="1", ack="auto")
        rest = [ear.messages.get(timeout=5) for _ in range(2)]
        self.assertEqual(["4", "5"], [frame.body for frame in rest])
        self.assertEqual("true", rest[0].headers["redelivered"])

    def test_individual_acknowledgements_and_nack(self):
        connection, ear = self.connect()
        connection.subscribe("/queue/individual", id="1", ack="client-individual")
        for n in range(3):
            connection.send("/queue/individual", str(n), persistent="true")
        frames = [ear.messages.get(timeout=5) for _ in range(3)]
        connection.ack(frames[2].headers["ack"])
        connection.nack(frames[0].headers["ack"])
        again = ear.messages.get(timeout=5)
        self.assertEqual(("0", "true", "2"), (again.body, again.headers["redelivered"], again.headers["JMSXDeliveryCount"]))

    def test_transactions_with_acknowledgements_inside(self):
        connection, ear = self.connect()
        connection.subscribe("/queue/in", id="1", ack="client-individual")
        connection.send("/queue/in", "order", persistent="true")
        frame = ear.messages.get(timeout=5)
        tx = connection.begin()
        connection.ack(frame.headers["ack"], transaction=tx)
        connection.send("/queue/invoices", "invoice", transaction=tx, persistent="true")
        connection.abort(tx)
        again = ear.messages.get(timeout=5)
        self.assertEqual("order", again.body)
        tx = connection.begin()
        connection.ack(again.headers["ack"], transaction=tx)
        connection.send("/queue/invoices", "invoice", transaction=tx, persistent="true")
        connection.commit(tx)
        connection.subscribe("/queue/invoices", id="2", ack="auto")
        self.assertEqual("invoice", ear.messages.get(timeout=5).body)
        with self.assertRaises(queue.Empty):
            ear.messages.get(timeout=0.2)

    def test_topics_and_durable_subscriptions(self):
        headers = {"client-id": "tester"}
        connection, ear = self.connect(headers=headers)
        connection.subscribe("/topic/news.>", id="1", ack="auto", headers={"activemq.subscriptionName": "mine"})
        connection.send("/topic/news.one", "1", persistent="true")
        self.assertEqual("1", ear.messages.get(timeout=5).body)
        connection.disconnect()
        other, other_ear = self.connect()
        self.confirmed(other, other_ear, "/topic/news.two", "2", persistent="true")
        connection, ear = self.connect(headers=headers)
        connection.subscribe("/topic/news.>", id="1", ack="auto", headers={"activemq.subscriptionName": "mine"})
        self.assertEqual("2", ear.messages.get(timeout=5).body)

    def test_request_reply_over_a_temporary_queue_from_another_connection(self):
        worker, worker_ear = self.connect()
        worker.subscribe("/queue/echo", id="1", ack="auto")
        caller, caller_ear = self.connect()
        caller.subscribe("/temp-queue/answers", id="t", ack="auto")
        caller.send("/queue/echo", "ping", **{"reply-to": "/temp-queue/answers", "correlation-id": "42"})
        request = worker_ear.messages.get(timeout=5)
        worker.send(request.headers["reply-to"], "pong", **{"correlation-id": request.headers["correlation-id"]})
        reply = caller_ear.messages.get(timeout=5)
        self.assertEqual(("pong", "42"), (reply.body, reply.headers["correlation-id"]))

    def test_request_reply_over_a_temporary_topic_from_another_connection(self):
        """All of the owner's subscriptions hear the answer; nobody else's can."""
        worker, worker_ear = self.connect()
        worker.subscribe("/queue/echo.topic", id="1", ack="auto")
        caller, caller_ear = self.connect()
        caller.subscribe("/temp-topic/answers", id="t", ack="auto")
        caller.subscribe("/temp-topic/answers", id="u", ack="client")
        self.confirmed(caller, caller_ear, "/queue/echo.topic", "ping", **{"reply-to": "/temp-topic/answers"})
        request = worker_ear.messages.get(timeout=5)
        self.assertTrue(request.headers["reply-to"].startswith("/temp-topic/tt."), request.headers)
        worker.send(request.headers["reply-to"], "pong")
        replies = [caller_ear.messages.get(timeout=5) for _ in range(2)]
        self.assertEqual([("pong", "/temp-topic/answers", subscription) for subscription in "tu"],
                         sorted((m.body, m.headers["destination"], m.headers["subscription"]) for m in replies))
        worker.subscribe(request.headers["reply-to"], id="2", ack="auto")
        self.assertIn("not-authorized", worker_ear.errors.get(timeout=5).headers["code"])
        caller.disconnect()
        late, late_ear = self.connect()
        late.send(request.headers["reply-to"], "too late", receipt="gone")
        self.assertIn(late_ear.errors.get(timeout=5).headers["code"], ("not-found",))

    def test_heart_beats_keep_a_silent_connection(self):
        connection, ear = self.connect(connection={"heartbeats": (1000, 1000)})
        connection.subscribe("/queue/silent", id="1", ack="auto")
        time.sleep(3.2)
        self.assertEqual(0, ear.lost)
        connection.send("/queue/silent", "still here")
        self.assertEqual("still here", ear.messages.get(timeout=5).body)

    def test_large_and_binary_bodies(self):
        connection, ear = self.connect(connection={"auto_decode": False})
        connection.subscribe("/queue/large", id="1", ack="auto")
        body = os.urandom(5_000_000) + b"\0\0end"
        connection.send("/queue/large", body, content_type="application/octet-stream")
        self.assertEqual(body, ear.messages.get(timeout=20).body)

    def test_priority_expiry_and_odd_names(self):
        connection, ear = self.connect()
        where = "/queue/a name with spaces, ümläuts & <signs>"
        self.confirmed(connection, ear, where, "low", priority="1", persistent="true")
        self.confirmed(connection, ear, where, "high", priority="9", persistent="true")
        connection.send(where, "gone", priority="9", expires=str(int(time.time() * 1000) - 1000))
        connection.subscribe(where, id="1", ack="auto")
        self.assertEqual(["high", "low"], [ear.messages.get(timeout=5).body for _ in range(2)])
        with self.assertRaises(queue.Empty):
            ear.messages.get(timeout=0.2)

    def drain(self, ear, seconds=0.3):
        """Bodies of what comes until nothing has come for `seconds`."""
        bodies = []
        while True:
            try:
                bodies.append(ear.messages.get(timeout=seconds).body)
            except queue.Empty:
                return bodies

    def subscribed(self, connection, ear, destination, number, ack="auto", **headers):
        receipt = f"s{time.monotonic_ns()}"
        headers = {"receipt": receipt, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.subscribe(destination, id=number, ack=ack, headers=headers)
        self.assertEqual(receipt, ear.receipts.get(timeout=5))

    def test_a_selector_takes_what_it_names_and_leaves_the_rest(self):
        connection, ear = self.connect()
        for n in range(10):
            self.confirmed(connection, ear, "/queue/selected", str(n), persistent="true", n=str(n), kind="even" if n % 2 == 0 else "odd")
        self.subscribed(connection, ear, "/queue/selected", "1", selector="n >= 4 AND kind = 'even'")
        self.assertEqual(["4", "6", "8"], self.drain(ear))
        connection.unsubscribe("1")
        self.subscribed(connection, ear, "/queue/selected", "2")
        self.assertEqual(["0", "1", "2", "3", "5", "7", "9"], self.drain(ear))

    def test_a_wrong_selector_is_refused_with_its_column(self):
        connection, ear = self.connect()
        connection.subscribe("/queue/selected", id="1", ack="auto", headers={"selector": "price > > 10"})
        self.assertIn("column", ear.errors.get(timeout=5).headers["message"])

    def test_topic_subscriptions_have_selectors_too(self):
        connection, ear = self.connect()
        self.subscribed(connection, ear, "/topic/priced", "1", selector="price > 10")
        for price in ("5", "15", "25"):
            connection.send("/topic/priced", price, price=price)
        self.assertEqual(["15", "25"], self.drain(ear))

    def test_a_group_stays_with_one_consumer_and_in_order(self):
        workers = [self.connect() for _ in range(3)]
        for number, (connection, ear) in enumerate(workers):
            self.subscribed(connection, ear, "/queue/grouped", str(number), ack="client-individual")
        sender, sender_ear = self.connect()
        for n in range(60):
            sender.send("/queue/grouped", f"{n % 6}:{n}", persistent="true", JMSXGroupID=f"g{n % 6}")
        owner, last, total = {}, {}, 0
        deadline = time.time() + 15
        while total < 60 and time.time() < deadline:
            for number, (connection, ear) in enumerate(workers):
                try:
                    frame = ear.messages.get(timeout=0.05)
                except queue.Empty:
                    continue
                group, n = frame.body.split(":")
                self.assertEqual(number, owner.setdefault(group, number), "the group changed its consumer")
                self.assertLess(last.get(group, -1), int(n), "out of order")
                self.assertEqual("true" if group not in last else None, frame.headers.get("JMSXGroupFirstForConsumer"))
                last[group] = int(n)
                total += 1
                connection.ack(frame.headers["ack"])
        self.assertEqual(60, total)
        self.assertGreater(len(set(owner.values())), 1, "one consumer has all the groups")

    def test_a_consumer_is_told_that_a_group_is_no_longer_its_own(self):
        wire = Wire(self.bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "1", "destination": "/queue/revoked", "ack": "client-individual", "busbar-group-changes": "true"})
        wire.send("SEND", {"destination": "/queue/revoked", "JMSXGroupID": "a:b"}, b"first")
        wire.send("SEND", {"destination": "/queue/revoked", "JMSXGroupID": "a:b", "JMSXGroupSeq": "-1"}, b"last")
        for body in (b"first", b"last"):
            command, headers, got = wire.read()
            self.assertEqual(("MESSAGE", body), (command, got))
            self.assertNotIn("busbar-group-revoked", headers)
            wire.send("ACK", {"id": headers["ack"]})
        command, headers, got = wire.read()
        self.assertEqual(("MESSAGE", "1", "a\\cb", b""), (command, headers["subscription"], headers["busbar-group-revoked"], got))
        wire.close()

    def test_exclusive_consumers_take_over_with_a_higher_fencing_token(self):
        first, first_ear = self.connect()
        self.subscribed(first, first_ear, "/queue/alone", "1", ack="client-individual", exclusive="true")
        second, second_ear = self.connect()
        self.subscribed(second, second_ear, "/queue/alone", "1", ack="client-individual", exclusive="true",
                        busbar_consumer_changes="true")
        sender, ear = self.connect()
        for n in range(5):
            self.confirmed(sender, ear, "/queue/alone", str(n), persistent="true")
        frames = [first_ear.messages.get(timeout=5) for _ in range(5)]
        token = int(frames[0].headers["busbar-fencing-token"])
        self.assertTrue(all("busbar-active" in f.headers and f.headers["busbar-active"] == "false"
                            for f in list(second_ear.messages.queue)), "the second one was served")
        first.ack(frames[0].headers["ack"])
        time.sleep(0.2)
        first.disconnect()
        bodies, tokens, active = [], set(), False
        deadline = time.time() + 10
        while len(bodies) < 4 and time.time() < deadline:
            frame = second_ear.messages.get(timeout=5)
            if "busbar-active" in frame.headers:
                active |= frame.headers["busbar-active"] == "true"
                continue
            bodies.append(frame.body)
            tokens.add(int(frame.headers["busbar-fencing-token"]))
            second.ack(frame.headers["ack"])
        self.assertEqual(["1", "2", "3", "4"], bodies)
        self.assertTrue(active)
        self.assertGreater(min(tokens), token)

    def test_the_consumer_of_the_highest_priority_is_served_first(self):
        low, low_ear = self.connect()
        self.subscribed(low, low_ear, "/queue/preferred", "1", priority="-1")
        high, high_ear = self.connect()
        self.subscribed(high, high_ear, "/queue/preferred", "1", **{"x-priority": "5"})
        sender, ear = self.connect()
        for n in range(20):
            self.confirmed(sender, ear, "/queue/preferred", str(n), persistent="true")
        self.assertEqual(20, len(self.drain(high_ear)))
        self.assertEqual([], self.drain(low_ear, 0.05))

    def test_nack_with_delay_comes_again_then(self):
        connection, ear = self.connect()
        self.subscribed(connection, ear, "/queue/later", "1", ack="client-individual")
        self.confirmed(connection, ear, "/queue/later", "x", persistent="true")
        frame = ear.messages.get(timeout=5)
        start = time.monotonic()
        connection.send_frame("NACK", {"id": frame.headers["ack"], "delay": "700", "reason": "busy"})
        again = ear.messages.get(timeout=5)
        self.assertAlmostEqual(0.7, time.monotonic() - start, delta=0.15)
        self.assertEqual("2", again.headers["JMSXDeliveryCount"])
        connection.send_frame("NACK", {"id": again.headers["ack"], "requeue": "false", "reason": "hopeless"})
        self.subscribed(connection, ear, "/queue/DLQ.later", "2")
        dead = ear.messages.get(timeout=5)
        self.assertEqual(("x", "hopeless"), (dead.body, dead.headers["BusbarText"]))

    def test_delayed_messages_come_at_their_time(self):
        connection, ear = self.connect()
        self.subscribed(connection, ear, "/queue/timed", "1")
        start = time.time()
        self.confirmed(connection, ear, "/queue/timed", "delayed", persistent="true", AMQ_SCHEDULED_DELAY="600")
        self.confirmed(connection, ear, "/queue/timed", "at", persistent="true", **{"deliver-at": str(int((start + 0.3) * 1000))})
        self.confirmed(connection, ear, "/queue/timed", "now", persistent="true")
        times = {}
        for _ in range(3):
            frame = ear.messages.get(timeout=5)
            times[frame.body] = time.time() - start
        self.assertEqual(["now", "at", "delayed"], list(times))
        self.assertAlmostEqual(0.3, times["at"], delta=0.1)
        self.assertAlmostEqual(0.6, times["delayed"], delta=0.1)

    def define(self, name, **options):
        status, _, body = self.bus.http("PUT", f"/api/v1/queues/{name}", json.dumps(options))
        self.assertEqual(200, status, body)

    def test_a_full_queue_refuses_or_blocks_or_drops_as_it_is_defined(self):
        self.define("refusing", messagesMax=3)
        connection, ear = self.connect()
        for n in range(3):
            self.confirmed(connection, ear, "/queue/refusing", str(n), persistent="true")
        connection.send("/queue/refusing", "3", receipt="no", persistent="true")
        error = ear.errors.get(timeout=5)
        self.assertEqual(("limit-reached", "no"), (error.headers["code"], error.headers["receipt-id"]))

        self.define("dropping", messagesMax=3, whenFull="drop-oldest")
        connection, ear = self.connect()
        for n in range(6):
            self.confirmed(connection, ear, "/queue/dropping", str(n), persistent="true")
        self.subscribed(connection, ear, "/queue/dropping", "1")
        self.assertEqual(["3", "4", "5"], self.drain(ear))
        self.assertEqual(3, json.loads(self.bus.http("GET", "/api/v1/queues/dropping")[2])["evicted"])

    def test_a_blocked_producer_waits_and_nothing_is_lost(self):
        self.define("blocking", messagesMax=5, whenFull="block")
        producer, producer_ear = self.connect()
        for n in range(12):
            producer.send("/queue/blocking", str(n), receipt=f"b{n}", persistent="true")
        got = [producer_ear.receipts.get(timeout=5) for _ in range(5)]
        with self.assertRaises(queue.Empty):
            producer_ear.receipts.get(timeout=0.3)
        state = json.loads(self.bus.http("GET", "/api/v1/queues/blocking")[2])
        self.assertEqual(5, state["depth"])
        self.assertGreater(state["blockedSends"], 0)
        blocked = [s["blocked"] for s in json.loads(self.bus.http("GET", "/api/v1/sessions")[2])["sessions"] if "blocked" in s]
        self.assertTrue(any("blocking" in text for text in blocked), blocked)
        consumer, consumer_ear = self.connect()
        self.subscribed(consumer, consumer_ear, "/queue/blocking", "1")
        self.assertEqual([str(n) for n in range(12)], [consumer_ear.messages.get(timeout=5).body for _ in range(12)])
        got += [producer_ear.receipts.get(timeout=5) for _ in range(7)]
        self.assertEqual([f"b{n}" for n in range(12)], got)
        self.confirmed(producer, producer_ear, "/queue/blocking", "and on", persistent="true")

    def test_a_numbered_send_is_stored_once(self):
        connection, ear = self.connect()
        for number in ("1", "2", "2", "1", "3"):
            self.confirmed(connection, ear, "/queue/numbered", number, persistent="true",
                           **{"busbar-producer": "p1", "busbar-sequence": number})
        self.subscribed(connection, ear, "/queue/numbered", "1")
        self.assertEqual(["1", "2", "3"], self.drain(ear))

    def test_processed_messages_do_not_come_again(self):
        connection, ear = self.connect()
        self.subscribed(connection, ear, "/queue/exact", "1", ack="client-individual", exclusive="true", exactly_once="true")
        for n in range(4):
            self.confirmed(connection, ear, "/queue/exact", str(n), persistent="true")
        frames = [ear.messages.get(timeout=5) for _ in range(4)]
        processed = ",".join(frame.headers["busbar-stored"] for frame in frames[:2])
        connection.disconnect()  # processed two, acknowledged none
        connection, ear = self.connect()
        self.subscribed(connection, ear, "/queue/exact", "1", exclusive="true", exactly_once="true", processed=processed)
        self.assertEqual(["2", "3"], self.drain(ear))

    def test_browsers_have_selectors(self):
        connection, ear = self.connect()
        for n in range(6):
            self.confirmed(connection, ear, "/queue/browsed", str(n), persistent="true", n=str(n))
        connection.subscribe("/queue/browsed", id="1", ack="auto", headers={"browser": "true", "selector": "n > 3"})
        frames = [ear.messages.get(timeout=5) for _ in range(3)]
        self.assertEqual(["4", "5"], [frame.body for frame in frames[:2]])
        self.assertEqual("end", frames[2].headers["browser"])

    def test_a_subscriber_that_does_not_read_is_owed_no_more_than_its_credit(self):
        slow = Wire(self.bus.stomp_port)
        slow.send("SUBSCRIBE", {"id": "0", "destination": "/queue/slow", "ack": "auto", "receipt": "s", "activemq.prefetchSize": "10"})
        slow.next("RECEIPT")
        connection, ear = self.connect()
        body = "x" * 400_000
        for _ in range(60):
            connection.send("/queue/slow", body, persistent="true")
        self.confirmed(connection, ear, "/queue/slow", "last", persistent="true")
        time.sleep(0.3)
        state = json.loads(self.bus.http("GET", "/api/v1/queues/slow")[2])
        self.assertLessEqual(state["held"], 10)
        self.assertGreater(state["depth"], 20)
        bodies = [slow.next("MESSAGE")[2] for _ in range(61)]
        self.assertEqual(b"last", bodies[-1])
        slow.close()

    def test_a_thousand_connections(self):
        """Each with its own message, while all are open."""
        allow_open_files(4000)
        crowd = [self.connect() for _ in range(1000)]
        for i, (connection, _) in enumerate(crowd):
            connection.subscribe(f"/queue/crowd.{i}", id="1", ack="auto")
            connection.send(f"/queue/crowd.{i}", f"mine {i}", persistent="true")
        for i, (_, ear) in enumerate(crowd):
            self.assertEqual(f"mine {i}", ear.messages.get(timeout=60).body)
        self.assertTrue(all(connection.is_connected() for connection, _ in crowd))

    def test_reconnects_after_the_daemon_was_killed(self):
        bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(bus.close)
        bus.start()
        connection = stomp.Connection12([("127.0.0.1", bus.stomp_port)], reconnect_sleep_initial=0.1, reconnect_attempts_max=30)
        ear = Ear()
        connection.set_listener("", ear)
        connection.connect("admin", "secret", wait=True)
        self.confirmed(connection, ear, "/queue/q", "kept", persistent="true")
        bus.kill9()
        bus.start()
        deadline = time.time() + 10
        while time.time() < deadline and not connection.is_connected():
            time.sleep(0.05)
            if not connection.is_connected():
                connection.connect("admin", "secret", wait=True)
        connection.subscribe("/queue/q", id="1", ack="auto")
        self.assertEqual("kept", ear.messages.get(timeout=5).body)
        connection.disconnect()


if __name__ == "__main__":
    unittest.main()
