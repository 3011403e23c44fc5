#!/bin/sh
# What telemetry costs: jobs per second with the log, the metrics and the trace of every job on, and with all of it off, in
# turn, on the same RabbitMQ and the same PostgreSQL. Needs
#
#   DATABASE_URL  postgres://user@host:port/maintenance-database, a superuser; makes and drops its own database
#   AMQP_URL      amqp://user:password@host:port/%2f
#   ROUNDS        5
#   JOBS          5000: of one measurement
#   SLOTS         64: jobs at once
#   BENCH         the executable; default: a release build
#
# One line for each measurement, then the medians and what is lost, in percent. Exits with 1 above LOSS_MAX (5).
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd -P)
: "${DATABASE_URL:?}" "${AMQP_URL:?}" "${ROUNDS:=5}" "${JOBS:=5000}" "${SLOTS:=64}" "${LOSS_MAX:=5}"
bench=${BENCH:-$root/target/release/examples/bench_jobs}
[ -x "$bench" ] || (cd "$root" && cargo build --release --locked -p worker --example bench_jobs)
database=counterfoil_bench_$$
server=$DATABASE_URL
dir=$(mktemp -d)
sink=''
cleanup() {
    [ -z "$sink" ] || kill "$sink" 2>/dev/null || true
    psql -q "$server" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
psql -q "$DATABASE_URL" -c "CREATE DATABASE $database"

"$bench" sink >"$dir/sink" &
sink=$!
until [ -s "$dir/sink" ]; do sleep 0.1; done
export CONCURRENCY="$SLOTS" DATABASE_URL="${DATABASE_URL%/*}/$database"

measure() {
    "$@" "$bench" e2e "$JOBS" 2>"$dir/log" >"$dir/out" || { tail "$dir/log"; exit 1; }
    cat "$dir/out"
    sed -n 's/.*"jobs_per_s":\([0-9.]*\).*/\1/p' "$dir/out" >>"$dir/$name"
    sed -n 's/.*"cpu_us_per_job":\([0-9.]*\).*/\1/p' "$dir/out" >>"$dir/$name.cpu"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

round=0
while [ "$round" -lt "$ROUNDS" ]; do
    round=$((round + 1))
    echo "round $round, load $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
    # The one that begins is the other in the next round.
    if [ $((round % 2)) = 1 ]; then order='off on'; else order='on off'; fi
    for name in $order; do
        printf '%-4s' "$name"
        if [ "$name" = on ]; then measure env TELEMETRY="$(cat "$dir/sink")"; else measure env -u TELEMETRY; fi
    done
done
awk -v off="$(median "$dir/off")" -v on="$(median "$dir/on")" -v cpu_off="$(median "$dir/off.cpu")" \
    -v cpu_on="$(median "$dir/on.cpu")" -v max="$LOSS_MAX" 'BEGIN {
    loss = (1 - on / off) * 100
    printf "median jobs/s: off %d, on %d: %.1f %% less; processor time per job: off %d us, on %d us\n", off, on, loss, cpu_off, cpu_on
    exit loss > max
}'
