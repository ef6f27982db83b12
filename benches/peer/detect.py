"""What a careful physicist writes in an afternoon: watchdog, and a queue file that is flushed to
the disk. Prints how many runs are durable whenever that changes, and `ready` once it watches.

    detect.py DIRECTORY QUEUE
"""

import json
import os
import queue
import sys
import threading

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

root, log = sys.argv[1:]
complete = queue.SimpleQueue()
known = set()


class Handler(FileSystemEventHandler):
    def on_created(self, event):
        self.look(event.src_path)

    def on_moved(self, event):
        self.look(event.dest_path)

    def look(self, path):
        if os.path.basename(path) == "DONE":
            complete.put(os.path.dirname(path))


def record():
    recorded = 0
    with open(log, "a") as out:
        while True:
            # One flush for all that are there.
            runs = [complete.get()]
            while len(runs) < 1000 and not complete.empty():
                runs.append(complete.get())
            for run in runs:
                if run in known:
                    continue
                known.add(run)
                with open(os.path.join(run, "run.json")) as parameters:
                    line = {"run": run, "parameters": json.load(parameters)}
                out.write(json.dumps(line) + "\n")
                recorded += 1
            out.flush()
            os.fsync(out.fileno())
            print(recorded, flush=True)


observer = Observer()
observer.schedule(Handler(), root, recursive=True)
observer.start()
# What is there already; it has no memory.
for run in os.scandir(root):
    if os.path.exists(os.path.join(run.path, "DONE")):
        known.add(run.path)
threading.Thread(target=record, daemon=True).start()
print("ready", flush=True)
observer.join()
