#!/usr/bin/env python3
"""Plays scenarios of the shared fixture format against the published Python package.

    run.py [FILE...]   checks fixture files (default: all of ../fixtures) and prints one JSON line per fixture:
                       {"fixture", "language", "engine", "result", "reason"?, "failures"}; exit 1 if one fails
    run.py --trace     reads one scenario per line from stdin and writes one line for it:
                       {"name", "answers"}; answers[i] is the full answer to steps[i]

The engine is the unmodified package of requirements.txt. If this interpreter does not have it,
the script creates a virtual environment in .venv beside itself and continues there.

Answers: select {"provider", "score", "breakdown": [quota, health, priority, latency], "alternatives": [[name, score], ...]};
observe {}; both {"error": code} if refused; check_health, check_remaining, check_in_cooldown the raw value or null;
check_metrics the four counters; probe a list of {"provider", "health", "in_cooldown", "remaining": {dimension: n or null}}
in order of registration; any other step null. Numbers that JSON cannot hold are null.
"""

import json
import math
import sys
from pathlib import Path

import environment

HERE = Path(__file__).resolve().parent
EXACT = 1e-9  # tolerance of our exact expectations
RANGE = 1e-3  # tolerance of the shared format's ranges


environment.enter()

from grate_limiter import (  # noqa: E402
    CapabilityConfig,
    CapabilityProvider,
    Dimension,
    EngineConfig,
    GrateLimiter,
    MockClock,
    NoAvailableProviders,
    Observation,
    Outcome,
    ProviderConfig,
    StatusClass,
    UnknownCapability,
    UnknownProvider,
    Usage,
    Window,
)
from grate_limiter.config import HealthConfig, ScoringWeights  # noqa: E402
from grate_limiter.models import QuotaConfig  # noqa: E402

ENGINE = environment.installed_version()
ERROR_CODES = {
    UnknownCapability: "unknown_capability",
    UnknownProvider: "unknown_provider",
    NoAvailableProviders: "no_available_providers",
}
METRICS = ("selects", "observations", "cooldowns_triggered", "no_provider_available")


class NotApplicable(Exception):
    """The scenario asks for something that this engine does not have."""


def word(kind, value):
    """The enum member for a word of the format."""
    try:
        return kind(value)
    except ValueError:
        raise NotApplicable(f"the Python package has no {kind.__name__} {value!r}") from None


def known(kind, options):
    """Creates a configuration of the engine from the options that its class has. Ignores unknown keys."""
    return kind(**{key: value for key, value in options.items() if key in kind.__dataclass_fields__})


def number(value):
    return value if value is None or math.isfinite(value) else None


class Scenario:
    """Plays steps on one engine with one mock clock."""

    def __init__(self, scenario):
        config = scenario.get("config", {})
        plain = {key: config[key] for key in ("minimum_health_score", "default_cooldown_seconds") if key in config}
        self.clock = MockClock()
        self.engine = GrateLimiter(
            EngineConfig(
                scoring=known(ScoringWeights, config.get("scoring", {})),
                health=known(HealthConfig, config.get("health", {})),
                clock=self.clock,
                **plain,
            )
        )
        self.registered = {}  # names in order of registration
        for provider in scenario.get("providers", []):
            self.upsert_provider(provider)
        for capability in scenario.get("capabilities", []):
            self.upsert_capability(capability)

    def play(self, step):
        if step["action"] not in ACTIONS:
            raise NotApplicable(f"unknown action {step['action']!r}")
        try:
            return getattr(self, step["action"])(step)
        except tuple(ERROR_CODES) as error:
            return {"error": ERROR_CODES[type(error)]}
        except ArithmeticError as error:
            return {"error": "internal", "detail": f"{type(error).__name__}: {error}"}

    def advance_time_ms(self, step):
        self.clock.advance_ms(step["ms"])

    def upsert_provider(self, step):
        quotas = []
        for quota in step.get("quotas", []):
            window = quota.get("window")
            quotas.append(
                QuotaConfig(
                    dimension=word(Dimension, quota["dimension"]),
                    limit=quota["limit"],
                    window=None if window is None else word(Window, window),
                )
            )
        options = {key: step[key] for key in ("priority", "weight", "cooldown_seconds") if key in step}
        self.engine.upsert_provider(ProviderConfig(name=step["name"], quotas=quotas, **options))
        self.registered[step["name"]] = None

    def upsert_capability(self, step):
        providers = [CapabilityProvider(entry["provider"], entry["priority"]) for entry in step["providers"]]
        self.engine.upsert_capability(CapabilityConfig(name=step["name"], providers=providers))

    def observe(self, step):
        self.engine.observe(
            Observation(
                provider=step["provider"],
                capability=step.get("capability"),
                usage=Usage(
                    requests=step.get("requests", 0),
                    tokens=step.get("tokens"),
                    bytes=step.get("bytes"),
                    cost_micro_usd=step.get("cost_micro_usd"),
                ),
                outcome=Outcome(status=word(StatusClass, step["status"]), latency_ms=step.get("latency_ms", 0)),
            )
        )
        return {}

    def select(self, step):
        decision = self.engine.select(step["capability"])
        parts = decision.reasoning
        breakdown = (parts.quota_score, parts.health_score, parts.priority_score, parts.latency_score)
        return {
            "provider": decision.provider,
            "score": number(decision.score),
            "breakdown": [number(part) for part in breakdown],
            "alternatives": [[other.provider, number(other.score)] for other in decision.alternatives],
        }

    def check_health(self, step):
        return number(self.engine.provider_health(step["provider"]))

    def check_in_cooldown(self, step):
        return self.engine.provider_in_cooldown(step["provider"])

    def check_remaining(self, step):
        return self.engine.provider_quota_remaining(step["provider"], word(Dimension, step["dimension"]))

    def check_metrics(self, _step):
        return {name: getattr(self.engine.metrics, name) for name in METRICS}

    def probe(self, _step):
        return [
            {
                "provider": name,
                "health": number(self.engine.provider_health(name)),
                "in_cooldown": self.engine.provider_in_cooldown(name),
                "remaining": {
                    dimension.value: self.engine.provider_quota_remaining(name, dimension) for dimension in Dimension
                },
            }
            for name in self.registered
        ]


ACTIONS = {name for name in vars(Scenario) if not name.startswith("_") and name != "play"}


def judge(step, answer):
    """Returns one line per expectation of the step that the answer does not meet."""
    wrong = []

    def same(what, expected, got, tolerance=0.0):
        numbers = isinstance(expected, (int, float)) and isinstance(got, (int, float))
        if not (abs(expected - got) <= tolerance if numbers else expected == got):
            wrong.append(f"{what}: expected {expected!r}, got {got!r}")

    def within(what, got, key):
        if key + "_min" in step and not (got is not None and got >= step[key + "_min"] - RANGE):
            wrong.append(f"{what}: expected at least {step[key + '_min']}, got {got}")
        if key + "_max" in step and not (got is not None and got <= step[key + "_max"] + RANGE):
            wrong.append(f"{what}: expected at most {step[key + '_max']}, got {got}")

    action = step["action"]
    if action in ("select", "observe"):
        same("error", step.get("expect_error"), answer.get("error"))
        if "error" in answer or action == "observe" or wrong:
            return wrong
        if "expect_provider" in step:
            same("provider", step["expect_provider"], answer["provider"])
        if "expect_score" in step:
            same("score", step["expect_score"], answer["score"], EXACT)
        within("score", answer["score"], "expect_score")
        alternatives = answer["alternatives"]
        if "expect_alternatives_count" in step:
            same("alternatives", step["expect_alternatives_count"], len(alternatives))
        if "expect_alternatives" in step:
            expected = step["expect_alternatives"]
            same("alternatives", [entry["provider"] for entry in expected], [name for name, _ in alternatives])
            for entry, (name, score) in zip(expected, alternatives):
                if "score" in entry:
                    same(f"score of alternative {name}", entry["score"], score, EXACT)
        parts = dict(zip(("quota", "health", "priority", "latency"), answer["breakdown"]))
        for part, expected in step.get("expect_breakdown", {}).items():
            same(f"breakdown {part}", expected, parts.get(part), EXACT)
    elif action == "check_metrics":
        for name, expected in step.get("expect", {}).items():
            same(name, expected, answer.get(name))
    elif action.startswith("check_"):
        if "expect" in step:
            same(action[len("check_"):], step["expect"], answer, EXACT if action == "check_health" else 0.0)
        within(action[len("check_"):], answer, "expect")
    return wrong


def check(scenario):
    """The result of one fixture: {"result", "reason"?, "failures"}."""
    if "classic" not in scenario.get("profile", ["classic"]):
        return {"result": "not_applicable", "reason": "not a scenario of the classic profile", "failures": []}
    failures = []
    try:
        player = Scenario(scenario)
        for index, step in enumerate(scenario.get("steps", [])):
            answer = player.play(step)
            failures += [f"step {index} ({step['action']}): {sentence}" for sentence in judge(step, answer)]
    except NotApplicable as missing:
        return {"result": "not_applicable", "reason": str(missing), "failures": []}
    difference = scenario.get("differs", {}).get("python")
    if difference is None:
        return {"result": "fail" if failures else "pass", "failures": failures}
    if failures:
        return {"result": "not_applicable", "reason": difference, "failures": failures}
    return {"result": "fail", "failures": ["said to differ here, but it does not: " + difference]}


def check_files(paths):
    failed = False
    for path in paths:
        try:
            result = check(json.loads(Path(path).read_text(encoding="utf-8")))
        except Exception as error:  # a file that is not a fixture
            result = {"result": "fail", "failures": [f"{type(error).__name__}: {error}"]}
        failed |= result["result"] == "fail"
        print(json.dumps({"fixture": Path(path).stem, "language": "python", "engine": ENGINE, **result}), flush=True)
    return 1 if failed else 0


def trace(lines, out):
    print(f"python engine: grate-limiter {ENGINE}", file=sys.stderr, flush=True)
    for line in lines:
        if not line.strip():
            continue
        scenario = json.loads(line)
        result = {"name": scenario.get("name")}
        try:
            player = Scenario(scenario)
            result["answers"] = [player.play(step) for step in scenario.get("steps", [])]
        except NotApplicable as missing:
            result["not_applicable"] = str(missing)
        out.write(json.dumps(result, separators=(",", ":"), allow_nan=False) + "\n")
        out.flush()  # the writer of the scenario might wait for this answer
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["--trace"]:
        sys.exit(trace(sys.stdin, sys.stdout))
    sys.exit(check_files(arguments or sorted((HERE.parent / "fixtures").glob("*.json"))))
