"""Asks a Prometheus for all that the dashboard and the alerts ask for; prints what came, as JSON."""

import json
import pathlib
import re
import sys
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).parent.parent.parent
VARIABLES = {"$__rate_interval": "30s", "$instance": ".*", "$destination": ".*"}


def ask(server, path, **parameters):
    url = f"{server}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def dashboard():
    """The expressions of all panels and variables, by where they stand."""
    board = json.loads((ROOT / "config/grafana.json").read_text())
    for panel in board["panels"]:
        for number, target in enumerate(panel["targets"]):
            text = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            yield f"{panel['title']} {number}", text
    for variable in board["templating"]["list"][1:]:
        yield variable["name"], re.match(r"label_values\((\w+),", variable["definition"])[1]


def alerts(server):
    for group in ask(server, "rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule
            yield rule["name"], rule["query"]


def main(server):
    found = []
    for where, text in [*dashboard(), *alerts(server)]:
        result = ask(server, "query", query=text)["result"]
        names = sorted(set(re.findall(r"\bnbcourier_\w+", text)))
        found.append({"where": where, "expr": text, "names": names, "results": len(result)})
    known = ask(server, "label/__name__/values")
    print(json.dumps({"asked": found, "known": [name for name in known if "nbcourier" in name]}))


main(sys.argv[1])
