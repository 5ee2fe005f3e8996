"""Bodies that do not fit into memory: streamed in and out, whole or not there, gone when they are done with.

BUSBAR_LARGE_BYTES in the environment sets the size of the largest one (2147483648 for the whole promise).
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import unittest

from amqp_wire import (ACCEPTED, DETACH, DISPOSITION, REJECTED, TRANSFER, RECEIVER, AmqpWire, Described, Uint, encode)
from busbar_fixture import BUSBAR, Bus, clean_environment

LARGE = int(os.environ.get("BUSBAR_LARGE_BYTES", 300 << 20))
PASSWORD = "secret"
PIECE = 1 << 20
BASIC = {"Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()}


def pieces(size, seed=b"large"):
    """`size` bytes that do not repeat soon, in pieces."""
    block = b"".join(hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(PIECE // 32))
    number = 0
    while size > 0:
        piece = number.to_bytes(8, "big") + block[8:]
        yield piece[:size]
        size -= len(piece)
        number += 1


def digest(parts):
    sum_ = hashlib.sha256()
    for part in parts:
        sum_.update(part)
    return sum_.hexdigest()


class Stomp:
    """A client that holds no frame in memory."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.buffer = b""
        self.send("CONNECT", {"accept-version": "1.2", "host": "/", "login": "admin", "passcode": PASSWORD,
                              "heart-beat": "0,0"})
        command, headers = self.head()
        assert command == "CONNECTED", (command, headers)
        self.body(headers)

    def send(self, command, headers, body=b"\0"):
        lines = [command] + [f"{k}:{v}" for k, v in headers.items()]
        self.socket.sendall("\n".join(lines).encode() + b"\n\n" + body)

    def _more(self):
        part = self.socket.recv(256 << 10)
        if not part:
            raise EOFError("the bus closed the connection")
        return part

    def head(self):
        while True:
            self.buffer = self.buffer.lstrip(b"\n")
            end = self.buffer.find(b"\n\n")
            if end >= 0:
                break
            self.buffer += self._more()
        lines = self.buffer[:end].decode().split("\n")
        self.buffer = self.buffer[end + 2:]
        return lines[0], dict(line.split(":", 1) for line in lines[1:])

    def parts(self, headers):
        """The body of the frame whose head was read last."""
        left = int(headers.get("content-length", 0))
        while left > 0:
            part = self.buffer or self._more()
            self.buffer = part[left:]
            part = part[:left]
            left -= len(part)
            yield part
        while not self.buffer:
            self.buffer = self._more()
        assert self.buffer[0:1] == b"\0", self.buffer[:20]
        self.buffer = self.buffer[1:]

    def body(self, headers):
        return b"".join(self.parts(headers))

    def close(self):
        self.socket.close()


def memory(bus, key):
    """Bytes of the daemon, from /proc."""
    for line in pathlib.Path(f"/proc/{bus.process.pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def body_files(bus):
    return sorted(p.name for p in (bus.data / "journal").glob("*.body"))


def until(what, timeout=30):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("did not happen in time")


class LargeMessages(unittest.TestCase):
    def setUp(self):
        self.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": PASSWORD})
        self.addCleanup(self.bus.close)
        self.bus.start()

    def stomp(self):
        client = Stomp(self.bus.stomp_port)
        self.addCleanup(client.close)
        return client

    def post(self, size, queue="big", headers=None, seed=b"large", chunked=False):
        """Streams a message in and returns status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.bus.http_port, timeout=300)
        fields = {**BASIC, "Content-Type": "application/octet-stream", **(headers or {})}
        if not chunked:
            fields["Content-Length"] = str(size)
        connection.request("POST", f"/queues/{queue}/messages", body=pieces(size, seed), headers=fields,
                           encode_chunked=chunked)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, json.loads(body)

    def get(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.bus.http_port, timeout=300)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers={**BASIC, **(headers or {})})
        return connection.getresponse()

    def request(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.bus.http_port, timeout=60)
        connection.request(method, path, headers=BASIC)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def receive(self, queue="big"):
        status, body = self.request("GET", f"/queues/{queue}/messages?wait=10s")
        self.assertEqual(200, status, body)
        return json.loads(body)

    def begin_upload(self, size, sent, queue="big"):
        """Sends the head and the first bytes of a message."""
        stream = socket.create_connection(("127.0.0.1", self.bus.http_port), 60)
        stream.sendall((f"POST /queues/{queue}/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n"
                        f"Authorization: {BASIC['Authorization']}\r\n\r\n").encode())
        for part in pieces(sent):
            stream.sendall(part)
        return stream

    def test_streams_in_over_http_and_out_over_stomp_in_little_memory(self):
        self.assertEqual(201, self.post(10)[0])  # what every client costs
        self.receive()
        idle = memory(self.bus, "VmHWM")
        wanted = digest(pieces(LARGE))
        status, answer = self.post(LARGE)
        self.assertEqual(201, status, answer)
        client = self.stomp()
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/big", "ack": "client-individual"})
        command, headers = client.head()
        self.assertEqual(("MESSAGE", str(LARGE)), (command, headers["content-length"]))
        self.assertEqual(wanted, digest(client.parts(headers)))
        client.send("ACK", {"id": headers["ack"], "receipt": "r"})
        self.assertEqual("RECEIPT", client.head()[0])
        used = memory(self.bus, "VmHWM") - idle
        print(f" {LARGE >> 20} MiB in and out with {used >> 10} KiB above idle ({idle >> 20} MiB) ", end="", flush=True)
        self.assertLess(used, 64 << 20)
        until(lambda: not body_files(self.bus))

    def test_streams_in_over_stomp_and_out_over_http(self):
        size = 20 << 20
        client = self.stomp()
        client.send("SEND", {"destination": "/queue/big", "content-length": size, "receipt": "first"}, b"")
        for part in pieces(size):
            client.socket.sendall(part)
        client.socket.sendall(b"\0")
        client.send("SEND", {"destination": "/queue/big", "receipt": "second"}, b"small\0")
        for receipt in ("first", "second"):
            command, headers = client.head()
            self.assertEqual(("RECEIPT", receipt), (command, headers.get("receipt-id")))
            client.body(headers)
        message = self.receive()[0]
        self.assertEqual(size, message["bodyBytes"])
        self.assertNotIn("body", message)
        answer = self.get(message["bodyPath"])
        self.assertEqual((200, str(size)), (answer.status, answer.getheader("Content-Length")))
        self.assertEqual(digest(pieces(size)), digest(iter(lambda: answer.read(PIECE), b"")))
        part = self.get(message["bodyPath"], {"Range": "bytes=1048576-1048583"})
        self.assertEqual(206, part.status)
        self.assertEqual((1).to_bytes(8, "big"), part.read())
        status, _ = self.request("DELETE", f"/queues/big/leases/{message['lease']}")
        self.assertEqual(204, status)
        until(lambda: not body_files(self.bus))
        self.assertEqual(404, self.get(message["bodyPath"]).status)

    def amqp(self, queue="big"):
        client = AmqpWire(self.bus.amqp_port, PASSWORD)
        self.addCleanup(client.close)
        client.attach_sender("out", queue, durable=0, second=False)
        return client

    def send_over_amqp(self, client, head, body, tail=b""):
        """One message in many frames: what comes first, pieces of the body, what comes last."""
        id_ = client.transfer(b"large-%d" % client.next_id, head, more=True)
        for part in body:
            for at in range(0, len(part), 60_000):
                client.go_on(part[at:at + 60_000], more=True)
        client.go_on(tail)
        return id_

    def test_streams_in_and_out_over_amqp_in_little_memory(self):
        self.assertEqual(201, self.post(10)[0])
        self.receive()
        client = self.amqp()
        idle = memory(self.bus, "VmHWM")
        # One data section that says how long it is, with a footer behind it.
        head = encode(Described(0x70, [True])) + b"\0\x53\x75\xb0" + LARGE.to_bytes(4, "big")
        self.send_over_amqp(client, head, pieces(LARGE), encode(Described(0x78, {"end": "of it"})))
        self.assertEqual(ACCEPTED, client.wait(DISPOSITION)[4].code)
        client.attach_receiver("in", "big", durable=0, handle=1, credit=1)
        sum_, size, payload = hashlib.sha256(), 0, b""
        more = True
        while more:
            frame = client.wait(TRANSFER)
            more = frame[5]
            payload += frame.payload
            if not size:
                at = payload.find(b"\0\x53\x75\xb0" + LARGE.to_bytes(4, "big"))
                if at < 0:
                    continue
                payload = payload[at + 8:]
            part = payload[:LARGE - size]
            payload = payload[len(part):]
            sum_.update(part)
            size += len(part)
        self.assertEqual((LARGE, digest(pieces(LARGE))), (size, sum_.hexdigest()))
        self.assertIn(b"of it", payload)
        client.settle(frame[1] or 0, RECEIVER, Described(ACCEPTED, []))
        used = memory(self.bus, "VmHWM") - idle
        print(f" {LARGE >> 20} MiB in and out with {used >> 10} KiB above idle ({idle >> 20} MiB) ", end="", flush=True)
        self.assertLess(used, 16 << 20)
        until(lambda: not body_files(self.bus))

    def test_many_data_sections_over_amqp_are_one_body(self):
        size = 40 << 20
        client = self.amqp()
        sections = (b"\0\x53\x75\xb0" + len(part).to_bytes(4, "big") + part for part in pieces(size))
        self.send_over_amqp(client, encode(Described(0x70, [True])), sections)
        self.assertEqual(ACCEPTED, client.wait(DISPOSITION)[4].code)
        message = self.receive()[0]
        self.assertEqual(size, message["bodyBytes"])
        answer = self.get(message["bodyPath"])
        self.assertEqual(digest(pieces(size)), digest(iter(lambda: answer.read(PIECE), b"")))

    def test_half_a_body_over_amqp_is_nothing(self):
        head = b"\0\x53\x75\xb0" + (50 << 20).to_bytes(4, "big")
        for how in ("close", "abort", "detach", "kill"):
            with self.subTest(how=how):
                client = self.amqp()
                client.transfer(b"half", head, more=True)
                for part in pieces(20 << 20):
                    for at in range(0, len(part), 60_000):
                        client.go_on(part[at:at + 60_000], more=True)
                until(lambda: body_files(self.bus))
                if how == "abort":
                    client.go_on(b"", aborted=True)
                elif how == "detach":
                    client.say(DETACH, Uint(0), True)
                elif how == "kill":
                    self.bus.kill9()
                    self.bus.restart()
                if how in ("close", "kill"):
                    client.close()
                until(lambda: not body_files(self.bus))
                self.assertEqual(404, self.request("GET", "/queues/big/messages")[0], "nothing has made the queue")

    def test_text_over_amqp_is_checked_while_it_comes(self):
        client = self.amqp()
        for last, outcome in ((b"\xe2\x82\xac", ACCEPTED), (b"\xe2\x82", REJECTED)):
            text = ("\u20ac" * (2 << 20)).encode() + last
            self.send_over_amqp(client, b"\0\x53\x77\xb1" + len(text).to_bytes(4, "big"), [text])
            self.assertEqual(outcome, client.wait(DISPOSITION)[4].code)
        self.assertEqual(6 * (1 << 20) + 3, self.receive()[0]["bodyBytes"])
        until(lambda: len(body_files(self.bus)) == 1)

    def test_chunked_bodies_are_streamed_too(self):
        status, answer = self.post(12 << 20, chunked=True)
        self.assertEqual(201, status, answer)
        self.assertEqual(12 << 20, self.receive()[0]["bodyBytes"])

    def test_a_repeated_send_is_taken_once(self):
        key = {"Idempotency-Key": "k1"}
        self.assertEqual(201, self.post(8 << 20, headers=key)[0])
        self.assertEqual(200, self.post(8 << 20, headers=key)[0])
        self.assertEqual(409, self.post(8 << 20, headers=key, seed=b"other")[0])
        until(lambda: len(body_files(self.bus)) == 1)

    def test_what_is_over_the_limit_is_refused_before_it_comes(self):
        stream = self.begin_upload((2 << 30) + 1, 0)
        self.assertIn(b" 413 ", stream.recv(1000).split(b"\r\n")[0])
        stream.close()

    def test_an_interrupted_sender_leaves_nothing(self):
        stream = self.begin_upload(50 << 20, 20 << 20)
        until(lambda: body_files(self.bus))
        stream.close()
        until(lambda: not body_files(self.bus))
        self.assertEqual(201, self.post(8 << 20)[0])
        self.assertEqual(8 << 20, self.receive()[0]["bodyBytes"])

    def test_a_kill_while_it_arrives_leaves_nothing(self):
        self.assertEqual(201, self.post(6 << 20, queue="kept")[0])
        stream = self.begin_upload(50 << 20, 20 << 20)
        until(lambda: len(body_files(self.bus)) == 2)
        self.bus.kill9()
        stream.close()
        self.assertEqual(2, len(body_files(self.bus)))
        self.bus.restart()
        self.assertEqual(1, len(body_files(self.bus)))
        self.assertEqual(6 << 20, self.receive("kept")[0]["bodyBytes"])

    def test_a_kill_while_it_is_delivered_delivers_it_again(self):
        size = 64 << 20
        self.assertEqual(201, self.post(size)[0])
        client = self.stomp()
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/big", "ack": "client-individual"})
        headers = client.head()[1]
        next(client.parts(headers))
        self.bus.kill9()
        client.close()
        self.bus.restart()
        client = self.stomp()
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/big", "ack": "client-individual"})
        headers = client.head()[1]
        self.assertEqual(digest(pieces(size)), digest(client.parts(headers)))

    def test_a_slow_reader_holds_nobody_up(self):
        size = 40 << 20
        self.assertEqual(201, self.post(size)[0])
        slow = self.stomp()
        slow.send("SUBSCRIBE", {"id": "1", "destination": "/queue/big", "ack": "auto"})
        headers = slow.head()[1]
        parts = slow.parts(headers)
        first = next(parts)
        # On its own connection a receipt waits behind the frame, and does not break it.
        slow.send("SEND", {"destination": "/queue/other", "receipt": "r"}, b"x\0")
        for _ in range(50):
            self.assertEqual(201, self.post(100, queue="small")[0])
        sum_ = hashlib.sha256(first)
        for part in parts:
            sum_.update(part)
        self.assertEqual(digest(pieces(size)), sum_.hexdigest())
        self.assertEqual("RECEIPT", slow.head()[0])
        slow.close()

    def busbar(self, *arguments):
        done = subprocess.run([BUSBAR, *arguments], env=clean_environment({"BUSBAR_PASSWORD": PASSWORD}),
                              capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_backups_have_the_bodies(self):
        self.assertEqual(201, self.post(6 << 20)[0])
        online, offline = (str(self.bus.directory / name) for name in ("online", "offline"))
        self.busbar("journal", "backup", online, "--url", self.bus.url)
        self.bus.terminate()
        self.busbar("journal", "backup", offline, "--offline", "--data", str(self.bus.data))
        journal = self.bus.data / "journal"
        for copy in (online, offline):
            shutil.rmtree(journal)
            pathlib.Path(copy).rename(journal)
            self.busbar("journal", "check", "--data", str(self.bus.data))
            self.bus.start()
            message = self.receive()[0]
            answer = self.get(message["bodyPath"])
            self.assertEqual(digest(pieces(6 << 20)), digest(iter(lambda: answer.read(PIECE), b"")))
            self.bus.terminate()

    def test_a_missing_body_is_told_and_the_rest_goes_on(self):
        self.assertEqual(201, self.post(6 << 20)[0])
        self.assertEqual(201, self.post(10)[0])
        self.bus.kill9()
        (self.bus.data / "journal" / body_files(self.bus)[0]).unlink()
        self.bus.restart()
        self.assertEqual(10, len(base64.b64decode(self.receive()[0]["body"])))


if __name__ == "__main__":
    unittest.main()
