#!/usr/bin/env bash
# Checks and tests. Installs what is missing first (see examples/setup.sh).
#
#   ./tests/run.sh                      everything, as CI does
#   ./tests/run.sh lint unit            parts: lint unit contract integration system
#   ./tests/run.sh unit -x -k words     what follows the parts goes to pytest
#
# JIDGET_TEST_LIMIT=17m   how long the tests may take together before they are stopped and say where they hung
# JIDGET_TEST_WORKERS=3   how many processes run them, each with its own servers; 0 for this one alone (to debug)
set -euo pipefail

tests=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
root=$(dirname -- "$tests")
python=$root/.venv/bin/python
# Debian keeps the servers where people who are not root do not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

all_parts=(lint unit contract integration system)
coverage_floor=80
limit=${JIDGET_TEST_LIMIT:-17m}
# Tests wait for servers and links more than they compute, so one process more than there are cores.
workers=${JIDGET_TEST_WORKERS:-$(($(nproc) + 1))}
# So many failed tests of a whole run get a second try, alone: beside others a real server may be slow beyond all reason.
again_at_most=5
last_failed=$root/.pytest_cache/v/cache/lastfailed
# A test that is silent for so long gets the stacks of all threads printed.
stack_after=120

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'; else bold='' red='' plain=''; fi
heading() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }

is_part() {
    local part
    for part in "${all_parts[@]}"; do [[ $1 != "$part" ]] || return 0; done
    return 1
}

failed=()
check() {
    local name=$1
    shift
    heading "$name"
    "$@" || failed+=("$name")
}

# All of them, whatever the first ones say; a fault found by any ends the run before the tests.
lint() {
    local -a scripts=()
    mapfile -t scripts < <(grep --recursive --files-with-matches --exclude-dir={.git,.venv,node_modules} \
        --extended-regexp '^#!.*(/| )(ba)?sh$' -- .ci examples tests systemd)
    check "ruff check" "$python" -m ruff check .
    check "ruff format" "$python" -m ruff format --check .
    check "mypy" "$python" -m mypy
    check "lint-imports" "$root/.venv/bin/lint-imports" --no-logo
    check "shellcheck" shellcheck -- "${scripts[@]}"
    if [[ ${#failed[@]} -gt 0 ]]; then
        printf '%sfailed:%s' "$red" "$plain"
        printf ' %s' "${failed[@]}"
        printf '\n'
        exit 1
    fi
}

run_tests() {
    local status=0
    local -a strict=()
    # In CI a skipped test is a failed one: see tests/README.md.
    [[ ${CI:-} == true ]] && strict=(-p tests.support.strict_skips)
    heading "pytest"
    [[ ${#whole[@]} -eq 0 ]] || rm -f -- "$last_failed"
    # --foreground: Ctrl-C reaches pytest. SIGINT: fixtures stop their servers, and pytest says where it was.
    timeout --foreground --signal=INT --kill-after=30s "$limit" \
        "$python" -m pytest -m "not hardware" -o faulthandler_timeout="$stack_after" \
        --numprocesses "$workers" --dist loadfile "${strict[@]}" "$@" || status=$?
    if [[ $status -eq 124 || $status -eq 137 ]]; then
        printf '%sstopped:%s the tests did not end within %s; the stacks above show where they were\n' \
            "$red" "$plain" "$limit"
    fi
    [[ $status -ne 1 || ${#whole[@]} -eq 0 ]] || try_again "${strict[@]}" || exit "$status"
    [[ $status -eq 1 && ${#whole[@]} -gt 0 ]] || exit "$status"
}

# What fails beside others and passes alone is told, not hidden; what fails twice, or with many, has failed.
try_again() {
    local number
    number=$(grep --count '": true' -- "$last_failed" 2>/dev/null) || return 1
    [[ $number -le $again_at_most ]] || return 1
    heading "pytest: $number failed; once more, alone"
    cp -- "$last_failed" "$last_failed.first"
    timeout --foreground --signal=INT --kill-after=30s "$limit" \
        "$python" -m pytest -m "not hardware" -o faulthandler_timeout="$stack_after" --numprocesses 0 \
        --last-failed --last-failed-no-failures none "$@" tests || return 1
    printf '%sfailed beside others, passed alone:%s\n' "$red" "$plain"
    grep --only-matching '"[^"]*": true' -- "$last_failed.first" | sed 's/^"/    /; s/": true$//'
}

parts=()
while [[ $# -gt 0 ]] && is_part "$1"; do
    parts+=("$1")
    shift
done
if [[ $# -gt 0 && $1 != -* ]]; then
    printf 'tests/run.sh: no part is called "%s"; there are: %s\n' "$1" "${all_parts[*]}" >&2
    exit 2
fi
whole=()
if [[ ${#parts[@]} -eq 0 ]]; then
    parts=("${all_parts[@]}")
    # A part alone, or a selection, cannot reach the floor.
    [[ $# -gt 0 ]] || whole=(--cov --cov-report=term:skip-covered "--cov-fail-under=$coverage_floor" --durations=10)
fi

bash -- "$root/examples/setup.sh" tests
cd -- "$root"

folders=()
for part in "${parts[@]}"; do
    if [[ $part == lint ]]; then lint; else folders+=("tests/$part"); fi
done
[[ ${#folders[@]} -eq 0 ]] || run_tests "${folders[@]}" "${whole[@]}" "$@"
