"""A STOMP 1.2 client of a few lines for crash tests: no retries, no threads, nothing hidden."""
import socket


class Closed(Exception):
    """The connection is gone: what was in flight is unknown."""


class Wire:
    def __init__(self, port, login="admin", passcode="secret", timeout=10):
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        except OSError as error:
            raise Closed(str(error)) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""
        self.kept = []
        try:
            self.send("CONNECT", {"accept-version": "1.2", "host": "/", "login": login, "passcode": passcode})
            frame = self.read()
        except Closed:
            self.close()
            raise
        if frame[0] != "CONNECTED":
            raise AssertionError(f"not connected: {frame}")

    def send(self, command, headers, body=b""):
        lines = "".join(f"{k}:{v}\n" for k, v in headers.items())
        if body:
            lines += f"content-length:{len(body)}\n"
        self.raw(f"{command}\n{lines}\n".encode() + body + b"\0")

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def read(self, timeout=10):
        """The next frame as (command, headers, body); None where none comes in time."""
        while True:
            self.bytes = self.bytes.lstrip(b"\n")
            head = self.bytes.find(b"\n\n")
            if head >= 0:
                lines = self.bytes[:head].decode("utf-8").split("\n")
                headers = dict(line.split(":", 1) for line in reversed(lines[1:]))
                length = int(headers.get("content-length", -1))
                end = head + 2 + length if length >= 0 else self.bytes.find(b"\0", head + 2)
                if end >= 0 and len(self.bytes) > end:
                    body = self.bytes[head + 2:end]
                    self.bytes = self.bytes[end + 1:]
                    return lines[0], headers, body
            self.socket.settimeout(timeout)
            try:
                more = self.socket.recv(1 << 16)
            except TimeoutError:
                return None
            except OSError as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed("end of stream")
            self.bytes += more

    def next(self, command, timeout=10):
        """The next frame of this command; others are kept for later calls. An ERROR is an AssertionError."""
        for kept in self.kept:
            if kept[0] == command:
                self.kept.remove(kept)
                return kept
        while True:
            frame = self.read(timeout)
            if frame is None or frame[0] == command:
                return frame
            if frame[0] == "ERROR":
                raise AssertionError(f"{frame}")
            self.kept.append(frame)

    def close(self):
        self.socket.close()
