#!/usr/bin/env bash
# Runs text tests: scripts/lit.sh test/passes test/run/service.test. SD_PRESET names another build than release.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/${SD_PRESET:-release}
[ $# -gt 0 ] || set -- test
lit=$(sed -n 's/^SD_LIT:FILEPATH=//p' "$build/CMakeCache.txt")
paths=()
for path in "$@"; do
  path=${path#"$PWD/"}
  path=${path%/}
  paths+=("$build/$path")
done
exec /usr/bin/python3 "$lit" -v "${paths[@]}"
