"""The built-in model itself: its weights are found and unpacked once, it plays a game, and a client
plays on it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.debate.cards import AgentCard, Endpoint
from mirrorenv.debate.log import CALLS
from mirrorenv.debate.players import make_player
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.ideal import LIMIT_FILE
from mirrorenv.debate.scoring.results import open_results
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.llm.engine import engine_of
from mirrorenv.llm.serve import server_of
from mirrorenv.llm.weights import cache_folder, load_model
from mirrorenv.results.runs.json_lines import read_jsonl
from tests.debate.tiny import brute

pytestmark = [pytest.mark.local, pytest.mark.timeout(1800)]


def test_the_weights_of_the_wheel_are_unpacked_once_and_make_sense():
    model = load_model()
    assert load_model() is model and model.has_template
    folders = [
        path.name
        for path in cache_folder().iterdir()
        if path.name.startswith("smollm2-135m-instruct")
    ]
    assert len(folders) == 1 and not list(cache_folder().glob(".making-*"))
    prompt = model.chat(
        [("system", "You are helpful."), ("user", "What is the capital of France?")]
    )
    answers = [f"The capital of France is {city}." for city in ("Paris", "Rome", "Berlin", "Bread")]
    scores = model.score(prompt, [model.answer_tokens(answer) for answer in answers])
    assert scores[0] == max(scores) and scores[3] == min(scores)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    result = CliRunner().invoke(
        app, ["debate", "demo", "--games", "1", "--out", str(folder), "--json"]
    )
    assert result.exit_code == 0, result.output
    return folder / "run", json.loads(result.stdout.splitlines()[-1])


def test_one_command_plays_a_game_and_writes_its_page(played):
    folder, told = played
    assert told["complete"] and told["finished"] == 1 and Path(told["page"]).exists()
    assert all(row["invalid"] == 0.0 for row in told["scores"]["readers"])
    assert "limit (omniscient)" in (folder / "index.html").read_text()
    texts = [text for one in open_results(folder).game(0).rounds for text in one.texts]
    assert len(set(texts)) == 12 and all(len(text) > 10 for text in texts)


def test_every_call_to_the_model_began_with_a_system_message(played):
    asked = [
        row["reply"]["request"]
        for row in read_jsonl(played[0] / CALLS).rows
        if row["kind"] == "call"
    ]
    spoken = [request["messages"] for request in asked if request and "messages" in request]
    assert len(spoken) == 24 and all(messages[0][0] == "system" for messages in spoken)


def test_the_limit_of_the_game_is_what_the_plain_model_says(played):
    folder, told = played
    model, (row,) = load_model(), read_jsonl(folder / LIMIT_FILE).rows
    calls = {row["key"]: row["reply"] for row in read_jsonl(folder / CALLS).rows}
    spoken = [calls[f"g00000/r001/speak/p{seat}"] for seat in range(3)]
    for k, n in ((0, 0), (0, 1), (2, 1)):
        prompt = model.chat([tuple(one) for one in spoken[n]["request"]["messages"]])
        expected = brute(
            model, prompt, spoken[k]["response"]["tokens"], spoken[n]["request"]["temperature"]
        )
        assert row["evidence"][1][k][n] == pytest.approx(expected, abs=0.02)
    assert told["scores"]["limit"]["peer_hits"]["value"] > 0.5


def test_a_client_is_answered_by_the_real_model_on_loopback():
    openai = pytest.importorskip("openai")
    server = server_of(engine_of("smollm2"), "smollm2")
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        endpoint = Endpoint(model="smollm2", base_url=url, profile="mirrorenv")
        card = AgentCard(
            name="sailor",
            player="endpoint",
            persona="You are a pirate.",
            reader="schema",
            endpoint=endpoint,
        )
        debate = Debate(
            preset("local", {"judges": 0, "answer_format": "labels"}), load_topics("neutral")
        )

        async def speak_and_read():
            player = make_player(card)
            spoken = await player.speak(debate.view(0))
            debate.speak([spoken.text, "the market decides", "lol idk"])
            read = await player.recognise(debate.view(0))
            await player.close()
            return spoken, read

        spoken, read = asyncio.run(speak_and_read())
        assert len(spoken.text) > 10 and spoken.usage.output <= 48 and not spoken.usage.estimated
        assert json.loads(read.text).keys() == {"A", "B", "C"}
        client = openai.OpenAI(api_key="none", base_url=url, max_retries=0)
        said = [{"role": "user", "content": "Answer yes or no: is water wet?"}]
        told = client.chat.completions.create(
            model="smollm2", messages=said, max_tokens=2, logprobs=True, top_logprobs=2
        )
        assert told.choices[0].logprobs.content[0].logprob < 0.0
    finally:
        server.shutdown()
        server.server_close()
