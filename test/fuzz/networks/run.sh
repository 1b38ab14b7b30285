#!/usr/bin/env bash
# Random networks against onnxruntime: run.sh [COUNT [SEED]], after a build. Needs python3-onnx, node and npm; installs
# onnxruntime-node beside the build, for this test alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
sdc=${SDC:-$root/build/release/bin/sdc}
work=$root/build/random-networks
mkdir -p "$work"
[[ -d $work/node_modules/onnxruntime-node ]] ||
  npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts onnxruntime-node
status=0
for kind in variants networks; do # the importer op by op, then whole networks in fixed point
  rm -rf "${work:?}/$kind"
  [[ $kind = variants ]] && script=variants.py flag=--import || script=generate.py flag=
  /usr/bin/python3 "$here/$script" "$work/$kind" "${1:-300}" "${2:-1}"
  NODE_PATH=$work/node_modules node "$here/reference.cjs" "$work/$kind" 2>/dev/null
  /usr/bin/python3 "$here/compare.py" "$sdc" "$work/$kind" $flag || status=1
done
exit $status
