#!/usr/bin/env python3
"""Where the published Python package is not what its README says, and no scenario can show it: names and constructors.

One JSON line per claim, as run.py prints per fixture: "pass" if the package differs from its README as it is said here
(and in docs/ports.md), "fail" if it does not. Exit 1 if one fails.
"""

import json
import sys

import environment

environment.enter()

from grate_limiter import CapabilityConfig, CapabilityProvider, EngineConfig, GrateLimiter, HealthConfig, ProviderConfig  # noqa: E402

HEALTH_OPTIONS = {"ewma_alpha": 0.3, "cooldown_threshold": 0.2, "min_health_for_selection": 0.1, "max_cooldown_secs": 300}


def import_quota_config():
    from grate_limiter import QuotaConfig  # noqa: F401


def decision(**options):
    engine = GrateLimiter(EngineConfig(**options))
    engine.upsert_provider(ProviderConfig(name="a"))
    engine.upsert_capability(CapabilityConfig(name="c", providers=[CapabilityProvider("a", 1)]))
    return engine.select("c")


# What the README says, a call that needs it, and the error that the call raises.
CLAIMS = [
    ("grate_limiter exports QuotaConfig", import_quota_config, ImportError),
    *(
        (f"HealthConfig has {option}", lambda option=option, value=value: HealthConfig(**{option: value}), TypeError)
        for option, value in HEALTH_OPTIONS.items()
    ),
    ("EngineConfig may have scoring=None", lambda: decision(scoring=None), AttributeError),
    ("GrateLimiter has remaining_quota", lambda: GrateLimiter().remaining_quota, AttributeError),
    ("Decision has breakdown", lambda: decision().breakdown, AttributeError),
]


def check(call, error):
    try:
        call()
    except error:
        return "pass"
    except Exception as other:
        print(f"{type(other).__name__}: {other}", file=sys.stderr)
    return "fail"


if __name__ == "__main__":
    results = [{"claim": claim, "result": check(call, error)} for claim, call, error in CLAIMS]
    for result in results:
        print(json.dumps({"language": "python", "engine": environment.installed_version(), **result}))
    sys.exit(any(result["result"] == "fail" for result in results))
