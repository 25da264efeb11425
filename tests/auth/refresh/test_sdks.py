"""Work that outlives its sessions many times, with real clocks and with AWS's own SDKs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project

LIFETIME = 8  # seconds; renewed in the second half of it

PYTHON = """
import sys, time
import boto3
client, end = boto3.client("sts"), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    print("boto3", client.get_caller_identity()["Arn"], flush=True)
    time.sleep(0.5)
"""

SHELL = """
end=$(($(date +%s) + $1))
while [ $(date +%s) -lt $end ]; do
  arn=$(aws sts get-caller-identity --query Arn --output text) || exit 1
  echo "aws $arn"
  sleep 1
done
"""

NODE = """
const end = Date.now() + 1000 * Number(process.argv[2]);
const pause = () => new Promise(done => setTimeout(done, 500));
async function work(name, ask) {
  while (Date.now() < end) { console.log(name, (await ask()).Arn); await pause(); }
}
const fail = error => { console.error(error); process.exit(1); };
"""

NODE_3 = f"""{NODE}
const {{STSClient, GetCallerIdentityCommand}} = require("@aws-sdk/client-sts");
const client = new STSClient({{}});
work("javascript-3", () => client.send(new GetCallerIdentityCommand({{}}))).catch(fail);
"""

NODE_2 = f"""{NODE}
const STS = require("aws-sdk/clients/sts");
const client = new STS({{endpoint: process.env.AWS_ENDPOINT_URL}});
work("javascript-2", () => client.getCallerIdentity().promise()).catch(fail);
"""

RUBY = """
require "aws-sdk-core"
client = Aws::STS::Client.new(endpoint: ENV["AWS_ENDPOINT_URL"])
finish = Time.now + ARGV[0].to_f
while Time.now < finish
  puts "ruby #{client.get_caller_identity.arn}"
  sleep 0.5
end
"""

# It knows no profile, and tells the key that it would sign with.
RUST = """
import sys, time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from obstore import sign
from obstore.store import S3Store
store, end = S3Store("bucket"), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    query = parse_qs(urlsplit(sign(store, "GET", "key", timedelta(seconds=9))).query)
    print("rust", query["X-Amz-Credential"][0].split("/")[0], flush=True)
    time.sleep(0.5)
"""

GO_1 = """
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	seconds, _ := time.ParseDuration(os.Args[1] + "s")
	made := session.Must(session.NewSession())
	client := sts.New(made, aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL")))
	for end := time.Now().Add(seconds); time.Now().Before(end); time.Sleep(time.Second / 2) {
		who, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
		if err != nil {
			panic(err)
		}
		fmt.Println("go-1", *who.Arn)
	}
}
"""

GO_2 = """
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	seconds, _ := time.ParseDuration(os.Args[1] + "s")
	made, err := config.LoadDefaultConfig(context.TODO())
	if err != nil {
		panic(err)
	}
	client := sts.NewFromConfig(made, sts.WithEndpointResolver(
		sts.EndpointResolverFromURL(os.Getenv("AWS_ENDPOINT_URL"))))
	for end := time.Now().Add(seconds); time.Now().Before(end); time.Sleep(time.Second / 2) {
		who, err := client.GetCallerIdentity(context.TODO(), &sts.GetCallerIdentityInput{})
		if err != nil {
			panic(err)
		}
		fmt.Println("go-2", *who.Arn)
	}
}
"""

# What to run for each SDK, its program, and what tells whether it is there.
SDKS = {
    "boto3": (sys.executable, "work.py", PYTHON, [sys.executable, "-c", "import boto3"]),
    "aws": ("sh", "work.sh", SHELL, ["aws", "--version"]),
    "javascript-3": ("node", "three.js", NODE_3, ["node", "-e", 'require("@aws-sdk/client-sts")']),
    "javascript-2": ("node", "two.js", NODE_2, ["node", "-e", 'require("aws-sdk/clients/sts")']),
    "ruby": ("ruby", "work.rb", RUBY, ["ruby", "-e", 'require "aws-sdk-core"']),
    "rust": (sys.executable, "rust.py", RUST, [sys.executable, "-c", "import obstore"]),
}
# Those that take long to build.
GO = {
    "go-1": ("go run", "one.go", GO_1, ["go", "list", "github.com/aws/aws-sdk-go/service/sts"]),
    "go-2": ("go run", "two.go", GO_2, ["go", "list", "github.com/aws/aws-sdk-go-v2/service/sts"]),
}
# Where Debian has packages of Go.
GO_PACKAGES = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off"}

TASKS = """
import os, time
from concurrent.futures import ThreadPoolExecutor
from invoke import task
from tasks_aws import *

@task
def work(c, seconds, programs):
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(c.run, f"{program} {seconds}", in_stream=False, hide="out")
            for program in programs.split(",")
        ]
        client, end = session(c).client("sts"), time.monotonic() + float(seconds)
        while time.monotonic() < end:
            print("session", client.get_caller_identity()["Arn"], flush=True)
            time.sleep(0.5)
        for run in runs:
            print(run.result().stdout)
"""


def is_there(probe: list[str]) -> bool:
    environ = {**os.environ, **GO_PACKAGES}
    return (
        bool(shutil.which(probe[0]))
        and not subprocess.run(probe, capture_output=True, env=environ).returncode
    )


@pytest.mark.parametrize(
    ("sdks", "seconds"),
    [(SDKS, 24), *(pytest.param(each, 120, marks=pytest.mark.long) for each in (SDKS, GO))],
)
def test_no_call_of_any_sdk_fails_for_expiry(
    project: Project,
    sts: StrictSts,
    role: Role,
    sdks: dict[str, tuple[str, str, str, list[str]]],
    seconds: int,
) -> None:
    present = [name for name, (*_, probe) in sdks.items() if is_there(probe)]
    for name in present:
        (project.folder / sdks[name][1]).write_text(sdks[name][2])
    programs = ",".join(" ".join(sdks[name][:2]) for name in present)
    project.tasks(TASKS)
    environ = {
        **GO_PACKAGES,
        "INVOKE_AWS_KEEP_FRESH": "true",
        "NODE_PATH": os.environ.get("NODE_PATH", ""),
    }
    sts.lifetime = LIFETIME

    result = project.run(
        "assume", "work", str(seconds), programs, environ=environ, timeout=seconds + 120
    )

    calls = [line.split() for line in result.out.splitlines() if line]
    arns = {sts.keys[signer].arn if signer in sts.keys else signer for _, signer in calls}
    assert {arn.split("/")[1] for arn in arns} == {"Deployer"}
    assert {name for name, _ in calls} == {"session", *present}
    # A session is used for at least half of its time, if for a second less: times are whole ones.
    assert seconds / LIFETIME < sts.count("AssumeRole") < (seconds + 5) / (LIFETIME / 2 - 1)
    if len(present) < len(sdks):
        pytest.skip(f"passed, but without {', '.join(sdks.keys() - present)}: not installed")
