"""Writes the demo model as a GGUF file in F32 whose rows are whole blocks of 256, as the K formats need: hidden size 192 becomes 256, 6 heads become 8.

What is added are zeros, and the norms' gains and epsilon make up for them, so the model computes what it did. Standard library only.
"""
import array
import json
import math
import struct

FIELDS = {"block_count": "num_hidden_layers", "context_length": "max_position_embeddings", "feed_forward_length": "intermediate_size",
          "attention.key_length": "head_dim", "attention.value_length": "head_dim", "rope.dimension_count": "head_dim", "vocab_size": "vocab_size"}
NAMES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "o_proj": "attn_output", "q_proj": "attn_q", "k_proj": "attn_k",
         "v_proj": "attn_v", "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
ALIGNMENT = 32


def read_safetensors(path):
    """Name -> (shape, floats); BF16 and F32."""
    data = path.read_bytes()
    header = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:8 + header]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        stored = data[8 + header + begin:8 + header + end]
        if entry["dtype"] == "BF16":
            stored = b"".join(b"\0\0" + stored[i:i + 2] for i in range(0, len(stored), 2))
        floats = array.array("f")
        floats.frombytes(stored)
        yield name, entry["shape"], floats


def pad(values, shape, rows, columns):
    wide = array.array("f")
    for row in range(shape[0]):
        wide.extend(values[row * shape[1]:(row + 1) * shape[1]])
        wide.extend([0.0] * (columns - shape[1]))
    wide.extend([0.0] * ((rows - shape[0]) * columns))
    return wide


def permute(values, rows, columns, head):
    """(heads, 2, half) rows to (heads, half, 2)."""
    out = array.array("f", bytes(4 * rows * columns))
    for row in range(rows):
        part, i = divmod(row % head, head // 2)
        target = row // head * head + 2 * i + part
        out[target * columns:(target + 1) * columns] = values[row * columns:(row + 1) * columns]
    return out


def tensors(folder, config, hidden, query, kv):
    old, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    shapes = {"q_proj": (query, hidden), "k_proj": (kv, hidden), "v_proj": (kv, hidden), "o_proj": (hidden, query),
              "gate_proj": (inner, hidden), "up_proj": (inner, hidden), "down_proj": (hidden, inner), "embed_tokens": (vocabulary, hidden)}
    for name, shape, values in read_safetensors(folder / "model.safetensors"):
        parts = name.split(".")
        kind = parts[-2]
        stored = f"blk.{parts[2]}.{NAMES[kind]}.weight" if parts[1] == "layers" else {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}[kind]
        if len(shape) == 1:
            gain = math.sqrt(old / hidden)
            yield stored, [hidden], array.array("f", [v * gain for v in values] + [0.0] * (hidden - old))
            continue
        rows, columns = shapes[kind]
        values = pad(values, shape, rows, columns)
        if kind in ("q_proj", "k_proj"):
            values = permute(values, rows, columns, config["head_dim"])
        yield stored, [columns, rows], values


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key, kind, value):
    head = text(key) + struct.pack("<I", kind)
    if kind == STRING:
        return head + text(value)
    return head + struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<B"}[kind], value)


def entries(folder, config, hidden, heads, kv_heads):
    prefix, old = "llama.", config["hidden_size"]
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    tokens, types = [""] * config["vocab_size"], [1] * config["vocab_size"]
    for token, id in tokenizer["model"]["vocab"].items():
        tokens[id] = token
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]], types[added["id"]] = added["content"], 3
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    yield entry("general.architecture", STRING, "llama")
    for key, field in FIELDS.items():
        yield entry(prefix + key, UINT32, config[field])
    for key, value in {"embedding_length": hidden, "attention.head_count": heads, "attention.head_count_kv": kv_heads}.items():
        yield entry(prefix + key, UINT32, value)
    yield entry(prefix + "attention.layer_norm_rms_epsilon", FLOAT32, config["rms_norm_eps"] * old / hidden)
    yield entry(prefix + "rope.freq_base", FLOAT32, config["rope_theta"])
    yield entry("tokenizer.ggml.model", STRING, "gpt2")
    yield entry("tokenizer.ggml.pre", STRING, "llama-bpe")
    yield text("tokenizer.ggml.tokens") + struct.pack("<IIQ", ARRAY, STRING, len(tokens)) + b"".join(map(text, tokens))
    yield text("tokenizer.ggml.token_type") + struct.pack(f"<IIQ{len(types)}i", ARRAY, INT32, len(types), *types)
    yield text("tokenizer.ggml.merges") + struct.pack("<IIQ", ARRAY, STRING, len(merges)) + b"".join(map(text, merges))
    yield entry("tokenizer.ggml.bos_token_id", UINT32, config["bos_token_id"])
    yield entry("tokenizer.ggml.eos_token_id", UINT32, config["eos_token_id"][0])
    yield entry("tokenizer.ggml.add_bos_token", BOOL, 1)
    yield entry("tokenizer.chat_template", STRING, settings["chat_template"])


def write(folder, path):
    config = json.loads((folder / "config.json").read_text())
    hidden = (config["hidden_size"] + 255) // 256 * 256
    heads, kv_heads = hidden // config["head_dim"], hidden // config["head_dim"] * config["num_key_value_heads"] // config["num_attention_heads"]
    keys = list(entries(folder, config, hidden, heads, kv_heads))
    all_tensors = list(tensors(folder, config, hidden, hidden, kv_heads * config["head_dim"]))
    head, offset = b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(keys)) + b"".join(keys), 0
    for name, shape, values in all_tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += (4 * len(values) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    with open(path, "wb") as file:
        file.write(head)
        for _, _, values in all_tensors:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            values.tofile(file)
