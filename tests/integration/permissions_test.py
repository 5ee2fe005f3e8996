"""The same rights at every door: each user tries each operation by STOMP, AMQP, OpenWire and HTTP."""
import base64
import http.client
import subprocess
import unittest

from busbar_fixture import BUSBAR, Bus, clean_environment
from java_client import Java
from proton import Message
from proton.reactor import Copy
from proton.utils import BlockingConnection, LinkDetached, SendException
from stomp_wire import Wire

PASSWORD = "open sesame"
# Who may do what with q.> and t.>; everybody may do everything with elsewhere.>.
USERS = {
    "sender": {"send", "publish"},
    "reader": {"receive", "subscribe", "browse"},  # who may take messages may look at them
    "looker": {"browse"},
    "manager": {"manage"},
    "all": {"send", "publish", "receive", "subscribe", "browse", "manage"},
    "nobody": set(),
}
RIGHTS = {"sender": "send", "reader": "receive", "looker": "browse", "manager": "manage", "all": "all"}
OPERATIONS = ("send", "publish", "receive", "subscribe", "browse")


def setUpModule():
    PermissionsTest.hash = subprocess.run([BUSBAR, "user", "hash"], input=PASSWORD + "\n", capture_output=True, text=True,
                                          check=True, env=clean_environment()).stdout.strip()


def configuration(password_hash):
    rules = "".join(f'<allow role="{role}-role" queues="q.&gt;" rights="{rights}"/>'
                    f'<allow role="{role}-role" topics="t.&gt;" rights="{rights}"/>' for role, rights in RIGHTS.items())
    users = "".join(f'<user name="{user}" roles="{user}-role" password-hash="{password_hash}"/>' for user in USERS)
    users += f'<user name="admin" roles="admin" password-hash="{password_hash}"/>'
    return (f'<busbar xmlns="urn:busbar:configuration"><queues><queue name="q.1"/></queues><permissions>{rules}'
            f'<allow role="*" queues="elsewhere.&gt;" rights="all"/></permissions><users>{users}</users></busbar>')


class PermissionsTest(unittest.TestCase):
    hash = None

    def setUp(self):
        self.bus = Bus(config=configuration(self.hash), env={"BUSBAR_ADMIN_PASSWORD": PASSWORD})
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.assertEqual(201, self.bus.http("POST", "/queues/q.1/messages", b"to look at")[0])

    def expect_matrix(self, attempt):
        for user, may in USERS.items():
            for operation in OPERATIONS:
                with self.subTest(user=user, operation=operation):
                    self.assertEqual(operation in may, attempt(user, operation))

    def test_stomp(self):
        def attempt(user, operation):
            wire = Wire(self.bus.stomp_port, user, PASSWORD)
            destination = "/topic/t.1" if operation in ("publish", "subscribe") else "/queue/q.1"
            if operation in ("send", "publish"):
                wire.send("SEND", {"destination": destination, "receipt": "r"}, b"x")
            else:
                wire.send("SUBSCRIBE", {"id": "1", "destination": destination, "receipt": "r", "ack": "client",
                                        **({"browser": "true"} if operation == "browse" else {})})
            try:
                while True:
                    command, headers, _ = wire.read()
                    if command == "RECEIPT" or (operation == "browse" and command == "MESSAGE"):
                        return True
                    if command == "ERROR":
                        self.assertEqual("not-authorized", headers.get("code"))
                        return False
            finally:
                wire.close()
        self.expect_matrix(attempt)

    def test_amqp(self):
        def attempt(user, operation):
            connection = BlockingConnection(f"amqp://127.0.0.1:{self.bus.amqp_port}", user=user, password=PASSWORD,
                                            allowed_mechs="PLAIN", timeout=20)
            address = "topic://t.1" if operation in ("publish", "subscribe") else "q.1"
            try:
                if operation in ("send", "publish"):
                    connection.create_sender(address).send(Message("x", durable=True))
                else:
                    receiver = connection.create_receiver(address, options=Copy() if operation == "browse" else None)
                    if operation == "browse":
                        receiver.receive(timeout=20)
                return True
            except SendException:
                return False
            except LinkDetached as detached:
                self.assertIn("unauthorized-access", str(detached))
                return False
            finally:
                connection.close()
        self.expect_matrix(attempt)

    def test_openwire(self):
        answers = {}
        for user in USERS:
            run = subprocess.run(Java.command("Permissions", f"tcp://127.0.0.1:{self.bus.openwire_port}", user, PASSWORD,
                                              "q.1", "t.1"), capture_output=True, text=True, timeout=120)
            self.assertEqual(0, run.returncode, run.stdout + run.stderr[-3000:] + self.bus.log()[-2000:])
            answers[user] = dict(line.split("\t") for line in run.stdout.splitlines())

        def attempt(user, operation):
            answer = answers[user][operation]
            self.assertIn(answer, ("ok", "JMSSecurityException"))
            return answer == "ok"
        self.expect_matrix(attempt)

    def ask(self, user, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.bus.http_port, timeout=20)
        token = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        connection.request(method, path, body=body, headers={"Authorization": "Basic " + token})
        response = connection.getresponse()
        if response.status == 200 and path.endswith("/events"):
            connection.close()
            return 200
        text = response.read()
        connection.close()
        if response.status == 403:
            self.assertIn(b"not-authorized", text)
        return response.status

    def test_http(self):
        paths = {"send": ("POST", "/queues/q.1/messages", b"x"), "publish": ("POST", "/topics/t.1/messages", b"x"),
                 "receive": ("GET", "/queues/q.1/messages", None), "subscribe": ("GET", "/topics/t.1/events", None),
                 "browse": ("GET", "/queues/q.1/messages?browse=true", None)}
        self.expect_matrix(lambda user, operation: self.ask(user, *paths[operation]) != 403)
        for user, may in USERS.items():
            for method, path, body in (("PUT", "/api/v1/queues/q.1", b"{}"), ("POST", "/queues/q.1/move", b""),
                                       ("DELETE", "/queues/q.1/messages", None)):
                with self.subTest(user=user, path=path):
                    self.assertEqual("manage" in may, self.ask(user, method, path, body) != 403)
            with self.subTest(user=user, path="metrics"):
                self.assertEqual(403, self.ask(user, "GET", "/metrics"))

    def test_a_new_queue_needs_the_right_to_create(self):
        self.assertEqual(403, self.ask("sender", "POST", "/queues/q.new/messages", b"x"))
        self.assertEqual(201, self.ask("all", "POST", "/queues/q.new/messages", b"x"))
        self.assertEqual(201, self.ask("sender", "POST", "/queues/q.new/messages", b"x"))
        self.assertEqual(201, self.ask("nobody", "POST", "/queues/elsewhere.too/messages", b"x"))

    def test_refusals_are_counted_and_logged(self):
        self.assertEqual(403, self.ask("nobody", "POST", "/queues/q.1/messages", b"x"))
        self.assertIn(b"busbar_unauthorized_total 1", self.bus.http("GET", "/metrics")[2])
        self.assertIn("user 'nobody' has no right to send: queue 'q.1'", self.bus.log())

    def test_a_connection_survives_where_the_wire_lets_it(self):
        connection = BlockingConnection(f"amqp://127.0.0.1:{self.bus.amqp_port}", user="sender", password=PASSWORD,
                                        allowed_mechs="PLAIN", timeout=20)
        sender = connection.create_sender("q.1")
        with self.assertRaises(LinkDetached):
            connection.create_receiver("q.1")
        sender.send(Message("still there"))
        connection.close()


if __name__ == "__main__":
    unittest.main()
