//! Both servers at once.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stageset_e2e::ControlPlane;
use stageset_e2e::client::Api;

use crate::backend::Backend;
use crate::compare::Comparison;
use crate::normal::normalise;
use crate::operation::{Answer, Operation};
use crate::report::Report;

/// How long the real server may take to serve what was just made.
const PATIENCE: Duration = Duration::from_secs(30);

/// The real server, the simulated one, and what belongs to what.
pub(crate) struct Pair {
    real: Backend,
    simulated: Backend,
    comparison: Comparison,
}

impl Pair {
    pub(crate) fn new(plane: &ControlPlane, seed: u64) -> Result<Self> {
        Ok(Self {
            real: Backend::real(Api::new(plane)?),
            simulated: Backend::simulated(seed)?,
            comparison: Comparison::default(),
        })
    }

    /// Sends something that must succeed on both.
    pub(crate) async fn set_up(&mut self, path: &str, object: Value) -> Result<()> {
        let operation =
            Operation::new("create", "setup", "POST", path).body("application/json", object);
        for (name, server) in [("real", &mut self.real), ("simulated", &mut self.simulated)] {
            let answer = server.send(&operation).await?;
            if answer.code >= 300 {
                bail!(
                    "the {name} server: POST {path}: {} {}",
                    answer.code,
                    answer.body
                );
            }
        }
        Ok(())
    }

    /// Waits until the real server answers an operation as wanted; the simulator's clock moves by
    /// what it takes a server to settle.
    pub(crate) async fn settle(
        &mut self,
        operation: &Operation,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<()> {
        self.simulated.pass(SignedDuration::from_secs(10))?;
        let answer = self.simulated.send(operation).await?;
        if !wanted(&answer) {
            bail!("the simulated server doesn't settle: {operation:?} {answer:?}");
        }
        let waited = async {
            loop {
                if wanted(&self.real.send(operation).await?) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited)
            .await
            .with_context(|| format!("the real server doesn't settle: {operation:?}"))?
    }

    /// Sends one operation to both and reports how the answers differ; `forget` takes out of an
    /// answer what isn't compared.
    pub(crate) async fn step(
        &mut self,
        operation: &Operation,
        report: &mut Report,
        forget: impl Fn(&mut Value),
    ) -> Result<()> {
        let mut real = self.real.send(operation).await?;
        let mut simulated = self.simulated.send(operation).await?;
        trace(operation, &real);
        for answer in [&mut real, &mut simulated] {
            normalise(answer);
            forget(&mut answer.body);
        }
        let differences = self.comparison.compare(&real, &simulated);
        report.add(operation, real.code, &differences);
        if !differences.is_empty() && operation.method != "GET" && operation.verb != "review" {
            self.heal(operation).await?;
        }
        Ok(())
    }

    /// Watches on both and reports how the events differ.
    pub(crate) async fn watch(
        &mut self,
        operation: &Operation,
        report: &mut Report,
        is_last: impl Fn(&Value) -> bool + Copy,
    ) -> Result<()> {
        self.watch_each(operation, operation, report, is_last).await
    }

    /// The same, where the two servers are asked differently (each from a revision of its own).
    pub(crate) async fn watch_each(
        &mut self,
        of_real: &Operation,
        of_simulated: &Operation,
        report: &mut Report,
        is_last: impl Fn(&Value) -> bool + Copy,
    ) -> Result<()> {
        let real = tokio::time::timeout(PATIENCE, self.real.watch(of_real, is_last))
            .await
            .with_context(|| format!("the real server's watch doesn't end: {of_real:?}"))?;
        let (mut real, mut simulated) = (real?, self.simulated.watch(of_simulated, is_last).await?);
        for answer in [&mut real, &mut simulated] {
            normalise(answer);
        }
        let differences = self.comparison.compare(&real, &simulated);
        report.add(of_real, real.code, &differences);
        Ok(())
    }

    /// What each server answers to a read, as it is.
    pub(crate) async fn both(&mut self, operation: &Operation) -> Result<(Answer, Answer)> {
        Ok((
            self.real.send(operation).await?,
            self.simulated.send(operation).await?,
        ))
    }

    /// Removes the object on both sides, so that one divergence isn't seen again and again.
    async fn heal(&mut self, operation: &Operation) -> Result<()> {
        let path = match (
            operation.method,
            operation.body["metadata"]["name"].as_str(),
        ) {
            ("POST", Some(name)) => format!("{}/{name}", operation.path),
            ("POST", None) | ("DELETE", _) if operation.verb != "delete" => return Ok(()),
            _ => operation.path.trim_end_matches("/status").to_owned(),
        };
        // Finalizers would keep it.
        let free = Operation::new("merge", operation.kind, "PATCH", path.clone()).body(
            "application/merge-patch+json",
            json!({"metadata": {"finalizers": null}}),
        );
        let delete = Operation::new("delete", operation.kind, "DELETE", path)
            .body("application/json", json!({"gracePeriodSeconds": 0}));
        for step in [free, delete] {
            self.real.send(&step).await?;
            self.simulated.send(&step).await?;
        }
        Ok(())
    }
}

/// With `CONFORMANCE_TRACE` set, every operation and what the real server answered, a line each.
fn trace(operation: &Operation, real: &Answer) {
    if std::env::var_os("CONFORMANCE_TRACE").is_some() {
        println!(
            "= {} {} {} -> {} {}",
            operation.method,
            operation.uri(),
            operation.text(),
            real.code,
            real.body
        );
    }
}
