"""The Llama architecture in float32, with the layout of Hugging Face transformers (half-rotation RoPE, tied embeddings)."""
import math

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 2043,
    "eos_token_id": [2047, 2044], "head_dim": 32, "hidden_act": "silu", "hidden_size": 192, "initializer_range": 0.02,
    "intermediate_size": 512, "max_position_embeddings": 2048, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 6,
    "num_hidden_layers": 6, "num_key_value_heads": 3, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None,
    "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 2048,
}


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x, cos, sin):  # x: (batch, heads, tokens, headDim); cos, sin: (tokens, headDim / 2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        hidden, inner = c["hidden_size"], c["intermediate_size"]
        self.norm1, self.norm2 = RmsNorm(hidden, c["rms_norm_eps"]), RmsNorm(hidden, c["rms_norm_eps"])
        self.qkv = nn.Linear(hidden, (self.heads + 2 * self.kv_heads) * self.dim, bias=False)
        self.out = nn.Linear(self.heads * self.dim, hidden, bias=False)
        self.gate_up = nn.Linear(hidden, 2 * inner, bias=False)
        self.down = nn.Linear(inner, hidden, bias=False)

    def forward(self, x, cos, sin, mask, drop):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, tokens, -1, self.dim).transpose(1, 2).split(
            [self.heads, self.kv_heads, self.kv_heads], 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.dim) + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, -1)
        x = x + F.dropout(self.out(mixed), drop, self.training)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + F.dropout(self.down(F.silu(gate) * up), drop, self.training)


class Llama(nn.Module):
    def __init__(self, c=CONFIG, drop=0.0):
        super().__init__()
        self.c, self.drop = c, drop
        self.embed = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=c["initializer_range"] / (math.sqrt(2 * len(self.layers)) if residual else 1))

    def hidden(self, ids):  # ids: (batch, tokens) -> (batch, tokens, hidden)
        tokens, dim = ids.shape[1], self.c["head_dim"]
        frequencies = self.c["rope_theta"] ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
        angles = torch.arange(tokens, dtype=torch.float32)[:, None] * frequencies
        mask = torch.full((tokens, tokens), float("-inf")).triu(1)
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin(), mask, self.drop)
        return self.norm(x)

    def logits(self, hidden):
        return hidden @ self.embed.weight.t()


@torch.no_grad()
def greedy(model, prompts, count, stops):
    """Greedy continuations of many prompts, computed afresh at each step. Returns (ids, smallest gap of best and second logit)."""
    rows, margins, done = [list(p) for p in prompts], [float("inf")] * len(prompts), [False] * len(prompts)
    for _ in range(count):
        live = [i for i in range(len(rows)) if not done[i]]
        if not live:
            break
        width = max(len(rows[i]) for i in live)
        ids = torch.tensor([rows[i] + [0] * (width - len(rows[i])) for i in live])
        last = torch.tensor([len(rows[i]) - 1 for i in live])
        logits = model.logits(model.hidden(ids)[torch.arange(len(live)), last])
        best = logits.topk(2, -1)
        for j, i in enumerate(live):
            rows[i].append(int(best.indices[j, 0]))
            margins[i] = min(margins[i], float(best.values[j, 0] - best.values[j, 1]))
            done[i] = rows[i][-1] in stops
    return [row[len(p):] for row, p in zip(rows, prompts)], margins
