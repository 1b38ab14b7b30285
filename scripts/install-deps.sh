#!/usr/bin/env bash
# Installs what a fresh Debian 12 machine needs to build, test and run the project; with --tests also what some tests
# look at results with.
set -euo pipefail
packages=(
  cmake ninja-build g++ ccache git pkg-config
  libonnx-dev libprotobuf-dev protobuf-compiler libhwy-dev libexpected-dev libeigen3-dev libfmt-dev
  libcli11-dev nlohmann-json3-dev libssl-dev libtomlplusplus-dev libcpp-httplib-dev libgtest-dev libgmock-dev libbenchmark-dev
  libpq-dev postgresql-15 haproxy procps
  libpng-dev libturbojpeg0-dev zlib1g-dev libdcmtk-dev
  libonnx-testdata llvm-19-tools openssl
  clang-format python3 python3-dev pybind11-dev python3-numpy python3-onnx python3-sklearn python3-pil
  python3-matplotlib python3-nbconvert python3-ipykernel
)
# What some tests look at results with; those that lack it are left out, and lit says so.
beside=(dcmtk orthanc chromium)
lacking() {
  missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ]
}
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
install() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; }
if lacking "${packages[@]}"; then
  "${as_root[@]}" apt-get update
  install
fi
if [ "${1:-}" = --tests ] && lacking "${beside[@]}"; then
  "${as_root[@]}" apt-get update
  install || echo "install-deps.sh: without ${missing[*]}: some tests will be left out" >&2
fi
