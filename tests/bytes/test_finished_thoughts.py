"""What becomes of thoughts: worked out, evaluated once, passed on, spread over processes."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from mirrorenv.bytes import mathematics, sinks
from mirrorenv.bytes.conclusions import Conclusions, ConclusionSettings
from mirrorenv.bytes.evaluations import DIMENSIONS, RememberedScore
from mirrorenv.bytes.mathematics import by_sympy, by_wolfram, with_mathematics
from mirrorenv.bytes.sinks import SINKS, open_sinks
from mirrorenv.bytes.spread import SpreadScore
from mirrorenv.bytes.thoughts import think
from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.memory.numpy_store import NumpyStore
from mirrorenv.memory.stores import open_store


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes down what it is told, and answers 42."""

    told: list[tuple[str, bytes]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.told.append((self.path, body))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"42")

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[type[Receiver], int]]:
    class Own(Receiver):
        told: list[tuple[str, bytes]] = []  # noqa: RUF012

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Own, server.server_address[1]
        server.shutdown()


def test_a_thought_reaches_a_service(
    receiver: tuple[type[Receiver], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("apprise")
    heard, port = receiver
    monkeypatch.setenv(sinks.URLS, f"json://127.0.0.1:{port}/here")
    (sink,) = open_sinks(["apprise"])
    assert sink.tell("A conclusion", "abab")
    ((path, body),) = heard.told
    assert path == "/here" and json.loads(body)["message"] == "abab"
    heard.status = 500
    assert not sink.tell("A conclusion", "abab")  # and the run goes on


def test_sinks_are_none_by_default_and_say_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ConclusionSettings(name="conclusions").sinks == ()
    monkeypatch.delenv(sinks.URLS, raising=False)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(UnknownNameError, match="speech"):
        open_sinks(["speach"])
    with pytest.raises(ConfigError, match="espeak-ng"):
        open_sinks(["speech"])
    pytest.importorskip("apprise")
    with pytest.raises(ConfigError, match=sinks.URLS):
        open_sinks(["apprise"])
    with pytest.raises(ConfigError, match="not into a setting"):
        open_sinks(["apprise:tgram://key"])


def test_a_thought_is_spoken_into_a_file(tmp_path: Path) -> None:
    try:
        (sink,) = open_sinks([f"speech:{tmp_path / 'said'}"])
    except ConfigError as error:
        pytest.skip(str(error))
    assert sink.tell("A thought", "$(touch gone) --help") and sink.tell("Another", "b")
    first, second = sorted((tmp_path / "said").iterdir())
    assert first.read_bytes()[:4] == b"RIFF" and first.stat().st_size > second.stat().st_size


def test_what_was_concluded_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[str] = []

    class Ear:
        def __init__(self, rest: str) -> None:
            """Nothing stands behind the colon."""

        def tell(self, title: str, text: str) -> bool:
            told.append(text)
            return True

    monkeypatch.setitem(SINKS, "ear", Ear)
    objective = Conclusions.__new__(Conclusions)
    torch.nn.Module.__init__(objective)
    memory = tmp_path / "worth.db"
    objective.settings = ConclusionSettings(
        name="conclusions", sinks=("ear",), evaluations=str(memory)
    )
    said = np.random.default_rng(0).integers(0, 4, (1, 2, 2, 12)).astype(np.uint8)
    objective.edited(said, np.random.default_rng(1))
    objective.learn({})
    objective.learn({})
    assert len(told) == 1
    with open_store("sqlite", memory, DIMENSIONS) as store:
        assert len(store) > 20


def test_a_thought_is_evaluated_once() -> None:
    def score(texts: Sequence[bytes]) -> list[float]:
        return [len(text) / 3 for text in texts]

    store = NumpyStore(DIMENSIONS)
    mine = RememberedScore(score, store)
    yours = RememberedScore(lambda texts: [float("nan")] * len(texts), store, agent=1)
    texts = [b"", b"a", b"abc", b"a"]
    assert mine(texts) == score(texts)
    assert mine.asked == 3
    assert yours(texts) == score(texts) and yours.asked == 0
    near = RememberedScore(score, store, likeness=0.5)
    assert near([b"abca"]) == score([b"abc"])  # alike is enough
    with pytest.raises(ConfigError, match=str(DIMENSIONS)):
        RememberedScore(score, NumpyStore(3))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("x^2 = 4", "x = [-2, 2]"),
        ("y'' = -y", "Eq(y(x), C1*sin(x) + C2*cos(x))"),
        ("2 + 2*3", "8"),
        ("9^9^9", ""),
        ("(0).real + 1", ""),
    ],
)
def test_mathematics_is_worked_out_and_nothing_else_is(line: str, answer: str) -> None:
    pytest.importorskip("sympy")
    assert by_sympy(line) == answer


def test_words_are_no_mathematics_and_start_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sympy")
    monkeypatch.setattr("subprocess.run", None)
    for line in ("hello", "__import__('os').system('x')", "1+" * 100, "a+b;c", "\u0661+1"):
        assert by_sympy(line) == ""


def test_a_thought_goes_on_with_its_answer() -> None:
    tree = think(
        b"1+1",
        with_mathematics(lambda text, most: [text + b"?"] * most, lambda line: "2" * ("+" in line)),
        lambda texts: [text.endswith(b"\n2") for text in texts],
        depth=1,
    )
    assert tree.best.text == b"1+1\n2" and len(tree.thoughts) == 4


def test_wolfram_is_asked_where_a_key_is_set(
    receiver: tuple[type[Receiver], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard, port = receiver
    monkeypatch.delenv(mathematics.KEY, raising=False)
    with pytest.raises(ConfigError, match=mathematics.KEY):
        by_wolfram("6*7")
    monkeypatch.setenv(mathematics.KEY, "secret")
    monkeypatch.setenv(mathematics.ADDRESS, f"http://127.0.0.1:{port}")
    assert by_wolfram("6*7") == "42"
    assert heard.told[0][0] == "/v1/result?appid=secret&i=6%2A7"
    heard.status = 501
    assert by_wolfram("6*7") == ""
    assert "501" in caplog.text and "secret" not in caplog.text


@pytest.mark.slow
@pytest.mark.ray
def test_consumers_on_ray_find_the_same_tree() -> None:
    ray = pytest.importorskip("ray")

    def grow(text: bytes, most: int) -> list[bytes]:
        return [text + bytes([letter]) for letter in b"abc"[:most]]

    def score(texts: Sequence[bytes]) -> list[float]:
        return [text.count(b"ab") - len(text) / 100 for text in texts]

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with SpreadScore(score, 2) as spread:
            assert think(b"", grow, spread, depth=4) == think(b"", grow, score, depth=4)
    finally:
        ray.shutdown()
    with pytest.raises(ConfigError, match=r"ray\.init"):
        SpreadScore(score)
