#!/usr/bin/env bash
# Formats all C++ files of the tree; with --check, names those that are not formatted and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files '*.cpp' '*.h')
case "${1:-}" in
  --check) exec clang-format --dry-run --Werror "${files[@]}" ;;
  "") exec clang-format -i "${files[@]}" ;;
  *) echo "usage: scripts/format.sh [--check]" >&2; exit 2 ;;
esac
