"""Byte-level BPE with the split rule of Llama 3: trains merges, encodes, decodes and writes tokenizer.json."""
import json
from collections import Counter, defaultdict
from pathlib import Path

import regex

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]


def byte_alphabet():
    """GPT-2's map from bytes to printable characters."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {b: chr(b) for b in printable}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    return table


BYTES = byte_alphabet()
CHARS = {c: b for b, c in BYTES.items()}


def pieces(text):
    return ["".join(BYTES[b] for b in m.group().encode("utf-8")) for m in regex.finditer(SPLIT, text)]


def train(texts, merges_wanted):
    """Merges in order of learning. Digits are never merged, so that sums are learned digit by digit."""
    counts = Counter(p for t in texts for p in pieces(t))
    words = [(list(w), n) for w, n in counts.items() if len(w) > 1 and not any(c.isdigit() for c in w)]
    pairs, where = Counter(), defaultdict(set)
    for i, (word, n) in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += n
            where[pair].add(i)
    merges = []
    while len(merges) < merges_wanted:
        best = max(pairs.items(), key=lambda kv: (kv[1], kv[0]))
        if best[1] < 2:
            break
        merges.append(best[0])
        for i in list(where[best[0]]):
            word, n = words[i]
            for pair in zip(word, word[1:]):
                pairs[pair] -= n
            word[:] = merge(word, best[0])
            for pair in zip(word, word[1:]):
                pairs[pair] += n
                where[pair].add(i)
        del pairs[best[0]], where[best[0]]
    return merges


def merge(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        names = [BYTES[b] for b in sorted(BYTES, key=lambda b: ord(BYTES[b]))] + [a + b for a, b in merges]
        self.vocab = {name: i for i, name in enumerate(names)}
        assert len(self.vocab) == len(names), "two merges made the same token"
        self.special = {name: len(names) + i for i, name in enumerate(SPECIALS)}
        self.names = {i: n for n, i in {**self.vocab, **self.special}.items()}
        self.cache = {}

    @classmethod
    def load(cls, path):
        model = json.load(open(path, encoding="utf-8"))["model"]
        return cls([tuple(m.split(" ")) for m in model["merges"]])

    def encode_piece(self, piece):
        if piece not in self.cache:
            word = list(piece)
            while len(word) > 1:
                pair = min(zip(word, word[1:]), key=lambda p: self.ranks.get(p, 1 << 30))
                if pair not in self.ranks:
                    break
                word = merge(word, pair)
            self.cache[piece] = [self.vocab[w] for w in word]
        return self.cache[piece]

    def encode(self, text):
        """Plain text, no special tokens."""
        return [i for p in pieces(text) for i in self.encode_piece(p)]

    def decode(self, ids):
        """Special tokens are left out."""
        chars = "".join(self.names[i] for i in ids if i not in self.special.values())
        return bytes(CHARS[c] for c in chars).decode("utf-8", errors="replace")

    def header(self, role):
        s = self.special
        return [s["<|start_header_id|>"]] + self.encode(role) + [s["<|end_header_id|>"]] + self.encode("\n\n")

    def chat(self, messages):
        """Prompt ids up to and with the assistant header; what chat_template renders."""
        ids = [self.special["<|begin_of_text|>"]]
        for m in messages:
            ids += self.header(m["role"]) + self.encode(m["content"].strip()) + [self.special["<|eot_id|>"]]
        return ids + self.header("assistant")

    def save(self, path):
        bos = "<|begin_of_text|>"
        token = {"SpecialToken": {"id": bos, "type_id": 0}}
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        data = {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": i, "content": n, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                              "special": True} for n, i in self.special.items()],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}, byte_level]},
            "post_processor": {"type": "Sequence", "processors": [
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                {"type": "TemplateProcessing", "single": [token, {"Sequence": {"id": "A", "type_id": 0}}],
                 "pair": [token, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": bos, "type_id": 1}},
                          {"Sequence": {"id": "B", "type_id": 1}}],
                 "special_tokens": {bos: {"id": bos, "ids": [self.special[bos]], "tokens": [bos]}}}]},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": self.vocab,
                      "merges": [f"{a} {b}" for a, b in self.merges]},
        }
        with open(path, "w", encoding="utf-8") as f:
            json.dump(data, f, ensure_ascii=False, indent=1)
            f.write("\n")


def main():
    here = Path(__file__).parent
    rows = [json.loads(line) for line in (here / "corpus.jsonl").open(encoding="utf-8")]
    texts = [t for r in rows for t in r["turns"] + [r.get("system", "")]] + ["user", "assistant", "system", "\n\n"] * len(rows)
    tokenizer = Tokenizer(train(texts, 2048 - 256 - len(SPECIALS)))
    tokenizer.save(here.parent / "tokenizer.json")
    sample = "What is a KV cache? 12 + 7 = 19. Straße, 日本 🙂\n\n  done"
    assert tokenizer.decode(tokenizer.encode(sample)) == sample
    print(f"{len(tokenizer.vocab) + len(SPECIALS)} tokens")


if __name__ == "__main__":
    main()
