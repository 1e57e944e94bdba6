//! Plays scenarios of the shared fixture format against the published Rust crate.
//!
//! ```text
//! grate-limiter-conformance [FILE...]   checks fixture files (default: all of ../fixtures) and prints one JSON line each:
//!                                       {"fixture", "language", "engine", "result", "reason"?, "failures"}; exit 1 if one fails
//! grate-limiter-conformance --trace     reads one scenario per line from stdin and writes one line for it:
//!                                       {"name", "answers"}; answers[i] is the full answer to steps[i]
//! ```
//!
//! Answers: select {"provider", "score", "breakdown": [quota, health, priority, latency], "alternatives": [[name, score], ...]};
//! observe {}; both {"error": code} if refused; check_health, check_remaining, check_in_cooldown the raw value or null;
//! check_metrics the four counters; probe a list of {"provider", "health", "in_cooldown", "remaining": {dimension: n or null}}
//! in order of registration; any other step null. Numbers that JSON cannot hold (the crate's NaN) are null.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use grate_limiter::{Dimension, EngineConfig, Error, GrateLimiter, MockClock};
use serde_json::{json, Map, Value};

/// Tolerance of exact expectations: the crate computes health and scores in 32 bits.
const EXACT: f64 = 1e-5;
/// Tolerance of the shared format's ranges.
const RANGE: f64 = 1e-3;
const DIMENSIONS: [&str; 5] = ["requests", "tokens", "concurrency", "cost_usd", "bytes"];
const PARTS: [&str; 4] = ["quota", "health", "priority", "latency"];

/// Reason why a scenario cannot be played: it uses a feature that this engine does not have.
type NotApplicable = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments == ["--trace"] {
        trace().expect("stdin and stdout");
        return ExitCode::SUCCESS;
    }
    let files: Vec<PathBuf> = match arguments.is_empty() {
        true => all_fixtures(),
        false => arguments.into_iter().map(PathBuf::from).collect(),
    };
    let mut failed = false;
    for file in files {
        let mut result = check_file(&file);
        failed |= result["result"] == "fail";
        result["fixture"] = json!(file.file_stem().map(|stem| stem.to_string_lossy()));
        result["language"] = json!("rust");
        result["engine"] = json!(engine_version());
        println!("{result}");
    }
    ExitCode::from(failed as u8)
}

fn all_fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let entries = fs::read_dir(folder).expect("the folder ../fixtures");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

/// Version of the crate, from the lock file of this program.
fn engine_version() -> &'static str {
    let package = include_str!("../Cargo.lock").split("name = \"grate-limiter\"\nversion = \"").nth(1);
    package.and_then(|rest| rest.split('"').next()).expect("grate-limiter in Cargo.lock")
}

fn trace() -> io::Result<()> {
    eprintln!("rust engine: grate-limiter {}", engine_version());
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let scenario: Value = serde_json::from_str(&line)?;
        let answers: Result<Vec<Value>, NotApplicable> = Player::new(&scenario)
            .and_then(|mut player| items(&scenario["steps"]).map(|step| player.play(step)).collect());
        let result = match answers {
            Ok(answers) => json!({ "name": scenario["name"], "answers": answers }),
            Err(reason) => json!({ "name": scenario["name"], "not_applicable": reason }),
        };
        writeln!(out, "{result}")?;
        out.flush()?; // the writer of the scenario might wait for this answer
    }
    Ok(())
}

/// Plays steps on one engine with one mock clock.
struct Player {
    engine: GrateLimiter,
    clock: Arc<MockClock>,
    /// Names in order of registration.
    registered: Vec<String>,
}

impl Player {
    fn new(scenario: &Value) -> Result<Self, NotApplicable> {
        let defaults = serde_json::to_value(EngineConfig::default()).expect("plain data");
        let config: EngineConfig = read(overlay(defaults, &scenario["config"]))?;
        let clock = Arc::new(MockClock::new());
        let engine = GrateLimiter::new(config.with_clock(clock.clone()));
        let mut player = Self { engine, clock, registered: Vec::new() };
        for provider in items(&scenario["providers"]) {
            player.upsert_provider(provider)?;
        }
        for capability in items(&scenario["capabilities"]) {
            player.engine.upsert_capability(read(capability.clone())?);
        }
        Ok(player)
    }

    fn play(&mut self, step: &Value) -> Result<Value, NotApplicable> {
        let provider = step["provider"].as_str().unwrap_or_default();
        Ok(match step["action"].as_str().unwrap_or_default() {
            "advance_time_ms" => {
                self.clock.advance_ms(read(step["ms"].clone())?);
                Value::Null
            }
            "upsert_provider" => {
                self.upsert_provider(step)?;
                Value::Null
            }
            "upsert_capability" => {
                self.engine.upsert_capability(read(step.clone())?);
                Value::Null
            }
            "observe" => match self.engine.observe(read(observation(step))?) {
                Ok(()) => json!({}),
                Err(error) => refusal(error),
            },
            "select" => self.select(step["capability"].as_str().unwrap_or_default()),
            "check_health" => json!(self.engine.provider_health(provider).map(f64::from)),
            "check_in_cooldown" => json!(self.engine.provider_in_cooldown(provider)),
            "check_remaining" => {
                let dimension: Dimension = read(step["dimension"].clone())?;
                json!(self.engine.provider_quota_remaining(provider, dimension))
            }
            "check_metrics" => {
                let metrics = self.engine.metrics();
                json!({
                    "selects": metrics.selects(),
                    "observations": metrics.observations(),
                    "cooldowns_triggered": metrics.cooldowns_triggered(),
                    "no_provider_available": metrics.no_provider_available(),
                })
            }
            "probe" => self.registered.iter().map(|name| self.probe(name)).collect(),
            other => return Err(format!("unknown action {other:?}")),
        })
    }

    fn upsert_provider(&mut self, provider: &Value) -> Result<(), NotApplicable> {
        let defaults = json!({ "quotas": [], "priority": 10, "weight": 1.0, "cooldown_seconds": 60 });
        self.engine.upsert_provider(read(overlay(defaults, provider))?);
        let name = provider["name"].as_str().unwrap_or_default();
        if !self.registered.iter().any(|known| known == name) {
            self.registered.push(name.to_string());
        }
        Ok(())
    }

    fn select(&self, capability: &str) -> Value {
        match self.engine.select(capability) {
            Ok(decision) => {
                let parts = &decision.reasoning;
                let alternatives = decision.alternatives.iter();
                json!({
                    "provider": decision.provider,
                    "score": decision.score as f64,
                    "breakdown": [
                        parts.quota_score as f64,
                        parts.health_score as f64,
                        parts.priority_score as f64,
                        parts.latency_score as f64,
                    ],
                    "alternatives": alternatives.map(|other| json!([other.provider, other.score as f64])).collect::<Value>(),
                })
            }
            Err(error) => refusal(error),
        }
    }

    fn probe(&self, provider: &str) -> Value {
        let remaining = DIMENSIONS.map(|name| {
            let dimension = read(json!(name)).expect("a dimension of the crate");
            (name.to_string(), json!(self.engine.provider_quota_remaining(provider, dimension)))
        });
        json!({
            "provider": provider,
            "health": self.engine.provider_health(provider).map(f64::from),
            "in_cooldown": self.engine.provider_in_cooldown(provider),
            "remaining": Map::from_iter(remaining),
        })
    }
}

/// Converts plain data to one of the crate's own types. The error is the reason why the type cannot hold it.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, NotApplicable> {
    serde_json::from_value(value).map_err(|error| format!("the Rust crate cannot read this: {error}"))
}

/// Returns `base` with the values of `over`. Nested objects are merged too.
fn overlay(mut base: Value, over: &Value) -> Value {
    for (key, value) in over.as_object().into_iter().flatten() {
        base[key] = match base[key].is_object() {
            true => overlay(base[key].take(), value),
            false => value.clone(),
        };
    }
    base
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn observation(step: &Value) -> Value {
    let amount = |key: &str| step.get(key).cloned();
    json!({
        "provider": step["provider"],
        "capability": step["capability"],
        "usage": {
            "requests": amount("requests").unwrap_or(json!(0)),
            "tokens": step["tokens"],
            "bytes": step["bytes"],
            "cost_micro_usd": step["cost_micro_usd"],
        },
        "outcome": { "status": step["status"], "latency_ms": amount("latency_ms").unwrap_or(json!(0)) },
    })
}

fn refusal(error: Error) -> Value {
    json!({ "error": match error {
        Error::UnknownCapability(_) => "unknown_capability",
        Error::UnknownProvider(_) => "unknown_provider",
        Error::NoAvailableProviders(_) => "no_available_providers",
        _ => "internal",
    } })
}

/// Returns the result of one fixture file: {"result", "reason"?, "failures"}.
fn check_file(path: &Path) -> Value {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    match text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string())) {
        Ok(scenario) => check(&scenario),
        Err(error) => json!({ "result": "fail", "failures": [error] }),
    }
}

fn check(scenario: &Value) -> Value {
    let profiles = &scenario["profile"];
    if profiles.is_array() && !items(profiles).any(|profile| profile == "classic") {
        return json!({ "result": "not_applicable", "reason": "not a scenario of the classic profile", "failures": [] });
    }
    let failures = match failures(scenario) {
        Ok(failures) => failures,
        Err(reason) => return json!({ "result": "not_applicable", "reason": reason, "failures": [] }),
    };
    match (scenario["differs"]["rust"].as_str(), failures.is_empty()) {
        (None, true) => json!({ "result": "pass", "failures": [] }),
        (None, false) => json!({ "result": "fail", "failures": failures }),
        (Some(reason), false) => json!({ "result": "not_applicable", "reason": reason, "failures": failures }),
        (Some(reason), true) => {
            json!({ "result": "fail", "failures": [format!("said to differ here, but it does not: {reason}")] })
        }
    }
}

fn failures(scenario: &Value) -> Result<Vec<String>, NotApplicable> {
    let mut player = Player::new(scenario)?;
    let mut failures = Vec::new();
    for (index, step) in items(&scenario["steps"]).enumerate() {
        let answer = player.play(step)?;
        let action = step["action"].as_str().unwrap_or_default();
        failures.extend(judge(step, &answer).into_iter().map(|wrong| format!("step {index} ({action}): {wrong}")));
    }
    Ok(failures)
}

/// Returns one line per expectation of the step that the answer does not meet.
fn judge(step: &Value, answer: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    match step["action"].as_str().unwrap_or_default() {
        "observe" | "select" if step["expect_error"] != answer["error"] => {
            wrong.push(unlike("error", &step["expect_error"], &answer["error"]));
        }
        "select" if answer["error"].is_null() => judge_decision(step, answer, &mut wrong),
        "check_metrics" => {
            for (name, expected) in step["expect"].as_object().into_iter().flatten() {
                same(name, expected, &answer[name], &mut wrong);
            }
        }
        action if action.starts_with("check_") => {
            if let Some(expected) = step.get("expect") {
                same(action, expected, answer, &mut wrong);
            }
            within(step, "expect", answer, &mut wrong);
        }
        _ => {}
    }
    wrong
}

fn judge_decision(step: &Value, answer: &Value, wrong: &mut Vec<String>) {
    if let Some(expected) = step.get("expect_provider") {
        same("provider", expected, &answer["provider"], wrong);
    }
    if let Some(expected) = step.get("expect_score") {
        same("score", expected, &answer["score"], wrong);
    }
    within(step, "expect_score", &answer["score"], wrong);
    let alternatives: Vec<&Value> = items(&answer["alternatives"]).collect();
    if let Some(expected) = step.get("expect_alternatives_count") {
        same("alternatives", expected, &json!(alternatives.len()), wrong);
    }
    if let Some(expected) = step.get("expect_alternatives") {
        let names: Value = items(expected).map(|entry| entry["provider"].clone()).collect();
        same("alternatives", &names, &alternatives.iter().map(|other| other[0].clone()).collect(), wrong);
        for (entry, other) in items(expected).zip(alternatives) {
            if let Some(score) = entry.get("score") {
                same(&format!("score of alternative {}", other[0]), score, &other[1], wrong);
            }
        }
    }
    for (part, expected) in step["expect_breakdown"].as_object().into_iter().flatten() {
        let place = PARTS.iter().position(|name| name == part);
        let got = place.map_or(Value::Null, |place| answer["breakdown"][place].clone());
        same(&format!("breakdown {part}"), expected, &got, wrong);
    }
}

/// True if two values are equal: whole numbers exactly, other numbers within the tolerance.
fn same(what: &str, expected: &Value, got: &Value, wrong: &mut Vec<String>) {
    let equal = match (expected.as_f64(), got.as_f64()) {
        (Some(expected), Some(got)) if !(got.fract() == 0.0 && expected.fract() == 0.0) => {
            (expected - got).abs() <= EXACT
        }
        (Some(expected), Some(got)) => expected == got,
        _ => expected == got,
    };
    if !equal {
        wrong.push(unlike(what, expected, got));
    }
}

fn within(step: &Value, key: &str, got: &Value, wrong: &mut Vec<String>) {
    let got = got.as_f64();
    if let Some(least) = step[format!("{key}_min")].as_f64() {
        if !got.is_some_and(|got| got >= least - RANGE) {
            wrong.push(format!("expected at least {least}, got {got:?}"));
        }
    }
    if let Some(most) = step[format!("{key}_max")].as_f64() {
        if !got.is_some_and(|got| got <= most + RANGE) {
            wrong.push(format!("expected at most {most}, got {got:?}"));
        }
    }
}

fn unlike(what: &str, expected: &Value, got: &Value) -> String {
    format!("{what}: expected {expected}, got {got}")
}
