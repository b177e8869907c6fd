#!/usr/bin/env bash
# Builds what a bare GPU machine needs into artifacts/gpu/bench.tar.xz: the bench, the server, the load generator and the .NET runtime.
# Run where the .NET SDK and clang 19 are; a published program needs neither. Usage: bench/gpu/prepare.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-artifacts/gpu}
limit=$((48 << 20)) # bytes; machines are lent with room for 64 MiB, and the sources travel too
program=$folder/program
rm -rf "$folder" && mkdir -p "$program"

publish() { dotnet publish "$1" -c Release -r linux-x64 --self-contained true -o "$program" -nologo -v q; }
# One folder for all three: they share the runtime. The server last, because its runtime has ASP.NET Core in it.
publish bench/gpu/InferenceServer.GpuBench
publish bench/InferenceServer.LoadBench
publish src/InferenceServer
rm -f "$program"/*.pdb "$program"/*.xml

"$program/InferenceServer.GpuBench" ptx --out "$folder/ptx"
count=$(find "$folder/ptx" -name '*.ptx' | wc -l)
[ "$count" -gt 0 ] || { echo "error: built without CUDA kernels; install clang 19 and build again" >&2; exit 1; }

git describe --always --dirty >"$folder/revision" 2>/dev/null || echo unknown >"$folder/revision"
tar -C "$folder" -cf - program ptx | xz -T0 -6 >"$folder/bench.tar.xz"
rm -rf "$program" "$folder/ptx"
bytes=$(stat -c %s "$folder/bench.tar.xz")
echo "$folder/bench.tar.xz: $((bytes >> 20)) MiB, $count PTX files, revision $(cat "$folder/revision")"
[ "$bytes" -le "$limit" ] || { echo "error: more than $((limit >> 20)) MiB" >&2; exit 1; }
