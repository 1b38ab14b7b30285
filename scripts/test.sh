#!/usr/bin/env bash
# Builds a preset (default: release) and runs all its tests; ends with CTest's summary.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
scripts/install-deps.sh --tests
cmake --preset "$preset"
cmake --build --preset "$preset"
ctest --preset "$preset"
