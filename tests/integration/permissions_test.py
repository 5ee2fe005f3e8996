"""The same rights at every door: each user tries each operation by STOMP, AMQP, OpenWire and HTTP."""
import base64
import http.client
import signal
import subprocess
import threading
import time
import unittest

import openwire_wire as ow
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


class ReloadTest(unittest.TestCase):
    """SIGHUP: users and permissions are read again, and hold for who is connected already."""

    FULL = '<allow role="team" queues="q.&gt;" rights="send receive create"/><allow role="team" topics="t.&gt;" rights="send receive"/>'
    SENDS = '<allow role="team" queues="q.&gt;" rights="send"/><allow role="team" topics="t.&gt;" rights="send"/>'

    def setUp(self):
        self.hash = PermissionsTest.hash
        self.bus = Bus(config=self.configuration(self.FULL), env={"BUSBAR_ADMIN_PASSWORD": PASSWORD})
        self.addCleanup(self.bus.close)
        self.bus.start()

    def configuration(self, rules, users=(("ann", "team"), ("ben", "team")), queues='<queue name="q.1"/>', port=None):
        users = "".join(f'<user name="{name}" roles="{role}" password-hash="{self.hash}"/>' for name, role in (("admin", "admin"), *users))
        listener = f'<one-port port="{port}"/>' if port else ""
        return (f'<busbar xmlns="urn:busbar:configuration">{listener}<queues>{queues}</queues><permissions>{rules}</permissions>'
                f'<users>{users}</users></busbar>')

    def reload(self, text, expected="read again: "):
        before = self.bus.log().count(expected)
        self.bus.config.write_text(text)
        self.bus.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while self.bus.log().count(expected) == before:
            self.assertLess(time.monotonic(), deadline, self.bus.log()[-2000:])
            time.sleep(0.02)

    def wire(self, user="ann"):
        wire = Wire(self.bus.stomp_port, user, PASSWORD)
        self.addCleanup(wire.close)
        return wire

    def subscribed(self, destination, user="ann", **headers):
        wire = self.wire(user)
        wire.send("SUBSCRIBE", {"id": "1", "destination": destination, "receipt": "r", **headers})
        self.assertEqual("RECEIPT", wire.read()[0])
        return wire

    def amqp(self, user="ann"):
        connection = BlockingConnection(f"amqp://127.0.0.1:{self.bus.amqp_port}", user=user, password=PASSWORD, allowed_mechs="PLAIN",
                                        timeout=20)
        self.addCleanup(connection.close)
        return connection

    def http(self, method, path, body=None, user="ann"):
        token = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        return self.bus.http(method, path, body, {"Authorization": "Basic " + token}, login=False)[0]

    def test_rights_that_are_gone_end_what_they_were_for(self):
        held = self.subscribed("/queue/q.1", ack="client")
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"held"))
        self.assertEqual(b"held", held.read()[2])
        listener = self.subscribed("/topic/t.1")
        connection = self.amqp()
        receiver = connection.create_receiver("q.2", credit=1)
        sender = connection.create_sender("q.1")
        openwire = ow.OpenWire(self.bus.openwire_port, "ann", PASSWORD)
        self.addCleanup(openwire.close)
        openwire.consume(ow.QUEUE, "q.3")
        waiting = []
        fetch = threading.Thread(target=lambda: waiting.append(self.http("GET", "/queues/q.2/messages?wait=30")))
        fetch.start()
        while b'"receives":0' in self.bus.http("GET", "/api/v1/queues/q.2")[2]:
            time.sleep(0.02)
        time.sleep(0.3)  # it has reached the core
        self.reload(self.configuration(self.SENDS))
        for wire in (held, listener):
            command, headers, _ = wire.read()
            self.assertEqual(("ERROR", "not-authorized"), (command, headers["code"]))
        with self.assertRaisesRegex(LinkDetached, "unauthorized-access.*no right to receive"):
            receiver.receive(timeout=20)
        said = b""
        while (frame := openwire.read())[0] != 17:  # ConsumerControl: closed
            said += frame[1]
        self.assertIn(b"no right to receive", said)
        fetch.join(20)
        self.assertEqual([403], waiting)
        sender.send(Message("sending goes on, on the same connection"))
        self.assertEqual(403, self.http("GET", "/queues/q.1/messages"))
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"x"))
        # What was held is there for others, and for the same ones when they may again.
        self.reload(self.configuration(self.FULL))
        again = self.subscribed("/queue/q.1", ack="client")
        self.assertEqual(b"held", again.read()[2])

    def test_a_right_that_is_given_holds_at_once(self):
        self.reload(self.configuration(self.SENDS))
        connection = self.amqp()
        with self.assertRaises(LinkDetached):
            connection.create_receiver("q.1", name="before")
        self.reload(self.configuration(self.FULL))
        connection.create_receiver("q.1", name="after")

    def test_users_come_go_and_change_their_roles(self):
        ann, ben = self.subscribed("/queue/q.1", "ann"), self.subscribed("/queue/q.1", "ben")
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"x", "ben"))
        self.reload(self.configuration(self.FULL, users=(("ann", "guest"), ("cat", "team"))))
        for wire, text in ((ann, "no right to receive"), (ben, "not known any more")):
            while (frame := wire.read())[0] == "MESSAGE":
                pass
            self.assertEqual("not-authorized", frame[1]["code"])
            self.assertIn(text, frame[1]["message"])
        self.assertEqual(403, self.http("POST", "/queues/q.1/messages", b"x", "ann"))
        self.assertEqual(401, self.http("POST", "/queues/q.1/messages", b"x", "ben"))  # a login a moment ago is not remembered
        with self.assertRaises(AssertionError):
            self.wire("ben")
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"x", "cat"))
        self.reload(self.configuration(self.FULL))
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"x", "ben"))

    def test_users_of_the_file_too(self):
        subprocess.run([BUSBAR, "user", "add", "dora", "--role", "team", "--data", str(self.bus.data)], input=PASSWORD + "\n",
                       capture_output=True, text=True, check=True, env=clean_environment())
        self.assertEqual(401, self.http("POST", "/queues/q.1/messages", b"x", "dora"))
        self.reload(self.configuration(self.FULL))
        dora = self.subscribed("/queue/q.1", "dora")
        subprocess.run([BUSBAR, "user", "remove", "dora", "--data", str(self.bus.data)], capture_output=True, text=True, check=True,
                       env=clean_environment())
        self.reload(self.configuration(self.FULL))
        self.assertEqual("not-authorized", dora.read()[1]["code"])
        self.assertEqual(401, self.http("POST", "/queues/q.1/messages", b"x", "dora"))

    def test_what_is_wrong_changes_nothing(self):
        wire = self.subscribed("/queue/q.1")
        for text, why in (("<busbar", "wrong, nothing was changed"),
                          (self.configuration('<allow role="team" rights="send"/>'), "either 'queues' or 'topics' is expected"),
                          (self.configuration(self.FULL, users=(("ann", "te$am"),)), "nothing was changed")):
            self.reload(text, why)
        self.bus.data.joinpath("users").write_text("spoilt\n")
        self.reload(self.configuration(self.SENDS), "nothing was changed: ")
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"still"))
        self.assertEqual(b"still", wire.read()[2])

    def test_queues_are_defined_anew_and_the_rest_is_named(self):
        self.reload(self.configuration(self.FULL, queues='<queue name="q.1" messages-max="1"/><queue name="q.new"/>', port=7071))
        self.assertIn("these need a restart: one-port.", self.bus.log())
        self.assertEqual([201, 429], [self.http("POST", "/queues/q.1/messages", b"x") for _ in range(2)])
        self.assertEqual(200, self.bus.http("GET", "/api/v1/queues/q.new")[0])
        # What an operator set meanwhile stays where the configuration says what it said before.
        self.assertEqual(200, self.bus.http("PUT", "/api/v1/queues/q.1", b'{"messagesMax":5}')[0])
        self.reload(self.configuration(self.SENDS, queues='<queue name="q.1" messages-max="1"/>'))
        self.assertEqual(201, self.http("POST", "/queues/q.1/messages", b"x"))


if __name__ == "__main__":
    unittest.main()
