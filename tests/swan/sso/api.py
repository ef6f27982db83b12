"""What applications ask for directly: keys, tokens, who somebody is."""

import base64
import urllib.parse

from state import Handler, clients, issuer, oidc, origin, seen
from tokens import Refused


class Json(Handler):
    def answer(self, what):
        self.set_header("Cache-Control", "no-store")
        self.finish(what)

    def client(self):
        """Who asks, by the header or by the form; a client without a secret is a public one."""
        name, secret = self.get_body_argument("client_id", ""), self.get_body_argument("client_secret", "")
        scheme, _, basic = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = map(urllib.parse.unquote, base64.b64decode(basic).decode().partition(":"))
        if name not in clients or clients[name] != secret:
            raise Refused(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        return name


class Discovery(Json):
    def get(self):
        ends = {"authorization": "auth", "token": "token", "userinfo": "userinfo", "end_session": "logout"}
        found = {f"{end}_endpoint": f"{origin}{oidc}/{name}" for end, name in ends.items()}
        self.answer({"issuer": issuer.url, "jwks_uri": f"{origin}{oidc}/certs", **found})


class Certs(Json):
    def get(self):
        self.answer(issuer.keys())


class Token(Json):
    grants = {
        "authorization_code": ("code", issuer.redeem),
        "refresh_token": ("refresh", issuer.refresh),
        "urn:ietf:params:oauth:grant-type:token-exchange": ("exchange", issuer.exchange),
        "client_credentials": ("service", issuer.service),
    }

    def post(self):
        form = {name: self.get_body_argument(name) for name in self.request.body_arguments}
        try:
            kind, give = self.grants.get(form.get("grant_type"), (None, None))
            if not give:
                raise Refused(400, "unsupported_grant_type", "Unsupported grant_type")
            seen[kind] += 1
            self.answer(give(form, self.client()))
        except Refused as refused:
            seen["refused"] += 1
            self.set_status(refused.status)
            self.answer(refused.body)


class UserInfo(Json):
    def get(self):
        try:
            claims = issuer.read(self.request.headers.get("Authorization", "").removeprefix("Bearer "), "Bearer")
        except Refused:
            self.set_status(401)
            return self.answer({"error": "invalid_token"})
        self.answer(issuer.person(claims["preferred_username"]))
