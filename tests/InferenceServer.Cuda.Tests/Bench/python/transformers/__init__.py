"""As much of transformers' face as bench/gpu/peers.py looks at. Every token takes a millisecond; CUDA graphs fail, as they may."""

import time
import types

__version__ = "0.0 (a stand-in)"


class LlamaConfig(types.SimpleNamespace):
    pass


class GenerationConfig(types.SimpleNamespace):
    disable_compile = False


class StoppingCriteriaList(list):
    def __call__(self, input_ids, scores):
        return [criterion(input_ids, scores) for criterion in self]


class Model:
    def __init__(self, config):
        self.config = config

    def to(self, device, dtype):
        return self

    def eval(self):
        return self

    def generate(self, prompts, attention_mask, generation_config, stopping_criteria):
        assert generation_config.cache_implementation == "static"
        for _ in range(generation_config.max_new_tokens):
            time.sleep(0.001)
            stopping_criteria(prompts, None)

    def generate_batch(self, inputs, generation_config, continuous_batching_config, record_timestamps=False, progress_bar=True, warmup=True):
        if continuous_batching_config.use_cuda_graph:
            raise RuntimeError("no CUDA graphs in a stand-in\nsecond line")
        outputs = {f"req_{i}": types.SimpleNamespace(generated_tokens=[], timestamps=[], created_time=time.perf_counter(), error=None) for i in range(len(inputs))}
        for _ in range(generation_config.max_new_tokens):
            time.sleep(0.001)
            for output in outputs.values():
                output.generated_tokens.append(0)
                output.timestamps.append(time.perf_counter())
        return outputs


class AutoModelForCausalLM:
    @staticmethod
    def from_config(config, dtype, attn_implementation):
        return Model(config)
