"""`attach`: the mirror beside an algorithm of RLlib's own, whatever its modules are."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.env_context import EnvContext
from ray.tune.registry import ENV_CREATOR, _global_registry, register_env

from mirrorenv.envs.adhoc import is_adhoc
from mirrorenv.envs.registry import full_id, registry
from mirrorenv.errors import ConfigError
from mirrorenv.rllib.algorithm import MirrorPPOConfig
from mirrorenv.rllib.attaching.auxiliaries import SETTINGS, learner_with_auxiliaries
from mirrorenv.rllib.attaching.connector import Cast, MirrorPiece, Pipeline
from mirrorenv.rllib.attaching.module import MIRROR, MirrorModule
from mirrorenv.rllib.attaching.settings import AttachSettings
from mirrorenv.rllib.multi_agent_env import WorldCreator

__all__ = ["attach"]

Config = TypeVar("Config", bound=AlgorithmConfig)


def attach(config: Config, **settings: Any) -> Config:
    """Pay the agents of any RLlib algorithm for being recognised.

    >>> config = attach(PPOConfig().environment("mirrorenv/ants-v0"), weight=1.0)

    Call it last: the environment, the policies and their modules are taken as they are then.
    Without `multi_agent(...)` every agent gets a module of its own. Observers' heads become one
    more module (`mirror`), which learns in the learner and stands in every checkpoint; their
    figures stand under `learners/mirror` in the results. Whole episodes are sampled
    (`batch_mode="complete_episodes"`).

    Args:
        config: of PPO, APPO, IMPALA or what is built like them; it is changed.
        **settings: fields of
            :class:`~mirrorenv.rllib.attaching.settings.AttachSettings` (weight, credit, timing,
            head, unseen, ...).

    Returns:
        the same config.

    Raises:
        ConfigError: for a wrong setting, another kind of algorithm, or a config that has a mirror
            already.
        WorldError: if the environment has one agent, or spaces without a fixed size.
    """
    chosen = AttachSettings.checked(settings, "attach")
    _check_algorithm(config)
    cast = _cast(config)
    chosen.check(len(cast.agents))
    MirrorPiece(cast, chosen)  # what it could not read is refused here
    if not config.is_multi_agent:
        names = [str(agent) for agent in cast.agents]
        config.multi_agent(policies=set(names), policy_mapping_fn=_own_module)
    others = config._learner_connector
    config.learners(learner_connector=Pipeline(cast, chosen, others))
    config.rl_module(rl_module_spec=_with_mirror(config, cast, chosen))
    if chosen.auxiliaries:
        asked = {"list": [dict(one) for one in chosen.auxiliaries], "seed": chosen.seed}
        config.learners(
            learner_class=learner_with_auxiliaries(config), learner_config_dict={SETTINGS: asked}
        )
    overrides = dict(config.algorithm_config_overrides_per_module)
    overrides[MIRROR] = config.overrides(lr=chosen.learning_rate, **_without_kl(config))
    config.multi_agent(algorithm_config_overrides_per_module=overrides)
    if config.policies_to_train is not None:
        config.multi_agent(policies_to_train=_AndMirror(config.policies_to_train))
    config.env_runners(batch_mode="complete_episodes")
    before = config.callbacks_on_algorithm_init
    checks = [*before] if isinstance(before, list | tuple) else [before] if before else []
    config.callbacks(on_algorithm_init=[*checks, _still_attached])
    return config


def _own_module(agent: Any, episode: Any, **kwargs: Any) -> str:
    """The module that is called like the agent."""
    return str(agent)


def _without_kl(config: AlgorithmConfig) -> dict[str, bool]:
    """Heads have no policy whose steps RLlib could measure."""
    return {"use_kl_loss": False} if hasattr(config, "use_kl_loss") else {}


class _AndMirror:
    """`policies_to_train` of the user, and the mirror."""

    def __init__(self, policies: Any) -> None:
        self.policies = policies

    def __call__(self, module: str, batch: Any = None) -> bool:
        """Whether this module learns."""
        if module == MIRROR:
            return True
        if callable(self.policies):
            return bool(self.policies(module, batch))
        return module in self.policies


def _check_algorithm(config: AlgorithmConfig) -> None:
    """Whether a mirror can be attached to such a config."""
    name = type(config).__name__
    if isinstance(config, MirrorPPOConfig):
        raise ConfigError("attach: MirrorPPO has its own mirror: use .mirror(weight=...)")
    if not isinstance(config, PPOConfig | IMPALAConfig):
        raise ConfigError(
            f"attach: {name} replays old episodes, whose rewards would be those of old observers; "
            "use PPOConfig, APPOConfig or IMPALAConfig"
        )
    if isinstance(config._learner_connector, Pipeline):
        raise ConfigError("attach: this config has a mirror already; build it again to change it")
    if not config.enable_rl_module_and_learner or not config.enable_env_runner_and_connector_v2:
        raise ConfigError(
            "attach: this config uses RLlib's old API stack; leave api_stack(...) as RLlib has it"
        )
    if not config.add_default_connectors_to_learner_pipeline:
        raise ConfigError(
            "attach: the learner's default connectors are switched off, and the mirror needs them"
        )
    _check_resources(config)


def _check_resources(config: AlgorithmConfig) -> None:
    """Whether the learner itself reads the episodes."""
    if config.num_aggregator_actors_per_learner:
        raise ConfigError(
            "attach: aggregator actors read episodes with heads that never learn; set "
            ".learners(num_aggregator_actors_per_learner=0)"
        )


def _with_mirror(
    config: AlgorithmConfig, cast: Cast, settings: AttachSettings
) -> MultiRLModuleSpec:
    """The user's modules, or the algorithm's own, with the heads beside them."""
    about = {
        "settings": settings.model_dump(),
        "num_agents": len(cast.agents),
        "observation_width": cast.observation_width,
        "action_width": cast.action_width,
    }
    some = cast.agents[0]
    mirror = RLModuleSpec(
        module_class=MirrorModule,
        observation_space=cast.sights[some],
        action_space=cast.acts[some],
        learner_only=True,
        model_config={"mirror": about},
    )
    given = config._rl_module_spec
    several = isinstance(given, MultiRLModuleSpec)
    own = given.rl_module_specs if several else {}
    _check_name([*own, *config.policies])
    rest = config.get_default_rl_module_spec() if several or given is None else given
    # also those that the user's spec leaves out: RLlib means to fill them in, and stumbles
    missing = sorted(set(config.policies) - set(own))
    specs = {policy: copy.deepcopy(rest) for policy in missing}
    modules = {**specs, **own, MIRROR: mirror}
    if not several:
        return MultiRLModuleSpec(rl_module_specs=modules)
    # not dataclasses.replace: RLlib keeps a deprecated field that it refuses
    return type(given)(
        multi_rl_module_class=given.multi_rl_module_class,
        rl_module_specs=modules,
        modules_to_load=given.modules_to_load,
        load_state_path=given.load_state_path,
        model_config=given.model_config,
    )


def _check_name(policies: Any) -> None:
    if MIRROR in policies:
        raise ConfigError("attach: the name 'mirror' is the observers'; call your policy another")


def _cast(config: AlgorithmConfig) -> Cast:
    """Who plays in the config's environment: found out by making one copy of it."""
    env = _make(config)
    try:
        name = config.env if isinstance(config.env, str) else type(env).__name__
        agents = tuple(getattr(env, "possible_agents", ()))
        if len(agents) < 2:
            raise ConfigError(
                f"attach: {name} has {len(agents)} agents in possible_agents, and a lineup needs "
                "at least 2; a MultiAgentEnv says who may play in its possible_agents"
            )
        sights = {agent: _space(env, "observation", agent) for agent in agents}
        acts = {agent: _space(env, "action", agent) for agent in agents}
    finally:
        env.close()
    return Cast(name, agents, sights, acts)


def _space(env: Any, which: str, agent: Any) -> Any:
    """An agent's own space, as `MultiAgentEnv` has it."""
    found = getattr(env, f"get_{which}_space")(agent)
    if found is None:
        raise ConfigError(
            f"attach: {type(env).__name__} has no {which} space for agent '{agent}'; fill "
            f"{which}_spaces"
        )
    return found


def _make(config: AlgorithmConfig) -> Any:
    """One copy of the environment, as an env runner makes it. A world of ours is made known to
    RLlib by its id."""
    env = config.env
    if env is None:
        raise ConfigError(
            "attach: no environment given: call .environment(...) first, for example "
            ".environment('mirrorenv/ants-v0')"
        )
    context = EnvContext(dict(config.env_config), worker_index=0)
    if not isinstance(env, str):
        return env(context)
    if not _global_registry.contains(ENV_CREATOR, env):
        id = env if is_adhoc(env) else full_id(env)
        if is_adhoc(id) or id in registry():
            register_env(id, WorldCreator(id))
            config.environment(id)
            env = id
    if not _global_registry.contains(ENV_CREATOR, env):
        raise ConfigError(
            f"attach: no environment is called {env!r}: neither tune.register_env(...) nor a world "
            "of mirrorenv has that name (mirrorenv worlds lists them)"
        )
    return _global_registry.get(ENV_CREATOR, env)(context)


def _still_attached(algorithm: Any, **kwargs: Any) -> None:
    """Whether nothing was set after `attach` that takes the mirror off again.

    Raises:
        ConfigError: if so.
    """
    config: AlgorithmConfig = algorithm.config
    modules: Mapping[str, Any] = getattr(config.rl_module_spec, "rl_module_specs", {})
    if not isinstance(config._learner_connector, Pipeline) or MIRROR not in modules:
        raise ConfigError(
            "attach: the config's modules or learner connector were set again after attach(...), "
            "and the mirror is gone: call attach last"
        )
    if config.batch_mode != "complete_episodes":
        raise ConfigError(
            "attach: observers read whole episodes; leave batch_mode='complete_episodes'"
        )
    _check_resources(config)
