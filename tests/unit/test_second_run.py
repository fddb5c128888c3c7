"""What fails beside other tests runs once more alone; what fails alone too, and what fails often, stays a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "second_run.sh"
RACE = "import os\ndef test_{0}(): assert 'PYTEST_XDIST_WORKER' not in os.environ\n"
DEFECT = "def test_{0}(): assert False\n"


def run(folder: Path, *tests: str) -> tuple[int, str]:
    (folder / "test_toy.py").write_text("".join(test.format(at) for at, test in enumerate(tests)))
    words = (
        "sh",
        str(SCRIPT),
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "xdist",
        "-n",
        "1",
        "--rootdir",
        str(folder),
        str(folder),
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # it starts pytest up to four times a test
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=env, check=False)
    return done.returncode, done.stdout


def test_a_race_is_named(tmp_path: Path) -> None:
    status, said = run(tmp_path, RACE, "def test_{0}(): pass\n", RACE)
    assert (status, said.splitlines()[-2:]) == (
        0,
        ["RACE, to be cured: test_toy.py::test_0", "RACE, to be cured: test_toy.py::test_2"],
    )


@pytest.mark.parametrize("tests", [(DEFECT,), (RACE, DEFECT)])
def test_what_fails_alone_too_is_a_failure(tmp_path: Path, tests: tuple[str, ...]) -> None:
    status, said = run(tmp_path, *tests)
    assert status == 1
    assert "run once more" in said
    assert "RACE" not in said


def test_many_failures_are_no_races(tmp_path: Path) -> None:
    status, said = run(tmp_path, *[RACE] * 4)
    assert status == 1
    assert "run once more" not in said


def test_a_pass_and_a_collection_that_fails_run_once(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_{0}(): pass\n")[0] == 0
    status, said = run(tmp_path, "import nothing_of_this_name\n")
    assert status != 0
    assert "run once more" not in said
