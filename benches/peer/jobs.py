"""The queue: one SQLite file, written before anything is done."""

import json
import random
import sqlite3
import threading
import time
from typing import NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    run TEXT PRIMARY KEY,
    parameters TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',  -- running, done
    path TEXT,                              -- where its notebook goes, once that is chosen
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    error TEXT
);
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (state, due);
"""

NEXT = """
SELECT run, parameters, path, attempts FROM jobs
WHERE state = 'waiting' AND due <= ? ORDER BY due LIMIT 1
"""


class Job(NamedTuple):
    run: str
    parameters: dict
    path: str | None
    attempts: int


class Jobs:
    def __init__(self, file):
        # One connection for all threads, behind the lock of this condition.
        self.changed = threading.Condition()
        self.db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript(SCHEMA)
        # Of the process before this one.
        self.update("state = 'waiting' WHERE state = 'running'")

    def update(self, change, *values):
        with self.changed:
            self.db.execute(f"UPDATE jobs SET {change}", values)

    def runs(self):
        with self.changed:
            return {run for (run,) in self.db.execute("SELECT run FROM jobs")}

    def add(self, runs):
        """Takes runs, names with parameters, in one transaction: one flush for all of them."""
        now = time.time()
        rows = [(run, json.dumps(parameters), now) for run, parameters in runs.items()]
        with self.changed:
            self.db.execute("BEGIN")
            with self.db:
                self.db.executemany("INSERT INTO jobs (run, parameters, due) VALUES (?, ?, ?)", rows)
            self.changed.notify_all()

    def take(self):
        """The next job that is due; waits for it."""
        with self.changed:
            while not (row := self.db.execute(NEXT, (time.time(),)).fetchone()):
                self.changed.wait(1)
            run, parameters, path, attempts = row
            self.update("state = 'running' WHERE run = ?", run)
            return Job(run, json.loads(parameters), path, attempts)

    def choose(self, job, path):
        """Remembers where the notebook goes before it is written there."""
        self.update("path = ? WHERE run = ?", path, job.run)

    def done(self, job):
        self.update("state = 'done', error = NULL WHERE run = ?", job.run)

    def failed(self, job, error):
        """Tries again after a second, two, four, ... a minute, a little more or less."""
        due = time.time() + min(60, 2**job.attempts) * random.uniform(0.8, 1.2)
        self.update(
            "state = 'waiting', attempts = ?, due = ?, error = ? WHERE run = ?",
            *(job.attempts + 1, due, error, job.run),
        )
