#!/usr/bin/env bash
# One inference of a large network by two processes over loopback, from a model.onnx with an ONNX test vector beside it
# (test_data_set_0/input_0.pb, output_0.pb). Prints a row of docs/benchmarks.md: time, CPU seconds and traffic of each
# phase, peak memory of each party, and the largest distance from the float outputs.
#   test/bench/large.sh MODEL.onnx [SCALE]
# SD_BIN: where sdc and sd-run are (build/release/bin). SD_PORT: 7799. SD_STATED=1: `sdc check` too, which takes minutes.
# Needs python3-numpy, python3-onnx and GNU time.
set -euo pipefail
model=$1
scale=${2:-1024}
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${SD_BIN:-$root/build/release/bin}
address=127.0.0.1:${SD_PORT:-7799}
name=$(basename "$model" .onnx)
vectors=$(dirname "$model")/test_data_set_0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

/usr/bin/python3 - "$vectors" "$work" <<'PY'
import sys, numpy, onnx
from onnx import numpy_helper
for label in ("input", "output"):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(open(f"{sys.argv[1]}/{label}_0.pb", "rb").read())
    numpy.save(f"{sys.argv[2]}/{label}.npy", numpy_helper.to_array(tensor))
PY

load=$(cut -d' ' -f1 /proc/loadavg)
"$bin/sdc" compile "$model" -o "$work/m.sdb" --scale "$scale" --calibrate "$work/input.npy"
timed() { /usr/bin/time -o "$work/time.$1" -f '%U %S %M' "${@:2}"; }
timed 0 "$bin/sd-run" --party 0 "$work/m.sdb" --address "$address" --stats "$work/0.json" 2> "$work/log" &
service=$!
timed 1 "$bin/sd-run" --party 1 "$work/m.sdb" --address "$address" --stats "$work/1.json" \
  --input "$work/input.npy" --output "$work/secure.npy" || { cat "$work/log"; exit 1; }
wait "$service" || { cat "$work/log"; exit 1; }

/usr/bin/python3 - "$work" "$name" "$scale" "$load" <<'PY'
import json, sys, numpy
work, name, scale, load = sys.argv[1:]
stats = [json.load(open(f"{work}/{party}.json")) for party in (0, 1)]
user, system, peak = zip(*(map(float, open(f"{work}/time.{party}").read().split()) for party in (0, 1)))
secure, exact = (numpy.load(f"{work}/{file}.npy").ravel() for file in ("secure", "output"))
phases = {phase: (max(s[phase]["seconds"] for s in stats), (stats[0][phase]["bytes_sent"] + stats[1][phase]["bytes_sent"]) / 1e6)
          for phase in ("setup", "offline", "online")}
print(f"{name}, scale {scale}, load {load}")
for phase, (seconds, megabytes) in phases.items():
    print(f"  {phase:8s} {seconds:8.2f} s {megabytes:9.2f} MB")
print(f"  total    {sum(s for s, _ in phases.values()):8.2f} s {sum(m for _, m in phases.values()):9.2f} MB,"
      f" CPU {sum(user) + sum(system):.1f} s (service {user[0] + system[0]:.1f}, hospital {user[1] + system[1]:.1f})")
print(f"  peak     service {peak[0] / 1e3:.0f} MB, hospital {peak[1] / 1e3:.0f} MB")
print(f"  outputs  up to {abs(exact).max():.4g}; largest error {abs(secure - exact).max():.3g}, mean {abs(secure - exact).mean():.3g};"
      f" class {secure.argmax()}, float {exact.argmax()}")
PY
if [ "${SD_STATED:-0}" = 1 ]; then
  "$bin/sdc" check "$model" --scale "$scale" --data "$work/input.npy" --calibrate "$work/input.npy" | grep -E 'output error|stated error'
fi
