"""The four wires, each through a client that people have: messages of crossing_messages.py in and out.

A wire has CAN (what a producer on it can say), send(queue, messages), receive(queue, count, timeout), close(); all but HTTP
also temporary(), the address of a temporary queue of their own, and answer(timeout), what comes there. A queue is its name, or
temp-queue://NAME.
"""
import base64
import json
import queue
import time
import urllib.parse

import proton
import stomp
from proton.utils import BlockingConnection

from crossing_messages import KINDS, Message, real
from java_client import Peer

ALL_TYPES = {"kinds": KINDS, "large_text": True}


def value_in_json(value):
    """docs/protocols/crossing.md, "As JSON"."""
    kind, plain = value
    if kind == "list":
        plain = [value_in_json(one) for one in plain]
    elif kind == "map":
        plain = {name: value_in_json(one) for name, one in plain}
    return {"type": kind, "value": base64.b64encode(plain).decode() if kind == "bytes" else plain}


def body_in_json(m):
    return {name: value_in_json(value) for name, value in m.body} if m.kind == "map" else [value_in_json(value) for value in m.body]


def types_of(properties):
    """busbar-types, X-Types."""
    return ",".join(f"{urllib.parse.quote(name)}={kind}" for name, (kind, _) in properties.items() if kind != "string")


def with_null_text(m):
    """The properties of a message, and what says over STOMP and HTTP that its text is null and not ""."""
    return m.properties | ({"busbar_nullText": ("boolean", True)} if m.kind == "text" and m.body is None else {})


def as_text(value):
    """What a producer writes whose wire has strings only."""
    kind, plain = value
    return str(plain).lower() if kind == "boolean" else repr(plain) if kind in ("float", "double") else str(plain)


def from_text(kind, text):
    if kind == "boolean":
        return text == "true"
    if kind in ("float", "double"):
        return real(kind, float(text))
    if kind == "bytes":
        return base64.b64decode(text)
    if kind == "null":
        return None
    return text if kind in ("string", "char") else int(text)


class Stomp(stomp.ConnectionListener):
    """stomp.py, version 1.2."""
    CAN = {"kinds": ("text", "bytes", "map", "stream", "object"), "large_text": False, "escapes": True, "negative_sequence": True}
    OWN = {"destination", "message-id", "timestamp", "persistent", "priority", "expires", "correlation-id", "reply-to", "type",
           "content-type", "content-length", "subscription", "ack", "JMSXGroupID", "JMSXGroupSeq", "JMSXUserID",
           "JMSXGroupFirstForConsumer", "busbar-body", "busbar-types", "redelivered", "JMSXDeliveryCount"}

    def __init__(self, bus):
        self.frames, self.receipts = queue.Queue(), queue.Queue()
        self.connection = stomp.Connection12([("127.0.0.1", bus.stomp_port)], auto_decode=False)
        self.connection.set_listener("", self)
        self.connection.connect("admin", bus.password, wait=True)

    def on_message(self, frame):
        self.frames.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(None)

    def on_error(self, frame):
        self.receipts.put(frame.headers)

    @staticmethod
    def address(uri):
        kind, separator, name = uri.rpartition("://")
        return f"/{kind or 'queue'}/{name}" if uri else ""

    @staticmethod
    def uri(address):
        _, kind, name = address.split("/", 2) if address else ("", "", "")
        return f"{kind}://{name}" if address else ""

    def temporary(self):
        self.connection.subscribe("/temp-queue/answers", id="temporary", ack="auto")
        return "temp-queue://answers"

    def answer(self, timeout):
        return self.seen(self.frames.get(timeout=timeout))

    def send(self, name, messages):
        for m in messages:
            headers = {"persistent": str(m.persistent).lower(), "priority": m.priority, "receipt": "r"}
            headers |= {key: value for key, value in (
                ("correlation-id", m.correlation), ("type", m.type), ("reply-to", self.address(m.reply_to)),
                ("JMSXGroupID", m.group), ("JMSXGroupSeq", m.sequence)) if value}
            if m.kind == "bytes":
                headers["content-length"] = len(m.body)  # stomp.py leaves it out where there is no body: that is text
            if m.ttl:
                headers["expires"] = int(time.time() * 1000) + m.ttl
            body = m.body
            if m.kind in ("map", "stream", "object"):
                headers["busbar-body"] = m.kind
                body = body if m.kind == "object" else json.dumps(body_in_json(m))
            properties = with_null_text(m)
            headers |= {key: as_text(value) for key, value in properties.items()}
            if types := types_of(properties):
                headers["busbar-types"] = types
            self.connection.send(self.address(name), body or "", content_type=m.content_type or None, headers=headers)
            refused = self.receipts.get(timeout=20)
            assert refused is None, refused

    def receive(self, name, count, timeout):
        self.connection.subscribe("/queue/" + name, id=name, ack="auto")
        return [self.seen(self.frames.get(timeout=timeout)) for _ in range(count)]

    def seen(self, frame):
        h = frame.headers
        body = frame.body if isinstance(frame.body, bytes) else frame.body.encode()
        assert int(h["content-length"]) == len(body), h
        types = dict(one.split("=") for one in h.get("busbar-types", "").split(",") if one)
        types = {urllib.parse.unquote(name): kind for name, kind in types.items()}
        properties = {key: (types.get(key, "string"), from_text(types.get(key, "string"), value))
                      for key, value in h.items() if key not in self.OWN}
        return Message("bytes", body, properties,
                       h.get("correlation-id", ""), h.get("type", ""),
                       self.uri(h.get("reply-to", "")),
                       int(h["priority"]), 0, h.get("persistent") == "true", h.get("JMSXGroupID", ""),
                       int(h.get("JMSXGroupSeq", 0)), h.get("content-type", ""), int(h["expires"]), h.get("JMSXUserID"),
                       h.get("busbar-body", ""))

    def close(self):
        self.connection.disconnect()


class Amqp:
    """python3-qpid-proton."""
    CAN = {**ALL_TYPES, "escapes": True, "negative_sequence": False}
    CODES = {"none": 0, "object": 1, "map": 2, "bytes": 3, "stream": 4, "text": 5}
    TYPES = {"byte": proton.byte, "short": proton.short, "int": proton.int32, "long": int, "float": proton.float32,
             "double": float, "char": proton.char, "boolean": bool, "string": str, "bytes": bytes, "null": lambda _: None}
    NAMES = {maker: name for name, maker in TYPES.items() if name != "null"} | {type(None): "null", memoryview: "bytes"}

    def __init__(self, bus):
        self.connection = BlockingConnection(f"127.0.0.1:{bus.amqp_port}", user="admin", password=bus.password,
                                             timeout=20, allowed_mechs="PLAIN")

    def put(self, value):
        if value[0] == "list":
            return [self.put(one) for one in value[1]]
        if value[0] == "map":
            return {name: self.put(one) for name, one in value[1]}
        return self.TYPES[value[0]](value[1])

    def got(self, value):
        if isinstance(value, list):
            return "list", [self.got(one) for one in value]
        if isinstance(value, dict):
            return "map", [(name, self.got(one)) for name, one in value.items()]
        name = self.NAMES[type(value)]
        plain = {"boolean": bool, "float": float, "double": float, "string": str, "char": str, "bytes": bytes}
        return name, None if name == "null" else plain.get(name, int)(value)

    def encode(self, m, number):
        body = m.body
        if m.kind == "map":
            body = {name: self.put(value) for name, value in m.body}
        elif m.kind == "stream":
            body = [self.put(value) for value in m.body]
        out = proton.Message(body=body, inferred=m.kind in ("bytes", "object", "stream"), durable=m.persistent,
                             priority=m.priority)
        out.properties = {name: self.put(value) for name, value in m.properties.items()}
        for field, value in (("correlation_id", m.correlation), ("subject", m.type), ("group_id", m.group),
                             ("reply_to", m.reply_to), ("content_type", m.content_type), ("group_sequence", m.sequence)):
            if value:
                setattr(out, field, value)
        if m.ttl and number % 2:
            out.expiry_time = time.time() + m.ttl / 1000
        elif m.ttl:
            out.ttl = m.ttl / 1000
        if m.kind == "object" or m.body is None or number % 3 == 0:  # as JMS clients do
            out.annotations = {proton.symbol("x-opt-jms-msg-type"): proton.byte(self.CODES[m.kind])}
        return out

    def send(self, name, messages):
        sender = self.connection.create_sender(name)
        for number, m in enumerate(messages):
            sender.send(self.encode(m, number))
        sender.close()

    def temporary(self):
        self.answers = self.connection.create_receiver(None, credit=10, dynamic=True)
        return self.answers.link.remote_source.address

    def answer(self, timeout):
        message = self.answers.receive(timeout=timeout)
        self.answers.accept()
        return self.seen(message)

    answers = None

    def receive(self, name, count, timeout):
        receiver = self.connection.create_receiver(name, credit=count)
        out = []
        for _ in range(count):
            out.append(self.seen(receiver.receive(timeout=timeout)))
            receiver.accept()
        receiver.close()
        return out

    def body(self, kind, m):
        """The section must be the one that JMS clients expect of this kind."""
        expected = {"none": type(None), "text": (str, type(None)), "map": dict, "stream": list}.get(kind, (bytes, memoryview))
        assert isinstance(m.body, expected), (kind, type(m.body))
        if kind in ("bytes", "object", "stream"):
            assert m.inferred, kind
        if kind == "map":
            return [(name, self.got(value)) for name, value in m.body.items()]
        if kind == "stream":
            return [self.got(value) for value in m.body]
        return bytes(m.body) if kind in ("bytes", "object") else m.body

    @staticmethod
    def content_type(m):
        """Python's binding says symbol('None') where there is none."""
        return "" if m.content_type in (None, "None") else str(m.content_type)

    def seen(self, m):
        code = m.annotations[proton.symbol("x-opt-jms-msg-type")]
        kind = next(name for name, number in self.CODES.items() if number == code)
        reply = m.reply_to or ""
        if reply and "://" not in reply:
            assert m.annotations[proton.symbol("x-opt-jms-reply-to")] == 0
            reply = "queue://" + reply
        return Message(kind, self.body(kind, m), {key: self.got(value) for key, value in (m.properties or {}).items()},
                       m.correlation_id or "", m.subject or "", reply, m.priority, 0, m.durable, m.group_id or "",
                       m.group_sequence or 0, self.content_type(m), round((m.expiry_time or 0) * 1000), m.user_id.decode())

    def close(self):
        self.answers = None  # before the connection: its binding wants it so
        self.connection.close()


class OpenWire:
    """ActiveMQ's Java client."""
    CAN = {**ALL_TYPES, "escapes": True, "negative_sequence": True}

    def __init__(self, bus):
        self.peer = Peer()
        self.peer("open", **{"as": "x"}, url=f"tcp://127.0.0.1:{bus.openwire_port}", user="admin", password=bus.password)

    def put(self, value):
        if value[0] == "list":
            return ["list", [self.put(one) for one in value[1]]]
        if value[0] == "map":
            return ["map", [[name, self.put(one)] for name, one in value[1]]]
        text = base64.b64encode(value[1]).decode() if value[0] == "bytes" else "" if value[0] == "null" else as_text(value)
        return [value[0], text]

    def got(self, value):
        if value[0] == "list":
            return "list", [self.got(one) for one in value[1]]
        if value[0] == "map":
            return "map", [(name, self.got(one)) for name, one in value[1]]
        return value[0], from_text(*value)

    def encode(self, m):
        body = m.body
        if m.kind in ("bytes", "object"):
            body = base64.b64encode(m.body).decode()
        elif m.kind == "map":
            body = [[name, self.put(value)] for name, value in m.body]
        elif m.kind == "stream":
            body = [self.put(value) for value in m.body]
        properties = {name: self.put(value) for name, value in m.properties.items()}
        if m.content_type:
            properties["JMS_AMQP_ContentType"] = ["string", m.content_type]
        return {"kind": m.kind, "body": body, "properties": properties, "correlation": m.correlation or None,
                "type": m.type or None, "reply_to": m.reply_to or None, "priority": m.priority, "ttl": m.ttl,
                "persistent": m.persistent, "group": m.group or None, "sequence": m.sequence or None}

    def send(self, name, messages):
        self.peer("send", **{"as": "x"}, queue=name, messages=[self.encode(m) for m in messages])

    def temporary(self):
        self.answers = self.peer("temporary", **{"as": "x"})["address"]
        return self.answers

    def answer(self, timeout):
        return self.receive(self.answers, 1, timeout)[0]

    def receive(self, name, count, timeout):
        return [self.seen(m) for m in self.peer("receive", **{"as": "x"}, queue=name, count=count, ms=timeout * 1000)["messages"]]

    def seen(self, m):
        body = m["body"]
        if m["kind"] in ("bytes", "object"):
            body = base64.b64decode(body)
        elif m["kind"] == "map":
            body = [(name, self.got(value)) for name, value in body]
        elif m["kind"] == "stream":
            body = [self.got(value) for value in body]
        properties = {name: self.got(value) for name, value in m["properties"].items()}
        content_type = properties.pop("JMS_AMQP_ContentType", ("string", ""))[1]
        return Message(m["kind"], body, properties, m["correlation"] or "", m["type"] or "", m["reply_to"] or "",
                       m["priority"], 0, m["persistent"], m["group"] or "", m["sequence"], content_type, m["expiration"],
                       m["user"])

    def close(self):
        self.peer.close()


class Http:
    """The endpoints of docs/http-messages.md."""
    CAN = {"kinds": KINDS, "large_text": False, "escapes": False, "negative_sequence": True}

    def __init__(self, bus):
        self.bus = bus

    def send(self, name, messages):
        for m in messages:
            headers = {"X-Priority": str(m.priority), "X-Persistent": str(m.persistent).lower()}
            headers |= {key: value for key, value in (
                ("X-Correlation-Id", m.correlation), ("X-Message-Type", m.type), ("X-Reply-To", m.reply_to),
                ("X-Group-Id", m.group), ("Content-Type", m.content_type)) if value}
            if m.ttl:
                headers["X-Expires-Ms"] = str(m.ttl)
            if m.sequence:
                headers["X-Group-Seq"] = str(m.sequence)
            properties = with_null_text(m)
            headers |= {"X-Property-" + key: as_text(value) for key, value in properties.items()}
            headers["X-Types"] = types_of(properties)
            body = (m.body or "").encode() if m.kind == "text" else m.body
            if m.kind not in ("text", "bytes"):
                headers["X-Body-Kind"] = m.kind
                body = json.dumps(body_in_json(m)).encode() if m.kind in ("map", "stream") else body
            queue = urllib.parse.quote(name.removeprefix("temp-queue://"), safe="")
            status, _, answer = self.bus.http("POST", f"/queues/{queue}/messages", body,
                                              {key: value.encode() for key, value in headers.items()})
            assert status == 201, (status, answer)

    def receive(self, name, count, timeout):
        out, deadline = [], time.monotonic() + timeout
        while len(out) < count and time.monotonic() < deadline:
            status, _, answer = self.bus.http("GET", f"/queues/{name}/messages?max={count}&wait=1")
            assert status == 200, answer
            for m in json.loads(answer):
                out.append(self.seen(m))
                lease = urllib.parse.quote(m["lease"], safe="")
                assert self.bus.http("DELETE", f"/queues/{name}/leases/{lease}")[0] == 204
        return out

    def got(self, value):
        kind, plain = value["type"], value["value"]
        if kind == "list":
            return kind, [self.got(one) for one in plain]
        if kind == "map":
            return kind, [(name, self.got(one)) for name, one in plain.items()]
        if kind == "bytes":
            plain = base64.b64decode(plain)
        return kind, real(kind, plain) if kind in ("float", "double") else plain

    def body(self, m):
        if "bodyPath" in m:  # too large to come along
            status, _, body = self.bus.http("GET", m["bodyPath"])
            assert status == 200 and len(body) == m["bodyBytes"], status
            return body.decode() if m["bodyKind"] == "text" else body
        body = m["body"]
        if m["bodyKind"] == "map":
            return [(name, self.got(value)) for name, value in body.items()]
        if m["bodyKind"] == "stream":
            return [self.got(value) for value in body]
        if m.get("bodyEncoding") == "base64":
            body = base64.b64decode(body)
        return None if m["bodyKind"] == "none" and not body else body

    def seen(self, m):
        return Message(m["bodyKind"], self.body(m), {key: self.got(value) for key, value in m["properties"].items()},
                       m.get("correlationId", ""), m.get("type", ""), m.get("replyTo", ""), m["priority"], 0,
                       m["persistent"], m.get("groupId", ""), m.get("groupSequence", 0), m.get("contentType", ""),
                       m.get("expiration", 0), m.get("userId", ""))

    def close(self):
        pass


WIRES = {"stomp": Stomp, "amqp": Amqp, "openwire": OpenWire, "http": Http}
