"""NERSC's Superfacility API, as its own client's models and tests describe it: stand.py DIRECTORY

Serves the API below /api/v1.2 and a token endpoint at /c2id/token, and prints its port. The machine's
file system lies in DIRECTORY/root. DIRECTORY gets the key files of two clients of the user alice,
in the form that the official client reads: `key` and `other.json`.

Tests order faults by POST /order and read what was asked for by GET /seen.
"""

import base64
import email.parser
import email.policy
import http.server
import json
import pathlib
import socket
import stat
import sys
import threading
import time
import urllib.parse
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk, jwt

directory = pathlib.Path(sys.argv[1])
root = directory / "root"
lock = threading.Lock()
seen, orders, tokens, used = [], [], {}, set()
# What a test may set: how the machine is, how long tokens live, who is refused.
state = {"status": "active", "notes": [], "life": 600, "refuse": 0, "disabled": [], "listed": []}


def new_client(name, file, text):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    (directory / file).touch(mode=0o600)
    (directory / file).write_text(text(name, private))
    return name, jwk.RSAKey.import_key(private)


keys = dict([
    new_client("daqclientaaaa", "key", lambda name, key: f"{name}\n{key}"),
    new_client("daqclientbbbb", "other.json", lambda name, key: json.dumps({"client_id": name, "secret": key})),
])


def client(name, ends):
    return {"name": f"daq {name[-1]}", "clientId": name, "expiresAt": ends, "comments": ""}


class Refused(Exception):
    def __init__(self, status, body):
        self.status, self.body = status, body


def authenticate(form, url):
    """The client of an assertion (RFC 7523), which must be whole, meant for us, and new."""
    name = None
    try:
        text = form["client_assertion"]
        claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        name = claims["iss"]
        token = jwt.decode(text, keys[name], algorithms=["RS256"])
        fresh = token.claims["exp"] > time.time() and token.claims["jti"] not in used
        assert name == token.claims["sub"] and token.claims["aud"] == url and fresh
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert form["grant_type"] == "client_credentials" and name not in state["disabled"]
        used.add(token.claims["jti"])
    except Exception as error:
        raise Refused(401, {"error": "invalid_client", "error_description": f"{name}"}) from error
    return name, {"header": token.header, "claims": token.claims}


def entry(path, name):
    facts = path.lstat()
    link = f" -> {path.readlink()}" if path.is_symlink() else ""
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(facts.st_mtime))
    kind = {"perms": stat.filemode(facts.st_mode), "hardlinks": facts.st_nlink, "user": "alice", "group": "m1234"}
    return {**kind, "size": float(facts.st_size), "date": date, "name": name + link}


def local(path):
    # A path without its own slash is looked for where the service runs.
    return root / path[1:] if path.startswith("/") else pathlib.Path("/nowhere") / path


def failed(error, path):
    return {"status": "ERROR", "error": f"cannot access '{path}': {error.strerror}"}


def ls(path):
    try:
        there = local(path)
        if there.is_dir() and not there.is_symlink():
            names = [(there, "."), (there.parent, "..")] + [(one, one.name) for one in sorted(there.iterdir())]
            return {"status": "OK", "entries": [entry(*one) for one in names], "error": None}
        return {"status": "OK", "entries": [entry(there, path)], "error": None}
    except OSError as error:
        return {**failed(error, path), "entries": []}


def download(path, binary):
    try:
        data = local(path).read_bytes()
    except OSError as error:
        return {**failed(error, path), "file": None}
    text = base64.encodebytes(data).decode() if binary else data.decode()
    return {"status": "OK", "file": text, "is_binary": binary, "error": None}


def upload(path, data):
    try:
        local(path).write_bytes(data)
    except OSError as error:
        return {**failed(error, path), "output": None}
    return {"status": "OK", "output": "", "error": None}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, cut=False):
        data = json.dumps(body).encode() if not isinstance(body, str) else body.encode()
        kind = "text/html" if isinstance(body, str) else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.hang_up()

    def hang_up(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def parts(self, body):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        return [(part.get_param("name", header="content-disposition"), part) for part in form.iter_parts()]

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        # One that begins with two slashes would be taken for a host.
        path, query = self.path.split("?")[0], dict(urllib.parse.parse_qsl(url.query))
        if path == "/seen":
            return self.answer(200, seen)
        if path == "/order":
            with lock:
                return self.answer(200, order(json.loads(body)))
        noted = {"method": self.command, "path": path, "query": query, "headers": dict(self.headers.items())}
        fault = {}
        with lock:
            seen.append(noted)
            for one in orders:
                if one["method"] == self.command and all(part in path for part in one["parts"]):
                    fault = one
                    orders.remove(one)
                    break
        try:
            if "status" in fault:
                raise Refused(fault["status"], fault.get("body", {"detail": "as ordered"}))
            self.reply(path, query, body, noted, fault)
        except Refused as refused:
            noted["status"] = refused.status
            self.answer(refused.status, refused.body)

    def reply(self, path, query, body, noted, fault):
        if path == "/c2id/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            name, noted["assertion"] = authenticate(form, f"http://{self.headers['Host']}{path}")
            noted["form"] = form
            token = uuid.uuid4().hex
            tokens[token] = (name, time.monotonic() + state["life"])
            answer = {"access_token": token, "token_type": "Bearer", "expires_in": state["life"], "scope": ""}
            return self.answer(200, answer)
        call = path.removeprefix("/api/v1.2/").split("/", 3)
        if call[0] == "status" and call[1:] == ["perlmutter"]:
            kind = {"name": "perlmutter", "full_name": "Perlmutter", "description": "System is " + state["status"]}
            return self.answer(200, {**kind, "system_type": "compute", "notes": state["notes"], "status": state["status"], "updated_at": "2026-11-21T04:55:00-08:00"})
        if call[0] == "status" or not path.startswith("/api/v1.2/"):
            raise Refused(404, {"detail": "Not Found"})
        self.authorize()
        if call == ["account", ""]:
            return self.answer(200, {"uid": 1234, "name": "alice", "firstname": "Alice", "email": "alice@lab.example"})
        if call == ["account", "clients"]:
            return self.answer(200, [client(*one) for one in state["listed"]])
        if call[0] != "utilities" or len(call) != 4:
            raise Refused(404, {"detail": "Not Found"})
        if call[2] != "perlmutter":
            raise Refused(422, {"detail": [{"loc": ["path", "machine"], "msg": "unexpected value", "type": "type_error.enum"}]})
        path = urllib.parse.unquote(call[3])
        if call[1] == "upload":
            parts = self.parts(body)
            noted["parts"] = [
                {"name": name, "filename": part.get_filename(), "type": part.get_content_type(), "size": len(part.get_payload(decode=True))}
                for name, part in parts
            ]
            data = dict(parts)["file"].get_payload(decode=True)
            answer = upload(path, data[: len(data) // 2] if fault.get("kind") == "half" else data)
        else:
            answer = ls(path) if call[1] == "ls" else download(path, query.get("binary") == "true")
        if fault.get("kind") == "lose":
            return self.hang_up()
        self.answer(200, answer, cut=fault.get("kind") == "cut")

    def authorize(self):
        name, ends = tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "), (None, 0))
        if ends < time.monotonic() or name in state["disabled"]:
            raise Refused(401, {"detail": "Could not validate credentials"})
        if state["refuse"]:
            raise Refused(state["refuse"], {"detail": "Not authorized"})

    do_GET = do_PUT = do_POST = do_DELETE = serve


def order(wish):
    """Sets what is named in `state`; `fault` is for the next call that fits; `revoke` ends all tokens."""
    if "fault" in wish:
        orders.append(wish.pop("fault"))
    if wish.pop("revoke", False):
        tokens.clear()
    state.update(wish)
    return {"left": len(orders)}


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
