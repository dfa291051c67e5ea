"""Templates of pages: HTML with places for data, in which whatever is put is escaped.

A template lies in the folder `templates` of the package whose page it is part of. What comes in
passes through :func:`text`, so that invisible marks are shown by their code and nothing is markup;
only what a template of ours made itself (:class:`Html`) is taken as HTML. No template switches that
off, which a test holds.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from markupsafe import Markup

from mirrorenv.results.report.visible import LONGEST, visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Html", "render", "text"]

Html = Markup
"""Text that is HTML already."""
LONG = 4000  # characters of one string in a template that does not cut it


def render(package: str, name: str, /, **data: object) -> Html:
    """Fill in a template.

    Args:
        package: whose page it is, e.g. `"mirrorenv.results.report"`.
        name: of the file in the package's folder `templates`.
        **data: what the template names; text is escaped.
    """
    return Markup(_environment().get_template(f"{package}/{name}").render(data))


def text(value: object, longest: int = LONGEST) -> Html:
    """Anything as HTML that shows it: in a template, the filter `cut`.

    Args:
        value: its `str` is used; what is HTML already stays as it is.
        longest: what is longer is cut, with a mark.
    """
    return value if isinstance(value, Markup) else Markup.escape(visible(value, longest))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        finalize=lambda value: text(value, LONG),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["cut"] = text
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return made


def _source(path: str) -> str:
    package, _, name = path.partition("/")
    return (package_files(package) / "templates" / name).read_text(encoding="utf-8")
