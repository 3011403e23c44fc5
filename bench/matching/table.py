"""table.py COUNTERFOIL FOLDER [ROUNDS] [SIZE...]   every figure of the section on speed in ../README.md, as its tables

Makes the inputs in FOLDER where they are missing, runs Counterfoil and the peers in turn, ROUNDS times (3), and prints the
median of wall and CPU time and the most memory, with the ratio to Counterfoil and the quality of what was matched. SIZE: 100k,
1m, 1m_hard, few (10,000 new records against a million; without peers: none does it), 10m only when named. Needs what
../README.md installs. CPU time compares where other work shares the cores; read the load beside it."""
import json, os, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTERFOIL, FOLDER = sys.argv[1], sys.argv[2]
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 3
SIZES = {"100k": ["--n", "100000", "--seed", "7"], "1m": ["--n", "1000000", "--seed", "7"],
         "1m_hard": ["--n", "1000000", "--seed", "11", "--hard"], "few": None, "10m": ["--n", "10000000", "--seed", "7"]}
PEERS = [("DuckDB, six passes", "duck_full.py"), ("Polars, join and as-of join", "polars_join.py")]

def measure(command):
    """Wall and CPU seconds and MiB; the exit code 1 of ours says that there are exceptions."""
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1) or code == 1 and command[0] != COUNTERFOIL:
        sys.exit(f"{command}: {said.decode(errors='replace')}")
    return time.time() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024

def inputs(size):
    folder = f"{FOLDER}/{size}"
    if size == "few":
        whole = inputs("1m")
        os.makedirs(folder, exist_ok=True)
        with open(f"{whole}/bank.csv") as bank, open(f"{folder}/bank.csv", "w") as few:
            few.writelines(line for line, _ in zip(bank, range(10_001)))
        if not os.path.exists(f"{folder}/ledger.csv"):
            os.link(f"{whole}/ledger.csv", f"{folder}/ledger.csv")
    elif not os.path.exists(f"{folder}/meta.json"):
        subprocess.run([sys.executable, f"{HERE}/gen.py", *SIZES[size], "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return folder

def quality(folder, pairs):
    out = subprocess.run([sys.executable, f"{HERE}/eval.py", folder, pairs], check=True, capture_output=True, text=True)
    found = json.loads(out.stdout)
    one, groups = found["one_to_one"], found.get("groups", {})
    return f"{one['precision']:.5f} / {one['recall']:.5f} / {one['f1']:.5f} | {groups.get('recall', '')}"

def table(size):
    folder, result = inputs(size), f"{FOLDER}/result"
    runs = [("Counterfoil", [COUNTERFOIL, "match", f"{folder}/bank.csv", f"{folder}/ledger.csv", "--out", result, "--force", "--json"])]
    if size != "few":
        runs += [(name, [sys.executable, f"{HERE}/{script}", folder, f"{FOLDER}/{script}.parquet"]) for name, script in PEERS]
    took = {name: [] for name, _ in runs}
    for _ in range(ROUNDS):
        for name, command in runs:
            took[name].append(measure(command))
    subprocess.run([sys.executable, f"{HERE}/pairs.py", result, f"{FOLDER}/pairs.csv"], check=True)
    print(f"\n| {size}, load {os.getloadavg()[0]:.0f} | wall s | CPU s | MiB | wall, times ours | 1:1 precision / recall / F1 | deposits right |")
    print("|---|---|---|---|---|---|---|")
    ours = statistics.median(wall for wall, *_ in took["Counterfoil"])
    for name, command in runs:
        wall, cpu = (statistics.median(run[i] for run in took[name]) for i in (0, 1))
        memory = max(run[2] for run in took[name])
        pairs = f"{FOLDER}/pairs.csv" if name == "Counterfoil" else command[-1]
        right = " | " if size == "few" else quality(folder, pairs)
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {wall / ours:.2f} | {right} |", flush=True)

os.makedirs(FOLDER, exist_ok=True)
for size in sys.argv[4:] or ["100k", "1m", "1m_hard", "few"]:
    table(size)
