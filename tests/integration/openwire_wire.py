"""OpenWire 12 as bytes, loose and without a cache: for tests that send what no client of ActiveMQ's would.

Fields are made by the functions below and joined; docs/protocols/openwire.md names the tables.
"""
import socket
import struct

WIRE_FORMAT, CONNECTION, CONSUMER, DESTINATION, REMOVE_SUBSCRIPTION = 1, 3, 5, 8, 9
KEEP_ALIVE, CONNECTION_ERROR, MESSAGE_ACK, TEXT_MESSAGE, RESPONSE, EXCEPTION = 10, 16, 22, 28, 30, 31
QUEUE, TOPIC, TEMP_QUEUE, TEMP_TOPIC = 100, 101, 102, 103
NULL = b"\0"


def number(value):
    return struct.pack(">i", value)


def large(value):
    return struct.pack(">q", value)


def flag(value):
    return b"\1" if value else b"\0"


def text(value):
    if value is None:
        return NULL
    raw = value.encode()
    return b"\1" + struct.pack(">H", len(raw)) + raw


def blob(value):
    return NULL if value is None else b"\1" + number(len(value)) + value


def nested(kind, fields):
    return b"\1" + bytes([kind]) + fields


def destination(kind, name):
    return nested(kind, text(name))


def throwable(name, message):
    return b"\1" + text(name) + text(message)


def frame(kind, fields):
    return number(1 + len(fields)) + bytes([kind]) + fields


def wire_format(properties=None, version=12):
    return frame(WIRE_FORMAT, b"ActiveMQ" + number(version) + blob(properties))


class Refused(Exception):
    """An ExceptionResponse or ConnectionError: class and text."""


class OpenWire:
    """A connection that is logged in, unless `login` is False."""

    def __init__(self, port, user="admin", password="secret", client_id=None, name="ID:hostile-1:1", login=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.bytes, self.last, self.name = b"", 0, name
        self.socket.sendall(wire_format())
        self.read()
        if login:
            self.ask(CONNECTION, nested(120, text(name)) + text(client_id) + text(password) + text(user) + NULL +
                     flag(0) + flag(0) + flag(1) + flag(0) + flag(0) + text(None))

    def command(self, kind, fields, wanted=True):
        """The bytes of a command with the next id."""
        self.last += 1
        return frame(kind, number(self.last) + flag(wanted) + fields)

    def send(self, kind, fields, wanted=True):
        self.socket.sendall(self.command(kind, fields, wanted))

    def ask(self, kind, fields):
        """Sends, and waits for the answer; Refused where it is an exception."""
        self.send(kind, fields)
        while True:
            what, body = self.read()
            if what == CONNECTION_ERROR:
                raise Refused(self.exception(body[5:]))
            if what in (RESPONSE, EXCEPTION) and struct.unpack(">i", body[5:9])[0] == self.last:
                if what == EXCEPTION:
                    raise Refused(self.exception(body[9:]))
                return

    @staticmethod
    def exception(fields):
        parts = []
        at = 1
        for _ in range(2):
            size = struct.unpack(">H", fields[at + 1:at + 3])[0]
            parts.append(fields[at + 3:at + 3 + size].decode())
            at += 3 + size
        return " ".join(parts)

    def read(self):
        """The next frame as (type, fields); ConnectionError where there is none any more."""
        while len(self.bytes) < 4 or len(self.bytes) < 4 + struct.unpack(">i", self.bytes[:4])[0]:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("closed")
            self.bytes += more
        size = struct.unpack(">i", self.bytes[:4])[0]
        whole, self.bytes = self.bytes[4:4 + size], self.bytes[4 + size:]
        return whole[0], whole[1:]

    def consume(self, kind, name, number_=1, browser=False, subscription=None):
        """ConsumerInfo, answered."""
        consumer = nested(122, text(self.name) + large(1) + large(number_))
        self.ask(CONSUMER, consumer + flag(browser) + destination(kind, name) + number(10) + number(0) + flag(0) + text(None) +
                 text(None) + text(subscription) + flag(0) * 3 + NULL + NULL + NULL + flag(0) * 3 + NULL)

    def destination_info(self, kind, name, remove=False):
        self.ask(DESTINATION, nested(120, text(self.name)) + destination(kind, name) + flag(remove) + large(0) + NULL)

    def remove_subscription(self, name, client_id):
        self.ask(REMOVE_SUBSCRIPTION, nested(120, text(self.name)) + text(name) + text(client_id))

    def text_message(self, queue, content, properties=None, compressed=False, sequence=1):
        """The fields of a text message, but for the head."""
        producer = nested(123, text(self.name) + large(1) + large(1))
        identity = nested(110, text(None) + producer + large(sequence) + large(0))
        return (producer + destination(QUEUE, queue) + NULL + NULL + identity + NULL + text(None) + number(0) + text(None) + flag(1) +
                large(0) + b"\4" + NULL + large(0) + text(None) + blob(content) + blob(properties) + NULL + NULL + flag(compressed) +
                number(0) + NULL + large(0) + text(None) + flag(0) + flag(0) + NULL + large(0) + large(0) + flag(0))

    def close(self):
        self.socket.close()
