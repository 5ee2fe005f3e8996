#!/usr/bin/python3
"""Calls the orders service with zeep, knowing nothing but the WSDL's address. Debian: python3-zeep.

With --retry a call that failed in between (the bus was killed, a timeout) is made again with the same Idempotency-Key:
the bus gives the first reply, and the order is placed once.
"""
import argparse
import os
import sys
import time
import uuid

import requests
import zeep


def call(operation, retry, session, **arguments):
    session.headers["Idempotency-Key"] = str(uuid.uuid4())
    deadline = time.monotonic() + retry
    while True:
        try:
            return operation(**arguments)
        except (requests.RequestException, zeep.exceptions.TransportError) as e:
            if time.monotonic() > deadline:
                raise
            print("again:", e, file=sys.stderr)
            time.sleep(0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wsdl", default="http://127.0.0.1:8080/services/orders?wsdl")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default=os.environ.get("BUSBAR_ADMIN_PASSWORD", ""))
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--retry", type=float, default=0, help="seconds to go on trying a call")
    parser.add_argument("--soap12", action="store_true", help="use the SOAP 1.2 port")
    args = parser.parse_args()

    session = requests.Session()
    session.auth = (args.user, args.password)
    client = zeep.Client(args.wsdl, transport=zeep.Transport(session=session, timeout=60, operation_timeout=60))
    port = "OrdersPortSoap12" if args.soap12 else "OrdersPort"
    service = client.bind("Orders", port)
    for number in range(args.count):
        placed = call(service.PlaceOrder, args.retry, session, customer=f"customer {number}",
                      item=[{"sku": "bolt", "quantity": 3, "price": "0.25"}, {"sku": "nut", "quantity": 1, "price": "1.10"}])
        state = call(service.GetOrderState, args.retry, session, orderId=placed.orderId)
        print(placed.orderId, placed.total, state)
    try:
        call(service.GetOrderState, args.retry, session, orderId="nothing")
    except zeep.exceptions.Fault as e:
        print("fault:", e.message)


if __name__ == "__main__":
    main()
