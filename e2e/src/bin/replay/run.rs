//! A history, step by step, on real servers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use stageset_e2e::answers::Answer;
use stageset_e2e::answers::compare::Difference;
use stageset_e2e::answers::normal::normalise;
use stageset_sim::{Answered, Ended, Exchange, History, OwnChange, Told, What};

use crate::change::Relived;
use crate::excluded::{Excluded, equalise};
use crate::report::Report;
use crate::server::{Real, value};
use crate::settle::Slow;
use crate::watches::{Watch, is_of_the_clock};

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
            What::Told(told) => cluster.hear(line, told, report).await,
            What::Ended(ended) => {
                cluster.end(line, *ended, report);
                Ok(())
            }
        };
        relived.with_context(|| format!("line {line} of {} ({})", history.of, step.cluster))?;
    }
    Ok(())
}

struct Cluster {
    real: Real,
    /// Definitions that are on their way in or out.
    under_way: BTreeSet<String>,
    /// By their numbers in the history; one that can't be followed any further isn't among them.
    watches: BTreeMap<u64, Watch>,
}

impl Cluster {
    fn start() -> Result<Self> {
        Ok(Self {
            real: Real::start()?,
            under_way: BTreeSet::new(),
            watches: BTreeMap::new(),
        })
    }

    async fn ask(&mut self, line: usize, exchange: &Exchange, report: &mut Report) -> Result<()> {
        let (code, body) = match &exchange.answer {
            Answered::Whole(code, body) => (code, body),
            Answered::Watch(number) => return self.begin(line, *number, exchange, report).await,
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
        let excluded = self.excluded(exchange.uri.path());
        let differences = self.compare(&simulated, &real, excluded);
        report.answer(line, &who, &what, real.code, &differences, excluded);
        if writes && (200..300).contains(&real.code) {
            self.settle(exchange, &real).await?;
        }
        Ok(())
    }

    async fn begin(
        &mut self,
        line: usize,
        number: u64,
        exchange: &Exchange,
        report: &mut Report,
    ) -> Result<()> {
        report.watch();
        let path = exchange.uri.path();
        if let Some(excluded) = Excluded::watch(path) {
            report.unfollowed(excluded);
            return Ok(());
        }
        let what = format!("WATCH {} ({})", exchange.uri, who(exchange));
        match self.real.watch(exchange).await? {
            Ok(stream) => {
                let watch = Watch::of(path, what, stream);
                self.watches.insert(number, watch);
            }
            Err(refusal) => {
                let excluded = self.excluded(path);
                let differences = self.compare(&begun(), &refusal, excluded);
                report.told(line, &what, &differences, excluded);
            }
        }
        Ok(())
    }

    /// An event of a watch: the real one's next has to be the same.
    async fn hear(&mut self, line: usize, told: &Told, report: &mut Report) -> Result<()> {
        let simulated = value(&told.event);
        if is_of_the_clock(&simulated) {
            return Ok(());
        }
        let Some(mut watch) = self.watches.remove(&told.watch) else {
            report.unheard();
            return Ok(());
        };
        if let Some(excluded) = Excluded::event(&simulated) {
            report.unfollowed(excluded);
            return Ok(());
        }
        let excluded = self.excluded(&watch.path);
        let differences = match watch.next().await {
            Ok(real) => {
                self.real
                    .mapping
                    .learn(&simulated["object"], &real["object"]);
                let event = |body: Value| Answer { code: 200, body };
                self.compare(&event(simulated), &event(real), excluded)
            }
            Err(error) => vec![unheard(&simulated, &format!("{error:#}"))],
        };
        report.told(line, &watch.what, &differences, excluded);
        // After a difference the two needn't be at the same place any more.
        if differences.is_empty() {
            self.watches.insert(told.watch, watch);
        }
        Ok(())
    }

    /// A watch is over; what the real one told and this one didn't is a difference, if its client took all.
    fn end(&mut self, line: usize, ended: Ended, report: &mut Report) {
        let Some(mut watch) = self.watches.remove(&ended.watch) else {
            return;
        };
        if ended.untaken > 0 {
            return;
        }
        if let Some(more) = watch.more() {
            let difference = Difference {
                path: "one event more".to_owned(),
                real: Some(more),
                simulated: None,
            };
            let excluded = self.excluded(&watch.path);
            report.told(line, &watch.what, &[difference], excluded);
        }
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
                self.compare(&simulated, real, None)
            }
            _ => Vec::new(),
        };
        report.change(line, &change.path, &differences);
        Ok(())
    }

    /// Where the two may differ, nothing is learnt of what belongs to which.
    fn compare(
        &mut self,
        simulated: &Answer,
        real: &Answer,
        excluded: Option<Excluded>,
    ) -> Vec<Difference> {
        let (mut simulated, mut real) = (simulated.clone(), real.clone());
        self.real.mapping.rename_fields(&mut simulated.body);
        for answer in [&mut simulated, &mut real] {
            normalise(answer);
            equalise(answer);
        }
        if excluded.is_some() {
            return self.real.comparison.clone().compare(&real, &simulated);
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

/// What a watch says when it begins, which is nothing yet.
fn begun() -> Answer {
    Answer {
        code: 200,
        body: Value::Null,
    }
}

fn unheard(simulated: &Value, why: &str) -> Difference {
    Difference {
        path: "the event".to_owned(),
        real: Some(why.into()),
        simulated: Some(simulated.clone()),
    }
}

fn who(exchange: &Exchange) -> String {
    let name = |header: &str| exchange.headers.get(header)?.to_str().ok();
    match name("impersonate-user") {
        Some(as_whom) => format!("{} as {as_whom}", exchange.user.name),
        None => exchange.user.name.clone(),
    }
}

/// Reads a history from a file.
pub(crate) fn read(file: &str) -> Result<History> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    match History::read(&text) {
        Ok(history) => Ok(history),
        Err(error) => bail!("{file}: {error}"),
    }
}
