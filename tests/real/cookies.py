"""Logs in to a hub by its password form and keeps the cookies in a file, as single sign-on tools do.
Arguments: the hub's URL, the user, the file, and whether to `print` or to `name` it."""

import http.cookiejar
import os
import sys
import urllib.parse
import urllib.request

hub, user, file, way = sys.argv[1:]
jar = http.cookiejar.MozillaCookieJar(file)
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def ask(path, fields=None):
    data = urllib.parse.urlencode(fields).encode() if fields else None
    return opener.open(f"{hub}/{path}", data, timeout=30)


ask("hub/login")
xsrf = next(cookie.value for cookie in jar if cookie.name == "_xsrf")
ask("hub/login?next=/hub/home", {"_xsrf": xsrf, "username": user, "password": "test"})
if not any(cookie.name == "jupyterhub-hub-login" for cookie in jar):
    sys.exit(f"{user} may not log in")
os.umask(0o077)
jar.save(ignore_discard=True)
print(file if way == "name" else open(file).read())
