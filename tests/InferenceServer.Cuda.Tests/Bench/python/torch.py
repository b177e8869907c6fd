"""As much of PyTorch's face as bench/gpu/peers.py looks at, to run that script where PyTorch is not installed. It computes nothing."""

import contextlib
import random

__version__ = "0.0 (a stand-in)"
bfloat16, bool = "bfloat16", "bool"


class Tensor:
    def __init__(self, rows, columns=1):
        self.rows, self.shape, self.device = rows, (len(rows), columns), "cpu"

    def to(self, *arguments, **keywords):
        return self

    def tolist(self):
        return self.rows


class Generator:
    def manual_seed(self, seed):
        self.random = random.Random(seed)
        return self


class cuda:
    is_available = staticmethod(lambda: False)


def randint(low, high, size, generator):
    return Tensor([[generator.random.randrange(low, high) for _ in range(size[1])] for _ in range(size[0])], size[1])


def zeros(count, dtype, device):
    return Tensor([0] * count)


def ones_like(tensor):
    return tensor


def device(name):
    return contextlib.nullcontext()


def inference_mode():
    return contextlib.nullcontext()
