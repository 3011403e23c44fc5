#!/bin/sh
# The reference drill, by one command: a database of SIZE_MB (2000), backed up under writes to a disk and a bucket of a real
# S3 server, then kill -9 of the server, its cluster and the disk destroyed; the bucket and the key are left. Prints RTO and
# RPO with the steps. Takes five times the size in the temporary folder (TMPDIR).
#
#   sh bench/backup/drill.sh
#   SIZE_MB=200 COUNTERFOIL=target/debug/counterfoil sh bench/backup/drill.sh
set -eu
cd "$(dirname "$0")/../.."
: "${SIZE_MB:=2000}" "${COUNTERFOIL:=$PWD/target/release/counterfoil}"
[ -x "$COUNTERFOIL" ] || { echo "$COUNTERFOIL is missing: cargo build --release --locked -p counterfoil" >&2; exit 1; }
COUNTERFOIL=$(cd "$(dirname "$COUNTERFOIL")" && pwd -P)/$(basename "$COUNTERFOIL")
export COUNTERFOIL_DRILL_MB="$SIZE_MB" COUNTERFOIL_DRILL_EXECUTABLE="$COUNTERFOIL"
echo "load: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
exec sh ops/test.sh --test backup reference -- --nocapture
