#!/usr/bin/env bash
# Our CPU engine beside llama.cpp: bench/llama-cpp/run.sh COMMAND [OPTION...]; without a command it says which there are.
# Builds the bench (Release) if it has to, and starts it in a process of its own, as the server would start.
set -euo pipefail
project=$(cd "$(dirname "$0")" && pwd)/InferenceServer.CpuBench
dotnet build "$project" -c Release --nologo -v q -clp:ErrorsOnly >&2
exec "$project/bin/Release/net10.0/InferenceServer.CpuBench" "${@:---help}"
