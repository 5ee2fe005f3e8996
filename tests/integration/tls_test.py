"""TLS against a real bus: certificates that are renewed while it runs, clients that log in by certificate; logins by SCRAM."""
import base64
import hashlib
import hmac
import json
import secrets
import signal
import socket
import ssl
import subprocess
import time
import unittest

import proton
import stomp
from proton.utils import BlockingConnection

from busbar_fixture import BUSBAR, Bus, clean_environment
from certificates import Authority
from stomp_wire import Closed, Wire

SECRET = {"BUSBAR_ADMIN_PASSWORD": "secret"}


class TlsWire(Wire):
    """A STOMP client over TLS that trusts `authority`; shows the certificate of `name` where given."""

    def __init__(self, port, authority, name=None, login="admin", passcode="secret"):
        context = ssl.create_default_context(cafile=authority.file("ca.pem"))
        if name:
            context.load_cert_chain(authority.file(name + ".pem"), authority.file(name + ".key"))
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="localhost")
        self.bytes, self.kept = b"", []
        try:
            self.login(login, passcode)
        except Exception:
            self.close()
            raise

    def login(self, login, passcode):
        headers = {"accept-version": "1.2", "host": "/"}
        if login is not None:
            headers.update({"login": login, "passcode": passcode})
        self.send("CONNECT", headers)
        frame = self.read()
        if frame[0] != "CONNECTED":
            raise AssertionError(f"not connected: {frame}")

    def server(self):
        """The CN of the server's certificate."""
        return dict(part[0] for part in self.socket.getpeercert()["subject"])["commonName"]

    def works(self):
        self.send("SEND", {"destination": "/queue/tls", "receipt": "r"}, b"x")
        return self.next("RECEIPT")


class TlsTest(unittest.TestCase):
    def make(self, *settings, config=None):
        bus = Bus(config=config, env=SECRET, settings=settings)
        self.addCleanup(bus.close)
        self.authority = Authority(bus.directory / "tls")
        self.authority.issue("server")
        bus.settings += [f"stomp.certificate={self.authority.file('server.pem')}", f"stomp.key={self.authority.file('server.key')}"]
        return bus

    def eventually(self, condition, what):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def metric(self, bus, name):
        return [line for line in bus.http("GET", "/metrics")[2].decode().splitlines() if line.startswith(f'busbar_{name}{{listener="stomp"}}')]


class RenewalTest(TlsTest):
    def server(self, bus):
        wire = TlsWire(bus.stomp_port, self.authority)
        name = wire.server()
        wire.close()
        return name

    def test_a_renewed_certificate_is_noticed_and_connections_go_on(self):
        bus = self.make("tls.watch-ms=50")
        bus.start()
        before = TlsWire(bus.stomp_port, self.authority)
        self.assertEqual("server", before.server())
        self.authority.issue("renewed")
        self.authority.put("renewed.pem", "server.pem")  # half of it: its key is not there yet
        self.eventually(lambda: "server.key" in bus.log(), "the half that is missing is not named")
        self.assertEqual("server", self.server(bus))
        self.assertEqual(['busbar_tls_reload_failures_total{listener="stomp"} 1'], self.metric(bus, "tls_reload_failures_total"))
        self.authority.put("renewed.key", "server.key")
        self.eventually(lambda: self.server(bus) == "renewed", "the new certificate was not loaded")
        self.assertEqual(['busbar_tls_reloads_total{listener="stomp"} 1'], self.metric(bus, "tls_reloads_total"))
        self.assertTrue(before.works())
        before.close()

    def test_sighup_loads_certificates_again(self):
        bus = self.make("tls.watch-ms=0")
        bus.start()
        before = TlsWire(bus.stomp_port, self.authority)
        self.authority.issue("renewed")
        self.authority.put("renewed.pem", "server.pem")
        self.authority.put("renewed.key", "server.key")
        bus.process.send_signal(signal.SIGHUP)
        self.eventually(lambda: self.server(bus) == "renewed", "the new certificate was not loaded")
        self.authority.file("server.pem").write_text("not a certificate\n")
        bus.process.send_signal(signal.SIGHUP)
        self.eventually(lambda: "the certificate in force stays" in bus.log(), "the bad file was not named")
        self.assertEqual("renewed", self.server(bus))
        self.assertTrue(before.works())
        before.close()
        self.assertEqual(0, bus.terminate())


class ClientCertificateTest(TlsTest):
    """Users shop (by a rule) and bob (by his common name); mallory is nobody."""

    CONFIGURATION = """<busbar xmlns="urn:busbar:configuration">
      <tls watch-ms="50"><certificate subject="CN=till 7,O=Example" user="shop"/></tls>
    </busbar>"""

    def setUp(self):
        self.bus = self.make(config=self.CONFIGURATION)
        files = self.authority
        files.issue("shop", subject="/O=Example/CN=till 7")
        for name in ("bob", "mallory", "late"):
            files.issue(name, subject="/CN=bob" if name == "late" else None, days=-1 if name == "late" else 2)
        files.revoke()
        for wire in ("stomp", "amqp", "http", "one-port"):
            self.bus.settings += [f"{wire}.certificate={files.file('server.pem')}", f"{wire}.key={files.file('server.key')}",
                                  f"{wire}.client-ca={files.file('ca.pem')}", f"{wire}.client-crl={files.file('crl.pem')}",
                                  f"{wire}.client-certificate=wanted"]
        self.bus.settings += ["one-port.enabled=true", "one-port.port=0"]
        self.bus.data.mkdir()
        for name in ("admin", "shop", "bob"):
            subprocess.run([BUSBAR, "--data", str(self.bus.data), "user", "add", name, "--role", "admin"], check=True, capture_output=True,
                           env=clean_environment({"BUSBAR_NEW_PASSWORD": "secret"}))
        self.bus.start(ready=False)

    def users(self):
        """Who has a session, as bob sees it over HTTP."""
        return {s["user"] for s in json.loads(self.curl("bob", "/api/v1/sessions")[1])["sessions"]}

    def curl(self, name, path, *options):
        files = self.authority
        shown = ["--cert", files.file(name + ".pem"), "--key", files.file(name + ".key")] if name else []
        done = subprocess.run(["curl", "-s", "--max-time", "20", "--cacert", files.file("ca.pem"), *shown, "-w", "\n%{http_code}", *options,
                               f"https://localhost:{self.bus.http_port}{path}"], capture_output=True, text=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def amqp(self, name, mechanism="EXTERNAL", **options):
        files = self.authority
        domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(str(files.file("ca.pem")))
        domain.set_peer_authentication(proton.SSLDomain.VERIFY_PEER)
        if name:
            domain.set_credentials(str(files.file(name + ".pem")), str(files.file(name + ".key")), None)
        connection = BlockingConnection(f"amqps://localhost:{self.bus.amqp_port}", ssl_domain=domain, allowed_mechs=mechanism, timeout=10,
                                        reconnect=False, **options)
        self.addCleanup(connection.close)
        return connection

    def test_amqp_external(self):
        self.amqp("shop").create_sender("q").send(proton.Message("by certificate"))
        self.assertIn("shop", self.users())
        for name in ("mallory", None):
            with self.assertRaises(proton.ConnectionException):
                self.amqp(name)
        self.amqp(None, "PLAIN", user="admin", password="secret").create_sender("q").send(proton.Message("by password"))

    def test_stomp_without_a_login(self):
        port, files = self.bus.stomp_port, self.authority
        client = stomp.Connection12([("localhost", port)])
        client.set_ssl(for_hosts=[("localhost", port)], cert_file=str(files.file("shop.pem")), key_file=str(files.file("shop.key")),
                       ca_certs=str(files.file("ca.pem")))
        client.connect(wait=True)
        self.assertIn("shop", self.users())
        client.disconnect()
        for name in ("mallory", None):
            with self.assertRaisesRegex(AssertionError, "unauthenticated"):
                TlsWire(port, files, name, login=None)
        TlsWire(self.bus.ports["one-port"], files, "bob", login=None).close()
        TlsWire(port, files, "mallory").close()  # admin, by password

    def test_http_without_authorization(self):
        self.assertEqual(201, self.curl("shop", "/queues/q/messages", "-d", "x")[0])
        self.assertEqual((401, 401), (self.curl("mallory", "/metrics")[0], self.curl(None, "/metrics")[0]))
        self.assertEqual(200, self.curl("mallory", "/metrics", "-u", "admin:secret")[0])
        self.assertEqual(401, self.curl("shop", "/metrics", "-u", "admin:wrong")[0])

    def test_bad_certificates_are_refused_in_the_handshake(self):
        port, files = self.bus.stomp_port, self.authority
        TlsWire(port, files, "bob", login=None).close()
        files.revoke("bob")
        for name in ("late", "bob"):
            def refused():
                try:
                    TlsWire(port, files, name).close()  # not even with a password
                except (Closed, OSError):
                    return True
                return False
            self.eventually(refused, f"{name} still gets in")
        TlsWire(port, files, "shop", login=None).close()


class ScramTest(TlsTest):
    """No client of Debian or npm speaks SCRAM here (python3-qpid-proton is without Cyrus, rhea has none): the AMQP frames by hand."""

    def frame(self, code, *fields):
        """A SASL frame; fields: ("symbol" or "binary", bytes)."""
        encoded = b"".join({"symbol": b"\xa3", "binary": b"\xa0"}[kind] + bytes([len(value)]) + value for kind, value in fields)
        body = b"\0\x53" + bytes([code]) + b"\xc0" + bytes([len(encoded) + 1, len(fields)]) + encoded
        return (8 + len(body)).to_bytes(4, "big") + b"\2\1\0\0" + body

    def read(self, client):
        """The next SASL frame's code and body."""
        size = int.from_bytes(self.exactly(client, 4), "big")
        rest = self.exactly(client, size - 4)
        return rest[6], rest[7:]

    def exactly(self, client, size):
        got = b""
        while len(got) < size:
            piece = client.recv(size - len(got))
            self.assertTrue(piece, "closed")
            got += piece
        return got

    def login(self, user, password):
        """(the outcome's code, whether the server knew the password, salt)"""
        client = socket.create_connection(("127.0.0.1", self.bus.amqp_port), timeout=10)
        self.addCleanup(client.close)
        client.sendall(b"AMQP\3\1\0\0")
        self.assertEqual(b"AMQP\3\1\0\0", self.exactly(client, 8))
        code, offered = self.read(client)
        self.assertEqual((0x40, True), (code, b"SCRAM-SHA-256" in offered))
        bare = f"n={user},r={secrets.token_hex(12)}".encode()
        client.sendall(self.frame(0x41, ("symbol", b"SCRAM-SHA-256"), ("binary", b"n,," + bare)))
        code, body = self.read(client)
        self.assertEqual(0x42, code)
        challenge = body[body.index(b"r="):]
        nonce, salt, rounds = (field[2:] for field in challenge.split(b",", 2))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))

        def sign(key, text):
            return hmac.digest(key, text, "sha256")
        last = b"c=biws,r=" + nonce
        text = bare + b"," + challenge + b"," + last
        key = sign(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, sign(hashlib.sha256(key).digest(), text)))
        client.sendall(self.frame(0x43, ("binary", last + b",p=" + base64.b64encode(proof))))
        code, outcome = self.read(client)
        self.assertEqual(0x44, code)
        verdict = b"v=" + base64.b64encode(sign(sign(salted, b"Server Key"), text))
        if verdict in outcome:
            client.sendall(b"AMQP\0\1\0\0" + b"\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1c")  # header, open
            self.assertEqual(b"AMQP\0\1\0\0", self.exactly(client, 8))
            self.exactly(client, 8)  # of its open
        return outcome[outcome.index(b"\x50") + 1], verdict in outcome, salt

    def ready(self):
        """SCRAM is offered when the password of BUSBAR_ADMIN_PASSWORD is there; logins by password wait for that."""
        self.eventually(lambda: self.bus.http("GET", "/metrics")[0] == 200, "no login")

    def test_scram(self):
        self.bus = Bus(env=SECRET)
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.ready()
        self.assertEqual((0, True), self.login("admin", "secret")[:2])
        self.assertEqual((1, False), self.login("admin", "wrong")[:2])
        code, known, salt = self.login("nobody", "secret")
        self.assertEqual((1, False), (code, known))
        self.bus.restart()
        self.ready()
        self.assertEqual(salt, self.login("nobody", "x")[2])
        self.assertEqual((0, True), self.login("admin", "secret")[:2])


if __name__ == "__main__":
    unittest.main()
