#!/usr/bin/env bash
# The main job: compiles the model, runs the service and the hospital as two processes over TCP on this machine, and
# prints the secure diagnoses beside the plaintext ones. BIN=DIR takes the programs from there instead of building them.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
bin=${BIN:-$root/build/release/bin}
address=127.0.0.1:${PORT:-7766}

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
mkdir "$out/service" "$out/hospital"

echo "== the service compiles its model; the hospital gets the public program, not the weights"
"$bin/sdc" compile model.onnx -o "$out/service/model.sdb" \
  --schema schema.json --private-normalization
cp "$out/service/model.sdb" "$out/hospital/"
ls -l "$out/service" "$out/hospital" | grep -v '^total' | sed "s|$out/||"

echo
echo "== both run it: two processes, $address"
"$bin/sd-run" --party 0 "$out/service/model.sdb" --address "$address" --stats "$out/service/stats.json" &
service=$!
"$bin/sd-run" --party 1 "$out/hospital/model.sdb" --address "$address" \
  --input records.csv --output "$out/hospital/diagnoses.npy" --stats "$out/hospital/stats.json"
wait "$service"
service=

echo
echo "== the hospital's diagnoses beside the plaintext model's"
/usr/bin/python3 show.py model.onnx records.csv labels.npy "$out/hospital/diagnoses.npy" "$out/hospital/stats.json"
