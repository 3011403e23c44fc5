#!/bin/sh
# The tests. One command on a fresh clone, as root or not:
#
#   sh ops/test.sh                     formatting, lints, every test
#   sh ops/test.sh -p shared lease     only these tests: the arguments go to `cargo test`
#
# Gets PostgreSQL, RabbitMQ, Redis, Prometheus, Alertmanager and a C compiler where they are missing
# (get-services.sh says how), starts private instances in target/test-services/PID, runs everything, stops what it started.
# The exit code is that of the tests, or 1 when only a lint failed. After a failure the logs stay and
# the last lines say where. Two runs at once do not meet.
#
# Tests find the instances by
#
#   COUNTERFOIL_TEST_DATABASE_URL      superuser, maintenance database; tests make their own databases
#   COUNTERFOIL_TEST_AMQP_URL          one node for all: use your own queue names, do not break it
#   COUNTERFOIL_TEST_REDIS_URL
#   COUNTERFOIL_TEST_RABBITMQ_SERVER, _RABBITMQ_CTL, _RABBITMQ_EPMD, _POSTGRESQL_BINDIR
#   COUNTERFOIL_TEST_PROMETHEUS, _PROMTOOL, _ALERTMANAGER, _AMTOOL
#                                      programs, for tests that start (and break) instances themselves
#   COUNTERFOIL_TEST_DIR               folder for such instances; it goes when the run has passed
#   COUNTERFOIL_TEST_PAIR_100K         folder with bank.csv, ledger.csv, truth.csv; may be absent

# What the traps call looks unreachable, and what get-services.sh sets looks unset.
# shellcheck disable=SC2034,SC2154,SC2317
set -u

root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root" || exit 1
PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin
dir=$root/target/test-services/$$
started_at=$(date +%s)
status=0 summary='' step_pid='' pair_pid='' homes=''

main() {
    command -v cargo >/dev/null || { echo 'Rust is missing: https://rustup.rs' >&2; exit 1; }
    # rustup gets the toolchain that rust-toolchain.toml names with the first call.
    cargo --version || exit 1
    trap finish EXIT
    trap 'interrupt 129' HUP
    trap 'interrupt 130' INT
    trap 'interrupt 143' TERM

    heading 'services'
    find_services || exit 1
    remove_old_runs
    rm -rf "$dir"
    mkdir -p "$dir"
    chmod 711 "$dir"
    # The servers start, and the large pair is made, while cargo compiles.
    start_services
    start_pair

    is_whole=$([ $# != 0 ] || echo yes)
    # A focused run does not wait for the lints.
    if [ $# = 0 ]; then
        lint fmt cargo fmt --all --check
        lint clippy cargo clippy --workspace --all-targets --locked -- -D warnings
    fi
    case " $* " in
    *' -p'* | *' --package'*) ;;
    *) set -- --workspace "$@" ;;
    esac
    step 'build the tests' cargo test --no-run --locked "$@" || { status=$?; exit; }

    heading 'wait for the services'
    await_services || { status=1; exit; }
    await_pair
    print_versions
    mkdir -p "$dir/tests"
    step 'tests' env \
        COUNTERFOIL_TEST_DATABASE_URL="$database_url" \
        COUNTERFOIL_TEST_AMQP_URL="$amqp_url" \
        COUNTERFOIL_TEST_REDIS_URL="$redis_url" \
        COUNTERFOIL_TEST_RABBITMQ_SERVER="$rabbitmq_server" \
        COUNTERFOIL_TEST_RABBITMQ_CTL="$rabbitmq_ctl" \
        COUNTERFOIL_TEST_RABBITMQ_EPMD="$rabbitmq_epmd" \
        COUNTERFOIL_TEST_POSTGRESQL_BINDIR="$postgresql_bindir" \
        COUNTERFOIL_TEST_PROMETHEUS="$prometheus_server" \
        COUNTERFOIL_TEST_PROMTOOL="$prometheus_promtool" \
        COUNTERFOIL_TEST_ALERTMANAGER="$alertmanager_server" \
        COUNTERFOIL_TEST_AMTOOL="$alertmanager_amtool" \
        COUNTERFOIL_TEST_DIR="$dir/tests" \
        ${pair:+COUNTERFOIL_TEST_PAIR_100K="$pair"} \
        cargo test --no-fail-fast --locked "$@" || tests_failed=$?
    [ "${tests_failed:-0}" = 0 ] || status=$tests_failed
    check_nothing_left
    if [ "$is_whole" = yes ]; then
        # With the executable that the end-to-end tests ran: a build of its package alone has other features
        # and would compile a third of everything again.
        step 'browser' sh "$root/ops/browser/run.sh" || status=1
    fi
    exit
}

find_services() {
    found=$(sh "$root/ops/get-services.sh" compiler postgresql rabbitmq redis prometheus alertmanager) || return 1
    # A value goes up to the end of its line and may hold anything but a line break.
    while IFS='=' read -r key value; do
        case $key in
        postgresql_bindir | rabbitmq_server | rabbitmq_ctl | rabbitmq_epmd | redis_server | redis_cli | \
            prometheus_server | prometheus_promtool | alertmanager_server | alertmanager_amtool)
            eval "$key=\$value"
            ;;
        esac
    done <<END
$found
END
}

# What a killed run left behind, once it is a day old.
remove_old_runs() {
    for old in "$root"/target/test-services/*; do
        if [ -d "$old" ] && ! kill -0 "${old##*/}" 2>/dev/null; then
            find "$old" -maxdepth 0 -mtime +0 -exec rm -rf {} +
        fi
    done
}

# --- the large pair ------------------------------------------------------------------------------

start_pair() {
    pair=''
    setsid sh "$root/ops/test-pair.sh" "$root/target/test-data" >"$dir/pair.log" 2>&1 </dev/null &
    pair_pid=$!
}

await_pair() {
    if wait "$pair_pid"; then
        pair=$root/target/test-data/100k
    else
        tail -n 1 "$dir/pair.log"
    fi
    pair_pid=''
}

# --- steps ---------------------------------------------------------------------------------------

heading() {
    printf '\n== %s\n' "$1"
}

# Runs a command in a session of its own and waits where a signal can interrupt: SIGTERM to this
# script must not wait for cargo. `env` because a shell starts background commands with SIGINT
# ignored, which tests that send one would inherit.
step() {
    name=$1
    shift
    heading "$name"
    step_at=$(date +%s)
    setsid env --default-signal=INT,QUIT "$@" </dev/null &
    step_pid=$!
    wait "$step_pid"
    result=$?
    step_pid=''
    note "$name" "$(($(date +%s) - step_at))" "$result"
    return $result
}

lint() {
    if "$2" "$3" --version >/dev/null 2>&1; then
        step "$@" || status=1
    else
        heading "$1"
        echo "skipped: cargo $3 is not installed (rustup component add rustfmt clippy)"
        summary="$summary$(printf '%6s    %-18s skipped' - "$1")
"
    fi
}

note() {
    if [ "$3" = 0 ]; then outcome=ok; else outcome="FAILED ($3)"; fi
    summary="$summary$(printf '%6s s  %-18s %s' "$2" "$1" "$outcome")
"
}

print_versions() {
    "$postgresql_bindir/postgres" --version
    sed -n 's/.* Starting \(RabbitMQ .*\)/\1/p' "$dir/rabbitmq.log" | head -n 1
    "$redis_server" --version | cut -d' ' -f1-3
}

# --- the end -------------------------------------------------------------------------------------

# Everything that a test started has COUNTERFOIL_TEST_DIR in its environment. Five seconds are for
# servers that were told to stop and are still at it.
check_nothing_left() {
    tries=0
    while left=$(left_behind) && [ -n "$left" ] && [ $tries -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    [ -n "$left" ] || return 0
    echo "FAILED: the tests left processes behind:"
    for pid in $left; do
        echo "  $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-150)"
    done
    [ "$status" != 0 ] || status=1
}

left_behind() {
    grep -lszxF "COUNTERFOIL_TEST_DIR=$dir/tests" /proc/[0-9]*/environ 2>/dev/null |
        sed 's|/proc/\([0-9]*\)/environ|\1|'
}

interrupt() {
    status=$1
    echo 'interrupted: stopping everything' >&2
    exit
}

finish() {
    code=$?
    [ "$status" != 0 ] || status=$code
    trap '' HUP INT TERM
    trap - EXIT
    for pid in $step_pid $pair_pid; do kill -s TERM -- "-$pid" 2>/dev/null; done
    [ -z "$step_pid" ] || await_end "$step_pid" 10
    for pid in $(left_behind); do kill -s KILL "$pid" 2>/dev/null; done
    stop_services
    # A test that was killed leaves its small disk mounted.
    grep -F " $dir/" /proc/mounts 2>/dev/null | while read -r _ at _; do umount -l "$at"; done
    case $homes in
    '' | "$dir") ;;
    *) rm -rf "$homes" ;;
    esac
    if [ -n "$summary" ]; then
        printf '\n== summary, %s s in all\n%s' "$(($(date +%s) - started_at))" "$summary"
    fi
    if [ "$status" = 0 ]; then
        rm -rf "$dir"
    elif [ -d "$dir" ]; then
        rm -rf "$dir/postgresql" "$dir/rabbitmq" "$dir/redis"
        echo "failed ($status); logs: $dir"
    fi
    exit "$status"
}

# shellcheck source=ops/private-services.sh
. "$root/ops/private-services.sh"
main "$@"
