"""Bytes are executed as written, the same each time, and nothing of the host is touched."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("unicorn")
pytest.importorskip("capstone")

from mirrorenv.bytes.machine.execution import ENDINGS, Limits
from mirrorenv.bytes.machine.kernel import CALLS, fresh_state
from mirrorenv.bytes.machine.supervisor import Machine
from mirrorenv.errors import ConfigError
from tests.bytes.programs import CALL, HOSTILE, all_calls, make_folder, numbered


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(cache=0) as made:
        yield made


def random_programs(count: int, seed: int, length: int = 64) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(length) for _ in range(count)]


def enriched(count: int, seed: int) -> list[bytes]:
    """Random bytes with pieces that do something: calls, loops, time, chance, writes."""
    source = random.Random(seed)
    pieces = [CALL, numbered(source.randrange(100)), *HOSTILE.values()]
    programs = []
    for _ in range(count):
        parts = [source.choice([source.choice(pieces), source.randbytes(3)]) for _ in range(12)]
        programs.append(b"".join(parts)[:64])
    return programs


def test_a_program_is_executed_as_it_is_written(machine: Machine) -> None:
    #          mov eax, 5; add eax, eax; mov [rsi], eax; mov ebx, [rsi]; inc rbx
    program = bytes.fromhex("b80500000001c089068b1e48ffc3")
    ((found, _),) = machine.run([program])
    assert found.ending == "end"
    assert found.instructions == 5
    assert found.trace == (0, 5, 7, 9, 11)
    assert (found.registers[0], found.registers[3]) == (10, 11)


def test_every_call_is_seen_under_its_number(machine: Machine) -> None:
    ((found, _),) = machine.run([all_calls()])
    seen = [call.number for call in found.calls]
    assert set(seen) >= set(CALLS) - {62}  # what comes after exit is not reached
    assert found.ending == "exit"


def test_what_a_program_makes_is_there_for_the_next_one(machine: Machine) -> None:
    ((first, after),) = machine.run([make_folder(b"nest")])
    assert first.calls[0].result == 0
    assert "/nest" in after["files"]
    ((again, _),) = machine.run([make_folder(b"nest")], [after])
    assert again.calls[0].result == -17  # it exists
    assert "/nest" not in fresh_state()["files"]


def test_a_state_that_is_handed_in_is_not_changed(machine: Machine) -> None:
    before = fresh_state()
    machine.run([make_folder(b"a")], [before])
    assert before == fresh_state()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_end_by_themselves(machine: Machine, name: str) -> None:
    started = machine.started
    ((found, _),) = machine.run([HOSTILE[name]])
    assert found.ending in ENDINGS
    assert machine.started == started, "it ended its process"
    if "asks for" in name and "machine" not in name:
        assert found.ending in ("void", "invalid")  # invalid where the emulator lacks it, too
    if name in ("jumps to itself", "calls itself without end", "floods calls"):
        assert found.ending == "limit" or found.ending == "access"
    if name in ("halts", "switches interrupts off", "talks to a port", "turns paging off"):
        assert found.ending == "privileged"
    if name in ("writes to its own code", "jumps into its stack", "reads nowhere"):
        assert found.ending == "access"


FRESH = """
import json, sys
from mirrorenv.bytes.machine.emulator import Emulator
from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.machine.kernel import fresh_state
from mirrorenv.bytes.machine.wire import from_result
for line in sys.stdin:
    state = fresh_state()
    made = Emulator(Limits()).run(bytes.fromhex(line), state)
    print(json.dumps(from_result(made, state)))
"""


def in_fresh_emulators(programs: list[bytes]) -> list[str]:
    """Each program in an engine of its own, in another process: the reference."""
    answered = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FRESH)],
        input="\n".join(program.hex() for program in programs),
        capture_output=True,
        text=True,
        check=True,
    )
    return answered.stdout.splitlines()


def test_a_reused_engine_gives_what_a_fresh_one_gives(machine: Machine) -> None:
    import json

    from mirrorenv.bytes.machine.wire import from_result

    programs = random_programs(250, 1) + enriched(250, 2)
    ours = [json.dumps(from_result(*result)) for result in machine.run(programs)]
    assert ours == in_fresh_emulators(programs)


def test_results_do_not_depend_on_what_was_run_before(machine: Machine) -> None:
    programs = enriched(400, 3)
    forward = machine.run(programs)
    backward = machine.run(programs[::-1])[::-1]
    assert forward == backward
    assert any(found.calls for found, _ in forward)
    assert any(found.ending == "void" for found, _ in forward)


@given(st.binary(min_size=1, max_size=80))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_have_an_ending_and_repeat(machine: Machine, program: bytes) -> None:
    first = machine.run([program])
    assert first == machine.run([program])
    assert first[0][0].ending in ENDINGS
    assert 0 <= first[0][0].instructions <= 1000


def test_programs_without_bytes_and_too_long_ones_are_refused(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="0 bytes"):
        machine.run([b""])
    with pytest.raises(ConfigError, match="5000 bytes"):
        machine.run([b"\x90" * 5000])
    with pytest.raises(ConfigError, match="instructions"):
        Limits(instructions=0)


def test_a_cached_result_is_the_same_and_costs_no_child() -> None:
    programs = enriched(20, 4)
    with Machine(cache=100) as cached:
        first = cached.run(programs)
        assert cached._child is not None
        os.kill(cached._child.pid, signal.SIGKILL)
        assert cached.run(programs) == first
        assert cached.started == 1


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_it_comes_up_where_what_others_have_sent_is_read(machine: Machine) -> None:
    from mirrorenv.results.runs import limits

    programs = random_programs(4, 1)
    with limits.at_most(limits.MEGABYTES), Machine(cache=0) as lent:
        assert lent.run(programs) == machine.run(programs)


def test_a_killed_child_is_replaced_and_nothing_is_lost() -> None:
    programs = enriched(50, 5)
    with Machine(cache=0) as made:
        first = made.run(programs)
        assert made._child is not None
        os.kill(made._child.pid, signal.SIGKILL)
        assert made.run(programs) == first
        assert (made.started, made.lost) == (2, 0)


def test_a_child_that_hangs_is_replaced_and_its_program_is_void(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = enriched(4, 6)
    with Machine(cache=0, patience=1.0) as made:
        ask = made._ask

        def hang(work: list) -> list | None:
            if any(program == programs[2] for program, _ in work):
                assert made._child is not None
                os.kill(made._child.pid, signal.SIGSTOP)
            return ask(work)

        monkeypatch.setattr(made, "_ask", hang)
        endings = [found.ending for found, _ in made.run(programs)]
        assert made.lost == 1
        assert endings[2] == "void"


def test_a_child_that_grows_is_replaced() -> None:
    with Machine(cache=0, grown=1) as made:
        made.run([b"\x90"])
        made.run([b"\x90"])
        assert made.started >= 2


def test_the_child_has_given_up_its_system_calls() -> None:
    with Machine() as made:
        if not made.confined:
            pytest.skip("libseccomp is not installed")
        assert made._child is not None
        status = Path(f"/proc/{made._child.pid}/status").read_text()
        assert "Seccomp:\t2" in status


def test_a_call_outside_the_list_ends_a_confined_process() -> None:
    code = textwrap.dedent(
        """
        import os
        from mirrorenv.bytes.machine.confine import allow_only
        assert allow_only() == ""
        os.write(1, b"ready")
        os.open("/etc/passwd", os.O_RDONLY)
        os.write(1, b"read it")
        """
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    if b"AssertionError" in ended.stderr:
        pytest.skip("libseccomp is not installed")
    assert ended.stdout == b"ready"
    assert ended.returncode == -signal.SIGSYS


@pytest.mark.slow
def test_no_call_of_the_child_lies_outside_its_list(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    from mirrorenv.bytes.machine.confine import ALLOWED

    with Machine(cache=0) as made:
        assert made._child is not None
        trace = tmp_path / "trace"
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", str(trace), "-p", str(made._child.pid)]
        )
        made.run(enriched(3000, 7))
        tracer.terminate()
        tracer.wait(30)
    calls = {
        line.split("(")[0].split()[-1] for line in trace.read_text().splitlines() if "(" in line
    }
    assert calls
    assert calls <= set(ALLOWED)


@pytest.mark.slow
def test_twenty_thousand_programs_agree_with_fresh_emulators(machine: Machine) -> None:
    import json

    from mirrorenv.bytes.machine.wire import from_result

    programs = random_programs(10_000, 8) + enriched(10_000, 9)
    ours = [json.dumps(from_result(*result)) for result in machine.run(programs)]
    assert ours == in_fresh_emulators(programs)
