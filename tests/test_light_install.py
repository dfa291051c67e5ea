"""The base install does what it promises without torch or Ray, and a missing extra is named."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.test_layout import HEAVY

_BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def _run_without(blocked: set[str], code: str) -> subprocess.CompletedProcess[str]:
    script = _BLOCKER.format(blocked=blocked) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )


def test_base_install_makes_worlds_and_scores_without_torch_or_ray() -> None:
    result = _run_without(
        HEAVY,
        """
        import numpy as np
        import mirrorenv
        import mirrorenv.mirror, mirrorenv.envs, mirrorenv.results
        from mirrorenv.mirror import permutation_marginals

        world = mirrorenv.make_batch("mirrorenv/ants-v0", num_envs=2)
        observations = world.reset([1, 2])
        assert observations.shape[:2] == (2, len(world.agents))
        mirrorenv.make("mirrorenv/ants-v0").reset(seed=1)
        np.testing.assert_allclose(permutation_marginals(np.zeros((3, 3))), 1 / 3)
        assert not {"torch", "ray"} & set(sys.modules)
        """,
    )
    assert result.returncode == 0, result.stderr


def test_the_game_in_words_needs_no_torch_even_where_a_local_model_plays() -> None:
    result = _run_without(
        HEAVY,
        """
        import importlib, pkgutil
        import mirrorenv.debate
        from mirrorenv.debate.cards import AgentCard
        from mirrorenv.debate.players import make_player

        for module in pkgutil.walk_packages(mirrorenv.debate.__path__, "mirrorenv.debate."):
            if not module.name.startswith("mirrorenv.debate.inspect_"):  # needs an extra of its own
                importlib.import_module(module.name)
        make_player(AgentCard(name="a", player="local"))
        assert not {"torch", "transformers"} & set(sys.modules)
        """,
    )
    assert result.returncode == 0, result.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    result = _run_without(
        set(),
        "import mirrorenv; assert not {'torch', 'ray', 'matplotlib', 'scipy'} & set(sys.modules)",
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("population", "torch", "train"),
        ("rllib", "ray", "train"),
        ("sb3", "stable_baselines3", "sb3"),
        ("preference", "trl", "trl"),
    ],
)
def test_a_missing_extra_is_answered_with_the_pip_line(
    module: str, missing: str, extra: str
) -> None:
    result = _run_without(
        {missing},
        f"""
        from mirrorenv.errors import MissingExtraError
        import mirrorenv.{module} as room
        try:
            for name in room.__all__:
                getattr(room, name)
        except MissingExtraError as error:
            print(error)
        """,
    )
    assert f"pip install '.[{extra}]'" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--help",), ""),
        (("train", "--help"), ""),
        (("worlds",), ""),
        (("train", "antz-v0"), "Did you mean mirrorenv/ants-v0"),
        (("train", "ants-v0", "--set", "mirror.wieght=1"), "Did you mean mirror.weight"),
        (("train", "ants-v0", "--set", "world_options.agents=3"), "Did you mean num_agents"),
    ],
    ids=" ".join,
)
def test_help_lists_and_typing_mistakes_load_nothing_slow(
    words: tuple[str, ...], says: str
) -> None:
    code = (
        "import sys\n"
        f"sys.argv = {['mirrorenv', *words]!r}\n"
        "from mirrorenv.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    slow = {'torch', 'ray', 'scipy.optimize', 'scipy.stats', 'pandas'}\n"
        "    print('loaded:', *sorted(slow & set(sys.modules)))\n"
    )
    result = _run_without(set(), code)
    assert result.stdout.splitlines()[-1].strip() == "loaded:"
    assert says in result.stderr
    assert "training" not in result.stderr  # announced only when it is known to be possible


def test_a_run_begins_without_what_it_does_not_use() -> None:
    pytest.importorskip("torch")
    result = _run_without(
        set(),
        """
        import sys
        import mirrorenv.rllib.in_process, mirrorenv.rllib.run

        unused = {"ray", "pandas", "matplotlib", "pytest", "pygame", "sympy", "transformers"}
        unused |= {"pettingzoo.test", "scipy.optimize", "torch._dynamo"}
        print("loaded:", *sorted(unused & set(sys.modules)))
        """,
    )
    assert result.stdout.strip() == "loaded:", result.stdout + result.stderr
