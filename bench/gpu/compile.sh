#!/usr/bin/env bash
# One file through ptxas or nvcc, for run.sh: bench/gpu/compile.sh ptxas|nvcc FILE FOLDER
# Writes FOLDER/<arch>-<family>.txt: "exit status, milliseconds", then all the compiler said.
set -uo pipefail
tool=$1 file=$2 folder=$3
mkdir -p "$folder"
compile() { # arch family command...
  local started status text
  started=$(date +%s%N)
  text=$("${@:3}" 2>&1)
  status=$?
  printf '%s %s\n%s\n' "$status" "$((($(date +%s%N) - started) / 1000000))" "$text" >"$folder/$1-$2.txt"
}
family=$(basename "${file%.*}")
case $tool in
  ptxas)
    arch=$(basename "$(dirname "$file")")
    compile "$arch" "$family" ptxas -v --gpu-name "$arch" "$file" -o "$folder/$arch-$family.cubin"
    ;;
  nvcc)
    for arch in sm_80 sm_90a; do
      compile "$arch" "$family" nvcc -std=c++17 -O3 -cubin "-gencode=arch=compute_${arch#sm_},code=$arch" -Xptxas -v -I native -o "$folder/$arch-$family.cubin" "$file"
    done
    ;;
esac
