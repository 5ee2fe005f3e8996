"""TLS against a real bus: certificates that are renewed while it runs."""
import signal
import socket
import ssl
import time
import unittest

from busbar_fixture import Bus
from certificates import Authority
from stomp_wire import Wire

SECRET = {"BUSBAR_ADMIN_PASSWORD": "secret"}


class TlsWire(Wire):
    """A STOMP client over TLS that trusts `authority`; shows the certificate of `name` where given."""

    def __init__(self, port, authority, name=None, login="admin", passcode="secret"):
        context = ssl.create_default_context(cafile=authority.file("ca.pem"))
        if name:
            context.load_cert_chain(authority.file(name + ".pem"), authority.file(name + ".key"))
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="localhost")
        self.bytes, self.kept = b"", []
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
    def bus(self, *settings, config=None):
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
        bus = self.bus("tls.watch-ms=50")
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
        bus = self.bus("tls.watch-ms=0")
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


if __name__ == "__main__":
    unittest.main()
