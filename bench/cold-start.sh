#!/usr/bin/env bash
# Time from process start to the first token of the first answer, and the memory then. Five cold processes, medians last.
# Usage: bench/cold-start.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
dotnet build src/InferenceServer -c Release -nologo -v q -clp:NoSummary >/dev/null
server=src/InferenceServer/bin/Release/net10.0/InferenceServer.dll
body='{"messages":[{"role":"user","content":"What is a KV cache?"}],"stream":true,"max_tokens":1}'
now() { date +%s%N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

times=() sizes=()
for ((i = 0; i < rounds; i++)); do
  log=$(mktemp)
  start=$(now)
  dotnet "$server" --port 0 --grpc-port 0 >"$log" 2>&1 &
  pid=$!
  until url=$(grep -o 'on http://[^,]*' "$log" | head -1 | cut -c4-) && [ -n "$url" ]; do
    kill -0 "$pid" 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.005
  done
  curl -sN "$url/v1/chat/completions" -H 'Content-Type: application/json' -d "$body" | grep -m1 -q '"content":"[^"]'
  end=$(now)
  times+=($(((end - start) / 1000000)))
  sizes+=("$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status")")
  echo "round $((i + 1)): ${times[-1]} ms to the first token, RSS ${sizes[-1]} MB"
  kill -TERM "$pid" && wait "$pid" || true
  rm -f "$log"
done
echo "median: $(printf '%s\n' "${times[@]}" | median) ms to the first token, RSS $(printf '%s\n' "${sizes[@]}" | median) MB"
