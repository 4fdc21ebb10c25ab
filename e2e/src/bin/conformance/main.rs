//! `just conformance [seed] [operations] [mode]`: the same random requests go to the simulator and to a
//! real kube-apiserver, and what the two answer is compared.
//!
//! | Idea | File |
//! |---|---|
//! | random numbers; random objects; random operations | `random`, `kinds`, `generator` |
//! | of them patches; on collections; wrong ones | `patches`, `collections`, `malformed` |
//! | what a watch tells of them | `watches` |
//! | what both need first; rounds side by side | `set_up`, `lanes` |
//! | random rules and questions about rights; who asks, and as whom | `rbac`, `access` |
//! | namespaces that may hold little; what a server says of itself | `quota`, `discovery` |
//! | what controllers make of objects in the end | `lives` |
//! | whom a server asks before it writes | `webhooks` |
//! | an operation as data; the two servers; both at once | `operation`, `backend`, `pair` |
//! | what may differ; what differs | `answers` of the library |
//! | what is known to differ; what is printed | `known`, `report` |
//!
//! Compared are status codes, bodies (objects with their managed fields, lists, `Status` with
//! reason and message), which writes changed something, and the events of watches. What is modelled
//! and how honesty is measured: `docs/simulator.md`.

mod access;
mod backend;
mod collections;
mod discovery;
mod generator;
mod kinds;
mod known;
mod lanes;
mod lives;
mod malformed;
mod operation;
mod pair;
mod patches;
mod quota;
mod random;
mod rbac;
mod report;
mod set_up;
mod watches;
mod webhooks;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use stageset_e2e::{ControlPlane, Options};

use crate::lanes::Mode;
use crate::pair::Pair;

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
    let asked = argument(2, "all");
    let modes: Vec<Mode> = Mode::ALL
        .into_iter()
        .filter(|mode| asked == "all" || asked == mode.name())
        .collect();
    if modes.is_empty() {
        let names = Mode::ALL.map(Mode::name).join(", ");
        bail!("found mode `{asked}`, wanted all, {names}");
    }
    let known = known::parse(include_str!("../../../conformance/known.txt"))?;
    println!("seed {seed}, {operations} operations, mode {asked}");
    let mut plane = ControlPlane::start(Options::API_ONLY)?;
    let mut good = true;
    for mode in modes {
        if mode == Mode::Lives {
            lives::start(&mut plane, seed).await?;
        }
        good &= lanes::run(mode, || Pair::new(&plane, seed), seed, operations, &known).await?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
