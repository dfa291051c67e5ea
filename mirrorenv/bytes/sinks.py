"""Where finished thoughts go: to people through Apprise, to a loudspeaker, by default nowhere.

| sink | what |
|---|---|
| `apprise` | every service in `MIRRORENV_APPRISE_URLS` (Telegram, WhatsApp, mail and others) |
| `speech` | read aloud by espeak-ng |
| `speech:FOLDER` | the same as numbered wave files |

Addresses of services hold keys, and settings are written down with a run: so they stand in the
environment. A service that does not answer is said in the log, and the run goes on.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mirrorenv.errors import ConfigError, require, unknown_name

__all__ = ["SINKS", "URLS", "Sink", "open_sinks", "register_sink"]

logger = logging.getLogger(__name__)

URLS = "MIRRORENV_APPRISE_URLS"
_SPEAKING_S = 60.0


class Sink(Protocol):
    """Takes finished thoughts."""

    def tell(self, title: str, text: str) -> bool:
        """Pass a thought on; whether it arrived."""


SinkFactory = Callable[[str], Sink]
SINKS: dict[str, SinkFactory] = {}


def register_sink(name: str) -> Callable[[SinkFactory], SinkFactory]:
    """Decorator: make a sink available by name; it is given what stands behind the colon."""

    def add(factory: SinkFactory) -> SinkFactory:
        SINKS[name] = factory
        return factory

    return add


def open_sinks(names: Sequence[str]) -> list[Sink]:
    """The sinks of these names.

    Raises:
        UnknownNameError: if there is no such sink.
        ConfigError: if one lacks what it needs.
        MissingExtraError: if apprise is not installed and is asked for.
    """
    found = []
    for name in names:
        kind, _, rest = name.partition(":")
        if kind not in SINKS:
            raise unknown_name("sink", kind, SINKS)
        found.append(SINKS[kind](rest))
    return found


@register_sink("apprise")
class AppriseSink:
    """All services of the environment.

    Args:
        rest: nothing; addresses do not belong into settings.

    Raises:
        ConfigError: if none is named, or one is no address of a service.
    """

    def __init__(self, rest: str) -> None:
        if rest:
            raise ConfigError(
                f"sink apprise: put addresses into {URLS}, not into a setting, which is written "
                "down with the run"
            )
        apprise = require("apprise", "thoughts")
        addresses = os.environ.get(URLS, "").split()
        if not addresses:
            raise ConfigError(f"sink apprise: {URLS} names no service (addresses, with spaces)")
        self._services = apprise.Apprise()
        for place, address in enumerate(addresses, start=1):
            if not self._services.add(address):
                raise ConfigError(f"sink apprise: address {place} in {URLS} is none that it knows")

    def tell(self, title: str, text: str) -> bool:
        """See :meth:`Sink.tell`."""
        arrived = bool(self._services.notify(title=title, body=text))
        if not arrived:
            logger.warning("a thought did not reach every service in %s", URLS)
        return arrived


@register_sink("speech")
class SpeechSink:
    """espeak-ng, which is given text through a pipe and no shell.

    Args:
        folder: for wave files; empty reads aloud.

    Raises:
        ConfigError: if espeak-ng is not installed.
    """

    def __init__(self, folder: str) -> None:
        found = shutil.which("espeak-ng")
        if found is None:
            raise ConfigError("sink speech: espeak-ng is not installed (apt-get install espeak-ng)")
        self._program = found
        self._folder = Path(folder) if folder else None

    def tell(self, title: str, text: str) -> bool:
        """See :meth:`Sink.tell`."""
        command = [self._program, "--stdin"]
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = len(list(self._folder.glob("thought*.wav"))) + 1
            command += ["-w", str(self._folder / f"thought{number:04d}.wav")]
        try:
            done = subprocess.run(
                command,
                input=f"{title}. {text}".encode(),
                capture_output=True,
                timeout=_SPEAKING_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            logger.warning("speech did not end within %g s", _SPEAKING_S)
            return False
        if done.returncode:
            logger.warning("speech failed: %s", done.stderr.decode(errors="replace")[:200])
        return done.returncode == 0
