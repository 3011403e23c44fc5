"""quality.py DATA [NAME] [PAIR...]   precision, recall, F1 and calibration of `counterfoil match` on labelled files, a line a set

DATA is a folder with the sets named below; COUNTERFOIL the executable (else `counterfoil` on the path). No rule, mapping
or label is given to it: mappings are guessed and rules are the standard ones. Only NAME (part of a set's name) when given.
PAIRs are folders made by ../matching/gen.py; a deposit is right when all its ledger lines are.
Expected calibration error: ten bins of confidence, the distance between what was said and what was right, weighted by the
matches in each. Needs nothing but Python."""
import csv, json, os, subprocess, sys, tempfile, time

PROGRAM = os.environ.get("COUNTERFOIL", "counterfoil")

def match(left, right, out):
    began = time.time()
    done = subprocess.run([PROGRAM, "match", left, right, "--out", out, "--force", "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{left} {right}: {done.stderr}")
    summary = json.loads(done.stdout)
    lines = {}
    with open(f"{out}/matches.csv", newline="") as f:
        for line in csv.DictReader(f):
            of = lines.setdefault(line["match"], [set(), set(), 0.0, ""])
            of[0] |= {line["left_id"]} - {""}
            of[1] |= {line["right_id"]} - {""}
            if line["confidence"]:
                of[2], of[3] = float(line["confidence"]), line["tier"]
    return list(lines.values()), time.time() - began, summary

def rows(path, delimiter=","):
    with open(path, newline="", encoding="utf-8", errors="replace") as f:
        reader = csv.reader(f, delimiter=delimiter)
        next(reader)
        return [[cell.strip() for cell in row] for row in reader if row]

def write(path, header, lines):
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([header, *lines])

def report(name, matches, seconds, right_pairs, wrong_pairs=None):
    """wrong_pairs: where only some pairs are labelled, the others do not count."""
    bins, right, made = [[0, 0.0, 0] for _ in range(10)], 0, 0
    tiers = {}
    for lefts, rights, confidence, tier in matches:
        pairs = {(l, r) for l in lefts for r in rights}
        if wrong_pairs is not None and not pairs & (right_pairs | wrong_pairs):
            continue
        good = pairs <= right_pairs
        made, right = made + 1, right + good
        b = bins[min(int(confidence * 10), 9)]
        b[0] += 1; b[1] += confidence; b[2] += good
        t = tiers.setdefault(tier, [0, 0]); t[0] += 1; t[1] += good
    precision, recall = right / max(made, 1), right / max(len(right_pairs), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    off = sum(abs(said - was) for _, said, was in bins) / max(made, 1)
    made_confirmed, right_confirmed = tiers.get("confirmed", [0, 0])
    confirmed = f"{right_confirmed / made_confirmed:.4f} of {made_confirmed}" if made_confirmed else "none"
    print(f"| {name} | {precision:.4f} | {recall:.4f} | {f1:.4f} | {off:.4f} | {confirmed} | {seconds:.1f} |", flush=True)

def two_lists(data, out):
    for name, folder, left, right, mark in [
        ("Abt-Buy", "er/D2", "abt.csv", "buy.csv", "|"), ("DBLP-ACM", "er/D4", "dblp.csv", "acm.csv", "%"),
        ("IMDB-TMDB", "er/D5", "imdb.csv", "tmdb.csv", "|"), ("IMDB-TVDB", "er/D6", "imdb.csv", "tvdb.csv", "|"),
        ("TMDB-TVDB (truth incomplete)", "er/D7", "tmdb.csv", "tvdb.csv", "|"),
        ("restaurants D1 (truth incomplete)", "er/D1", "rest1.csv", "rest2.csv", "|"),
        ("Fodors-Zagats", "fodors_zagats", "fodors.csv", "zagats.csv", ","),
    ]:
        def run(folder=f"{data}/{folder}", left=left, right=right, mark=mark):
            truth = "matches_fodors_zagats.csv" if mark == "," else "gt.csv"
            matches, seconds, _ = match(f"{folder}/{left}", f"{folder}/{right}", out)
            return matches, seconds, {tuple(row[:2]) for row in rows(f"{folder}/{truth}", mark)}
        yield name, run

def persons(data, out):
    """An original against its first duplicate. Sets 1 to 3 are one file each, parted by what the ids say."""
    def both(number):
        if number == 4:
            return f"{data}/febrl/dataset4a.csv", f"{data}/febrl/dataset4b.csv"
        path = f"{data}/febrl/dataset{number}.csv"
        header = [name.strip() for name in open(path).readline().split(",")]
        for kind, file in (("-org", "left.csv"), ("-dup-0", "right.csv")):
            write(f"{out}/{file}", header, [row for row in rows(path) if row[0].endswith(kind)])
        return f"{out}/left.csv", f"{out}/right.csv"
    for number in (1, 2, 3, 4):
        def run(number=number):
            left, right = both(number)
            there = {row[0] for row in rows(right)}
            pairs = {(row[0], row[0].replace("-org", "-dup-0")) for row in rows(left)}
            matches, seconds, _ = match(left, right, out)
            return matches, seconds, {pair for pair in pairs if pair[1] in there}
        yield f"febrl {number}", run

def labelled_pairs(data, out):
    """Sets of which only pairs are published, labelled 0 or 1: the records of all pairs make the two lists."""
    for kind, name in [("Dirty", "DBLP-ACM"), ("Dirty", "DBLP-GoogleScholar"), ("Dirty", "iTunes-Amazon"),
                       ("Structured", "Beer"), ("Structured", "DBLP-ACM"), ("Structured", "DBLP-GoogleScholar"),
                       ("Structured", "Fodors-Zagats"), ("Structured", "iTunes-Amazon"), ("Textual", "Abt-Buy")]:
        files = [f"{data}/magellan_pairs/{kind}/{name}/{part}.txt" for part in ("train", "valid")]
        def run(files=[file for file in files if os.path.exists(file)]):
            sides, labels = ({}, {}), ({}, {})
            right, wrong = set(), set()
            for file in files:
                for line in open(file):
                    *texts, label = line.rstrip("\n").split("\t")
                    ids = tuple(side.setdefault(text, f"{len(side) + 1:06d}") for side, text in zip(sides, texts))
                    (right if label.strip() == "1" else wrong).add(ids)
            for side, file in zip(sides, ("left.csv", "right.csv")):
                parsed = [dict((p.split(" VAL", 1) + [""])[:2] for p in text.split("COL ") if p.strip()) for text in side]
                names = list(dict.fromkeys(name for record in parsed for name in record))
                lines = [[i, *(record.get(name, "").strip() for name in names)] for i, record in zip(side.values(), parsed)]
                write(f"{out}/{file}", ["id", *names], lines)
            matches, seconds, _ = match(f"{out}/left.csv", f"{out}/right.csv", out)
            return matches, seconds, right, wrong
        yield f"Magellan {kind} {name}", run

def statement(data, out):
    """A bank statement against a ledger export. What the authors say belongs together has the same reference; lines that they
    made as fees, duplicates, or with another amount have no counterpart."""
    folder = f"{data}/lerian_examples/context-02-bank-statement-vs-ledger/data"
    def run():
        with open(f"{folder}/midaz-ledger-export.json") as f:
            ledger = {line["reference"]: line["ledger_entry_id"] for line in json.load(f)}
        with open(f"{folder}/bank-statement.csv", newline="") as f:
            alone = {"bank_only_unmatched", "bank_fee_only", "duplicate_bank_line", "amount_mismatch_outside_tolerance"}
            bank = {line["bank_entry_id"]: line["reference"] for line in csv.DictReader(f) if line["scenario"] not in alone}
        matches, seconds, _ = match(f"{folder}/bank-statement.csv", f"{folder}/midaz-ledger-export.json", out)
        return matches, seconds, {(line, ledger[reference]) for line, reference in bank.items()}
    yield "Lerian bank statement", run

def invented(folder, out):
    def run():
        truth = {}
        for bank, ledger, *_ in rows(f"{folder}/truth.csv"):
            truth.setdefault(bank, []).append(ledger)
        matches, seconds, _ = match(f"{folder}/bank.csv", f"{folder}/ledger.csv", out)
        # Of a double booking either copy may carry the match.
        if os.path.exists(f"{folder}/twins.csv"):
            with open(f"{folder}/twins.csv", newline="") as f:
                first_of = {line["bank_id"]: line["twin_of"] for line in csv.DictReader(f)}
            taken = {bank for lefts, *_ in matches for bank in lefts}
            for of in matches:
                of[0] = {bank if first_of.get(bank, bank) in taken else first_of[bank] for bank in of[0]}
        whole = lambda ids: " ".join(sorted(ids))
        sums = [({whole(lefts)}, {whole(rights)}, confidence, tier) for lefts, rights, confidence, tier in matches]
        return sums, seconds, {(bank, whole(ledgers)) for bank, ledgers in truth.items()}
    yield os.path.basename(folder.rstrip("/")), run

def main():
    data, only = sys.argv[1], (sys.argv[2:] or [""])[0]
    print("| set | precision | recall | F1 | calibration error | confirmed, right | s |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as out:
        for name, run in [*statement(data, out), *persons(data, out), *two_lists(data, out), *labelled_pairs(data, out)]:
            if only in name:
                matches, seconds, *truth = run()
                report(name, matches, seconds, *truth)
        for folder in sys.argv[3:]:
            for name, run in invented(folder, out):
                matches, seconds, *truth = run()
                report(name, matches, seconds, *truth)

main()
