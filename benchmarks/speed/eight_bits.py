"""What eight-bit weights would gain a local model: a layer's product, by the numbers it is made of.

    python benchmarks/speed/eight_bits.py [--tokens 1 8 128 512] [--repeats 10] [--json] [--smoke]

A layer of the built-in model, 576 inputs and 1,536 outputs, for a token that is written and for
many that are read. Weights alone in eight bits: PyTorch's kernel, with activations in float32 and
in bfloat16, and weights that are spread out to float32 each time. Milliseconds of CPU time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import _root  # noqa: F401
import torch
from torch import Tensor

from benchmarks.shared.runner import Script, machine

INPUTS = 576
OUTPUTS = 1536


def ways(tokens: int) -> dict[str, Callable[[], Tensor]]:
    """The products by name, all of the same numbers."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(tokens, INPUTS, generator=generator)
    weight = torch.randn(OUTPUTS, INPUTS, generator=generator)
    scale = weight.abs().amax(1) / 127
    whole = (weight / scale[:, None]).round().to(torch.int8)
    short_rows = rows.bfloat16()
    short_weight = weight.bfloat16()
    short_scale = scale.bfloat16()
    return {
        "float32": lambda: rows @ weight.t(),
        "bfloat16": lambda: short_rows @ short_weight.t(),
        "int8, float32": lambda: torch._weight_int8pack_mm(rows, whole, scale),
        "int8, bfloat16": lambda: torch._weight_int8pack_mm(short_rows, whole, short_scale),
        "int8, spread out": lambda: rows @ whole.float().t() * scale,
    }


def milliseconds(work: Callable[[], Tensor], repeats: int) -> float:
    """CPU time of one, after one that does not count."""
    work()
    begun = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - begun) / repeats * 1000


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"tokens": [1], "repeats": 1})
    script.add_argument("--tokens", type=int, nargs="+", default=[1, 8, 128, 512])
    script.add_argument("--repeats", type=int, default=10)
    options = script.parse()
    torch.set_num_threads(1)
    found = {
        tokens: {name: milliseconds(work, options.repeats) for name, work in ways(tokens).items()}
        for tokens in options.tokens
    }
    print(torch.backends.cpu.get_cpu_capability())
    for tokens, row in found.items():
        print(f"{tokens:4} tokens: " + ", ".join(f"{name} {ms:.2f}" for name, ms in row.items()))
    script.save({"benchmark": "eight_bits", **machine(), "rows": found})


if __name__ == "__main__":
    main()
