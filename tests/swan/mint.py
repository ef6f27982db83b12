"""Makes a hub token by the cookies of a login: mint.py COOKIE_FILE HUB USER. Prints it."""

import http.cookiejar
import json
import sys
import urllib.request

file, hub, user = sys.argv[1:]
jar = http.cookiejar.MozillaCookieJar(file)
jar.load(ignore_discard=True, ignore_expires=True)
for cookie in jar:
    # cern-sso-cli writes 0 for one that lasts as long as the session.
    cookie.expires = cookie.expires or None
if not any(cookie.name == "jupyterhub-hub-login" for cookie in jar):
    sys.exit(f"no login at the hub, but {', '.join(cookie.name for cookie in jar)}")
xsrf = [cookie.value for cookie in jar if cookie.name == "_xsrf"]
request = urllib.request.Request(
    f"{hub}/hub/api/users/{user}/tokens",
    json.dumps({"note": "test", "expires_in": 3600}).encode(),
    {"Content-Type": "application/json", "X-XSRFToken": xsrf[-1]},
)
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
print(json.load(opener.open(request, timeout=30))["token"])
