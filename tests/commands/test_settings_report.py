"""`settings`: the values in force and their origins, and all mistakes at once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.strict_sts import Key, StrictSts
from tests.support import Project

ROLE = "arn:aws:iam::123456789012:role/Deployer"
HELLO = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}
AWS: dict[str, Any] = {
    "profile": "nowhere",
    "role_arn": ROLE,
    "external_id": "shared-secret",
    "bucket": "artifacts-${account_id}",
    "function_defaults": {"Timeout": 3},
    "functions": {
        "hello": {
            **HELLO,
            "Environment": {"Variables": {"STAGE": "hidden-1", "TOKEN": "${secret:token}"}},
            "Description": "deployed with ${env:DEPLOY_TOKEN}",
        }
    },
    "layers": {"lib": {"source": "lib", "CompatibleRuntimes": ["python3.13"]}},
    "targets": {
        "prod": {"region": "eu-west-1", "functions": {"hello": {"MemorySize": 512}}},
        "dev": {},
    },
}
ENVIRON = {"DEPLOY_TOKEN": "hunter2hunter2"}


@pytest.fixture(autouse=True)
def _sources(project: Project) -> None:
    for name in ("src", "lib"):
        (project.folder / name).mkdir()
        (project.folder / name / "app.py").write_text("def handler(event, context): ...")


def rows(out: str) -> dict[str, tuple[str, Any]]:
    """Return origin and value by setting, as JSON has them."""
    return {each["setting"]: (each["origin"], each["value"]) for each in json.loads(out)}


def test_each_value_in_force_is_printed_with_its_origin(project: Project) -> None:
    project.settings(**AWS)
    environ = {**ENVIRON, "INVOKE_AWS_DURATION_SECONDS": "2h", "INVOKE_AWS_BUCKET": "ignored"}

    result = project.run("settings", "--target", "prod", environ=environ)

    found = {tuple(line.split()) for line in result.out.splitlines()}
    assert ("profile", "invoke.yaml", "nowhere") in found
    assert ("region", "target", "prod,", "invoke.yaml", "eu-west-1") in found
    assert ("duration_seconds", "INVOKE_AWS_DURATION_SECONDS", "7200") in found
    assert ("cache", "default", "cli") in found
    assert ("account_id", "default", "any", "account") in found
    assert ("Timeout", "function_defaults,", "invoke.yaml", "3") in found
    assert ("MemorySize", "target", "prod,", "invoke.yaml", "512") in found
    assert ("functions.hello", "from", "value") in found
    assert ("layers.lib", "from", "value") in found
    assert result.err == ""


def test_secrets_are_masked(project: Project) -> None:
    stored = {"secret:token": "hunter2-1", "secret:db:password": "hunter2-2", "ssm:/vpc": "vpc-1"}
    project.settings(**AWS, local={"values": stored})

    for words in ([], ["--json"]):
        out = project.run("settings", *words, environ=ENVIRON).out
        assert "vpc-1" in out
        assert "shared-secret" not in out
        assert "hidden-1" not in out
        assert "hunter2" not in out
        assert "deployed with ***" in out


def test_json_is_alone_on_stdout_and_names_the_key(project: Project) -> None:
    project.settings(**AWS)
    (project.folder / "ci.yaml").write_text("aws: {region: us-east-1}")

    out = project.run("-f", "ci.yaml", "settings", "--json", environ=ENVIRON).out

    assert rows(out)["region"] == ("file", "us-east-1")
    assert rows(out)["bucket"] == ("file", "artifacts-${account_id}")
    assert rows(out)["functions.hello.Environment.Variables.STAGE"] == ("file", "***")
    assert rows(out)["source_identity"] == ("default", None)
    region = next(each for each in json.loads(out) if each["setting"] == "region")
    assert (region["name"], region["key"], region["target"]) == ("ci.yaml", "aws.region", None)


def test_after_an_assume_its_options_are_in_force(
    project: Project, sts: StrictSts, user: Key
) -> None:
    sts.role("Deployer")
    project.settings(profile="dev", role_arn=ROLE, region="eu-central-1")

    out = project.run("assume", "--duration", "30m", "settings", "--json").out

    assert rows(out)["duration_seconds"] == ("option", 1800)
    assert rows(out)["role_arn"] == ("file", ROLE)


def test_what_is_not_set_comes_from_the_variables_of_aws_and_the_profile(project: Project) -> None:
    project.profile("dev", region="eu-north-1", mfa_serial="arn:aws:iam::111111111111:mfa/alice")
    environ = {"AWS_PROFILE": "dev"}

    found = rows(project.run("settings", "--json", environ=environ).out)

    assert found["profile"] == ("variable", "dev")
    assert found["region"] == ("profile", "eu-north-1")
    assert found["mfa_serial"] == ("profile", "arn:aws:iam::111111111111:mfa/alice")
    environ["AWS_DEFAULT_REGION"] = "eu-west-3"
    found = rows(project.run("settings", "--json", environ=environ).out)
    assert found["region"] == ("variable", "eu-west-3")


def test_the_check_finds_all_mistakes_of_all_functions_and_targets(project: Project) -> None:
    project.settings(
        regoin="x",
        region="${env:GONE}",
        key_prefix="${target}",
        function_defaults={"Timeout": "soon"},
        functions={
            "a": {**HELLO, "MemorySize": 1, "Handler": "${env:GONE}"},
            "b": {**HELLO, "sorce": "x", "Tags": "x", "Architectures": 5, "layers": ["lib"]},
        },
        layers={"lib": {"source": "lib", "CompatibleRuntimes": ["nodejs22.x"]}},
        targets={
            "prod": {"functions": {"a": {"MemorySize": 2}, "c": {}}, "acount_id": "1"},
            "dev": {"region": "eu-west-1", "layers": {"lib": {"Content": {}}}},
        },
    )

    result = project.run("settings", "--check", code=1)

    said = [line[2:] for line in result.err.splitlines() if line.startswith("- ")]
    assert sorted(line.split("` ")[0].removeprefix("Unknown setting ") for line in said) == [
        "`aws.function_defaults.Timeout",
        "`aws.functions.a.Handler",
        "`aws.functions.a.MemorySize",
        "`aws.functions.b.Architectures",
        "`aws.functions.b.Tags",
        "`aws.functions.b.sorce`.",
        "`aws.region",
        "`aws.regoin`.",
        "`aws.targets.dev.layers.lib.Content",
        "`aws.targets.prod.acount_id`.",
        "`aws.targets.prod.functions.a.MemorySize",
        "`aws.targets.prod.functions.c",
    ]
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["deploy"], False),
        (["package", "--function", "a"], True),
        (["assume", "status"], True),
    ],
)
def test_a_mistake_is_reported_together_with_all_others(
    project: Project, sts: StrictSts, words: list[str], ours: bool
) -> None:
    mistakes = {
        "`aws.functions.b.Environment.STAGE": "Put it under `Variables`.",
        "`aws.functions.b.Timeout": "must be between 1 and 900",
        "`aws.targets.prod.functions.a.Role": "such as arn:aws:iam::123456789012:role/hello",
    }
    wrong: dict[str, Any] = {"Environment": {"STAGE": "prod"}, "Timeout": 901}
    settings: dict[str, Any] = {
        "targets": {"prod": {"functions": {"a": {"Role": "hello"}}}},
        "functions": {"a": {**HELLO, "Timeout": 0}, "b": {**HELLO, **wrong}},
    }
    if ours:  # what is found first, without the model of the Lambda API
        mistakes |= {
            "`aws.functions.b.runtime": "Did you mean `Runtime`?",
            "`aws.targets.prod.functions.c": "overrides a function that does not exist",
        }
        settings["functions"]["b"]["runtime"] = settings["functions"]["b"].pop("Runtime")
        settings["targets"]["prod"]["functions"]["c"] = {}
    project.settings(**settings)

    err = project.run(*words, code=1).err

    assert f"The settings have {len(mistakes) + 1} mistakes:" in err
    for key, text in mistakes.items():
        assert re.search(f"{re.escape(key)}`.*(\n  .*)*{re.escape(text)}", err)
    assert "Traceback" not in err


def test_the_check_finds_sources_and_handlers_that_are_not_there(project: Project) -> None:
    (project.folder / "node").mkdir()
    (project.folder / "node" / "app.js").write_text("exports.handler = async () => {};")
    other = {"Handler": "mangum.handler", "build": "make"}  # which may make it
    node = {**HELLO, "source": "node", "Runtime": "nodejs22.x"}
    project.settings(
        functions={
            "gone": {**HELLO, "source": "gone"},
            "zipped": {**HELLO, "source": None, "archive": "gone.zip"},
            "file": {**HELLO, "Handler": "ap.handler"},
            "name": {**HELLO, "Handler": "app.handlr"},
            "node": {**node, "Handler": "app.handlr"},
            "right": node,
            "other": {**HELLO, **other},
        },
        layers={"lib": {"source": "gone", "CompatibleRuntimes": ["python3.13"]}},
        targets={"prod": {"functions": {"other": {"source": "gone-too"}}}},
    )

    err = project.run("settings", "--check", code=1).err

    assert {*re.findall(r"^- (.*)", err, re.MULTILINE)} == {
        "`aws.functions.gone.source` names gone, which does not exist.",
        "`aws.functions.zipped.archive` names gone.zip, which does not exist.",
        "`aws.functions.file.Handler` is ap.handler, but the archive does not contain ap.py.",
        "`aws.functions.name.Handler` is app.handlr, but app.py does not define handlr.",
        "`aws.functions.node.Handler` is app.handlr, but app.js does not export handlr.",
        "`aws.layers.lib.source` names gone, which does not exist.",
        "`aws.targets.prod.functions.other.source` names gone-too, which does not exist.",
    }
    assert err.count("Did you mean `app.handler`?") == 3


def test_the_check_finds_files_that_are_left_out_and_manifests_that_are_not_there(
    project: Project,
) -> None:
    for name in ("piped", "node"):
        (project.folder / name).mkdir()
    (project.folder / "piped" / "app.py").write_text("def handler(event, context): ...")
    (project.folder / "piped" / "Pipfile").touch()
    (project.folder / "node" / "app.js").write_text("exports.handler = async () => {};")
    (project.folder / "node" / "package.json").write_text('{"dependencies": {"ms": "2"}}')
    (project.folder / "prod.txt").write_text("humanize==4.0")
    (project.folder / "src" / "other.py").touch()
    node = {**HELLO, "source": "node", "Runtime": "nodejs22.x"}
    project.settings(
        functions={
            "gone": {**HELLO, "requirements": "gone.txt"},
            "excluded": {**HELLO, "exclude": "app.py", "requirements": "prod.txt"},
            "single": {**HELLO, "source": "src/app.py", "Handler": "app.handlr"},
            "inside": {**HELLO, "source": {"src": "lib"}},
            "piped": {**HELLO, "source": "piped"},
            "node": node,
            "none": {**node, "requirements": "none"},
        },
        layers={"lib": {"source": "lib", "exclude": "*", "CompatibleRuntimes": ["python3.13"]}},
    )

    err = project.run("settings", "--check", code=1).err

    project_folder = re.escape(f"{project.folder}/")
    assert {*re.findall(r"^- (.*)", re.sub(project_folder, "", err), re.MULTILINE)} == {
        "`aws.functions.gone.requirements` names gone.txt, which does not exist.",
        "`aws.functions.excluded.Handler` is app.handler, but the archive does not contain app.py.",
        "`aws.functions.single.Handler` is app.handlr, but app.py does not define handlr.",
        "`aws.functions.inside.Handler` is app.handler, but the archive does not contain app.py.",
        "piped/Pipfile cannot be installed.",
        "node/package.json has dependencies, but there is no lock for them.",
        "`aws.layers.lib.source` (lib) contains no files to package.",
    }
    assert "app.py is left out, by default or by a pattern." in err


def test_a_handler_may_come_from_what_is_installed(project: Project) -> None:
    (project.folder / "src" / "requirements.txt").write_text("mangum==1.0")
    project.settings(functions={"hello": {**HELLO, "Handler": "mangum.handler"}})

    project.run("settings", "--check")


def test_the_check_passes_without_a_profile_and_counts_what_it_has_seen(project: Project) -> None:
    project.settings(**AWS)

    result = project.run("settings", "--check", environ=ENVIRON)

    assert "no mistakes in 1 function and 2 targets" in result.err


def test_a_layer_that_does_not_fit_one_target_is_found(project: Project) -> None:
    changed = {**AWS["targets"], "dev": {"functions": {"hello": {"Runtime": "python3.9"}}}}
    functions = {"hello": {**AWS["functions"]["hello"], "layers": ["lib"]}}
    project.settings(**{**AWS, "functions": functions, "targets": changed})

    result = project.run("settings", "--check", environ=ENVIRON, code=1)

    assert "does not include python3.9, which `aws.functions.hello` uses" in result.err


def test_a_source_that_is_missing_is_found_beside_other_mistakes(project: Project) -> None:
    project.settings(functions={"hello": {**HELLO, "source": "srcc", "MemorySize": 64}})

    refused = project.run("settings", "--check", code=1).err

    assert "The settings have 2 mistakes" in refused
    assert "`aws.functions.hello.MemorySize` must be" in refused
    assert "srcc" in refused


@pytest.mark.parametrize("key", ["groups", "extras"])
@pytest.mark.parametrize("file", ["pyproject.toml", "requirements.txt"])
def test_a_group_or_an_extra_that_is_missing_is_a_mistake(
    project: Project, file: str, key: str
) -> None:
    source = project.folder / "src"
    source.mkdir(exist_ok=True)
    (source / "app.py").write_text("def handler(event, context): pass\n")
    (source / file).write_text('[project]\nname = "a"\n' if file == "pyproject.toml" else "")
    project.settings(functions={"hello": {**HELLO, key: "nope"}})

    refused = project.run("settings", "--check", code=1).err

    assert file in refused
    assert key.removesuffix("s") in refused


@pytest.mark.parametrize("words", [["settings", "--check"], ["package"], ["plan"]])
def test_a_role_of_another_account_than_the_function_is_a_mistake(
    project: Project, words: list[str]
) -> None:
    (project.folder / "src").mkdir(exist_ok=True)
    (project.folder / "src" / "app.py").write_text("def handler(event, context): pass\n")
    own, another = (f"arn:aws:iam::{each * 12}:role/hello" for each in "12")
    project.settings(account_id="1" * 12, functions={"hello": {**HELLO, "Role": own}})
    project.run("settings", "--check")
    project.settings(account_id="1" * 12, functions={"hello": {**HELLO, "Role": another}})

    refused = project.run(*words, code=1).err

    assert "`aws.functions.hello.Role` is in account 222222222222" in refused
    assert "the function in 111111111111" in refused
    assert "Lambda API reference" not in refused


@pytest.mark.parametrize(
    "words", [["settings", "--check"], ["package"], ["plan"], ["destroy", "--yes"]], ids=" ".join
)
@pytest.mark.parametrize("form", ["arn:aws:lambda:eu-west-1:{}:function:hello", "{}:hello"])
def test_a_function_of_another_account_than_the_one_that_is_allowed_is_a_mistake(
    project: Project, words: list[str], form: str
) -> None:
    function = {**HELLO, "Role": "arn:aws:iam::${account_id}:role/hello"}
    function["FunctionName"] = form.format("2" * 12)
    project.settings(account_id="1" * 12, region="eu-west-1", functions={"hello": function})

    refused = project.run(*words, code=1).err

    assert "`aws.functions.hello.FunctionName` is in account 222222222222" in refused
    assert "`aws.account_id` allows only 111111111111" in refused


@pytest.mark.parametrize("words", [["settings", "--check"], ["policy"], ["package"]])
def test_a_role_in_another_account_than_the_one_that_is_allowed_is_a_mistake(
    project: Project, words: list[str]
) -> None:
    project.settings(
        role_arn=ROLE,
        account_id="9" * 12,
        functions={"hello": HELLO},
        targets={"right": {"account_id": "123456789012"}, "wrong": {"account_id": "8" * 12}},
    )

    refused = project.run(*words, code=1).err

    assert f"{ROLE} is in account 123456789012, but `aws.account_id` allows only 9999" in refused
    assert "but `aws.targets.wrong.account_id` allows only 8888" in refused
    assert "targets.right" not in refused


def test_two_functions_with_one_name_on_aws_are_a_mistake(project: Project) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
    project.settings(
        functions={
            "hello": HELLO,
            "twin": {**HELLO, "FunctionName": arn},
            "third": HELLO,
            "fourth": {**HELLO, "FunctionName": "of-${account_id}"},
        },
        targets={
            "dev": {"functions": {"hello": {"FunctionName": "dev-hello"}}},
            "prod": {"functions": {"third": {"FunctionName": "of-${account_id}"}}},
        },
    )

    err = project.run("settings", "--check", code=1).err

    assert "The settings have 2 mistakes" in err
    assert "`aws.functions.hello` and `aws.functions.twin` are the same function on AWS" in err
    assert "`aws.functions.fourth` and `aws.functions.third` are the same function on AWS" in err


def test_a_region_that_is_not_known_is_named_for_each_target(project: Project) -> None:
    places = {"new": {"region": "eu-central-9"}, "wrong": {"region": "eu-centrl-1"}, "same": {}}
    project.settings(region="eu-central-8", targets=places)

    err = project.run("settings", "--check", code=1).err

    assert re.findall(r"^warning +(.*) names the region (\S+),", err, re.MULTILINE) == [
        ("`aws.region`", "eu-central-8"),
        ("`aws.targets.new.region`", "eu-central-9"),
    ]
    assert "There is no AWS region `eu-centrl-1`.\n  why: `aws.targets.wrong.region`" in err


@pytest.mark.parametrize("words", [["--target", "prod"], ["--json"]])
def test_what_the_check_does_not_heed_is_refused(project: Project, words: list[str]) -> None:
    project.settings(targets={"prod": {}})

    result = project.run("settings", "--check", *words, code=1)

    assert f"`--check` and `{words[0]}` cannot be combined" in result.err


def test_a_deploy_names_the_mistakes_of_all_functions_and_of_all_layers(project: Project) -> None:
    project.settings(
        functions={name: {**HELLO, "MemorySize": 1, "layers": ["x", "y"]} for name in "ab"},
        layers={name: {"source": "lib", "Content": {}} for name in "xy"},
    )

    message = project.run("package", code=1).err
    assert "`aws.functions.a.MemorySize`" in message
    assert "`aws.functions.b.MemorySize`" in message

    (project.folder / "invoke.yaml").write_text(
        (project.folder / "invoke.yaml").read_text().replace("MemorySize: 1", "MemorySize: 128")
    )
    message = project.run("package", code=1).err
    assert "`aws.layers.x.Content`" in message
    assert "`aws.layers.y.Content`" in message
