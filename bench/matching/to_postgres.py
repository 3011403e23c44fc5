#!/usr/bin/env python3
"""How long a pair of files takes through the API, a worker and PostgreSQL, against `match` with its files.

    python3 bench/matching/to_postgres.py --counterfoil target/release/counterfoil out/1m

Starts `counterfoil up` on a folder of its own (a private PostgreSQL with full durability), uploads the folder's
bank.csv and ledger.csv, submits one reconciliation with the standard rules, and prints what the job's history says:
the time from its acceptance to its end, and that of each phase. Measure a release build on a quiet machine.
"""

import argparse
import os
import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "contract"))
from run import Up, ask, upload  # noqa: E402

MAPPINGS = {
    "bank": {
        "format": "csv", "id": "bank_id", "date": {"column": "booking_date"}, "amount": {"column": "amount"},
        "currency": {"column": "currency"}, "fields": {"reference": "reference", "description": "description"},
    },
    "ledger": {
        "format": "csv", "id": "ledger_id", "date": {"column": "date"}, "amount": {"column": "amount"},
        "currency": {"column": "currency"},
        "fields": {"reference": "invoice_ref", "counterparty": "counterparty", "batch": "batch_ref"},
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counterfoil", default="target/release/counterfoil")
    parser.add_argument("folder", type=Path, help="as matching/gen.py makes one")
    options = parser.parse_args()
    up = Up(options.counterfoil)
    try:
        run(up, options.folder)
    finally:
        up.stop()


def run(up, folder):
    administrator = {"email": "admin@counterfoil.localhost", "password": up.password}
    token = ask(up.url, "POST", "/api/auth/login", administrator)["access_token"]
    project = ask(up.url, "POST", "/api/projects", {"name": "Bench"}, token)["id"]
    sources = {}
    for name, mapping in MAPPINGS.items():
        began = time.monotonic()
        file = upload(up.url, token, project, f"{name}.csv", (folder / f"{name}.csv").read_text())["id"]
        print(f"{name}: uploaded in {time.monotonic() - began:.1f} s")
        source = {"project_id": project, "file_id": file, "name": name, "mapping": mapping}
        sources[name] = ask(up.url, "POST", "/api/data-sources", source, token)["id"]
    body = {"project_id": project, "left_source_id": sources["bank"], "right_source_id": sources["ledger"]}
    job = ask(up.url, "POST", "/api/reconciliation/jobs", body, token)["id"]
    until = time.monotonic() + 600
    while (shown := ask(up.url, "GET", f"/api/jobs/{job}", token=token))["state"] not in ("completed", "dead"):
        if time.monotonic() > until:
            sys.exit("it does not end")
        time.sleep(0.1)
    began = datetime.fromisoformat(shown["created_at"])
    took = (datetime.fromisoformat(shown["finished_at"]) - began).total_seconds()
    print(f"{shown['state']} {took:.2f} s after it was accepted; load {os.getloadavg()[0]:.1f}")
    for event in shown["history"]:
        at = (datetime.fromisoformat(event["at"]) - began).total_seconds()
        print(f"  {at:7.2f} s  {event['event']}  {event['detail'] or ''}")


main()
