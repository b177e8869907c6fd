#!/usr/bin/env bash
# The first minutes on a real GPU, in order, in one call: bench/gpu/run.sh [STEP...]
# Needs artifacts/gpu/bench.tar.xz (bench/gpu/prepare.sh, on a machine with the SDK). No network, no SDK; what is missing here is recorded and skipped.
# OUT=FOLDER      where the snapshot goes; default bench/snapshots/<the card's name>
# SECONDS_IN_ALL  570: a lent machine's command has ten minutes
# GPU_BENCH       the program; default: what prepare.sh packed
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1

# name:budget in seconds. A step that overruns is stopped, and the next one goes on.
plan="ptxas:60 nvcc:75 kernels:60 sanitizer:75 probe:90 peer-products:35 model-8b:120 peer-continuous:75 peer-static:60 model-1b:45 peer-compiled:80 http:50"
reserve=12 # seconds kept for the summary

main() {
  PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin # where the toolkit lies if nobody put it there
  deadline=$(($(date +%s) + ${SECONDS_IN_ALL:-570} - reserve))
  WORK=$(mktemp -d)
  OUT=${OUT:-bench/snapshots/$(card)}
  mkdir -p "$OUT"
  OUT=$(cd "$OUT" && pwd)
  export OUT WORK
  rm -f "$OUT"/{summary.md,summary.json,results.jsonl,steps.jsonl,log.txt,environment.txt}
  environment >"$OUT/environment.txt" 2>&1
  unpack >"$WORK/unpack.log" 2>&1 || { cat "$WORK/unpack.log"; echo "No program to run: $root/artifacts/gpu/bench.tar.xz is missing or broken. Run bench/gpu/prepare.sh where the .NET SDK is, and bring the folder artifacts/gpu."; exit 1; }
  export GPU_BENCH
  chosen=" ${*:-} "
  for entry in $plan; do
    name=${entry%%:*}
    [ "$chosen" = "  " ] || [[ $chosen == *" $name "* ]] || continue
    run "$name" "${entry##*:}"
  done
  "$GPU_BENCH" summary --folder "$OUT" || echo "the summary failed; the raw lines are in $OUT/results.jsonl and $OUT/steps.jsonl"
  [ ! -f "$OUT/summary.md" ] || cat "$OUT/summary.md"
  rm -rf "$WORK"
}

card() {
  local name
  name=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1)
  tr 'A-Z ' 'a-z-' <<<"${name:-no-gpu}" | tr -cd 'a-z0-9-'
}

environment() {
  nvidia-smi || echo "no nvidia-smi"
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem,power.limit --format=csv || true
  nvcc --version || echo "no nvcc"
  ptxas --version || echo "no ptxas"
  compute-sanitizer --version || echo "no compute-sanitizer"
  python3 -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)' || echo "no torch or no transformers"
  uname -a
  nproc
  head -3 /proc/meminfo
  cat artifacts/gpu/revision 2>/dev/null || git describe --always --dirty
  cat /proc/loadavg
}

unpack() {
  if [ -n "${GPU_BENCH:-}" ]; then
    "$GPU_BENCH" ptx --out "$WORK/ptx" || return
  else
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' artifacts/gpu/bench.tar.xz "$WORK" ||
      tar -C "$WORK" -xJf artifacts/gpu/bench.tar.xz || return
    GPU_BENCH=$WORK/program/InferenceServer.GpuBench
    chmod +x "$WORK"/program/*
  fi
  export DOTNET_EnableDiagnostics=0
}

# run NAME BUDGET: this script again with one step, under a time limit, all it prints in the log
run() {
  local limit=$2 left code started
  left=$((deadline - $(date +%s)))
  [ "$left" -ge "$limit" ] || limit=$left
  if [ "$limit" -lt 5 ]; then
    note "$1" "$2" 0 "\"skipped: out of time\""
    return
  fi
  echo "== $1 (at most $limit s)"
  started=$(date +%s%N)
  timeout --kill-after=3 "$limit" bash "$root/bench/gpu/run.sh" --step "$1" >"$WORK/$1.log" 2>&1 </dev/null
  code=$?
  note "$1" "$2" "$((($(date +%s%N) - started) / 1000000))" "$code"
  { echo "== $1: exit status $code"; head -c 1000000 "$WORK/$1.log"; echo; } >>"$OUT/log.txt"
  [ "$code" -eq 0 ] || tail -4 "$WORK/$1.log"
}

note() { echo "{\"name\":\"$1\",\"budget_s\":$2,\"ms\":$3,\"exit\":$4}" >>"$OUT/steps.jsonl"; }

# Several processes append to one file; each line is written at once.
results() { echo --json "$OUT/results.jsonl"; }

step_ptxas() {
  command -v ptxas >/dev/null || { echo "ptxas is not here; it comes with the CUDA toolkit."; return 3; }
  find "$WORK/ptx" -name '*.ptx' -print0 | sort -z | xargs -0 -P "$(nproc)" -I{} bash "$root/bench/gpu/compile.sh" ptxas {} "$WORK/ptxas"
  # shellcheck disable=SC2046 # two words
  "$GPU_BENCH" compiled $(results) --tool ptxas --folder "$WORK/ptxas"
}

step_nvcc() {
  command -v nvcc >/dev/null || { echo "nvcc is not here; it comes with the CUDA toolkit."; return 3; }
  nvcc --help | grep -q threads # the first start reads the toolkit from disk: outside of the timing
  find native bench/gpu -name '*.cu' -print0 | sort -z | xargs -0 -P "$(nproc)" -I{} bash "$root/bench/gpu/compile.sh" nvcc {} "$WORK/nvcc"
  # shellcheck disable=SC2046 # two words
  "$GPU_BENCH" compiled $(results) --tool nvcc --folder "$WORK/nvcc"
}

step_kernels() {
  local include verdict status=0
  if [ ! -f native/driver_signatures.c ]; then
    verdict="not checked: native/driver_signatures.c is not here"
  elif include=$(cuda_include); then
    if cc -std=c11 -fsyntax-only -I"$include" native/driver_signatures.c; then verdict="as declared in cuda.h"; else verdict="differ from cuda.h: see the log"; status=1; fi
  else
    verdict="not checked: no cuda.h"
  fi
  echo "{\"table\":\"driver signatures\",\"verdict\":\"$verdict\"}" >>"$OUT/results.jsonl"
  # shellcheck disable=SC2046 # two words
  "$GPU_BENCH" kernels $(results) --cache "$WORK/cubin" || status=1
  return $status
}

cuda_include() {
  local folder
  for folder in "${CUDA_HOME:-}/include" "$(dirname "$(command -v nvcc || echo /nowhere/nvcc)")/../include" /usr/local/cuda/include; do
    [ -f "$folder/cuda.h" ] && { echo "$folder"; return 0; }
  done
  return 1
}

step_sanitizer() {
  local tool status=0 log verdict
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not here; it comes with the CUDA toolkit."; return 3; }
  for tool in memcheck racecheck; do
    log=$WORK/sanitizer-$tool.txt
    timeout --kill-after=3 35 compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 "$GPU_BENCH" kernels --tiny --cache "$WORK/cubin" >"$log" 2>&1
    case $? in
      0) verdict="clean" ;;
      9) verdict="errors: see the log" status=1 ;;
      124 | 137) verdict="out of time" status=1 ;;
      *) verdict="did not run: see the log" status=1 ;;
    esac
    cat "$log"
    echo "{\"table\":\"compute-sanitizer\",\"tool\":\"$tool\",\"verdict\":\"$verdict\",\"summary\":\"$(grep -E '(ERROR|RACECHECK) SUMMARY' "$log" | tail -1 | tr -d '"\\=' | cut -c1-100)\"}" >>"$OUT/results.jsonl"
  done
  return $status
}

# shellcheck disable=SC2046 # two words
step_probe() { "$GPU_BENCH" probe $(results) --cache "$WORK/cubin" --seconds 80; }

# shellcheck disable=SC2046 # two words
step_model-8b() { "$GPU_BENCH" model $(results) --cache "$WORK/cubin" --shape llama-3-8b --seconds 110; }

# shellcheck disable=SC2046 # two words
step_model-1b() { "$GPU_BENCH" model $(results) --cache "$WORK/cubin" --shape llama-3.2-1b --seconds 38; }

# shellcheck disable=SC2046 # two words
peer() { PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false python3 bench/gpu/peers.py $(results) "$@"; }
step_peer-products() { peer --peer products --seconds 30; }
step_peer-continuous() { peer --peer continuous --seconds 68; }
step_peer-static() { peer --peer static --seconds 54; }
step_peer-compiled() { peer --peer compiled --seconds 72; }

# The server itself, of the 1B shape: its weights are a file, so the page cache has to hold them.
step_http() {
  local model=$WORK/model log=$WORK/server.txt programs url batch
  programs=$(dirname "$GPU_BENCH")
  [ -x "$programs/InferenceServer" ] || { echo "the server is not beside $GPU_BENCH; bench/gpu/prepare.sh packs both"; return 3; }
  "$GPU_BENCH" folder --shape llama-3.2-1b --out "$model" --tokenizer models-manifest/demo || return
  "$programs/InferenceServer" --model "$model" --device cuda --port 0 --grpc-port 0 --max-running 64 >"$log" 2>&1 &
  local server=$!
  # shellcheck disable=SC2064 # this server, not a later one
  trap "kill $server 2>/dev/null; cat '$log'" EXIT
  for _ in $(seq 300); do
    url=$(grep -o 'on http://[^, ]*' "$log" | head -1 | cut -c4-)
    [ -z "$url" ] || break
    kill -0 "$server" 2>/dev/null || { echo "the server ended"; return 1; }
    sleep 0.1
  done
  for batch in 1 8 64; do
    "$programs/InferenceServer.LoadBench" --url "$url" --requests $((batch * 2)) --concurrency "$batch" --warmup "$batch" --input 1024 --output 64 --json "$WORK/load-$batch.json" || return
    "$GPU_BENCH" load --json "$OUT/results.jsonl" --file "$WORK/load-$batch.json" --shape llama-3.2-1b --concurrency "$batch"
  done
}

if [ "${1:-}" = --step ]; then
  "step_$2"
else
  main "$@"
fi
