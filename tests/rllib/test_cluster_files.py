"""The cluster files: none of them was run here, so their form at least is checked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml

from mirrorenv.rllib.settings import load_settings

CLUSTER = Path(__file__).resolve().parents[2] / "training" / "cluster"
FILES = sorted(path for path in CLUSTER.iterdir() if path.is_file())


def loaded(name: str) -> Any:
    return yaml.safe_load((CLUSTER / name).read_text("utf-8"))


def commands(text: str) -> list[list[str]]:
    """Words of every `mirrorenv train` in a text, comments and continued lines included."""
    joined = re.sub(r"\\\n\s*(#\s*)?|\n\s+(?=--)", " ", text)
    return [
        line.split("mirrorenv train ", 1)[1].split()
        for line in joined.splitlines()
        if "mirrorenv train " in line
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_says_that_nobody_ran_it(path: Path) -> None:
    assert "VALIDATED, NOT RUN" in "\n".join(path.read_text("utf-8").splitlines()[:3])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_settings_in_every_file_exist(path: Path) -> None:
    found = commands(path.read_text("utf-8"))
    assert found
    for words in found:
        sets = [value for flag, value in pairwise(words) if flag == "--set"]
        assert any(value.startswith("resources.address=") for value in sets) or "seed=3" in sets
        # as the shell does
        filled = [re.sub(r'"?\$[a-z]+(?::\$?\w+)?"?', "10.0.0.1:6379", value) for value in sets]
        load_settings(
            "mirrorenv/ants-v0", (), [re.sub(r'"?\$[A-Z]+"?', "1", value) for value in filled]
        )


def test_the_file_for_ray_up_follows_rays_schema() -> None:
    schema = json.loads(
        (Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text("utf-8")
    )
    cluster = loaded("ray-up.yaml")
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    with pytest.raises(jsonschema.ValidationError):  # the schema does refuse something
        jsonschema.validate({**cluster, "worker_nodes": {}}, schema)


def test_ray_is_the_version_that_the_project_pins() -> None:
    pinned = ".".join(ray.__version__.split(".")[:2])
    assert f"rayproject/ray:{pinned}." in loaded("ray-up.yaml")["docker"]["image"]
    assert loaded("kuberay-rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"].startswith(pinned)


def test_the_rayjob_has_what_kuberay_requires() -> None:
    job = loaded("kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", job["metadata"]["name"])
    known = {
        "entrypoint",
        "shutdownAfterJobFinishes",
        "ttlSecondsAfterFinished",
        "backoffLimit",
        "rayClusterSpec",
    }
    assert set(job["spec"]) == known
    cluster = job["spec"]["rayClusterSpec"]
    groups = [
        ("head", cluster["headGroupSpec"]),
        *(("worker", group) for group in cluster["workerGroupSpecs"]),
    ]
    for kind, group in groups:
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["name"] == f"ray-{kind}"
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_sky_task_has_known_fields_and_sets_the_variables_it_uses() -> None:
    task = loaded("skypilot.yaml")
    assert set(task) == {"name", "num_nodes", "workdir", "resources", "envs", "setup", "run"}
    used = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", task["run"]))
    assert used <= {*task["envs"], "SKYPILOT_NODE_IPS", "SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES"}


@pytest.mark.parametrize("name", ["slurm.sbatch", "skypilot.yaml"])
def test_shell_scripts_parse(name: str, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    texts = (
        [loaded(name)[part] for part in ("setup", "run")]
        if name.endswith("yaml")
        else [(CLUSTER / name).read_text()]
    )
    for text in texts:
        script = tmp_path / "script"
        script.write_text(text)
        checked = subprocess.run(
            [bash, "-n", str(script)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr


def test_the_slurm_script_asks_for_what_it_uses() -> None:
    text = (CLUSTER / "slurm.sbatch").read_text("utf-8")
    assert text.startswith("#!/bin/bash\n")
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.+))?$", text, re.M))
    assert options["ntasks-per-node"] == "1"  # one Ray on each node
    assert {"nodes", "cpus-per-task", "mem", "time"} <= options.keys()
    first_command = next(
        i for i, line in enumerate(text.splitlines()) if line and not line.startswith("#")
    )
    last_option = max(i for i, line in enumerate(text.splitlines()) if line.startswith("#SBATCH"))
    assert last_option < first_command  # Slurm reads none after the first command
    assert "RAY_AUTH_MODE=token" in text
