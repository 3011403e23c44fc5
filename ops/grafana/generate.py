#!/usr/bin/env python3
"""Writes the dashboards in ops/grafana/dashboards from boards/*.py.

    python3 ops/grafana/generate.py            writes them
    python3 ops/grafana/generate.py --check    says which are old, exit code 1

Needs nothing but Python 3.8. A test runs every query of what this writes against a running system.
"""

import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
BOARDS = ["overview", "queues", "api", "reconciliation", "services", "backups"]


def main():
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(HERE))
    old = []
    for name in BOARDS:
        text = json.dumps(importlib.import_module(f"boards.{name}").BOARD, indent=1, ensure_ascii=False) + "\n"
        path = HERE / "dashboards" / f"{name}.json"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            old.append(path.name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv[1:] and old:
        sys.exit("old: " + " ".join(old) + "; write them with: python3 ops/grafana/generate.py")


main()
