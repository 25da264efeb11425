"""What boto3 is, again and again."""

import sys
import time

import boto3


def main(seconds: float) -> None:
    client, end = boto3.client("sts"), time.monotonic() + seconds
    while time.monotonic() < end:
        print("boto3", client.get_caller_identity()["Arn"], flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    main(float(sys.argv[1]))
