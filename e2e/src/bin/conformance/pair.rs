//! Both servers at once; when both are at rest, `rest` tells.

mod rest;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stageset_e2e::ControlPlane;
use stageset_e2e::answers::Answer;
use stageset_e2e::answers::compare::Comparison;
use stageset_e2e::answers::normal::normalise;
use stageset_e2e::client::Api;
use stageset_sim::WebhookHandler;

use crate::backend::Backend;
use crate::operation::Operation;
use crate::report::Report;

/// How objects write the second of a time.
const SECOND: &str = "%Y-%m-%dT%H:%M:%SZ";

/// How long the real server may take to serve what was just made.
const PATIENCE: Duration = Duration::from_secs(30);

/// The real server, the simulated one, and what belongs to what.
pub(crate) struct Pair {
    real: Backend,
    simulated: Backend,
    comparison: Comparison,
    /// The two have been made equal by force since [`Self::take_healed`] was last asked.
    healed: bool,
}

impl Pair {
    pub(crate) fn new(plane: &ControlPlane, seed: u64) -> Result<Self> {
        Ok(Self {
            real: Backend::real(Api::new(plane)?, Api::without_certificate(plane)?),
            simulated: Backend::simulated(seed)?,
            comparison: Comparison::default(),
            healed: false,
        })
    }

    /// Whether an operation had different effects since this was last asked: it was reported then, and
    /// the two have been made equal, but what their watches tell of the time in between differs.
    pub(crate) fn take_healed(&mut self) -> bool {
        std::mem::take(&mut self.healed)
    }

    /// Lets a handler of the simulated server answer the webhooks that name an URL.
    pub(crate) fn serve_webhook(&mut self, url: String, handler: impl WebhookHandler + 'static) {
        self.simulated.serve_webhook(url, handler);
    }

    /// Reports how two things differ that the servers said beside their answers to an operation.
    pub(crate) fn compare(
        &mut self,
        operation: &Operation,
        mut real: Answer,
        mut simulated: Answer,
        report: &mut Report,
    ) {
        trace(operation, &real, &simulated);
        for answer in [&mut real, &mut simulated] {
            normalise(answer);
        }
        let differences = self.comparison.compare(&real, &simulated);
        report.add(operation, real.code, &differences);
    }

    /// Sends something that must succeed on both.
    pub(crate) async fn set_up(&mut self, path: &str, object: Value) -> Result<()> {
        let operation =
            Operation::new("create", "setup", "POST", path).body("application/json", object);
        let (real, simulated) = self.both(&operation).await?;
        for (name, answer) in [("real", real), ("simulated", simulated)] {
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

    /// Creates something on whichever server doesn't answer a read with it yet.
    pub(crate) async fn set_up_missing(
        &mut self,
        read: &Operation,
        path: &str,
        object: Value,
    ) -> Result<()> {
        let create =
            Operation::new("create", "setup", "POST", path).body("application/json", object);
        for server in [&mut self.real, &mut self.simulated] {
            if server.send(read, Timestamp::now()).await?.code == 200 {
                continue;
            }
            let answer = server.send(&create, Timestamp::now()).await?;
            if answer.code >= 300 {
                bail!("POST {path}: {} {}", answer.code, answer.body);
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
        self.simulated.pass(10)?;
        let answer = self.simulated.send(operation, Timestamp::now()).await?;
        if !wanted(&answer) {
            bail!("the simulated server doesn't settle: {operation:?} {answer:?}");
        }
        let waited = async {
            loop {
                if wanted(&self.real.send(operation, Timestamp::now()).await?) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited)
            .await
            .with_context(|| format!("the real server doesn't settle: {operation:?}"))?
    }

    /// Sends an operation to each server until a read answers as wanted there.
    pub(crate) async fn repeat(
        &mut self,
        operation: &Operation,
        read: &Operation,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<()> {
        for server in [&mut self.real, &mut self.simulated] {
            let repeated = async {
                loop {
                    server.send(operation, Timestamp::now()).await?;
                    if wanted(&server.send(read, Timestamp::now()).await?) {
                        return anyhow::Ok(());
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::time::timeout(PATIENCE, repeated)
                .await
                .with_context(|| format!("nothing comes of {operation:?}"))??;
        }
        Ok(())
    }

    /// Sends one operation to both and reports how the answers differ; `forget` takes out of an
    /// answer what isn't compared.
    pub(crate) async fn step(
        &mut self,
        operation: &Operation,
        report: &mut Report,
        forget: impl Fn(&mut Value),
    ) -> Result<()> {
        let (mut real, mut simulated) = self.both(operation).await?;
        trace(operation, &real, &simulated);
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

    /// Lets the simulator's controllers run.
    pub(crate) fn run_controllers(&mut self) {
        self.simulated.run_controllers();
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

    /// The revision that the bookmark of a streamed list has on each server. The real one's watches
    /// come from a cache, which has to be there first.
    pub(crate) async fn revisions(&mut self, streamed: &Operation) -> Result<(String, String)> {
        let is_bookmark = |event: &Value| event["type"] == "BOOKMARK";
        let revision = |answer: &Answer| {
            let events = answer.body.as_array().into_iter().flatten();
            let bookmark = events.rev().find(|event| is_bookmark(event))?;
            let version = bookmark["object"]["metadata"]["resourceVersion"].as_str()?;
            Some(version.to_owned())
        };
        let simulated = revision(&self.simulated.watch(streamed, is_bookmark).await?)
            .context("the simulator's streamed list has no bookmark")?;
        let asked = async {
            loop {
                if let Some(real) = revision(&self.real.watch(streamed, is_bookmark).await?) {
                    return anyhow::Ok(real);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let real = tokio::time::timeout(PATIENCE, asked)
            .await
            .with_context(|| format!("the real server doesn't stream: {streamed:?}"))??;
        Ok((real, simulated))
    }

    /// What each server answers, as it is. Both live through it in the same second: managed fields
    /// stand in the order of their seconds, so that a write depends on them.
    pub(crate) async fn both(&mut self, operation: &Operation) -> Result<(Answer, Answer)> {
        let before = Timestamp::now();
        let real = self.real.send(operation, before).await?;
        let at = handled(&real, before, Timestamp::now());
        let simulated = self.simulated.send(operation, at).await?;
        Ok((real, simulated))
    }

    /// Removes the object on both sides, so that one divergence isn't seen again and again.
    async fn heal(&mut self, operation: &Operation) -> Result<()> {
        let Some(path) = place(operation) else {
            return Ok(());
        };
        // Finalizers would keep it.
        let free = Operation::new("merge", operation.kind, "PATCH", path.clone()).body(
            "application/merge-patch+json",
            json!({"metadata": {"finalizers": null}}),
        );
        let delete = Operation::new("delete", operation.kind, "DELETE", path)
            .body("application/json", json!({"gracePeriodSeconds": 0}));
        for step in [free, delete] {
            self.both(&step).await?;
        }
        self.healed = true;
        Ok(())
    }
}

/// Where the one object is that an operation is about.
fn place(operation: &Operation) -> Option<String> {
    let name = operation.body["metadata"]["name"].as_str();
    match (operation.method, name) {
        // Nothing is called so. Other names may be as odd as the generator makes them.
        ("POST", Some(name)) if name.contains('/') => None,
        ("POST", Some(name)) => Some(format!("{}/{}", operation.path, name.replace(' ', "%20"))),
        ("POST", None) | ("DELETE", _) if operation.verb != "delete" => None,
        _ => Some(operation.path.trim_end_matches("/status").to_owned()),
    }
}

/// When the real server handled what was sent at one time and answered by another: the last second
/// in between that its answer names. Where that is an object with owners, it is theirs: they stand in
/// the order of their times, and a server looks at its clock more than once.
fn handled(answer: &Answer, sent: Timestamp, answered: Timestamp) -> Timestamp {
    let owners = &answer.body["metadata"]["managedFields"];
    let text = if owners.is_array() {
        owners.to_string()
    } else {
        answer.body.to_string()
    };
    let mut at = answered;
    while at.as_second() > sent.as_second() {
        if text.contains(&at.strftime(SECOND).to_string()) {
            return at;
        }
        at = at
            .saturating_sub(SignedDuration::from_secs(1))
            .unwrap_or(sent);
    }
    sent
}

/// With `CONFORMANCE_TRACE` set, every operation and what the two servers answered.
fn trace(operation: &Operation, real: &Answer, simulated: &Answer) {
    if std::env::var_os("CONFORMANCE_TRACE").is_some() {
        println!(
            "= {} {} {}\n  real {} {}\n  simulated {} {}",
            operation.method,
            operation.uri(),
            operation.text(),
            real.code,
            real.body,
            simulated.code,
            simulated.body
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_whatever_it_is_called() {
        let create = |name: &str| {
            let body = json!({ "metadata": { "name": name } });
            place(&Operation::new("create", "Role", "POST", "/roles").body("", body))
        };
        assert_eq!(create("a b").as_deref(), Some("/roles/a%20b"));
        assert_eq!(create("a/b"), None);
        let status = Operation::new("apply-status", "Pod", "PATCH", "/pods/a/status");
        assert_eq!(place(&status).as_deref(), Some("/pods/a"));
        let many = Operation::new("delete-collection", "Pod", "DELETE", "/pods");
        assert_eq!(place(&many), None);
    }

    #[test]
    fn the_answer_tells_in_which_second_it_was_made() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (sent, answered) = (at("2026-01-01T00:00:01.9Z"), at("2026-01-01T00:00:03.1Z"));
        let answer = |time: &str| Answer {
            code: 200,
            body: json!({ "time": time, "created": "2026-01-01T00:00:00Z" }),
        };
        let second = |time: &str| handled(&answer(time), sent, answered).as_second();
        // Of an object only its owners' times count: it may have been created in the next second.
        let owned = Answer {
            code: 201,
            body: json!({ "metadata": {
                "creationTimestamp": "2026-01-01T00:00:03Z",
                "managedFields": [{ "time": "2026-01-01T00:00:02Z" }],
            } }),
        };
        let at_owned = handled(&owned, sent, answered).as_second();
        assert_eq!(at_owned, sent.as_second() + 1);
        assert_eq!(second("2026-01-01T00:00:03Z"), answered.as_second());
        assert_eq!(second("2026-01-01T00:00:02Z"), sent.as_second() + 1);
        assert_eq!(second("2026-01-01T00:00:01Z"), sent.as_second());
        assert_eq!(second(""), sent.as_second());
    }
}
