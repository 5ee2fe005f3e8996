"""Does a message cross from each protocol to each without losing what the other side can carry?

Producers and consumers of STOMP, AMQP, OpenWire and HTTP, all pairs; messages of every kind, property type and header
field from a seed (BUSBAR_CROSSING_SEED, printed; BUSBAR_CROSSING_ROUNDS more of each kind). The rules are RULES below;
docs/protocols/crossing.md says them in words.
"""
import dataclasses
import json
import os
import random
import time
import unittest

from busbar_fixture import Bus
from crossing_messages import Generator, Message, in_order, real, same
from crossing_wires import WIRES, body_in_json

SEED = int(os.environ.get("BUSBAR_CROSSING_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS = int(os.environ.get("BUSBAR_CROSSING_ROUNDS", 4))
PLAIN_FIELDS = ("correlation", "type", "reply_to", "priority", "persistent", "group", "content_type")


# ---- the rules: what a consumer of `target` must see of a message, beyond the plain fields, which all carry

def stomp_body(m):
    """Text, bytes and objects are their bytes; maps and streams are JSON."""
    if m.kind in ("map", "stream"):
        return body_in_json(m)
    return (m.body or "").encode() if m.kind in ("none", "text") else m.body


def java_text(value):
    """ActiveMQ's Java client takes the modified UTF-8 of properties and map entries for UTF-8 (hawtbuf's UTF8Buffer): beyond
    U+FFFF it shows two replacement characters, whoever sent it. The bytes are right; texts, streams, and what is in lists and maps
    within a map come whole."""
    return ("string", "".join(c if c < "\U00010000" else "\ufffd\ufffd" for c in value[1])) if value[0] == "string" else value


RULES = {
    # target: {field: what it is there}; a field that is not here is as it was sent
    "amqp": {"sequence": lambda m: m.sequence & 0xffffffff},  # unsigned
    "openwire": {
        "properties": lambda m: {name: java_text(value) for name, value in m.properties.items()},
        "body": lambda m: [(name, java_text(value)) for name, value in m.body] if m.kind == "map" else m.body,
    },
    "http": {},
    "stomp": {
        "kind": lambda m: "bytes",
        "body": stomp_body,
        "shown_as": lambda m: m.kind if m.kind in ("map", "stream", "object") else "",
        # A text that is null and not "": a header says it.
        "properties": lambda m: m.properties | ({"busbar_nullText": ("boolean", True)} if m.kind == "text" and m.body is None else {}),
        "content_type": lambda m: "application/json" if m.kind in ("map", "stream") else m.content_type,
    },
}


def expected(target, sent):
    return dataclasses.replace(sent, user="admin", **{field: rule(sent) for field, rule in RULES[target].items()})


# ---- the comparison

def same_json(want, got):
    """Floats are compared as such: JSON has one kind of number."""
    if isinstance(want, dict) and want.get("type") in ("float", "double"):
        return got.get("type") == want["type"] and repr(real(want["type"], got["value"])) == repr(want["value"])
    if isinstance(want, dict):
        return want.keys() == got.keys() and all(same_json(want[key], got[key]) for key in want)
    if isinstance(want, list):
        return len(want) == len(got) and all(map(same_json, want, got))
    return want == got and type(want) is type(got)


def same_body(want, got):
    if isinstance(want.body, (dict, list)) and isinstance(got.body, bytes):
        return same_json(want.body, json.loads(got.body))
    if want.kind in ("map", "stream"):
        return want.kind == got.kind and repr(in_order(want.body)) == repr(in_order(got.body))
    return repr(want.body) == repr(got.body)


def first_difference(want, got):
    """Of long values the place where they part."""
    want, got = (repr(in_order(body) if isinstance(body, list) else body) for body in (want, got))
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    return f"...{want[max(0, at - 60):at + 100]} expected, ...{got[max(0, at - 60):at + 100]} seen"


def differences(target, sent, got, times):
    """What is wrong, in words."""
    want = expected(target, sent)
    for field in (*PLAIN_FIELDS, "kind", "sequence", "user", "shown_as"):
        if getattr(want, field) != getattr(got, field):
            yield f"{field}: {getattr(want, field)!r} expected, {getattr(got, field)!r} seen"
    if not same_body(want, got):
        yield "body: " + first_difference(want.body, got.body)
    due = [moment * 1000 + want.ttl for moment in times] if want.ttl else [0, 0]
    if not due[0] - 1000 <= got.expiration <= due[1] + 1000:
        yield f"expiration: {due} expected, {got.expiration} seen"
    for name, value in want.properties.items():
        if name not in got.properties:
            yield f"property {name} ({value}) is missing"
        elif not same(value, got.properties[name]):
            yield f"property {name}: {value} expected, {got.properties[name]} seen"
    for name in got.properties.keys() - want.properties.keys():
        yield f"property {name}={got.properties[name]} was never set"


class CrossingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"BUSBAR_CROSSING_SEED={SEED}", flush=True)
        cls.bus = Bus()
        cls.addClassCleanup(cls.bus.close)
        cls.bus.start()
        cls.wires = {}
        for name, wire in WIRES.items():
            cls.wires[name] = wire(cls.bus)
            cls.addClassCleanup(cls.wires[name].close)

    def messages(self, source):
        can = WIRES[source].CAN
        generator = Generator(f"{SEED}-{source}", can["escapes"], can["kinds"], can["negative_sequence"])
        for number, m in enumerate(generator.all(ROUNDS)):
            m.properties["number"] = ("string", str(number))
            yield m

    def cross(self, source):
        sent = list(self.messages(source))
        for target in WIRES:
            with self.subTest(source=source, target=target, seed=SEED):
                queue = f"from.{source}.to.{target}"
                begin = time.time()
                self.wires[source].send(queue, sent)
                times = begin, time.time()
                seen = self.wires[target].receive(queue, len(sent), 20)
                numbers = [int(m.properties["number"][1]) for m in seen]
                self.assertEqual(list(range(len(sent))), sorted(numbers), "lost, or there twice")
                wrong = [f"{number} ({sent[number].kind}): {what}" for number, m in zip(numbers, seen)
                         for what in differences(target, sent[number], m, times)]
                self.assertEqual([], wrong[:10], f"{len(wrong)} in all")

    def test_from_stomp_to_all(self):
        self.cross("stomp")

    def test_from_amqp_to_all(self):
        self.cross("amqp")

    def test_from_openwire_to_all(self):
        self.cross("openwire")

    def test_from_http_to_all(self):
        self.cross("http")

    def test_requests_are_answered_from_every_protocol(self):
        """The asker's temporary queue is an address that every worker can answer to."""
        for asker in ("stomp", "amqp", "openwire"):
            where = self.wires[asker].temporary()
            for worker in WIRES:
                with self.subTest(asker=asker, worker=worker):
                    queue = f"asked.by.{asker}.of.{worker}"
                    question = Message("text", "why?", correlation=queue, reply_to=where, content_type="text/plain")
                    self.wires[asker].send(queue, [question])
                    got = self.wires[worker].receive(queue, 1, 20)[0]
                    self.assertEqual("temp-queue", got.reply_to.split("://")[0])
                    self.wires[worker].send(got.reply_to, [Message("text", "because", correlation=got.correlation,
                                                                   content_type="text/plain")])
                    answer = self.wires[asker].answer(20)
                    text = answer.body.decode() if isinstance(answer.body, bytes) else answer.body
                    self.assertEqual(("because", queue), (text, answer.correlation))

    def test_bodies_that_do_not_fit_into_memory(self):
        """Over limits.large-body-bytes they lie in files, and are the same message for that."""
        letters = "aä€😀" * (1 << 19)
        for source in WIRES:
            sent = [Message("bytes", random.Random(SEED).randbytes(5 << 20), content_type="application/x-own")]
            sent.append(Message("object", sent[0].body))
            if WIRES[source].CAN["large_text"]:
                sent.append(Message("text", letters))
            for target in WIRES:
                with self.subTest(source=source, target=target):
                    queue = f"large.from.{source}.to.{target}"
                    self.wires[source].send(queue, sent)
                    seen = self.wires[target].receive(queue, len(sent), 30)
                    self.assertEqual([[]] * len(sent), [list(differences(target, m, got, (0, 0))) for m, got in zip(sent, seen)])

    def test_the_comparison_sees_what_is_lost(self):
        """The test of the test: each spoilt field is named."""
        sent = Message("text", "a", {"f": ("float", 0.5), "z": ("double", -0.0)}, "c", "t", "queue://q", 7, 1000, True, "g", 3, "x/y")
        good = dataclasses.replace(sent, expiration=6000, user="admin")
        self.assertEqual([], list(differences("http", sent, good, (5, 5))))
        for change in ({"body": "b"}, {"kind": "bytes"}, {"correlation": ""}, {"type": ""}, {"reply_to": ""}, {"priority": 4},
                       {"persistent": False}, {"group": ""}, {"sequence": 0}, {"content_type": ""}, {"user": ""},
                       {"expiration": 0}, {"properties": {}}, {"properties": sent.properties | {"more": ("int", 1)}},
                       {"properties": sent.properties | {"z": ("double", 0.0)}},
                       {"properties": sent.properties | {"f": ("double", 0.5)}}):
            self.assertEqual(1 if change != {"properties": {}} else 2,
                             len(list(differences("http", sent, dataclasses.replace(good, **change), (5, 5)))), change)


if __name__ == "__main__":
    unittest.main(verbosity=2)
