"""How fast a player is tuned, beside a plain script with TRL's DPOTrainer on the same texts.

    python benchmarks/speed/prefer_throughput.py [--model smollm2] [--dtype bfloat16]
        [--steps 8] [--pairs 4] [--rounds 6]

Both get the same pairs as texts, the same model, the same low-rank adapters, the same number of
steps, and do all that is between texts and weights: cutting texts into tokens, log-probabilities of
the untouched model, the trainer itself. Ours is what a run does in a round: :func:`pairs_for` and
:func:`train_player`. The bare one is a conversational dataset and a `DPOTrainer` with precomputed
reference log-probabilities. They take turns in one process; the first turn of each warms up and
does not count. Without --model, a model of two layers with random weights is made.
"""

from __future__ import annotations

import copy
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import Script

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import datasets
import numpy as np
import torch
from peft import LoraConfig
from transformers import PrinterCallback
from trl import DPOConfig, DPOTrainer

from mirrorenv.llm import load_model
from mirrorenv.mirror.intervals import Estimate, t_interval
from mirrorenv.preference import PreferenceSettings, Text, load_settings
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.dpo import train_player
from mirrorenv.preference.pairing import pairs_for
from mirrorenv.preference.run import voices_for
from mirrorenv.preference.topics import topics_of
from mirrorenv.preference.trl_steps import PlayerTurn
from mirrorenv.preference.voices import VoicePopulation
from tests.preference.tiny_model import make_tiny_model

TEXT = (
    "the sea is wide and every ship must know its harbour before night comes down on quiet water "
    "where old sailors "
    "count their coins while markets open slowly under rain and students argue about what a price "
    "can say"
)


def texts_for(settings: PreferenceSettings, most: int) -> list[Text]:
    """Two players' texts of no meaning, up to `most` words, on as many topics as a round has
    pairs."""
    draws = np.random.default_rng(0)
    topics = topics_of(["questions"])
    count = settings.learning.steps * settings.learning.batch_size

    def words() -> str:
        return " ".join(draws.choice(TEXT.split(), size=int(draws.integers(most // 2, most)))) + "."

    return [
        Text(name, f"{topics[n % len(topics)]} ({n})", "train", words())
        for n in range(count)
        for name in settings.names
    ]


def ours(
    voices: VoicePopulation, texts: list[Text], settings: PreferenceSettings, turn: int
) -> None:
    """One player's part of a round."""
    part = PlayerTurn(RunContext.start(settings, voices), 0, turn)
    train_player(part, pairs_for(part, texts))


def bare(
    model: Any, tokenizer: Any, texts: list[Text], settings: PreferenceSettings, folder: str
) -> None:
    """The same as a plain script."""
    by_topic: dict[str, list[Text]] = {}
    for one in texts:
        by_topic.setdefault(one.topic, []).append(one)
    neutral = settings.data.neutral
    learning = settings.learning
    rows = datasets.Dataset.from_list(
        [
            {
                "prompt": [
                    {"role": "system", "content": neutral},
                    {"role": "user", "content": topic},
                ],
                "chosen": [{"role": "assistant", "content": own.text}],
                "rejected": [{"role": "assistant", "content": other.text}],
            }
            for topic, (own, other) in by_topic.items()
        ]
    )
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(
            output_dir=folder,
            max_steps=learning.steps,
            per_device_train_batch_size=learning.batch_size,
            learning_rate=learning.learning_rate,
            lr_scheduler_type="constant",
            beta=0.1,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, settings.loss.supervised],
            max_length=None,
            precompute_ref_log_probs=True,
            use_cpu=not torch.cuda.is_available(),
            bf16=settings.dtype == "bfloat16",
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=learning.rank,
            lora_alpha=2 * learning.rank,
            target_modules=list(learning.targets),
            task_type="CAUSAL_LM",
        ),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds of wall and of processor."""
    wall = time.perf_counter()
    processor = time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def compare(settings: PreferenceSettings, rounds: int) -> dict[str, Any]:
    """Take turns, and say how many times as fast ours is."""
    texts = texts_for(settings, 90 if settings.model == "smollm2" else 20)
    seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    source = load_model(settings.model, settings.dtype)
    plain = copy.deepcopy(source.model)
    tokenizer = copy.deepcopy(source.tokenizer)
    with voices_for(settings) as voices, tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            model = copy.deepcopy(plain)  # the trainer puts its adapters in; not counted
            found = {
                "ours": timed(lambda turn=turn: ours(voices, texts, settings, turn)),
                "bare": timed(lambda model=model: bare(model, tokenizer, texts, settings, folder)),
            }
            if turn:
                for name, value in found.items():
                    seconds[name].append(value)
                print(
                    f"turn {turn}: "
                    + ", ".join(f"{k} {v[0]:.2f} s ({v[1]:.2f})" for k, v in found.items())
                )
    ratios = {}
    for n, kind in enumerate(("wall", "processor")):
        turns = zip(seconds["ours"], seconds["bare"], strict=True)
        ratios[kind] = t_interval([bare[n] / ours[n] for ours, bare in turns])
    steps = settings.learning.steps
    return {
        "model": settings.model if settings.model == "smollm2" else "tiny",
        "dtype": settings.dtype,
        "steps": steps,
        "pairs": settings.learning.batch_size,
        "rounds": rounds,
        "ours_seconds": [round(value[0], 3) for value in seconds["ours"]],
        "bare_seconds": [round(value[0], 3) for value in seconds["bare"]],
        **{f"ratio_{kind}": ratio.to_dict() for kind, ratio in ratios.items()},
    }


def main() -> None:
    """Print seconds and ratios."""
    script = Script(__doc__, json=True, threads=None)
    script.add_argument("--model", default="tiny", help="smollm2, a folder, a .gguf file, or tiny")
    script.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    script.add_argument("--steps", type=int, default=8)
    script.add_argument("--pairs", type=int, default=4)
    script.add_argument("--rounds", type=int, default=6)
    options = script.parse()
    warnings.simplefilter("ignore")
    datasets.disable_caching()  # or the second turn would find the first one's log-probabilities
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if model == "tiny":
            model = str(make_tiny_model(Path(folder)))
        settings = load_settings(
            overrides=[
                f"model={model}",
                f"dtype={options.dtype}",
                "data.players=[{name: ann}, {name: bob}]",
                "data.neutral=n",
                f"learning.steps={options.steps}",
                f"learning.batch_size={options.pairs}",
            ]
        )
        found = compare(settings, options.rounds)
    for kind in ("wall", "processor"):
        print(f"ours over bare, {kind} time: {Estimate.from_dict(found[f'ratio_{kind}'])}")
    script.save(found)


if __name__ == "__main__":
    main()
