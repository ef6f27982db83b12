"""What the parts of the identity provider stand-in share."""

import json
import os

import pages
import tornado.web
from tokens import Issuer

origin = os.environ["NBC_IDP_ORIGIN"]
realm = "/auth/realms/cern"
oidc = f"{realm}/protocol/openid-connect"
switches = {
    # Instead of the way back to the application: the code that is asked for, or a page.
    "otp": None,
    "webauthn": False,
    "consent": False,
    "error": None,
    "no_button": False,
    # Keycloak 23 and later name themselves in the callback.
    "iss": False,
    # Refreshes are refused; exchanges are, to one audience or to all (true).
    "revoke": False,
    "deny_exchange": False,
    # Seconds; a refresh token may have no end.
    "access_ttl": 7200,
    "refresh_ttl": None,
    "roles": ["swan-user"],
    # Audiences that applications of their own may ask for.
    "granted": [],
    "down": False,
}
# How often each has happened: what people or programs saw, then requests for tokens, of which some were
# refused.
seen = dict.fromkeys(["pages", "tickets", "otp_attempts", "logins"], 0)
seen |= dict.fromkeys(["code", "refresh", "exchange", "service", "refused"], 0)
clients = json.loads(os.environ["NBC_IDP_CLIENTS"])
issuer = Issuer(origin + realm, os.environ["NBC_IDP_USERS"].split(","), clients, switches)


class Handler(tornado.web.RequestHandler):
    """Answers nothing while the provider is down."""

    def prepare(self):
        if switches["down"]:
            self.set_status(503)
            self.finish(pages.page("Service Unavailable", "<h1>Service Unavailable</h1>"))
