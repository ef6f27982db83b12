"""Reads JSON lines, each a text in the py:percent format; prints each as a notebook, in JSON."""

import json
import sys
import warnings

import jupytext

warnings.simplefilter("ignore")
for line in sys.stdin:
    notebook = jupytext.reads(json.loads(line), fmt="py:percent")
    print(json.dumps(notebook))
