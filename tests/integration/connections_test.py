"""Are a thousand connections of each protocol served, each with its own message, in little memory, and others beside them?

And where open files are few (ulimit -n): are those that are connected served on, is the store spared, does the log say why?
"""
import json
import socket
import subprocess
import unittest

import proton
from proton.handlers import MessagingHandler
from proton.reactor import Container

import busbar_fixture
from busbar_fixture import Bus, allow_open_files
from java_client import Peer
from stomp_wire import Closed, Wire

COUNT = 1000
# Generous: what is measured is printed. A connection that holds nothing should cost some ten KiB.
MEMORY_PER_CONNECTION = 128 << 10


def memory(process):
    """Bytes of the process that are in memory."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


class AmqpCrowd(MessagingHandler):
    """python3-qpid-proton, one reactor: every connection sends one message to its queue and takes it."""

    def __init__(self, url, count):
        super().__init__(prefetch=1)
        self.url, self.count, self.got, self.all_open, self.failed = url, count, 0, None, []

    def on_start(self, event):
        self.connections = [event.container.connect(self.url, user="admin", password="secret", allowed_mechs="PLAIN",
                                                    reconnect=False) for _ in range(self.count)]
        for i, connection in enumerate(self.connections):
            sender = event.container.create_sender(connection, f"amqp.{i}")
            sender.mine = i
            event.container.create_receiver(connection, f"amqp.{i}")

    def on_sendable(self, event):
        if event.sender.mine is not None:
            event.sender.send(proton.Message(body=f"mine {event.sender.mine}", durable=True))
            event.sender.mine = None

    def on_message(self, event):
        self.got += event.message.body == "mine " + event.receiver.source.address.split(".")[1]
        if self.got == self.count:
            self.all_open()
            for connection in self.connections:
                connection.close()

    def on_transport_error(self, event):
        self.failed.append(str(event.transport.condition))

    def on_link_error(self, event):
        self.failed.append(str(event.link.remote_condition))
        event.connection.close()


class ThousandTest(unittest.TestCase):
    def setUp(self):
        allow_open_files(4 * COUNT)
        self.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.before = memory(self.bus.process)

    def all_open(self, protocol):
        """While the thousand are there: what they cost, and that another client is served."""
        each = (memory(self.bus.process) - self.before) // COUNT
        print(f"{protocol}: {memory(self.bus.process) >> 20} MiB with {COUNT} connections, {each} bytes each", flush=True)
        self.assertLess(each, MEMORY_PER_CONNECTION)
        self.assertEqual(201, self.bus.http("POST", "/queues/other/messages", b"x")[0])
        self.assertEqual(b"eA==", self.body("other").encode())
        self.assertGreaterEqual(len(json.loads(self.bus.http("GET", "/api/v1/sessions")[2])), 1)

    def body(self, queue):
        messages = json.loads(self.bus.http("GET", f"/queues/{queue}/messages?wait=10")[2])
        self.assertEqual(1, len(messages), queue)
        self.assertEqual(204, self.bus.http("DELETE", f"/queues/{queue}/leases/{messages[0]['lease']}")[0])
        return messages[0]["body"]

    def test_stomp(self):
        wires = [Wire(self.bus.stomp_port, timeout=30) for _ in range(COUNT)]
        for i, wire in enumerate(wires):
            self.addCleanup(wire.close)
            wire.send("SUBSCRIBE", {"id": "0", "destination": f"/queue/stomp.{i}"})
            wire.send("SEND", {"destination": f"/queue/stomp.{i}", "persistent": "true"}, f"mine {i}".encode())
        for i, wire in enumerate(wires):
            self.assertEqual(f"mine {i}".encode(), wire.next("MESSAGE", timeout=30)[2])
        self.all_open("STOMP")

    def test_amqp(self):
        crowd = AmqpCrowd(f"127.0.0.1:{self.bus.amqp_port}", COUNT)
        crowd.all_open = lambda: self.all_open("AMQP")
        Container(crowd).run()
        self.assertEqual([], crowd.failed)
        self.assertEqual(COUNT, crowd.got)

    def test_openwire(self):
        # Many small stacks: the client has two threads a connection.
        peer = Peer(options=("-Xss256k", "-Xmx512m"))
        self.addCleanup(peer.close)
        answer = peer("crowd", user="admin", password="secret", count=COUNT, queue="openwire.",
                      url=f"tcp://127.0.0.1:{self.bus.openwire_port}?jms.watchTopicAdvisories=false")
        self.assertEqual(COUNT, answer["got"])
        self.all_open("OpenWire")
        peer("disperse")

    def test_http(self):
        open_sockets = []
        for i in range(COUNT):
            s = socket.create_connection(("127.0.0.1", self.bus.http_port), 30)
            self.addCleanup(s.close)
            open_sockets.append(s)
            s.sendall(self.request("POST", f"/queues/http.{i}/messages", f"mine {i}".encode()))
        for s in open_sockets:
            self.assertIn(b" 201 ", self.answer(s)[0])
        for i, s in enumerate(open_sockets):
            s.sendall(self.request("GET", f"/queues/http.{i}/messages?wait=20"))
        for i, s in enumerate(open_sockets):
            self.assertEqual(f"mine {i}", json.loads(self.answer(s)[1])[0]["body"])
        self.all_open("HTTP")

    @staticmethod
    def request(method, path, body=b""):
        return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46c2VjcmV0\r\nContent-Type: text/plain\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    @staticmethod
    def answer(s):
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        while len(body) < length:
            body += s.recv(65536)
        return head, body


class FewFilesTest(unittest.TestCase):
    LIMIT = 256

    def start(self, soft, hard):
        """A bus whose shell said `ulimit`."""
        bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(bus.close)
        wrapper = bus.directory / "busbard"
        wrapper.write_text(f"#!/bin/bash\nulimit -Sn {soft}\nulimit -Hn {hard}\nexec {busbar_fixture.BUSBARD} \"$@\"\n")
        wrapper.chmod(0o755)
        program, busbar_fixture.BUSBARD = busbar_fixture.BUSBARD, str(wrapper)
        try:
            bus.start()
        finally:
            busbar_fixture.BUSBARD = program
        return bus

    def test_clients_beyond_the_limit_are_refused_and_the_others_served(self):
        bus = self.start(self.LIMIT, self.LIMIT)
        taken = []
        with self.assertRaises(Closed):
            while len(taken) < 2 * self.LIMIT:
                taken.append(Wire(bus.stomp_port))
                self.addCleanup(taken[-1].close)
        self.assertGreater(len(taken), self.LIMIT // 2)
        self.assertIn("at most 256 open files are allowed (ulimit -n)", bus.log())
        self.assertIn("connection refused: all of the 192 open files that clients may have are in use", bus.log())
        for i, wire in enumerate(taken):
            wire.send("SEND", {"destination": "/queue/q", "persistent": "true", "receipt": "r"}, bytes(200_000))
        for wire in taken:
            self.assertEqual("RECEIPT", wire.next("RECEIPT", timeout=30)[0])
        for wire in taken[:20]:
            wire.close()
        taken[20].send("SUBSCRIBE", {"id": "0", "destination": "/queue/q"})
        for _ in taken:
            self.assertEqual(200_000, len(taken[20].next("MESSAGE", timeout=30)[2]))
        self.assertEqual(0, bus.terminate())

    def test_the_soft_limit_is_raised(self):
        bus = self.start(self.LIMIT, 4096)
        limits = subprocess.run(["grep", "open files", f"/proc/{bus.process.pid}/limits"], capture_output=True, text=True)
        self.assertEqual(["4096", "4096"], limits.stdout.split()[3:5])
        self.assertNotIn("open files are allowed", bus.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
