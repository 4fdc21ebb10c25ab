//! Admission webhooks: random configurations, writes that fall under them, and what the webhooks
//! are asked.
//!
//! | Idea | File |
//! |---|---|
//! | who is asked about what, and what failures do | `configurations` |
//! | what is answered | `verdicts` |
//! | where both servers find those who answer | `endpoint` |
//! | what was asked | `questions` |

mod configurations;
mod endpoint;
mod questions;
mod verdicts;

use anyhow::Result;
use serde_json::{Value, json};
use stageset_e2e::answers::Answer;

use self::configurations::{Configurator, Sort};
use self::endpoint::Endpoint;
use self::questions::comparable;
use crate::generator::{Generator, Mix};
use crate::kinds::{Kind, core, custom, workloads};
use crate::operation::{JSON, Operation};
use crate::pair::Pair;
use crate::random::Random;
use crate::report::Report;
use crate::set_up;

const KINDS: &[Kind] = &[
    core::CONFIG_MAP,
    core::CONFIG_MAP,
    core::SECRET,
    core::SERVICE,
    workloads::DEPLOYMENT,
    custom::WIDGET,
];

/// Sets a round up and makes so many operations.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    operations: usize,
    report: &mut Report,
) -> Result<()> {
    let namespace = format!("conformance-webhooks-{number}");
    // The rounds of one seed are no neighbour's: configurations are many, and a run has few.
    let number = u64::try_from(number)?;
    let seed = seed
        .wrapping_sub(number)
        .rotate_left(32)
        .wrapping_add(number);
    let endpoint = Endpoint::start(&namespace)?;
    set_up::labelled_namespace(pair, &namespace, &json!({ "team": "a" })).await?;
    let mut configurator = Configurator::new(&endpoint, &namespace, Random::new(!seed));
    let mut made = Vec::new();
    for sort in Sort::ALL {
        for name in ["one", "two", "three"] {
            let configuration = configurator.configuration(sort, name);
            create(pair, sort, configuration, report).await?;
            made.push(format!("{}/{namespace}-{name}", sort.collection()));
        }
    }
    for path in &configurator.paths {
        pair.serve_webhook(endpoint.url(path), endpoint.simulated(path));
    }
    for sort in Sort::ALL {
        made.push(settle(pair, &endpoint, sort, &namespace).await?);
    }
    let mut generator = Generator::new(seed, &namespace, Mix::writes(KINDS));
    for _ in 0..operations {
        let operation = generator.next();
        // What was asked in between, to make the two equal, isn't compared.
        drop((endpoint.real.take(), endpoint.simulated.take()));
        pair.step(&operation, report, |_| ()).await?;
        if !pair.take_healed() {
            asked(pair, &endpoint, &operation, report);
        }
    }
    for path in made {
        pair.both(&Operation::new("delete", "setup", "DELETE", path))
            .await?;
    }
    Ok(())
}

/// Compares what the webhooks were asked about an operation.
fn asked(pair: &mut Pair, endpoint: &Endpoint, operation: &Operation, report: &mut Report) {
    let is_validating = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.starts_with(Sort::Validating.prefix())
    };
    let answers = [&endpoint.real, &endpoint.simulated].map(|journal| Answer {
        code: 200,
        body: comparable(journal.take(), is_validating),
    });
    if answers.iter().all(|answer| answer.body == json!([])) {
        return;
    }
    let mut operation = operation.clone();
    operation.verb = "asked";
    let [real, simulated] = answers;
    pair.compare(&operation, real, simulated, report);
}

/// Creates a configuration, whose defaults are compared.
async fn create(
    pair: &mut Pair,
    sort: Sort,
    configuration: Value,
    report: &mut Report,
) -> Result<()> {
    let create = Operation::new("create", sort.kind(), "POST", sort.collection());
    pair.step(&create.body(JSON, configuration), report, |_| ())
        .await
}

/// Waits until both servers know all configurations. Each learns of them in the order in which they
/// were made: the last one tells, in a namespace where nobody else asks.
async fn settle(
    pair: &mut Pair,
    endpoint: &Endpoint,
    sort: Sort,
    namespace: &str,
) -> Result<String> {
    let path = format!("/deny/always/2/{}.marker.example.com", sort.prefix());
    let url = endpoint.url(&path);
    pair.serve_webhook(url.clone(), endpoint.simulated(&path));
    let name = format!("{namespace}-marker");
    let (label, value) = ("probe", format!("{}-{namespace}", sort.prefix()));
    let marker = json!({
        "metadata": {"name": name}, "webhooks": [{
            "name": "marker.example.com",
            "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
            "objectSelector": {"matchLabels": {label: value}},
            "rules": [{ "operations": ["CREATE"], "apiGroups": ["coordination.k8s.io"],
                        "apiVersions": ["v1"], "resources": ["leases"] }],
            "clientConfig": {"url": url, "caBundle": endpoint.authority},
        }],
    });
    pair.set_up(sort.collection(), marker).await?;
    let lease = json!({ "metadata": {"name": name, "labels": {label: value}} });
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let probe = Operation::new("create", "Lease", "POST", leases)
        .query(&["dryRun=All".to_owned()])
        .body(JSON, lease);
    pair.settle(&probe, |answer| answer.code == 400).await?;
    Ok(format!("{}/{name}", sort.collection()))
}
