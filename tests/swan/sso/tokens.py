"""What the identity provider stand-in signs and keeps: keys, codes, sessions, tokens."""

import base64
import hashlib
import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class Refused(Exception):
    """An answer of the token endpoint other than a token."""

    def __init__(self, status, error, description=""):
        super().__init__(error)
        self.status, self.body = status, {"error": error, "error_description": description}


class Issuer:
    """Signs tokens for these users and clients (name: secret). Everything secret is in `made`."""

    def __init__(self, url, users, clients, switches):
        self.url, self.clients, self.switches = url, clients, switches
        self.users = {name: 10_000 + number for number, name in enumerate(users)}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.codes, self.made = {}, []

    def keys(self):
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": "1", "alg": "RS256", "use": "sig"}]}

    def random(self):
        self.made.append(secrets.token_urlsafe(32))
        return self.made[-1]

    def sign(self, claims, life):
        now = int(time.time())
        ends = {} if life is None else {"exp": now + life}
        claims = {"iss": self.url, "iat": now, "jti": secrets.token_hex(8), **ends, **claims}
        self.made.append(jwt.encode(claims, self.key, "RS256", headers={"kid": "1"}))
        return self.made[-1]

    def read(self, token, kind):
        """The claims of one of our tokens that is still valid."""
        try:
            claims = jwt.decode(
                token, self.key.public_key(), ["RS256"], issuer=self.url, options={"verify_aud": False}
            )
        except jwt.InvalidTokenError as error:
            raise Refused(400, "invalid_grant", "Token is not active") from error
        if claims["typ"] != kind:
            raise Refused(400, "invalid_grant", "Invalid token type")
        return claims

    def person(self, name):
        return {"sub": f"id-of-{name}", "preferred_username": name, "cern_upn": name, "cern_uid": self.users[name]}

    def access(self, who, client, audience):
        roles = {"resource_access": {client: {"roles": self.switches["roles"]}}}
        claims = {"typ": "Bearer", "azp": client, "aud": audience, **who, **roles}
        return self.sign(claims, self.switches["access_ttl"])

    def answer(self, who, client):
        """What a login or a refresh gives: with the scope `offline_access` a refresh token without an end."""
        refresh = {"typ": "Offline", "azp": client, "aud": client, **who}
        return {
            "access_token": self.access(who, client, client),
            "expires_in": self.switches["access_ttl"],
            "refresh_token": self.sign(refresh, self.switches["refresh_ttl"]),
            "refresh_expires_in": self.switches["refresh_ttl"] or 0,
            "id_token": self.sign({"typ": "ID", "azp": client, "aud": client, **who}, 300),
            "token_type": "Bearer",
            "scope": "openid profile email offline_access",
        }

    def code(self, login, user):
        """A code for the application that a login was for, once and for a minute."""
        code = self.random()
        self.codes[code] = {**login, "user": user, "ends": time.time() + 60}
        return code

    def redeem(self, form, client):
        login = self.codes.pop(form.get("code"), None)
        if not login or login["client"] != client or login["ends"] < time.time():
            raise Refused(400, "invalid_grant", "Code not valid")
        if login["redirect"] != form.get("redirect_uri"):
            raise Refused(400, "invalid_grant", "Incorrect redirect_uri")
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if login["challenge"] and base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != login["challenge"]:
            raise Refused(400, "invalid_grant", "PKCE verification failed")
        return self.answer(self.person(login["user"]), client)

    def refresh(self, form, client):
        claims = self.read(form.get("refresh_token", ""), "Offline")
        if self.switches["revoke"] or claims["azp"] != client:
            raise Refused(400, "invalid_grant", "Offline user session not found")
        return self.answer(self.person(claims["preferred_username"]), client)

    def exchange(self, form, client):
        claims = self.read(form.get("subject_token", ""), "Bearer")
        audience = form.get("audience", "")
        if self.switches["deny_exchange"] in (True, audience):
            raise Refused(403, "access_denied", "Client not allowed to exchange")
        token = self.access(self.person(claims["preferred_username"]), client, audience)
        return {"access_token": token, "expires_in": self.switches["access_ttl"], "token_type": "Bearer"}

    def service(self, form, client):
        """An application of its own, without a person."""
        audience = form.get("audience", client)
        if audience not in (client, *self.switches["granted"]):
            raise Refused(500, "unknown_error", "For more on this error consult the server log.")
        token = self.access({"sub": f"service-account-{client}"}, client, audience)
        return {"access_token": token, "expires_in": self.switches["access_ttl"], "token_type": "Bearer"}
