"""A TCP proxy that knows where frames begin, and cuts a connection once: before a frame of one direction, or within it."""
import contextlib
import socket
import threading

UP, DOWN = "to the bus", "to the client"


def stomp_frame(data):
    """The size of the first frame in data; None where it is not whole."""
    begin = len(data) - len(data.lstrip(b"\n"))
    head = data.find(b"\n\n", begin)
    if head < 0:
        return begin if begin and begin == len(data) else None  # heart-beats
    for line in data[begin:head].split(b"\n"):
        if line.startswith(b"content-length:"):
            size = head + 2 + int(line[15:]) + 1
            return size if size <= len(data) else None
    end = data.find(b"\0", head)
    return None if end < 0 else end + 1


def amqp_frame(data):
    if len(data) < 8:
        return None
    size = 8 if data.startswith(b"AMQP") else int.from_bytes(data[:4], "big")
    return size if size <= len(data) else None


def openwire_frame(data):
    size = 4 + int.from_bytes(data[:4], "big")
    return size if 4 <= size <= len(data) else None


class CuttingProxy:
    """Passes frames on; before frame number `at` (from 0) of `direction` it closes both sides, after half of that frame where
    `within` says so. Later connections are left alone. `frames` counts, `cut` says whether it happened."""

    def __init__(self, target, frame, direction, at, within=False):
        self.target, self.frame, self.direction, self.at, self.within = target, frame, direction, at, within
        self.cut, self.frames, self.open = False, {UP: 0, DOWN: 0}, []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._end([self.listener, *self.open])

    @staticmethod
    def _end(sockets):
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                bus = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for one in (client, bus):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open += [client, bus]
            for direction, a, b in ((UP, client, bus), (DOWN, bus, client)):
                threading.Thread(target=self._pass, args=(direction, a, b), daemon=True).start()

    def _pass(self, direction, a, b):
        waiting = b""
        try:
            while data := a.recv(65536):
                waiting += data
                while size := self.frame(waiting):
                    if self._is_last(direction):
                        if self.within:
                            b.sendall(waiting[:size // 2])
                        return
                    b.sendall(waiting[:size])
                    waiting = waiting[size:]
        except OSError:
            pass
        finally:
            self._end((a, b))

    def _is_last(self, direction):
        with self.lock:
            if not self.cut and direction == self.direction and self.frames[direction] == self.at:
                self.cut = True
                return True
            self.frames[direction] += 1
            return False
