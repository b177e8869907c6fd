"""Writes the model folder from a checkpoint: weights in BF16, configs, greedy_expected.jsonl and the manifest ../demo.json.

--golden-share sets goldens.minimumShare; evaluate.py prints what it should be.
"""
import argparse
import hashlib
import json
import struct
from pathlib import Path

import torch

from bpe import Tokenizer
from model import CONFIG, Llama, greedy

HERE = Path(__file__).parent
FOLDER = HERE.parent
FILES = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{%- endif %}"
)
PROMPTS = ["What is a KV cache?", "How do I start the server?", "What does 429 mean?", "Answer in JSON: what is 3 + 4?", "What is 12 + 7?",
           "Hello!", "Explain continuous batching.", "Which port does the server use?", "What is the difference between TTFT and TPOT?"]
RAW_PROMPTS = ["What is a KV cache?", "The server", "Hello, world! 12 + 7 = "]


def hugging_face_tensors(model):
    c, state = model.c, model.state_dict()
    tensors = {"model.embed_tokens.weight": state["embed.weight"], "model.norm.weight": state["norm.weight"]}
    heads, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    for i in range(c["num_hidden_layers"]):
        get, put = (lambda n: state[f"layers.{i}.{n}.weight"]), f"model.layers.{i}."
        q, k, v = get("qkv").split([heads, kv, kv])
        gate, up = get("gate_up").chunk(2)
        tensors |= {put + "input_layernorm.weight": get("norm1"), put + "post_attention_layernorm.weight": get("norm2"),
                    put + "self_attn.q_proj.weight": q, put + "self_attn.k_proj.weight": k, put + "self_attn.v_proj.weight": v,
                    put + "self_attn.o_proj.weight": get("out"), put + "mlp.gate_proj.weight": gate, put + "mlp.up_proj.weight": up,
                    put + "mlp.down_proj.weight": get("down")}
    return dict(sorted(tensors.items()))


def write_safetensors(path, tensors):
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, t in tensors.items():
        blob = t.contiguous().to(torch.bfloat16).view(torch.int16).numpy().astype("<i2").tobytes()
        header[name] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, info in header.items():
        if name != "__metadata__":
            start, stop = (8 + size + o for o in info["data_offsets"])
            bits = torch.frombuffer(bytearray(data[start:stop]), dtype=torch.int16)
            tensors[name] = bits.view(torch.bfloat16).reshape(info["shape"]).float()
    return tensors


def load_exported():
    """The model as it is in the folder: BF16 weights, float32 arithmetic."""
    t, model = read_safetensors(FOLDER / "model.safetensors"), Llama(json.loads((FOLDER / "config.json").read_text()))
    state = {"embed.weight": t["model.embed_tokens.weight"], "norm.weight": t["model.norm.weight"]}
    for i in range(model.c["num_hidden_layers"]):
        def get(name, put=f"model.layers.{i}."):
            return t[put + name + ".weight"]
        state |= {f"layers.{i}.norm1.weight": get("input_layernorm"), f"layers.{i}.norm2.weight": get("post_attention_layernorm"),
                  f"layers.{i}.qkv.weight": torch.cat([get(f"self_attn.{x}_proj") for x in "qkv"]),
                  f"layers.{i}.out.weight": get("self_attn.o_proj"), f"layers.{i}.down.weight": get("mlp.down_proj"),
                  f"layers.{i}.gate_up.weight": torch.cat([get("mlp.gate_proj"), get("mlp.up_proj")])}
    model.load_state_dict(state)
    return model.eval()


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_configs(tokenizer):
    write_json(FOLDER / "config.json", CONFIG)
    write_json(FOLDER / "generation_config.json", {
        "bos_token_id": CONFIG["bos_token_id"], "eos_token_id": CONFIG["eos_token_id"], "do_sample": False, "temperature": 0.0,
        "top_p": 1.0, "max_new_tokens": 128})
    write_json(FOLDER / "tokenizer_config.json", {
        "added_tokens_decoder": {str(i): {"content": n, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                                          "special": True} for n, i in tokenizer.special.items()},
        "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"], "model_max_length": CONFIG["max_position_embeddings"],
        "tokenizer_class": "PreTrainedTokenizerFast"})


def write_greedy(tokenizer):
    model = load_exported()
    texts = [f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
             for q in PROMPTS] + ["<|begin_of_text|>" + p for p in RAW_PROMPTS]
    bos = CONFIG["bos_token_id"]
    ids = [tokenizer.chat([{"role": "user", "content": q}]) for q in PROMPTS] + [[bos] + tokenizer.encode(p) for p in RAW_PROMPTS]
    outs, margins = greedy(model, ids, 48, CONFIG["eos_token_id"])
    rows = [{"prompt": t, "prompt_ids": i, "ids": o, "min_margin": round(m, 4)} for t, i, o, m in zip(texts, ids, outs, margins)]
    (FOLDER / "greedy_expected.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def write_manifest(share):
    parameters = sum(p.numel() for p in Llama().parameters())
    write_json(FOLDER.parent / "demo.json", {
        "$schema": "./manifest.schema.json", "id": "demo", "name": "InferenceServer demo",
        "description": "A toy Llama that answers short questions about this server and its field.",
        "source": {"kind": "builtin", "detail": "trained from train/ in this repository"}, "licence": "Apache-2.0",
        "architecture": "LlamaForCausalLM", "parameters": parameters, "contextLength": CONFIG["max_position_embeddings"], "folder": "demo",
        "files": [{"path": f, "bytes": (FOLDER / f).stat().st_size, "sha256": hashlib.sha256((FOLDER / f).read_bytes()).hexdigest()}
                  for f in FILES],
        "price": {"currency": "USD", "inputPerMillionTokens": 0, "cachedInputPerMillionTokens": 0, "outputPerMillionTokens": 0},
        "goldens": {"file": "demo/golden.jsonl", "minimumShare": share}})


def main():
    p = argparse.ArgumentParser()
    p.add_argument("checkpoint")
    p.add_argument("--golden-share", type=float, required=True)
    a = p.parse_args()
    tokenizer = Tokenizer.load(FOLDER / "tokenizer.json")
    special = tokenizer.special
    assert CONFIG["bos_token_id"] == special["<|begin_of_text|>"]
    assert CONFIG["eos_token_id"] == [special["<|eot_id|>"], special["<|end_of_text|>"]]
    assert len(tokenizer.vocab) + len(special) == CONFIG["vocab_size"]
    model = Llama()
    model.load_state_dict(torch.load(a.checkpoint)["model"])
    write_safetensors(FOLDER / "model.safetensors", hugging_face_tensors(model))
    write_configs(tokenizer)
    write_greedy(tokenizer)
    write_manifest(a.golden_share)


if __name__ == "__main__":
    main()
