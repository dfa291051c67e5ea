from mirrorenv.results.board.board import collect as collect
from mirrorenv.results.board.check import check_submission as check_submission
from mirrorenv.results.board.suite import Suite as Suite
from mirrorenv.results.board.suite import load_suite as load_suite
from mirrorenv.results.folders.result_folder import ResultFolder as ResultFolder
from mirrorenv.results.folders.result_folder import write_result as write_result
from mirrorenv.results.folders.schema import Result as Result
from mirrorenv.results.folders.verify import verify_result as verify_result
from mirrorenv.results.report.report import write_report as write_report
from mirrorenv.results.runs.files import atomic_write_bytes as atomic_write_bytes
from mirrorenv.results.runs.files import atomic_write_json as atomic_write_json
from mirrorenv.results.runs.files import atomic_write_text as atomic_write_text
from mirrorenv.results.runs.files import read_json as read_json
from mirrorenv.results.runs.json_lines import append_jsonl as append_jsonl
from mirrorenv.results.runs.json_lines import read_jsonl as read_jsonl
from mirrorenv.results.runs.manifest import verify_manifest as verify_manifest
from mirrorenv.results.runs.manifest import write_manifest as write_manifest
from mirrorenv.results.runs.run_folder import RunFolder as RunFolder
from mirrorenv.results.runs.run_folder import checkpoint_folder as checkpoint_folder
from mirrorenv.results.stats.estimates import OverSeeds as OverSeeds
from mirrorenv.results.stats.estimates import WithinRun as WithinRun
from mirrorenv.results.stats.estimates import compare_with as compare_with
from mirrorenv.results.stats.estimates import over_seeds as over_seeds
from mirrorenv.results.stats.estimates import tied_groups as tied_groups
from mirrorenv.results.stats.run_results import read_results as read_results
from mirrorenv.results.stats.statistics import interquartile_mean as interquartile_mean
from mirrorenv.results.stats.statistics import marl_eval_json as marl_eval_json
from mirrorenv.results.stats.statistics import median as median
from mirrorenv.results.stats.statistics import performance_profile as performance_profile
from mirrorenv.results.stats.statistics import (
    probability_of_improvement as probability_of_improvement,
)
from mirrorenv.results.stats.statistics import tied_ranks as tied_ranks
