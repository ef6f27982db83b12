"""A stand-in for CERN's single sign-on, in Keycloak's shape.

Listens on 127.0.0.1 behind Apache, which asks for Kerberos tickets in the realm `kerberos` and tells
who came in X-Remote-User. From the environment: NBC_IDP_ORIGIN (as browsers see it), NBC_IDP_PORT,
NBC_IDP_CONTROL (another port, for the tests), NBC_IDP_USERS, NBC_IDP_CLIENTS (JSON, name: secret).

Tests POST switches to /switch, and GET what has happened from /seen and every secret from /secrets.
"""

import asyncio
import json
import os

import api
import login
import tornado.web
from state import issuer, oidc, realm, seen, switches


class Control(tornado.web.RequestHandler):
    def post(self, _):
        orders = json.loads(self.request.body)
        unknown = orders.keys() - switches.keys()
        if unknown:
            raise tornado.web.HTTPError(400, f"no switch {unknown}")
        switches.update(orders)
        self.finish(switches)

    def get(self, what):
        self.finish(json.dumps(seen if what == "seen" else issuer.made))


async def main():
    tornado.web.Application([
        (f"{realm}/.well-known/openid-configuration", api.Discovery),
        (f"{oidc}/certs", api.Certs),
        (f"{oidc}/auth", login.Authorize),
        (f"{oidc}/token", api.Token),
        (f"{realm}/api-access/token", api.Token),
        (f"{oidc}/userinfo", api.UserInfo),
        (f"{realm}/broker/kerberos/login", login.BrokerLogin),
        (f"{realm}/broker/kerberos/endpoint", login.BrokerEndpoint),
        (f"{realm}/login-actions/(authenticate|consent)", login.Action),
        ("/auth/realms/kerberos/protocol/openid-connect/auth", login.Kerberos),
    ]).listen(int(os.environ["NBC_IDP_PORT"]), "127.0.0.1")
    control = tornado.web.Application([("/(switch|seen|secrets)", Control)])
    control.listen(int(os.environ["NBC_IDP_CONTROL"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
