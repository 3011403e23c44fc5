#!/bin/sh
# The pages in a real browser, against a real `counterfoil up`.
#
#   sh ops/browser/run.sh                  every test
#   sh ops/browser/run.sh Keyboard         only these
#   sh ops/browser/run.sh --screenshots    also writes docs/images anew
#
# Needs a built target/debug/counterfoil. Gets Chromium as ops/get-services.sh gets servers, and what drives it
# (Playwright, axe-core, Pillow) into target/browser-tools. Where neither root nor a network is to be had, it says so
# and skips.

set -u

root=$(cd "$(dirname "$0")/../.." && pwd -P)
tools=$root/target/browser-tools
axe=4.14.1

skip() {
    echo "browser tests skipped: $1"
    exit 0
}

[ -x "$root/target/debug/counterfoil" ] || { echo 'build it first: cargo build' >&2; exit 1; }
command -v python3 >/dev/null || skip 'python3 is missing'
chromium=$(sh "$root/ops/get-services.sh" chromium | sed -n 's/^chromium=//p')
[ -n "$chromium" ] || skip 'Chromium is missing and cannot be installed here'

mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/python" ] || ! "$tools/venv/bin/python" -c 'import playwright, PIL' 2>/dev/null; then
    rm -rf "$tools/venv"
    python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install -q 'playwright==1.*' 'pillow' >"$tools/pip.log" 2>&1 ||
        skip "Playwright cannot be installed, see $tools/pip.log"
fi
if [ ! -s "$tools/axe.min.js" ]; then
    command -v npm >/dev/null || skip 'axe-core cannot be had without npm'
    (cd "$tools" && npm pack --silent "axe-core@$axe" >/dev/null 2>npm.log && tar xzf "axe-core-$axe.tgz" &&
        cp package/axe.min.js axe.min.js && rm -rf package "axe-core-$axe.tgz") || skip "axe-core cannot be had, see $tools/npm.log"
fi

COUNTERFOIL_CHROMIUM=$chromium COUNTERFOIL_AXE=$tools/axe.min.js \
    exec "$tools/venv/bin/python" "$root/ops/browser/test_pages.py" "$@"
