"""The way of a person, or of a program in their place, from the application to Kerberos and back."""

import urllib.parse

import pages
from state import Handler, clients, issuer, origin, realm, seen, switches

# Logins on their way by the session code, who they turned out to be by the broker's code, browsers
# that are logged in.
logins, brokered, sessions = {}, {}, {}


class Page(Handler):
    def fail(self, text, status=400):
        self.set_status(status)
        self.finish(pages.error(text))

    def login_of(self, key):
        """The login on its way that the request is about, or a page that says that there is none."""
        login = logins.get(key)
        if not login:
            self.fail("Your login attempt timed out. Login will start from the beginning.")
        return login

    def query(self):
        return {name: self.get_query_argument(name) for name in self.request.query_arguments}

    def back(self, login, user):
        """The user is known: back to the application, with a code."""
        session = issuer.random()
        sessions[session] = user
        for name in ("KEYCLOAK_IDENTITY", "KEYCLOAK_SESSION"):
            self.set_cookie(name, session, path=f"{realm}/", secure=True, httponly=True, expires_days=0.5)
        answer = {"state": login["state"], "session_state": session[:8]}
        if switches["iss"]:
            answer["iss"] = issuer.url
        answer["code"] = issuer.code(login, user)
        seen["logins"] += 1
        # Host and port stay readable: that is what the CERN tool of 2024 stumbles over.
        self.redirect(f"{login['redirect']}?{urllib.parse.urlencode(answer, safe=':/')}", status=302)


class Authorize(Page):
    def get(self):
        asked = self.query()
        client, redirect = asked.get("client_id"), asked.get("redirect_uri", "")
        if client not in clients:
            return self.fail("Client not found.")
        if not redirect.startswith("http://127.0.0.1:"):
            return self.fail("Invalid parameter: redirect_uri")
        login = {"client": client, "redirect": redirect, "state": asked.get("state", "")}
        login["challenge"] = asked.get("code_challenge")
        user = sessions.get(self.get_cookie("KEYCLOAK_IDENTITY"))
        if user and not switches["revoke"]:
            return self.back(login, user)
        seen["pages"] += 1
        key = issuer.random()
        logins[key] = login
        self.set_cookie("AUTH_SESSION_ID", key[:16], path=f"{realm}/", secure=True, httponly=True)
        query = urllib.parse.urlencode({"client_id": client, "tab_id": key[:6], "session_code": key})
        self.finish(pages.login(None if switches["no_button"] else f"{realm}/broker/kerberos/login?{query}"))


class BrokerLogin(Page):
    def get(self):
        key = self.query().get("session_code")
        if self.login_of(key):
            query = urllib.parse.urlencode({"client_id": "cern", "response_type": "code", "state": key})
            path = "/auth/realms/kerberos/protocol/openid-connect/auth"
            self.redirect(f"{origin}{path}?{query}", status=303)


class Kerberos(Page):
    """Apache has seen a ticket."""

    def get(self):
        seen["tickets"] += 1
        name = self.request.headers.get("X-Remote-User", "").split("@")[0]
        if name not in issuer.users:
            return self.fail("Unexpected error when authenticating with identity provider", 502)
        code = issuer.random()
        brokered[code] = name
        query = urllib.parse.urlencode({"state": self.query().get("state"), "code": code})
        self.redirect(f"{origin}{realm}/broker/kerberos/endpoint?{query}", status=302)


class BrokerEndpoint(Page):
    def get(self):
        key = self.query().get("state")
        login, user = self.login_of(key), brokered.pop(self.query().get("code"), None)
        if not login:
            return
        if not user:
            return self.fail("Unexpected error when authenticating with identity provider", 502)
        login["user"] = user
        action = f"{origin}{realm}/login-actions/%s?session_code={key}"
        if switches["error"]:
            self.fail(switches["error"])
        elif switches["otp"]:
            self.finish(pages.otp(action % "authenticate", wrong=False))
        elif switches["webauthn"]:
            self.finish(pages.webauthn(action % "authenticate"))
        elif switches["consent"]:
            self.finish(pages.consent(action % "consent"))
        else:
            self.back(logins.pop(key), user)


class Action(Page):
    """A person has answered a page."""

    def post(self, what):
        key = self.query().get("session_code")
        login = self.login_of(key)
        if not login or "user" not in login:
            return
        if what == "consent" and self.get_body_argument("accept", None):
            return self.back(logins.pop(key), login["user"])
        seen["otp_attempts"] += what == "authenticate"
        if switches["otp"] and self.get_body_argument("otp", "") == switches["otp"]:
            return self.back(logins.pop(key), login["user"])
        action = f"{origin}{self.request.uri}"
        self.finish(pages.otp(action, wrong=True) if switches["otp"] else pages.webauthn(action))
