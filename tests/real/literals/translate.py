"""Reads JSON lines of kernel and value; prints the literal as papermill writes it, or null."""

import json
import sys

from papermill.translators import papermill_translators


def plain(value):
    if isinstance(value, dict):
        if set(value) == {"$float"}:
            return float(value["$float"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


for line in sys.stdin:
    kernel, value = json.loads(line)
    translator = papermill_translators.find_translator(kernel, kernel)
    try:
        print(json.dumps(translator.translate(plain(value))))
    except Exception:
        print("null")
