#!/usr/bin/env bash
# Do the tests notice a broken protocol? Applies security-relevant mutations (test/mutation/mutations.py) to a copy of the tree,
# and runs the tests that must fail. Prints killed and survived; fails if one survives, or if a mutation's text is no longer
# found. To be run before anything in crypto, ot, he, offline, protocol, net or store is called done. After the build, which takes what
# the changed files and eleven test programs take (all others come from ccache), some five minutes on two cores.
#   scripts/mutation-test.sh [--list] [--jobs N] [NAME ...]
set -euo pipefail
exec nice /usr/bin/python3 "$(dirname "$0")/../test/mutation/run.py" "$@"
