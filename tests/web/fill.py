"""Adds so many runs to a ledger, one a minute until now, delivered within seconds: fill.py FILE COUNT."""

import json
import sqlite3
import sys
import time
import uuid

file, count = sys.argv[1], int(sys.argv[2])
now = int(time.time() * 1000)


def rows():
    for number in range(1, count + 1):
        name = f"run_{number:06}"
        ended = now - (count - number) * 60_000
        values = {"run_name": name, "watch": "h4", "run": f"{number:06}", "energy": number / 2}
        yield number, name, ended, json.dumps(values)


db = sqlite3.connect(file)
with db:
    db.executemany(
        "INSERT INTO runs (id, watch, name, path, seen_at, ready_at, state, parameters) VALUES (?, 'h4', ?, ?, ?, ?, 'ready', ?)",
        ((n, name, f"/data/h4/{name}".encode(), at - 9000, at, values) for n, name, at, values in rows()),
    )
    db.executemany(
        "INSERT INTO jobs (id, uid, run, notebook, destination, username, state, path, outcome, attempts, created_at, next_attempt_at, delivered_at)"
        " VALUES (?, ?, ?, 'quick', 'dir', '', 'delivered', ?, 'created', 1, ?, ?, ?)",
        ((n, str(uuid.uuid4()), n, f"{name}.ipynb", at, at, at + 500 * (1 + n % 40)) for n, name, at, _ in rows()),
    )
    for event, after in (("run-ready", 0), ("delivered", 500)):
        db.executemany(
            "INSERT INTO events (at, run, job, event) VALUES (?, ?, ?, ?)",
            ((at + after, n, n, event) for n, _, at, _ in rows()),
        )
db.close()
