"""The four wires as a worker with a lease sees them, each through a client that people have.

A worker takes one message at a time: take(seconds) gives a Taken or None. accept, fail(delay), extend(seconds) say what becomes of
it and give whether the bus agreed; where it did not, the worker is free again (STOMP: on a new connection). close() ends it.
"""
import dataclasses
import json
import queue

import proton
import stomp
from proton.utils import BlockingConnection, SendException

from java_client import Peer, PeerError

ORDERS = "busbar.leases"
PATIENCE = 20


@dataclasses.dataclass
class Taken:
    body: str
    count: int
    token: str
    until: float  # seconds since 1970, by the bus's clock; 0 where the wire does not say
    fence: int


def order(token, what, **more):
    return {"BusbarLease": token, "BusbarOrder": what, **{f"Busbar{name}": value for name, value in more.items()}}


class Http:
    REFUSAL_ENDS_CONNECTION = False

    def __init__(self, bus, name, lease):
        self.bus, self.name, self.lease = bus, name, lease

    def take(self, seconds):
        path = f"/queues/{self.name}/messages?wait={round(seconds * 1000)}ms&lease={round(self.lease * 1000)}ms"
        status, _, body = self.bus.http("GET", path, timeout=seconds + PATIENCE)
        assert status == 200, body
        messages = json.loads(body)
        if not messages:
            return None
        m = messages[0]
        self.path = f"/queues/{self.name}/leases/{m['lease']}"
        return Taken(m["body"], m["deliveryCount"], m["lease"], 0, m["fencingToken"])

    def say(self, method, path):
        status, _, body = self.bus.http(method, path)
        assert status in (204, 410), body
        return status == 204

    def accept(self):
        return self.say("DELETE", self.path)

    def fail(self, delay):
        return self.say("POST", f"{self.path}/nack?delay={round(delay * 1000)}ms")

    def extend(self, seconds):
        return self.say("POST", f"{self.path}/extend?lease={round(seconds * 1000)}ms")

    def close(self):
        pass


class Stomp(stomp.ConnectionListener):
    """stomp.py, one message outstanding."""

    REFUSAL_ENDS_CONNECTION = True

    def __init__(self, bus, name, lease):
        self.bus, self.name, self.lease = bus, name, lease
        self.connect()

    def connect(self):
        self.frames, self.answers = queue.Queue(), queue.Queue()
        self.connection = stomp.Connection12([("127.0.0.1", self.bus.stomp_port)])
        self.connection.set_listener("", self)
        self.connection.connect("admin", self.bus.password, wait=True)
        self.subscribed = False

    def on_message(self, frame):
        self.frames.put(frame)

    def on_receipt(self, frame):
        self.answers.put(None)

    def on_error(self, frame):
        self.answers.put(frame.headers["code"])

    def take(self, seconds):
        if not self.subscribed:
            self.connection.subscribe("/queue/" + self.name, id="1", ack="client-individual",
                                      headers={"prefetch-count": 1, "lease": round(self.lease * 1000)})
            self.subscribed = True
        try:
            frame = self.frames.get(timeout=seconds)
        except queue.Empty:
            return None
        h = frame.headers
        self.ack, self.token = h["ack"], h["busbar-lease"]
        return Taken(frame.body, int(h.get("JMSXDeliveryCount", 1)), self.token, int(h["busbar-lease-until"]) / 1000,
                     int(h["busbar-fencing-token"]))

    def agreed(self):
        code = self.answers.get(timeout=PATIENCE)
        if code is None:
            return True
        assert code == "lock-lost", code
        self.close()  # an ERROR ends the connection
        self.connect()
        return False

    def accept(self):
        self.connection.ack(self.ack, receipt="r")
        return self.agreed()

    def fail(self, delay):
        self.connection.nack(self.ack, receipt="r", delay=round(delay * 1000))
        return self.agreed()

    def extend(self, seconds):
        self.connection.send("/queue/" + ORDERS, "", headers=order(self.token, "extend", LeaseMs=round(seconds * 1000)) | {"receipt": "r"})
        return self.agreed()

    def close(self):
        try:
            self.connection.disconnect()
        except stomp.exception.StompException:
            pass


class LinkOptions:
    def __init__(self, lease):
        self.lease = lease

    def apply(self, link):
        link.rcv_settle_mode = proton.Link.RCV_SECOND  # so that the bus answers each outcome
        link.properties = proton.PropertyDict({proton.symbol("busbar-lease"): round(self.lease * 1000)})

    def test(self, link):
        return link.is_receiver


class Amqp:
    """python3-qpid-proton, credit for one message at a time."""

    REFUSAL_ENDS_CONNECTION = False

    def __init__(self, bus, name, lease):
        self.connection = BlockingConnection(f"127.0.0.1:{bus.amqp_port}", user="admin", password=bus.password, timeout=PATIENCE,
                                             allowed_mechs="PLAIN")
        self.receiver = self.connection.create_receiver(name, credit=0, options=LinkOptions(lease))
        self.sender = self.connection.create_sender(ORDERS)

    def take(self, seconds):
        if self.receiver.link.credit == 0:
            self.receiver.link.flow(1)
        try:
            message = self.receiver.receive(timeout=seconds)
        except proton.Timeout:
            return None
        self.delivery = self.receiver.fetcher.unsettled.pop()
        notes = {str(key): value for key, value in message.instructions.items()}
        self.token = notes["x-opt-busbar-lease"]
        return Taken(message.body, message.delivery_count + 1, self.token, notes["x-opt-locked-until"] / 1000,
                     int(notes["x-opt-busbar-fencing-token"]))

    def say(self, state):
        self.wait(0.05)
        if self.delivery.settled:  # the bus has taken it back already
            assert self.delivery.remote_state == proton.Delivery.MODIFIED, self.delivery.remote_state
            self.delivery.settle()
            return False
        self.delivery.update(state)
        self.connection.wait(lambda: self.delivery.settled, timeout=PATIENCE)
        agreed = self.delivery.remote_state == state
        self.delivery.settle()
        return agreed

    def accept(self):
        return self.say(proton.Delivery.ACCEPTED)

    def fail(self, delay):
        self.delivery.local.failed = True
        self.delivery.local.annotations = {proton.symbol("x-opt-delivery-delay"): round(delay * 1000)}
        return self.say(proton.Delivery.MODIFIED)

    def extend(self, seconds):
        try:
            self.sender.send(proton.Message(properties=order(self.token, "extend", LeaseMs=round(seconds * 1000))))
        except SendException:
            return False
        return True

    def still_at_it(self):
        self.delivery.update(proton.Delivery.RECEIVED)
        self.wait(0.05)

    def wait(self, seconds):
        """Lets the connection work."""
        try:
            self.connection.wait(lambda: False, timeout=seconds)
        except proton.Timeout:
            pass

    def close(self):
        self.connection.close()


class OpenWire:
    """ActiveMQ's Java client: INDIVIDUAL_ACKNOWLEDGE, prefetch 0. The queue says how long a lease is; orders do what JMS has no verb for."""

    REFUSAL_ENDS_CONNECTION = False

    def __init__(self, bus, name, lease):
        status, _, body = bus.http("PUT", f"/api/v1/queues/{name}", json.dumps({"leaseMs": round(lease * 1000)}))
        assert status == 200, body
        self.peer, self.name = Peer(), name
        url = f"tcp://127.0.0.1:{bus.openwire_port}?jms.prefetchPolicy.all=0&jms.sendAcksAsync=false"
        for client, individual in (("worker", True), ("orders", False)):
            self.peer("open", **{"as": client}, url=url, user="admin", password=bus.password, individual=individual)

    def take(self, seconds):
        messages = self.peer("receive", **{"as": "worker"}, queue=self.name, count=1, ms=round(seconds * 1000))["messages"]
        if not messages:
            return None
        properties = {name: value[1] for name, value in messages[0]["properties"].items()}
        self.token = properties["BusbarLease"]
        return Taken(messages[0]["body"], int(messages[0]["count"]), self.token, int(properties["BusbarLeaseUntil"]) / 1000,
                     int(properties["BusbarFencingToken"]))

    def ask(self, what, **more):
        try:
            self.peer(what, **more)
        except PeerError as refused:
            assert "lock-lost" in str(refused), refused
            return False
        return True

    def order(self, what, **more):
        properties = {name: ["long", str(value)] if isinstance(value, int) else ["string", value]
                      for name, value in order(self.token, what, **more).items()}
        return self.ask("send", **{"as": "orders"}, queue=ORDERS, messages=[{"kind": "none", "properties": properties}])

    def accept(self):
        return self.ask("acknowledge", **{"as": "worker"})

    def fail(self, delay):
        return self.order("fail", DelayMs=round(delay * 1000))

    def extend(self, seconds):
        return self.order("extend", LeaseMs=round(seconds * 1000))

    def close(self):
        self.peer.close()


WIRES = {"HTTP": Http, "STOMP": Stomp, "AMQP": Amqp, "OpenWire": OpenWire}
