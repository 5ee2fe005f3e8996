"""Server-Sent Events of a topic, from the real daemon."""
import base64
import http.client
import unittest

from busbar_fixture import Bus


class EventsTest(unittest.TestCase):
    def test_a_topic_is_streamed_as_events(self):
        bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(bus.close)
        bus.start()
        login = {"Authorization": "Basic " + base64.b64encode(b"admin:secret").decode()}
        connection = http.client.HTTPConnection("127.0.0.1", bus.http_port, timeout=10)
        self.addCleanup(connection.close)
        connection.request("GET", "/topics/prices.%3E/events", headers=login)
        stream = connection.getresponse()
        self.assertEqual((200, "text/event-stream"), (stream.status, stream.getheader("Content-Type").split(";")[0]))
        for number in range(3):
            status, _, _ = bus.http("POST", "/topics/prices.eur/messages", f"1.0{number}\nsecond line".encode(), {"Content-Type": "text/plain"})
            self.assertEqual(201, status)
            lines = []
            while not lines or lines[-1]:
                line = stream.readline().decode().rstrip("\n")
                if not line.startswith(":") and (line or lines):  # comments keep the connection alive
                    lines.append(line)
            data = [line[5:].strip() for line in lines if line.startswith("data:")]
            self.assertEqual([f"1.0{number}", "second line"], data)
        self.assertEqual(401, bus.http("GET", "/topics/prices.eur/events", login=False)[0])


if __name__ == "__main__":
    unittest.main()
