//! A process that starts, and decides 200 times a second: `cold SETUP`. See ../../cold.ts.

use std::thread::sleep;
use std::time::{Duration, Instant};

use grate_limiter::{
    CapabilityConfig, CapabilityProvider, Dimension, EngineConfig, GrateLimiter, Observation, Outcome, ProviderConfig,
    QuotaConfig, StatusClass, Usage, Window,
};
use serde::Deserialize;
use serde_json::{json, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Setup {
    decisions: usize,
    every_ms: u64,
    providers: usize,
    body: Value,
}

pub fn run(setup: &str) {
    let Setup { decisions, every_ms, providers, mut body } = serde_json::from_str(setup).expect("a setup");
    let engine = engine(providers);
    let response = body.to_string();
    let mut nanoseconds = Vec::with_capacity(decisions);
    let mut check = 0.0;
    for i in 0..decisions {
        sleep(Duration::from_millis(every_ms));
        body["i"] = json!(i);
        check += body.to_string().len() as f64;

        let selecting = Instant::now();
        let decision = engine.select("c").unwrap();
        for other in &decision.alternatives {
            check += other.score as f64 + other.provider.len() as f64;
        }
        let select_ns = selecting.elapsed().as_nanos();

        let parsed: Value = serde_json::from_str(&response).unwrap();
        let tokens = parsed["usage"]["tokens"].as_u64();

        let observing = Instant::now();
        let usage = Usage { requests: 1, tokens, ..Default::default() };
        let outcome = Outcome { status: StatusClass::Success, latency_ms: 50 };
        let capability = Some("c".to_owned());
        engine.observe(Observation { provider: decision.provider, capability, usage, outcome }).unwrap();
        nanoseconds.push(select_ns + observing.elapsed().as_nanos());
    }
    println!(
        "{}",
        json!({ "nanoseconds": nanoseconds.iter().map(|&ns| ns as u64).collect::<Vec<_>>(), "check": check })
    );
}

fn engine(providers: usize) -> GrateLimiter {
    let engine = GrateLimiter::new(EngineConfig::default());
    let names: Vec<String> = (0..providers).map(|i| format!("p{i}")).collect();
    for name in &names {
        engine.upsert_provider(ProviderConfig {
            name: name.clone(),
            quotas: vec![
                QuotaConfig { dimension: Dimension::Requests, limit: 1_000_000, window: Some(Window::Minute) },
                QuotaConfig { dimension: Dimension::Tokens, limit: 1_000_000_000, window: Some(Window::Minute) },
            ],
            priority: 10,
            weight: 1.0,
            cooldown_seconds: 60,
        });
    }
    let providers = names.into_iter().map(|provider| CapabilityProvider { provider, priority: 10 }).collect();
    engine.upsert_capability(CapabilityConfig { name: "c".into(), providers });
    engine
}
