#!/bin/sh
# Prints the first clang++ of version 19 or newer; nothing if there is none.
for compiler in clang++-21 clang++-20 clang++-19 clang++; do
  command -v "$compiler" >/dev/null 2>&1 || continue
  version=$("$compiler" -dumpversion | cut -d. -f1)
  if [ "$version" -ge 19 ]; then echo "$compiler"; exit 0; fi
done
