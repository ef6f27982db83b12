#!/usr/bin/env python3
"""Writes v1.db to v5.db: small ledgers as the versions 1 to 5 of the schema left them.

The scripts are those of src/ledger/schema.rs in commit 21871e6, the last one that wrote version 5
(later versions are not here: their ledgers are made by the program). Each ledger holds a run in every
state, below /data/h4, as it stands when the daemon is killed while it delivers run_000006.
"""

import pathlib
import re
import sqlite3
import subprocess

HERE = pathlib.Path(__file__).parent
SOURCE = "21871e6:src/ledger/schema.rs"
APPLICATION = 0x6E62636C
AT = 1_793_534_400_000  # 2026-11-01 12:00 UTC, milliseconds


def scripts():
    text = subprocess.run(
        ["git", "show", SOURCE], cwd=HERE, capture_output=True, check=True, text=True
    ).stdout
    found = re.findall(r'const (V\d): &str = "(.*?)";', text, re.DOTALL)
    return {name: script.replace('\\"', '"') for name, script in found}


def insert(db, table, **columns):
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values()))


def run(db, number, state, reason=None):
    name = f"run_{number:06}"
    ready = AT + number * 1000 if state == "ready" else None
    parameters = f'{{"run_name":"{name}","watch":"h4","run":"{number:06}","energy":{number}.50}}'
    insert(db, "runs", id=number, watch="h4", name=name, path=f"/data/h4/{name}".encode(),
           seen_at=AT + number * 500, ready_at=ready, state=state, reason=reason,
           parameters=parameters if ready else "{}")
    if ready:
        insert(db, "events", at=ready, run=number, event="run-ready")


def job(db, number, state, **more):
    failure = more.pop("failure", None)
    if failure:
        of, code, what, advice = failure
        more |= {"failure_class": of, "failure_code": code, "failure_what": what,
                 "failure_advice": advice, "failure_at": AT + number * 1000 + 500}
    columns = [row[1] for row in db.execute("PRAGMA table_info(jobs)")]
    more |= {"username": ""} if "username" in columns else {'"user"': ""}
    insert(db, "jobs", uid=f"019a0000-0000-7000-8000-{number:012}", run=number, notebook="quick",
           destination="dir", state=state, created_at=AT + number * 1000,
           next_attempt_at=AT + number * 1000, **more)
    event = {"delivered": "delivered", "held": "held", "failed": "failed", "skipped": "skipped"}
    if state in event:
        insert(db, "events", at=AT + number * 1000 + 700, run=number, job=number,
               event=event[state], detail=None, actor="uid 1000" if state == "skipped" else None)


def fill(db, version):
    insert(db, "watches", name="h4", baseline_at=AT)
    for number in range(1, 7):
        run(db, number, "ready")
    run(db, 7, "acquiring", "DONE is not there yet")
    run(db, 8, "ignored", "existed-before")
    job(db, 1, "delivered", path="run_000001.ipynb", outcome="created", attempts=1,
        delivered_at=AT + 1700, template_sha256="11" * 32, sha256="22" * 32)
    job(db, 2, "waiting", attempts=3,
        failure=("retry", "storage-full", "the disk is full", "free some space"))
    broken = ("template-broken", "quick.ipynb is no notebook", "save it again")
    insert(db, "holds", id=1, notebook="quick", code=broken[0], what=broken[1], advice=broken[2],
           since=AT + 3700, next_probe_at=AT + 63_700)
    job(db, 3, "held", attempts=1, hold=1, held_at=AT + 3700, failure=("hold", *broken))
    job(db, 4, "failed", attempts=900,
        failure=("give-up", "too-old", "it waited for 14 days", "nbcourier retry"))
    job(db, 5, "skipped")
    job(db, 6, "delivering", attempts=1, path="run_000006.ipynb")
    insert(db, "requests", key="id:1", run=1)
    insert(db, "credentials", destination="hub", fingerprint="0123456789abcdef", accepted_at=AT)
    if version >= 2:
        insert(db, "templates", source="file:/etc/nbcourier/quick.ipynb", sha256="11" * 32,
               bytes=b"{}", read_at=AT)
    if version >= 3:
        db.execute("UPDATE runs SET counted = 1 WHERE state = 'ready'")
        db.execute("UPDATE runs SET sources = '{\"energy\":\"run.json\"}' WHERE state = 'ready'")


def main():
    steps = scripts()
    for version in range(1, 6):
        file = HERE / f"v{version}.db"
        file.unlink(missing_ok=True)
        db = sqlite3.connect(file)
        db.execute("PRAGMA page_size = 1024")  # small files; the program takes any
        db.execute("PRAGMA journal_mode = WAL")
        for number in range(1, version + 1):
            db.executescript(steps[f"V{number}"])
        with db:
            fill(db, version)
        db.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}")
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()


main()
