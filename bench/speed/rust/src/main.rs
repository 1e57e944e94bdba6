//! The published Rust crate as a side of the speed benchmark. The first line of stdin is the setup. Every later line is a number
//! of operations, and is answered by a line {"ns", "check"}. The work is described in ../work.ts.

mod cold;

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use grate_limiter::{
    CapabilityConfig, CapabilityProvider, Dimension, EngineConfig, GrateLimiter, MockClock, Observation, Outcome,
    ProviderConfig, QuotaConfig, StatusClass, Usage, Window,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Setup {
    work: String,
    providers: usize,
    /// Every observation names the capability "c".
    capability: bool,
    requests: u64,
    tokens: u64,
    /// Share of every limit that is used at the start.
    drained: f64,
    /// Number of observations before the timed operations.
    prefill: usize,
    tape: Tape,
}

/// The inputs of operation i are at index i modulo the length, which is a power of two.
#[derive(Deserialize)]
struct Tape {
    steps: Vec<u64>,
    tokens: Vec<u64>,
    latencies: Vec<u64>,
    statuses: Vec<u8>,
}

struct Side {
    engine: GrateLimiter,
    clock: Arc<MockClock>,
    names: Vec<String>,
    capability: bool,
    tape: Tape,
    statuses: [StatusClass; 3],
    next: usize,
    check: f64,
}

impl Side {
    fn new(setup: Setup) -> Self {
        let clock = Arc::new(MockClock::new());
        let engine = GrateLimiter::new(EngineConfig::default().with_clock(clock.clone()));
        let names: Vec<String> = (0..setup.providers).map(|i| format!("p{i}")).collect();
        for name in &names {
            engine.upsert_provider(ProviderConfig {
                name: name.clone(),
                quotas: vec![
                    QuotaConfig { dimension: Dimension::Requests, limit: setup.requests, window: Some(Window::Minute) },
                    QuotaConfig { dimension: Dimension::Tokens, limit: setup.tokens, window: Some(Window::Minute) },
                ],
                priority: 10,
                weight: 1.0,
                cooldown_seconds: 60,
            });
        }
        let providers = names.iter().map(|name| CapabilityProvider { provider: name.clone(), priority: 10 }).collect();
        engine.upsert_capability(CapabilityConfig { name: "c".into(), providers });
        let statuses = [StatusClass::Success, StatusClass::ServerError, StatusClass::RateLimited];
        let mut side = Self {
            engine,
            clock,
            names,
            capability: setup.capability,
            tape: setup.tape,
            statuses,
            next: 0,
            check: 0.0,
        };
        let part = |limit: u64| (limit as f64 * setup.drained).floor() as u64;
        for name in side.names.clone() {
            side.tell(name, part(setup.requests), part(setup.tokens), StatusClass::Success, 50);
        }
        side.observe(setup.prefill);
        side
    }

    fn tell(&self, provider: String, requests: u64, tokens: u64, status: StatusClass, latency_ms: u64) {
        let usage = Usage { requests, tokens: Some(tokens), ..Default::default() };
        let outcome = Outcome { status, latency_ms };
        let capability = self.capability.then(|| "c".to_owned());
        self.engine.observe(Observation { provider, capability, usage, outcome }).unwrap();
    }

    /// The clock advances to the next operation. Returns the index of the operation on the tape.
    fn step(&mut self) -> usize {
        let at = self.next & (self.tape.steps.len() - 1);
        self.next += 1;
        self.clock.advance_ms(self.tape.steps[at]);
        at
    }

    fn select(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
            let decision = self.engine.select("c").unwrap();
            self.check += decision.score as f64;
            for other in &decision.alternatives {
                self.check += other.score as f64 + other.provider.len() as f64;
            }
        }
    }

    fn observe(&mut self, count: usize) {
        for _ in 0..count {
            let provider = self.names[self.next % self.names.len()].clone();
            let at = self.step();
            let status = self.statuses[self.tape.statuses[at] as usize].clone();
            self.tell(provider, 1, self.tape.tokens[at], status, self.tape.latencies[at]);
        }
    }

    fn both(&mut self, count: usize) {
        for _ in 0..count {
            let at = self.step();
            let decision = self.engine.select("c").unwrap();
            self.check += decision.score as f64;
            for other in &decision.alternatives {
                self.check += other.score as f64 + other.provider.len() as f64;
            }
            let status = self.statuses[self.tape.statuses[at] as usize].clone();
            self.tell(decision.provider, 1, self.tape.tokens[at], status, self.tape.latencies[at]);
        }
    }
}

/// Processor time of all threads of this process.
fn processor_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, setup] = arguments.as_slice() {
        assert_eq!(mode, "cold");
        cold::run(setup);
        return Ok(());
    }
    let mut lines = io::stdin().lock().lines();
    let mut out = io::stdout().lock();
    let setup: Setup = serde_json::from_str(&lines.next().expect("a setup")?)?;
    let work = match setup.work.as_str() {
        "select" => Side::select,
        "observe" => Side::observe,
        "both" => Side::both,
        other => panic!("unknown work {other}"),
    };
    let mut side = Side::new(setup);
    writeln!(out, "{{\"ns\":0,\"check\":0}}")?;
    out.flush()?;
    for line in lines {
        let count: usize = line?.trim().parse().expect("a number of operations");
        side.check = 0.0;
        let start = processor_ns();
        work(&mut side, count);
        let ns = processor_ns() - start;
        writeln!(out, "{{\"ns\":{ns},\"check\":{}}}", side.check)?;
        out.flush()?;
    }
    Ok(())
}
