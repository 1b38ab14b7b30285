#!/usr/bin/env bash
# Trains tree ensembles in scikit-learn, exports and compiles them, compares secure results with scikit-learn's on all
# test records, and runs the service and the hospital as two processes. BIN=DIR takes the programs from there.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
bin=${BIN:-$root/build/release/bin}
address=127.0.0.1:${PORT:-7767}

if [ ! -x "$bin/sdc" ] || [ ! -x "$bin/sd-run" ]; then
  "$root/scripts/install-deps.sh"
  cmake -S "$root" --preset release
  cmake --build "$root/build/release" --target sdc sd-run
fi

out=$(mktemp -d)
service=
finish() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  rm -rf "$out"
}
trap finish EXIT

echo "== scikit-learn trains the ensembles"
/usr/bin/python3 train.py "$out"

for name in forest boosting; do
  echo
  echo "== $name: the fixed-point program gives scikit-learn's labels"
  "$bin/sdc" check "$out/$name.onnx" --schema "$out/schema.json" --data "$out/records.npy" \
    --labels "$out/$name-labels.npy" | sed -n '/^records/p; /accuracy/p; /^same/p; /^rounding/p'
done

echo
echo "== forest: the service and the hospital, $address"
"$bin/sdc" compile "$out/forest.onnx" -o "$out/forest.sdb" --schema "$out/schema.json" --reveal class
"$bin/sd-run" --party 0 "$out/forest.sdb" --address "$address" &
service=$!
"$bin/sd-run" --party 1 "$out/forest.sdb" --address "$address" --input "$out/patients.npy"
wait "$service"
service=
