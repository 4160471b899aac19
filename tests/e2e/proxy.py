"""A man in the middle for tests: passes whole HTTP requests on to a server and keeps a list of them; a rule may break off any of them."""
import http.client
import http.server
import threading
import urllib.parse


class Broken(Exception):
    """Raised by a rule: the connection is cut."""


class Proxy:
    """`before(request)` runs when the headers are here and half of the body, `after(request)` when the server has answered
    and its answer has not been passed on. A request is a namespace of method, path, query (a dict), size, status."""

    def __init__(self, target):
        self.target, self.requests, self.before, self.after = target, [], None, None
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def pass_on(self):
                try:
                    proxy.handle(self)
                except (Broken, OSError, http.client.HTTPException):
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        size = int(handler.headers.get("Content-Length") or 0)
        request = Request(handler.command, url.path, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)), size)
        with self.lock:
            self.requests.append(request)
        body = handler.rfile.read(size // 2)
        if self.before:
            self.before(request)
        body += handler.rfile.read(size - len(body))
        to = http.client.HTTPConnection(self.target.removeprefix("http://"), timeout=30)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in ("connection", "expect")}
            to.request(handler.command, handler.path, body if size else None, headers)
            answer = to.getresponse()
            content = answer.read()
        finally:
            to.close()
        request.status = answer.status
        if self.after:
            self.after(request)
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else len(content)
        handler.send_header("Content-Length", str(length or 0))
        handler.end_headers()
        handler.wfile.write(content)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Request:
    def __init__(self, method, path, query, size):
        self.method, self.path, self.query, self.size, self.status = method, path, query, size, None

    @property
    def part(self):
        """The number of the part that it uploads, else 0."""
        return int(self.query.get("partNumber", 0)) if self.method == "PUT" else 0

    def __repr__(self):
        return f"{self.method} {self.path} {self.query} {self.status}"
