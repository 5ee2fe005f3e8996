"""The daemon's second day: wrong settings, a data directory in use, damage, a full disk, wrong logins, an orderly stop."""
import base64
import http.client
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import amqp_wire as amqp
import openwire_wire as ow
from busbar_fixture import BUSBARD, Bus, clean_environment
from stomp_wire import Closed, Wire

SECRET = {"BUSBAR_ADMIN_PASSWORD": "secret"}
# What an OpenWire client begins with: WireFormatInfo of version 12 without properties.
WIRE_FORMAT = b"\0\0\0\x16\1ActiveMQ\0\0\0\x0c\1\0\0\0\4\0\0\0\0"


def run_daemon(*arguments, env=None):
    return subprocess.run([BUSBARD, *arguments], capture_output=True, text=True, timeout=30, env=clean_environment(env))


class DaemonTest(unittest.TestCase):
    def bus(self, **options):
        bus = Bus(env=SECRET, **options)
        self.addCleanup(bus.close)
        return bus

    def depth(self, bus, queue):
        status, _, body = bus.http("GET", f"/api/v1/queues/{queue}")
        self.assertEqual(200, status, body)
        return json.loads(body)["depth"]

    # ---- starting ----

    def test_one_port_takes_every_protocol(self):
        bus = Bus(env=SECRET, settings=["one-port.enabled=true", "one-port.port=0"])
        self.addCleanup(bus.close)
        port = bus.start()["one-port"]
        wire = Wire(port)
        wire.send("SEND", {"destination": "/queue/q", "receipt": "r"}, b"by stomp")
        self.assertTrue(wire.next("RECEIPT"))
        wire.close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        self.assertEqual(200, connection.getresponse().status)
        connection.close()
        beginnings = ((b"AMQP\3\1\0\0", b"AMQP\3\1\0\0"), (WIRE_FORMAT, b"\1ActiveMQ"), (b"EHLO me\r\n", b""))
        for first, answer in beginnings:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(first)
                got = client.recv(200)
                self.assertIn(answer, got) if answer else self.assertEqual(b"", got)

    def test_a_data_directory_in_use_is_refused_by_name(self):
        bus = self.bus()
        bus.start()
        second = run_daemon("--data", str(bus.data), "--set", "stomp.port=0", "--set", "openwire.port=0", "--set", "amqp.port=0", "--set", "http.port=0", env=SECRET)
        self.assertEqual(1, second.returncode)
        self.assertIn(str(bus.data), second.stderr)
        self.assertEqual(200, bus.http("GET", "/readyz", login=False)[0])

    def test_a_port_in_use_is_named(self):
        bus = self.bus()
        bus.start()
        with tempfile.TemporaryDirectory() as other:
            second = run_daemon("--data", other, "--set", f"stomp.port={bus.stomp_port}", "--set", "http.port=0", env=SECRET)
        self.assertEqual(1, second.returncode)
        self.assertIn(str(bus.stomp_port), second.stderr)

    def test_a_typo_in_the_configuration_is_named_with_line_and_column(self):
        with tempfile.TemporaryDirectory() as directory:
            file = f"{directory}/busbar.xml"
            with open(file, "w", encoding="utf-8") as out:
                out.write('<busbar xmlns="urn:busbar:configuration">\n  <stomp prot="1"/>\n</busbar>\n')
            wrong = run_daemon("--config", file, "--check")
            self.assertEqual(1, wrong.returncode)
            self.assertRegex(wrong.stderr, r"busbar\.xml.*(line 2|:2[:,])")
            self.assertIn("prot", wrong.stderr)
        unknown = run_daemon("--set", "stomp.prot=1", "--check")
        self.assertEqual(1, unknown.returncode)
        self.assertIn("stomp.port", unknown.stderr)
        self.assertEqual(2, run_daemon("--what").returncode)
        self.assertEqual(0, run_daemon("--help").returncode)

    def test_a_missing_xml_module_is_named(self):
        with tempfile.TemporaryDirectory() as directory:
            alone = shutil.copy(BUSBARD, directory)
            file = f"{directory}/busbar.xml"
            with open(file, "w", encoding="utf-8") as out:
                out.write('<busbar xmlns="urn:busbar:configuration"/>\n')
            told = subprocess.run([alone, "--config", file, "--check"], capture_output=True, text=True, timeout=60)
            self.assertEqual(1, told.returncode)
            self.assertIn("busbar-xml.so", told.stderr)
            without = subprocess.run([alone, "--check"], capture_output=True, text=True, timeout=60)
            self.assertEqual(0, without.returncode, without.stderr)

    def test_the_first_start_makes_an_admin_with_a_random_password(self):
        bus = Bus()
        self.addCleanup(bus.close)
        bus.start()
        file = bus.data / "admin.password"
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
        self.assertGreaterEqual(len(bus.password), 20)
        self.assertNotIn(bus.password, bus.log())
        self.assertEqual(200, bus.http("GET", "/api/v1/queues")[0])

    def test_it_is_small_when_idle(self):
        bus = self.bus()
        bus.start()
        deadline, resident = time.time() + 5, 1 << 20
        while resident >= 20 * 1024 and time.time() < deadline:  # the first password hash takes 16 MiB for a moment
            time.sleep(0.1)
            with open(f"/proc/{bus.process.pid}/status", encoding="ascii") as status:
                resident = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        self.assertLess(resident, 20 * 1024, "KiB resident when idle")

    # ---- logins ----

    def test_nobody_gets_in_without_the_right_password(self):
        bus = self.bus()
        bus.start()
        self.assertEqual(401, bus.http("GET", "/api/v1/queues", login=False)[0])
        self.assertEqual(401, bus.http("GET", "/metrics", login=False)[0])
        self.assertEqual(401, bus.http("POST", "/queues/q/messages", b"x", login=False)[0])
        for login, passcode in (("admin", "wrong"), ("nobody", "secret"), ("", "")):
            with self.assertRaisesRegex(AssertionError, "unauthenticated"):
                Wire(bus.stomp_port, login, passcode)
        Wire(bus.stomp_port).close()

    def test_a_user_has_as_many_connections_as_it_may(self):
        bus = self.bus(settings=["limits.user-connections-max=2"])
        bus.start()
        first, second = Wire(bus.stomp_port), Wire(bus.stomp_port)
        with self.assertRaisesRegex(AssertionError, "limit-reached"):
            Wire(bus.stomp_port)
        status, headers, body = bus.http("GET", "/api/v1/queues")  # the protocols are counted together
        self.assertEqual((429, "1"), (status, headers["Retry-After"]), body)
        second.close()
        deadline = time.time() + 10
        while bus.http("GET", "/api/v1/queues")[0] != 200:
            self.assertLess(time.time(), deadline, "the place was not given back")
            time.sleep(0.02)
        first.close()

    def test_a_user_that_sends_too_fast_is_read_more_slowly(self):
        bus = self.bus(settings=["limits.user-sends-per-second=50"])
        bus.start()
        wire = Wire(bus.stomp_port)
        began = time.monotonic()
        for batch in range(0, 240, 40):
            for n in range(batch, batch + 40):
                wire.send("SEND", {"destination": "/queue/q", "receipt": str(n)}, b"x")
            for n in range(batch, batch + 40):
                self.assertEqual(("RECEIPT", str(n)), (lambda frame: (frame[0], frame[1]["receipt-id"]))(wire.read(timeout=30)))
        # When the last 40 were read, the 200 before them were paid for but for a second's worth: at 50 a second, that is after 3 s.
        self.assertGreater(time.monotonic() - began, 2.9)
        status, _, _ = bus.http("POST", "/queues/q/messages", b"x")
        self.assertIn(status, (201, 429))
        self.assertEqual(240 + (status == 201), self.depth(bus, "q"))
        wire.close()

    def hold(self, connect, frame, answered):
        """Thirty messages of 2 MB that have come by three quarters, of a user that may hold 4 MB: they are read later, and all get
        through. `connect` makes a socket, `frame` the bytes of a message on it, `answered` waits for the answer."""
        limit, size, count = 4 << 20, 2_000_000, 30
        bus = self.bus(settings=[f"limits.user-bytes-max={limit}"])
        bus.start()
        Wire(bus.stomp_port).close()

        def memory():
            with open(f"/proc/{bus.process.pid}/status") as status:
                return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))

        def push(left, seconds, whole):
            end = time.monotonic() + seconds
            while time.monotonic() < end and not (whole and not any(left.values())):
                for peer, rest in left.items():
                    try:
                        while rest:
                            rest = rest[peer.send(rest[:1 << 16]):]
                    except BlockingIOError:
                        pass
                    left[peer] = rest
                time.sleep(0.02)
        before, frames = memory(), {}
        for n in range(count):
            peer, keep = connect(bus)
            frames[peer] = (frame(keep, bytes([65 + n]) * size), keep)
            peer.setblocking(False)
        left = {peer: memoryview(data)[:-size // 4] for peer, (data, _) in frames.items()}
        push(left, 3, whole=False)  # also when all of it is in sockets: the bus reads it, or does not
        self.assertLess(memory() - before, 24 << 20, "input is bounded for the user in sum")
        consumer = Wire(bus.stomp_port)  # who holds nothing is served as ever
        consumer.send("SUBSCRIBE", {"id": "1", "destination": "/queue/small", "receipt": "s"})
        self.assertEqual("RECEIPT", consumer.read(timeout=5)[0])
        consumer.close()
        left = {peer: memoryview(bytes(rest) + frames[peer][0][-size // 4:]) for peer, rest in left.items()}
        push(left, 150, whole=True)
        for peer, (_, keep) in frames.items():
            peer.settimeout(60)
            answered(peer, keep)
            peer.close()
        self.assertEqual(count, self.depth(bus, "big"))

    def test_a_user_holds_no_more_memory_than_it_may_over_stomp(self):
        def connect(bus):
            wire = Wire(bus.stomp_port)
            return wire.socket, wire
        self.hold(connect, lambda _, body: b"SEND\ndestination:/queue/big\nreceipt:r\ncontent-length:%d\n\n" % len(body) + body + b"\0",
                  lambda _, wire: self.assertEqual(("RECEIPT", {"receipt-id": "r"}), wire.read(timeout=60)[:2]))

    def test_a_user_holds_no_more_memory_than_it_may_over_openwire(self):
        def connect(bus):
            connection = ow.OpenWire(bus.openwire_port)
            return connection.socket, connection

        def answered(_, connection):
            while (frame := connection.read())[0] != ow.RESPONSE:
                self.assertNotIn(frame[0], (ow.EXCEPTION, ow.CONNECTION_ERROR))
        self.hold(connect, lambda connection, body: connection.command(ow.TEXT_MESSAGE, connection.text_message(
            "big", ow.number(len(body)) + body)), answered)

    def test_a_user_holds_no_more_memory_than_it_may_over_amqp(self):
        class Kept:
            """In place of a socket: what is sent is kept."""
            data = b""

            def sendall(self, data):
                self.data += data

        def connect(bus):
            wire = amqp.AmqpWire(bus.amqp_port, "secret")
            wire.attach_sender("out", "big", durable=0, second=False)
            return wire.socket, wire

        def frame(wire, body):
            peer, wire.socket = wire.socket, Kept()
            message = amqp.encode(amqp.Described(0x70, [True])) + amqp.encode(amqp.Described(0x75, body))
            step = 60_000
            wire.transfer(b"1", message[:step], more=True)
            for at in range(step, len(message), step):
                wire.go_on(message[at:at + step], more=at + step < len(message))
            data, wire.socket = wire.socket.data, peer
            return data
        self.hold(connect, frame, lambda _, wire: self.assertEqual([amqp.ACCEPTED], [code for code, _ in wire.answers(1).values()]))

    def test_a_user_holds_no_more_memory_than_it_may_over_http(self):
        def connect(bus):
            return socket.create_connection(("127.0.0.1", bus.http_port)), None
        head = b"POST /queues/big/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + base64.b64encode(b"admin:secret")
        self.hold(connect, lambda _, body: head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
                  lambda peer, _: self.assertRegex(peer.recv(4096), rb"\AHTTP/1\.1 201 "))

    # ---- half a message, bad frames ----

    def test_bad_frames_and_half_messages_disturb_nobody(self):
        bus = self.bus()
        bus.start()
        good = Wire(bus.stomp_port)
        good.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "auto", "receipt": "s"})
        self.assertEqual("RECEIPT", good.read()[0])
        for bad in (b"NONSENSE\n\n\0", b"SEND\ndestination\n\n\0", b"SEND\ndestination:/queue/q\ncontent-length:-5\n\nx\0",
                    b"SEND\ndestination:/queue/q\ncontent-length:99999999999999999999\n\nx\0", b"SEND\nx:" + b"a" * 100_000,
                    b"SEND\ndestination:/queue/q\\t\n\nx\0", b"\xff\xfe\xfd\0", b"ACK\nid:nothing\n\n\0"):
            wire = Wire(bus.stomp_port)
            try:
                wire.raw(bad)
                frame = wire.read()
                self.assertEqual("ERROR", frame[0], bad[:40])
                self.assertTrue(frame[1]["message"])
                with self.assertRaises(Closed):
                    wire.read()
            except Closed:
                pass  # cut off while still sending
            wire.close()
        half = Wire(bus.stomp_port)
        half.raw(b"SEND\ndestination:/queue/q\ncontent-length:1000\n\nonly the beginning")
        half.socket.shutdown(socket.SHUT_WR)
        half.close()
        good.send("SEND", {"destination": "/queue/q"}, b"fine")
        frame = good.read()
        self.assertEqual(("MESSAGE", b"fine"), (frame[0], frame[2]))

    # ---- stopping ----

    def test_an_orderly_stop_keeps_everything_and_exits_0(self):
        bus = self.bus()
        bus.start()
        wire = Wire(bus.stomp_port)
        for n in range(100):
            wire.send("SEND", {"destination": "/queue/q", "persistent": "true", "receipt": str(n)}, b"x")
        for _ in range(100):
            self.assertEqual("RECEIPT", wire.read()[0])
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "client-individual"})
        self.assertEqual("MESSAGE", wire.read()[0])
        self.assertEqual(0, bus.terminate())
        bus.start()
        self.assertEqual(100, self.depth(bus, "q"))

    # ---- the disk ----

    def test_a_full_disk_refuses_sends_and_nothing_else_and_heals(self):
        bus = self.bus(settings=["journal.segment-bytes=1048576", "journal.bytes-max=6291456", "journal.reserve-bytes=262144",
                                 "journal.slack-bytes=1048576"])
        bus.start()
        confirmed, refused = 0, None
        for _ in range(400):
            status, _, body = bus.http("POST", "/queues/q/messages", b"x" * 50_000)
            if status == 201:
                confirmed += 1
            else:
                refused = (status, json.loads(body)["error"])
                break
        self.assertIsNotNone(refused, "the limit was never reached")
        self.assertEqual(507, refused[0])
        self.assertEqual("storage-full", refused[1]["code"])
        self.assertEqual(confirmed, self.depth(bus, "q"))
        wire = Wire(bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "client-individual"})
        for n in range(confirmed):
            wire.send("ACK", {"id": wire.next("MESSAGE")[1]["ack"], "receipt": str(n)})
            self.assertTrue(wire.next("RECEIPT"))
        deadline = time.time() + 10
        while bus.http("POST", "/queues/q/messages", b"after")[0] != 201:
            self.assertLess(time.time(), deadline, "it did not heal")
            time.sleep(0.05)
        bus.kill9()
        bus.start()
        self.assertEqual(1, self.depth(bus, "q"))

    def test_a_damaged_middle_is_named_and_nothing_is_changed(self):
        bus = self.bus(settings=["journal.segment-bytes=1048576"])
        bus.start()
        for n in range(60):
            self.assertEqual(201, bus.http("POST", "/queues/q/messages", b"%03d" % n + b"y" * 50_000)[0])
        self.assertEqual(0, bus.terminate())
        segment = sorted((bus.data / "journal").glob("*.seg"))[0]
        damaged = bytearray(segment.read_bytes())
        damaged[500_000] ^= 0x40
        segment.write_bytes(damaged)
        second = run_daemon("--data", str(bus.data), "--set", "stomp.port=0", "--set", "openwire.port=0", "--set", "amqp.port=0", "--set", "http.port=0", env=SECRET)
        self.assertEqual(1, second.returncode)
        self.assertIn(segment.name, second.stderr)
        self.assertRegex(second.stderr, r"\d{4,}")
        self.assertEqual(bytes(damaged), segment.read_bytes())

    # ---- HTTP leases ----

    def test_a_receive_makes_no_queue_and_a_batch_settles_each_on_its_own(self):
        bus = self.bus()
        bus.start()
        self.assertEqual(404, bus.http("GET", "/queues/q/messages?wait=1")[0])
        self.assertEqual(404, bus.http("GET", "/api/v1/queues/q")[0])
        for n in range(4):
            bus.http("POST", "/queues/q/messages", b"%d" % n)
        leases = [m["lease"] for m in json.loads(bus.http("GET", "/queues/q/messages?max=4")[2])]
        batch = [{"lease": leases[0]}, {"lease": leases[1], "outcome": "released"}, {"lease": leases[0]},
                 {"lease": leases[2], "outcome": "rejected", "reason": "bad"}, {"lease": leases[3], "outcome": "failed"}]
        status, _, body = bus.http("POST", "/queues/q/settle", json.dumps(batch))
        self.assertEqual((200, [204, 204, 410, 204, 204]), (status, [r["status"] for r in json.loads(body)["results"]]))
        rest = [(m["body"], m["deliveryCount"]) for m in json.loads(bus.http("GET", "/queues/q/messages?max=4")[2])]
        self.assertEqual([("MQ==", 1), ("Mw==", 2)], rest)
        self.assertEqual(1, self.depth(bus, "DLQ.q"))

    def test_a_long_poll_whose_client_is_gone_gives_its_message_back_at_once(self):
        bus = self.bus()
        bus.start()
        bus.http("PUT", "/api/v1/queues/q", "{}")
        token = base64.b64encode(b"admin:secret").decode()
        with socket.create_connection(("127.0.0.1", bus.http_port)) as client:
            client.sendall(f"GET /queues/q/messages?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n\r\n".encode())
            time.sleep(0.3)
        time.sleep(0.2)
        bus.http("POST", "/queues/q/messages", b"x", {"Content-Type": "text/plain"})
        again, = json.loads(bus.http("GET", "/queues/q/messages?wait=2")[2])
        self.assertEqual(("x", 1), (again["body"], again["deliveryCount"]))

    # ---- numbers ----

    def test_every_number_reconciles(self):
        bus = self.bus()
        bus.start()
        for _ in range(20):
            bus.http("POST", "/queues/q/messages", b"x")
        bus.http("POST", "/queues/q/messages", b"x", {"X-Expires-Ms": "1"})
        wire = Wire(bus.stomp_port)
        wire.send("SUBSCRIBE", {"id": "0", "destination": "/queue/q", "ack": "client-individual", "activemq.prefetchSize": "5"})
        for n in range(5):
            wire.send("ACK", {"id": wire.next("MESSAGE")[1]["ack"], "receipt": str(n)})
            self.assertTrue(wire.next("RECEIPT"))
        wire.close()
        time.sleep(0.2)
        queue = json.loads(bus.http("GET", "/api/v1/queues/q")[2])
        self.assertEqual(queue["in"], queue["out"] + queue["expired"] + queue["dead"] + queue["purged"] + queue["moved"] + queue["evicted"] + queue["depth"])
        self.assertEqual((21, 5, 1, 15), (queue["in"], queue["out"], queue["expired"], queue["depth"]))
        text = bus.http("GET", "/metrics")[2].decode()
        self.assertTrue(re.search(r'^busbar_queue_\w*\{.*queue="q".*\} 15$', text, re.M), text[:2000])
        for line in text.splitlines():
            self.assertRegex(line, r'^(#.*|[a-zA-Z_:][\w:]*(\{.*\})? -?[0-9.e+-]+)$')


if __name__ == "__main__":
    unittest.main()
