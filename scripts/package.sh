#!/usr/bin/env bash
# Builds the Debian packages sdc-compiler, sdc-runtime, libsdc-dev and python3-sdc into build/release/packages.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh
for tool in help2man dpkg-shlibdeps; do
  command -v "$tool" >/dev/null || { echo "package.sh: install help2man and dpkg-dev first" >&2; exit 1; }
done
cmake --preset release
cmake --build build/release -j "${JOBS:-$(nproc)}" --target sdc sd-run sd-serve sd-deal sd-store sd-audit sd_api sdc_python
cmake --build build/release --target man
umask 022
rm -rf build/release/packages
(cd build/release && cpack -G DEB)
ls -l build/release/packages/*.deb
