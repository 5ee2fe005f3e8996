#!/usr/bin/python3
"""Answers the orders service from its request queue, over STOMP.

Each request is answered in one STOMP transaction: ACK of the request and SEND of the reply become durable together, or
not at all. What was handled is remembered by message id, so a request that comes again (the bus was killed before the
commit was confirmed) gets the same reply and is not executed twice. Debian: python3-stomp.
"""
import argparse
import os
import queue
import sys
import time
import xml.etree.ElementTree as ET
from decimal import Decimal
from xml.sax.saxutils import escape

import stomp

NS = "{urn:busbar:sample:orders}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


class Orders:
    """The application: orders in memory, replies remembered by request id."""

    def __init__(self):
        self.states = {}
        self.replies = {}

    def handle(self, request_id, body):
        if request_id not in self.replies:
            self.replies[request_id] = self.execute(ET.fromstring(body).find(SOAP + "Body")[0])
        return self.replies[request_id]

    def execute(self, payload):
        if payload.tag == NS + "PlaceOrder":
            total = sum(
                (int(i.findtext(NS + "quantity")) * Decimal(i.findtext(NS + "price")) for i in payload.iter(NS + "item")),
                Decimal(0))
            order = f"O-{len(self.states) + 1}"
            self.states[order] = "placed"
            return envelope(f"<PlaceOrderResponse xmlns='urn:busbar:sample:orders'><orderId>{order}</orderId>"
                            f"<total>{total:.2f}</total></PlaceOrderResponse>")
        order = payload.findtext(NS + "orderId")
        if order not in self.states:
            return fault(f"there is no order {order}")
        return envelope(f"<GetOrderStateResponse xmlns='urn:busbar:sample:orders'><state>{self.states[order]}</state>"
                        "</GetOrderStateResponse>")


def envelope(payload):
    return ("<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'><soap:Body>" + payload +
            "</soap:Body></soap:Envelope>")


def fault(text):
    return envelope(f"<soap:Fault><faultcode>soap:Client</faultcode><faultstring>{escape(text)}</faultstring><detail>"
                    "<OrderFault xmlns='urn:busbar:sample:orders'><code>unknown-order</code>"
                    f"<text>{escape(text)}</text></OrderFault></detail></soap:Fault>")


class Listener(stomp.ConnectionListener):
    """Hands frames from stomp.py's thread to the main one."""

    def __init__(self, frames):
        self.frames = frames

    def on_message(self, frame):
        self.frames.put(frame)

    def on_error(self, frame):
        print("bus:", frame.headers.get("message"), file=sys.stderr, flush=True)

    def on_disconnected(self):
        self.frames.put(None)


def serve(args, orders):
    """Works until the connection is lost."""
    frames = queue.Queue()
    connection = stomp.Connection12([(args.host, args.port)], heartbeats=(10000, 10000), reconnect_attempts_max=1)
    connection.set_listener("", Listener(frames))
    connection.connect(args.user, args.password, wait=True)
    connection.subscribe("/queue/orders.request", id="w", ack="client-individual", headers={"prefetch-count": "16"})
    print("consuming orders.request", flush=True)
    number = 0
    while (frame := frames.get()) is not None:
        headers = frame.headers
        reply = orders.handle(headers["message-id"], frame.body)
        number += 1
        transaction = f"t{number}"
        connection.begin(transaction=transaction)
        connection.ack(headers["ack"], transaction=transaction)
        if "reply-to" in headers:
            connection.send(headers["reply-to"], reply, content_type="text/xml; charset=utf-8", transaction=transaction,
                            headers={"correlation-id": headers.get("correlation-id", headers["message-id"]),
                                     "persistent": "true"})
        connection.commit(transaction=transaction)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("BUSBAR_STOMP_PORT", "61613")))
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default=os.environ.get("BUSBAR_ADMIN_PASSWORD", ""))
    args = parser.parse_args()
    orders = Orders()
    while True:
        try:
            serve(args, orders)
            print("connection lost", file=sys.stderr, flush=True)
        except (stomp.exception.StompException, OSError) as e:
            print("cannot work:", type(e).__name__, e, file=sys.stderr, flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
