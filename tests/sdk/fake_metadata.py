# SPDX-License-Identifier: Apache-2.0
"""fake_metadata.py -- the metadata servers of three clouds, as their machines see them. `preempt()`
is the moment when the cloud decides."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MACHINE = "worker-vm-1"
TOKEN = "an-imds-token"


class FakeMetadata:
    """Use it with `with`. `asked` has the paths of all questions, `refused` of those that
    were not put as the cloud wants it."""

    def __init__(self):
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.events: list[dict] = []
        self.token = TOKEN
        self._preempted = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server._answer(self)

            def do_PUT(self):
                server._answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "FakeMetadata":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._preempted.set()
        self._http.shutdown()
        self._http.server_close()

    def preempt(self) -> None:
        self.events.append({"EventType": "Preempt", "Resources": [MACHINE]})
        self._preempted.set()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        self.asked.append(request.path)
        status, body, headers = self._reply(request, path, query)
        if status == 403:
            self.refused.append(request.path)
        data = body.encode()
        try:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)
        except OSError:
            pass  # who asked has left

    def _reply(self, request, path: str, query: str) -> tuple[int, str, dict]:
        if path == "/computeMetadata/v1/instance/preempted":
            return self._gce(request, query)
        if path == "/latest/api/token":
            ttl = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            return (200, self.token, {}) if request.command == "PUT" and ttl else (403, "", {})
        if path == "/latest/meta-data/spot/instance-action":
            if request.headers.get("X-aws-ec2-metadata-token") != self.token:
                return 401, "", {}
            if not self._preempted.is_set():
                return 404, "", {}
            return 200, '{"action": "terminate", "time": "2030-01-01T00:00:00Z"}', {}
        if request.headers.get("Metadata") != "true":
            return 403, "", {}
        if path == "/metadata/instance/compute/name":
            return 200, MACHINE, {}
        if path == "/metadata/scheduledevents":
            return 200, json.dumps({"DocumentIncarnation": 1, "Events": self.events}), {}
        return 404, "", {}

    def _gce(self, request, query: str) -> tuple[int, str, dict]:
        wishes = dict(each.split("=") for each in query.split("&"))
        if request.headers.get("Metadata-Flavor") != "Google":
            return 403, "", {}
        # Held until it changes, unless who asks does not know how it stands.
        if wishes.get("last_etag") == "f0" and wishes.get("wait_for_change") == "true":
            self._preempted.wait(float(wishes["timeout_sec"]))
        gone = self._preempted.is_set()
        return 200, "TRUE" if gone else "FALSE", {"ETag": "f1" if gone else "f0",
                                                  "Metadata-Flavor": "Google"}
