"""What went wrong, in the server's own words: whether to try again, and what else it concerns.

| scope | what is not asked any more |
|---|---|
| `call` | this request |
| `card` | this model at this address |
| `key` | this address with this key |
| `address` | this address |
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mirrorenv.llm.waiting import retry_after
from mirrorenv.llm.wire import Api

__all__ = ["Failure", "Scope", "broken_answer", "refusal", "server_words"]

Scope = Literal["call", "card", "key", "address"]

_SHOWN = 300  # characters of what a server says
_BROKEN = 502  # the status under which an answer that is none is logged
_TRANSIENT = {408, 409, 423, 425, 429}  # and everything from 500 up: trying again may help
_QUOTA = re.compile(
    r"insufficient[_ ](quota|credits?|balance|funds)|exceeded your current quota|billing|"
    r"credit balance|payment required|out of credits|no credits",
    re.I,
)
_FILTER = re.compile(
    r"content[_ ]?(filter|management|policy)|responsible ?ai|moderation|flagged|safety|prohibited",
    re.I,
)
_TOO_LONG = re.compile(
    r"context[_ ](length|window)|maximum context|too (long|many tokens)|prompt is too long|"
    r"input (tokens|length)|reduce the length",
    re.I,
)
_MODEL = re.compile(
    r"model.{0,80}(not (found|exist)|does ?n.t exist|unknown|no such|not available|not supported)|"
    r"model_not_found|no such model|unknown model|invalid model",
    re.I | re.S,
)


@dataclass(frozen=True)
class Failure:
    """One try that gave no answer.

    Attributes:
        said: what happened, with the server's words.
        status: of HTTP, or the code in the body; None if nothing came.
        again: whether the same request may succeed.
        scope: what it concerns if it is for good.
        wait: seconds that the server asks for; None if it does not say.
        remedy: what to do about it, or "".
        usage: what the server counted for this try, if it did.
        refused: whether it is what the prompt says that is refused, and not how it is asked.
    """

    said: str
    status: int | None = None
    again: bool = True
    scope: Scope = "call"
    wait: float | None = None
    remedy: str = ""
    usage: Mapping[str, Any] | None = None
    refused: bool = False


def server_words(body: Any) -> tuple[str, str]:
    """What a server says went wrong, and its code for it: the first words of whatever it sent.

    Args:
        body: JSON, or text that is none.
    """
    found = body
    code = ""
    for _ in range(4):  # {"error": {...}}, {"error": "..."}, {"detail": [{"msg": ...}]}
        if isinstance(found, list) and found:
            found = found[0]
        elif isinstance(found, Mapping):
            code = str(found.get("code") or found.get("type") or code or "")
            for name in ("error", "message", "msg", "detail", "errors", "title", "reason"):
                if found.get(name):
                    found = found[name]
                    break
            else:
                break
        else:
            break
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return _first_words(text), code


def _first_words(text: str) -> str:
    if re.match(r"\s*(<!doctype|<html|<\?xml)", text, re.I):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
        shown = re.sub(r"<[^>]*>", " ", title[1] if title else text)
        return f"a web page: {' '.join(shown.split())[:_SHOWN]}"
    shown = " ".join("".join(m if m.isprintable() else " " for m in text[:4000]).split())
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]} ..."


def refusal(status: int, headers: Mapping[str, str], body: Any) -> Failure:
    """An answer whose status is not 200.

    Args:
        status: of HTTP, or the code that stands in a body of status 200.
        headers: of the answer; a mapping that ignores case, or names in lower case.
        body: JSON, or text that is none.
    """
    words, code = server_words(body)
    said = f"HTTP {status}" + (f" ({code})" if code and code != str(status) else "")
    said += f": {words}" if words else ""
    everything = f"{words} {code} {json.dumps(body, default=str)[:4000]}"
    if status == 402 or (status in (403, 429) and _QUOTA.search(f"{words} {code}")):
        remedy = "the account is used up: add to it, then go on with the same command"
        return Failure(said, status, False, "key", remedy=remedy)
    if status in _TRANSIENT or status >= 500:
        return Failure(said, status, wait=retry_after(headers))
    if status in (400, 403, 413, 422, 451):
        if _TOO_LONG.search(everything) or status == 413:
            remedy = "the prompt is too long for this model: fewer rounds, or memory = 'notes'"
            return Failure(said, status, False, "call", remedy=remedy, refused=True)
        if _FILTER.search(everything):
            remedy = "a filter of the server refuses this prompt"
            return Failure(said, status, False, "call", remedy=remedy, refused=True)
    return _for_good(status, said, everything, headers)


def _for_good(status: int, said: str, everything: str, headers: Mapping[str, str]) -> Failure:
    if status == 401:
        remedy = "the key is missing or wrong: check the environment variable named by key_env"
        return Failure(said, status, False, "key", remedy=remedy)
    if status == 407:
        remedy = "a proxy wants a password: check HTTPS_PROXY, or name the host in NO_PROXY"
        return Failure(said, status, False, "address", remedy=remedy)
    if 300 <= status < 400:
        place = headers.get("location", "elsewhere")
        remedy = f"it sends us to {place[:200]}: write the address it answers at into base_url"
        return Failure(said, status, False, "address", remedy=remedy)
    if _MODEL.search(everything) and status in (400, 403, 404, 422):
        remedy = "the model is unknown there, or not for this key: check model in the card"
        return Failure(said, status, False, "card", remedy=remedy)
    remedy = {
        403: "the key may not use this model",
        404: "the address or the model is unknown there: check base_url (up to and with /v1) and "
        "model",
        405: "nothing answers such requests there: check base_url (up to and with /v1)",
    }.get(
        status,
        "the server does not accept the request: try another 'profile' in the card",
    )
    if status in (403, 404, 405):
        return Failure(said, status, False, "card", remedy=remedy)
    return Failure(said, status, False, "call", remedy=remedy)


def broken_answer(answer: Any, api: Api, headers: Mapping[str, str]) -> Failure | None:
    """Why a body of status 200 is no answer; None if it has the form of one.

    Args:
        answer: JSON of the body.
        api: which form was asked for.
        headers: of the answer.
    """
    if not isinstance(answer, Mapping):
        return Failure(f"the answer is no object but {_first_words(json.dumps(answer))}", _BROKEN)
    usage = answer.get("usage") if isinstance(answer.get("usage"), Mapping) else None
    error = answer.get("error")
    parts = answer.get("choices" if api == "chat" else "output")
    if isinstance(parts, list) and parts and api == "chat" and isinstance(parts[0], Mapping):
        error = error or parts[0].get("error")
        if not error and str(parts[0].get("finish_reason")).lower() == "error":
            error = {"message": "the choice ended with an error", "code": _BROKEN}
    if error or str(answer.get("status")) in ("failed", "cancelled"):
        found = _in_body(error or {"message": f"status {answer.get('status')}"}, headers)
        return Failure(**{**vars(found), "usage": usage})
    if not isinstance(parts, list) or not parts:
        words, _ = server_words({k: v for k, v in answer.items() if k != "usage"})
        return Failure(f"the answer holds no choice: {words}", _BROKEN, usage=usage)
    return None


def _in_body(error: Any, headers: Mapping[str, str]) -> Failure:
    """An error inside an answer of status 200, by the code that stands there."""
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    digits = str(code) if str(code).isdecimal() else "0"
    status = int(digits) if 300 <= int(digits) < 600 else _BROKEN
    if status == _BROKEN and _QUOTA.search(json.dumps(error)):
        status = 402
    found = refusal(status, headers, error)
    said = found.said.replace("HTTP ", "an error inside an answer of status 200, code ", 1)
    return Failure(**{**vars(found), "said": said})
