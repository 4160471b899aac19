"""A cable between a client and a server on loopback, that can be cut in the middle of a request."""
import re
import socket
import threading

REQUEST = re.compile(rb"(?:GET|PUT|POST|HEAD|DELETE) (/[^ ]*) HTTP/1\.1\r\n")


class Cable:
    """Passes bytes on both ways, and remembers what was asked for."""

    def __init__(self, port):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.endpoint = port, f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.lock, self.requests, self.connections = threading.Lock(), [], set()
        self.cut_in, self.cut_after_bytes, self.is_cut = None, 0, False
        threading.Thread(target=self.accept, daemon=True).start()

    def cut_within(self, text, after_bytes):
        """Cut when so many bytes came since the request whose target holds `text` began."""
        self.cut_in, self.cut_after_bytes = text, after_bytes

    def mend(self):
        with self.lock:
            self.cut_in, self.is_cut, self.requests = None, False, []

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.port))
            with self.lock:
                self.connections |= {client, server}
            for source, target, look in ((client, server, self.look), (server, client, lambda data, state: None)):
                threading.Thread(target=self.carry, args=(source, target, look), daemon=True).start()

    def look(self, data, state):
        """Notes the requests that begin in `data`; a head is written in one piece."""
        for match in REQUEST.finditer(data):
            target = match.group(1).decode()
            with self.lock:
                self.requests.append(target)
            state["bytes"] = -match.start() if self.cut_in and self.cut_in in target else None
        if state.get("bytes") is None:
            return
        state["bytes"] += len(data)
        if state["bytes"] > self.cut_after_bytes:
            self.cut()

    def cut(self):
        with self.lock:
            self.is_cut = True
            for one in self.connections:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.connections.clear()

    def carry(self, source, target, look):
        state = {}
        try:
            while data := source.recv(65536):
                look(data, state)
                if self.is_cut:
                    break
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            with self.lock:
                self.connections.discard(one)
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def close(self):
        self.server.close()
        self.cut()
