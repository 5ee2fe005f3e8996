"""JMS messages as plain values, and a generator of them from a seed. Knows no wire.

A VALUE is (type, python value): boolean, byte, short, int, long, float, double, string, bytes, char, null; within maps also list
([VALUE]) and map ([(name, VALUE)]). Bodies: none None; text str, or None; bytes and object bytes; map [(name, VALUE)]; stream [VALUE].
"""
import dataclasses
import random
import struct

KINDS = ("none", "text", "bytes", "map", "stream", "object")
INTEGERS = {"byte": 8, "short": 16, "int": 32, "long": 64}
PROPERTY_TYPES = ("boolean", "byte", "short", "int", "long", "float", "double", "string")
VALUE_TYPES = PROPERTY_TYPES + ("bytes", "char", "null")


@dataclasses.dataclass
class Message:
    kind: str
    body: object
    properties: dict = dataclasses.field(default_factory=dict)  # name: VALUE
    correlation: str = ""
    type: str = ""
    reply_to: str = ""          # queue://N, topic://N
    priority: int = 4
    ttl: int = 0                # ms; 0: for ever
    persistent: bool = True
    group: str = ""
    sequence: int = 0
    content_type: str = ""
    expiration: int = 0         # ms since 1970; what a receiver sees instead of the ttl
    user: str = ""              # likewise
    shown_as: str = ""          # likewise: STOMP's busbar-body


def real(kind, value):
    """The float or double nearest to value."""
    return struct.unpack("<f", struct.pack("<f", value))[0] if kind == "float" else float(value)


def same(a, b):
    """Whether two VALUEs are one: 0.0 is not -0.0, True is not 1."""
    return repr(a) == repr(b)


def in_order(value):
    """A VALUE, or a map's body, with its maps in the order of their names: JMS gives them none."""
    if isinstance(value, list):
        return [in_order(one) for one in (sorted(value) if value and isinstance(value[0][1], tuple) else value)]
    return (value[0], in_order(value[1])) if isinstance(value[1], (list, tuple)) else value


class Generator:
    ALPHABET = "azAZ09 .:;,-_/\\\"'<>&%{}[]#äöüßéñ€Ωж日本語\u0100\u07ff\u0800\uffee😀𝄞🏳"
    ESCAPES = "\n\t\r\\:"
    NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$"

    def __init__(self, seed, escapes=True, kinds=KINDS, negative_sequence=True):
        self.random = random.Random(seed)
        self.escapes, self.kinds, self.negative_sequence = escapes, kinds, negative_sequence

    def all(self, rounds):
        """So many messages of each kind; the first of a kind are its edges."""
        for kind in self.kinds:
            for edge in self.edges(kind):
                yield self.message(kind, edge)
            for _ in range(rounds):
                yield self.message(kind, self.body(kind))

    # ---- parts

    def text(self, length):
        letters = self.ALPHABET + (self.ESCAPES if self.escapes else "")
        return "".join(self.random.choice(letters) for _ in range(length)).strip(" \n\t\r")

    def name(self):
        return "p" + "".join(self.random.choice(self.NAMES) for _ in range(self.random.randint(0, 12)))

    def value(self, kind, wide=False):
        """`wide`: as in bodies, where strings may be long."""
        pick = self.random
        if kind in INTEGERS:
            bits = INTEGERS[kind]
            return kind, pick.choice([-(1 << bits - 1), (1 << bits - 1) - 1, -1, 0, 1, pick.randrange(1 << bits - 1)])
        if kind in ("float", "double"):
            tiny, huge = (1e-45, 3.4028235e38) if kind == "float" else (5e-324, 1.7976931348623157e308)
            return kind, real(kind, pick.choice([0.0, -0.0, tiny, -huge, huge, 0.1, -1.5, 1e22, 100.0, pick.uniform(-1e9, 1e9)]))
        if kind == "string":
            return kind, self.text(pick.choice([0, 1, 7, 40, 70_000 if wide and pick.random() < 0.2 else 200]))
        if kind == "bytes":
            return kind, pick.randbytes(pick.choice([0, 1, 300])) + b"\0\xff"
        if kind == "char":
            return kind, pick.choice("aä€日\0\uffff")
        return (kind, None) if kind == "null" else (kind, pick.random() < 0.5)

    def body(self, kind):
        pick = self.random
        if kind == "none":
            return None
        if kind == "text":
            return self.text(pick.choice([1, 30, 2000]))
        if kind in ("bytes", "object"):
            return pick.randbytes(pick.choice([1, 33, 5000]))
        values = self.values()
        if kind == "stream":  # ActiveMQ's has no lists and maps within
            return values
        inner = self.values()
        values += [("list", [*inner[:4], ("list", []), ("map", self.named(inner[4:]))]), ("map", self.named([("list", inner)]))]
        pick.shuffle(values)
        return self.named(values)

    def values(self):
        values = [self.value(one, wide=True) for one in VALUE_TYPES]
        self.random.shuffle(values)
        return values

    def named(self, values):
        return [(f"{self.text(3)}.{i}", value) for i, value in enumerate(values)]

    def edges(self, kind):
        if kind == "text":
            return [None, "", "a\0b", "😀" * 20_000, "x" * 70_001, "\n\n", "\ufeff\u2028"]
        if kind in ("bytes", "object"):
            return [b"\0", bytes(range(256)) * 300, b"\xff\xfe\0\0"] + ([b""] if kind == "bytes" else [])
        if kind in ("map", "stream"):
            return [[]]
        return []

    def message(self, kind, body):
        pick = self.random
        message = Message(kind, body)
        message.properties = {self.name(): self.value(one) for one in PROPERTY_TYPES}
        message.correlation = pick.choice(["", "c-1", self.text(20)])
        message.type = pick.choice(["", "order", self.text(9)])
        message.reply_to = pick.choice(["", "queue://answers.eu", "topic://news.today", "queue://grün/€ 1"])
        message.priority = pick.randint(0, 9)
        message.ttl = pick.choice([0, 3_600_000])
        message.persistent = pick.random() < 0.7
        if pick.random() < 0.4:
            message.group = "g" + self.text(3)
            message.sequence = pick.choice([1, 7, (1 << 31) - 1] + ([-1] if self.negative_sequence else []))
        if kind == "text":
            message.content_type = "text/plain"
        elif kind == "bytes":
            message.content_type = pick.choice(["", "application/x-own"])
        return message
