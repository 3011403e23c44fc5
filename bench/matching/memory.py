"""Runs `counterfoil match` with and without a limit of memory and prints what each took.

    python3 bench/matching/memory.py target/release/counterfoil out/1m 450MiB

`own` is the most memory that only the process has (RssAnon of /proc, read every 5 ms): what a limit is about. `mapped` is
the most it had of files, which the system takes back whenever somebody else needs the room.
"""

import filecmp
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def peaks(command):
    """Exit code, seconds, and the most MiB of its own and of files."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    own = mapped = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        sizes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Rss")}
        own = max(own, int(sizes.get("RssAnon", 0)) // 1024)
        mapped = max(mapped, int(sizes.get("RssFile", 0)) // 1024)
        time.sleep(0.005)
    says = process.stderr.read().decode()
    if process.wait() not in (0, 1):
        sys.exit(says)
    return time.monotonic() - began, own, mapped


def main():
    executable, data, *limits = sys.argv[1:]
    files = [f"{data}/bank.csv", f"{data}/ledger.csv"]
    print(f"{'limit':>10} {'seconds':>8} {'own MiB':>8} {'mapped MiB':>10}  results")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for limit in [None, *limits]:
            out = f"{folder}/{limit or 'none'}"
            command = [executable, "match", *files, "--out", out, "--json"]
            if limit:
                command += ["--memory-limit", limit, "--temp-dir", folder]
            seconds, own, mapped = peaks(command)
            names = ["matches.csv", "exceptions.csv", "rejected_lines.csv"]
            same = filecmp.cmpfiles(f"{folder}/none", out, names, shallow=False)[0] == names
            print(f"{limit or 'none':>10} {seconds:8.1f} {own:8} {mapped:10}  {'the same' if same else 'OTHERS'}")
            if not same:
                sys.exit("a limit changed the results")


if __name__ == "__main__":
    main()
