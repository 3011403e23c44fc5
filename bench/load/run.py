#!/usr/bin/env python3
"""How fast the API answers at rising rates, where it is full, and how soon it is itself again afterwards.

    python3 bench/load/run.py --counterfoil target/release/counterfoil                # four minutes, a quiet machine
    python3 bench/load/run.py --counterfoil target/debug/counterfoil --rates 20,50 --seconds 5

Starts `counterfoil up` on a folder of its own, without limits, and asks it over 127.0.0.1: job creations
(`POST /api/reconciliation/jobs`), then reads (a page of jobs, a page of results, a summary, a project, in turn). Before
both come people at work, whose requests say how often the caches could answer: see `people`.

Open loop: requests are due at fixed instants, whether or not earlier ones have been answered, and their time counts
from when they were due, so a server that stalls is not asked less. A request waits for one of `--connections` at most
`--patience` seconds and then counts as an error. Queues stand still meanwhile, unless `--with-workers`.

A rate is full when its p95 is above `--full-ms`, an answer is no 2xx, or less than 95 % of it was answered in time.
Then comes twice the fullest rate for ten seconds, and half of the best rate again: recovered is the first second from
which on p95 stays under `--full-ms`. The load average before and after is printed, since other work spoils all of this.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "contract"))
from run import Up, ask, upload  # noqa: E402


class Connections:
    """Keep-alive connections to one address, at most so many; those that fail are made anew."""

    def __init__(self, host, port, most):
        self.host, self.port = host, port
        self.free, self.turns = [], asyncio.Semaphore(most)

    async def send(self, request):
        """The status, once the whole answer has been read."""
        async with self.turns:
            reader, writer = self.free.pop() if self.free else await asyncio.open_connection(self.host, self.port)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                lower = head.lower()
                length = lower.find(b"content-length:")
                if length >= 0:
                    await reader.readexactly(int(lower[length + 15 : lower.index(b"\r\n", length)]))
                elif b"transfer-encoding: chunked" in lower:
                    while size := int(await reader.readuntil(b"\r\n"), 16):
                        await reader.readexactly(size + 2)
                    await reader.readexactly(2)
            except BaseException:
                writer.close()
                raise
            if b"connection: close" in lower:
                writer.close()
            else:
                self.free.append((reader, writer))
            return int(head[9:12])


class Phase:
    """What came of the requests of one rate: seconds from when each was due, and how it ended."""

    def __init__(self, rate):
        self.rate, self.answers, self.ends = rate, [], Counter()

    def percentile(self, share, answers=None):
        times = sorted(seconds for _, seconds in (self.answers if answers is None else answers))
        return times[min(len(times) - 1, int(share * len(times)))] * 1000 if times else float("inf")

    def errors(self):
        return sum(count for end, count in self.ends.items() if not (isinstance(end, int) and 200 <= end < 300))

    def line(self):
        ends = ", ".join(f"{end}: {count}" for end, count in sorted(self.ends.items(), key=str))
        return (
            f"| {self.rate} | {len(self.answers)} | {self.percentile(0.50):.1f} | {self.percentile(0.95):.1f} "
            f"| {self.percentile(0.99):.1f} | {self.percentile(1.0):.1f} | {ends} |"
        )


async def drive(connections, requests, rate, seconds, patience):
    """Sends at this rate; returns once every request has been answered or given up."""
    phase, running = Phase(rate), set()
    began = time.perf_counter() + 0.05

    async def one(number, due):
        try:
            status = await asyncio.wait_for(connections.send(requests[number % len(requests)]), patience)
            phase.ends[status] += 1
            if 200 <= status < 300:
                phase.answers.append((due - began, time.perf_counter() - due))
        except (asyncio.TimeoutError, TimeoutError):
            phase.ends["given up"] += 1
        except (OSError, EOFError, ValueError, asyncio.IncompleteReadError) as error:
            phase.ends[type(error).__name__] += 1

    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > 0.0005:
            await asyncio.sleep(wait)
        asked = asyncio.create_task(one(number, due))
        running.add(asked)
        asked.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running)
    return phase


def request(method, path, token, body=None):
    body = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def sources_of(up, token, project, rows):
    """The ids of two data sources of so many records each, which fit."""
    sources = []
    for side in ["left", "right"]:
        lines = "".join(f"{n},2026-01-{n % 28 + 1:02},{n}.{n % 100:02}\n" for n in range(1, rows + 1))
        file = upload(up.url, token, project, f"{side}.csv", f"Id,Booked,Amount\n{lines}")["id"]
        mapping = {
            "format": "csv", "id": "Id", "date": {"column": "Booked"}, "amount": {"column": "Amount"},
            "currency": {"fixed": "EUR"},
        }
        source = {"project_id": project, "file_id": file, "name": side, "mapping": mapping}
        sources.append(ask(up.url, "POST", "/api/data-sources", source, token)["id"])
    return sources


def prepare(up):
    """A project with a finished run of a thousand records a side; requests by name."""
    login = {"email": "admin@counterfoil.localhost", "password": up.password}
    admin = ask(up.url, "POST", "/api/auth/login", login)["access_token"]
    project = ask(up.url, "POST", "/api/projects", {"name": "Load"}, admin)["id"]
    sources = sources_of(up, admin, project, rows=1000)
    submission = {"project_id": project, "left_source_id": sources[0], "right_source_id": sources[1]}
    job = ask(up.url, "POST", "/api/reconciliation/jobs", submission, admin)["id"]
    until = time.monotonic() + 60
    while ask(up.url, "GET", f"/api/jobs/{job}", token=admin)["state"] != "completed":
        if time.monotonic() > until:
            sys.exit("the first run did not finish")
        time.sleep(0.2)
    made = ask(up.url, "POST", f"/api/projects/{project}/api-keys", {"name": "load", "role": "operator"}, admin)
    reads = [
        f"/api/reconciliation/jobs?project_id={project}&limit=50",
        f"/api/reconciliation/jobs/{job}/results?limit=50",
        f"/api/reconciliation/jobs/{job}/summary",
        f"/api/projects/{project}",
    ]
    return admin, {
        "job creations": [request("POST", "/api/reconciliation/jobs", made["key"], submission)],
        "reads": [request("GET", path, made["key"]) for path in reads],
    }


# What the caches have to answer themselves, of a hundred questions.
HITS_MIN = {"user": 80, "project": 60, "statistics": 90}
PEOPLE, PROJECTS = 12, 3
# A run in each of the projects for so many turns: one for twenty looks at an overview.
SUBMISSION_EVERY = 300


def people(up, admin):
    """A minute of an office: twelve people in three projects look at pages as the web pages ask for them (who am I, my
    projects, this project, a list; every fifth time the overview with its statistics), and now and then one of them
    submits a run, which a worker finishes meanwhile. The requests, in turn."""
    projects, visitors = [], []
    for number in range(PROJECTS):
        name = f"Office {number}"
        project = ask(up.url, "POST", "/api/projects", {"name": name}, admin)["id"]
        projects.append((project, sources_of(up, admin, project, rows=50)))
    for number in range(PEOPLE):
        project, sources = projects[number % PROJECTS]
        invited = ask(up.url, "POST", f"/api/projects/{project}/invitations", {"role": "operator"}, admin)
        account = {"email": f"p{number}@example.org", "password": "a long enough password"}
        register = {**account, "name": f"Person {number}", "invitation": invited["token"]}
        ask(up.url, "POST", "/api/auth/register", register)
        visitors.append((ask(up.url, "POST", "/api/auth/login", account)["access_token"], project, sources))
    requests = []
    for turn in range(5 * PEOPLE * 10):
        token, project, (left, right) = visitors[turn % PEOPLE]
        paths = ["/api/auth/me", "/api/projects?limit=100", f"/api/projects/{project}"]
        if turn % 5 == 0:
            paths += [f"/api/analytics/dashboard?project_id={project}", f"/api/projects/{project}/schedules?limit=5"]
        else:
            paths += [f"/api/reconciliation/jobs?project_id={project}&limit=50"]
        requests += [request("GET", path, token) for path in paths]
        if turn % SUBMISSION_EVERY < PROJECTS:
            body = {"project_id": project, "left_source_id": left, "right_source_id": right}
            requests.append(request("POST", "/api/reconciliation/jobs", token, body))
    return requests


def cache_counts(up):
    with urllib.request.urlopen(up.url + "/api/metrics", timeout=60) as answer:
        text = answer.read().decode()
    counts = Counter()
    for line in text.splitlines():
        if found := re.match(r"counterfoil_cache_requests_total\{(.*)\} (\d+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found.group(1)))
            counts[labels["cache"], labels["level"], labels["outcome"]] += int(found.group(2))
    return counts


async def measure_caches(up, admin, options):
    """Whether each cache answered as often as it has to."""
    requests = people(up, admin)
    host, port = up.url.removeprefix("http://").split(":")
    connections = Connections(host, int(port.strip("/")), options.connections)
    before = cache_counts(up)
    phase = await drive(connections, requests, options.people_rate, 6 * options.seconds, options.patience)
    counts = cache_counts(up)
    counts.subtract(before)
    print("\n### people at work\n\n| asked per s | answered | p50 ms | p95 ms | p99 ms | longest ms | ends |\n|---|---|---|---|---|---|---|")
    print(phase.line())
    print("\n| cache | questions | from memory | from Redis | hits | wanted |\n|---|---|---|---|---|---|")
    enough = True
    for cache in ["standings", *HITS_MIN]:
        asked = sum(count for (name, level, _), count in counts.items() if (name, level) == (cache, "memory"))
        memory, redis = (counts[cache, level, "hit"] for level in ["memory", "redis"])
        share = 100 * (memory + redis) / asked if asked else 0
        wanted = HITS_MIN.get(cache)
        enough = enough and (wanted is None or share >= wanted)
        print(f"| {cache} | {asked} | {memory} | {redis} | {share:.1f} % | {f'{wanted} %' if wanted else ''} |")
    # A connection that the server has just given up is no matter here.
    return enough and phase.errors() * 100 <= len(phase.answers)


def recovery(phase, full_ms):
    """The first second from which on p95 stays under the bound; `None`: never."""
    last = int(max((at for at, _ in phase.answers), default=0))
    good = None
    for second in range(last + 1):
        of_it = [answer for answer in phase.answers if int(answer[0]) == second]
        if of_it and phase.percentile(0.95, of_it) <= full_ms:
            good = second if good is None else good
        else:
            good = None
    return good


async def measure(name, requests, up, options):
    host, port = up.url.removeprefix("http://").split(":")
    print(f"\n### {name}\n\n| asked per s | answered | p50 ms | p95 ms | p99 ms | longest ms | ends |\n|---|---|---|---|---|---|---|")
    connections = Connections(host, int(port.strip("/")), options.connections)
    await drive(connections, requests, 20, 2, options.patience)
    best, fullest = 0, options.rates[0]
    for rate in options.rates:
        phase = await drive(connections, requests, rate, options.seconds, options.patience)
        print(phase.line(), flush=True)
        fullest = rate
        enough = len(phase.answers) >= 0.95 * rate * options.seconds
        if phase.errors() or not enough or phase.percentile(0.95) > options.full_ms:
            break
        best = rate
    over = await drive(connections, requests, 2 * fullest, 10, options.patience)
    print(over.line(), flush=True)
    after = await drive(connections, requests, max(1, best // 2), 10, options.patience)
    print(after.line(), flush=True)
    recovered = recovery(after, options.full_ms)
    print(f"\nBest rate {best}/s. After twice the fullest rate: recovered after {recovered} s.")
    return recovered is not None and recovered <= 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counterfoil", required=True)
    parser.add_argument("--rates", default="50,100,200,400,800,1200,1600,2400,3200")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--patience", type=float, default=5)
    parser.add_argument("--full-ms", type=float, default=200)
    parser.add_argument("--with-workers", action="store_true")
    parser.add_argument("--people-rate", type=int, default=50)
    parser.add_argument("--only", choices=["caches", "job creations", "reads"])
    options = parser.parse_args()
    options.rates = [int(rate) for rate in options.rates.split(",")]
    load = os.getloadavg()[0]
    up = Up(options.counterfoil)
    try:
        admin, scenarios = prepare(up)
        print(f"{platform.machine()}, {os.cpu_count()} cores for server, database and client together; load {load:.1f}")
        results = []
        if options.only in (None, "caches"):
            results.append(asyncio.run(measure_caches(up, admin, options)))
        if not options.with_workers:
            ask(up.url, "POST", "/api/queues/reconciliation/pause", {"reason": "load"}, admin)
        results += [
            asyncio.run(measure(name, requests, up, options))
            for name, requests in scenarios.items() if options.only in (None, name)
        ]
        print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")
    finally:
        up.stop()
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
