"""Does @stomp/stompjs work from a page in a real browser (Debian's chromium), whose WebSocket is the browser's own?"""
import http.server
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from busbar_fixture import Bus

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions")


class Site(http.server.ThreadingHTTPServer):
    """The page, its scripts, what it may ask for (/kill), and where it says what came out (/result)."""
    FILES = {"/": ("browser/index.html", "text/html"), "/page.mjs": ("browser/page.mjs", "text/javascript"),
             "/scenarios.mjs": ("node/scenarios.mjs", "text/javascript"),
             "/stompjs_scenarios.mjs": ("node/stompjs_scenarios.mjs", "text/javascript"),
             "/stomp.umd.js": ("node/node_modules/@stomp/stompjs/bundles/stomp.umd.js", "text/javascript")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            file, kind = Site.FILES.get(self.path.split("?")[0], (None, None))
            if not file:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write((HERE / file).read_bytes())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            if self.path == "/kill":
                self.server.kill()
            else:
                self.server.results.put(json.loads(body))

        def log_message(self, *_):
            pass

    def __init__(self, kill):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.kill = kill
        self.results = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class BrowserTest(unittest.TestCase):
    def open_page(self, url):
        """A browser of its own with nothing of the user's; all of it ends with the test."""
        profile = tempfile.mkdtemp(prefix="busbar-browser-")
        self.addCleanup(shutil.rmtree, profile, True)
        log = open(pathlib.Path(profile) / "log", "wb")
        self.addCleanup(log.close)
        browser = subprocess.Popen(["chromium", *FLAGS, f"--user-data-dir={profile}/data", url], stdout=log, stderr=log,
                                   start_new_session=True)

        def end():
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
        self.addCleanup(end)
        return pathlib.Path(profile) / "log"

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    @unittest.skipUnless((HERE / "node/node_modules/@stomp/stompjs").exists(), "npm ci was not run in tests/integration/node")
    def test_stompjs_in_a_page(self):
        bus = Bus(env={"BUSBAR_ADMIN_PASSWORD": "secret"})
        self.addCleanup(bus.close)
        bus.start()

        def kill():
            bus.kill9()
            bus.start()
        site = Site(kill)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        log = self.open_page(f"{site.url}/?bus=ws://127.0.0.1:{bus.http_port}/ws/stomp")
        try:
            result = site.results.get(timeout=150)
        except queue.Empty:
            self.fail(f"the page said nothing\n{log.read_text(errors='replace')[-3000:]}\n{bus.log()[-2000:]}")
        self.assertIsNone(result["error"], result)
        self.assertEqual(["login", "sendReceive", "acknowledgements", "transactions", "selector", "durable", "topic", "requestReply", "large",
                          "idle", "reconnect", "thousand"], result["done"])
        self.assertIn("Chrome", result["agent"])
        # The page is of another origin than the bus: who may come in is for CONNECT's password to say.
        self.assertEqual(site.url, result["origin"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
