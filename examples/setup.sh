#!/usr/bin/env bash
# Installs what this checkout of Jidget needs: Debian packages, .venv, and the Python packages in it.
#
#   examples/setup.sh demo     for ./examples/demo.sh, which calls this
#   examples/setup.sh tests    for ./tests/run.sh, which calls this
#
# Where everything is there already it prints nothing and changes nothing. Packages come by apt-get, with sudo if you
# are not root; servers that it installs are neither started nor enabled. Everything else stays inside the checkout.
# Works from any directory and without standard input; all output goes to standard error.
set -euo pipefail
exec </dev/null 1>&2

self=$(readlink -f -- "${BASH_SOURCE[0]}")
root=$(dirname -- "$(dirname -- "$self")")
venv=$root/.venv
clients=$root/tests/support/xmppjs
# Debian keeps servers where people who are not root do not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'examples/setup.sh: %s\n' "$1"
    shift
    [[ $# -eq 0 ]] || printf '    %s\n' "$@"
    exit 1
}

# --- Debian packages -------------------------------------------------------------------------------------------------

# Each line: the Debian package, and the program or file that shows it is there, however it came.
wanted_packages() {
    cat <<'LIST'
ca-certificates /etc/ssl/certs/ca-certificates.crt
mosquitto mosquitto
openssl openssl
prosody prosody
LIST
    [[ $1 == tests ]] && cat <<'LIST'
ejabberd ejabberdctl
nodejs node
npm npm
shellcheck shellcheck
strace strace
systemd systemd-analyze
LIST
    return 0
}

missing_packages() {
    local package shown_by
    while read -r package shown_by; do
        case $shown_by in
        /*) [[ -e $shown_by ]] ;;
        *) command -v -- "$shown_by" >/dev/null ;;
        esac || echo "$package"
    done < <(wanted_packages "$1")
    # With a .venv that works, the Python it was made with is enough.
    working_venv || find_python >/dev/null || printf 'python3\npython3-venv\n'
}

# The units that packages bring and enable. A server that a demo or a test needs must not listen on the network after
# the next boot, so what we install we also disable.
units_of() {
    case $1 in
    prosody) echo prosody.service ;;
    mosquitto) echo mosquitto.service ;;
    ejabberd) echo ejabberd.service epmd.service epmd.socket ;;
    esac
}

# Runs as root, in a process of its own. While it runs, a policy file keeps maintainer scripts from starting servers,
# with systemd and without (policy-rc.d: see invoke-rc.d(8)); one that is there already belongs to somebody else.
as_root_install() {
    # The variable is for the tests of this script; sudo does not pass it on.
    local policy=${JIDGET_POLICY_FILE:-/usr/sbin/policy-rc.d} ours="written by Jidget's examples/setup.sh" package unit
    local -a units=() switch=(disable)
    export DEBIAN_FRONTEND=noninteractive
    for package in "$@"; do
        [[ $package == ejabberd ]] && command -v epmd >/dev/null && { units+=(ejabberd.service); continue; }
        for unit in $(units_of "$package"); do units+=("$unit"); done
    done

    if [[ ! -e $policy && ! -L $policy ]] || grep -qsF "$ours" "$policy"; then
        # shellcheck disable=SC2064  # expanded now: the variable is gone when the trap runs
        trap "rm -f -- '$policy'" EXIT
        trap 'exit 130' INT TERM HUP
        printf '#!/bin/sh\n# Only while packages are installed: %s.\nexit 101\n' "$ours" >"$policy"
        chmod 755 "$policy"
    fi

    apt-get -q update || say "apt-get update had trouble; trying with the package lists that are there"
    apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confold install "$@"

    if [[ ${#units[@]} -gt 0 ]] && command -v systemctl >/dev/null; then
        [[ -d /run/systemd/system ]] && switch=(disable --now)
        systemctl --quiet "${switch[@]}" "${units[@]}"
        say "Installed but not started, and not enabled at boot: ${units[*]}"
    fi
}

install_packages() {
    local -a as_root=()
    say "Installing Debian packages: $*"
    if ! command -v apt-get >/dev/null; then
        fail "this machine has no apt-get. Install what these Debian packages bring, then run it again:" "$@"
    fi
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || fail "not root, and there is no sudo. As root run, then start this again:" \
            "apt-get update && apt-get install --no-install-recommends $*"
        as_root=(sudo)
        [[ ${CI:-} == true ]] && as_root+=(--non-interactive)
    fi
    "${as_root[@]}" bash -- "$self" as-root-install "$@" || fail "apt-get did not install all of it. Once it can:" \
        "apt-get update && apt-get install --no-install-recommends $*"
}

# --- Python ----------------------------------------------------------------------------------------------------------

can_run_jidget='import sys; raise SystemExit(sys.version_info < (3, 11))'

find_python() {
    local candidate
    while read -r candidate; do
        if "$candidate" -c "import ensurepip, venv; $can_run_jidget" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done < <(type -aP python3 python3.14 python3.13 python3.12 python3.11)
    return 1
}

# A virtual environment holds absolute paths and one Python's version: a moved checkout or a new Python needs a new one.
working_venv() {
    [[ -x $venv/bin/python ]] || return 1
    "$venv/bin/python" -c "import pip; $can_run_jidget" 2>/dev/null || return 1
    [[ ! -e $venv/jidget-root || $(<"$venv/jidget-root") == "$root" ]]
}

make_venv() {
    local python
    [[ ! -e $venv || -w $venv ]] || fail "$venv belongs to another user. Remove it, then run this again:" \
        "sudo rm -r '$venv'"
    working_venv && return
    python=$(find_python) || fail "Jidget needs Python 3.11 or newer with venv; this machine has: $(
        python3 --version 2>&1 || true)" "Debian 12, Raspberry Pi OS 12 and later bring it."
    say "Making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

# What was installed, and from what: the same line means that there is nothing to do.
install_python_packages() {
    local extras=$1 stamp=$venv/jidget-installed state
    local -a quiet=(--quiet)
    [[ -t 2 ]] && quiet=()
    state="$extras $(sha256sum <"$root/pyproject.toml")"
    # "dev" holds all that the plain installation has.
    [[ -e $stamp ]] && grep -qsxF -e "$state" -e "dev ${state#* }" "$stamp" && return
    say "Installing Python packages into .venv"
    rm -f "$stamp"
    (cd "$root" && "$venv/bin/python" -m pip install "${quiet[@]}" --no-input --disable-pip-version-check \
        --editable ".${extras:+[$extras]}") || fail "pip did not install the Python packages: see its message above."
    printf '%s\n' "$root" >"$venv/jidget-root"
    printf '%s\n' "$state" >"$stamp"
}

# --- The XMPP client in JavaScript that the tests log in with --------------------------------------------------------

install_node_packages() {
    local stamp=$clients/node_modules/jidget-installed state
    [[ -e $clients/package-lock.json ]] || return 0
    state=$(sha256sum <"$clients/package-lock.json")
    [[ -e $stamp && $(<"$stamp") == "$state" ]] && return
    say "Installing the JavaScript client of the tests"
    npm ci --prefix "$clients" --no-audit --no-fund --loglevel=error --ignore-scripts ||
        fail "npm did not install the JavaScript client: see its message above."
    printf '%s\n' "$state" >"$stamp"
}

# --- Main ------------------------------------------------------------------------------------------------------------

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$self"; }

main() {
    local purpose=${1:-} extras
    case $purpose in
    demo) extras= ;;
    tests) extras=dev ;;
    as-root-install)
        shift
        as_root_install "$@"
        return
        ;;
    -h | --help)
        usage
        return
        ;;
    *)
        usage
        exit 2
        ;;
    esac

    # One at a time: two would write the same .venv. The lock ends with this process.
    exec 9<"$self"
    flock --nonblock 9 || { say "Waiting for another examples/setup.sh" && flock 9; }

    local -a packages
    mapfile -t packages < <(missing_packages "$purpose")
    [[ ${#packages[@]} -eq 0 ]] || install_packages "${packages[@]}" 9<&-
    make_venv
    install_python_packages "$extras"
    [[ $purpose == demo ]] || install_node_packages
}

main "$@"
