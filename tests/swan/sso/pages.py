"""Pages of an identity provider of Keycloak's shape, as far as programs look into them: by these ids."""

from html import escape


def page(title, body):
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n<body>\n{body}\n</body></html>\n"


def login(kerberos):
    """The way by Kerberos is one link among others; None where a client doesn't offer it."""
    body = '<form id="kc-form-login" action="#" method="post"><input name="username"/></form>\n'
    body += '<ul><li><a class="zocial" href="/auth/realms/cern/broker/guest/login">Guest access</a></li>\n'
    if kerberos:
        body += f'<li><a class="zocial" href="{escape(kerberos)}" id="social-kerberos">Kerberos</a></li>\n'
    return page("Sign in", body + "</ul>")


def otp(action, wrong):
    said = '<span id="input-error-otp-code">Invalid authenticator code.</span>' if wrong else ""
    field = '<input id="otp" name="otp" type="text" autocomplete="off"/>'
    form = f'<form id="kc-otp-login-form" action="{escape(action)}" method="post">{said}{field}</form>'
    return page("Sign in", form)


def webauthn(action):
    fields = "".join(
        f'<input type="hidden" name="{name}"/>'
        for name in ("clientDataJSON", "authenticatorData", "signature", "credentialId")
    )
    form = f'<form id="webauth" action="{escape(action)}" method="post">{fields}</form>'
    return page("Security key", f'<div id="kc-form-webauthn">{form}</div>')


def consent(action):
    buttons = '<input name="accept" type="submit" value="Yes"/><input name="cancel" type="submit" value="No"/>'
    form = f'<form class="form-actions" action="{escape(action)}" method="post">{buttons}</form>'
    return page("Grant access to SWAN", f'<div id="kc-oauth">{form}</div>')


def error(text):
    return page("We are sorry", f'<div id="kc-error-message"><p class="instruction">{escape(text)}</p></div>')
