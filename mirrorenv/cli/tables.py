"""Tables whose cells stay whole in a terminal of 80 columns."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ["narrow_table"]


def narrow_table(*heads: str, first: str = "", **options: Any) -> Table:
    """A table of figures that are never cut or broken.

    Args:
        *heads: of the columns of figures.
        first: head of a column of words before them, which are broken where the width asks for it;
            none if it is empty.
        **options: of rich's table.
    """
    table = Table(box=SIMPLE_HEAD, padding=(0, 0), collapse_padding=True, pad_edge=False, **options)
    if first:
        table.add_column(first, overflow="fold")
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table
