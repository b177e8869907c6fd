"""Trains the demo model on corpus.jsonl. One conversation is one row; the loss is on the assistant's tokens only.

The learning rate follows the clock (--minutes), so that a slow or busy machine ends with a finished schedule too.
"""
import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from bpe import Tokenizer
from model import Llama

HERE = Path(__file__).parent
NOISE = 0.04  # share of the user's tokens that are replaced in every second row: mends brittleness to unseen wording


def read(name):
    return [json.loads(line) for line in (HERE / name).open(encoding="utf-8")]


def bare_questions():
    """'ttft?' is other tokens than 'TTFT?', and too rare in the corpus for a question without further words."""
    facts = [f for f in read("facts.jsonl") if f["type"] in ("concept", "error", "lookup")]
    return [{"turns": [text, f["answer"]]} for f in facts for n in f["names"] for text in (n.lower(), n.lower() + "?")]


def encode(tokenizer, row):
    """(ids, kinds): kind 2 marks what the assistant says, 1 what the user says, 0 the frame."""
    ids, kinds = [tokenizer.special["<|begin_of_text|>"]], [0]
    end = tokenizer.special["<|eot_id|>"]
    messages = [("system", row["system"])] if "system" in row else []
    messages += [("assistant" if i % 2 else "user", text) for i, text in enumerate(row["turns"])]
    for role, text in messages:
        head, body = tokenizer.header(role), tokenizer.encode(text)
        ids += head + body + [end]
        said = {"assistant": 2, "user": 1, "system": 0}[role]
        kinds += [0] * len(head) + [said] * len(body) + [2 if said == 2 else 0]
    return ids, kinds


def batches(rng, data, tokens_per_batch):
    """Endless (ids, weighted) batches of rows of like length."""
    while True:
        order = list(range(len(data)))
        rng.shuffle(order)
        for start in range(0, len(order), 2048):
            part = sorted(order[start:start + 2048], key=lambda i: len(data[i][0]))
            groups, group = [], []
            for i in part:
                if group and (len(group) + 1) * len(data[i][0]) > tokens_per_batch:
                    groups.append(group)
                    group = []
                group.append(i)
            groups.append(group)
            rng.shuffle(groups)
            for group in groups:
                yield collate(rng, [data[i] for i in group])


def collate(rng, rows):
    width = max(len(ids) for ids, _ in rows)
    all_ids, all_kinds = [], []
    for ids, kinds in rows:
        if rng.random() < 0.5:
            ids = [rng.randrange(2043) if k == 1 and rng.random() < NOISE else i for i, k in zip(ids, kinds)]
        all_ids.append(ids + [0] * (width - len(ids)))
        all_kinds.append(kinds + [0] * (width - len(kinds)))
    return torch.tensor(all_ids), torch.tensor(all_kinds) == 2


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=45)
    p.add_argument("--tokens", type=int, default=3072, help="tokens per batch")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--drop", type=float, default=0.05)
    p.add_argument("--start", help="checkpoint to go on from")
    p.add_argument("--bare", action="store_true", help="add the facts' names alone, in lower case: a second, short run")
    p.add_argument("--out", required=True, help="checkpoint file, outside the repository")
    a = p.parse_args()
    torch.manual_seed(20)
    torch.set_num_threads(2)
    rng = random.Random(20)
    tokenizer = Tokenizer.load(HERE.parent / "tokenizer.json")
    rows = read("corpus.jsonl") + (bare_questions() if a.bare else [])
    data = [encode(tokenizer, row) for row in rows]
    model = Llama(drop=a.drop)
    if a.start:
        model.load_state_dict(torch.load(a.start)["model"])
    decay = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
                                  lr=a.lr, betas=(0.9, 0.98))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(data)} rows, {sum(len(d[0]) for d in data)} tokens", flush=True)
    begin, saved, mean = time.time(), time.time(), None
    for step, (ids, said) in enumerate(batches(rng, data, a.tokens)):
        done = (time.time() - begin) / (60 * a.minutes)
        if done >= 1:
            break
        lr = a.lr * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for g in optimizer.param_groups:
            g["lr"] = lr
        hidden = model.hidden(ids[:, :-1])
        said = said[:, 1:]
        weights = said / said.sum(1, keepdim=True).sqrt()  # a sum of eight tokens would be drowned by answers of thirty
        losses = F.cross_entropy(model.logits(hidden[said]), ids[:, 1:][said], reduction="none")
        loss = (losses * weights[said]).sum() / weights.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean = loss.item() if mean is None else 0.97 * mean + 0.03 * loss.item()
        if step % 20 == 0:
            print(f"step {step} {100 * done:.1f} % loss {mean:.4f} lr {lr:.5f} {(time.time() - begin) / (step + 1):.2f} s/step", flush=True)
        if time.time() - saved > 120:
            save(a.out, model, step)
            saved = time.time()
    save(a.out, model, step)
    print(f"done: {step} steps, loss {mean:.4f}", flush=True)


def save(path, model, step):
    torch.save({"model": model.state_dict(), "step": step}, path + ".part")
    Path(path + ".part").replace(path)


if __name__ == "__main__":
    main()
