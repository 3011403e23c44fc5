#!/bin/sh
# The whole table of ../README.md in one command: run.sh [FOLDER], from the workspace, after a release build.
# PYTHON is one with what ../README.md installs; COUNTERFOIL another executable; ROUNDS and SIZES as in table.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/out"}
counterfoil=${COUNTERFOIL:-"$here/../../target/release/counterfoil"}
# shellcheck disable=SC2086 # sizes are words
"${PYTHON:-python3}" "$here/table.py" "$counterfoil" "$folder" "${ROUNDS:-3}" ${SIZES:-}
