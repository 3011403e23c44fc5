"""A `counterfoil up` of its own for the browser tests, and a small client of its API."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


class Site:
    """Everything in one process on embedded defaults, with the demo's data."""

    def __init__(self):
        base = os.environ.get("COUNTERFOIL_TEST_DIR")
        # The private PostgreSQL refuses to run as root, and its account must be able to enter.
        self.folder = Path(tempfile.mkdtemp(prefix="counterfoil-pages-", dir=base))
        self.folder.chmod(0o711)
        # Tests log in more often than people do, and one account does in minutes what ten people do in a day.
        environment = dict(os.environ, COUNTERFOIL_HTTP__LISTEN="127.0.0.1:0",
                           COUNTERFOIL_RATE_LIMITS__LOGINS_PER_IP_HOUR="0",
                           COUNTERFOIL_RATE_LIMITS__REGISTRATIONS_PER_IP_HOUR="0",
                           COUNTERFOIL_RATE_LIMITS__SUBMISSIONS_PER_USER_HOUR="0",
                           COUNTERFOIL_RATE_LIMITS__REQUESTS_PER_IP_MINUTE="0",
                           COUNTERFOIL_RATE_LIMITS__REQUESTS_PER_USER_MINUTE="0",
                           COUNTERFOIL_RATE_LIMITS__REQUESTS_PER_TOKEN_MINUTE="0",
                           COUNTERFOIL_RATE_LIMITS__REQUESTS_PER_PROJECT_MINUTE="0",
                           COUNTERFOIL_NOTIFICATIONS__WEBHOOK_NETWORKS='["127.0.0.0/8"]')
        self.process = subprocess.Popen(
            [ROOT / "target/debug/counterfoil", "up", "--demo", "--data-dir", self.folder / "data"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
        )
        said = self._wait_for("Ctrl-C stops it")
        self.url = re.search(r"is up at (http://\S+)", said).group(1)
        found = re.search(r"administrator (\S+), password (\S+)", said)
        self.email, self.password = found.groups()
        self.token = self.log_in(self.email, self.password)
        self.project = self.get("/api/projects")["items"][0]["id"]

    def _wait_for(self, text):
        said = ""
        end = time.monotonic() + PATIENCE_S
        while text not in said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536).decode() if ready else ""
            if not chunk:
                self.stop()
                raise RuntimeError(f"`counterfoil up` did not come up:\n{said}")
            said += chunk
        return said

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if getattr(self, "token", None):
            headers["authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=None):
        return self.ask("POST", path, body)

    def log_in(self, email, password):
        return self.post("/api/auth/login", {"email": email, "password": password})["access_token"]

    def newcomer(self):
        """The token of somebody in no project, who is told of nothing that other tests do."""
        email, password = f"newcomer{time.time_ns()}@example.org", "a password of the browser test"
        self.post("/api/auth/register", {"email": email, "name": "Newcomer", "password": password})
        return self.log_in(email, password)

    def sources(self):
        return [source["id"] for source in self.get(f"/api/data-sources?project_id={self.project}")["items"]]

    def submit(self, name, **more):
        right, left = self.sources()[:2]
        body = {"project_id": self.project, "left_source_id": left, "right_source_id": right, "name": name, **more}
        return self.post("/api/reconciliation/jobs", body)["id"]

    def finished(self, job):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = self.get(f"/api/reconciliation/jobs/{job}")
            if found["finished_at"]:
                return found
            time.sleep(0.02)
        raise RuntimeError("the job does not finish")

    def to_review(self, name="to review"):
        """A finished run all of whose matches wait for somebody."""
        rules = {"version": 1, "pass": [{"name": "amount and date", "tier": "suggested", "date": {"window_days": 5}}]}
        return self.finished(self.submit(name, rules=rules))["id"]

    def review(self, job, path):
        return self.get(f"/api/reconciliation/jobs/{job}/review{path}")

    def schedule(self):
        right, left = self.sources()[:2]
        return self.post(f"/api/projects/{self.project}/schedules", {
            "name": "Nightly bank against ledger", "kind": "reconciliation", "cron": "30 2 * * 1-5",
            "time_zone": "Europe/Berlin", "args": {"left_source_id": left, "right_source_id": right},
        })["id"]

    def job_finished(self, job):
        """A job of any kind; completed, or the test is told why not."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = self.get(f"/api/jobs/{job}")
            if found["finished_at"]:
                if found["state"] != "completed":
                    raise RuntimeError(f"job {job} is {found['state']}: {found['error']}")
                return found
            time.sleep(0.05)
        raise RuntimeError(f"job {job} does not finish")

    def backup(self, kind="full"):
        """The id of a backup that was just taken."""
        self.job_finished(self.post("/api/backups", {"kind": kind, "note": "before month end"})["job_id"])
        return self.get(f"/api/backups?kind={kind}&state=committed&limit=1")["items"][0]["id"]
