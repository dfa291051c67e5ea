"""Mind states of a language model: codes of its hidden states, predicted one place ahead, and given
back to it as tokens of their own.

Four questions. How far does the loss jump when a codebook is refitted, by way of refitting? What is
a predicted code worth over copying the last one, and over counting transitions? How far does the
language model's loss jump when 25 tokens are added, by how their embeddings start? And does a token
in the middle of a text help what follows: the true code of the state to come (which reads one token
ahead), the predicted one, a constant, a random one; how much attention does it get?

The codebooks read detached hidden states, so the language model is the same for all of them.
Codes that are given back come from the model as it was before the tokens were added. Nothing is
downloaded; every finished seed is a file under --out, and is not run again.

    python benchmarks/studies/mind_states.py --smoke
    python benchmarks/studies/mind_states.py                       # a small GPT on Python's help
    python benchmarks/studies/mind_states.py --model smollm2 --steps 50 --arm-steps 0 --seeds 1 \\
        --batch 4
    python benchmarks/studies/mind_states.py --model FOLDER --text FILE
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.shared import mind_state_pages
from benchmarks.shared.mind_codes import REFITS, Mind, perplexity
from benchmarks.shared.runner import Progress, Script, machine, say
from benchmarks.shared.self_models import stream
from benchmarks.shared.texts import SMALL, STARTS, Corpus, Model, build, read_texts, with_tokens
from mirrorenv.errors import ConfigError
from mirrorenv.results.runs.files import atomic_write_text, read_json

SMOKE = {"seeds": 2, "steps": 30, "arm_steps": 4, "batch": 4, "length": 33, "rounds": 2}
ARMS = ("none", "constant", "random", "predicted", "true")
TOPICS = (1, 4, 16)
SETTINGS = ("model", "codes", "layer", "length", "batch", "steps", "arm_steps", "rate", "rounds")


def main() -> None:
    """Run the seeds that are missing, then show all."""
    script = Script(__doc__, json=True, seeds=3, smoke=SMOKE)
    script.add_argument("--model", default=SMALL, help="small, smollm2, a folder or a GGUF file")
    script.add_argument("--text", type=Path, help="a file; Python's help topics if not given")
    script.add_argument("--codes", type=int, default=25)
    script.add_argument("--layer", type=int, default=-2, help="of the hidden states, 0 the first")
    script.add_argument("--length", type=int, default=97, help="tokens of a sequence")
    script.add_argument("--batch", type=int, default=16)
    script.add_argument("--steps", type=int, default=450, help="refits at a third and two thirds")
    script.add_argument("--arm-steps", type=int, default=100, help="steps with a token; 0: none")
    script.add_argument("--rate", type=float, help="0.001 for the small model, else 0.00005")
    script.add_argument("--rounds", type=int, default=4, help="held-out batches")
    script.add_argument("--out", type=Path, default=Path("runs/mind-states"))
    options = script.parse()
    if options.rate is None:
        options.rate = 1e-3 if options.model == SMALL else 5e-5
    if options.smoke:
        options.out = options.out.with_name(options.out.name + "-smoke")
    settings = {name: getattr(options, name) for name in SETTINGS}
    settings["text"] = str(options.text or "pydoc_data.topics")
    folder = options.out / re.sub(r"[^a-z0-9.]+", "-", str(options.model).lower()).strip("-")
    files = [folder / f"seed-{seed}.json" for seed in range(options.seeds)]
    missing = [seed for seed, file in enumerate(files) if not finished(file, settings)]
    progress = Progress(len(missing))
    for seed in missing:
        row = Study(options, seed).run()
        folder.mkdir(parents=True, exist_ok=True)
        content = {"seed": seed, "settings": settings, **row}
        atomic_write_text(files[seed], json.dumps(content, indent=1) + "\n")
        progress.done(f"seed {seed}")
    content = {
        "benchmark": "mind_states",
        **machine(),
        "settings": settings,
        "seeds": [read_json(file) for file in files],
    }
    mind_state_pages.show(content)
    page = mind_state_pages.write(content, folder)
    say(f"Open this page:\n  file://{page.resolve()}")
    script.save(content)


def finished(file: Path, settings: dict[str, Any]) -> bool:
    """Whether a seed is there.

    Raises:
        ConfigError: if it is of other settings.
    """
    if not file.exists():
        return False
    recorded = read_json(file).get("settings")
    if recorded != settings:
        raise ConfigError(f"{file} is of other settings: give another --out, or remove that folder")
    return True


class Study:
    """One seed."""

    def __init__(self, options: Any, seed: int) -> None:
        self.options = options
        self.seed = seed
        self.base = build(options.model, options.length + 1, seed)
        self.corpus = Corpus(read_texts(options.text), self.base.encode, options.length)
        layers = int(self.base.network.config.num_hidden_layers)
        if not -layers - 1 <= options.layer <= layers:
            raise ConfigError(
                f"--layer {options.layer}: {self.base.name} has hidden states 0 to {layers}, "
                f"or {-layers - 1} to -1 from the end"
            )
        self.half = options.length // 2

    def run(self) -> dict[str, Any]:
        """All four questions."""
        minds, refits = self.codebooks()
        held_out = self.hidden_of(self.held_out())
        after = {name: mind.evaluate(held_out) for name, mind in minds.items()}
        for name, row in refits.items():
            after[name].update(row)
        arms = {}
        for arm in ARMS:
            arms[arm] = self.arm(arm, minds["ema"])
        return {
            "language_loss": self.plain_loss(self.base, self.held_out()),
            "refits": after,
            "curves": {name: mind.losses for name, mind in minds.items()},
            "diversity": self.diversity(minds["ema"]),
            "added": self.added(),
            "arms": arms,
        }

    def codebooks(self) -> tuple[dict[str, Mind], dict[str, dict[str, Any]]]:
        """Train the language model, and beside it a codebook and predictor for each policy."""
        options = self.options
        draws = stream("texts", self.seed)
        network = self.base.network.train()
        optimizer = torch.optim.AdamW(network.parameters(), options.rate)
        width = int(network.config.hidden_size)
        minds = {
            name: Mind(name, options.codes, width, stream("codes", self.seed)) for name in REFITS
        }
        first = max(1, options.steps // 10)
        refits = [options.steps // 3, 2 * options.steps // 3]
        changed: dict[str, list[float]] = {name: [] for name in REFITS}
        recent: list[Tensor] = []
        for step in range(options.steps):
            tokens = self.corpus.batch(options.batch, draws)
            hidden = self.step(network, optimizer, tokens)
            recent = [*recent[-7:], hidden.flatten(0, 1)]
            rows = torch.cat(recent)[-2500:]  # as many as the published code fits on
            for name, mind in minds.items():
                if step == first:
                    mind.fit(rows)
                if step in refits:
                    changed[name].append(mind.refit(rows))
                if step >= first:
                    mind.learn(hidden)
        network.eval()
        measured = {
            name: {
                "jumps": [mind.jump(step - first) for step in refits],
                "changed": changed[name],
            }
            for name, mind in minds.items()
        }
        return minds, measured

    def step(self, network: Any, optimizer: Any, tokens: Tensor) -> Tensor:
        """A step of the language model on (B, T); the states (B, T, H) it had before."""
        out = network(input_ids=tokens, output_hidden_states=True)
        loss = functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return self.normal(out.hidden_states)

    def normal(self, states: tuple[Tensor, ...]) -> Tensor:
        """(B, T, H) of the chosen layer, detached and normalised."""
        hidden = states[self.options.layer].detach()
        return functional.layer_norm(hidden, hidden.shape[-1:])

    @torch.no_grad()
    def hidden_of(self, tokens: Tensor) -> Tensor:
        """States (B, T, H) of the trained model before any token was added."""
        parts = [
            self.normal(self.base.network(input_ids=part, output_hidden_states=True).hidden_states)
            for part in tokens.split(self.options.batch)
        ]
        return torch.cat(parts)

    def held_out(self) -> Tensor:
        """(B, T), the same at every call."""
        size = self.options.batch * self.options.rounds
        return self.corpus.batch(size, stream("held out", self.seed), held_out=True)

    @torch.no_grad()
    def plain_loss(self, model: Model, tokens: Tensor) -> float:
        """Of the second half of tokens (B, T), in nats a token."""
        losses = []
        for part in tokens.split(self.options.batch):
            logits = model.network(input_ids=part).logits[:, self.half - 1 : -1]
            wanted = part[:, self.half :].flatten()
            losses.append(float(functional.cross_entropy(logits.flatten(0, 1), wanted)))
        return float(np.mean(losses))

    def diversity(self, mind: Mind) -> list[dict[str, float]]:
        """How many codes texts on 1, 4, 16 topics use, beside the perplexity of their tokens."""
        found = []
        for topics in TOPICS:
            tokens = self.corpus.of_topics(
                topics, 2 * self.options.batch, stream("topics", self.seed, topics)
            )
            codes = mind.assign(self.hidden_of(tokens)).flatten()
            share = torch.bincount(codes, minlength=mind.codes) / len(codes)
            words = torch.bincount(tokens.flatten()).double() / tokens.numel()
            found.append(
                {
                    "topics": topics,
                    "used": int((share > 0).sum()),
                    "perplexity": perplexity(share),
                    "token_perplexity": perplexity(words),
                }
            )
        return found

    def added(self) -> dict[str, dict[str, float]]:
        """The jump in loss that adding tokens brings, on plain text and with one of them in it."""
        tokens = self.held_out()
        before = self.plain_loss(self.base, tokens)
        found = {}
        for start in STARTS:
            draws = stream("rows", self.seed)
            model, first = with_tokens(self.base, self.options.codes, start, draws)
            number = torch.full((len(tokens),), first)
            found[start] = {
                "plain": self.plain_loss(model, tokens) - before,
                "with token": self.marked(model, tokens, number)["loss"] - before,
            }
        return found

    def arm(self, arm: str, mind: Mind) -> dict[str, float]:
        """What a token in the middle does, before and after training with it."""
        options = self.options
        model, first = with_tokens(
            self.base, options.codes, "mean embedding", stream("rows", self.seed)
        )
        tokens = self.held_out()
        chance = stream("random code", self.seed)
        before = self.marked(model, tokens, self.codes_for(arm, tokens, mind, first, chance))
        network = model.network.train()
        optimizer = torch.optim.AdamW(network.parameters(), options.rate)
        draws = stream("arm texts", self.seed)
        for _ in range(options.arm_steps):
            part = self.corpus.batch(options.batch, draws)
            number = self.codes_for(arm, part, mind, first, chance)
            loss = self.losses(network, part, number).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        network.eval()
        after = self.marked(model, tokens, self.codes_for(arm, tokens, mind, first, chance))
        return {"loss_before": before["loss"], **after}

    def codes_for(
        self, arm: str, tokens: Tensor, mind: Mind, first: int, chance: torch.Generator
    ) -> Tensor | None:
        """(B,) numbers of the token in the middle; none for no token."""
        if arm == "none":
            return None
        if arm == "constant":
            return torch.full((len(tokens),), first)
        if arm == "random":
            return first + torch.randint(mind.codes, (len(tokens),), generator=chance)
        hidden = self.hidden_of(tokens[:, : self.half + 1])
        if arm == "predicted":  # from what has been read
            return first + mind.predicted(hidden[:, self.half - 1])
        return first + mind.assign(hidden[:, self.half])  # the state after one token more

    def losses(
        self, network: Any, tokens: Tensor, number: Tensor | None, *, attention: bool = False
    ) -> Any:
        """(B, T - 1) losses of tokens (B, T) with one more in the middle, which is not scored."""
        ids = tokens
        if number is not None:
            parts = (tokens[:, : self.half], number.unsqueeze(1), tokens[:, self.half :])
            ids = torch.cat(parts, 1)
        out = network(input_ids=ids, output_attentions=attention)
        logits = out.logits[:, :-1]
        if number is not None:  # the place before the token predicts it: left out
            logits = torch.cat([logits[:, : self.half - 1], logits[:, self.half :]], 1)
        flat = functional.cross_entropy(
            logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        )
        found = flat.view(len(tokens), -1)
        return (found, out.attentions) if attention else found

    @torch.no_grad()
    def marked(self, model: Model, tokens: Tensor, number: Tensor | None) -> dict[str, float]:
        """Loss of the second half, of its first token and of the rest, and the attention that later
        places pay to the middle one."""
        losses = []
        shares = []
        parts = tokens.split(self.options.batch)
        marks = number.split(self.options.batch) if number is not None else [None] * len(parts)
        for part, mark in zip(parts, marks, strict=True):
            found, attentions = self.losses(model.network, part, mark, attention=True)
            losses.append(found[:, self.half - 1 :].mean(0))
            looks = torch.stack([one[:, :, self.half + 1 :, self.half] for one in attentions])
            shares.append(float(looks.mean()))
        loss = torch.stack(losses).mean(0)
        return {
            "loss": float(loss.mean()),
            "first_token": float(loss[0]),
            "rest": float(loss[1:].mean()),
            "attention": float(np.mean(shares)),
        }


if __name__ == "__main__":
    main()
