#!/bin/sh
# Makes the secrets of compose.yaml, once: what is there stays as it is.
#
#   sh ops/compose/make-secrets.sh [DIR]        DIR: default `secrets` beside this file
#
# The folder can be entered by its owner alone; the files in it can be read by anybody who got so far, because the
# accounts inside the containers are others than the one that runs this. Needs openssl.

set -eu
umask 077

dir=${1:-$(cd "$(dirname "$0")" && pwd)/secrets}
mkdir -p "$dir/alertmanager"
chmod 700 "$dir"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

main() {
    postgres_password=$(password postgres-password)
    rabbitmq_password=$(password rabbitmq-password)
    redis_password=$(password redis-password)
    password grafana-password >/dev/null
    keep database-url printf '%s\n' "postgres://counterfoil:$postgres_password@postgres:5432/counterfoil"
    keep broker-url printf '%s\n' "amqp://counterfoil:$rabbitmq_password@rabbitmq:5672/counterfoil"
    keep redis-url printf '%s\n' "redis://:$redis_password@redis:6379/0"
    keep redis-conf printf 'requirepass %s\nmaxmemory 128mb\nmaxmemory-policy volatile-ttl\nsave ""\nappendonly no\n' \
        "$redis_password"
    keep signing-key openssl genpkey -algorithm ed25519
    keep sealing-key openssl rand -hex 32
    keep metrics-token openssl rand -hex 32
    keep rabbitmq-definitions definitions "$rabbitmq_password"
    # Where alerts go is yours to say; until then Alertmanager runs and reports that it cannot send.
    for name in slack-url pagerduty-key mail-password webhook-credentials; do
        keep "alertmanager/$name" printf ''
    done
    chmod 755 "$dir/alertmanager"
    echo "secrets in $dir"
}

# Makes a file of a command's output, whole or not at all, unless it is there.
keep() {
    name=$1
    shift
    [ ! -e "$dir/$name" ] || return 0
    "$@" >"$scratch/part"
    chmod 644 "$scratch/part"
    mv "$scratch/part" "$dir/$name"
}

password() {
    keep "$1" openssl rand -hex 24
    cat "$dir/$1"
}

# The definitions in ops/rabbitmq with the account that uses them. RabbitMQ knows a password as the base64 of four
# random bytes and the SHA-256 of these and the password.
definitions() {
    openssl rand 4 >"$scratch/salt"
    { cat "$scratch/salt"; printf '%s' "$1"; } | openssl dgst -sha256 -binary >"$scratch/digest"
    hash=$(cat "$scratch/salt" "$scratch/digest" | openssl base64 -A)
    sed "s|@PASSWORD_HASH@|$hash|" "$(dirname "$0")/../rabbitmq/definitions.json"
}

main
