"""Answers each job on standard input with what papermill makes of it; both are lines of JSON."""

import json
import logging
import pathlib
import sys
import warnings

import papermill

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")


def rendered(job):
    try:
        notebook = papermill.execute_notebook(
            job["path"],
            None,
            parameters=job["parameters"],
            kernel_name=job["language"],
            language=job["language"],
            prepare_only=True,
            progress_bar=False,
        )
        return {"notebook": notebook}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def as_jupyter_writes(path):
    try:
        text = pathlib.Path(path).read_bytes().decode()
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n" == text
    except ValueError:
        return False


for line in sys.stdin.readlines():
    job = json.loads(line)
    print(json.dumps({**rendered(job), "own_style": as_jupyter_writes(job["path"])}))
