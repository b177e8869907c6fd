// Usage: node make-goldens.mjs > ../../tests/InferenceServer.Text.Tests/Tokenizers/Goldens/pipeline.jsonl
// What Hugging Face's tokenizers makes of hard texts with every normalizer, pre-tokenizer and decoder, so that our tests need no peer.
// A model of single characters, each with a form for the end of a piece ("x</w>"), makes text and borders of the pieces visible in the ids.
import { createRequire } from 'node:module';

const { Tokenizer } = createRequire(import.meta.url)('tokenizers');

const texts = [
  "Hello, world! It's WE'LL they'Re I'M 'tis",
  'a  b   c\t\td \n\n e\r\n\r\n  f ', '   ', '\n \n', ' x', '', 'x',
  '12345 6 78 3.14 1,000,000 \u00b2\u00bd\u2167\u0661\u0662\u0663',
  'caf\u00e9 cafe\u0301 \u00c5\u212b e\u0323\u0301 e\u0301\u0323 \u0344 \u0958 \u1e9b\u0323',
  '\ud55c\uae00 \u1112\u1161\u11ab \u1100\u1161 \uac00\u11a8 \ufb01\uff21\u2460\u33a5\u3392',
  '\u4f60\u597d\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\u30ab\u30bf\u30ab\u30ca\u3005\u3007 mixed\u4e2d\u6587text',
  '\ud83d\ude00\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67 \ud83c\uddeb\ud83c\uddf7 \ud835\udc9c\ud835\udcb7 \ud801\udc00\ud801\udc28 \ud840\udc00',
  'nbsp\u00a0x \u3000y\u2003z\u2028l\u0085n \u200bzw \ufeffbom \u00adsoft',
  'a_b-c (d) [e] {f} <g> $1 = \u20ac2 + \u00a33; #tag @me 50% ^~`|\\ \u00ab\u00bb\u2026\u2014',
  "it'\u017f \u212aelvin \u0130\u0049\u0131 STRASSE\u00df \u03a3\u03a3 na\u00efve",
  'camelCaseWord XMLHttpRequest don\u2019t DON\'T he\'d/she\'ll\n/path',
  '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd',
  'x\u0301\u0302y \u24b6\u24d0 \u2160 \u00aa\u00ba \u02b0 \u01c5 \u203f_',
  '\u2581already \u2581\u2581two a\u2581b', 'one\u0000two\u0001three\u007f\ufffd',
];

const split = (Regex, behavior = 'Isolated', invert = false) => ({ type: 'Split', pattern: { Regex }, behavior, invert });
const byteLevel = (use_regex, add_prefix_space = false) => ({ type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex });
const pre = (...pretokenizers) => ({ type: 'Sequence', pretokenizers });
const norm = (...normalizers) => ({ type: 'Sequence', normalizers });
const of = (...types) => types.map(type => ({ type }));

export const families = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  cl100k: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  cl100kPossessive: "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
  qwen2: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  qwen35: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  o200k: "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  tekken: "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  deepseekV3: "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  kimi: "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  bloom: " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
  clip: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  words: '\\w+|[^\\w\\s]+', lazy: '\\s+?\\S', group: '(?:ab|[a-c]\\d)+',
};

const cases = {};
for (const type of ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'ByteLevel']) cases[type] = { normalizer: { type } };
cases.Strip = { normalizer: { type: 'Strip', strip_left: true, strip_right: true } };
cases.StripLeft = { normalizer: { type: 'Strip', strip_left: true, strip_right: false } };
cases.Prepend = { normalizer: { type: 'Prepend', prepend: '\u2581' } };
cases.ReplaceString = { normalizer: { type: 'Replace', pattern: { String: 'two' }, content: '2' } };
cases.ReplaceRegex = { normalizer: { type: 'Replace', pattern: { Regex: ' {2,}' }, content: '\u2581' } };
cases.NfdStripLower = { normalizer: norm(...of('NFD', 'StripAccents', 'Lowercase')) };
for (const strip_accents of [null, true, false])
  for (const lowercase of [true, false])
    cases[`Bert${strip_accents}${lowercase}`] = {
      normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents, lowercase },
      pre_tokenizer: { type: 'BertPreTokenizer' },
    };
for (const [name, pattern] of Object.entries(families)) cases['split-' + name] = { pre_tokenizer: split(pattern) };
for (const behavior of ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'])
  for (const invert of [false, true]) {
    cases[`spaces${behavior}${invert}`] = { pre_tokenizer: split('\\s', behavior, invert) };
    cases[`string${behavior}${invert}`] = { pre_tokenizer: { type: 'Split', pattern: { String: 'e' }, behavior, invert } };
  }
for (const prefix of [false, true]) {
  cases['ByteLevel' + prefix] = { pre_tokenizer: byteLevel(true, prefix) };
  cases['ByteLevelNoRegex' + prefix] = { pre_tokenizer: byteLevel(false, prefix) };
}
for (const prepend_scheme of ['always', 'first', 'never'])
  for (const splits of [true, false])
    cases[`Metaspace-${prepend_scheme}${splits}`] = { pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme, split: splits } };
cases.MetaspaceFirstSecond = { pre_tokenizer: pre({ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first', split: true }) };
cases.T5 = { pre_tokenizer: pre({ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true }) };
for (const individual_digits of [false, true]) cases['Digits' + individual_digits] = { pre_tokenizer: { type: 'Digits', individual_digits } };
for (const behavior of ['Isolated', 'Contiguous', 'Removed', 'MergedWithPrevious', 'MergedWithNext'])
  cases['Punctuation' + behavior] = { pre_tokenizer: { type: 'Punctuation', behavior } };
for (const type of ['Whitespace', 'WhitespaceSplit', 'BertPreTokenizer']) cases[type] = { pre_tokenizer: { type } };
cases.CharDelimiterSplit = { pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: 'e' } };
cases.Falcon = { pre_tokenizer: pre({ type: 'Punctuation', behavior: 'Contiguous' }, byteLevel(true), { type: 'Digits', individual_digits: false }, split('[0-9][0-9][0-9]')) };
cases.Starcoder = { pre_tokenizer: pre({ type: 'Digits', individual_digits: true }, byteLevel(true)) };
cases.Gemma = { normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }, pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false } };
cases.DeepseekV3 = { pre_tokenizer: pre(split('\\p{N}{1,3}'), split('[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+'), split(families.deepseekV3), byteLevel(false)) };
cases.DeepseekLlm = {
  pre_tokenizer: pre(split('[\\r\\n]'), split('\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u0370-\u0373\u0400-\u0481]+'),
    split('\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+'), split('\\s+$'), split('[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+'),
    { type: 'Digits', individual_digits: true }, byteLevel(false)),
};

const alphabet = new Set();
for (const text of texts)
  for (const form of [text, text.toLowerCase(), ...['NFC', 'NFD', 'NFKC', 'NFKD'].map(name => text.normalize(name)), ...['NFC', 'NFD', 'NFKC', 'NFKD'].map(name => text.toLowerCase().normalize(name))])
    for (const c of form) alphabet.add(c);
for (let b = 0; b < 256; b++) alphabet.add(String.fromCodePoint(b));
for (let b = 256; b < 324; b++) alphabet.add(String.fromCodePoint(b));
alphabet.add('\u2581');
const letters = [...alphabet];
const vocab = { '<unk>': 0 };
letters.forEach((c, i) => { vocab[c] = 2 * i + 1; vocab[c + '</w>'] = 2 * i + 2; });

export function file(parts) {
  return JSON.stringify({
    version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null,
    model: { type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: '</w>', fuse_unk: false, byte_fallback: false, vocab, merges: [] },
    ...parts,
  });
}

console.log(JSON.stringify({ texts, letters }));
for (const [name, parts] of Object.entries(cases)) {
  const tokenizer = Tokenizer.fromString(file(parts));
  const pieces = [];
  for (const text of texts) {
    const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
    pieces.push(ids.map(id => id === 0 ? '\ufffe' : letters[(id - 1) >> 1] + (id % 2 === 0 ? '\uffff' : '')).join(''));
  }
  console.log(JSON.stringify({ name, ...parts, pieces }));
}
