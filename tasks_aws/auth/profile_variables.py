"""What a profile says besides credentials, as environment variables.

`assume` removes AWS_PROFILE, so children would not find the profile's CA bundle, endpoints and the
like. Every SDK reads these variables in their place.
"""

from __future__ import annotations

from collections.abc import Mapping

from .aws_config import AwsConfig, Section, service_endpoints

# botocore's `configprovider` and "Settings reference", AWS SDKs and Tools reference guide.
VARIABLES = {
    "account_id_endpoint_mode": "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "auth_scheme_preference": "AWS_AUTH_SCHEME_PREFERENCE",
    "ca_bundle": "AWS_CA_BUNDLE",
    "defaults_mode": "AWS_DEFAULTS_MODE",
    "disable_host_prefix_injection": "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "disable_request_compression": "AWS_DISABLE_REQUEST_COMPRESSION",
    "endpoint_discovery_enabled": "AWS_ENDPOINT_DISCOVERY_ENABLED",
    "ignore_configured_endpoint_urls": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "max_attempts": "AWS_MAX_ATTEMPTS",
    "request_checksum_calculation": "AWS_REQUEST_CHECKSUM_CALCULATION",
    "request_min_compression_size_bytes": "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "response_checksum_validation": "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "retry_mode": "AWS_RETRY_MODE",
    "s3_disable_express_session_auth": "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
    "sdk_ua_app_id": "AWS_SDK_UA_APP_ID",
    "sigv4a_signing_region_set": "AWS_SIGV4A_SIGNING_REGION_SET",
    "sts_regional_endpoints": "AWS_STS_REGIONAL_ENDPOINTS",
    "tcp_keepalive": "BOTOCORE_TCP_KEEPALIVE",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
}
_ENDPOINT = "AWS_ENDPOINT_URL"


def profile_variables(
    config: AwsConfig, profile: Section, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables for what a profile says and the user's environment does not."""
    said = {name: profile[key] for key, name in VARIABLES.items() if profile.get(key)}
    if _ENDPOINT not in environ:  # which takes precedence over every endpoint of a profile
        if profile.get("endpoint_url"):
            said[_ENDPOINT] = profile["endpoint_url"]
        for service, url in service_endpoints(config, profile).items():
            said[f"{_ENDPOINT}_{service.upper()}"] = url
    return {name: text for name, text in said.items() if name not in environ}
