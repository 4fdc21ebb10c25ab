//! `just conformance [seed] [operations]`: the same random requests go to the simulator and to a
//! real kube-apiserver, and what the two answer is compared.
//!
//! | Idea | File |
//! |---|---|
//! | random numbers; random objects; random operations | `random`, `objects`, `generator` |
//! | random rules and questions about rights | `rbac` |
//! | an operation as data; the two servers; both at once | `operation`, `backend`, `pair` |
//! | what may differ; what differs | `normal`, `compare` |
//! | what is known to differ; what is printed | `known`, `report` |
//!
//! Compared are status codes, bodies (objects with their managed fields, lists, `Status` with
//! reason and message) and which writes changed something. Not compared yet: watches, controllers
//! of the cluster, other kinds, subresources, strategic merge patches.

mod backend;
mod compare;
mod generator;
mod known;
mod normal;
mod objects;
mod operation;
mod pair;
mod random;
mod rbac;
mod report;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use stageset_e2e::{ControlPlane, Options};

use crate::generator::Generator;
use crate::objects::Kind;
use crate::operation::Operation;
use crate::pair::Pair;
use crate::report::Report;

const NAMESPACE: &str = "conformance";

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
    let (objects, rights) = match mode.as_str() {
        "all" => (true, true),
        "objects" => (true, false),
        "rbac" => (false, true),
        other => bail!("found mode `{other}`, wanted all, objects or rbac"),
    };
    let known = known::parse(include_str!("../../../conformance/known.txt"))?;
    println!("seed {seed}, {operations} operations, mode {mode}");
    let plane = ControlPlane::start(Options::API_ONLY)?;
    let mut pair = Pair::new(&plane, seed)?;
    let mut good = true;
    if objects {
        let mut report = Report::new(known.clone());
        compare_objects(&mut pair, seed, operations, &mut report).await?;
        good &= report.finish("objects", seed);
    }
    if rights {
        let mut report = Report::new(known);
        rbac::run(&mut pair, seed, operations, &mut report).await?;
        good &= report.finish("rbac", seed);
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn compare_objects(
    pair: &mut Pair,
    seed: u64,
    operations: usize,
    report: &mut Report,
) -> Result<()> {
    let namespace = json!({"metadata": {"name": NAMESPACE}});
    pair.set_up("/api/v1/namespaces", namespace).await?;
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    pair.set_up(path, objects::definition()).await?;
    let widgets = Kind::Widget.collection(NAMESPACE);
    let list = Operation::new("list", "Widget", "GET", widgets);
    pair.settle(&list, |answer| answer.code == 200).await?;
    let mut generator = Generator::new(seed, NAMESPACE);
    for _ in 0..operations {
        pair.step(&generator.next(), report, |_| ()).await?;
    }
    Ok(())
}
