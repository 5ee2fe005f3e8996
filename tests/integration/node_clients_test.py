"""Clients from npm, unchanged, through what every client must do (client_scenarios.py): stompit, @stomp/stompjs over a WebSocket, rhea."""
import pathlib
import unittest

from client_scenarios import Scenarios

NODE = pathlib.Path(__file__).resolve().parent / "node"


def node(program, *arguments):
    return ["node", str(NODE / program), *map(str, arguments)]


needed = unittest.skipUnless((NODE / "node_modules").exists(), "npm ci was not run in tests/integration/node")


@needed
class StompitTest(Scenarios, unittest.TestCase):
    def command(self):
        return node("stompit_client.mjs", self.bus.stomp_port)

    def test_topic(self):
        self.perform("topic")


@needed
class StompjsTest(Scenarios, unittest.TestCase):
    def command(self):
        return node("stompjs_client.mjs", self.bus.http_port, "ws")

    def test_topic(self):
        self.perform("topic")


@needed
class RheaTest(Scenarios, unittest.TestCase):
    test_transactions = None  # rhea has no API for them

    def command(self):
        return node("rhea_client.mjs", self.bus.amqp_port, self.bus.http_port)

    def test_more(self):
        self.perform("drain", "kinds", "browser", "numberedSends", "webSocket")


if __name__ == "__main__":
    unittest.main(verbosity=2)
