"""Validates every notebook below a directory, executes it, and prints what it showed as JSON."""

import json
import pathlib
import sys

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

shown = {}
manager = KernelManager(kernel_name="python3")
try:
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        NotebookClient(notebook, km=manager, timeout=60).execute()
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        shown[path.name] = "".join(out["text"] for out in outputs)
finally:
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)
print(json.dumps(shown))
