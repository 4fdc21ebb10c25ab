//! A history, step by step, on real servers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use stageset_e2e::answers::Answer;
use stageset_e2e::answers::compare::Difference;
use stageset_e2e::answers::normal::normalise;
use stageset_sim::{Exchange, History, OwnChange, What};

use crate::change::Relived;
use crate::excluded::{Excluded, equalise};
use crate::report::Report;
use crate::server::Real;
use crate::settle::Slow;

/// Replays a history and tells the report what differed.
pub(crate) async fn run(history: &History, report: &mut Report) -> Result<()> {
    let mut clusters: BTreeMap<&str, Cluster> = BTreeMap::new();
    // The first line of the file is its head.
    for (line, step) in (2..).zip(&history.steps) {
        if !clusters.contains_key(step.cluster.as_str()) {
            clusters.insert(&step.cluster, Cluster::start()?);
        }
        let cluster = clusters
            .get_mut(step.cluster.as_str())
            .context("it was just started")?;
        let relived = match &step.what {
            What::Request(exchange) => cluster.ask(line, exchange, report).await,
            What::Change(change) => cluster.change(line, change, report).await,
        };
        relived.with_context(|| format!("line {line} of {} ({})", history.of, step.cluster))?;
    }
    Ok(())
}

struct Cluster {
    real: Real,
    /// Definitions that are on their way in or out.
    under_way: BTreeSet<String>,
}

impl Cluster {
    fn start() -> Result<Self> {
        Ok(Self {
            real: Real::start()?,
            under_way: BTreeSet::new(),
        })
    }

    async fn ask(&mut self, line: usize, exchange: &Exchange, report: &mut Report) -> Result<()> {
        let Some((code, body)) = &exchange.answer else {
            report.watch();
            return Ok(());
        };
        let simulated = Answer {
            code: *code,
            body: value(body),
        };
        let real = self.real.answer(exchange).await?;
        let succeeded = (200..300).contains(&real.code) && (200..300).contains(code);
        let query = exchange.uri.query().unwrap_or_default();
        let writes = exchange.method != http::Method::GET && !query.contains("dryRun");
        if succeeded {
            self.real.mapping.learn(&simulated.body, &real.body);
        }
        let what = format!("{} {}", exchange.method, exchange.uri);
        let who = who(exchange);
        let differences = self.compare(&simulated, &real);
        let excluded = self.excluded(exchange.uri.path());
        report.answer(line, &who, &what, real.code, &differences, excluded);
        if writes && (200..300).contains(&real.code) {
            self.settle(exchange, &real).await?;
        }
        Ok(())
    }

    async fn change(&mut self, line: usize, change: &OwnChange, report: &mut Report) -> Result<()> {
        let definition = match Slow::of(&change.path) {
            Some(Slow::Definition(name)) => Some(name),
            _ => None,
        };
        let relived = self.real.relive(change).await?;
        if let Some(name) = definition {
            self.under_way.remove(&name);
        }
        let differences = match (&relived, &change.after) {
            (Relived::Is(real), Some(after)) => {
                let simulated = Answer {
                    code: real.code,
                    body: after.clone(),
                };
                self.compare(&simulated, real)
            }
            _ => Vec::new(),
        };
        report.change(line, &change.path, &differences);
        Ok(())
    }

    fn compare(&mut self, simulated: &Answer, real: &Answer) -> Vec<Difference> {
        let (mut simulated, mut real) = (simulated.clone(), real.clone());
        self.real.mapping.rename_fields(&mut simulated.body);
        for answer in [&mut simulated, &mut real] {
            normalise(answer);
            equalise(answer);
        }
        self.real.comparison.compare(&real, &simulated)
    }

    /// Whether an answer about this may differ, and why.
    fn excluded(&self, path: &str) -> Option<Excluded> {
        let concerns = |name: &String| {
            let group = name.split_once('.').map_or("", |(_, group)| group);
            path.contains(name.as_str())
                || path == "/apis"
                || path.starts_with(&format!("/apis/{group}"))
        };
        self.under_way
            .iter()
            .any(concerns)
            .then_some(Excluded::DefinitionUnderWay)
    }

    /// Waits where the server needs a moment for what was just written.
    async fn settle(&mut self, exchange: &Exchange, real: &Answer) -> Result<()> {
        let mut path = exchange.uri.path().to_owned();
        if exchange.method == http::Method::POST {
            let name = real.body["metadata"]["name"].as_str();
            path = format!("{path}/{}", name.unwrap_or_default());
        }
        match Slow::of(&path) {
            None => Ok(()),
            Some(Slow::Rights(plural)) => self.real.wait_for_rights(&plural).await,
            Some(Slow::Definition(name)) => {
                let established = real.body["status"]["conditions"].is_array();
                if exchange.method == http::Method::DELETE || !established {
                    self.under_way.insert(name);
                }
                Ok(())
            }
        }
    }
}

fn who(exchange: &Exchange) -> String {
    let name = |header: &str| exchange.headers.get(header)?.to_str().ok();
    match name("impersonate-user") {
        Some(as_whom) => format!("{} as {as_whom}", exchange.user.name),
        None => exchange.user.name.clone(),
    }
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// Reads a history from a file.
pub(crate) fn read(file: &str) -> Result<History> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    match History::read(&text) {
        Ok(history) => Ok(history),
        Err(error) => bail!("{file}: {error}"),
    }
}
