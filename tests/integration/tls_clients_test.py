"""Do the clients that people have work over TLS: log in, are refused with a wrong password and by a certificate that they do not
know, send, receive, and do transactions where they have them?

stomp.py, @stomp/stompjs (wss), ActiveMQ's Java client (ssl://), Qpid Proton for C++ (amqps) and for Python.
"""
import os
import pathlib
import queue
import subprocess
import unittest

import proton
import stomp
from proton.utils import BlockingConnection

from busbar_fixture import Bus
from java_client import Peer, PeerError

HERE = pathlib.Path(__file__).resolve().parent
PROTON_CLIENT = os.environ.get("PROTON_CLIENT", "")


def certificate(directory, name):
    """A certificate of its own for 127.0.0.1, with its key: two files."""
    pem, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", str(pem), "-keyout", str(key)], check=True, capture_output=True)
    return pem, key


def java_options(store):
    return (f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit")


class Ear(stomp.ConnectionListener):
    def __init__(self):
        self.events = queue.Queue()

    def on_connected(self, frame):
        self.events.put(("connected", None))

    def on_message(self, frame):
        self.events.put(("message", frame.body))

    def on_receipt(self, frame):
        self.events.put(("receipt", None))

    def on_error(self, frame):
        self.events.put(("error", frame.headers["message"]))


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        cls.addClassCleanup(cls.bus.close)
        cls.pem, key = certificate(cls.bus.directory, "bus")
        cls.other, _ = certificate(cls.bus.directory, "other")
        for wire in ("stomp", "amqp", "openwire", "http"):
            cls.bus.settings += [f"{wire}.certificate={cls.pem}", f"{wire}.key={key}"]
        cls.bus.start(ready=False)

    # ---- stomp.py

    def stomp(self, password="secret", authority=None):
        where = [("127.0.0.1", self.bus.stomp_port)]
        connection = stomp.Connection12(where, reconnect_attempts_max=1)
        connection.set_ssl(for_hosts=where, ca_certs=str(authority or self.pem))
        ear = Ear()
        connection.set_listener("", ear)
        connection.connect("admin", password)
        self.addCleanup(lambda: connection.is_connected() and connection.disconnect())
        return connection, lambda: ear.events.get(timeout=10)

    def test_stomp_py(self):
        connection, next_event = self.stomp()
        self.assertEqual("connected", next_event()[0])
        connection.subscribe("/queue/s", "1", ack="auto")
        lost, kept = connection.begin(), connection.begin()
        connection.send("/queue/s", "never", "text/plain", transaction=lost)
        connection.send("/queue/s", "kept " * 20_000, "text/plain", transaction=kept, persistent="true")
        connection.abort(lost)
        connection.commit(kept)
        self.assertEqual(("message", "kept " * 20_000), next_event())

    def test_stomp_py_with_a_wrong_password(self):
        _, next_event = self.stomp("wrong")
        kind, text = next_event()
        self.assertEqual("error", kind)
        self.assertIn("password", text)

    def test_stomp_py_knows_the_certificate(self):
        with self.assertRaises(stomp.exception.ConnectFailedException):
            self.stomp(authority=self.other)

    # ---- stompjs

    @unittest.skipUnless((HERE / "node/node_modules/@stomp/stompjs").exists(), "npm ci was not run in tests/integration/node")
    def test_stompjs(self):
        def run(authority):
            scenarios = ("login", "sendReceive", "acknowledgements", "transactions", "requestReply", "large", "idle")
            return subprocess.run(["node", str(HERE / "node/stompjs_client.mjs"), str(self.bus.http_port), "wss", *scenarios], text=True,
                                  capture_output=True, timeout=100, env={**os.environ, "NODE_EXTRA_CA_CERTS": str(authority)})
        done = run(self.pem)
        self.assertEqual(("ok", 0), (done.stdout.strip(), done.returncode), done.stderr)
        refused = run(self.other)
        self.assertEqual(1, refused.returncode)
        self.assertIn("self-signed certificate", refused.stderr)

    # ---- ActiveMQ's Java client

    def java(self, pem):
        store = self.bus.directory / f"{pem.stem}.p12"
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "bus", "-file", str(pem), "-keystore", str(store),
                        "-storetype", "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
        peer = Peer(java_options(store))
        self.addCleanup(peer.close)
        return peer

    def open(self, peer, name, password="secret", **more):
        peer("open", url=f"ssl://127.0.0.1:{self.bus.openwire_port}", user="admin", password=password, **{"as": name}, **more)

    def test_java(self):
        peer = self.java(self.pem)
        with self.assertRaises(PeerError) as wrong:
            self.open(peer, "w", password="wrong")
        self.assertEqual("JMSSecurityException", wrong.exception.kind)
        self.open(peer, "a", transacted=True)
        self.open(peer, "b")
        for text, end in (("never", "rollback"), ("kept " * 20_000, "commit")):
            peer("send", **{"as": "a"}, queue="j", messages=[{"kind": "text", "body": text}])
            peer(end, **{"as": "a"})
        got = peer("receive", **{"as": "b"}, queue="j", count=2, ms=1000)["messages"]
        self.assertEqual(["kept " * 20_000], [message["body"] for message in got])

    def test_java_knows_the_certificate(self):
        with self.assertRaises(PeerError) as refused:
            self.open(self.java(self.other), "x")
        # Where a write comes first it fails on what the handshake closed.
        self.assertRegex(str(refused.exception), "SSLHandshakeException|Connection or outbound has closed")

    # ---- Proton

    def proton_cpp(self, password="secret", authority=None):
        return subprocess.run([PROTON_CLIENT, f"amqps://127.0.0.1:{self.bus.amqp_port}", "admin", password,
                               str(authority or self.pem), "sendReceive"], capture_output=True, text=True, timeout=60)

    @unittest.skipUnless(PROTON_CLIENT, "PROTON_CLIENT is not set: libqpid-proton-cpp12-dev was not there")
    def test_proton_cpp(self):
        done = self.proton_cpp()
        self.assertEqual(("ok", 0), (done.stdout.strip(), done.returncode), done.stderr)
        wrong = self.proton_cpp(password="wrong")
        self.assertEqual(1, wrong.returncode)
        self.assertRegex(wrong.stdout, "failed: amqp:unauthorized-access|failed: .*[Aa]uthentication")
        stranger = self.proton_cpp(authority=self.other)
        self.assertEqual(1, stranger.returncode)
        self.assertIn("certificate verify failed", stranger.stdout)

    def test_proton_python(self):
        def connect(password="secret", authority=self.pem):
            domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
            domain.set_trusted_ca_db(str(authority))
            domain.set_peer_authentication(proton.SSLDomain.VERIFY_PEER_NAME)
            return BlockingConnection(f"amqps://127.0.0.1:{self.bus.amqp_port}", ssl_domain=domain, user="admin", password=password,
                                      allowed_mechs="PLAIN", timeout=10)
        connection = connect()
        connection.create_sender("py").send(proton.Message(body="x" * 200_000, durable=True))
        receiver = connection.create_receiver("py", credit=1)
        self.assertEqual("x" * 200_000, receiver.receive(timeout=10).body)
        receiver.accept()
        connection.close()
        for wrong in ({"password": "wrong"}, {"authority": self.other}):
            with self.assertRaises(proton.ConnectionException):
                connect(**wrong)


if __name__ == "__main__":
    unittest.main(verbosity=2)
