"""The busbar command against a real bus: what each command prints, and what it says when things are wrong."""

import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

from busbar_fixture import BUSBAR, ROOT, Bus, clean_environment

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
CONFIG = f"""<busbar xmlns="urn:busbar:configuration">
  <services><service name="orders" wsdl="{ROOT}/samples/order-service/orders.wsdl" timeout-ms="10000"/></services>
</busbar>"""
ORDER = (ROOT / "samples/order-service/place-order.xml").read_text()
REPLY = ('<PlaceOrderResponse xmlns="urn:busbar:sample:orders"><orderId>O-1</orderId><total>1.85</total>'
         "</PlaceOrderResponse>")


class Command(unittest.TestCase):
    """One bus for all tests of a class; each uses queues of its own."""

    data = "/nonexistent"
    env = {}

    def busbar(self, *words, code=0, stdin=b"", env=None, data=None):
        """Runs it and returns (stdout, stderr) as text."""
        result = self.bytes(*words, code=code, stdin=stdin, env=env, data=data)
        return result.stdout.decode(), result.stderr.decode()

    def bytes(self, *words, code=0, stdin=b"", env=None, data=None):
        environment = clean_environment({"BUSBAR_DATA": str(data or self.data), **self.env, **(env or {})})
        result = subprocess.run([BUSBAR, *map(str, words)], input=stdin, capture_output=True, timeout=60, env=environment)
        self.assertEqual(code, result.returncode, f"busbar {words}\n{result.stdout!r}\n{result.stderr!r}")
        return result

    def json(self, *words, **more):
        return json.loads(self.busbar(*words, "--json", **more)[0])

    def lines(self, *words, **more):
        return [json.loads(line) for line in self.busbar(*words, "--json", **more)[0].splitlines()]


class WithBus(Command):
    @classmethod
    def setUpClass(cls):
        cls.bus = Bus(config=CONFIG, settings=["queue-defaults.deliveries-max=1"])
        cls.addClassCleanup(cls.bus.close)
        cls.bus.start()
        cls.data = cls.bus.data

    def dead(self, queue, text="bad"):
        """Sends a message and has it dead-lettered."""
        self.busbar("send", queue, text)
        lease = json.loads(self.bus.http("GET", f"/queues/{queue}/messages")[2])[0]["lease"]
        status = self.bus.http("POST", f"/queues/{queue}/leases/{lease}/nack?reason=no%20such%20customer")[0]
        self.assertEqual(204, status)

    # ---- messages ----

    def test_a_sent_message_is_received_once(self):
        out, _ = self.busbar("send", "once", "hello wörld")
        self.assertRegex(out, r"^sent ID:\S+\n$")
        self.assertEqual("hello wörld\n", self.busbar("receive", "once")[0])
        out, err = self.busbar("receive", "once")
        self.assertEqual("", out)
        self.assertIn("no message", err)

    def test_properties_and_headers_arrive(self):
        self.busbar("send", "full", "{}", "--property", "region=eu", "--property", "note=a = ü", "--priority", "9",
                    "--ttl", "5m", "--correlation-id", "c-1", "--reply-to", "topic://answers", "--content-type",
                    "application/json", "--type", "order", "--group", "g", "--transient")
        message, = self.lines("receive", "full")
        self.assertEqual((9, "c-1", "topic://answers", "application/json", "order", "g", False),
                         tuple(message[k] for k in ("priority", "correlationId", "replyTo", "contentType", "type",
                                                    "groupId", "persistent")))
        self.assertEqual({"region": "eu", "note": "a = ü"}, {k: v["value"] for k, v in message["properties"].items()})
        self.assertAlmostEqual(300_000, message["expiration"] - message["timestamp"], delta=2000)

    def test_bytes_come_out_as_they_went_in(self):
        body = bytes(range(256)) * 300
        self.busbar("send", "bytes", "-", stdin=body)
        self.assertEqual(body, self.bytes("receive", "bytes", "--raw").stdout)
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(b'{"n":1}')
            file.flush()
            self.busbar("send", "bytes", "--file", file.name)
        self.assertEqual("application/json", self.lines("receive", "bytes")[0]["contentType"])

    def test_many_messages_are_counted_and_all_taken(self):
        result = self.json("send", "many", "x", "--count", "1500")
        self.assertEqual((1500, 0), (result["sent"], result["repeated"]))
        self.assertEqual(1500, self.json("stats", "many")["depth"])
        self.assertEqual(["x"] * 1500, self.busbar("receive", "many", "--max", "0")[0].split())
        self.assertEqual(0, self.json("stats", "many")["depth"])

    def test_a_repeated_key_stores_nothing(self):
        first = self.json("send", "dedup", "a", "--idempotency-key", "k")
        again = self.json("send", "dedup", "a", "--idempotency-key", "k")
        self.assertEqual((first["lastId"], 1), (again["lastId"], again["repeated"]))
        self.assertIn("was sent before", self.busbar("send", "dedup", "a", "--idempotency-key", "k")[0])
        self.assertEqual(1, self.json("stats", "dedup")["depth"])

    def test_keep_and_browse_take_nothing(self):
        for text in ("one", "two", "three"):
            self.busbar("send", "look", text)
        self.assertEqual("one\ntwo\n", self.busbar("receive", "look", "--keep", "--max", "2")[0])
        table, _ = self.busbar("browse", "look")
        self.assertEqual(4, len(table.splitlines()), table)
        self.assertIn("ready", table)
        self.assertEqual(["one", "two", "three"], [m["body"] for m in self.lines("browse", "look", "--max", "0")])
        self.assertEqual(0, self.lines("receive", "look")[0]["deliveryCount"] - 1)

    def test_receive_waits_for_a_message(self):
        timer = threading.Timer(0.4, lambda: self.busbar("send", "later", "here"))
        timer.start()
        self.assertEqual("here\n", self.busbar("receive", "later", "--wait", "20")[0])
        timer.join()

    def test_a_broken_output_gives_the_message_back(self):
        self.busbar("send", "pipe", "x" * 10)
        with open("/dev/full", "w") as full:
            code = subprocess.run([BUSBAR, "receive", "pipe"], stdout=full, stderr=subprocess.PIPE,
                                  env=clean_environment({"BUSBAR_DATA": str(self.data)})).returncode
        self.assertEqual(1, code)
        counts = [self.json("stats", "pipe")["depth"]]
        counts += [q["depth"] for q in self.json("dlq", "list")["queues"] if q["name"] == "DLQ.pipe"]
        self.assertEqual(1, sum(counts), "neither lost nor doubled")

    def test_topics_reach_nobody_who_is_not_there(self):
        self.assertIn("sent", self.busbar("send", "prices", "1.20", "--topic")[0])

    # ---- operations ----

    def test_stats_show_tables_and_exact_json(self):
        self.busbar("send", "table", "x")
        out, _ = self.busbar("stats")
        self.assertRegex(out, r"(?m)^QUEUE +DEPTH +HELD")
        self.assertRegex(out, r"(?m)^table +1 +0")
        self.assertRegex(self.busbar("stats", "table")[0], r"(?m)^depth +1$")
        self.assertIn("there is no queue 'nope'", self.busbar("stats", "nope", code=1)[1])
        error = json.loads(self.busbar("stats", "nope", "--json", code=1)[1])
        self.assertEqual("not-found", error["error"]["code"])

    def test_purge_asks_first(self):
        self.busbar("send", "waste", "x", "--count", "3")
        self.assertIn("give --yes", self.busbar("purge", "waste", code=2)[1])
        self.assertEqual("3 messages deleted from 'waste'\n", self.busbar("purge", "waste", "--yes")[0])
        self.assertEqual({"count": 0}, self.json("purge", "waste", "--yes"))
        self.assertIn("there is no queue", self.busbar("purge", "never", "--yes", code=1)[1])

    def test_move_takes_from_the_head(self):
        for text in "abc":
            self.busbar("send", "from", text)
        self.assertEqual({"count": 2}, self.json("move", "from", "to", "--max", "2"))
        self.assertEqual("a\nb\n", self.busbar("receive", "to", "--max", "0")[0])
        self.assertIn("same queue", self.busbar("move", "to", "to", code=2)[1])

    def test_selectors_and_positions_choose_messages(self):
        for n in range(10):
            self.busbar("send", "chosen", n, "--property", f"n={n}")
        where = {m["body"]: m["position"] for m in self.lines("browse", "chosen", "--max", "0")}
        self.assertEqual(["7", "8", "9"], [m["body"] for m in self.lines("browse", "chosen", "--selector", "n > 6")])
        self.assertEqual({"count": 2}, self.json("copy", "chosen", "chosen.copy", "--selector", "n >= 8"))
        self.assertEqual({"count": 2}, self.json("move", "chosen", "chosen.moved", "--ids", f"{where['0']},{where['3']}"))
        self.assertEqual({"count": 1}, self.json("purge", "chosen", "--selector", "n BETWEEN 1 AND 5", "--max", "1", "--yes"))
        self.assertEqual(list("2456789"), self.busbar("receive", "chosen", "--max", "0")[0].split())
        self.assertEqual(["8", "9"], self.busbar("receive", "chosen.copy", "--max", "0")[0].split())
        self.assertEqual(["0", "3"], self.busbar("receive", "chosen.moved", "--max", "0")[0].split())
        self.assertIn("column", self.busbar("browse", "chosen", "--selector", "n > >", code=1)[1])
        self.assertIn("ids", self.busbar("purge", "chosen", "--ids", "9-1", "--yes", code=1)[1])

    def test_a_rate_slows_a_move_down(self):
        self.busbar("send", "fast", "x", "--count", "30")
        start = time.monotonic()
        self.assertEqual({"count": 30}, self.json("move", "fast", "slow", "--rate", "30"))
        self.assertGreater(time.monotonic() - start, 0.5)

    def test_delayed_messages_are_listed_moved_and_cancelled(self):
        for text in ("one", "two", "three"):
            self.busbar("send", "timed", text, "--delay", "1h")
        entries = {m["body"]: m["position"] for m in self.lines("schedule", "list", "timed")}
        self.assertEqual({"one", "two", "three"}, set(entries))
        self.assertRegex(self.busbar("schedule", "list", "timed", "--max", "1")[0], r"(?m)^ +\d+  \d{4}-\d\d-\d\d .* one$")
        self.assertIn("rescheduled", self.busbar("schedule", "move", "timed", entries["two"], "--in", "0")[0])
        self.assertEqual("two\n", self.busbar("receive", "timed", "--wait", "5")[0])
        self.busbar("schedule", "cancel", "timed", entries["one"])
        self.assertIn("any more", self.busbar("schedule", "cancel", "timed", entries["one"], code=1)[1])
        self.assertIn("any more", self.busbar("schedule", "move", "timed", entries["one"], "--in", "1", code=1)[1])
        self.assertIn("either --at", self.busbar("schedule", "move", "timed", "1", code=2)[1])
        self.assertEqual(["three"], [m["body"] for m in self.lines("schedule", "list", "timed")])

    def test_queues_are_defined_shown_and_deleted(self):
        options = self.json("queue", "define", "defined", "--messages-max", "2", "--redelivery-delays", "1s,2m", "--when-full",
                            "drop-oldest", "--durability", "os", "--park-failed-groups", "--age-max", "1h")["options"]
        self.assertEqual((2, [1000, 120000], "drop-oldest", "os", True, 3600000, 1), tuple(options[k] for k in (
            "messagesMax", "redeliveryDelaysMs", "whenFull", "durability", "parkFailedGroups", "ageMaxMs", "deliveriesMax")))
        for n in range(3):
            self.busbar("send", "defined", n)
        shown = self.json("queue", "show", "defined")
        self.assertEqual((2, 1), (shown["depth"], shown["evicted"]))
        self.assertRegex(self.busbar("queue", "show", "defined")[0], r"(?m)^evicted +1$")
        self.assertRegex(self.busbar("stats", "defined")[0], r"(?m)^evicted +1$")
        self.assertIn("none of", self.busbar("queue", "define", "defined", "--when-full", "explode", code=1)[1])
        self.assertIn("give --yes", self.busbar("queue", "delete", "defined", code=2)[1])
        self.busbar("queue", "delete", "defined", "--yes")
        self.assertIn("no queue", self.busbar("queue", "show", "defined", code=1)[1])

    def test_groups_are_paused_and_have_a_state(self):
        self.busbar("send", "grouped", "a", "--group", "g1")
        self.assertIn("paused", self.busbar("group", "pause", "grouped", "g1")[0])
        self.assertEqual("", self.busbar("receive", "grouped")[0])
        self.busbar("group", "resume", "grouped", "g1")
        self.assertEqual("a\n", self.busbar("receive", "grouped", "--one-group")[0])
        self.busbar("group", "state", "grouped", "g1", "--set", "at step 3")
        self.assertEqual({"group": "g1", "state": "at step 3"}, self.json("group", "state", "grouped", "g1"))
        self.busbar("group", "state", "grouped", "g1", "--erase")
        self.assertEqual("\n", self.busbar("group", "state", "grouped", "g1")[0])

    def test_notices_are_shown(self):
        self.assertIn("notices", self.json("notices"))

    def test_the_journal_is_backed_up_online_and_offline(self):
        self.busbar("send", "saved", "precious")
        to = self.bus.directory / "online"
        self.assertEqual({"state": "done", "to": str(to)}, self.json("journal", "backup", to))
        self.assertIn("empty", self.busbar("journal", "backup", to, code=1)[1])
        report = self.json("journal", "check", to)
        self.assertEqual([], report["damages"])
        self.assertGreaterEqual(report["messagesLive"], 1)
        self.assertIn("in use", self.busbar("journal", "backup", self.bus.directory / "no", "--offline", code=1)[1])
        copy = self.bus.directory / "offline"
        self.busbar("journal", "backup", copy, "--offline", data=to)
        self.assertEqual(report["messagesLive"], self.json("journal", "check", copy)["messagesLive"])

    def test_dead_letters_are_shown_retried_and_purged(self):
        self.dead("sick", "order 7")
        self.assertRegex(self.busbar("dlq", "list")[0], r"(?m)^DLQ\.sick +1")
        self.assertRegex(self.busbar("dlq", "browse", "sick")[0], r"sick .* 1 +deliveries: no such customer +order 7")
        shown = self.busbar("dlq", "show", "sick")[0]
        self.assertRegex(shown, r"(?m)^  from +sick$")
        self.assertRegex(shown, r"(?m)^  reason +deliveries: no such customer$")
        self.assertEqual({"count": 0}, self.json("dlq", "retry", "sick", "--selector", "BusbarText LIKE '%timeout%'"))
        self.assertEqual({"count": 1}, self.json("dlq", "retry", "sick", "--rate", "10"))
        self.assertEqual("order 7\n", self.busbar("receive", "sick")[0])
        self.dead("sick")
        self.assertEqual({"count": 1}, self.json("dlq", "purge", "DLQ.sick", "--yes"))
        self.assertIn("nothing of that queue was dead-lettered", self.busbar("dlq", "retry", "healthy", code=1)[1])

    def test_connections_and_services_are_listed(self):
        self.assertRegex(self.busbar("connections")[0], r"(?m)^admin +http")
        self.assertIn("orders", [s["name"] for s in self.json("service", "list")["services"]])
        self.assertRegex(self.busbar("service", "list")[0], r"(?m)^orders +0")

    # ---- services ----

    def answer(self, text):
        """A worker for one call: takes the request, sends the reply where it asks for it."""
        request, = self.lines("receive", "orders.request", "--wait", "20")
        queue = request["replyTo"].removeprefix("queue://")
        self.busbar("send", queue, text, "--correlation-id", request["correlationId"], "--content-type", "text/xml")
        return request

    def call(self, reply, *words, code=0, stdin=ORDER):
        worker = threading.Thread(target=self.answer, args=(reply,))
        worker.start()
        try:
            return self.busbar("call", "orders", *words, stdin=stdin.encode(), code=code)
        finally:
            worker.join()

    def test_call_wraps_a_payload_and_prints_the_answer(self):
        self.assertIn("<orderId>O-1</orderId>", self.call(REPLY)[0])
        out = json.loads(self.call(REPLY, "--soap12", "--json", "--action", "urn:x")[0])
        self.assertEqual((200, False), (out["status"], out["fault"]))
        self.assertIn("http://www.w3.org/2003/05/soap-envelope", out["body"])
        envelope = f'<e:Envelope xmlns:e="{SOAP}"><e:Body>{ORDER}</e:Body></e:Envelope>'
        self.assertIn("O-1", self.call(REPLY, "-", stdin=envelope)[0])

    def test_faults_are_printed_and_fail(self):
        fault = (f'<e:Envelope xmlns:e="{SOAP}"><e:Body><e:Fault><faultcode>e:Server</faultcode>'
                 "<faultstring>out of bolts</faultstring></e:Fault></e:Body></e:Envelope>")
        out, err = self.call(fault, code=1)
        self.assertIn("out of bolts", out)
        self.assertIn("fault", err)
        out, _ = self.busbar("call", "orders", code=1, stdin=b"<x/>")
        self.assertIn("no operation for the body", out)
        self.assertIn("no service 'none'", self.busbar("call", "none", stdin=b"<x/>", code=1)[1])
        self.assertIn("not XML", self.busbar("call", "orders", stdin=b"hello", code=1)[1])
        self.assertIn("cannot read", self.busbar("call", "orders", "/nonexistent.xml", code=1)[1])

    # ---- what can be wrong ----

    def test_a_wrong_password_says_where_it_came_from(self):
        _, err = self.busbar("stats", env={"BUSBAR_PASSWORD": "wrong"}, code=1)
        self.assertIn("refuses user 'admin' with the password of BUSBAR_PASSWORD", err)
        self.assertIn("no password for user 'eve'", self.busbar("stats", "--user", "eve", code=1)[1])
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.bus.password + "\n")
            file.flush()
            self.busbar("stats", "--password-file", file.name, "--url", self.bus.url, data="/nonexistent")

    def test_the_journal_of_a_running_bus_is_left_alone(self):
        self.assertIn("in use: stop the daemon first", self.busbar("journal", "check", code=1)[1])
        self.assertIn("in use", self.busbar("journal", "dump", code=1)[1])


class Offline(Command):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.data = self.bus.data

    def test_no_bus_says_how_to_start_one(self):
        self.bus.start()
        self.bus.kill9()
        _, err = self.busbar("send", "q", "x", code=1)
        self.assertIn(f"cannot reach the bus at {self.bus.url}", err)
        self.assertIn(f"busbard --data {self.data}", err)

    def test_users_are_changed_in_the_file_and_known_after_a_start(self):
        self.assertIn("there is no data directory", self.busbar("user", "list", code=1)[1])
        self.bus.start()
        self.assertEqual(200, self.bus.http("GET", "/api/v1/queues")[0])  # a login waits for the first user
        out, err = self.busbar("user", "add", "shop", "--role", "admin", stdin=b"s3cret\n")
        self.assertIn("added user 'shop'", out)
        self.assertIn("reads its users when it starts, and on SIGHUP", err)
        self.assertIn("already", self.busbar("user", "add", "shop", stdin=b"x\n", code=1)[1])
        self.assertIn("empty", self.busbar("user", "password", "shop", code=1)[1])
        self.busbar("user", "password", "shop", env={"BUSBAR_NEW_PASSWORD": "n3wer"})
        self.assertEqual([{"name": "admin", "roles": ["admin"]}, {"name": "shop", "roles": ["admin"]}],
                         self.json("user", "list")["users"])
        self.bus.restart()
        self.busbar("stats", "--user", "shop", env={"BUSBAR_PASSWORD": "n3wer"})
        self.busbar("stats", "--user", "shop", env={"BUSBAR_PASSWORD": "s3cret"}, code=1)
        self.busbar("user", "remove", "shop")
        self.assertIn("shop", self.busbar("user", "remove", "shop", code=1)[1])
        self.assertRegex(self.busbar("user", "hash", stdin=b"x\n")[0], r"^\$scrypt\$")

    def test_journal_check_and_dump_tell_sound_from_damaged(self):
        self.assertIn("there is no journal in", self.busbar("journal", "check", code=1)[1])
        self.assertFalse(pathlib.Path(self.data).exists(), "looking must not make one")
        self.bus.start()
        for number in range(40):
            self.busbar("send", "kept", f"message {number}") if number < 3 else self.bus.http(
                "POST", "/queues/kept/messages", b"y" * 5000)
        self.bus.kill9()
        report = self.json("journal", "check")
        self.assertEqual((40, 40, []), (report["messagesLive"], report["entriesLive"], report["damages"]))
        self.assertIn("no damage", self.busbar("journal", "check")[0])
        self.assertIn("no damage", self.busbar("journal", "check", self.data / "journal", data="/nonexistent")[0])
        units = [json.loads(line) for line in self.busbar("journal", "dump")[0].splitlines()]
        adds = [u for u in units if any(o["op"] == "add" for o in u.get("operations", []))]
        self.assertEqual(40, len(adds))
        middle = adds[20]
        segment = self.data / "journal" / middle["file"]
        with open(segment, "r+b") as file:
            file.seek(middle["offset"] + 200)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        out, err = self.busbar("journal", "check", code=1)
        self.assertIn(f"DAMAGE: {middle['file']}", out)
        self.assertIn("busbar journal repair", err)
        self.assertNotEqual([], self.json("journal", "check", code=1)["damages"])
        self.assertIn('"type":"damage"', self.busbar("journal", "dump", code=1)[0])
        repaired = self.json("journal", "repair")
        self.assertNotEqual([], repaired["lost"])
        self.assertGreaterEqual(repaired["messagesKept"], 38)
        self.assertTrue(pathlib.Path(repaired["damagedDirectory"]).is_dir())
        self.assertIn("no damage", self.busbar("journal", "check")[0])
        self.assertIn("nothing was changed", self.busbar("journal", "repair")[0])
        self.bus.start()
        self.assertEqual(repaired["entriesKept"], self.json("stats", "kept")["depth"])

    def test_config_prints_a_file_that_says_the_same(self):
        xml, _ = self.busbar("config", "--set", "stomp.port=0", "--data", "/x")
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(xml)
            file.flush()
            again, _ = self.busbar("config", "--config", file.name, env={"BUSBAR_DATA": "/x"})
        self.assertEqual(xml, again)
        self.assertRegex(self.busbar("config", "--keys")[0], r"(?m)^http\.port +8080$")
        self.assertIn("near are", self.busbar("config", "--set", "http.prt=1", code=1)[1])

    def test_usage_errors_exit_with_two(self):
        for words in ([], ["nonsense"], ["send"], ["send", "q"], ["stats", "--nope"], ["bench"], ["route", "list"],
                      ["completion", "fish"]):
            self.busbar(*words, code=2)
        self.assertIn("not in this version", self.busbar("registry", code=2)[1])
        self.assertIn("Examples", self.busbar("--help")[0])
        self.assertRegex(self.busbar("--version")[0], r"^busbar \d")

    def test_completion_completes(self):
        script = self.busbar("completion", "bash")[0]
        ask = 'COMP_WORDS=(busbar %s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _busbar; echo "${COMPREPLY[*]}"'

        def complete(words):
            return subprocess.run(["bash", "-c", "complete() { :; }\n" + script + ask % words], capture_output=True,
                                  text=True, check=True).stdout.split()
        self.assertEqual(["schedule", "send", "service", "stats"], sorted(complete("s")))
        self.assertEqual(["retry"], complete("dlq r"))
        self.assertEqual(["--property", "--priority"], complete("send q --pr"))
        self.assertEqual(["--max"], complete("--data x dlq browse q --m"))
        self.assertEqual(["--messages-max"], complete("queue define q --mes"))

    def test_https_is_verified(self):
        directory = self.bus.directory
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", directory / "key.pem",
                        "-out", directory / "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        self.bus.settings += [f"http.certificate={directory}/cert.pem", f"http.key={directory}/key.pem"]
        port = self.bus.start(ready=False)["http"]
        url = f"https://localhost:{port}"
        self.busbar("send", "tls", "x", "--url", url, "--ca", directory / "cert.pem")
        self.assertIn("no TLS with", self.busbar("stats", "--url", url, code=1)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
