"""The doors of the game in words, of servers and of tuned voices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz import hostile
from tests.fuzz.doors import (
    Draw,
    broken_bytes,
    broken_folder,
    changed_tree,
    door,
    hostile_bytes,
)
from tests.fuzz.hostile import JSON_TEXTS, TOML_TEXTS

CARD = 'name = "a"\nplayer = "persona"\n[options]\nvoice = "cook"\n'


@door("an agent card")
def card(place: Path, draw: Draw) -> object:
    from mirrorenv.debate.cards import load_card
    from mirrorenv.debate.players import make_player

    data = (
        broken_bytes(draw, CARD.encode())
        if draw(st.booleans())
        else hostile_bytes(draw, TOML_TEXTS)
    )
    (place / "a.toml").write_bytes(data)
    return make_player(load_card(place / "a.toml"))


@door("topics")
def topics(place: Path, draw: Draw) -> object:
    from mirrorenv.debate.topic_files import load_topics

    text = 'title = "t"\nabout = "a"\ntopics = ["a?", "b?", "c?"]\n'
    data = (
        broken_bytes(draw, text.encode())
        if draw(st.booleans())
        else hostile_bytes(draw, TOML_TEXTS)
    )
    (place / "t.toml").write_bytes(data)
    return load_topics(draw(st.sampled_from([str(place / "t.toml"), *hostile.TEXTS])))


@door("the file of a tournament")
def tournament_file(place: Path, draw: Draw) -> object:
    from mirrorenv.debate.starter import write_starter
    from mirrorenv.debate.tournament import load_tournament

    shutil.rmtree(place / "start", ignore_errors=True)
    file = write_starter(place / "start", "default")
    data = (
        broken_bytes(draw, file.read_bytes())
        if draw(st.booleans())
        else hostile_bytes(draw, TOML_TEXTS)
    )
    file.write_bytes(data)
    return load_tournament(file)


@door("a played tournament")
def played(place: Path, draw: Draw) -> object:
    from mirrorenv.debate.output.scores_file import write_scores
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.scoring.results import open_results

    results = open_results(broken_folder(place, draw, "tournament", ".json", ".jsonl"))
    write_scores(results)
    if results.finished:
        results.game(draw(st.sampled_from([0, 1, 2, -1, 10**12]))).transcript()
    return write_pages(results)


@door("a played tournament as a result")
def played_result(place: Path, draw: Draw) -> object:
    from mirrorenv.debate.output.result import export_tournament
    from mirrorenv.debate.scoring.results import open_results

    results = open_results(broken_folder(place, draw, "tournament", ".json", ".jsonl"))
    shutil.rmtree(place / "out", ignore_errors=True)
    return export_tournament(results, place / "out", form="npz")


@door("the words of a verdict")
def verdict(place: Path, draw: Draw) -> object:
    from mirrorenv.debate.verdicts import read_verdict

    base = {"A": {"P1": 0.7, "P2": 0.2, "P3": 0.1}, "B": "P1", "C": ["P2"]}
    reply = (
        json.dumps(changed_tree(draw, base))
        if draw(st.booleans())
        else draw(
            hostile.texts([*JSON_TEXTS[:-1], "A is P1, B is P2", "2, 1, 3", "A: P1\nB: P1\nC: P1"])
        )
    )
    form = draw(st.sampled_from(["matrix", "labels", "order"]))
    return read_verdict(reply, 3, form, draw(st.sampled_from([1, 2])))


@door("the answer of a server")
def server_answer(place: Path, draw: Draw) -> object:
    import httpx2

    from mirrorenv.llm.endpoint import Connection, EndpointClient
    from mirrorenv.llm.rate_limit import Gate

    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    base = {
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        "model": "m",
    }
    said = (
        json.dumps(changed_tree(draw, base))
        if draw(st.booleans())
        else draw(hostile.texts(JSON_TEXTS))
    )
    if draw(st.booleans()):
        said = f"data: {said}\n\ndata: [DONE]\n"
    kind = draw(st.sampled_from(["application/json", "text/event-stream", "text/html", ""]))
    wait = draw(st.sampled_from(["", "x", "-1", "1e9"]))
    status = draw(st.sampled_from([200, 400, 401, 429, 500]))
    answer = httpx2.Response(status, headers={"content-type": kind, "retry-after": wait})
    there = Connection("card", "http://127.0.0.1:1/v1", "", "chat", retries=0, longest_wait=1.0)
    client = EndpointClient(there, Gate(4))
    return client._understood(answer, said)


@door("a request to the local server")
def local_request(place: Path, draw: Draw) -> object:
    from mirrorenv.llm.serve import _messages, _number, _template
    from mirrorenv.results.runs.files import parse_json

    base = {
        "messages": [{"role": "user", "content": "hi"}],
        "seed": 1,
        "temperature": 1.0,
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    }
    text = (
        json.dumps(changed_tree(draw, base))
        if draw(st.booleans())
        else draw(hostile.texts(JSON_TEXTS))
    )
    try:
        body = parse_json(text)
    except ValueError:  # answered with 400
        return None
    if not isinstance(body, dict):
        return None
    _number(body, "seed", 0, -(1 << 63), (1 << 63) - 1)
    _template(body.get("response_format"))
    return _messages(body.get("messages"))


@door("settings of self versus other")
def preference_settings(place: Path, draw: Draw) -> object:
    from mirrorenv.preference.settings import load_settings

    if draw(st.booleans()):
        (place / "p.toml").write_bytes(hostile_bytes(draw, TOML_TEXTS))
        return load_settings([place / "p.toml"])
    return load_settings(
        given=changed_tree(draw, {"model": "m", "players": [{"name": "a"}], "seed": 1})
    )


@door("a file of pairs")
def pairs(place: Path, draw: Draw) -> object:
    from mirrorenv.preference.pairs import read_pairs

    row = {
        "prompt": [{"role": "user", "content": "q"}],
        "chosen": [{"role": "assistant", "content": "a"}],
        "rejected": [{"role": "assistant", "content": "b"}],
        "author": "x",
        "peer": "y",
        "topic": "t",
        "split": "train",
    }
    rows = [row, changed_tree(draw, row), {**row, "author": "y", "peer": "x"}]
    (place / "p.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return read_pairs(place / "p.jsonl")
