"""The rival: the loop of ants-v0 as one program that JAX compiles, beside ours on the same core.

    pip install 'jax<0.11' -c constraints.txt
    python benchmarks/speed/jax_ants.py [--rounds 5] [--seconds 2] [--alone] [--json FILE] [--smoke]

The same work at the same sizes: four ants with networks of their own, 256 episodes of 32 steps,
proximal policy optimisation with two critics, four observers with additive evidence that are paid
for what they believe (dense increments, mean over observers) and learn the names from two random
slots of each lineup, four passes of four minibatches, both gradients clipped apart, Adam. World,
pay and update are one jitted function (the style of PureJaxRL, Lu et al. 2022); products are laid
out for the CPU: one plain product for each agent, since XLA's batched ones are slower there.

Ours is a whole iteration as `mirrorenv train` computes it with `learning.update = "fast"`, in a
process of its own; the two take turns. Rates are environment steps for each second of processor
time, compiling apart. One thread each.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine
from benchmarks.speed.before_after import Tree

AGENTS, EPISODES, STEPS, CELLS, CHOICES, HIDDEN = 4, 256, 32, 15, 3, 64
MINIBATCH, EPOCHS, SLOTS = 64, 4, 2
GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, LARGEST = 0.99, 0.95, 0.2, 0.01, 0.5, 0.5
RATES = {"actor": 1e-3, "observer": 3e-3}
FLOOR = math.log(1e-4)


def program() -> tuple[Any, Callable[[Any], tuple[Any, dict[str, Any]]]]:
    """What it starts from, and the jitted iteration: state -> next state, figures."""
    # one thread, as ours; to be said before JAX starts
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    import jax
    import jax.numpy as jnp

    def layer(key: Any, inputs: int, outputs: int, gain: float) -> dict[str, Any]:
        orthogonal = jax.nn.initializers.orthogonal(gain)
        keys = jax.random.split(key, AGENTS)
        weights = [orthogonal(one, (inputs, outputs)) for one in keys]
        return {"w": jnp.stack(weights), "b": jnp.zeros((AGENTS, outputs))}

    def start(key: Any) -> dict[str, Any]:
        keys = jax.random.split(key, 7)
        actor = {
            "first": layer(keys[0], 2, HIDDEN, 2**0.5),
            "second": layer(keys[1], HIDDEN, HIDDEN, 2**0.5),
            "policy": layer(keys[2], HIDDEN, CHOICES, 0.01),
            "critics": layer(keys[3], HIDDEN, 2, 1.0),
        }
        observer = {
            "first": layer(keys[4], 2 + CHOICES, HIDDEN, 2**0.5),
            "last": layer(keys[5], HIDDEN, AGENTS, 0.01),
        }
        weights = {"actor": actor, "observer": observer}
        nothing = jax.tree.map(jnp.zeros_like, weights)
        return {"weights": weights, "m": nothing, "v": nothing, "step": 0, "key": keys[6]}

    def act(actor: Any, seen: Any) -> tuple[Any, Any]:
        """(N, R, 2) -> logits (N, R, A), values (N, R, 2)."""
        outputs = []
        for i in range(AGENTS):
            hidden = seen[i]
            for name in ("first", "second"):
                hidden = jnp.tanh(hidden @ actor[name]["w"][i] + actor[name]["b"][i])
            both = [actor[name]["w"][i] for name in ("policy", "critics")]
            bias = [actor[name]["b"][i] for name in ("policy", "critics")]
            outputs.append(hidden @ jnp.concatenate(both, 1) + jnp.concatenate(bias))
        said = jnp.stack(outputs)
        return said[..., :CHOICES], said[..., CHOICES:]

    def evidence(observer: Any, seen: Any, actions: Any) -> Any:
        """(T, M, 2), (T, M) -> (J, T, M, N), summed over time."""
        done = jax.nn.one_hot(actions, CHOICES)
        rows = jnp.concatenate([seen, done], -1).reshape(-1, 2 + CHOICES)
        found = []
        for j in range(AGENTS):
            hidden = jax.nn.relu(rows @ observer["first"]["w"][j] + observer["first"]["b"][j])
            found.append(hidden @ observer["last"]["w"][j] + observer["last"]["b"][j])
        return jnp.cumsum(jnp.stack(found).reshape(AGENTS, *actions.shape, AGENTS), 1)

    def look(cells: Any, t: Any) -> Any:
        """(N, B) -> (N, B, 2)."""
        left = jnp.full(cells.shape, 1.0 - t / STEPS)
        return jnp.stack([cells * (2.0 / (CELLS - 1)) - 1.0, left], -1)

    def play(actor: Any, key: Any) -> dict[str, Any]:
        """Columns (T, N, B, ...)."""
        noise = jax.random.gumbel(key, (STEPS, AGENTS, EPISODES, CHOICES))

        def step(cells: Any, given: Any) -> tuple[Any, dict[str, Any]]:
            t, chance = given
            seen = look(cells, t)
            logits, values = act(actor, seen)
            actions = jnp.argmax(logits + chance, -1)
            log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), actions[..., None], -1)[..., 0]
            moved = jnp.clip(cells + actions - 1, 0, CELLS - 1)
            return moved, {"seen": seen, "actions": actions, "log_p": log_p, "values": values}

        middle = jnp.full((AGENTS, EPISODES), CELLS // 2)
        last, played = jax.lax.scan(step, middle, (jnp.arange(STEPS), noise))
        played["last"] = act(actor, look(last, STEPS))[1][..., 0]
        return played

    def gae(rewards: Any, values: Any, last: Any, gamma: float) -> Any:
        """All (T, N, B)."""

        def back(carried: Any, given: Any) -> tuple[Any, Any]:
            advantage, following = carried
            reward, value = given
            advantage = reward + gamma * following - value + gamma * LAMBDA * advantage
            return (advantage, value), advantage

        start = (jnp.zeros_like(last), last)
        return jax.lax.scan(back, start, (rewards, values), reverse=True)[1]

    def pay(observer: Any, played: Any) -> Any:
        """What each agent is paid, (T, N, B)."""
        flat = (STEPS, AGENTS * EPISODES)
        found = evidence(
            observer, played["seen"].reshape(*flat, 2), played["actions"].reshape(flat)
        )
        found = jax.nn.log_softmax(found).reshape(AGENTS, STEPS, AGENTS, EPISODES, AGENTS)
        own = jnp.stack([found[:, :, n, :, n] for n in range(AGENTS)], 2)  # (J, T, N, B)
        value = (math.log(AGENTS) + jnp.clip(own, FLOOR, 0.0)).mean(0)
        return jnp.diff(value, axis=0, prepend=0.0)

    def loss(weights: Any, batch: dict[str, Any], slots: Any) -> tuple[Any, dict[str, Any]]:
        """Both losses on a minibatch: columns (N, T*b, ...); `slots` (2, b), whose trajectories
        the observers read."""
        logits, values = act(weights["actor"], batch["seen"])
        log_all = jax.nn.log_softmax(logits)
        log_p = jnp.take_along_axis(log_all, batch["actions"][..., None], -1)[..., 0]
        ratio = jnp.exp(log_p - batch["log_p"])
        advantage = batch["advantage"]
        surrogate = jnp.minimum(
            ratio * advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage
        ).mean()
        error = jnp.square(values - batch["targets"]).sum(-1).mean()
        entropy = -(jnp.exp(log_all) * log_all).sum(-1).mean()
        acting = -surrogate + VALUE * error - ENTROPY * entropy
        shape = (AGENTS, STEPS, MINIBATCH)
        index = slots[:, None]  # (2, 1, b)
        seen = jnp.take_along_axis(batch["seen"].reshape(*shape, 2), index[..., None], 0)
        done = jnp.take_along_axis(batch["actions"].reshape(shape), index, 0)
        read = evidence(
            weights["observer"],
            seen.swapaxes(0, 1).reshape(STEPS, -1, 2),
            done.swapaxes(0, 1).reshape(STEPS, -1),
        )  # (J, T, 2*b, N)
        target = jnp.broadcast_to(slots.reshape(-1), read.shape[:-1])
        believed = jax.nn.log_softmax(read)
        recognising = -jnp.take_along_axis(believed, target[..., None], -1).mean()
        right = (read.argmax(-1) == target).mean()
        return acting + recognising, {"right": right, "entropy": entropy}

    def clipped(gradient: Any) -> Any:
        norm = jnp.sqrt(sum(jnp.square(one).sum() for one in jax.tree.leaves(gradient)))
        scale = jnp.minimum(1.0, LARGEST / (norm + 1e-6))
        return jax.tree.map(lambda one: one * scale, gradient)

    def adam(state: dict[str, Any], gradient: Any) -> dict[str, Any]:
        step = state["step"] + 1
        m = jax.tree.map(lambda old, g: 0.9 * old + 0.1 * g, state["m"], gradient)
        v = jax.tree.map(lambda old, g: 0.999 * old + 0.001 * g * g, state["v"], gradient)
        root = jnp.sqrt(1 - 0.999**step)
        weights = {
            part: jax.tree.map(
                lambda w, a, b, rate=rate: (
                    w - rate / (1 - 0.9**step) * a / (jnp.sqrt(b) / root + 1e-5)
                ),
                state["weights"][part],
                m[part],
                v[part],
            )
            for part, rate in RATES.items()
        }
        return {**state, "weights": weights, "m": m, "v": v, "step": step}

    @jax.jit
    def iteration(state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        key, for_play, for_order, for_slots = jax.random.split(state["key"], 4)
        weights = state["weights"]
        played = play(weights["actor"], for_play)
        paid = pay(weights["observer"], played)
        values = played["values"]
        mirror = gae(paid, values[..., 1], jnp.zeros_like(played["last"]), 1.0)
        own = gae(jnp.zeros_like(paid), values[..., 0], played["last"], GAMMA)
        advantage = mirror  # nothing is paid by the world, so its advantage is taken for zero
        spread = jnp.sqrt(advantage.var((0, 2), keepdims=True) + 1e-8)
        columns = {
            "seen": played["seen"],
            "actions": played["actions"],
            "log_p": played["log_p"],
            "advantage": (advantage - advantage.mean((0, 2), keepdims=True)) / spread,
            "targets": jnp.stack([own + values[..., 0], mirror + values[..., 1]], -1),
        }
        columns = {name: jnp.moveaxis(one, 0, 1) for name, one in columns.items()}  # (N, T, B, ...)
        keys = jax.random.split(for_order, EPOCHS)
        order = jnp.concatenate([jax.random.permutation(one, EPISODES) for one in keys])
        lineups = jax.vmap(lambda one: jax.random.permutation(one, AGENTS))(
            jax.random.split(for_slots, EPISODES * EPOCHS)
        )[:, :SLOTS]

        def update(state: Any, given: Any) -> tuple[Any, Any]:
            rows, slots = given
            batch = {
                name: one[:, :, rows].reshape(AGENTS, STEPS * MINIBATCH, *one.shape[3:])
                for name, one in columns.items()
            }
            gradient, figures = jax.grad(loss, has_aux=True)(state["weights"], batch, slots.T)
            gradient = {part: clipped(one) for part, one in gradient.items()}
            return adam(state, gradient), figures

        given = (order.reshape(-1, MINIBATCH), lineups.reshape(-1, MINIBATCH, SLOTS))
        state, figures = jax.lax.scan(update, state, given)
        figures = {name: one.mean() for name, one in figures.items()}
        return {**state, "key": key}, {**figures, "mirror_return": paid.sum(0).mean()}

    return start(jax.random.key(0)), iteration


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1, "seconds": 0.1, "iterations": 2})
    script.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    script.add_argument("--seconds", type=float, default=2.0, help="of one turn (default 2)")
    script.add_argument("--iterations", type=int, default=20, help="before anything is measured")
    script.add_argument("--alone", action="store_true", help="the rival without ours")
    options = script.parse()
    state, iteration = program()
    begun = time.process_time()
    state, figures = iteration(state)
    print(f"compiled in {time.process_time() - begun:.1f} s")
    for _ in range(options.iterations - 1):
        state, figures = iteration(state)
    learnt = {name: round(float(value), 3) for name, value in figures.items()}
    print(f"after {options.iterations} iterations: {learnt}")
    ours = None if options.alone else Tree(ROOT, options.seconds)
    rates: dict[str, list[float]] = {"jax": [], "ours": []}
    for _ in range(options.rounds):
        if ours is not None:
            rate = ours.rate("iteration")
            assert rate is not None
            rates["ours"].append(rate)
        begun = time.process_time()
        count = 0
        while time.process_time() - begun < options.seconds:
            state, figures = iteration(state)
            float(figures["mirror_return"])  # waits for it
            count += 1
        spent = time.process_time() - begun
        rates["jax"].append(count * EPISODES * STEPS / spent)
    print(f"JAX, environment steps for each CPU second: {statistics.median(rates['jax']):,.0f}")
    if ours is not None:
        ours.close()
        ratios = [one / other for one, other in zip(rates["ours"], rates["jax"], strict=True)]
        print(
            f"ours: {statistics.median(rates['ours']):,.0f}, {statistics.median(ratios):.2f} of it "
            f"[{min(ratios):.2f}, {max(ratios):.2f}] (aimed at: at least 0.8)"
        )
    script.save({"benchmark": "jax_ants", **machine(), "rates": rates, "learnt": learnt})


if __name__ == "__main__":
    main()
