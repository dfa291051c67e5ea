"""Draw the pictures of the gallery of worlds, ``docs/pictures/worlds/*.png``.

    python docs/gallery.py

A world that draws itself is shown at the start, half way and at the end of an episode; any other by
its actions, one row for each agent, one column for each step, one colour for each action. Its best
scripted team plays, or chance where it brings none.

Shape legend: N agents, T time, H, W rows and columns of a picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import mirrorenv
from mirrorenv.envs import UniformPolicy, play_episodes, spec
from mirrorenv.envs.drawing.film import watch

PICTURES = Path(__file__).resolve().parent / "pictures" / "worlds"
HEIGHT = 120  # pixels
GAP = 6
STEPS = 48  # of an episode that is shown by its actions
COLOURS = np.array(
    [[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0]],
    np.uint8,
)  # those of Okabe and Ito, which everybody can tell apart


def drawable() -> list[str]:
    """Ids of this package's worlds that act in numbers."""
    return [
        id
        for id, about in mirrorenv.registry().items()
        if id.startswith("mirrorenv/") and about.kind == "array"
    ]


def picture(id: str) -> Any:
    """(H, W, 3) uint8: one episode at a glance.

    Args:
        id: of a world.
    """
    world = mirrorenv.make_batch(id, 1)
    teams = spec(id).load_players()
    policy = [*teams.values()][-1](world) if teams else UniformPolicy(world, 0)
    if "rgb_array" in world.render_modes:
        return _moments([frame.picture for frame in watch(world, policy, seed=0)])
    return _actions(play_episodes(world, policy, [0]).actions[0])


def _moments(frames: list[Any]) -> Any:
    """The first, the middle and the last picture side by side."""
    chosen = [frames[0], frames[len(frames) // 2], frames[-1]]
    shown = []
    for frame in chosen:
        height, width = frame.shape[:2]
        size = (max(1, round(width * HEIGHT / height)), HEIGHT)
        if size[0] > 3 * HEIGHT:  # a wide world keeps its width
            size = (3 * HEIGHT, max(1, round(height * 3 * HEIGHT / width)))
        shown.append(np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX)))
    across = shown[0].shape[1] < 2 * HEIGHT
    return _joined(shown, axis=1 if across else 0)


def _joined(parts: list[Any], axis: int) -> Any:
    """Pictures beside (axis 1) or below each other, with a white gap."""
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    spaced = [piece for part in parts for piece in (part, gap)][:-1]
    return np.concatenate(spaced, axis=axis)


def _actions(actions: Any) -> Any:
    """Rows of coloured cells: actions (T, N) or (T, N, parts), of which the first part is shown."""
    first = actions if actions.ndim == 2 else actions[..., 0]
    rows = first[:STEPS].T.astype(int) % len(COLOURS)  # (N, T)
    cell = max(4, min(24, 360 // rows.shape[1]))
    cells = COLOURS[rows].repeat(cell, axis=0).repeat(cell, axis=1)
    cells[::cell] = 255  # lines between the cells
    cells[:, ::cell] = 255
    return cells


def main() -> None:
    """Write every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for id in drawable():
        path = PICTURES / f"{id.split('/')[-1]}.png"
        image = Image.fromarray(picture(id)).quantize(32)
        image.save(path, optimize=True)
        print(f"{path.name:<20}{path.stat().st_size:>7,} bytes  {image.size}")


if __name__ == "__main__":
    main()
