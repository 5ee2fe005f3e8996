"""Qpid Proton's C++ client (cpp/), unchanged, through what every client must do (client_scenarios.py)."""
import os
import unittest

from client_scenarios import Scenarios

PROTON_CLIENT = os.environ.get("PROTON_CLIENT", "")


@unittest.skipUnless(PROTON_CLIENT, "PROTON_CLIENT is not set: libqpid-proton-cpp12-dev was not there")
class ProtonCppTest(Scenarios, unittest.TestCase):
    test_transactions = None  # 0.37 has no API for them

    def command(self):
        return [PROTON_CLIENT, f"amqp://127.0.0.1:{self.bus.amqp_port}", "admin", "secret", ""]

    def test_browse(self):
        self.perform("browse")


if __name__ == "__main__":
    unittest.main(verbosity=2)
