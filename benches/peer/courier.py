"""nbcourier's way in Python, as a careful physicist writes it in a few days with watchdog, papermill
and requests; benches/end_to_end measures beside it.

What it does: sees runs end by watchdog, and by a scan each ten seconds what that missed; keeps them
in an SQLite queue that is flushed before anything is done (`jobs.py`); parameterises the template
within this process; starts the user's server if it isn't running; uploads from several threads, each
with a connection of its own that stays open (`hub.py`); doesn't take a name that is taken; tries
again, ever slower and without end, from where it was, also after a restart.

What it doesn't do: settle times, other metadata than JSON, or other ways to tell the end of a run;
upload aside, verify and rename, so that a notebook that is being written can be seen, and a write
whose answer was lost is repeated over what stands there by then; tell failures apart that need a
person; several users, limits on starts, a page, commands.

    courier.py CONFIG.toml
"""

import json
import logging
import os
import queue
import sys
import threading
import time
import tomllib

import papermill.iorw
import papermill.parameterize
from hub import Hub
from jobs import Jobs
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

SCAN = 10  # seconds between two scans
log = logging.getLogger("courier")


class Handler(FileSystemEventHandler):
    """Hands on the runs whose marker appears."""

    def __init__(self, complete):
        self.complete = complete

    def on_created(self, event):
        self.look(event.src_path)

    def on_moved(self, event):
        self.look(event.dest_path)

    def look(self, path):
        if os.path.basename(path) == "DONE":
            self.complete.put(os.path.dirname(path))


def scan(complete, data):
    """Hands on what is complete, again and again: what is known already does no harm."""
    while True:
        for run in os.scandir(data):
            if os.path.exists(os.path.join(run.path, "DONE")):
                complete.put(run.path)
        time.sleep(SCAN)


def parameters(run):
    with open(os.path.join(run, "run.json")) as file:
        return {"run_name": os.path.basename(run), "run_dir": run, **json.load(file)}


def fresh(complete, known):
    """What has come and is not known yet, with its parameters; waits for something to come."""
    runs = {complete.get()}
    while not complete.empty():
        runs.add(complete.get())
    found = {}
    for run in sorted(runs):
        name = os.path.basename(run)
        if name not in known:
            try:
                found[name] = parameters(run)
            except (OSError, ValueError) as error:
                log.warning("%s: %s; the next scan tries again", name, error)
    return found


def record(jobs, complete):
    """Puts runs into the queue, in one transaction all that have come meanwhile."""
    known = jobs.runs()
    while True:
        runs = fresh(complete, known)
        jobs.add(runs)
        known.update(runs)


def prepare(template, values):
    """The notebook as `papermill --prepare-only` makes it, by today's template."""
    notebook = papermill.iorw.load_notebook_node(template)
    return papermill.parameterize.parameterize_notebook(notebook, values)


def attempt(template, hub, jobs, job):
    notebook = prepare(template, job.parameters)
    hub.ensure_ready()
    path = job.path
    if path is None:
        path = hub.free_path(job.run)
        jobs.choose(job, path)
    hub.write(path, notebook)


def deliver(template, hub, jobs):
    while True:
        job = jobs.take()
        try:
            attempt(template, hub, jobs, job)
        except Exception as error:
            # Whatever it is: first of all the server is looked at again.
            hub.ready = False
            log.warning("%s: %s", job.run, error)
            jobs.failed(job, str(error))
        else:
            jobs.done(job)
            log.info("%s is delivered", job.run)


def start(work, *arguments):
    threading.Thread(target=work, args=arguments, daemon=True).start()


def main():
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    with open(sys.argv[1], "rb") as file:
        config = tomllib.load(file)
    with open(config["token_file"]) as file:
        token = file.read().strip()
    hub = Hub(config["hub"], config["user"], token, config["directory"])
    jobs, complete = Jobs(config["queue"]), queue.SimpleQueue()
    observer = Observer()
    observer.schedule(Handler(complete), config["data"], recursive=True)
    observer.start()
    start(scan, complete, config["data"])
    start(record, jobs, complete)
    for _ in range(config["threads"]):
        start(deliver, config["template"], hub, jobs)
    observer.join()


main()
