"""Calls of the public interface that are wrong. Nothing here is run: `test_doors.py` has mypy read
it, and every line of `wrong` must be an error."""

import mirrorenv
from mirrorenv import MirrorTest


def wrong() -> None:
    """One wrong call in each line."""
    mirrorenv.make()
    mirrorenv.make("mirrorenv/ants-v0", render_mode=3)
    mirrorenv.make_batch(3.5, 4)
    mirrorenv.make_batch("mirrorenv/ants-v0", "seven")
    mirrorenv.make_batch("mirrorenv/ants-v0", 4).nothing_of_this_name()
    mirrorenv.register("mine/world-v0")
    mirrorenv.register("mine/world-v0", "mine:World", kind="picture")
    mirrorenv.spec(7)
    mirrorenv.registry(3)
    mirrorenv.nothing_of_this_name()
    MirrorTest()
    MirrorTest(mirrorenv.make("mirrorenv/ants-v0"), weight="much")
    mirrorenv.results.RunFolder.create(1, 2, 3, 4, nonsense=5)
    mirrorenv.results.RunFolder.open(5)
    mirrorenv.results.write_report(3, 4, 5)
    mirrorenv.results.verify_result(1.5)
    mirrorenv.results.paired("a", "b", nonsense=True)
    mirrorenv.results.nothing_of_this_name()
    mirrorenv.debate.Debate(1, 2, 3, nonsense=4)
    mirrorenv.debate.load_topics(1.5)
    mirrorenv.debate.preset(3)
    mirrorenv.debate.DebateEnv(preset=7)
    mirrorenv.preference.load_settings(3, 4, 5, 6)
    mirrorenv.preference.write_report(3.5)
    mirrorenv.preference.read_pairs(1)
    mirrorenv.llm.load_model(1, 2, 3)
    mirrorenv.population.load_population(3)
    mirrorenv.population.Population("shape")
    mirrorenv.rllib.train("settings")
    mirrorenv.rllib.load_settings(3, 4, 5)
    mirrorenv.rllib.register_worlds(3)
    mirrorenv.sb3.vec_env("mirrorenv/ants-v0")
    mirrorenv.sb3.MirrorCallback(weight="much")
    mirrorenv.mirror.permutation_marginals()
    mirrorenv.mirror.mirror_reward(nonsense=3)
    mirrorenv.envs.full_id(3)
    mirrorenv.testing.Flawless(nonsense=True)
