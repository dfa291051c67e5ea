"""Run folders, result folders, statistics, reports and leaderboards."""

from __future__ import annotations

from mirrorenv.lazy import lazily

_HOME = {
    "format_table": "stats.compare",
    "paired": "stats.compare",
    "read_results": "stats.compare",
    "summarise": "stats.compare",
    "RunFolder": "runs.run_folder",
    "checkpoint_folder": "runs.run_folder",
    "interquartile_mean": "stats.statistics",
    "marl_eval_json": "stats.statistics",
    "performance_profile": "stats.statistics",
    "probability_of_improvement": "stats.statistics",
    "median": "stats.statistics",
    "tied_ranks": "stats.statistics",
    "OverSeeds": "stats.estimates",
    "WithinRun": "stats.estimates",
    "compare_with": "stats.estimates",
    "over_seeds": "stats.estimates",
    "tied_groups": "stats.estimates",
    "Result": "folders.schema",
    "ResultFolder": "folders.result_folder",
    "write_result": "folders.result_folder",
    "verify_result": "folders.verify",
    "Suite": "board.suite",
    "load_suite": "board.suite",
    "check_submission": "board.check",
    "collect": "board.board",
    "append_jsonl": "runs.files",
    "atomic_write_bytes": "runs.files",
    "atomic_write_json": "runs.files",
    "atomic_write_text": "runs.files",
    "read_json": "runs.files",
    "read_jsonl": "runs.files",
    "verify_manifest": "runs.files",
    "write_report": "report.report",
    "write_manifest": "runs.files",
}

__all__ = list(_HOME)

# Opening a run folder does not import matplotlib.
__getattr__ = lazily(__name__, _HOME)
