#!/usr/bin/env bash
# The tables of the MediSC paper with today's figures: compiles its seven networks, runs each as two processes over loopback TCP,
# and prints accuracy, cost by phase, and what a ReLU and a max-pool take. BIN=DIR takes the programs from there; --help has options.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${BIN:-$root/build/release/bin}

if [ ! -x "$bin/sdc" ] || [ ! -x "$bin/sd-run" ]; then
  "$root/scripts/install-deps.sh"
  cmake -S "$root" --preset release
  cmake --build "$root/build/release" --target sdc sd-run
fi
exec /usr/bin/python3 -B "$here/tables.py" --bin "$bin" --address "127.0.0.1:${PORT:-7768}" "$@"
