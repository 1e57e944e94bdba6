"""The published Python package as a side of the speed benchmark. The first line of stdin is the setup. Every later line is a
number of operations, and is answered by a line {"ns", "check"}. The work is described in ../work.ts."""

import json
import sys
from pathlib import Path
from time import process_time_ns

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "conformance" / "python"))
import environment  # noqa: E402

environment.enter()

from grate_limiter import (  # noqa: E402
    CapabilityConfig,
    CapabilityProvider,
    Dimension,
    EngineConfig,
    GrateLimiter,
    MockClock,
    Observation,
    Outcome,
    ProviderConfig,
    StatusClass,
    Usage,
    Window,
)
from grate_limiter.models import QuotaConfig  # noqa: E402

STATUSES = (StatusClass.SUCCESS, StatusClass.SERVER_ERROR, StatusClass.RATE_LIMITED)


class Side:
    def __init__(self, setup):
        tape = setup["tape"]
        self.steps, self.tokens, self.latencies = tape["steps"], tape["tokens"], tape["latencies"]
        self.statuses = [STATUSES[status] for status in tape["statuses"]]
        self.mask = len(self.steps) - 1
        self.next = 0
        self.capability = "c" if setup["capability"] else None
        self.clock = MockClock()
        self.engine = GrateLimiter(EngineConfig(clock=self.clock))
        self.names = [f"p{i}" for i in range(setup["providers"])]
        for name in self.names:
            quotas = [
                QuotaConfig(dimension=Dimension.REQUESTS, limit=setup["requests"], window=Window.MINUTE),
                QuotaConfig(dimension=Dimension.TOKENS, limit=setup["tokens"], window=Window.MINUTE),
            ]
            self.engine.upsert_provider(ProviderConfig(name=name, quotas=quotas, priority=10, cooldown_seconds=60))
        providers = [CapabilityProvider(name, 10) for name in self.names]
        self.engine.upsert_capability(CapabilityConfig(name="c", providers=providers))
        for name in self.names:
            usage = Usage(requests=int(setup["requests"] * setup["drained"]), tokens=int(setup["tokens"] * setup["drained"]))
            outcome = Outcome(status=STATUSES[0], latency_ms=50)
            self.engine.observe(Observation(provider=name, capability=self.capability, usage=usage, outcome=outcome))
        self.observe(setup["prefill"])

    def select(self, count):
        engine, clock, steps, mask = self.engine, self.clock, self.steps, self.mask
        check = 0.0
        for i in range(self.next, self.next + count):
            clock.advance_ms(steps[i & mask])
            decision = engine.select("c")
            check += decision.score
            for other in decision.alternatives:
                check += other.score + len(other.provider)
        self.next += count
        return check

    def observe(self, count):
        engine, clock, steps, mask, names = self.engine, self.clock, self.steps, self.mask, self.names
        tokens, latencies, statuses = self.tokens, self.latencies, self.statuses
        for i in range(self.next, self.next + count):
            provider = names[i % len(names)]
            at = i & mask
            clock.advance_ms(steps[at])
            usage = Usage(requests=1, tokens=tokens[at])
            outcome = Outcome(status=statuses[at], latency_ms=latencies[at])
            engine.observe(Observation(provider=provider, capability=self.capability, usage=usage, outcome=outcome))
        self.next += count
        return 0.0

    def both(self, count):
        engine, clock, steps, mask = self.engine, self.clock, self.steps, self.mask
        tokens, latencies, statuses = self.tokens, self.latencies, self.statuses
        check = 0.0
        for i in range(self.next, self.next + count):
            at = i & mask
            clock.advance_ms(steps[at])
            decision = engine.select("c")
            check += decision.score
            for other in decision.alternatives:
                check += other.score + len(other.provider)
            usage = Usage(requests=1, tokens=tokens[at])
            outcome = Outcome(status=statuses[at], latency_ms=latencies[at])
            engine.observe(Observation(
                provider=decision.provider, capability=self.capability, usage=usage, outcome=outcome
            ))
        self.next += count
        return check


def answer(ns, check):
    print(json.dumps({"ns": ns, "check": check}), flush=True)


def main():
    setup = json.loads(sys.stdin.readline())
    side = Side(setup)
    work = {"select": side.select, "observe": side.observe, "both": side.both}[setup["work"]]
    answer(0, 0)
    for line in sys.stdin:
        start = process_time_ns()
        check = work(int(line))
        answer(process_time_ns() - start, check)


main()
