"""The commands do what they say, end with the right code, and their pages hold hostile texts
harmless."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import MirrorError

SMALL = ["--games", "2", "--set", "rounds=2"]


def run(*words, code=0):
    result = CliRunner().invoke(app, ["debate", *map(str, words)])
    if code == "error":
        assert isinstance(result.exception, MirrorError), result.output
        return str(result.exception)
    assert result.exit_code == code, result.output + str(result.exception)
    return result


@pytest.fixture
def file(tmp_path):
    run("init", tmp_path / "start")
    return tmp_path / "start" / "tournament.toml"


def test_a_new_user_goes_from_nothing_to_a_page(file, tmp_path):
    planned = json.loads(run("plan", file, *SMALL, "--json").stdout.splitlines()[-1])
    out = tmp_path / "run"
    told = json.loads(
        run("run", file, "--out", out, *SMALL, "--json", "--quiet").stdout.splitlines()[-1]
    )
    assert (
        told["complete"]
        and told["totals"]["calls"] == planned["games"] * planned["calls_a_game"] == 2 * 26
    )
    assert (out / "index.html").is_file() and len(list((out / "games").glob("*.html"))) == 4
    table = json.loads(run("score", out, "--json").stdout.splitlines()[-1])
    assert table == told["scores"] and len(table["readers"]) == 6
    rated = json.loads(run("rate", out, "--bootstrap", "50", "--json").stdout.splitlines()[-1])
    assert rated["games"] == 2 and len(rated["players"]) == 6
    assert run("replay", out, "--game", 1).stdout == run("replay", out, "--game", 1).stdout
    pairs = json.loads(
        run("export", out, tmp_path / "pairs.jsonl", "--json").stdout.splitlines()[-1]
    )
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert len(rows) == pairs["train"] + pairs["test"] > 20
    assert (
        rows[0].keys() >= {"prompt", "chosen", "rejected", "split"}
        and rows[0]["chosen"][0]["role"] == "assistant"
    )
    split = {row["prompt"][0]["content"]: row["split"] for row in rows}
    assert all(split[row["prompt"][0]["content"]] == row["split"] for row in rows)


def test_report_writes_the_page_of_a_tournament(file, tmp_path):
    out = tmp_path / "run"
    run("run", file, "--out", out, *SMALL, "--quiet")
    page = out / "index.html"
    before = page.read_text()
    page.unlink()
    result = CliRunner().invoke(app, ["report", str(out)])
    assert result.exit_code == 0, result.output + str(result.exception)
    assert result.stdout.splitlines()[0] == str(page) and page.read_text() == before
    assert f"mirrorenv results export {out}" in result.output
    beside = CliRunner().invoke(app, ["report", str(out), "--weight0", str(out)])
    assert isinstance(beside.exception, MirrorError) and "--weight0" in str(beside.exception)


def test_a_spent_budget_ends_with_code_1_and_the_next_command(file, tmp_path):
    out = tmp_path / "run"
    stopped = run("run", file, "--out", out, *SMALL, "--max-calls", 10, code=1)
    assert (
        "--max-calls 10 is reached" in stopped.output
        and f"mirrorenv debate run {file}" in stopped.output
    )
    run("run", file, "--out", out, *SMALL, "--quiet")


def test_wrong_usage_is_named(file, tmp_path):
    assert "no debate tournament" in run("score", _empty_run(tmp_path), code="error")
    assert "not a run folder" in run("view", tmp_path / "nowhere", code="error")
    assert "Did you mean rounds" in run("plan", file, "--set", "roundz=2", code="error")
    assert "mirrorenv debate init" in run("run", tmp_path / "none.toml", code="error")
    assert "not empty" in run("init", file.parent, code="error")
    assert "write it as name=value" in run("plan", file, "--set", "rounds", code="error")
    run("check", file.parent / "agents" / "random.toml")
    (file.parent / "agents" / "random.toml").write_text('name = "x"')
    assert (
        "player: Field required"
        in run("check", file.parent / "agents" / "random.toml", code=1).output
    )


def _empty_run(tmp_path):
    from mirrorenv.results import RunFolder

    RunFolder.create(tmp_path / "other", {"what": "something else"}, 0)
    return tmp_path / "other"


def test_a_budget_in_money_needs_prices(file):
    card = file.parent / "agents" / "random.toml"
    endpoint = '[endpoint]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
    card.write_text(f'name = "random"\nplayer = "endpoint"\n{endpoint}')
    assert "[price]" in run("run", file, "--max-cost", "1", code="error")


def test_fake_plays_a_tournament_of_models_without_any(file, tmp_path):
    for name in ("sailor", "professor"):
        endpoint = (
            '[endpoint]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\nkey_env = '
            '"SURELY_NOT_SET_2"\n'
        )
        price = "[price]\ninput = 1.0\noutput = 3.0\n"
        (file.parent / "agents" / f"{name}.toml").write_text(
            f'name = "{name}"\nplayer = "endpoint"\n{endpoint}{price}'
        )
    planned = json.loads(run("plan", file, *SMALL, "--json").stdout.splitlines()[-1])
    assert planned["model_calls"] > 0 and planned["input_tokens"][0] < planned["input_tokens"][1]
    run("run", file, "--out", tmp_path / "run", "--fake", "--quiet", *SMALL)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["fake"] is True
    # a real one is another tournament
    run("run", file, "--out", tmp_path / "run", "--quiet", *SMALL, code="error")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.handlers = set(), []

    def handle_starttag(self, tag, attrs):
        if (dict(attrs).get("src") or "").startswith("data:image/png;base64,"):
            return  # a chart of ours
        self.seen.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "src"]


def test_hostile_texts_do_nothing_on_a_page(file, tmp_path):
    (file.parent / "agents" / "random.toml").write_text(
        'name = "random"\nplayer = "constant"\n[options]\ntext = "'
        "<script>alert(1)</script><img src=x onerror=alert(2)>\\u202eabc\\u001b[2J</style></body>"
        + "A" * 100_000
        + '"\n'
    )
    out = tmp_path / "run"
    run(
        "run",
        file,
        "--out",
        out,
        "--quiet",
        "--games",
        3,
        "--set",
        "rounds=2",
        "--set",
        "longest_text=100000",
    )
    pages = [out / "index.html", *(out / "games").glob("*.html")]
    for page in pages:
        text = page.read_text()
        tags = Tags()
        tags.feed(text)
        assert not tags.seen & {"script", "img", "iframe", "link", "object"} and not tags.handlers
        assert text.count("</body>") == 1 and not re.search(
            r"[\x00-\x08\x1b\u202a-\u202e\u2066-\u2069]", text
        )
        assert "default-src 'none'" in text and "http://" not in text and "https://" not in text
    assert any("&lt;script&gt;" in page.read_text() for page in pages)
