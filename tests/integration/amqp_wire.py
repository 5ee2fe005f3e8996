"""AMQP 1.0 by hand: a client that says what it likes, as libraries do not let it: unsettled maps, the resume flag, a
message in many sections, half a message."""

import socket

from websocket_socket import WebSocket

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
ACCEPTED, REJECTED, RELEASED = 0x24, 0x25, 0x26
SENDER, RECEIVER = False, True
FRAME_MAX = 65536


class Uint(int):
    pass


class Ulong(int):
    pass


class Ubyte(int):
    pass


class Ushort(int):
    pass


class Symbol(str):
    pass


class Described:
    def __init__(self, code, value):
        self.code, self.value = code, value

    def __repr__(self):
        return f"{self.code:#x}{self.value}"


def encode(value):
    if value is None:
        return b"\x40"
    if isinstance(value, bool):
        return b"\x41" if value else b"\x42"
    if isinstance(value, Uint):
        return b"\x70" + value.to_bytes(4, "big")
    if isinstance(value, Ubyte):
        return b"\x50" + value.to_bytes(1, "big")
    if isinstance(value, Ushort):
        return b"\x60" + value.to_bytes(2, "big")
    if isinstance(value, Ulong):
        return b"\x80" + value.to_bytes(8, "big")
    if isinstance(value, Symbol):
        return b"\xb3" + len(value).to_bytes(4, "big") + value.encode()
    if isinstance(value, str):
        return b"\xb1" + len(value.encode()).to_bytes(4, "big") + value.encode()
    if isinstance(value, bytes):
        return b"\xb0" + len(value).to_bytes(4, "big") + value
    if isinstance(value, Described):
        return b"\0\x53" + bytes([value.code]) + encode(value.value)
    if isinstance(value, (list, dict)):
        items = value if isinstance(value, list) else [one for pair in value.items() for one in pair]
        body = b"".join(map(encode, items))
        code = b"\xd0" if isinstance(value, list) else b"\xd1"
        return code + (4 + len(body)).to_bytes(4, "big") + len(items).to_bytes(4, "big") + body
    raise TypeError(value)


def decode(data, at=0):
    """(value, where it ends)"""
    code = data[at]
    at += 1
    if code == 0:
        descriptor, at = decode(data, at)
        value, at = decode(data, at)
        return Described(descriptor, value), at
    fixed = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0, 0x45: []}
    if code in fixed:
        return fixed[code], at
    width = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}.get(code >> 4)
    if width is not None:
        return int.from_bytes(data[at:at + width], "big"), at + width
    width = 1 if code >> 4 in (0xa, 0xc, 0xe) else 4
    size = int.from_bytes(data[at:at + width], "big")
    at += width
    end = at + size
    if code >> 4 in (0xa, 0xb):
        raw = bytes(data[at:end])
        return raw if code & 15 == 0 else raw.decode(), end
    count = int.from_bytes(data[at:at + width], "big")
    at += width
    if code >> 4 in (0xe, 0xf):
        return bytes(data[at:end]), end  # nobody looks into arrays
    items = []
    for _ in range(count):
        value, at = decode(data, at)
        items.append(value)
    return (items if code & 15 == 0 else dict(zip(items[::2], items[1::2]))), end


class Frame:
    def __init__(self, data):
        begin = 4 * data[4]
        self.code, self.fields, self.payload = 0, [], b""
        if begin < len(data):
            body, end = decode(data, begin)
            self.code, self.fields, self.payload = body.code, body.value, data[end:]

    def __getitem__(self, index):
        return self.fields[index] if index < len(self.fields) else None

    def __repr__(self):
        return f"{self.code:#x}{self.fields} and {len(self.payload)} bytes"


class Closed(Exception):
    pass


class AmqpWire:
    """One connection with one session on channel 0."""

    def __init__(self, port, password, container="wire", user="admin", frame_max=FRAME_MAX, timeout=15):
        self.socket = self.connect(port, timeout)
        self.data = b""
        self.waiting = []  # frames that nobody has asked for yet
        self.next_id = 0
        try:
            self.open(password, container, user, frame_max)
        except BaseException:
            self.close()
            raise

    def connect(self, port, timeout):
        out = socket.create_connection(("127.0.0.1", port), timeout)
        out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return out

    def open(self, password, container, user, frame_max):
        self.socket.sendall(b"AMQP\3\1\0\0")
        self.exactly(8)
        self.read()  # mechanisms
        self.say(0x41, Symbol("PLAIN"), f"\0{user}\0{password}".encode(), type_=1)
        outcome = self.read()
        assert outcome.code == 0x44 and outcome[0] == 0, outcome
        self.socket.sendall(b"AMQP\0\1\0\0")
        self.exactly(8)
        self.say(OPEN, container, None, Uint(frame_max))
        self.say(BEGIN, None, Uint(0), Uint(1 << 30), Uint(1 << 30))
        self.wait(OPEN)
        self.wait(BEGIN)

    def close(self):
        self.socket.close()

    def exactly(self, size):
        while len(self.data) < size:
            try:
                part = self.socket.recv(256 << 10)
            except OSError as broken:
                raise Closed from broken
            if not part:
                raise Closed
            self.data += part
        out, self.data = self.data[:size], self.data[size:]
        return out

    def read(self):
        size = self.exactly(4)
        return Frame(size + self.exactly(int.from_bytes(size, "big") - 4))

    def wait(self, code, link=None):
        """The next frame of this performative; others are kept for who asks for them."""
        for i, frame in enumerate(self.waiting):
            if frame.code == code:
                return self.waiting.pop(i)
        while True:
            frame = self.read()
            if frame.code == code:
                return frame
            if frame.code == CLOSE:
                raise AssertionError(f"closed: {frame}")
            self.waiting.append(frame)

    def say(self, code, *fields, payload=b"", type_=0):
        body = encode(Described(code, list(fields))) + payload
        self.socket.sendall((8 + len(body)).to_bytes(4, "big") + bytes([2, type_, 0, 0]) + body)

    # ---- links: handles are the caller's

    def attach_sender(self, name, address, unsettled=None, durable=2, second=True, handle=0, incomplete=False):
        """The bus's attach frame."""
        self.say(ATTACH, name, Uint(handle), SENDER, Ubyte(0), Ubyte(1 if second else 0),
                 Described(0x28, ["me"]), Described(0x29, [address, Uint(durable)]), unsettled, incomplete, Uint(0))
        return self.wait(ATTACH)

    def attach_receiver(self, name, address, unsettled=None, durable=2, properties=None, handle=0, credit=100,
                        incomplete=False):
        self.say(ATTACH, name, Uint(handle), RECEIVER, Ubyte(0), Ubyte(0), Described(0x28, [address, Uint(durable)]),
                 Described(0x29, ["me"]), unsettled, incomplete, None, None, None, None, properties)
        frame = self.wait(ATTACH)
        if credit:
            self.say(FLOW, Uint(0), Uint(1 << 30), Uint(0), Uint(1 << 30), Uint(handle), Uint(0), Uint(credit))
        return frame

    def transfer(self, tag, payload, handle=0, settled=False, more=False, state=None, resume=False, aborted=False):
        """The first frame of a delivery; its id."""
        self.say(TRANSFER, Uint(handle), Uint(self.next_id), tag, Uint(0), settled, more, None, state, resume, aborted,
                 payload=payload)
        self.next_id += 1
        return self.next_id - 1

    def go_on(self, payload, handle=0, more=False, aborted=False):
        self.say(TRANSFER, Uint(handle), None, None, None, None, more, None, None, None, aborted, payload=payload)

    def answers(self, count):
        """What becomes of so many deliveries: by their ids, the outcome's code and whether it is settled."""
        out = {}
        while len(out) < count:
            frame = self.wait(DISPOSITION)
            for id_ in range(frame[1], (frame[1] if frame[2] is None else frame[2]) + 1):
                out[id_] = (frame[4].code, bool(frame[3]))
        return out

    def settle(self, first, role=SENDER, state=None, last=None):
        self.say(DISPOSITION, role, Uint(first), Uint(first if last is None else last), True, state)


class AmqpOverWebSocket(AmqpWire):
    """To the HTTP port."""

    def connect(self, port, timeout):
        return WebSocket(port, "/ws/amqp", "amqp", timeout)


def message(body, message_id=None, durable=True):
    """Text, with a header and, where there is one, an id."""
    out = encode(Described(0x70, [durable]))
    if message_id:
        out += encode(Described(0x73, [message_id]))
    return out + encode(Described(0x77, body))


def text_of(payload):
    at = 0
    while at < len(payload):
        section, at = decode(payload, at)
        if section.code == 0x77:
            return section.value
    return None
