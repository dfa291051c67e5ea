"""Keys: which can be sent at all, and how one is found in whatever spelling it comes back."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from typing import Any
from urllib.parse import quote, quote_plus

from mirrorenv.errors import ConfigError

__all__ = ["Scrubber", "key_from"]

HIDDEN = "***"
_SHORTEST = 8
"""Characters below which a key is a placeholder (`none`, `x`): local servers ask for any."""


def key_from(variable: str | None, who: str) -> str:
    """The key that an environment variable holds; "" for no variable.

    Args:
        variable: its name, or None.
        who: on whose behalf, for messages.

    Raises:
        ConfigError: if it is not set, or holds what no key holds: white space, quotation marks or
            anything outside ASCII. The message names the variable and never shows its value.
    """
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigError(
            f"{who}: the environment variable {variable} is not set; it must hold the key"
        )
    problem = _problem(key)
    if problem:
        raise ConfigError(
            f"{who}: the environment variable {variable} holds no usable key: {problem}; set it to "
            "the key and nothing else (nothing was sent, and the value is not shown)"
        )
    return key


def _problem(key: str) -> str | None:
    """What no key holds, without a word of the key."""
    if key.strip() != key:
        return "there is white space or a line break at its beginning or end"
    if key[0] in "\"'" or key[-1] in "\"'":
        return "there are quotation marks around it"
    if key.lower().startswith("bearer "):
        return "it begins with 'Bearer', which is added when it is sent"
    if not key.isascii():
        return "there is a character outside ASCII in it"
    if any(mark.isspace() or not mark.isprintable() for mark in key):
        return "there is white space or a control character in it"
    return None


class Scrubber:
    """Takes secrets out of texts and JSON, however they are spelt there.

    Args:
        *secrets: keys; one below 8 characters is a placeholder and is not looked for.
    """

    def __init__(self, *secrets: str) -> None:
        spelt = sorted(set().union(*map(_spellings, secrets)), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, spelt)), re.IGNORECASE)
        self._looks = bool(spelt)

    def text(self, text: str) -> str:
        """The text without the secret."""
        return self._pattern.sub(HIDDEN, text) if self._looks else text

    def json(self, value: Any) -> Any:
        """The same value with every name and every text scrubbed."""
        if not self._looks:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.json(name): self.json(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.json(item) for item in value]
        return value


def _spellings(secret: str) -> set[str]:
    """As it is, escaped, encoded for an address, backwards, in hexadecimal and in base64."""
    if len(secret) < _SHORTEST:
        return set()
    data = secret.encode()
    found = {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        quote(quote(secret, safe=""), safe=""),
        html.escape(secret),
        "".join(f"\\u{ord(mark):04x}" for mark in secret),
        "".join(f"%{byte:02x}" for byte in data),
        "".join(f"&#{ord(mark)};" for mark in secret),
        data.hex(),
        data.hex(" "),
        data.hex(":"),
        secret[::-1],
    }
    for before in range(3):  # base64 of anything that holds it: three alignments
        coded = base64.b64encode(b"\0" * before + data).decode()
        # only what follows from the secret alone: the first and the last group mix in neighbours
        inner = coded[(0, 2, 3)[before] :].rstrip("=")
        inner = inner if (before + len(data)) % 3 == 0 else inner[:-1]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {spelling for spelling in found if len(spelling) >= _SHORTEST}
