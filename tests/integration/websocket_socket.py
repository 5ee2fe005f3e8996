"""A WebSocket (RFC 6455) that looks like the socket below it: what is sent goes out in binary messages, what comes in binary
messages is the stream that is received."""

import base64
import os
import socket


class WebSocket:
    def __init__(self, port, path, subprotocol, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.data = b""     # bytes of frames that are not whole yet
        self.stream = b""   # what came in whole frames
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: bus\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                             f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.data:
            part = self.socket.recv(4096)
            if not part:
                raise ConnectionError(f"no upgrade: {self.data!r}")
            self.data += part
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"no upgrade: {head!r}")

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += b"\xfe" + size.to_bytes(2, "big")
        else:
            head += b"\xff" + size.to_bytes(8, "big")
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")).to_bytes(size, "big")
        return head + mask + masked

    def sendall(self, data):
        self.socket.sendall(self.frame(2, data))

    def recv(self, size):
        while not self.stream:
            if not self.take_frame():
                part = self.socket.recv(size)
                if not part:
                    return b""
                self.data += part
        out, self.stream = self.stream[:size], self.stream[size:]
        return out

    def take_frame(self):
        """False where the next frame is not there yet. The bus masks nothing."""
        if len(self.data) < 2:
            return False
        size, at = self.data[1], 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(self.data[2:at], "big")
        if len(self.data) < at + size:
            return False
        opcode, payload = self.data[0] & 15, self.data[at:at + size]
        self.data = self.data[at + size:]
        if opcode == 9:
            self.socket.sendall(self.frame(10, payload))
        elif opcode == 8:
            raise ConnectionError(f"closed: {payload!r}")
        elif opcode in (0, 2):
            self.stream += payload
        return True

    def settimeout(self, timeout):
        self.socket.settimeout(timeout)

    def close(self):
        self.socket.close()
