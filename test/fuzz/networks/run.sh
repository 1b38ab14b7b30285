#!/usr/bin/env bash
# Random networks against onnxruntime: run.sh [COUNT [SEED]], after a build of sdc. Needs Debian's python3-onnx and
# python3-numpy, nodejs and npm; onnxruntime-node is installed below the build folder, for this test alone. SDC=PATH
# takes another sdc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
sdc=${SDC:-$root/build/release/bin/sdc}
work=$root/build/random-networks
count=${1:-300} seed=${2:-1}
[[ -x $sdc ]] || { echo "no $sdc: build it (cmake --build --preset release --target sdc), or name one: SDC=PATH" >&2; exit 2; }
/usr/bin/python3 -c 'import numpy, onnx' || { echo "python3-onnx and python3-numpy are missing (apt-get install)" >&2; exit 2; }
mkdir -p "$work"
[[ -d $work/node_modules/onnxruntime-node ]] ||
  npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts onnxruntime-node@1.20.1
status=0
for kind in variants networks; do # the importer op by op, then whole networks in fixed point
  rm -rf "${work:?}/$kind"
  script=variants.py flags=(--import)
  [[ $kind = networks ]] && script=generate.py flags=()
  /usr/bin/python3 "$here/$script" "$work/$kind" "$count" "$seed"
  NODE_PATH=$work/node_modules node "$here/reference.cjs" "$work/$kind" 2> "$work/onnxruntime.log" ||
    { tail -n 5 "$work/onnxruntime.log" >&2; exit 2; }
  /usr/bin/python3 "$here/compare.py" "$sdc" "$work/$kind" "${flags[@]}" || status=1
done
exit $status
