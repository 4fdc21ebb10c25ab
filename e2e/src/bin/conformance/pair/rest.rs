//! Both servers at rest: controllers act when they like, so that what they come to in the end is
//! what can be compared.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use stageset_e2e::answers::Answer;
use stageset_e2e::answers::normal::normalise;

use super::{Pair, trace};
use crate::operation::Operation;
use crate::report::Report;

/// How many of its seconds the simulator's controllers may take.
const REST: i64 = 30;
/// Pause between two looks at the real server.
const AGAIN: Duration = Duration::from_millis(20);

impl Pair {
    /// Waits until some reads say the same on both servers, once the controllers of both are done: the
    /// simulator's clock moves by what they need, and the real server is asked again and again for
    /// as long as it may take. What differs then is reported. Returns what the simulator says.
    pub(crate) async fn rest(
        &mut self,
        reads: &[Operation],
        patience: Duration,
        report: &mut Report,
        forget: impl Fn(&mut Value),
    ) -> Result<Vec<Answer>> {
        self.simulated.pass(REST)?;
        let started = Instant::now();
        let ready = |answer: Answer| {
            let mut answer = answer;
            normalise(&mut answer);
            forget(&mut answer.body);
            answer
        };
        let mut ends = Vec::new();
        for read in reads {
            let simulated = self.simulated.send(read, Timestamp::now()).await?;
            let simulated = ready(simulated);
            let real = loop {
                let real = ready(self.real.send(read, Timestamp::now()).await?);
                if alike(&real, &simulated) || started.elapsed() > patience {
                    break real;
                }
                // Nothing tells that a controller of the real server is done: what it says is the
                // only condition there is, and a watch would itself be compared.
                tokio::time::sleep(AGAIN).await;
            };
            trace(read, &real, &simulated);
            let differences = self.comparison.compare(&real, &simulated);
            report.add(read, real.code, &differences);
            ends.push(simulated);
        }
        Ok(ends)
    }
}

/// Whether two servers say the same as far as uids and versions aside can tell.
fn alike(real: &Answer, simulated: &Answer) -> bool {
    fn bare(value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "uid" | "resourceVersion"))
                .map(|(key, value)| (key.clone(), bare(value)))
                .collect(),
            Value::Array(items) => items.iter().map(bare).collect(),
            value => value.clone(),
        }
    }
    real.code == simulated.code && bare(&real.body) == bare(&simulated.body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_are_alike_but_for_uids_and_versions() {
        let answer = |uid: &str, finalizers: Value| Answer {
            code: 200,
            body: json!({ "metadata": { "uid": uid, "finalizers": finalizers } }),
        };
        let one = answer("a", json!(["x"]));
        assert!(alike(&one, &answer("b", json!(["x"]))));
        assert!(!alike(&one, &answer("a", json!([]))));
        assert!(!alike(
            &one,
            &Answer {
                code: 404,
                ..one.clone()
            }
        ));
    }
}
