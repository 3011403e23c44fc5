#!/bin/bash
# Counterfoil and pgBackRest in turn: the same cluster, zstd 3, AES-256, two processes, one store on the same disk. Needs
#
#   BINDIR        /usr/lib/postgresql/15/bin: PostgreSQL's programs
#   PGBACKREST    pgbackrest (Debian's package, 2.45)
#   COUNTERFOIL   target/release/counterfoil
#   WORK          a folder with room for six times the size; emptied in the end
#   SIZE_MB       2000: of the cluster, about
#   ROUNDS        3
#   PYTHON        python3, which the account of the cluster must be able to run
#
# Run as root or as anybody; the cluster runs as postgres in the first case. Prints a line per measurement: wall and CPU
# seconds, the largest resident set of one process in MiB, and bytes in the repository.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd -P)
: "${BINDIR:=/usr/lib/postgresql/15/bin}" "${PGBACKREST:=pgbackrest}" "${SIZE_MB:=2000}" "${ROUNDS:=3}"
: "${COUNTERFOIL:=$root/target/release/counterfoil}" "${WORK:=$(mktemp -d)}" "${PORT:=55499}"
mkdir -p "$WORK"
WORK=$(cd "$WORK" && pwd -P)
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
stop() { as "$BINDIR/pg_ctl" -D "$WORK/data" -m immediate stop >/dev/null 2>&1 || true; }
cleanup() { stop; rm -rf "$WORK"; }
trap cleanup EXIT INT TERM
mkdir -p "$WORK"/{cf,br,log,spool,scratch,ours} "$WORK/lock"
[ "$(id -u)" != 0 ] || chown -R postgres: "$WORK"
chmod 755 "$WORK"

# Wall, CPU and memory of a command.
measure() {
    local what=$1
    shift
    as "${PYTHON:=python3}" - "$what" "$@" <<'PY'
import os, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
wall = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode:
    sys.exit(f"{sys.argv[1]} failed ({done.returncode}): {done.stdout[-2000:]}")
print(f"{sys.argv[1]:34} wall {wall:7.2f} s  CPU {used.ru_utime + used.ru_stime:7.2f} s  memory {used.ru_maxrss // 1024:5} MiB", flush=True)
PY
}
size() { printf '%-34s %s bytes\n' "$1" "$(du -sb "$2" | cut -f1)"; }
start() {
    as "$BINDIR/pg_ctl" -D "$1" -w -l "$WORK/log/server" -o "-p $PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories=$WORK" start >/dev/null
}

as "$BINDIR/initdb" -U postgres --auth=trust --no-sync -D "$WORK/data" >/dev/null
cat > "$WORK/br.conf" <<CONF
[global]
repo1-path=$WORK/br
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=a-pass-phrase-of-the-benchmark
repo1-retention-full=1
compress-type=zst
compress-level=3
process-max=2
log-path=$WORK/log
lock-path=$WORK/lock
spool-path=$WORK/spool
start-fast=y
[main]
pg1-path=$WORK/data
pg1-port=$PORT
pg1-socket-path=$WORK
CONF
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$WORK/key"
cat > "$WORK/cf.toml" <<CONF
[database]
url = "postgres://postgres@127.0.0.1:$PORT/postgres"
[backup]
cluster = "bench"
keys_file = "$WORK/key"
spool_dir = "$WORK/spool-cf"
scratch_dir = "$WORK/scratch"
jobs = 2
[[backup.stores]]
kind = "disk"
name = "local"
dir = "$WORK/cf"
CONF
[ "$(id -u)" != 0 ] || chown postgres: "$WORK"/{br.conf,cf.toml,key}
cf=("$COUNTERFOIL" --config "$WORK/cf.toml")
br=("$PGBACKREST" --config="$WORK/br.conf" --stanza=main)
cat >> "$WORK/data/postgresql.conf" <<CONF
archive_mode = on
archive_command = '$PGBACKREST --config=$WORK/br.conf --stanza=main archive-push %p'
max_wal_size = 4GB
CONF
start "$WORK/data"
as "${br[@]}" stanza-create >/dev/null 2>&1
# Half of it compresses well, half hardly.
psql() { as "$BINDIR/psql" -qX -h 127.0.0.1 -p "$PORT" -U postgres -v ON_ERROR_STOP=1 "$@"; }
psql -c "CREATE TABLE ledger AS SELECT n AS id, n % 1000 AS account, (n::bigint * 7919) % 1000000 AS amount, md5(n::text) AS reference,
         repeat('settlement of invoice ', 4) AS text FROM generate_series(1, $SIZE_MB * 5000) AS n"
psql -c "ALTER TABLE ledger ADD PRIMARY KEY (id)" -c "CHECKPOINT"
psql -Atc "SELECT 'cluster ' || sum(pg_database_size(oid)) || ' bytes' FROM pg_database"
echo "load: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"

round=0
while [ "$round" -lt "$ROUNDS" ]; do
    round=$((round + 1))
    measure "pgbackrest backup" "${br[@]}" --type=full backup
    size "pgbackrest repository" "$WORK/br/backup"
    rm -rf "$WORK/cf/v1"
    measure "counterfoil backup (base)" "${cf[@]}" backup create --kind base
    size "counterfoil store" "$WORK/cf"
    measure "pgbackrest verify" "${br[@]}" verify
    measure "counterfoil verify" "${cf[@]}" backup verify
    rm -rf "$WORK/back" && as mkdir -m 700 "$WORK/back"
    measure "pgbackrest restore" "${br[@]}" --pg1-path="$WORK/back" restore
    rm -rf "$WORK/back" "$WORK/ours/data"
    # Restores, recovers and compares every table with the manifest; pgBackRest's only copies.
    measure "counterfoil restore, recover, prove" "${cf[@]}" restore pitr --into "$WORK/ours/data" --consistent
    rm -rf "$WORK/ours/data"
done

# Archiving: the same segments, one after the other.
segments=$(find "$WORK/data/pg_wal" -maxdepth 1 -name '0*' -size 16M | sort | head -20)
count=$(echo "$segments" | wc -l)
as mkdir -p "$WORK/cf"
COUNTERFOIL_=$COUNTERFOIL CONF_=$WORK/cf.toml measure "counterfoil wal push × $count" sh -ec 'for f in "$@"; do "$COUNTERFOIL_" --config "$CONF_" wal push "$f"; done' \
    x $segments
