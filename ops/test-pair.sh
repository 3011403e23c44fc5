#!/bin/sh
# Makes the pair of 100,000 bank and 110,000 ledger rows that the end-to-end tests reconcile.
#
#   sh ops/test-pair.sh FOLDER     makes FOLDER/100k with bank.csv, ledger.csv, truth.csv, meta.json
#
# The generator lies beside the checkout (../shared/bench/matching/gen.py) and wants Python with
# numpy and polars; both go into a virtual environment in FOLDER for the time of it. Made once: later runs find it. Exit
# code 0: the pair is there; 3: it cannot be made here, and the last line says why.

set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
generator=$root/../shared/bench/matching/gen.py
folder=$1

skip() {
    echo "no 100k pair: $1; the tests that want it say so and use the repository's samples"
    exit 3
}

[ ! -f "$folder/100k/meta.json" ] || exit 0
[ -f "$generator" ] || skip "the generator is not beside this checkout (../shared)"
command -v python3 >/dev/null || skip "python3 is not installed"

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
[ ! -f "$folder/100k/meta.json" ] || exit 0

python=$folder/venv/bin/python
if ! "$python" -c 'import numpy, polars' 2>/dev/null; then
    rm -rf "$folder/venv"
    python3 -m venv "$folder/venv" || skip "python3 cannot make a virtual environment (python3-venv)"
    "$python" -m pip install --quiet --disable-pip-version-check --retries 1 numpy polars ||
        skip "numpy and polars could not be installed"
fi
rm -rf "$folder/100k.partial"
"$python" "$generator" --n 100000 --seed 7 --out "$folder/100k.partial" || skip "the generator failed"
rm -rf "$folder/100k"
mv "$folder/100k.partial" "$folder/100k"
# 280 MB that nothing else needs.
rm -rf "$folder/venv"
