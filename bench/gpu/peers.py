"""What one would otherwise run on the same card: transformers, with random weights of the same shapes.

    python3 bench/gpu/peers.py --peer continuous|static|compiled|products [--json FILE] [--seconds S] [--tiny]

continuous: generate_batch (paged cache, continuous batching, CUDA graphs where they work).
static:     generate with a static cache, eager.
compiled:   the same with torch.compile, as generate itself does it for a static cache.
products:   the matrix products of a step alone, by PyTorch, whose library they are (cuBLAS) beside our own.
No download: weights are drawn on the device. Each figure is one JSON line; whatever fails is a line too and the next one goes on.
"""

import argparse
import gc
import importlib
import inspect
import json
import statistics
import sys
import time

SHAPES = {
    "llama-3-8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
                       vocab_size=128256, tie_word_embeddings=False),
    "llama-3.2-1b": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8,
                         vocab_size=128256, tie_word_embeddings=True),
    "tiny": dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                 vocab_size=512, tie_word_embeddings=True),
}
CONTEXT = 1024
BATCHES = [1, 8, 32, 64, 128, 256]
PROMPTS = [128, 512, 2048, 8192]
PRODUCT_ROWS = [1, 8, 16, 32, 64, 128, 256, 2048]
WARM_TOKENS, TIMED_TOKENS = 8, 32


class Lines:
    """JSON lines to a file that other programs append to as well, and to standard output."""

    def __init__(self, path, peer, deadline):
        self.file = open(path, "a") if path else None
        self.peer, self.deadline = peer, deadline

    def write(self, table, **fields):
        line = json.dumps({"table": table, "engine": self.peer, **fields})
        print(line, flush=True)
        if self.file:
            self.file.write(line + "\n")
            self.file.flush()

    def failed(self, what, why):
        self.write("not measured", what=what, why=first_line(why))

    def out_of_time(self, what):
        if time.monotonic() < self.deadline:
            return False
        self.failed(what, "out of time")
        return True


def first_line(error):
    text = str(error).strip() or type(error).__name__
    name = "" if isinstance(error, str) else type(error).__name__ + ": "
    return (name + text.splitlines()[0])[:300]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, choices=["continuous", "static", "compiled", "products"])
    parser.add_argument("--json")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tiny", action="store_true", help="a model that a processor can run, to try the script")
    options = parser.parse_args()
    name = "PyTorch" if options.peer == "products" else "transformers, " + options.peer
    lines = Lines(options.json, name, time.monotonic() + options.seconds)
    try:
        torch = importlib.import_module("torch")
        transformers = None if options.peer == "products" else importlib.import_module("transformers")
    except ImportError as error:
        lines.failed("all", f"PyTorch and transformers are not both installed here: {error}")
        return 3
    if not options.tiny and not torch.cuda.is_available():
        lines.failed("all", "PyTorch sees no GPU here")
        return 3
    if options.peer == "products":
        return products(torch, lines, options.tiny)
    lines.write("peer versions", torch=torch.__version__, transformers=transformers.__version__)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    measure = {"continuous": continuous, "static": static, "compiled": compiled}[options.peer]
    for shape in ["tiny"] if options.tiny else ["llama-3-8b", "llama-3.2-1b"]:
        if lines.out_of_time(shape):
            continue
        try:
            model = make_model(torch, transformers, shape, device)
            measure(torch, transformers, model, shape, device, lines, options.tiny)
        except Exception as error:  # recorded; the next shape may do better
            lines.failed(shape, error)
        model = None
        free(torch)
    return 0


def make_model(torch, transformers, shape, device):
    config = transformers.LlamaConfig(**SHAPES[shape], max_position_embeddings=16384, bos_token_id=None, eos_token_id=None, pad_token_id=None)
    started = time.monotonic()
    with torch.device(device):
        try:
            model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
        except TypeError:  # before transformers 4.56 it was torch_dtype
            model = transformers.AutoModelForCausalLM.from_config(config, torch_dtype=torch.bfloat16, attn_implementation="sdpa")
    model = model.to(device=device, dtype=torch.bfloat16).eval()
    print(f"{shape}: made in {time.monotonic() - started:.1f} s", flush=True)
    return model


def free(torch):
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def random_prompts(torch, batch, length, vocabulary):
    generator = torch.Generator().manual_seed(batch * 100003 + length)
    return torch.randint(0, vocabulary, (batch, length), generator=generator)


def sizes(tiny):
    """(batches, context, prompts)"""
    return ([1, 3], 16, [8]) if tiny else (BATCHES, CONTEXT, PROMPTS)


# ---- generate with a static cache

class Clock:
    """A stopping criterion that never stops: it is asked once a token, and looks at the clock after the first, a few and the last."""

    def __init__(self, torch, tokens):
        self.torch, self.tokens, self.seen, self.stamps = torch, {1, WARM_TOKENS, tokens}, 0, {}

    def __call__(self, input_ids, scores, **kwargs):
        self.seen += 1
        if self.seen in self.tokens:
            if self.torch.cuda.is_available():
                self.torch.cuda.synchronize()
            self.stamps[self.seen] = time.perf_counter()
        return self.torch.zeros(input_ids.shape[0], dtype=self.torch.bool, device=input_ids.device)


def generate(torch, transformers, model, prompts, tokens, compile_it):
    """Seconds to the first token, and seconds a token between WARM_TOKENS and the last (None for a single token)."""
    clock = Clock(torch, tokens)
    arguments = dict(max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, cache_implementation="static", use_cache=True)
    if hasattr(transformers.GenerationConfig(), "disable_compile"):
        arguments["disable_compile"] = not compile_it
    elif compile_it:
        model.forward = torch.compile(model.forward, mode="reduce-overhead", fullgraph=True)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    with torch.inference_mode():
        model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=transformers.GenerationConfig(**arguments),
                       stopping_criteria=transformers.StoppingCriteriaList([clock]))
    last = clock.stamps.get(tokens)
    rate = (last - clock.stamps[WARM_TOKENS]) / (tokens - WARM_TOKENS) if tokens > WARM_TOKENS else None
    return clock.stamps[1] - started, rate


def static(torch, transformers, model, shape, device, lines, tiny):
    run_static(torch, transformers, model, shape, device, lines, tiny, compile_it=False)


def compiled(torch, transformers, model, shape, device, lines, tiny):
    run_static(torch, transformers, model, shape, device, lines, tiny, compile_it=True)


def run_static(torch, transformers, model, shape, device, lines, tiny, compile_it):
    batches, context, prompts = sizes(tiny)
    if compile_it:
        batches, prompts = [b for b in batches if b in (1, 3, 8, 64)], []  # a compilation for each takes tens of seconds
    vocabulary = model.config.vocab_size
    tokens = WARM_TOKENS + TIMED_TOKENS
    for batch in batches:
        what = f"{shape}, batch {batch}, context {context}"
        if lines.out_of_time(what):
            continue
        try:
            ids = random_prompts(torch, batch, context, vocabulary).to(device)
            if compile_it or batch == batches[0]:
                generate(torch, transformers, model, ids, tokens, compile_it)  # warm-up; compiles
            first, rate = generate(torch, transformers, model, ids, tokens, compile_it)
            lines.write("decode", model=shape, batch=batch, context=context, ms_a_step=round(rate * 1e3, 3), tokens_per_s=round(batch / rate, 1))
            lines.write("prefill", model=shape, batch=batch, prompt=context, tokens_per_s=round(batch * context / first, 0))
        except Exception as error:
            lines.failed(what, error)
        free(torch)
    for prompt in prompts:
        what = f"{shape}, prompt {prompt}"
        if lines.out_of_time(what):
            continue
        try:
            ids = random_prompts(torch, 1, prompt, vocabulary).to(device)
            times = [generate(torch, transformers, model, ids, 1, False)[0] for _ in range(3)]
            write_prompt(lines, shape, prompt, min(times))
        except Exception as error:
            lines.failed(what, error)
        free(torch)


def write_prompt(lines, shape, prompt, seconds):
    lines.write("prompt", model=shape, prompt=prompt, first_token_ms=round(seconds * 1e3, 2), tokens_per_s=round(prompt / seconds, 0))


# ---- continuous batching

def continuous(torch, transformers, model, shape, device, lines, tiny):
    if not hasattr(model, "generate_batch"):
        lines.failed(shape, f"transformers {transformers.__version__} has no generate_batch")
        return
    batches, context, prompts = sizes(tiny)
    graphs = [True, None]  # tried in this order; what fails once is not tried again
    for batch in reversed(batches):  # the largest first: the headline, should time run out
        what = f"{shape}, batch {batch}, context {context}"
        if lines.out_of_time(what):
            continue
        while graphs:
            try:
                run_continuous(torch, transformers, model, shape, batch, context, graphs[0], lines)
                break
            except Exception as error:
                lines.failed(f"{what}, CUDA graphs {'on' if graphs[0] else 'as by default'}", error)
                free(torch)
                if len(graphs) == 1:
                    break
                graphs.pop(0)
        free(torch)
    for prompt in prompts:
        what = f"{shape}, prompt {prompt}"
        if lines.out_of_time(what):
            continue
        try:
            outputs = batch_outputs(torch, transformers, model, 1, prompt, 2, graphs[0])
            if outputs[0].timestamps:
                write_prompt(lines, shape, prompt, outputs[0].timestamps[0] - outputs[0].created_time)
        except Exception as error:
            lines.failed(what, error)
        free(torch)


def run_continuous(torch, transformers, model, shape, batch, context, use_graphs, lines):
    tokens = 32 + 2 * TIMED_TOKENS  # the first requests decode while the last ones are still prompts
    started = time.perf_counter()
    outputs = batch_outputs(torch, transformers, model, batch, context, tokens, use_graphs)
    whole = time.perf_counter() - started
    fields = dict(model=shape, batch=batch, context=context)
    note = "CUDA graphs" if use_graphs else "CUDA graphs as by default"
    # Steps in which every sequence decoded: after the last first token and before the first last one. The median, because a CUDA graph
    # that is met for the first time is captured in the middle of it.
    stamps = [getattr(output, "timestamps", None) or [] for output in outputs]
    begin, end = (max(s[0] for s in stamps), min(s[-1] for s in stamps)) if all(stamps) else (0, 0)
    inside = [t for t in (stamps[0] if stamps else []) if begin <= t <= end]
    if len(inside) > WARM_TOKENS:
        step = statistics.median(b - a for a, b in zip(inside, inside[1:]))
        lines.write("decode", **fields, ms_a_step=round(step * 1e3, 3), tokens_per_s=round(batch / step, 1), note=f"{note}; median of {len(inside) - 1} steps")
    else:
        lines.failed(f"{shape}, batch {batch}: decode alone", "no stretch in which all sequences decoded, or no time stamps")
    lines.write("whole batch", **fields, completion=tokens, seconds=round(whole, 3), tokens_per_s=round(batch * tokens / whole, 1), note=note + "; setting up included")


def batch_outputs(torch, transformers, model, batch, prompt, tokens, use_graphs):
    """The outputs of generate_batch, every one complete; options that this version of transformers does not know are left out."""
    generation = transformers.GenerationConfig(max_new_tokens=tokens, do_sample=False, eos_token_id=-1, pad_token_id=0)
    known = inspect.signature(model.generate_batch).parameters
    arguments = dict(generation_config=generation)
    if "record_timestamps" in known:
        arguments["record_timestamps"] = True
    if "progress_bar" in known:
        arguments["progress_bar"] = False
    if "warmup" in known:
        arguments["warmup"] = False  # tens of seconds; graphs are then captured as they are met
    settings = getattr(importlib.import_module("transformers.generation"), "ContinuousBatchingConfig", None)
    if settings is not None and "continuous_batching_config" in known:
        fields = inspect.signature(settings).parameters
        wanted = dict(allow_block_sharing=False, use_cuda_graph=use_graphs)
        arguments["continuous_batching_config"] = settings(**{k: v for k, v in wanted.items() if k in fields})
    inputs = random_prompts(torch, batch, prompt, model.config.vocab_size).tolist()
    results = model.generate_batch(inputs=inputs, **arguments)
    outputs = list(results.values())
    errors = [o.error for o in outputs if getattr(o, "error", None)]
    if errors:
        raise RuntimeError(errors[0])
    complete = sum(1 for o in outputs if len(o.generated_tokens) >= tokens)
    if complete < batch:
        raise RuntimeError(f"generate_batch answered {complete} of {batch} requests in full; its log says why")
    return outputs


# ---- the products of a step

def products(torch, lines, tiny):
    if tiny:
        lines.failed("products", "there is no GPU to time them on")
        return 0
    shape = SHAPES["llama-3-8b"]
    hidden, intermediate = shape["hidden_size"], shape["intermediate_size"]
    kv = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    matrices = [("qkv", hidden + 2 * kv, hidden), ("o", hidden, hidden), ("gate-up", 2 * intermediate, hidden), ("down", hidden, intermediate),
                ("head", shape["vocab_size"], hidden)]
    for rows in PRODUCT_ROWS:
        for name, n, k in matrices:
            what = f"product, {name}, {rows} rows"
            if lines.out_of_time(what):
                continue
            try:
                seconds = time_product(torch, rows, n, k)
                lines.write("products by PyTorch", product=name, n=n, k=k, rows=rows, us=round(seconds * 1e6, 2),
                            **{"TFLOP/s": round(2e-12 * rows * n * k / seconds, 1), "GB/s": round(2e-9 * (n * k + rows * (n + k)) / seconds, 0)})
            except Exception as error:
                lines.failed(what, error)
    return 0


def time_product(torch, rows, n, k):
    """Median seconds, in a CUDA graph over weights that rotate, so that neither launches nor L2 count."""
    copies = max(1, min(16, (1 << 30) // (2 * n * k)))
    x = torch.randn(rows, k, device="cuda", dtype=torch.bfloat16)
    weights = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) * 0.02 for _ in range(copies)]
    y = torch.empty(rows, n, device="cuda", dtype=torch.bfloat16)
    torch.matmul(x, weights[0].t(), out=y)  # the library is loaded outside of the capture
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    repeats = max(copies, 8)
    with torch.cuda.graph(graph):
        for i in range(repeats):
            torch.matmul(x, weights[i % copies].t(), out=y)
    times = []
    for _ in range(6):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e-3 / repeats)
    return statistics.median(times[1:])


if __name__ == "__main__":
    sys.exit(main())
