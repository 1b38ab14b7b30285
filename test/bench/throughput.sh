#!/usr/bin/env bash
# Records a second, online, from prepared stores, both parties on this machine: with one connection, and with eight at
# once on one service.
#
#   throughput.sh MODEL.onnx [compile options] [-- MODEL.onnx ...]
#
# BIN: the programs (build/release/bin); RECORDS: for each connection (200); CONNECTIONS ("1 8"); THREADS: of each client.
# Each connection runs RECORDS random records of [0, 1] in one session. "in session" counts from the slowest client's
# first record to its last result, spending from the store included; "with start-up" from the first process' start to the
# last one's end; "online" is the mean of what the clients measured for a record once its inference was at hand.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-$root/build/release/bin}
records=${RECORDS:-200}
connections=${CONNECTIONS:-1 8}
out=$(mktemp -d)
service=
finish() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  rm -rf "$out"
}
trap finish EXIT

# Starts party 0 with these options and waits until it listens: sets service and address.
serve() {
  : > "$out/service.log"
  "$bin/sd-run" --party 0 "$out/model.sdb" --address 127.0.0.1:0 --serve --sessions 8 "$@" 2> "$out/service.log" &
  service=$!
  for _ in $(seq 500); do
    address=$(sed -n 's/.*listening on //p' "$out/service.log")
    [ -z "$address" ] || return 0
    sleep 0.02
  done
  cat "$out/service.log" >&2
  return 1
}
leave() {
  kill "$service"
  wait "$service" 2>/dev/null || true
  service=
}

measure() {
  rm -rf "$out"/*
  "$bin/sdc" compile "$@" -o "$out/model.sdb" --input-range 0,1 > "$out/compile.log" 2>&1 || { cat "$out/compile.log" >&2; return 1; }
  "$bin/sdc" inspect "$out/model.sdb" --json > "$out/model.json"
  /usr/bin/python3 - "$out" "$records" <<'P'
import json, random, struct, sys
out, records = sys.argv[1], int(sys.argv[2])
shape = json.load(open(f"{out}/model.json"))["inputs"][0]["shape"]
shape[0] = records
count = 1
for extent in shape:
    count *= extent
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}".ljust(117) + "\n"
rng = random.Random(1)
with open(f"{out}/x.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(struct.pack(f"<{count}f", *(rng.random() for _ in range(count))))
P
  local total=0
  for n in $connections; do total=$((total + n * records)); done
  serve --prepare "$total" --store "$out/s0"
  local begin end
  begin=$(date +%s%N)
  "$bin/sd-run" --party 1 "$out/model.sdb" --address "$address" --prepare "$total" --store "$out/s1" 2> "$out/client.log"
  end=$(date +%s%N)
  leave
  printf '%s: prepared %d in %d ms, %d + %d bytes each on disk\n' "$(basename "$1" .onnx)" "$total" $(((end - begin) / 1000000)) \
    $(($(find "$out/s0" -name '*.ready' -printf '%s\n' | head -1))) $(($(find "$out/s1" -name '*.ready' -printf '%s\n' | head -1)))

  serve --store "$out/s0"
  for n in $connections; do
    local clients=()
    begin=$(date +%s%N)
    for i in $(seq "$n"); do
      "$bin/sd-run" --party 1 "$out/model.sdb" --address "$address" --store "$out/s1" --input "$out/x.npy" \
        --output "$out/y$i.npy" --stats "$out/stats$i.json" ${THREADS:+--threads $THREADS} 2>> "$out/client.log" &
      clients+=($!)
    done
    for client in "${clients[@]}"; do wait "$client"; done
    end=$(date +%s%N)
    /usr/bin/python3 - "$out" "$n" "$records" $((end - begin)) <<'P'
import json, sys
out, n, records, wall = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) / 1e9
stats = [json.load(open(f"{out}/stats{i + 1}.json")) for i in range(n)]
session = max(s["offline"]["seconds"] + s["online"]["seconds"] for s in stats)
online = sum(s["online"]["seconds"] for s in stats) / (n * records)
print(f"  {n} connection{'s' if n > 1 else ''}: {n * records} records, {n * records / session:.0f} a second in session, "
      f"{n * records / wall:.0f} with start-up; {1e3 * online:.2f} ms online each")
P
  done
  leave
}

[ $# -gt 0 ] || { echo "usage: throughput.sh MODEL.onnx [compile options] [-- MODEL.onnx ...]" >&2; exit 1; }
job=()
for argument in "$@" --; do
  if [ "$argument" = -- ]; then
    measure "${job[@]}"
    job=()
  else
    job+=("$argument")
  fi
done
