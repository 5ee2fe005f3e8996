"""The sample as its users meet it: real SOAP clients, a real provider behind the bus and a real worker on its queue."""
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import threading
import time
import unittest
import uuid

import requests
import zeep

from busbar_fixture import Bus

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "samples" / "order-service"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
ITEMS = [{"sku": "bolt", "quantity": 3, "price": "0.25"}]


def free_port():
    """One that the system gives to nobody who asks for any: the provider comes later, and no listener of a bus may have it by then."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class OrderService(unittest.TestCase):
    def start(self, config):
        self.provider_port = free_port()
        text = (SAMPLE / config).read_text().replace("127.0.0.1:8090", f"127.0.0.1:{self.provider_port}")
        text = re.sub(r'wsdl="([^"/]+)"', lambda m: f'wsdl="{SAMPLE / m.group(1)}"', text)
        self.bus = Bus(config=text, env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(self.bus.close)
        self.bus.start()

    def run_sample(self, *command, **environment):
        process = subprocess.Popen(command, cwd=SAMPLE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   env={**os.environ, "BUSBAR_ADMIN_PASSWORD": "secret", **environment})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def provider(self):
        process = self.run_sample("node", "provider.js", ORDERS_PORT=str(self.provider_port))
        self.assertIn("orders provider", process.stdout.readline())
        return process

    def worker(self):
        process = self.run_sample("/usr/bin/python3", "-u", "worker.py", "--port", str(self.bus.stomp_port))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        return process

    @property
    def address(self):
        return f"{self.bus.url}/services/orders"

    def session(self):
        session = requests.Session()
        session.auth = ("admin", "secret")
        self.addCleanup(session.close)
        return session

    def client(self, port="OrdersPort"):
        session = self.session()
        client = zeep.Client(self.address + "?wsdl", transport=zeep.Transport(session=session, timeout=30, operation_timeout=30))
        return client.bind("Orders", port), session

    def post(self, body, content_type="text/xml; charset=utf-8", **headers):
        return self.session().post(self.address, data=body, headers={"Content-Type": content_type, "SOAPAction": '""', **headers}, timeout=30)

    def place_order(self, quantity="3", ns=SOAP11, extra=""):
        return (f'<?xml version="1.0"?>\n<e:Envelope xmlns:e="{ns}">{extra}<e:Body>\n<o:PlaceOrder xmlns:o="{self.namespace()}">\n'
                f"<o:customer>c</o:customer>\n<o:item><o:sku>bolt</o:sku>\n<o:quantity>{quantity}</o:quantity>"
                f"<o:price>0.25</o:price></o:item>\n</o:PlaceOrder></e:Body></e:Envelope>")

    def namespace(self):
        return re.search(r'targetNamespace="([^"]+)"', (SAMPLE / "orders.xsd").read_text()).group(1)

    def kill_in_the_middle(self, count):
        """Places orders while the bus is killed and started again: each is placed once, each is answered."""
        client = subprocess.Popen(["/usr/bin/python3", "client.py", "--wsdl", self.address + "?wsdl", "--count", str(count), "--retry", "60"],
                                  cwd=SAMPLE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                  env={**os.environ, "BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        orders = []
        for line in client.stdout:
            if not line.startswith("O-"):
                continue
            orders.append(int(re.match(r"O-(\d+)", line).group(1)))
            if len(orders) in (count // 4, count // 2, 3 * count // 4):
                time.sleep(0.003 * (len(orders) % 7))
                self.bus.kill9()
                self.bus.start()
        self.assertEqual(0, client.wait(30))
        self.assertEqual(count, len(orders))
        self.assertEqual(list(range(orders[0], orders[0] + count)), orders, "an order was placed twice, or lost")


class HttpProviderTest(OrderService):
    def setUp(self):
        self.start("busbar.xml")

    def test_zeep_and_node_soap_call_through_the_bus(self):
        self.provider()
        for port in ("OrdersPort", "OrdersPortSoap12"):
            service, _ = self.client(port)
            placed = service.PlaceOrder(customer="zeep", item=ITEMS)
            self.assertEqual("placed", service.GetOrderState(orderId=placed.orderId))
            with self.assertRaisesRegex(zeep.exceptions.Fault, "no order"):
                service.GetOrderState(orderId="nothing")
        done = self.run_sample("node", "client.js", self.address + "?wsdl")
        output, _ = done.communicate(timeout=30)
        self.assertEqual(0, done.returncode, output)
        self.assertRegex(output, r"O-\d+")

    def test_the_contract_has_the_address_of_the_bus(self):
        text = self.session().get(self.address + "?wsdl", timeout=10).text
        addresses = re.findall(r'address location="([^"]+)"', text)
        self.assertEqual(2, len(addresses))
        self.assertEqual({self.address}, set(addresses))
        schema = re.search(r'schemaLocation="([^"]+xsd=[^"]+)"', text).group(1).replace("&amp;", "&")
        self.assertIn("PlaceOrder", self.session().get(schema, timeout=10).text)

    def test_what_the_schema_forbids_is_a_fault_with_line_and_column(self):
        bad = self.post(self.place_order(quantity="many"))
        self.assertEqual(500, bad.status_code)
        self.assertIn("Client</faultcode>", bad.text)
        self.assertRegex(bad.text, r"line 6, column \d+")
        bad12 = self.post(self.place_order(quantity="many", ns=SOAP12), "application/soap+xml")
        self.assertEqual(400, bad12.status_code)
        self.assertRegex(bad12.text, r"Sender</\w*:?Value>")
        self.assertRegex(bad12.text, r"line 6, column \d+")

    def test_hostile_and_wrong_documents_are_refused(self):
        entity = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        for body, content_type, status in (
                (entity + self.place_order()[21:], "text/xml", 500),
                (self.place_order(), "text/plain", 415),
                (self.place_order()[:-20], "text/xml", 500),
                (self.place_order(ns="urn:other"), "text/xml", 500),
                (self.place_order(extra=f'<e:Header><x:h xmlns:x="urn:x" e:mustUnderstand="1"/></e:Header>'), "text/xml", 500),
                ("<a>" * 5000, "text/xml", 500),
                ("", "text/xml", 500)):
            answer = self.post(body, content_type)
            self.assertEqual(status, answer.status_code, (body[:60], answer.text[:300]))
        self.assertIn("MustUnderstand", self.post(self.place_order(
            extra='<e:Header><x:h xmlns:x="urn:x" e:mustUnderstand="1"/></e:Header>')).text)
        self.assertEqual(404, self.session().post(f"{self.bus.url}/services/nothing", data="x", timeout=10).status_code)
        self.assertEqual(401, requests.post(self.address, data=self.place_order(), timeout=10).status_code)

    def test_a_provider_that_is_down_is_waited_for(self):
        service, _ = self.client()
        answer = []
        caller = threading.Thread(target=lambda: answer.append(service.PlaceOrder(customer="early", item=ITEMS)))
        caller.start()
        time.sleep(0.5)
        self.provider()
        caller.join(20)
        self.assertEqual(1, len(answer))

    def test_a_repeated_call_gets_the_first_answer(self):
        self.provider()
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = self.post(self.place_order(), **key)
        self.assertEqual(200, first.status_code)
        again = self.post(self.place_order(), **key)
        self.assertEqual(first.text, again.text)
        other = self.post(self.place_order(quantity="4"), **key)
        self.assertNotEqual(200, other.status_code)

    def test_an_order_in_flight_survives_kill_9_and_is_answered_once(self):
        self.provider()
        self.kill_in_the_middle(120)


class WorkerTest(OrderService):
    def setUp(self):
        self.start("busbar-worker.xml")
        self.worker()

    def test_a_worker_on_the_request_queue_answers(self):
        for port in ("OrdersPort", "OrdersPortSoap12"):
            service, _ = self.client(port)
            placed = service.PlaceOrder(customer="zeep", item=ITEMS)
            self.assertEqual("placed", service.GetOrderState(orderId=placed.orderId))

    def test_an_order_in_flight_survives_kill_9_and_is_answered_once(self):
        self.kill_in_the_middle(60)

    def test_a_thousand_interleaved_calls_get_each_its_own_reply(self):
        def call(number, wrong):
            service, _ = self.client()
            for n in range(25):
                # The total tells whose answer it is.
                placed = service.PlaceOrder(customer=str(number), item=[{"sku": "s", "quantity": number * 25 + n + 1, "price": "1.00"}])
                if int(float(placed.total)) != number * 25 + n + 1:
                    wrong.append((number, n, placed.total))
        wrong = []
        threads = [threading.Thread(target=call, args=(i, wrong)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual([], wrong)
        service = json.loads(self.bus.http("GET", "/api/v1/services")[2])["services"][0]
        self.assertEqual((1000, 1000, 0), (service["calls"], service["replies"], service["openCalls"]))


if __name__ == "__main__":
    unittest.main()
