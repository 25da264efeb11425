"""A program that does not use invoke: it finds credentials where every AWS program does."""

import boto3

print(boto3.client("sts").get_caller_identity()["Arn"])
