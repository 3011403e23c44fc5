# Private PostgreSQL, RabbitMQ and Redis for one test run. Sourced by test.sh, after it has set
#
#   dir                                    the folder of this run, empty
#   postgresql_bindir rabbitmq_server rabbitmq_epmd redis_server redis_cli
#
# and gives database_url, amqp_url, redis_url. `start_services` returns at once, `await_services` when they answer, `stop_services` when they are
# gone. All listen on free ports of 127.0.0.1 only, in sessions of their own, so that Ctrl-C reaches
# nobody but the script, and each dies when the script does, even of SIGKILL. Nothing in them is
# worth keeping: they run without fsync and are stopped without ceremony.
# shellcheck shell=sh disable=SC2034,SC2154

postgresql_pid='' rabbitmq_pid='' epmd_pid='' redis_pid=''
ports_taken=' '

start_services() {
    choose_account
    start_postgresql
    start_rabbitmq
    start_redis
}

await_services() {
    await postgresql && await rabbitmq && await redis
}

stop_services() {
    signal KILL "$rabbitmq_pid"
    signal KILL "$epmd_pid"
    signal KILL "$redis_pid"
    signal INT "$postgresql_pid"
    await_end "$postgresql_pid" 10 || signal QUIT "$postgresql_pid"
    for pid in "$postgresql_pid" "$rabbitmq_pid" "$epmd_pid" "$redis_pid"; do
        await_end "$pid" 10 || echo "still running: process $pid" >&2
    done
}

# PostgreSQL refuses to run as root, and none of the three needs to.
choose_account() {
    account=''
    homes=$dir
    [ "$(id -u)" = 0 ] || return 0
    for account in postgres nobody; do
        id -u "$account" >/dev/null 2>&1 && break
    done
    # The account may be shut out of a checkout below /root.
    if ! as_account test -x "$dir"; then
        homes=$(mktemp -d "${TMPDIR:-/tmp}/counterfoil-test.XXXXXX")
        chmod 711 "$homes"
    fi
}

as_account() {
    if [ -n "$account" ]; then
        setpriv --reuid="$account" --regid="$(id -g "$account")" --clear-groups "$@"
    else
        "$@"
    fi
}

# Takes the place of the (sub)shell that calls it, so that `$!` is the server itself.
become() {
    if [ -n "$account" ]; then
        exec setsid setpriv --reuid="$account" --regid="$(id -g "$account")" --clear-groups \
            --pdeathsig KILL "$@"
    else
        exec setsid setpriv --pdeathsig KILL "$@"
    fi
}

# Sets `port`. Somebody may take it before the server does: `await` tries again with another one.
# The range lies below the one from which the kernel gives ports to outgoing connections.
choose_port() {
    while :; do
        port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
        case $ports_taken in *" $port "*) continue ;; esac
        grep -qs ": [0-9A-F]*:$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 && continue
        ports_taken="$ports_taken$port "
        return 0
    done
}

# Sets `home` to an empty folder that only the servers' account can read.
make_home() {
    home=$homes/$1
    rm -rf "$home"
    mkdir -p "$home"
    chmod 700 "$home"
    [ -z "$account" ] || chown "$account" "$home"
}

# --- PostgreSQL ----------------------------------------------------------------------------------

# Password and not trust: on a shared machine others can reach the port, and this is a superuser.
start_postgresql() {
    choose_port
    make_home postgresql
    postgresql_port=$port
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    database_url=postgres://postgres:$password@127.0.0.1:$port/postgres
    (
        umask 077
        cd "$home" || exit 1
        printf '%s\n' "$password" >password
        [ -z "$account" ] || chown "$account" password
        unset PGHOST PGPORT PGUSER PGDATABASE PGDATA PGOPTIONS
        as_account "$postgresql_bindir/initdb" -D data -U postgres --pwfile=password \
            --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync || exit 1
        become "$postgresql_bindir/postgres" -D data -p "$port" \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
            -c max_connections=300 -c shared_buffers=128MB \
            -c fsync=off -c full_page_writes=off
    ) >>"$dir/postgresql.log" 2>&1 </dev/null &
    postgresql_pid=$!
}

postgresql_ready() {
    "$postgresql_bindir/pg_isready" -q -h 127.0.0.1 -p "$postgresql_port" -d postgres
}

# --- RabbitMQ ------------------------------------------------------------------------------------

# epmd, the name server of Erlang, runs in the foreground here; otherwise the node would leave one
# behind as a daemon. RUNNING_UNDER_SYSTEMD makes the start script become the node instead of
# watching over it.
start_rabbitmq() {
    choose_port
    make_home rabbitmq
    amqp_url=amqp://guest:guest@127.0.0.1:$port/%2f
    printf 'listeners.tcp.1 = 127.0.0.1:%s\nloopback_users.guest = true\n' "$port" >"$home/rabbitmq.conf"
    echo '[].' >"$home/enabled_plugins"
    : >"$home/none.conf"
    [ -z "$account" ] || chown -R "$account" "$home"
    choose_port
    epmd_port=$port
    choose_port
    (
        cd "$home" || exit 1
        become "$rabbitmq_epmd" -port "$epmd_port" -address 127.0.0.1
    ) >>"$dir/epmd.log" 2>&1 </dev/null &
    epmd_pid=$!
    (
        cd "$home" || exit 1
        for name in $(env | sed -n 's/^\(RABBITMQ_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
        unset NOTIFY_SOCKET ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ERL_LIBS
        export HOME="$home" RUNNING_UNDER_SYSTEMD=1
        export ERL_EPMD_PORT="$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1
        export RABBITMQ_NODENAME="counterfoil_test_$$@localhost" RABBITMQ_DIST_PORT="$port"
        export RABBITMQ_CONF_ENV_FILE="$home/none.conf" RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf"
        export RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins"
        export RABBITMQ_MNESIA_BASE="$home/data" RABBITMQ_LOG_BASE="$home/log" RABBITMQ_LOGS=-
        export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
        # 3.10 reserves open files for every quorum queue and keeps some of those of deleted ones: with the usual
        # 1,024 it stops answering after a few hundred queues.
        files_max=$(ulimit -Hn)
        [ "$files_max" != unlimited ] && [ "$files_max" -lt 65536 ] || files_max=65536
        ulimit -Sn "$files_max"
        become "$rabbitmq_server"
    ) >>"$dir/rabbitmq.log" 2>&1 </dev/null &
    rabbitmq_pid=$!
}

# The listener opens as the last step of the boot, just before this line.
rabbitmq_ready() {
    grep -qs 'Server startup complete' "$dir/rabbitmq.log"
}

# --- Redis ---------------------------------------------------------------------------------------

start_redis() {
    choose_port
    make_home redis
    redis_port=$port
    redis_url=redis://127.0.0.1:$port
    (
        cd "$home" || exit 1
        become "$redis_server" --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$home"
    ) >>"$dir/redis.log" 2>&1 </dev/null &
    redis_pid=$!
}

redis_ready() {
    [ "$("$redis_cli" -h 127.0.0.1 -p "$redis_port" ping 2>/dev/null)" = PONG ]
}

# --- waiting -------------------------------------------------------------------------------------

# Waits up to 60 s for one of them; starts it anew, at most twice, when its port was taken meanwhile.
await() {
    attempt=1
    while :; do
        eval "pid=\$${1}_pid"
        tries=0
        while alive "$pid" && [ $tries -lt 600 ]; do
            ! "${1}_ready" || return 0
            sleep 0.1
            tries=$((tries + 1))
        done
        if alive "$pid" || [ $attempt = 3 ] ||
            ! grep -qsiE 'in use|eaddrinuse' "$dir/$1.log" "$dir/epmd.log"; then
            echo "$1 did not start; the end of $dir/$1.log:" >&2
            tail -n 20 "$dir/$1.log" >&2
            return 1
        fi
        attempt=$((attempt + 1))
        mv "$dir/$1.log" "$dir/$1.log.$attempt"
        [ "$1" != rabbitmq ] || signal KILL "$epmd_pid"
        "start_$1"
    done
}

# A process that has ended but was not waited for yet still has its number.
alive() {
    [ -n "$1" ] && [ -r "/proc/$1/status" ] && ! grep -qs '^State:[[:space:]]*[ZX]' "/proc/$1/status"
}

signal() {
    ! alive "$2" || kill -s "$1" "$2" 2>/dev/null || true
}

await_end() {
    tries=0
    while alive "$1"; do
        [ $tries -lt $(($2 * 10)) ] || return 1
        sleep 0.1
        tries=$((tries + 1))
    done
}
