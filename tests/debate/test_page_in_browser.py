"""In a real browser, what players wrote stays text: no script runs, nothing is fetched, the page
keeps its shape."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess

import pytest

from mirrorenv.debate.calls import Budget
from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import Tournament

BROWSER = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
BREAKOUT = (
    "</style></script></blockquote></body></html><svg onload=\"document.title='owned'\"><base "
    "href=//x>"
)
TERMINAL = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u2066 \u200b\ufeff\x00 &lt;b&gt; \ud800"
LONG = "longest " + "A" * 1_000_000


@pytest.fixture
def pages(tmp_path):
    texts = {"script": SCRIPT, "breakout": BREAKOUT, "terminal": TERMINAL, "long": LONG}
    cards = tuple(
        AgentCard(name=name, player="constant", options={"text": text})
        for name, text in texts.items()
    )
    rules = preset("default", {"rounds": 2, "longest_text": 40_000})
    judge = AgentCard(name="judge", player="stylometric")
    design = Tournament("<b>", 0, 2, 2, rules, load_topics("neutral"), cards, judge, None, False)
    asyncio.run(play_tournament(design, CallLog(tmp_path / CALLS), Budget()))
    index = write_pages(Results(tmp_path, design, CallLog(tmp_path / CALLS)))
    return [index, tmp_path / "games" / "game-00000.html"]


def in_browser(page, profile, width=400):
    """The document as the browser has it after scripts had their chance, and what the browser
    complained of."""
    options = [
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-extensions",
        "--virtual-time-budget=2000",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        f"--window-size={width},900",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")
    done = subprocess.run(
        [BROWSER, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    return done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace")


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.timeout(300)
def test_hostile_texts_stay_text_in_a_browser(pages, tmp_path):
    for page in pages:
        found, said = in_browser(page, tmp_path / "profile")
        assert "<title>owned" not in found and re.search(r"<title>(Debate: )?&lt;b&gt;", found)
        ours = found.replace('<img src="data:image/png;base64,', "<picture ")  # charts of ours
        assert not re.search(r"<(script|img|svg|base|iframe|link|object|b)\b", ours)
        assert found.count("<main>") == found.count("</main>") == 1
        assert "Refused to" not in said and "CONSOLE" not in said  # nothing was even tried
        assert len(found) < 1_000_000
    assert (
        "&lt;script&gt;document.title" in found
        and "&lt;/blockquote&gt;" in found
        and "longest AAAA" in found
    )
    assert "gnp.exe" in found and not re.search("[\x00\x1b\u202e\u2066\u200b\ufeff]", found)
