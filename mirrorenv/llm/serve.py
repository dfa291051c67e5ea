"""A local model as an OpenAI-compatible endpoint on loopback, so that any client can play with a
real model.

`GET /v1/models` names the one model. `POST /v1/chat/completions` takes `messages`,
`max_tokens` or `max_completion_tokens`, `temperature`, `seed`, `logprobs` with
`top_logprobs`, and as `response_format` a JSON schema of one object whose properties are
enumerations.

What is asked beyond that and would change the answer (streams, tools, several choices, `top_p`
below 1, penalties, other schemas) is refused with status 400 instead of ignored. Requests that come
together are written in one batch.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.llm.asking import Generated, Request
from mirrorenv.llm.constrained import constrained_answer
from mirrorenv.llm.engine import Engine
from mirrorenv.llm.request_checks import Door, Visitor, error_body
from mirrorenv.results.runs.files import parse_json

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["answer", "server_of"]

_UNKNOWN = "unknown path; there are /v1/models and /v1/chat/completions"
_MOST_TOKENS = 4096
_DEFAULT_TOKENS = 128
_MOST_TOP = 20  # as in the API that is spoken here
# What must have this value if it is sent at all: anything else would be ignored silently.
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "stream": (False, None),
    "n": (1, None),
    "top_p": (1, 1.0, None),
    "stop": (None, []),
    "tools": (None, []),
    "frequency_penalty": (0, None),
    "presence_penalty": (0, None),
    "logit_bias": (None, {}),
}


class _Refused(ConfigError):
    """A request that this server does not take."""


def server_of(engine: Engine, name: str, port: int = 0) -> Door:
    """A server bound to 127.0.0.1; `serve_forever()` runs it.

    Args:
        engine: of the model.
        name: the model's, in answers.
        port: 0 for a free one, which is then `server.server_port`.

    Raises:
        ConfigError: if the port is taken.
    """

    class Handler(Visitor):
        def do_GET(self) -> None:
            if not self.welcome():
                return
            if self.place() == "/v1/models":
                listed = {"id": name, "object": "model", "owned_by": "local"}
                self.answer(200, {"object": "list", "data": [listed]})
            else:
                self.answer(404, error_body(_UNKNOWN))

        def do_POST(self) -> None:
            if not self.welcome() or (data := self.body()) is None:
                return
            if self.place() != "/v1/chat/completions":
                self.answer(404, error_body(_UNKNOWN))
                return
            try:
                asked = parse_json(data.decode("utf-8"))
                if not isinstance(asked, dict):
                    raise _Refused("the request must be a JSON object")
                _refuse_half_characters(asked)
                self.answer(200, answer(engine, name, asked))
            except (ValueError, RecursionError, MirrorError) as error:
                self.answer(400, error_body(str(error)))
            except Exception as error:  # the client must hear of it, and the server goes on
                self.answer(500, error_body(f"{type(error).__name__}: {error}"))

    try:
        return Door(port, Handler)
    except OSError as error:
        raise ConfigError(
            f"cannot serve on 127.0.0.1:{port} ({error.strerror}); choose another --port"
        ) from error
    except OverflowError as error:
        raise ConfigError(f"--port {port}: a port is a number from 0 to 65535") from error


def answer(engine: Engine, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a chat completion request.

    Args:
        engine: that computes it.
        name: the model's name, repeated in the answer.
        body: of the request, in the form of OpenAI's `/v1/chat/completions`.

    Returns:
        body of the response, ready for JSON.

    Raises:
        ConfigError: for what is not understood; the message is meant for the client.
    """
    for field, allowed in _FIXED.items():
        if field in body and not any(
            body[field] is value or body[field] == value for value in allowed
        ):
            raise _Refused(f"'{field}' = {body[field]!r} is not offered here")
    messages = _messages(body.get("messages"))
    most = _whole(body, "max_tokens", _DEFAULT_TOKENS, 1, _MOST_TOKENS)
    tokens = _whole(body, "max_completion_tokens", most, 1, _MOST_TOKENS)
    temperature = _number(body, "temperature", 1.0, 0.0, 2.0)
    seed = _whole(body, "seed", secrets.randbits(62), -(1 << 63), (1 << 63) - 1)
    top = _whole(body, "top_logprobs", 0, 0, _MOST_TOP) if body.get("logprobs") else 0
    template = _template(body.get("response_format"))
    if template is not None:
        text = engine.compute(lambda model: constrained_answer(model, messages, template)).result()
        read = len(engine.compute(lambda model: model.chat(messages)).result())
        return _completion(name, text, read, len(text) // 4 + 1, "stop", None)
    prompt = engine.compute(lambda model: model.chat(messages)).result()
    asked = Request(prompt, tokens, float(temperature), seed & ((1 << 63) - 1), top)
    written = engine.write(asked).result()
    told = (
        engine.compute(lambda model: _logprobs(model, written)).result()
        if body.get("logprobs")
        else None
    )
    finish = "stop" if written.finished else "length"
    return _completion(name, written.text, len(prompt), len(written.tokens), finish, told)


def _refuse_half_characters(asked: Mapping[str, Any]) -> None:
    """JSON can write half of a pair of surrogates, which no model has a token for."""
    try:
        json.dumps(asked, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _Refused(
            "a text holds half of a surrogate pair, which is no character; cut texts between "
            "characters"
        ) from error


def _messages(given: Any) -> list[tuple[str, str]]:
    """System first, then user and assistant in turn; neighbours of one role are joined."""
    if not isinstance(given, list) or not given:
        raise _Refused("'messages' must be a list of at least one message")
    said: list[tuple[str, str]] = []
    for one in given:
        one = one if isinstance(one, dict) else {}
        role = "system" if one.get("role") == "developer" else one.get("role")
        content = _content(one.get("content"))
        if role not in ("system", "user", "assistant") or content is None:
            raise _Refused(
                "each message needs a role (system, user, assistant) and a content of text"
            )
        if said and said[-1][0] == role:
            said[-1] = (role, f"{said[-1][1]}\n\n{content}")
        else:
            said.append((role, content))
    if said[0][0] != "system":  # without one, the template would put in its own, with a name in it
        said.insert(0, ("system", "Answer the user."))
    if said[-1][0] != "user" or any(role == "system" for role, _ in said[1:]):
        raise _Refused("one system message may come first, and a user message must come last")
    return said


def _content(given: Any) -> str | None:
    """The words of a message: text, or a list of parts of text; None if it holds anything else."""
    if not isinstance(given, list):
        return given if isinstance(given, str) else None
    words: list[str] = []
    for part in given:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            return None
        words.append(text)
    return "".join(words)


def _whole(body: Mapping[str, Any], field: str, default: int, least: int, most: int) -> int:
    value = _number(body, field, default, least, most)
    if value != int(value):
        raise _Refused(f"'{field}' must be a whole number")
    return int(value)


def _number(
    body: Mapping[str, Any], field: str, default: float, least: float, most: float
) -> float:
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _Refused(f"'{field}' must be a number from {least:g} to {most:g}")
    return value


def _template(form: Any) -> list[tuple[str, list[Any]]] | None:
    """Keys and allowed values of a JSON schema that is an object of enumerations; None if no form
    was asked for."""
    if form is None or form == {"type": "text"}:
        return None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        schema = (form.get("json_schema") or {}).get("schema")
        entries = (
            schema.get("properties")
            if isinstance(schema, dict) and schema.get("type") == "object"
            else None
        )
        if isinstance(entries, dict) and entries:
            found = [
                (key, value.get("enum") if isinstance(value, dict) else None)
                for key, value in entries.items()
            ]
            if all(isinstance(values, list) and values for _, values in found):
                return [(key, list(values or ())) for key, values in found]
    raise _Refused(
        "'response_format' may be text, or a json_schema: one object whose properties are "
        "enumerations"
    )


def _logprobs(model: LanguageModel, written: Generated) -> dict[str, Any]:
    def entry(token: int, nats: float) -> dict[str, Any]:
        word = model.words([token])
        return {
            "token": word,
            "logprob": nats if math.isfinite(nats) else -9999.0,
            "bytes": list(word.encode()),
        }

    content = [
        entry(token, nats) for token, nats in zip(written.tokens, written.logprobs, strict=True)
    ]
    for place, one in enumerate(content):
        one["top_logprobs"] = [entry(*pair) for pair in written.top[place]] if written.top else []
    return {"content": content, "refusal": None}


def _completion(
    name: str, text: str, read: int, wrote: int, finish: str, logprobs: Any
) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    return {
        "id": f"chatcmpl-{secrets.token_hex(8)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "choices": [{**choice, "logprobs": logprobs}],
        "usage": {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote},
    }
