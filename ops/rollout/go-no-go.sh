#!/bin/sh
# Whether a rollout may take its next step, by the figures of the last half hour.
#
#   sh ops/rollout/go-no-go.sh PROMETHEUS_URL [CANARY_VERSION]
#
# Prints each figure with its bound. Exit code 0: go; 1: no go; 2: it cannot be known. With a version, its workers may
# also not fail half a percentage point more of their attempts than the others do. Needs promtool.

set -u

promtool=${COUNTERFOIL_TEST_PROMTOOL:-promtool}
url=${1:?usage: go-no-go.sh PROMETHEUS_URL [CANARY_VERSION]}
canary=${2:-}
verdict=0

# The value of an expression that has one; nothing when it has none.
value() {
    answer=$("$promtool" query instant "$url" "$1") || { echo "cannot ask $url" >&2; exit 2; }
    printf '%s\n' "$answer" | sed -n 's/.*=> \([^ ]*\) @.*/\1/p' | head -n 1
}

# Shows a figure, and whether it keeps its bound: `holds` is an expression that is 1 when it does.
judge() {
    figure=$(value "$2") || exit 2
    holds=$(value "$4") || exit 2
    case ${figure:-none} in
    none | NaN) figure='no data' outcome='no go' verdict=1 ;;
    *) if [ "$holds" = 1 ]; then outcome=go; else outcome='no go' verdict=1; fi ;;
    esac
    printf '%-34s %-22s %-10s %s\n' "$1" "$figure" "$3" "$outcome"
}

judge 'crash-free attempts' 'counterfoil:rollout_crash_free:ratio30m' '>= 0.998' \
    'counterfoil:rollout_crash_free:ratio30m >= bool 0.998'
judge '95 of 100 answers within, seconds' 'counterfoil:rollout_http_p95:seconds30m' '< 0.5' \
    'counterfoil:rollout_http_p95:seconds30m < bool 0.5'
judge 'requests answered with 5xx' 'counterfoil:rollout_http_errors:ratio30m' '< 0.001' \
    'counterfoil:rollout_http_errors:ratio30m < bool 0.001'
judge 'jobs unaccounted for' 'max(counterfoil_jobs_unaccounted)' '= 0' 'max(counterfoil_jobs_unaccounted) == bool 0'
if [ -n "$canary" ]; then
    of="counterfoil:rollout_failed_attempts:ratio30m{version=\"$canary\"}"
    others="(max(counterfoil:rollout_failed_attempts:ratio30m{version!=\"$canary\"}) or vector(0))"
    judge "failed attempts of $canary, more" "max($of) - $others" '<= 0.005' "(max($of) - $others) <= bool 0.005"
fi
[ $verdict = 0 ] && echo 'GO' || echo 'NO GO'
exit $verdict
