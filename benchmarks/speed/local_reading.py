"""What it costs to read with the built-in language model, by the numbers it computes with.

    python benchmarks/speed/local_reading.py [--rounds 3] [--context 220] [--texts 8] [--tokens 60]
    [--json] [--smoke]

Reading is what a debate's likelihood readers do: a context once, then every text after it, side by
side. bfloat16 is how the recorded reading of docs/figures.md was made; `auto` is what a card with
`dtype: auto` takes on this machine. CPU seconds, in turns, the middle of the rounds. To see a
processor without bfloat16 units on one that has them, set ONEDNN_MAX_CPU_ISA=AVX2 and
ATEN_CPU_CAPABILITY=avx2. Needs the weights: see docs/debate.md.
"""

from __future__ import annotations

import statistics
import time

import _root  # noqa: F401
import torch

from benchmarks.shared.runner import Script, machine
from mirrorenv.llm.precision import fastest_dtype
from mirrorenv.llm.weights import load_model

KINDS = ("bfloat16", "float32")


def main() -> None:
    """Measure and print."""
    smoke = {"rounds": 1, "context": 8, "texts": 2, "tokens": 4}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--rounds", type=int, default=3)
    script.add_argument("--context", type=int, default=220, help="tokens before the texts")
    script.add_argument("--texts", type=int, default=8)
    script.add_argument("--tokens", type=int, default=60, help="of each text")
    options = script.parse()
    models = {kind: load_model(dtype=kind) for kind in KINDS}
    generator = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(options.rounds + 1):  # the first of each pays for memory
        drawn = torch.randint(40000, (options.texts + 1, options.context), generator=generator)
        context, *texts = [tuple(row) for row in drawn.tolist()]
        for kind, model in models.items():
            begun = time.process_time()
            model.score(context, [text[: options.tokens] for text in texts])
            if number:
                seconds[kind].append(time.process_time() - begun)
    found = {kind: statistics.median(several) for kind, several in seconds.items()}
    ratio = found["bfloat16"] / found[fastest_dtype()]
    units = torch.backends.cpu.get_cpu_capability()
    print(f"{units}: " + ", ".join(f"{kind} {value:.2f} s" for kind, value in found.items()))
    print(f"auto takes {fastest_dtype()}: {ratio:.2f} times as fast as bfloat16")
    script.save({"benchmark": "local_reading", **machine(), "cpu": units, **found, "ratio": ratio})


if __name__ == "__main__":
    main()
