#!/usr/bin/env python3
"""Checks claims in the README of the published Python package that do not hold and that no scenario can show: names and
constructors.

Prints one JSON line per claim, as run.py does per fixture: "pass" if the claim does not hold, as docs/ports.md states; "fail"
if it holds. Exit 1 if one fails.
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


# Claim of the README, a call that depends on it, and the error that the call raises.
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
