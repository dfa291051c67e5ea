"""The registry: lazy, typed, open to other packages, and helpful when asked for what it does not
have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import mirrorenv
from mirrorenv.envs import discovery, worlds
from mirrorenv.envs.world_spec import WORLDS
from mirrorenv.envs.worlds.ants import Ants
from mirrorenv.errors import ConfigError, UnknownNameError, WorldError

HERE = "mirrorenv.envs.worlds.ants:Ants"


@pytest.fixture(autouse=True)
def _leave_the_registry_as_it_was(monkeypatch):
    before = mirrorenv.registry()
    monkeypatch.setattr(discovery, "_BROKEN", {})
    yield
    WORLDS.clear()
    WORLDS.update(before)


def test_the_worlds_of_the_package_are_registered():
    names = {
        "ants",
        "chain",
        "identity",
        "conformity",
        "dirichlet",
        "pacmen",
        "dispersion",
        "point",
        "turn",
    }
    assert {f"mirrorenv/{name}-v0" for name in names} <= mirrorenv.registry().keys()


def test_every_specification_is_filled_in_and_loads():
    for id, spec in mirrorenv.registry().items():
        assert spec.id == id and spec.description.endswith(".") and callable(spec.load())


def test_team_reward_says_what_the_world_pays():
    for id, spec in mirrorenv.registry().items():
        if spec.kind == "array":
            assert (
                getattr(mirrorenv.make_batch(id, 1), "reward", None) == "team"
            ) == spec.team_reward


def test_an_unknown_id_gets_a_proposal():
    with pytest.raises(
        UnknownNameError, match=r"unknown world 'ants-v0'\. Did you mean mirrorenv/ants-v0"
    ):
        mirrorenv.make("ants-v0")
    with pytest.raises(KeyError):  # it is a KeyError, too
        mirrorenv.spec("nothing-like-it/v9")


def test_an_unknown_argument_gets_a_proposal():
    with pytest.raises(ConfigError, match=r"mirrorenv/ants-v0: .*'lenght'\. Did you mean length"):
        mirrorenv.make_batch("mirrorenv/ants-v0", 2, lenght=9)
    with pytest.raises(ConfigError, match="num_environments"):
        mirrorenv.make("mirrorenv/pacmen-v0", num_environments=2)


def test_registered_arguments_apply_and_can_be_overridden():
    mirrorenv.register(
        "here/short-v1", "mirrorenv.envs.worlds.ants:Ants", kwargs={"horizon": 3, "length": 5}
    )
    assert mirrorenv.make_batch("here/short-v1", 1).horizon == 3
    assert mirrorenv.make_batch("here/short-v1", 1, horizon=4).horizon == 4


@pytest.mark.parametrize(
    "id", ["ants-v0", "mirrorenv/ants", "mirrorenv/ants-vX", "a b/c-v0", "", "x/y/z-v0"]
)
def test_malformed_ids_are_refused(id):
    with pytest.raises(ConfigError, match="namespace/name-v0"):
        mirrorenv.register(id, "mirrorenv.envs.worlds.ants:Ants")


@pytest.mark.parametrize(
    "entry_point", ["mirrorenv.envs.worlds.ants", ":Ants", "mirrorenv.envs.worlds.ants:", ""]
)
def test_malformed_entry_points_are_refused(entry_point):
    with pytest.raises(ConfigError, match="entry point"):
        mirrorenv.register("here/x-v0", entry_point)


def test_a_class_is_registered_by_where_it_lies():
    mirrorenv.register("here/by-class-v0", Ants)
    assert mirrorenv.spec("here/by-class-v0").entry_point == HERE
    assert type(mirrorenv.make_batch("here/by-class-v0", 2)) is Ants


def test_a_class_that_no_other_process_can_import_is_refused():
    class Local(Ants):
        pass

    with pytest.raises(ConfigError, match="inside a function"):
        mirrorenv.register("here/local-v0", Local)
    with pytest.raises(ConfigError, match="entry point"):
        mirrorenv.register("here/odd-v0", 5)


def test_a_made_world_carries_what_it_was_made_from():
    mirrorenv.register("here/short-v2", Ants, kwargs={"horizon": 3, "length": 5})
    batch = mirrorenv.make_batch("here/short-v2", 2, length=7)
    assert batch.spec.id == "here/short-v2"
    assert batch.spec.kwargs == {"horizon": 3, "length": 7}
    again = mirrorenv.make(batch.spec.id, **batch.spec.kwargs)
    assert again.spec == batch.spec and again.world.length == 7
    adhoc = mirrorenv.make_batch(HERE, 2, num_agents=3)
    assert (adhoc.spec.id, adhoc.spec.kwargs) == (HERE, {"num_agents": 3})
    assert Ants(num_envs=2).spec is None


@pytest.mark.parametrize("id", mirrorenv.registry())
def test_every_environment_says_what_it_is(id):
    assert mirrorenv.make(id).spec == mirrorenv.spec(id)


def test_every_file_of_worlds_is_found_and_none_is_named_anywhere():
    found = {spec.entry_point.partition(":")[0] for spec in mirrorenv.registry().values()}
    for path in sorted(Path(worlds.__file__).parent.glob("*.py")):
        if "\nregister(" in path.read_text():
            assert f"{worlds.__name__}.{path.stem}" in found
    assert "mirrorenv.debate.env" in found  # another room's, by the same means


def test_an_id_belongs_to_one_specification():
    mirrorenv.register("here/x-v0", "mirrorenv.envs.worlds.ants:Ants")
    # the same again, as a module reload would do
    mirrorenv.register("here/x-v0", "mirrorenv.envs.worlds.ants:Ants")
    with pytest.raises(ConfigError, match="registered already"):
        mirrorenv.register("here/x-v0", "mirrorenv.envs.worlds.pacmen:Pacmen")


@pytest.mark.parametrize(
    "entry_point", ["mirrorenv.envs.nowhere:Ants", "mirrorenv.envs.worlds.ants:Bees"]
)
def test_an_entry_point_that_leads_nowhere_is_named(entry_point):
    mirrorenv.register("here/gone-v0", entry_point)
    with pytest.raises(WorldError, match=f"here/gone-v0.*{entry_point}"):
        mirrorenv.make_batch("here/gone-v0", 1)


def test_a_text_world_has_no_batch_of_arrays():
    mirrorenv.register("here/talk-v0", "mirrorenv.envs.worlds.ants:Ants", kind="text")
    with pytest.raises(WorldError, match="text world"):
        mirrorenv.make_batch("here/talk-v0", 1)
    with pytest.raises(ConfigError, match="kind"):
        mirrorenv.register("here/odd-v0", "mirrorenv.envs.worlds.ants:Ants", kind="video")


def plugin(name, load):
    return SimpleNamespace(name=name, value=f"{name}.worlds", load=load)


def test_a_package_of_its_own_adds_worlds_and_a_broken_one_is_only_reported(monkeypatch):
    def broken():
        raise RuntimeError("no such simulator")

    def add():
        mirrorenv.register("theirs/line-v0", "mirrorenv.envs.worlds.ants:Ants")

    points = [plugin("broken", broken), plugin("theirs", lambda: add)]
    monkeypatch.setattr(
        discovery, "entry_points", lambda group: points if group == "mirrorenv.envs" else []
    )
    monkeypatch.setattr(discovery, "_plugins_loaded", False)
    with pytest.warns(RuntimeWarning, match="'broken'.*no such simulator"):
        assert mirrorenv.make_batch("theirs/line-v0", 2).num_envs == 2
    assert mirrorenv.envs.broken_plugins() == {"broken": "RuntimeError: no such simulator"}
    assert "theirs/line-v0" in mirrorenv.registry() and "mirrorenv/ants-v0" in mirrorenv.registry()


def test_an_installed_package_brings_its_worlds_by_its_entry_point(tmp_path):
    """As pip leaves a package behind: a module, and what its metadata says of it."""
    (tmp_path / "theirs_worlds.py").write_text(
        "import mirrorenv\n"
        "mirrorenv.register('theirs/walk-v0', 'mirrorenv.envs.worlds.ants:Ants', "
        "kwargs={'num_agents': 3})\n"
    )
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[mirrorenv.envs]\nwalk = theirs_worlds\n")
    script = (
        "import mirrorenv; assert mirrorenv.make('theirs/walk-v0').max_num_agents == 3;"
        "print(mirrorenv.registry()['theirs/walk-v0'].entry_point, mirrorenv.envs.broken_plugins())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.stdout.split() == ["mirrorenv.envs.worlds.ants:Ants", "{}"], done.stderr


def test_plugins_wait_until_a_name_is_not_known(monkeypatch):
    def fail(group):
        raise AssertionError("plugins were loaded for a world of the package")

    monkeypatch.setattr(discovery, "_plugins_loaded", False)
    monkeypatch.setattr(discovery, "entry_points", fail)
    mirrorenv.make_batch("mirrorenv/ants-v0", 1)


def test_worlds_wait_until_one_is_asked_for_and_import_nothing_heavy():
    script = (
        "import sys, mirrorenv.envs; assert 'mirrorenv.envs.worlds.ants' not in sys.modules;"
        "mirrorenv.registry(); assert 'mirrorenv.envs.worlds.ants' in sys.modules;"
        "assert 'mirrorenv.debate.env' not in sys.modules;"
        "mirrorenv.make('mirrorenv/ants-v0').reset();"
        "heavy = {'torch', 'ray', 'matplotlib', 'pandas', 'PIL', 'pygame'} & sys.modules.keys();"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
