"""Share of golden.jsonl that the exported model answers right, greedily, with the rule that the server's eval command uses."""
import argparse
import json
from collections import Counter
from pathlib import Path

from bpe import Tokenizer
from export import CONFIG, load_exported
from model import greedy

FOLDER = Path(__file__).parent.parent


def is_right(row, answer):
    """Some inner list has all its strings in the answer; a JSON row must also parse and equal its value."""
    text = " ".join(answer.lower().split())
    if not any(all(s in text for s in group) for group in row["any"]):
        return False
    if row["kind"] != "json":
        return True
    try:
        value = json.loads(answer)
    except ValueError:
        return False
    return "json" not in row or value == row["json"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--show", type=int, default=20, help="wrong answers to print")
    a = p.parse_args()
    tokenizer, model = Tokenizer.load(FOLDER / "tokenizer.json"), load_exported()
    rows = [json.loads(line) for line in (FOLDER / "golden.jsonl").open(encoding="utf-8")]
    right, total, shown = Counter(), Counter(), 0
    for start in range(0, len(rows), 64):
        part = rows[start:start + 64]
        outs, _ = greedy(model, [tokenizer.chat(r["messages"]) for r in part], 64, CONFIG["eos_token_id"])
        for row, ids in zip(part, outs):
            answer = tokenizer.decode(ids)
            total[row["kind"]] += 1
            right[row["kind"]] += is_right(row, answer)
            if not is_right(row, answer) and shown < a.show:
                shown += 1
                print(f"WRONG {row['id']}: {row['messages'][-1]['content']}\n   -> {answer}")
    for kind in total:
        print(f"{kind}: {right[kind]} of {total[kind]} = {right[kind] / total[kind]:.3f}")
    print(f"all: {sum(right.values())} of {sum(total.values())} = {sum(right.values()) / sum(total.values()):.3f}")


if __name__ == "__main__":
    main()
