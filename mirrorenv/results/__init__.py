"""Run folders, result folders, statistics, reports and leaderboards."""

from __future__ import annotations

from mirrorenv.lazy import lazily

_HOME = {
    "format_table": "compare",
    "paired": "compare",
    "read_results": "compare",
    "summarise": "compare",
    "RunFolder": "run_folder",
    "checkpoint_folder": "run_folder",
    "interquartile_mean": "statistics",
    "marl_eval_json": "statistics",
    "performance_profile": "statistics",
    "probability_of_improvement": "statistics",
    "median": "statistics",
    "tied_ranks": "statistics",
    "OverSeeds": "estimates",
    "WithinRun": "estimates",
    "compare_with": "estimates",
    "over_seeds": "estimates",
    "tied_groups": "estimates",
    "Result": "schema",
    "ResultFolder": "result_folder",
    "write_result": "result_folder",
    "verify_result": "verify",
    "Suite": "suite",
    "load_suite": "suite",
    "check_submission": "board_check",
    "collect": "board",
    "append_jsonl": "files",
    "atomic_write_bytes": "files",
    "atomic_write_json": "files",
    "atomic_write_text": "files",
    "read_json": "files",
    "read_jsonl": "files",
    "verify_manifest": "files",
    "write_report": "report",
    "write_manifest": "files",
}

__all__ = list(_HOME)

# Opening a run folder does not import matplotlib.
__getattr__ = lazily(__name__, _HOME)
