#!/bin/sh
# Counterfoil and Celery in turn, on the same RabbitMQ and the same PostgreSQL. Needs
#
#   DATABASE_URL  postgres://user@host:port/maintenance-database, a superuser; makes and drops its own databases
#   AMQP_URL      amqp://user:password@host:port/%2f
#   PYTHON        of an environment with celery==5.7.0 sqlalchemy psycopg2-binary psutil
#   ROUNDS        3
#   SCALE         1: multiplies the numbers of jobs
#   SLOTS         64: jobs at once of our worker; Celery's two children hold up to 32 messages
#
# The servers must be as durable as in production (fsync and synchronous_commit on). Prints one line per measurement.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd -P)
: "${DATABASE_URL:?}" "${AMQP_URL:?}" "${PYTHON:=python3}" "${ROUNDS:=3}" "${SCALE:=1}" "${SLOTS:=64}"
bench=${BENCH:-$root/target/release/examples/bench_jobs}
[ -x "$bench" ] || (cd "$root" && cargo build --release -p worker --example bench_jobs)
database=counterfoil_bench_$$
server=${DATABASE_URL%/*}
cleanup() { psql -q "$DATABASE_URL" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" -c "DROP DATABASE IF EXISTS ${database}_celery WITH (FORCE)"; }
trap cleanup EXIT INT TERM
psql -q "$DATABASE_URL" -c "CREATE DATABASE $database" -c "CREATE DATABASE ${database}_celery"

ours() {
    printf 'counterfoil '
    CONCURRENCY=$SLOTS DATABASE_URL=$server/$database AMQP_URL=$AMQP_URL "$bench" "$@" || echo "failed: $*"
}
celery() {
    printf 'celery      '
    BROKER=pyamqp://${AMQP_URL#amqp://} RESULT_DB=db+postgresql+psycopg2://${server#*://}/${database}_celery \
        "$PYTHON" celery_bench.py "$@" || echo "failed: $*"
}

echo "load: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
round=0
while [ "$round" -lt "$ROUNDS" ]; do
    round=$((round + 1))
    ours enqueue $((2000 * SCALE))
    celery enqueue $((2000 * SCALE))
    CLIENTS=16 ours enqueue $((8000 * SCALE))
    CLIENTS=16 celery enqueue $((8000 * SCALE))
    ours bulk $((20000 * SCALE))
    ours e2e $((5000 * SCALE))
    RESULT=postgres celery e2e $((2000 * SCALE))
    RESULT=ignore celery e2e $((5000 * SCALE))
    ours latency 20
    WAKE=period ours latency 20
    PREFETCH=1 celery latency 20
    ours idle
    celery idle
    echo "load: $(cut -d' ' -f1-3 /proc/loadavg)"
done
