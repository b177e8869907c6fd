#!/bin/sh
# Ours beside Hugging Face's tokenizers on the same texts, one thread each, interleaved for three rounds.
# Usage: bench/tokenizer-peer/run.sh [SECONDS_A_MEASUREMENT]   (data from ../shared/data beside the repository, or $DATA)
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-3}
data=${DATA:-../shared/data}
peer=bench/tokenizer-peer
texts=artifacts/tokenizer-peer
[ -d $peer/node_modules ] || (cd $peer && npm install --no-package-lock --no-audit --no-fund --silent)
node $peer/make-texts.mjs "$data" $texts
dotnet build bench/InferenceServer.TokenizerBench -c Release -nologo -v q -clp:NoSummary
for name in llama3.1-rebuilt llama2; do
  for text in english multilingual; do
    for round in 1 2 3; do
      file="$data/tokenizers/hf/$name/tokenizer.json"
      theirs=$(node $peer/peer.mjs "$file" $texts/$text.txt "$seconds")
      ours=$(dotnet run --project bench/InferenceServer.TokenizerBench -c Release --no-build -- "$file" $texts/$text.txt "$seconds")
      node -e '
        const [name, text, round, theirs, ours] = process.argv.slice(1).map((value, i) => i < 3 ? value : JSON.parse(value));
        console.log(`${name} ${text} round ${round}: ours ${ours.mbPerSecond} MB/s, tokenizers ${theirs.mbPerSecond} MB/s, ratio ${(ours.mbPerSecond / theirs.mbPerSecond).toFixed(2)}` +
          (ours.checksum === theirs.checksum ? "" : "  IDS DIFFER"));
      ' "$name" "$text" "$round" "$theirs" "$ours"
    done
  done
done
