#!/usr/bin/env bash
# Are secure runs of the reference models the fixed-point reference, bit for bit? Up to 50 records of each, both rings, two
# parties and no dealer. A line a model and ring: what one record takes, and whether all outputs are equal.
#   test/bench/references.sh MODELS [COUNT]
# MODELS holds a folder a model: NAME/NAME.onnx and NAME/NAME_test_x.npy, or NAME_test_x_u8.npy, whose values are divided by 255.
# SD_BIN: where sdc and bench_session are (build/release/bin). Needs python3-numpy.
set -euo pipefail
models=$1
count=${2:-50}
bin=${SD_BIN:-$(cd "$(dirname "$0")/../.." && pwd)/build/release/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
differ=0
for model in "$models"/*/*.onnx; do
  name=$(basename "$model" .onnx)
  [ "$name" = "$(basename "$(dirname "$model")")" ] || continue
  /usr/bin/python3 - "${model%.onnx}" "$work/x.npy" "$count" <<'PY'
import os, sys, numpy
stem, target, count = sys.argv[1:]
floats, pixels = f"{stem}_test_x.npy", f"{stem}_test_x_u8.npy"
x = numpy.load(floats) if os.path.exists(floats) else numpy.load(pixels).astype(numpy.float32) / 255
numpy.save(target, x[:int(count)].astype(numpy.float32))
PY
  for ring in 32 64; do
    "$bin/sdc" compile "$model" -o "$work/m.sdb" --ring "$ring" --input-range 0,1 2> "$work/log" || { cat "$work/log"; exit 1; }
    "$bin/bench_session" "$work/m.sdb" "$work/x.npy" "$count" > "$work/out" || differ=1
    printf '%-6s ring %d  %s\n' "$name" "$ring" "$(sed -n 's/  */ /g; 1p; /^o/p' "$work/out" | tr '\n' ';')"
  done
done
exit "$differ"
