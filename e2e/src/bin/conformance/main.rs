//! `just conformance [seed] [operations]`: the same random requests go to the simulator and to a
//! real kube-apiserver, and what the two answer is compared.
//!
//! | Idea | File |
//! |---|---|
//! | random numbers; random objects; random operations; wrong ones | `random`, `kinds`, `generator`, `malformed` |
//! | what a watch tells of them | `watches` |
//! | random rules and questions about rights | `rbac` |
//! | an operation as data; the two servers; both at once | `operation`, `backend`, `pair` |
//! | what may differ; what differs | `normal`, `compare` |
//! | what is known to differ; what is printed | `known`, `report` |
//!
//! Compared are status codes, bodies (objects with their managed fields, lists, `Status` with
//! reason and message), which writes changed something, and the events of watches. What is modelled
//! and how honesty is measured: `docs/simulator.md`.

mod backend;
mod compare;
mod generator;
mod kinds;
mod known;
mod malformed;
mod normal;
mod operation;
mod pair;
mod random;
mod rbac;
mod report;
mod watches;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use stageset_e2e::{ControlPlane, Options};

use crate::generator::{Generator, Mix};
use crate::kinds::{APPLIED, KINDS, custom};
use crate::operation::Operation;
use crate::pair::Pair;
use crate::report::Report;

const NAMESPACE: &str = "conformance";

/// After so many operations the watches are compared, and a new namespace begins.
const ROUND: usize = 1000;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, default: &str| {
        arguments
            .get(at)
            .map_or_else(|| default.to_owned(), Clone::clone)
    };
    let seed: u64 = argument(0, "1").parse().context("the seed")?;
    let operations: usize = argument(1, "2000")
        .parse()
        .context("the number of operations")?;
    let mode = argument(2, "all");
    let modes: &[&str] = match mode.as_str() {
        "all" => &["objects", "apply", "rbac"],
        "objects" => &["objects"],
        "apply" => &["apply"],
        "rbac" => &["rbac"],
        other => bail!("found mode `{other}`, wanted all, objects, apply or rbac"),
    };
    let known = known::parse(include_str!("../../../conformance/known.txt"))?;
    println!("seed {seed}, {operations} operations, mode {mode}");
    let plane = ControlPlane::start(Options::API_ONLY)?;
    let mut pair = Pair::new(&plane, seed)?;
    let mut good = true;
    for mode in modes {
        let mut report = Report::new(known.clone());
        match *mode {
            "objects" => {
                let mix = Mix::objects(KINDS);
                objects(&mut pair, seed, operations, mix, "objects", &mut report).await?;
            }
            "apply" => {
                let mix = Mix::apply(APPLIED);
                objects(&mut pair, seed, operations, mix, "apply", &mut report).await?;
            }
            _ => rbac::run(&mut pair, seed, operations, &mut report).await?,
        }
        good &= report.finish(mode, seed);
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Rounds of random operations, each in a namespace of its own.
async fn objects(
    pair: &mut Pair,
    seed: u64,
    operations: usize,
    mix: Mix,
    mode: &str,
    report: &mut Report,
) -> Result<()> {
    define(pair).await?;
    let mut left = operations;
    let mut round = 0;
    while left > 0 {
        let namespace = format!("{NAMESPACE}-{mode}-{round}");
        prepare(pair, &namespace).await?;
        // A round can be run by itself: its seed follows from the first one.
        let mut generator = Generator::new(seed.wrapping_add(round), &namespace, mix);
        let start = watches::start(pair, mix.kinds(), &namespace).await?;
        for _ in 0..left.min(ROUND) {
            pair.step(&generator.next(), report, |_| ()).await?;
        }
        watches::compare(pair, &start, &namespace, report).await?;
        left -= left.min(ROUND);
        round += 1;
    }
    Ok(())
}

/// The custom resources, served by both.
async fn define(pair: &mut Pair) -> Result<()> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    for (kind, definition) in [
        (custom::WIDGET, custom::widget_definition()),
        (custom::GADGET, custom::gadget_definition()),
    ] {
        let known = Operation::new("list", kind.name, "GET", kind.everywhere());
        if pair.both(&known).await?.1.code == 200 {
            continue;
        }
        pair.set_up(path, definition).await?;
        // Watches come from a cache, which answers this when it is there.
        let cached = known.query(&["resourceVersion=0".to_owned()]);
        pair.settle(&cached, |answer| answer.code == 200).await?;
    }
    Ok(())
}

/// A namespace with what controllers would put into it.
async fn prepare(pair: &mut Pair, namespace: &str) -> Result<()> {
    let object = json!({"metadata": {"name": namespace}});
    pair.set_up("/api/v1/namespaces", object).await?;
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    pair.set_up(&path, json!({"metadata": {"name": "default"}}))
        .await?;
    // The admission of pods reads accounts from a watch.
    let probe = Operation::new(
        "create",
        "Pod",
        "POST",
        format!("/api/v1/namespaces/{namespace}/pods"),
    )
    .query(&["dryRun=All".to_owned()])
    .body(
        operation::JSON,
        json!({
            "metadata": {"name": "probe"}, "spec": {"containers": [{"name": "a", "image": "i"}]},
        }),
    );
    pair.settle(&probe, |answer| answer.code == 201).await
}
