"""Answers like a Squirro cluster as far as SquirroClient 3.17 asks it. Arguments: a directory, and
the refresh token that it knows. Writes its port and its requests there (`port`, `requests`: one JSON
object a line), and does what the file `fault` there says: a status, which the next pushes get."""

import json
import os
import pathlib
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

here, refresh_token = pathlib.Path(sys.argv[1]), sys.argv[2]
lock = threading.Lock()
valid = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def record(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        heard = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body,
        }
        with lock, open(here / "requests", "a") as requests:
            requests.write(json.dumps(heard) + "\n")
        return body

    def issue(self, body):
        fields = dict(urllib.parse.parse_qsl(body))
        if fields.get("refresh_token") != refresh_token:
            return self.answer(404, {"error": "unknown refresh token"})
        with lock:
            valid.append(f"access-{len(valid)}-{os.urandom(8).hex()}")
        self.answer(
            200,
            {
                "access_token": valid[-1],
                "refresh_token": refresh_token,
                "tenant": "lab",
                "user_id": "u1",
                "role_permissions": [],
            },
        )

    def is_signed(self):
        return self.headers.get("Authorization") in [f"Bearer {token}" for token in valid]

    def do_GET(self):
        self.record()
        path = urllib.parse.urlparse(self.path).path
        if path == "/api":
            self.answer(200, {"version": "2.0.0"})
        elif not self.is_signed():
            self.answer(401, {"error": "unauthorized"})
        elif path.endswith(("/projects/p1", "/sources/s1")):
            self.answer(200, {"id": path[-2:], "name": "nbcourier"})
        elif path == "/api/contents/":
            self.answer(200, {"type": "directory"})
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        body = self.record()
        path = urllib.parse.urlparse(self.path).path
        fault = here / "fault"
        if path == "/api/user/oauth2/token":
            self.issue(body)
        elif not self.is_signed():
            self.answer(401, {"error": "unauthorized"})
        elif path != "/api/provider/v1/lab/projects/p1/sources/s1/push_items":
            self.answer(404, {"error": "not found"})
        elif fault.exists():
            status = fault.read_text()
            if status == "revoke":
                fault.unlink()
                valid.clear()
                status = "401"
            self.answer(int(status), {"error": "a fault"})
        else:
            for item in json.loads(body):
                name = here / "items" / item["id"]
                name.parent.mkdir(exist_ok=True)
                name.write_text(json.dumps(item))
            self.answer(202, {})


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
(here / "port.new").write_text(str(server.server_port))
(here / "port.new").rename(here / "port")
server.serve_forever()
