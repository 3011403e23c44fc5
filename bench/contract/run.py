#!/usr/bin/env python3
"""Asks a running Counterfoil whatever its own OpenAPI document allows, and what it does not, as every role.

    python3 bench/contract/run.py --counterfoil target/debug/counterfoil            # a minute
    python3 bench/contract/run.py --counterfoil target/release/counterfoil --cases 20000

Starts `counterfoil up` on a folder of its own, gives it a project with a finished run, and hands the document to
Schemathesis: no 5xx, no status, content type or schema that the document does not have. Ends with the number of
cases and of failures; exit 0 without any, 1 with some, 77 where Schemathesis is not installed. Everything is on
127.0.0.1.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# What a client may rely on. `negative_data_rejection` and `positive_data_acceptance` are left out: whether a body that
# fits its schema is also right (an id that exists, a rule set that fits its sources) the document cannot say.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Ends the session or key that the run itself uses, changes what others of the run need, or streams until the end.
LEFT_OUT = [
    "/api/auth/logout",
    "/api/auth/password",
    "/api/auth/sessions.*",
    "/api/auth/second-factor.*",
    "/api/reconciliation/jobs/[^/]+/events",
    "/api/projects/[^/]+/members/[^/]+",
]
ROLES = ["platform_admin", "admin", "approver", "operator", "viewer", "stranger", "machine", "nobody"]


class Up:
    """`counterfoil up`, stopped at the end, with its folder."""

    def __init__(self, executable):
        self.dir = Path(tempfile.mkdtemp(prefix="counterfoil-contract-"))
        os.chmod(self.dir, 0o755)
        limits = [
            "LOGINS_PER_IP_HOUR", "REGISTRATIONS_PER_IP_HOUR", "REFRESHES_PER_IP_HOUR", "SUBMISSIONS_PER_USER_HOUR",
            "UPLOADS_PER_USER_HOUR", "MEMBER_LISTS_PER_USER_HOUR", "ANALYTICS_PER_USER_HOUR", "REQUESTS_PER_IP_MINUTE",
            "REQUESTS_PER_USER_MINUTE", "REQUESTS_PER_TOKEN_MINUTE", "REQUESTS_PER_PROJECT_MINUTE",
        ]
        settings = {f"COUNTERFOIL_RATE_LIMITS__{limit}": "0" for limit in limits}
        settings["COUNTERFOIL_HTTP__LISTEN"] = "127.0.0.1:0"
        self.log = open(self.dir / "log", "w+")
        self.process = subprocess.Popen(
            [executable, "up", "--data-dir", self.dir / "data"],
            env={**os.environ, **settings}, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )
        self.url = self.says(r"is up at (\S+)")
        self.password = self.says(r"password (\S+)")

    def said(self):
        return (self.dir / "log").read_text()

    def says(self, pattern):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if found := re.search(pattern, self.said()):
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"counterfoil up did not start:\n{self.said()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def ask(url, method, path, body=None, token=None, content_type="application/json"):
    data = json.dumps(body).encode() if content_type == "application/json" and body is not None else body
    request = urllib.request.Request(url + path, data, method=method)
    if data is not None:
        request.add_header("Content-Type", content_type)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


def upload(url, token, project, name, text):
    boundary = "counterfoil-contract"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="project_id"\r\n\r\n{project}\r\n',
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{text}\r\n',
        f"--{boundary}--\r\n",
    ]
    content_type = f"multipart/form-data; boundary={boundary}"
    return ask(url, "POST", "/api/files/upload", "".join(parts).encode(), token, content_type)


def people(up):
    """A token of each role, and the project with everything in it."""
    password = "a long enough password 1"

    def log_in(email, password):
        return ask(up.url, "POST", "/api/auth/login", {"email": email, "password": password})["access_token"]

    tokens = {"nobody": None, "platform_admin": log_in("admin@counterfoil.localhost", up.password)}
    for role in ["admin", "approver", "operator", "viewer", "stranger"]:
        person = {"email": f"{role}@example.org", "name": role, "password": password}
        ask(up.url, "POST", "/api/auth/register", person)
        tokens[role] = log_in(person["email"], password)
    admin = tokens["admin"]
    project = ask(up.url, "POST", "/api/projects", {"name": "Contract"}, admin)["id"]
    for role in ["approver", "operator", "viewer"]:
        invited = {"role": role, "email": f"{role}@example.org"}
        token = ask(up.url, "POST", f"/api/projects/{project}/invitations", invited, admin)["token"]
        ask(up.url, "POST", "/api/auth/invitations/accept", {"token": token}, tokens[role])
    made = ask(up.url, "POST", f"/api/projects/{project}/api-keys", {"name": "machine", "role": "operator"}, admin)
    tokens["machine"] = made["key"]
    sources = []
    for side in ["left", "right"]:
        rows = "".join(f"{n},2026-01-{n:02},{n + (n % 7 == 0) * (side == 'left')}.00\n" for n in range(1, 29))
        file = upload(up.url, admin, project, f"{side}.csv", f"Id,Booked,Amount\n{rows}")["id"]
        mapping = {
            "format": "csv", "id": "Id", "date": {"column": "Booked"}, "amount": {"column": "Amount"},
            "currency": {"fixed": "EUR"},
        }
        source = {"project_id": project, "file_id": file, "name": side, "mapping": mapping}
        sources.append(ask(up.url, "POST", "/api/data-sources", source, admin)["id"])
    submission = {
        "project_id": project, "name": "January", "left_source_id": sources[0], "right_source_id": sources[1],
    }
    job = ask(up.url, "POST", "/api/reconciliation/jobs", submission, admin)["id"]
    until = time.monotonic() + 60
    while ask(up.url, "GET", f"/api/reconciliation/jobs/{job}", token=admin)["state"] != "completed":
        if time.monotonic() > until:
            sys.exit("the run did not complete")
        time.sleep(0.2)
    # What is found by each path with an id in it; the rest takes ids that nobody has.
    things = {
        "^/api/projects/": project, "^/api/reconciliation/jobs/": job, "^/api/jobs/": job, "^/api/files/": file,
        "^/api/data-sources/": sources[0],
    }
    return tokens, project, things


def write_settings(directory, project, things):
    """Every second round names what is there: most of what is made up is found nowhere."""
    lines = []
    for path, thing in things.items():
        lines += ["[[operations]]", f"include-path-regex = '{path}'"]
        # Nothing that the others need is deleted.
        lines += [f"parameters = {{ \"path.id\" = \"{thing}\", \"query.project_id\" = \"{project}\" }}"]
    path = directory / "schemathesis.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(schemathesis, settings, up, role, token, examples, seconds, seed, workers):
    report = up.dir / f"report-{role}"
    command = [schemathesis]
    if settings:
        command += ["--config-file", str(settings)]
    command += [
        "run", f"{up.url}/api/openapi.json", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful",
        "--continue-on-failure", "--max-examples", str(examples), "--seed", str(seed), "--workers", str(workers),
        "--suppress-health-check", "all", "--request-timeout", "60", "--warnings", "off", "--no-color",
        "--report", "junit", "--report-dir", str(report),
    ]
    if seconds:
        command += ["--max-time", str(seconds)]
    command += ["--exclude-path-regex", f"^({'|'.join(LEFT_OUT)})$"]
    if token:
        command += ["--header", f"Authorization:Bearer {token}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=up.dir)
    cases = re.search(r"([\d,]+) generated", done.stdout) or re.search(r"Test cases:\s+([\d,]+)", done.stdout)
    return int(cases.group(1).replace(",", "")) if cases else 0, done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counterfoil", default="target/debug/counterfoil", help="the executable")
    parser.add_argument("--schemathesis", default=shutil.which("schemathesis") or shutil.which("st"))
    parser.add_argument("--roles", default=",".join(ROLES))
    parser.add_argument("--seconds", type=int, default=5, help="at most, for each role; 0: as long as it takes")
    parser.add_argument("--cases", type=int, default=0, help="at least so many cases in all; overrides --seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    if not args.schemathesis:
        print("skipped: Schemathesis is not installed (`pip install schemathesis`)")
        sys.exit(77)
    up = Up(args.counterfoil)
    try:
        tokens, project, things = people(up)
        settings = write_settings(up.dir, project, things)
        roles, total, failed, turn = args.roles.split(","), 0, [], 0
        while True:
            for role in roles:
                seconds = 0 if args.cases else args.seconds
                examples = 25 if args.cases else 2
                cases, done = run(
                    args.schemathesis, settings if turn % 2 else None, up, role, tokens[role], examples, seconds, args.seed + turn, args.workers
                )
                total += cases
                print(f"{role}: {cases} cases, exit {done.returncode}", flush=True)
                if done.returncode != 0:
                    failed.append(role)
                    print(done.stdout[-20000:], done.stderr[-2000:], sep="\n")
            turn += 1
            if total >= args.cases:
                break
        print(f"{total} cases, {len(failed)} runs failed")
        sys.exit(1 if failed else 0)
    finally:
        up.stop()


if __name__ == "__main__":
    main()
