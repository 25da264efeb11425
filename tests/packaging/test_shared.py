"""Functions are packaged at once and share their work: nobody sees that in the result."""

from __future__ import annotations

import io
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.support import FUNCTION, names, text
from tests.support import Project
from tests.wheels import make_wheel

COUNT = 6
LARGE = 5_000_000  # worth all processors


def functions(project: Project, *, requirements: str = "", **settings: Any) -> list[Path]:
    """Describe functions with sources of their own; return where their archives will be."""
    found = [f"f{number}" for number in range(COUNT)]
    for name in found:
        source(project, name, requirements)
    project.settings(
        functions={name: {**FUNCTION, "source": name, **settings} for name in found},
    )
    return [project.folder / ".tasks_aws" / f"{name}.zip" for name in found]


def source(project: Project, name: str, requirements: str = "") -> Path:
    folder = project.folder / name
    folder.mkdir()
    (folder / "app.py").write_text(f"def handler(event, context): return '{name}'\n")
    if requirements:
        (folder / "requirements.txt").write_text(requirements)
    return folder


@pytest.fixture
def calls_of_uv(project: Project, tmp_path: Path) -> Callable[[], int]:
    """A uv that installs a package at once, and how often it was called."""
    calls, uv = tmp_path / "calls", tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        "#!/bin/sh\n"
        f"echo called >> '{calls}'\n"
        'while [ "$1" != --target ]; do shift; done\n'
        f"sleep 0.1; while [ -e '{tmp_path}/hold' ]; do sleep 0.05; done\n"
        'mkdir "$2/pure"; echo "x = 1" > "$2/pure/__init__.py"\n'
    )
    uv.chmod(0o755)
    project.environ["PATH"] = f"{uv.parent}:{project.environ['PATH']}"
    return lambda: len(calls.read_text().splitlines())


def test_functions_that_share_dependencies_have_the_bytes_that_each_has_alone(
    project: Project, wheels: Path
) -> None:
    lines = "".join(f"x{number} = {number * number}\n" for number in range(LARGE // 15))
    make_wheel(wheels, "large", tag="py3-none-any", files={"large.py": lines, "small.py": ""})
    archives = functions(project, requirements="large\npure\n")
    described: dict[str, Any] = {
        path.stem: {**FUNCTION, "source": path.stem, "layers": ["lib"]} for path in archives[:3]
    }
    lib = {"requirements": "f0/requirements.txt", "CompatibleRuntimes": ["python3.13"]}
    project.settings(functions=described, layers={"lib": lib})
    archives = [*archives[:3], project.folder / ".tasks_aws" / "lib.layer.zip"]

    project.run("package")

    together = [path.read_bytes() for path in archives]
    alone: list[bytes] = []
    for name in described:
        shutil.rmtree(project.folder / ".tasks_aws")
        project.settings(functions={name: {**FUNCTION, "source": name}})
        project.run("package")
        alone.append(archives[len(alone)].read_bytes())
    assert together[:3] == alone
    assert "large.py" in names(archives[2])
    with zipfile.ZipFile(io.BytesIO(together[3])) as found:
        assert found.testzip() is None
        assert found.read("python/large.py").decode() == lines


def test_one_install_serves_all_functions_with_the_same_requirements(
    project: Project, calls_of_uv: Callable[[], int]
) -> None:
    archives = functions(project, requirements="pure\n")

    project.run("package")

    assert calls_of_uv() == 1
    assert all("pure/__init__.py" in names(path) for path in archives)


def test_a_local_package_is_installed_once_for_all_functions_of_a_run(
    project: Project, calls_of_uv: Callable[[], int]
) -> None:
    functions(project, requirements="")
    (project.folder / "local-1.0-py3-none-any.whl").touch()
    (project.folder / "requirements.txt").write_text("./local-1.0-py3-none-any.whl\n")

    project.run("package")
    assert calls_of_uv() == 1

    project.run("package")
    assert calls_of_uv() == 2
    assert not [*(project.folder / ".tasks_aws").glob("unfinished-*")]


def test_the_same_line_in_two_folders_names_two_local_packages(
    project: Project, wheels: Path
) -> None:
    archives = functions(project, requirements="./local-1.0-py3-none-any.whl\n")
    for path in archives:
        files = {"local.txt": path.stem}
        make_wheel(project.folder / path.stem, "local", tag="py3-none-any", files=files)

    project.run("package")

    assert [text(path, "local.txt") for path in archives] == [path.stem for path in archives]


def test_one_failure_hides_no_other_and_lines_are_in_the_order_of_the_settings(
    project: Project, calls_of_uv: Callable[[], int]
) -> None:
    archives = functions(project, requirements="pure\n")
    for number in (1, 4):
        (project.folder / f"f{number}" / "app.py").unlink()

    result = project.run("package", code=1)

    assert [path.exists() for path in archives] == [True, False, True, True, False, True]
    lines = [line for line in result.err.splitlines() if line.startswith(("install ", "zip "))]
    order = [f"{line.split()[0]} {line.split()[1]}" for line in lines]
    assert order == sorted(order, key=lambda line: line.split()[1])
    errors = [line[:3] for line in result.err.splitlines() if line.startswith(("f1: ", "f4: "))]
    assert errors == ["f1:", "f4:"]
    assert "2 of 6 functions could not be packaged." in result.err


def test_build_commands_have_the_project_to_themselves(project: Project) -> None:
    for number in range(4):
        source(project, f"f{number}")
    log = '"$TASKS_AWS_PROJECT/log"'
    note = f"echo $TASKS_AWS_FUNCTION >> {log}; sleep 0.05; echo $TASKS_AWS_FUNCTION >> {log}"
    make = 'mkdir "$TASKS_AWS_PROJECT/made"; touch "$TASKS_AWS_PROJECT/made/app.py"'
    described = {
        f"f{number}": {**FUNCTION, "source": f"f{number}", "build": [note]} for number in range(3)
    }
    described["f3"] = {**FUNCTION, "source": "f3", "build": [make]}
    described["f4"] = {**FUNCTION, "source": "made"}
    project.settings(functions=described)

    project.run("build")

    assert (project.folder / "log").read_text().split() == ["f0", "f0", "f1", "f1", "f2", "f2"]
    assert (project.folder / ".tasks_aws" / "f4" / "app.py").exists()


def test_processes_that_package_different_functions_do_not_wait_or_disturb_each_other(
    project: Project,
) -> None:
    go = '"$TASKS_AWS_PROJECT/go"'
    begun = '"$TASKS_AWS_PROJECT/begun"'
    slow = f"touch {begun}; while [ ! -e {go} ]; do sleep 0.02; done"
    described: dict[str, Any] = {
        name: {**FUNCTION, "source": str(source(project, name).name)} for name in ("f0", "f1")
    }
    described["f0"]["build"] = [slow]
    project.settings(functions=described)
    building = project.start("package", "--function", "f0")
    wait_for(project.folder / "begun")

    result = project.run("package", "--function", "f1")
    cleaning = project.start("clean")

    assert "waiting" not in result.err
    assert cleaning.stderr
    assert cleaning.stderr.readline() == "waiting   for another build\n"
    (project.folder / "go").touch()
    _, err = building.communicate(timeout=60)
    assert building.returncode == 0, err
    cleaning.communicate(timeout=60)
    assert not (project.folder / ".tasks_aws").exists()


def test_what_a_killed_run_has_left_is_removed_by_the_next(project: Project) -> None:
    functions(project, build=['touch "$TASKS_AWS_PROJECT/begun"; sleep 60'])
    killed = project.start("package")
    wait_for(project.folder / "begun")
    killed.kill()
    killed.communicate()
    left = [*(project.folder / ".tasks_aws").glob("unfinished-*")]
    assert left

    functions_again = {f"f{number}": {**FUNCTION, "source": f"f{number}"} for number in range(2)}
    project.settings(functions=functions_again)
    project.run("package")

    assert not [*(project.folder / ".tasks_aws").glob("unfinished-*")]


def test_ctrl_c_starts_no_more_and_leaves_nothing_unfinished(
    project: Project, calls_of_uv: Callable[[], int], tmp_path: Path
) -> None:
    archives = functions(project)
    for path in archives:
        requirements = f"pure\n# {path.stem}\n"
        (project.folder / path.stem / "requirements.txt").write_text(requirements)
    (tmp_path / "hold").touch()
    running = project.start("package")
    wait_for(tmp_path / "calls")

    running.send_signal(signal.SIGINT)
    time.sleep(3)  # until it has noticed
    (tmp_path / "hold").unlink()
    _, err = running.communicate(timeout=60)

    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert not [path for path in archives if path.exists()]
    assert not [*(project.folder / ".tasks_aws").glob("unfinished-*")]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
