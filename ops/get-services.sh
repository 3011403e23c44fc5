#!/bin/sh
# Gets the programs of the servers on a Debian-like machine and prints where they are.
#
#   sh ops/get-services.sh NAME...        NAME: postgresql, rabbitmq, redis, prometheus, alertmanager,
#                                         compiler, chromium
#
# Standard output has one `key=value` a line, the value unquoted up to the end of the line:
#
#   postgresql_bindir=…   postgresql_version=…      a folder with postgres, initdb, pg_dump, psql
#   rabbitmq_server=…     rabbitmq_ctl=…     rabbitmq_epmd=…
#   redis_server=…        redis_cli=…
#   prometheus_server=…   prometheus_promtool=…
#   alertmanager_server=… alertmanager_amtool=…
#   compiler_cc=…
#   chromium=…                                      only for the browser tests; large
#
# Progress goes to standard error. Exit code 0: everything asked for is there; 1: something is
# missing, and the message says which one command gets it; 2: wrong usage.
#
# What is already installed is used. Otherwise root (or sudo without a password) installs the
# system's packages, in a way that starts no system service, now or at the next boot, and makes no
# database cluster. Anybody else gets the same packages unpacked into a folder of their own; the
# system does not change. Running it again costs nothing; two at once wait for each other.
#
#   COUNTERFOIL_SERVICES_DIR   the folder for unpacked programs; an absolute path
#                              (default ~/.cache/counterfoil/services, for root
#                              /var/cache/counterfoil/services: the servers refuse to run as root,
#                              and their account cannot look into root's home)
#   COUNTERFOIL_SERVICES       `private`: unpack even when the system has or could get the programs
#
# Needs only sh and what every Debian has (apt, dpkg, flock, sed, awk): `counterfoil up` carries this
# file inside and runs it where there is no checkout.

set -eu

main() {
    [ $# -gt 0 ] || { usage; exit 2; }
    for name; do
        case $name in
        postgresql | rabbitmq | redis | prometheus | alertmanager | compiler | chromium) ;;
        *) usage; exit 2 ;;
        esac
    done
    if [ "$(id -u)" = 0 ]; then
        private_dir=${COUNTERFOIL_SERVICES_DIR:-/var/cache/counterfoil/services}
    else
        private_dir=${COUNTERFOIL_SERVICES_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp/counterfoil-$(id -u)}/.cache}/counterfoil/services}
    fi
    # RabbitMQ's start scripts cannot live in a path with blanks.
    case $private_dir in
    *[!A-Za-z0-9/._+@~-]*) private_dir_is=unusable ;;
    /*) private_dir_is=usable ;;
    *) private_dir_is=unusable ;;
    esac

    missing=$(missing_of "$@")
    if [ -n "$missing" ]; then
        # Two names never need word splitting protection: they come from the list above.
        # shellcheck disable=SC2086
        get $missing
        missing=$(missing_of "$@")
        [ -z "$missing" ] || give_up "still missing after the installation: $missing" "$missing"
    fi
    for name; do "find_$name"; done
}

usage() {
    say "usage: get-services.sh NAME..."
    say "NAME: postgresql, rabbitmq, redis, prometheus, alertmanager, compiler, chromium"
}

say() {
    printf '%s\n' "get-services: $*" >&2
}

missing_of() {
    sep=''
    for name; do
        "find_$name" >/dev/null || { printf '%s%s' "$sep" "$name"; sep=' '; }
    done
}

give_up() {
    say "$1"
    # shellcheck disable=SC2086
    say "get it with:  sudo apt-get install -y --no-install-recommends $(packages_of $2)"
    exit 1
}

packages_of() {
    sep=''
    for name; do
        case $name in
        postgresql) printf '%spostgresql' "$sep" ;;
        rabbitmq) printf '%srabbitmq-server' "$sep" ;;
        redis) printf '%sredis-server' "$sep" ;;
        prometheus) printf '%sprometheus' "$sep" ;;
        alertmanager) printf '%sprometheus-alertmanager' "$sep" ;;
        compiler) printf '%sgcc libc6-dev' "$sep" ;;
        chromium) printf '%schromium' "$sep" ;;
        esac
        sep=' '
    done
}

# --- finding -------------------------------------------------------------------------------------
# Each prints its keys and succeeds, or prints nothing and fails.

use_system() {
    [ "${COUNTERFOIL_SERVICES:-}" != private ]
}

# The newest version wins, whichever place it is in.
find_postgresql() {
    found_bindir='' found_version=0
    if use_system; then
        in_path=$(command -v postgres || true)
        in_path=${in_path:+$(dirname "$(readlink -f "$in_path")")}
        for bindir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin "$in_path"; do
            consider_postgresql "$bindir"
        done
    fi
    consider_postgresql "$private_dir/postgresql/bin"
    [ -n "$found_bindir" ] || return 1
    echo "postgresql_bindir=$found_bindir"
    echo "postgresql_version=$found_version"
}

consider_postgresql() {
    for program in postgres initdb pg_dump; do
        [ -x "$1/$program" ] || return 0
    done
    version=$("$1/postgres" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
    if [ -n "$version" ] && [ "$version" -gt "$found_version" ]; then
        found_bindir=$1 found_version=$version
    fi
}

# Not /usr/sbin/rabbitmq-server: on Debian that is a wrapper for the system's own node, which runs
# only as root or rabbitmq.
find_rabbitmq() {
    if use_system && epmd=$(command -v epmd) && command -v erl >/dev/null; then
        for sbin in /usr/lib/rabbitmq/bin /opt/rabbitmq/sbin /usr/local/opt/rabbitmq/sbin; do
            if [ -x "$sbin/rabbitmq-server" ] && [ -x "$sbin/rabbitmqctl" ]; then
                print_rabbitmq "$sbin" "$epmd"
                return 0
            fi
        done
    fi
    [ -x "$private_dir/rabbitmq/bin/rabbitmq-server" ] || return 1
    print_rabbitmq "$private_dir/rabbitmq/bin" "$private_dir/rabbitmq/bin/epmd"
}

print_rabbitmq() {
    echo "rabbitmq_server=$1/rabbitmq-server"
    echo "rabbitmq_ctl=$1/rabbitmqctl"
    echo "rabbitmq_epmd=$2"
}

find_redis() {
    if use_system && server=$(command -v redis-server) && cli=$(command -v redis-cli); then
        :
    elif [ -x "$private_dir/redis/bin/redis-server" ]; then
        server=$private_dir/redis/bin/redis-server cli=$private_dir/redis/bin/redis-cli
    else
        return 1
    fi
    echo "redis_server=$server"
    echo "redis_cli=$cli"
}

find_prometheus() {
    if use_system && server=$(command -v prometheus) && promtool=$(command -v promtool); then
        :
    elif [ -x "$private_dir/prometheus/bin/prometheus" ]; then
        server=$private_dir/prometheus/bin/prometheus promtool=$private_dir/prometheus/bin/promtool
    else
        return 1
    fi
    echo "prometheus_server=$server"
    echo "prometheus_promtool=$promtool"
}

# Debian calls the server prometheus-alertmanager.
find_alertmanager() {
    if use_system && amtool=$(command -v amtool) &&
        { server=$(command -v prometheus-alertmanager) || server=$(command -v alertmanager); }; then
        :
    elif [ -x "$private_dir/alertmanager/bin/prometheus-alertmanager" ]; then
        server=$private_dir/alertmanager/bin/prometheus-alertmanager
        amtool=$private_dir/alertmanager/bin/amtool
    else
        return 1
    fi
    echo "alertmanager_server=$server"
    echo "alertmanager_amtool=$amtool"
}

# A compiler without the headers of the C library is not enough: ask it to build something.
find_compiler() {
    cc=$(command -v cc) || return 1
    printf '#include <stdlib.h>\nint main(void) { return 0; }\n' |
        "$cc" -x c - -o /dev/null 2>/dev/null || return 1
    echo "compiler_cc=$cc"
}

find_chromium() {
    chromium=$(command -v chromium) || return 1
    echo "chromium=$chromium"
}

# --- getting -------------------------------------------------------------------------------------

get() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        give_up "not a Debian-like machine (no apt-get here); install these yourself: $*" "$*"
    fi
    if use_system && [ "$(id -u)" = 0 ]; then
        install_packages "" "$@"
    elif use_system && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        install_packages "sudo -n" "$@"
    else
        for name; do
            [ "$name" != compiler ] ||
                give_up "a C compiler and the C library's headers are missing" "$*"
            # Too large, and with too many paths of its own, to be unpacked into a folder.
            [ "$name" != chromium ] || give_up "Chromium is missing" "$*"
        done
        [ "$private_dir_is" = usable ] || {
            say "programs cannot be unpacked into '$private_dir':"
            say "set COUNTERFOIL_SERVICES_DIR to an absolute path of letters, digits and /._+@~-"
            exit 2
        }
        mkdir -p "$private_dir"
        exec 9>"$private_dir/.lock"
        flock 9
        for name; do
            # Another run may have done it while this one waited for the lock.
            "find_$name" >/dev/null || unpack "$name"
        done
        exec 9>&-
    fi
}

install_packages() {
    as_root=$1
    shift
    packages=$(packages_of "$@")
    say "installing $packages (${as_root:-as root})"
    # shellcheck disable=SC2086
    $as_root sh -c "$install_script" get-services $packages >&2 </dev/null ||
        give_up "the installation failed, see above" "$*"
}

# Runs as root. The two files it puts down stop the packages from starting a service and from
# creating a database cluster; both are gone again afterwards, also after Ctrl-C, and what a killed
# run left behind is put right by the next one. (No single quotes inside.)
# shellcheck disable=SC2016
install_script='
set -eu
policy=/usr/sbin/policy-rc.d
saved=$policy.before-counterfoil
cluster_conf=/etc/postgresql-common/createcluster.d/counterfoil.conf
mark="# put here by get-services.sh of Counterfoil for the time of one installation"

restore() {
    if grep -qs "$mark" "$policy"; then rm -f "$policy"; fi
    if [ -e "$saved" ] || [ -L "$saved" ]; then mv -f "$saved" "$policy"; fi
    if [ -e "$cluster_conf" ]; then
        rm -f "$cluster_conf"
        # Only folders that are empty go: the one of the package itself stays.
        rmdir "${cluster_conf%/*}" /etc/postgresql-common 2>/dev/null || true
    fi
}

mkdir -p /run/lock
exec 9>/run/lock/counterfoil-get-services.lock
flock 9
restore
trap restore EXIT
trap "exit 1" HUP INT TERM

umask 022
forbids=0
if [ -x "$policy" ]; then "$policy" redis-server start >/dev/null 2>&1 || forbids=$?; fi
if [ "$forbids" != 101 ]; then
    if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$saved"; fi
    printf "#!/bin/sh\n%s\nexit 101\n" "$mark" >"$policy"
    chmod 755 "$policy"
fi
mkdir -p "${cluster_conf%/*}"
printf "%s\ncreate_main_cluster = false\n" "$mark" >"$cluster_conf"

# Units that come with this installation stay off at the next boot too.
before=" $(cd /lib/systemd/system 2>/dev/null && echo *) "

export DEBIAN_FRONTEND=noninteractive
apt() {
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@" 9>&-
}
# The package lists of a bare machine are often missing or old: a second try gets new ones.
apt install --no-install-recommends "$@" || { apt update && apt install --no-install-recommends "$@"; }

for unit in postgresql.service rabbitmq-server.service redis-server.service epmd.service epmd.socket \
    prometheus.service prometheus-alertmanager.service; do
    case $before in
    *" $unit "*) ;;
    *)
        [ -e "/lib/systemd/system/$unit" ] || continue
        if command -v systemctl >/dev/null; then
            systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
        fi
        name=${unit%.service}
        if [ -e "/etc/init.d/$name" ]; then update-rc.d "$name" disable >/dev/null 2>&1 || true; fi
        ;;
    esac
done
'

# Unpacks one program and everything it needs that the system lacks into $private_dir/NAME, complete
# or not at all, with a wrapper for each program in $private_dir/NAME/bin.
unpack() {
    target=$private_dir/$1
    work=$private_dir/$1.partial
    say "unpacking $1 into $target (nothing is installed into the system)"
    rm -rf "$work"
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/root"
    # To the solver the server's own packages are absent, so that the tree is whole even where
    # the system has some of them (the client without the server, say).
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/^Package: (postgresql|rabbitmq|erlang|redis|prometheus)/' \
        /var/lib/dpkg/status >"$work/state/status"
    {
        apt_private update &&
            apt_private install --download-only --no-install-recommends --fix-broken "$(packages_of "$1")"
    } >"$private_dir/$1.log" 2>&1 </dev/null || {
        tail -n 15 "$private_dir/$1.log" >&2
        rm -rf "$work"
        give_up "downloading $1 failed" "$1"
    }
    for deb in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$work/root"
    done
    "wrap_$1"
    rm -rf "$work/state" "$work/cache" "$private_dir/$1.log" "$target"
    mv "$work" "$target"
}

apt_private() {
    apt-get -q -y -o Dir::State="$work/state" -o Dir::State::lists="$work/state/lists" \
        -o Dir::State::status="$work/state/status" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@"
}

wrap_postgresql() {
    for program in "$work"/root/usr/lib/postgresql/*/bin/*; do
        wrap "$program"
    done
}

wrap_rabbitmq() {
    # Erlang's start scripts name their root absolutely and ignore ERL_ROOTDIR on Debian.
    for script in "$work"/root/usr/lib/erlang/bin/* "$work"/root/usr/lib/erlang/erts-*/bin/*; do
        if [ -f "$script" ] && [ ! -L "$script" ] && head -c 2 "$script" | grep -q '#!'; then
            sed -i "s|/usr/lib/erlang|$target/root/usr/lib/erlang|g" "$script"
        fi
    done
    wrap "$work/root/usr/lib/rabbitmq/bin/rabbitmq-server"
    wrap "$work/root/usr/lib/rabbitmq/bin/rabbitmqctl"
    wrap "$work/root/usr/lib/erlang/bin/epmd"
}

wrap_redis() {
    wrap "$work/root/usr/bin/redis-server"
    wrap "$work/root/usr/bin/redis-cli"
}

wrap_prometheus() {
    wrap "$work/root/usr/bin/prometheus"
    wrap "$work/root/usr/bin/promtool"
}

wrap_alertmanager() {
    wrap "$work/root/usr/bin/prometheus-alertmanager"
    wrap "$work/root/usr/bin/amtool"
}

# The wrapper names the final place, not the partial one. PATH is for RabbitMQ's scripts, which look
# for `erl` there.
wrap() {
    mkdir -p "$work/bin"
    real=$target/root${1#"$work/root"}
    libraries=''
    for folder in "$work"/root/usr/lib/*-linux-* "$work"/root/lib/*-linux-*; do
        [ ! -d "$folder" ] || libraries=$libraries$target/root${folder#"$work/root"}:
    done
    cat >"$work/bin/${1##*/}" <<END
#!/bin/sh
LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:-}"
LD_LIBRARY_PATH="\${LD_LIBRARY_PATH%:}"
PATH="$target/root/usr/lib/erlang/bin:\$PATH"
export LD_LIBRARY_PATH PATH
exec "$real" "\$@"
END
    chmod 755 "$work/bin/${1##*/}"
}

main "$@"
