"""Headless Chromium for tests and benchmarks that look at a page; both do without where there is
none."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str | None:
    """Path of a Chromium, or None; the variable CHROMIUM names one."""
    return os.environ.get("CHROMIUM") or next(
        (found for name in NAMES if (found := shutil.which(name))), None
    )


def axe_source() -> str | None:
    """The text of axe-core's `axe.min.js`; the variable AXE_CORE names the file or the package's
    folder."""
    named = os.environ.get("AXE_CORE")
    path = (
        Path(named) / "axe.min.js"
        if named and Path(named).is_dir()
        else Path(named)
        if named
        else None
    )
    return path.read_text("utf-8") if path is not None and path.is_file() else None


def run(
    path: Path, *flags: str, width: int = 1280, dark: bool = False, timeout: float = 120
) -> str:
    """Open a page and return the document after its scripts have run."""
    program = chromium()
    assert program is not None
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--dump-dom",
    ]
    command += [
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        f"--window-size={width},1000",
        *flags,
    ]
    done = subprocess.run(
        [*command, path.resolve().as_uri()], capture_output=True, timeout=timeout, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def ask(page: Path, script: str, *flags: str, virtual: bool = True, **options: Any) -> Any:
    """Run a script in a copy of a page and return its answer.

    Args:
        page: the page; its content policy is taken out of the copy, so that the script may run.
        script: JavaScript, the body of an async function that returns something JSON can hold.
        flags: further flags of Chromium.
        virtual: let time fly while the page waits; False to measure it.
        options: of `run`.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    answer = (
        "<script>addEventListener('load', async () => { const told = document.createElement('pre');"
        f"told.id = 'told'; let value; try {{ value = await (async () => {{ {script} }})(); }}"
        "catch (error) { value = { error: String(error) }; }"
        "told.textContent = JSON.stringify(value); document.body.append(told); });</script>"
    )
    copy = page.with_name(f"asked-{page.name}")
    copy.write_text(text.replace("</body>", answer + "</body>"), "utf-8")
    waiting = "--virtual-time-budget=20000" if virtual else "--timeout=15000"
    dumped = run(copy, waiting, *flags, **options)
    found = re.search(r'<pre id="told">(.*?)</pre>', dumped, re.DOTALL)
    assert found is not None, "the page did not answer"
    return json.loads(unescape(found[1]))


def faults(page: Path, **options: Any) -> list[dict[str, Any]]:
    """What axe-core finds serious or critical: rule, impact, and the elements."""
    source = axe_source()
    assert source is not None
    copy = page.with_name(f"axe-{page.name}")
    text = page.read_text("utf-8")
    harmless = source.replace("</script", "<\\/script")
    copy.write_text(text.replace("</body>", f"<script>{harmless}</script></body>"), "utf-8")
    script = (
        "const found = await axe.run(document, { resultTypes: ['violations'] });"
        "return found.violations.map(one => ({ rule: one.id, impact: one.impact,"
        "where: one.nodes.slice(0, 3).map(node => node.html.slice(0, 200)) }));"
    )
    return [one for one in ask(copy, script, **options) if one["impact"] in ("serious", "critical")]
