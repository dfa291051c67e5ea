"""TorchRL's independent PPO on ants-v0 through the PettingZoo interface, beside our loop.

    python -m pip install torchrl 'torch==2.13.0'      (in an environment of its own)
    python benchmarks/speed/torchrl_ants.py [--rounds 3] [--batch 2048] [--alone] [--json FILE]

Independent PPO as TorchRL composes it (Bou et al. 2023, the losses that BenchMARL's IPPO uses too):
networks of their own for four agents, two tanh layers of 64, a critic each, clipped loss,
generalised advantages, four passes of four minibatches, Adam. No observers and no mirror, so it has
less to do than ours. The world is one copy behind the PettingZoo interface, which is how TorchRL
takes it. Rates are environment steps for each second of processor time of whole iterations; ours is
that of `jax_ants.py`. One thread each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine
from benchmarks.speed.before_after import Tree

WORLD = "mirrorenv/ants-v0"
GROUP = "ant"  # TorchRL groups agents by the beginning of their names


def iteration_of(batch: int) -> Callable[[], dict[str, float]]:
    """A function that plays `batch` steps and learns from them; what it answers is for the eye."""
    import torch
    from tensordict.nn import TensorDictModule
    from torchrl.collectors import Collector
    from torchrl.envs.libs.pettingzoo import PettingZooWrapper
    from torchrl.modules import MultiAgentMLP, ProbabilisticActor
    from torchrl.objectives import ClipPPOLoss, ValueEstimators

    import mirrorenv

    torch.set_num_threads(1)
    env = PettingZooWrapper(mirrorenv.make(WORLD), categorical_actions=True, use_mask=False)
    seen = (GROUP, "observation")
    agents, size = env.observation_spec[seen].shape

    def network(outputs: int) -> Any:
        return MultiAgentMLP(
            n_agent_inputs=size,
            n_agent_outputs=outputs,
            n_agents=agents,
            centralized=False,
            share_params=False,
            depth=2,
            num_cells=64,
            activation_class=torch.nn.Tanh,
        )

    policy = ProbabilisticActor(
        TensorDictModule(network(3), in_keys=[seen], out_keys=[(GROUP, "logits")]),
        spec=env.full_action_spec_unbatched,
        in_keys=[(GROUP, "logits")],
        out_keys=[(GROUP, "action")],
        distribution_class=torch.distributions.Categorical,
        return_log_prob=True,
        log_prob_key=(GROUP, "log_prob"),
    )
    critic = TensorDictModule(network(1), in_keys=[seen], out_keys=[(GROUP, "state_value")])
    loss = ClipPPOLoss(
        policy, critic, clip_epsilon=0.2, entropy_coeff=0.01, normalize_advantage=True
    )
    loss.set_keys(
        reward=(GROUP, "reward"),
        action=(GROUP, "action"),
        sample_log_prob=(GROUP, "log_prob"),
        value=(GROUP, "state_value"),
        done=(GROUP, "done"),
        terminated=(GROUP, "terminated"),
    )
    loss.make_value_estimator(ValueEstimators.GAE, gamma=0.99, lmbda=0.95)
    collector = iter(Collector(env, policy, frames_per_batch=batch, total_frames=-1))
    optimiser = torch.optim.Adam(loss.parameters(), lr=1e-3)

    def iteration() -> dict[str, float]:
        data = next(collector)
        with torch.no_grad():
            loss.value_estimator(
                data,
                params=loss.critic_network_params,
                target_params=loss.target_critic_network_params,
            )
        flat = data.reshape(-1)
        for _ in range(4):
            for rows in torch.randperm(batch).split(batch // 4):
                said = loss(flat[rows])
                total = said["loss_objective"] + said["loss_critic"] + said["loss_entropy"]
                optimiser.zero_grad()
                total.backward()
                torch.nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
                optimiser.step()
        return {"entropy": float(said["entropy"].mean())}

    return iteration


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1, "batch": 64})
    script.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    script.add_argument("--batch", type=int, default=2048, help="steps of an iteration")
    script.add_argument("--alone", action="store_true", help="TorchRL without ours")
    options = script.parse()
    iteration = iteration_of(options.batch)
    iteration()
    ours = None if options.alone else Tree(ROOT, 2.0)
    rates: dict[str, list[float]] = {"torchrl": [], "ours": []}
    for _ in range(options.rounds):
        if ours is not None:
            rate = ours.rate("iteration")
            assert rate is not None
            rates["ours"].append(rate)
        begun = time.process_time()
        figures = iteration()
        rates["torchrl"].append(options.batch / (time.process_time() - begun))
    print(f"TorchRL: {statistics.median(rates['torchrl']):,.0f} environment steps, {figures}")
    if ours is not None:
        ours.close()
        ratios = [one / other for one, other in zip(rates["ours"], rates["torchrl"], strict=True)]
        print(
            f"ours: {statistics.median(rates['ours']):,.0f}, {statistics.median(ratios):.1f} times "
            f"as many [{min(ratios):.1f}, {max(ratios):.1f}]"
        )
    script.save({"benchmark": "torchrl_ants", **machine(), "rates": rates})


if __name__ == "__main__":
    main()
