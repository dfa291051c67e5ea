"""Keys: which are sent at all, and that none comes back in any spelling."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

pytest.importorskip("httpx2", reason="the client comes with the extra llm")

from mirrorenv.cli.app import app
from mirrorenv.debate.cards import Endpoint
from mirrorenv.debate.players import CallFailed, make_player
from mirrorenv.errors import ConfigError
from mirrorenv.llm.secrets import Scrubber, key_from
from tests.debate.asking import ask, card, views
from tests.debate.stub import player_like, say, serving
from tests.debate.test_arms import written

KEY = "sk-Planted+Key/0123=456&789"
BEARER = f"Bearer {KEY}"

SPELLINGS = {
    "raw": KEY,
    "upper": KEY.upper(),
    "json": json.dumps(KEY)[1:-1],
    "bytes": repr(KEY.encode())[2:-1],
    "url": quote(KEY, safe=""),
    "url lower": quote(KEY, safe="").lower(),
    "url twice": quote(quote(KEY, safe=""), safe=""),
    "html": html.escape(KEY),
    "unicode escapes": "".join(f"\\u{ord(m):04x}" for m in KEY),
    "percent": "".join(f"%{ord(m):02X}" for m in KEY),
    "entities": "".join(f"&#{ord(m)};" for m in KEY),
    "hex": KEY.encode().hex(),
    "HEX": KEY.encode().hex().upper(),
    "hex with spaces": KEY.encode().hex(" "),
    "hex with colons": KEY.encode().hex(":"),
    "backwards": KEY[::-1],
    "base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
    "base64 of a header": base64.b64encode(BEARER.encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(f"x{KEY}".encode()).decode(),
    "base64 inside": base64.b64encode(f"user:{KEY}:more".encode()).decode(),
}


def planted(text: str) -> bool:
    """Whether the key can be read out of a text: by its longest part that needs no coding."""
    plain = "Planted"
    found = [plain, plain.upper(), plain[::-1], plain.encode().hex()]
    return any(one.lower() in text.lower() for one in found)


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_key_is_found_in_every_spelling(name):
    shown = Scrubber(KEY).text(f"before {SPELLINGS[name]} after")
    core = SPELLINGS[name][8:-8]
    assert "***" in shown and core not in shown and not planted(shown)


@pytest.mark.parametrize("name", SPELLINGS)
def test_no_spelling_of_a_key_comes_back_from_a_server(stub, monkeypatch, name):
    monkeypatch.setenv("PLANTED", KEY)
    stub.answer = lambda body, k: (200, {}, say(f"told: {SPELLINGS[name]}", echo=SPELLINGS[name]))
    row = json.dumps(ask(card(stub, key_env="PLANTED"), views()[0]).to_row())
    assert SPELLINGS[name][8:-8] not in row and "***" in row
    stub.answer = lambda body, k: (401, {}, {"error": {"message": f"bad {SPELLINGS[name]}"}})
    with pytest.raises(CallFailed) as failed:
        ask(card(stub, key_env="PLANTED"), views()[0])
    told = str(failed.value) + json.dumps(failed.value.attempts)
    assert SPELLINGS[name][8:-8] not in told


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60))
def test_any_key_goes_and_the_rest_stays(key):
    assert key not in Scrubber(key).text(f"\u00e4 {key} \u00f6") or set(key) == {"*"}
    coded = base64.b64encode(f"a{key}b".encode()).decode()
    assert Scrubber(key).text(coded) != coded


@pytest.mark.parametrize(
    "value",
    [
        "sk-SECRETSECRET\n",
        "sk-SECRETSECRET\r\n",
        " sk-SECRETSECRET",
        "sk-SECRET\u2026SECRET",
        '"sk-SECRETSECRET"',
        "'sk-SECRETSECRET'",
        "sk-SECRET SECRET",
        "sk-SECRET\tSECRET",
        "sk-SECRET\x00SECRET"[:9] + "\x01SECRET",
        "Bearer sk-SECRETSECRET",
        "\ufeffsk-SECRETSECRET",
    ],
)
def test_what_is_no_key_is_refused_before_the_first_call_and_not_shown(stub, monkeypatch, value):
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(ConfigError, match="MY_KEY") as refused:
        make_player(card(stub, key_env="MY_KEY"))
    assert "SECRET" not in str(refused.value) and not stub.requests


def test_a_placeholder_is_sent_and_changes_no_text(stub, monkeypatch):
    monkeypatch.setenv("MY_KEY", "x")
    stub.answer = lambda body, k: (200, {}, say("six foxes"))
    assert ask(card(stub, key_env="MY_KEY"), views()[0]).text == "six foxes"
    assert key_from("MY_KEY", "a") == "x" and key_from(None, "a") == ""


def test_a_server_gets_what_its_card_says_and_nothing_else(stub, monkeypatch, tmp_path):
    for name in ("ORG_ID", "PROJECT_ID", "API_KEY", "ADMIN_KEY"):
        monkeypatch.setenv(f"OPENAI_{name}", "the-SECRET-of-another")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: the-SECRET-of-another")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password the-SECRET\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    ask(card(stub), views()[0])
    sent = {name.lower(): value for name, value in stub.headers[0].items()}
    assert "SECRET" not in json.dumps(sent) and "authorization" not in sent


@pytest.mark.parametrize("name", ["api_key", "Authorization", "access-token"])
def test_no_key_stands_in_a_card(name):
    with pytest.raises(ValueError, match="key_env"):
        Endpoint(model="m", base_url="http://127.0.0.1:1/v1", extra_body={name: "sk-SECRET"})


def test_no_file_that_a_set_of_arms_leaves_holds_a_key_in_any_spelling(tmp_path, monkeypatch):
    monkeypatch.setenv("THE_KEY", KEY)
    every = " | ".join(SPELLINGS.values())

    def echo(body, k):
        status, headers, found = player_like(body, k)
        if k % 9 == 4:
            return 429, {"retry-after": "0", "x-key": KEY}, {"error": {"message": every}}
        found["choices"][0]["message"] |= {"reasoning_content": every, every: every}
        return status, headers, {**found, "model": every, "echo": [every, {every: every}]}

    with serving() as stub:
        stub.answer = echo
        file = written(tmp_path, stub.url, '[arms.fresh]\nreader = "fresh"\n')
        for one in tmp_path.glob("?.toml"):
            text = one.read_text().replace("retries = 0", 'retries = 3\nkey_env = "THE_KEY"')
            one.write_text(text)
        words = ["debate", "set", str(file), "--run", str(tmp_path / "set"), "--games", "1"]
        done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    files = [one for one in (tmp_path / "set").rglob("*") if one.is_file()]
    assert {one.suffix for one in files} >= {".html", ".json", ".jsonl"}
    held = {str(one): one.read_bytes().decode("utf-8", "replace") for one in files}
    for place, text in {**held, "output": done.output}.items():
        shown = html.unescape(text)
        for name, spelling in SPELLINGS.items():
            assert spelling[8:-8] not in text and spelling[8:-8] not in shown, (place, name)
        assert not planted(text), place
