"""The two appearances of pictures: on light and on dark pages."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "Theme"]


@dataclass(frozen=True)
class Theme:
    """Colours of one appearance."""

    name: str
    surface: str
    ink: str
    muted: str
    grid: str
    learned: str
    limit: str
    other: str
    level: str
    heat: tuple[str, str, str]


LIGHT = Theme(
    name="light",
    surface="#ffffff",
    ink="#1c1d1f",
    muted="#5d6066",
    grid="#e6e7ea",
    learned="#0b66b2",
    limit="#c8500a",
    other="#8a5a9e",
    level="#75787e",
    heat=("#f4f7fb", "#7fb2dd", "#0a4a86"),
)
DARK = Theme(
    name="dark",
    surface="#1a1c20",
    ink="#ecedef",
    muted="#a3a7ae",
    grid="#30333a",
    learned="#5cb0f2",
    limit="#ff9a57",
    other="#cf9fe0",
    level="#8d9198",
    heat=("#20242b", "#2f6ea6", "#9fd3ff"),
)
