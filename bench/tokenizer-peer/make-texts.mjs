// Usage: node make-texts.mjs DATA_DIR OUT_DIR
// Writes english.txt (prose, questions and code) and multilingual.txt: documents of about 32 KB, each ended by U+001E.
import { readFileSync, readdirSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [data, out] = process.argv.slice(2);
const documentChars = 32768;

function rows(file) {
  return readFileSync(file, 'utf8').split('\n').filter(line => line.length > 0).map(line => JSON.parse(line));
}

function strings(value) {
  if (typeof value === 'string') return [value];
  return value && typeof value === 'object' ? Object.values(value).flatMap(strings) : [];
}

function write(name, texts) {
  const documents = [''];
  for (const text of texts) {
    if (documents.at(-1).length > documentChars) documents.push('');
    documents[documents.length - 1] += text.replaceAll('\u001e', ' ') + '\n\n';
  }
  writeFileSync(join(out, name), documents.join('\u001e'));
}

mkdirSync(out, { recursive: true });
const benign = join(data, 'prompts-safety', 'benign');
write('english.txt', readdirSync(benign).sort().filter(file => file.endsWith('.jsonl'))
  .flatMap(file => rows(join(benign, file)).flatMap(strings)).filter(text => text.length > 20));
// Rows with special tokens or runs of one character are conformance cases, not text anybody sends.
write('multilingual.txt', rows(join(data, 'tokenizers', 'expected', 'qwen2.jsonl')).map(row => row.text)
  .filter(text => text.length >= 20 && text.length <= 20000 && !/<\||<\/?s>|(.)\1{9}/su.test(text)));
