// Usage: node peer.mjs TOKENIZER.json TEXT.txt SECONDS
// Encodes the documents of TEXT (each ends in U+001E) one by one for SECONDS, on one thread; prints MB/s of UTF-8 and a checksum of the ids.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

process.env.RAYON_NUM_THREADS = '1';
process.env.TOKENIZERS_PARALLELISM = 'false';
const { Tokenizer } = createRequire(import.meta.url)('tokenizers');

const [file, textFile, seconds] = process.argv.slice(2);
const tokenizer = Tokenizer.fromFile(file);
const documents = readFileSync(textFile, 'utf8').split('\u001e').filter(text => text.length > 0);
const bytes = documents.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

async function encode(text) {
  return (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
}

let checksum = 0;
for (const text of documents)
  for (const id of await encode(text)) checksum = (checksum * 31 + id) % 1000000007;

let passes = 0;
const start = performance.now();
while (performance.now() - start < seconds * 1000) {
  for (const text of documents) await encode(text);
  passes++;
}
const elapsed = (performance.now() - start) / 1000;
console.log(JSON.stringify({ mbPerSecond: +(bytes * passes / elapsed / 1e6).toFixed(2), checksum }));
