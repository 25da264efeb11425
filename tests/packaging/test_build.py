"""`build`, `package` and `clean`, as users run them."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.errors import PackageError
from tasks_aws.packaging.build import clean, package
from tasks_aws.packaging.workspace import Workspace
from tasks_aws.process import locking
from tests.packaging.support import FUNCTION, function, names, no_command, text
from tests.support import Project
from tests.wheels import make_wheel


def test_package_needs_neither_credentials_nor_a_region(project: Project) -> None:
    archive = function(project)

    result = project.run("package")

    assert names(archive) == ["app.py"]
    assert re.search(
        r"^zip       hello  \d+ B, 1 file, \d+ B unzipped, \d+ ms$",
        result.err,
        re.MULTILINE,
    )
    assert result.out == ""


def test_parallel_builds_in_one_project_wait_for_each_other(project: Project, wheels: Path) -> None:
    archive = function(project, requirements="pure\n")

    processes = [project.start("package") for _ in range(4)]
    results = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]

    assert [code for _, code in results] == [0, 0, 0, 0], results
    assert "pure/__init__.py" in names(archive)


def test_two_checkouts_give_the_same_bytes(project: Project, wheels: Path, tmp_path: Path) -> None:
    """Neither the folder counts, nor zone, umask, seed of hashes, or the order of files."""
    function(project, requirements="pure\n")
    paths = [f"data/{index}" for index in range(20)] + ["ünï/çode.txt"]
    archives = []
    for checkout, umask, zone in (("one", 0o022, "Asia/Tokyo"), ("other", 0o077, "America/Lima")):
        before = os.umask(umask)
        try:
            project.folder = Path(shutil.copytree(project.folder, tmp_path / checkout / "place"))
            for path in paths:
                (project.folder / "src" / path).parent.mkdir(exist_ok=True)
                (project.folder / "src" / path).write_text(path)
            for file in (project.folder / "src").glob("*.*"):
                content = file.read_text()
                file.unlink()
                file.write_text(content)
            project.run("clean", "package", environ={"TZ": zone, "PYTHONHASHSEED": str(umask)})
        finally:
            os.umask(before)
        archives.append((project.folder / ".tasks_aws" / "hello.zip").read_bytes())
        shutil.rmtree(project.folder / "src" / "data")
        paths.reverse()

    assert archives[0] == archives[1]


def test_a_dependency_and_a_source_of_one_name_are_an_error(project: Project, wheels: Path) -> None:
    function(project, requirements="pure\n")
    (project.folder / "src" / "pure").mkdir()
    (project.folder / "src" / "pure" / "__init__.py").touch()

    assert (
        "Two files have the same name in the archive: pure/__init__.py"
        in project.run("package", code=1).err
    )


def test_the_project_is_the_folder_of_tasks_py(project: Project) -> None:
    archive = function(project)
    below = project.folder / "src" / "below"
    below.mkdir()
    project.folder = below

    project.run("package")

    assert archive.exists()


def test_clean_removes_what_was_built(project: Project) -> None:
    archive = function(project)
    project.run("build")
    assert (project.folder / ".tasks_aws" / "hello" / "app.py").exists()
    assert (project.folder / ".tasks_aws" / ".gitignore").read_text().endswith("\n*\n")

    project.run("package", "clean", "--function", "hello")
    assert not archive.exists()
    assert (project.folder / ".tasks_aws").exists()

    project.run("clean")
    assert not (project.folder / ".tasks_aws").exists()


@pytest.mark.parametrize("words", [(), ("--function", "hello")])
def test_clean_under_dry_removes_nothing(project: Project, words: tuple[str, ...]) -> None:
    archive = function(project)
    project.run("package")

    said = project.run("--dry", "clean", *words).err

    assert f"would remove {'.tasks_aws/hello.zip' if words else '.tasks_aws'}" in said
    assert archive.exists()


def test_build_commands_run_in_the_staged_folder(project: Project) -> None:
    archive = function(
        project,
        build=[
            "echo $TASKS_AWS_FUNCTION $TASKS_AWS_RUNTIME $TASKS_AWS_ARCHITECTURE > built.txt",
        ],
    )

    result = project.run("package")

    with zipfile.ZipFile(archive) as found:
        assert found.read("built.txt").decode() == "hello python3.13 x86_64\n"
    assert re.search(r"^build     hello  1 file, 1 command, ", result.err, re.MULTILINE)
    assert not (project.folder / "src" / "built.txt").exists()


@pytest.mark.parametrize("folder", ["(a) & 'b'; $HOME `c` \\d", "two\nlines", "-n", "%PATH%"])
def test_build_commands_run_in_any_folder(project: Project, folder: str) -> None:
    project.folder = Path(shutil.copytree(project.folder, project.folder.parent / folder))
    archive = function(project, build=["true & echo built > built.txt"])

    project.run("package")

    assert text(archive, "built.txt") == "built\n"


def test_what_is_built_has_the_modes_of_the_umask(project: Project) -> None:
    archive = function(project, build=["touch built"])

    before = os.umask(0o027)
    try:
        project.run("package")
    finally:
        os.umask(before)

    modes = {path: path.stat().st_mode & 0o777 for path in archive.parent.iterdir()}
    assert modes[archive] == modes[archive.with_suffix(".index")] == 0o640
    assert modes[archive.with_suffix("")] == 0o750


def test_a_build_command_that_fails_says_so_and_leaves_nothing(project: Project) -> None:
    lines = "for n in $(seq 30); do echo line $n; done"
    archive = function(project, build=["true", f"{lines}; echo 'no such module' >&2; exit 3"])

    result = project.run("package", code=1)

    first, *rest = result.err.splitlines()
    assert first.startswith("The build command `for n in ")
    assert first.endswith("exit 3` of hello failed with exit code 3.")
    assert rest[0] == "  why: line 12"
    assert rest[-2:] == [
        "       no such module",
        "  fix: To see all of its output, run the task again with `invoke --echo`.",
    ]
    assert not archive.exists()
    assert not (project.folder / ".tasks_aws" / "hello").exists()


def test_what_a_build_command_prints_is_shown_with_echo_alone(project: Project) -> None:
    function(project, build=["echo built; echo noted >&2"])

    assert "built" not in project.run("package").err
    shown = project.run("--echo", "package")

    assert shown.err.startswith("echo built; echo noted >&2\nbuilt\nnoted\nbuild     hello  ")
    assert shown.out == ""


@pytest.mark.parametrize(
    ("command", "options", "reason"),
    [
        ("kill -9 $$", (), "was ended by signal 9"),
        ("exec sleep 9", ("-T", "1"), "did not end within 1.0 s"),
        ("read answer", (), "failed with exit code 1"),  # nobody is there to answer
    ],
)
def test_a_build_command_that_does_not_end_well_is_an_error(
    project: Project, command: str, options: tuple[str, ...], reason: str
) -> None:
    function(project, build=[command])

    result = project.run(*options, "package", code=1)

    assert result.err == f"The build command `{command}` of hello {reason}.\n"


def test_a_shell_that_is_not_there_is_an_error(project: Project) -> None:
    function(project, build=["true"])

    result = project.run("build", code=1, environ={"INVOKE_RUN_SHELL": "/no/shell"})

    assert "could not be run by /no/shell: No such file or directory." in result.err


def test_a_build_error_shows_no_secret_of_the_environment(project: Project) -> None:
    function(project, build=["echo ${env:NPM_TOKEN}; env | grep NPM; printf '\\033[31mred'; false"])

    result = project.run("package", code=1, environ={"NPM_TOKEN": "npm_s3cret"})

    assert "npm_s3cret" not in result.err
    assert "NPM_TOKEN=***\n" in result.err
    assert result.err.endswith("       red\n")


@pytest.mark.parametrize("task", ["build", "package"])
def test_a_function_that_cannot_be_packaged_hides_no_other(project: Project, task: str) -> None:
    function(project)
    broken = {**FUNCTION, "build": ["echo reason of $TASKS_AWS_FUNCTION; exit 1"]}
    project.settings(functions={"one": broken, "good": FUNCTION, "two": broken})

    result = project.run(task, code=1)

    for name in ("one", "two"):
        assert f"{name}: The build command `echo " in result.err
        assert f"why: reason of {name}\n" in result.err
    assert "build     good" in result.err or "zip       good" in result.err
    done = {"build": "built", "package": "packaged"}[task]
    assert result.err.endswith(f"2 of 3 functions could not be {done}.\n")


def test_a_folder_goes_where_it_is_put(project: Project) -> None:
    common = project.folder / "common"
    common.mkdir()
    (common / "util.py").touch()
    archive = function(project, source=["src", {"common": "lib/common"}])

    project.run("package")

    assert names(archive) == ["app.py", "lib/common/util.py"]


def test_targets_have_archives_of_their_own_whatever_their_names(project: Project) -> None:
    archive = function(project)
    described = yaml.safe_load((project.folder / "invoke.yaml").read_text())["aws"]["functions"]
    targets = ("eu", "eu/prod", "../prod", "eu%2Fprod")
    overlays = {
        each: {"functions": {"hello": {"build": [f"echo $TASKS_AWS_FUNCTION '{each}' > built"]}}}
        for each in targets
    }
    project.settings(functions=described, targets=overlays)

    project.run("plan", *(word for each in targets for word in ("--target", each)), code=1)

    found = sorted(text(path, "built") for path in archive.parent.glob("*.zip"))
    assert found == sorted(f"hello {each}\n" for each in targets)


@pytest.mark.parametrize("inside", ["../up", "/abs", "."])
def test_nothing_is_put_outside_the_archive(project: Project, inside: str) -> None:
    function(project, source=[{"src": inside}])

    assert "must be a folder inside the archive" in project.run("package", code=1).err


def test_a_container_image_is_not_packaged(project: Project) -> None:
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hello:1"
    project.settings(functions={"hello": {"PackageType": "Image", "Code": {"ImageUri": image}}})

    result = project.run("package", "build")

    assert "hello  is a container image" in result.err
    assert not (project.folder / ".tasks_aws").exists()


def test_exclude_leaves_out_paths_of_dependencies(project: Project, wheels: Path) -> None:
    files = {f"big/{name}": "" for name in ("__init__.py", "tests/a.py", "data/b.py")}
    make_wheel(wheels, "big", tag="py3-none-any", files=files)
    archive = function(project, requirements="big\n", exclude=["big/tests/", "data"])
    (project.folder / "src" / "data").mkdir()
    (project.folder / "src" / "data" / "own.txt").touch()

    project.run("package")

    found = [name for name in names(archive) if "dist-info" not in name]
    assert found == ["app.py", "big/__init__.py", "big/data/b.py", "requirements.txt"]


def test_a_step_is_shown_live_on_a_terminal_and_leaves_one_line(
    project: Project, wheels: Path, with_pip: str
) -> None:
    function(project, requirements="pure\n")

    terminal = project.terminal("package")
    terminal.expect("install   hello")  # while it is under way
    rest = project.finish(terminal)

    # Of each line what was written since it was cleared for the last time.
    shown = [re.split(r"\x1b\[2K|\r(?!\n)", line)[-1] for line in rest.split("\r\n")]
    lines = [re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", line) for line in shown if line]
    assert [line.split()[:2] for line in lines] == [["install", "hello"], ["zip", "hello"]], rest


def test_without_a_terminal_there_are_plain_lines(project: Project) -> None:
    function(project)

    result = project.run("package", environ={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})

    assert re.fullmatch(r"zip       hello  [^\x1b\r\n]*\n", result.err)


def test_a_link_in_place_of_the_output_folder_is_an_error(project: Project) -> None:
    function(project)
    (project.folder / ".tasks_aws").symlink_to("nowhere")

    message = project.run("package", code=1).err

    assert f"{project.folder}/.tasks_aws is a link." in message


def test_a_clean_that_is_cut_short_leaves_no_dependencies_that_look_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.folder / ".tasks_aws" / ".dependencies" / "digest"
    folder.mkdir(parents=True)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        clean([], project.folder, everything=True)

    assert not folder.exists()


def test_another_build_is_not_waited_for_without_end(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locking, "LONGEST_WAIT_SECONDS", 0.1)
    function(project)
    project.run("package")
    workspace = Workspace(project=project.folder, environ={}, run=no_command)
    source = (Source("src"),)
    hello = Function(name="hello", key="aws.functions.hello", source=source, parameters={})

    with (project.folder / ".tasks_aws" / ".locks" / "hello.zip.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PackageError, match="has been running for more than 10 min"):
            package(hello, workspace)

    assert capsys.readouterr().err == "waiting   for another build, before hello\n"


def test_packaging_leaves_the_garbage_collector_as_it_was(project: Project) -> None:
    (project.folder / "app.py").touch()
    workspace = Workspace(project=project.folder, environ={}, run=no_command)
    hello = Function(
        name="hello", key="aws.functions.hello", parameters={}, source=(Source("app.py"),)
    )
    frozen = gc.get_freeze_count()

    package(hello, workspace)

    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_what_is_left_out_of_sources_is_left_out_of_what_is_built(project: Project) -> None:
    archive = function(
        project,
        exclude=["*.map", "/tmp/"],
        include=["kept.pem"],
        build=[
            "mkdir -p tmp .git node_modules/tls bin && touch tmp/x .git/HEAD app.js app.js.map",
            "touch .env .env.local key.pem kept.pem node_modules/tls/ca.pem bin/tool bootstrap",
        ],
    )

    project.run("package")

    assert names(archive) == [
        *("app.js", "app.py", "bin/tool", "bootstrap", "kept.pem"),
        "node_modules/tls/ca.pem",
    ]
    assert not (archive.with_suffix("") / ".env").exists()


def test_what_packages_contain_is_kept_whoever_installed_them(
    project: Project, wheels: Path
) -> None:
    for name in ("ours", "theirs"):
        files = {f"{name}/{each}": "" for each in ("__init__.py", "cacert.pem", "venv/a.py")}
        make_wheel(wheels, name, tag="py3-none-any", files=files)
    pip = f"{sys.executable} -m pip install --quiet --no-compile --target . theirs"
    archive = function(
        project, requirements="ours\n", build=[pip], exclude=["theirs/__init__.py", "ours"]
    )

    project.run("package")

    found = [name for name in names(archive) if "/" in name and not name.endswith("/METADATA")]
    assert [name for name in found if "dist-info" not in name] == [
        *("ours/__init__.py", "ours/cacert.pem", "ours/venv/a.py"),
        *("theirs/cacert.pem", "theirs/venv/a.py"),
    ]
    assert not [name for name in found if name.endswith("RECORD")]
