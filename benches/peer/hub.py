"""A user's server on a JupyterHub: started if it isn't running, written to by its contents API."""

import json
import threading
import time
from urllib.parse import quote

import requests

START = 300  # seconds that a server may take to start


class Hub:
    def __init__(self, url, user, token, directory):
        self.url, self.user, self.token = url.rstrip("/"), quote(user), token
        self.directory = directory
        self.starting = threading.Lock()
        self.ready = False
        self.local = threading.local()

    def call(self, method, path, accept=(), **options):
        """One request; raises unless it is answered in JSON by a success or one of `accept`."""
        # Each thread its own session, which keeps its connection open.
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
            self.local.session.headers["Authorization"] = f"token {self.token}"
        answer = self.local.session.request(
            method, self.url + path, timeout=60, allow_redirects=False, **options
        )
        # Where the server is missing, the hub and its proxy answer by a page.
        if not answer.headers.get("Content-Type", "").startswith("application/json"):
            raise requests.HTTPError(f"{answer.status_code} for {answer.url}, and a page")
        if answer.status_code not in accept:
            answer.raise_for_status()
        return answer

    def ensure_ready(self):
        """Starts the server and makes the directory, unless all was well since the last time."""
        with self.starting:
            if not self.ready:
                self.start_server()
                self.make_directory()
                self.ready = True

    def start_server(self):
        api = f"/hub/api/users/{self.user}"
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            server = self.call("GET", api).json()["servers"].get("", {})
            if server.get("ready"):
                return
            if not server.get("pending"):
                self.call("POST", f"{api}/server")
            time.sleep(1)
        raise TimeoutError(f"the server was not ready within {START} s")

    def contents(self, method, path, **options):
        return self.call(method, f"/user/{self.user}/api/contents/{quote(path)}", **options)

    def exists(self, path):
        answer = self.contents("GET", path, accept=[404], params={"content": 0})
        return answer.status_code != 404

    def make_directory(self):
        """Level by level: the API makes no parents."""
        levels = self.directory.split("/")
        for end in range(len(levels)):
            level = "/".join(levels[: end + 1])
            if not self.exists(level):
                self.contents("PUT", level, json={"type": "directory"})

    def free_path(self, name):
        """Where a notebook of that name goes: with the next number if it is taken."""
        path, number = f"{self.directory}/{name}.ipynb", 1
        while self.exists(path):
            number += 1
            path = f"{self.directory}/{name}-{number}.ipynb"
        return path

    def write(self, path, notebook):
        body = json.dumps({"type": "notebook", "format": "json", "content": notebook})
        self.contents("PUT", path, data=body, headers={"Content-Type": "application/json"})
