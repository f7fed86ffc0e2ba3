"""A proxy before a real S3 server: it fails as it is told to, and passes on everything else."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.moto_store import Store


class Request(NamedTuple):
    """What a fault may choose by."""

    method: str
    path: str
    headers: dict[str, str]


class Fault(NamedTuple):
    """What happens to the next requests that it is for."""

    wanted: Callable[[Request], bool]
    times: int
    status: int = 0
    """Answered without asking the store; 0 asks it."""
    code: str = ""
    """What S3 calls it; empty: its usual word for the status."""
    seconds: float = 0
    """Waited before anything else."""
    without: str = ""
    """A header that the store does not get to see."""
    drop: bool = False
    """The store does what it was asked and its answer is lost."""


class Faulty(ThreadingHTTPServer):
    """Passes requests on to a store; faults that were planned come first."""

    daemon_threads = True

    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(store.endpoint).netloc
        self.faults: list[Fault] = []
        self.happened: list[Request] = []
        """The requests that a fault befell."""
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        """It as a store."""
        return Store(f"http://127.0.0.1:{self.server_port}")

    def plan(self, *faults: Fault) -> None:
        """Forget what was planned, and plan these."""
        with self._lock:
            self.faults, self.happened = list(faults), []

    def fault_of(self, request: Request) -> Fault | None:
        """The first fault that is for a request, one time less from now on."""
        with self._lock:
            for place, fault in enumerate(self.faults):
                if fault.times and fault.wanted(request):
                    self.faults[place] = fault._replace(times=fault.times - 1)
                    self.happened.append(request)
                    return fault
        return None


@contextmanager
def faulty(store: Store) -> Iterator[Faulty]:
    """A proxy before a store."""
    server = Faulty(store)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def handle_any(self) -> None:
        body = self._body()
        fault = self.server.fault_of(Request(self.command, self.path, dict(self.headers)))
        if fault and fault.seconds:
            time.sleep(fault.seconds)
        if fault and fault.status:
            self._answer(fault.status, [("Content-Type", "application/xml")], _error(fault))
            return
        asked = http.client.HTTPConnection(self.server.behind, timeout=60)
        asked.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "expect", fault.without if fault else ""):
                asked.putheader(name, value)
        asked.putheader("Content-Length", str(len(body)))
        asked.endheaders(body)
        answer = asked.getresponse()
        content = answer.read()
        if fault and fault.drop:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(answer.status, answer.getheaders(), content)
        asked.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        length = {name.lower(): value for name, value in headers}.get("content-length", str(len(content)))
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Say nothing."""


def _error(fault: Fault) -> bytes:
    code = fault.code or {503: "SlowDown", 500: "InternalError", 403: "AccessDenied"}[fault.status]
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planned</Message></Error>".encode()
