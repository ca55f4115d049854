#!/usr/bin/env bash
# Shows Jidget at work on this machine: a private XMPP server, a device that logs in, readings, commands, a refusal.
# Installs what is missing first (see setup.sh). Options go to `jidget demo`: --once ends after the script, --help.
set -euo pipefail
examples=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
bash -- "$examples/setup.sh" demo
exec "$examples/../.venv/bin/jidget" demo "$@"
