//! The decision: one function, a table of contents of phases, each a file.
//!
//! Every phase looks at the observation and either lets the next one begin or stops: with facts to
//! ask for, with operations to perform, or with a report of why the release rests where it is.
//! Nothing here waits, remembers, or reaches out.

mod actions;
mod base;
mod build;
mod checks;
mod conflicts;
mod dependencies;
mod entry;
mod expressions;
mod foreign;
mod freshness;
mod identities;
mod inventories;
mod object;
mod overlay;
mod preflight;
mod prune;
mod reconstruct;
mod release;
mod removal;
mod report;
mod sources;
mod stage;
mod sweep;
mod target;
mod teardown;
mod verify;
mod whereabouts;

use std::convert::Infallible;

use crate::observation::Observation;
use crate::plan::{Need, Next, Operation, Plan};

use report::Report;

pub use preflight::Lacking;

/// Decides what to do next for one StageSet.
///
/// # Guarantees
/// Deterministic and total: the same observation gives the same plan, byte for byte when serialized.
/// A plan asks, or acts, or rests. No tenant-plane request is planned before the identity of every
/// stage is settled (I2); no object is applied before its stage's inventory holds it (D1); no new
/// content of a stage before every stage ahead of it is ready in the same run (L4).
pub fn reconcile(observation: &Observation) -> Plan {
    let plan = match phases(observation) {
        Ok(never) => match never {},
        Err(stop) => stop.into_plan(observation),
    };
    entry::claimed(observation, report::told(observation, plan))
}

/// What the accounts of a StageSet lack for what it would deliver, as far as the observation tells.
///
/// For people who ask (`stagesetctl why`): the decision itself reports the same in short.
pub fn lacking(observation: &Observation) -> Vec<Lacking> {
    released(observation, preflight::lacking).unwrap_or_default()
}

/// What the accounts of a StageSet lack for its teardown, for people who ask: a teardown itself only
/// learns of it delete by delete.
///
/// # Errors
/// The facts without which it can't be told; ask again with them.
pub fn lacking_to_tear_down(observation: &Observation) -> Result<Vec<Lacking>, Vec<Need>> {
    teardown::lacking(observation)
}

/// Something about the release, if it can be put together.
fn released<T>(
    observation: &Observation,
    of: impl FnOnce(&release::Release<'_>) -> T,
) -> Option<T> {
    let spec = entry::spec_is_valid(observation).ok()?;
    let target = target::resolve(observation, spec).ok()?;
    let identities = identities::resolve(observation, spec, &target).ok()?;
    let (base, _) = base::gather(observation, spec, &target, &identities).ok()?;
    let overlays = overlay::gather(observation, spec, &base).ok()?;
    let built = build::build(observation, spec, &base, &overlays).ok()?;
    let release = release::assemble(
        observation,
        spec,
        &target,
        &identities,
        &base,
        &overlays,
        &built,
    )
    .ok()?;
    Some(of(&release))
}

fn phases(observation: &Observation) -> Result<Infallible, Stop> {
    entry::own_records_are_writable(observation)?;
    entry::handled_here(observation)?;
    if observation.stage_set.deletion_timestamp.is_some() {
        return Err(teardown::tear_down(observation));
    }
    entry::finalizer_stands(observation)?;
    entry::not_suspended(observation)?;
    let spec = entry::spec_is_valid(observation)?;
    let target = target::resolve(observation, spec)?;
    let identities = identities::resolve(observation, spec, &target)?;
    dependencies::allowed(observation, spec)?;
    let (base, gate) = base::gather(observation, spec, &target, &identities)?;
    whereabouts::settle(observation, spec, &target, base.inventories)?;
    actions::opened(observation, spec)?;
    let overlays = overlay::gather(observation, spec, &base)?;
    let built = build::build(observation, spec, &base, &overlays)?;
    let release = release::assemble(
        observation,
        spec,
        &target,
        &identities,
        &base,
        &overlays,
        &built,
    )?;
    reconstruct::lost_inventories(&release)?;
    let look = stage::advance(&release, gate)?;
    let pruned = prune::finish(&release)?;
    Err(report::succeeded(&release, &pruned, look).into())
}

/// Why the phases end here.
enum Stop {
    /// These facts are missing.
    Ask(Vec<Need>),
    /// This is to be done, step by step.
    Act(Vec<Vec<Operation>>),
    /// Nothing can be done now.
    Report(Box<Report>),
    /// Nothing is to be done or said until the StageSet itself changes.
    Rest(String),
    /// There is nothing left to look after.
    Gone,
}

impl From<Report> for Stop {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}

impl Stop {
    fn into_plan(self, observation: &Observation) -> Plan {
        match self {
            Self::Ask(needs) => Plan::ask(needs),
            Self::Act(steps) => Plan::act(steps),
            Self::Report(report) => report.into_plan(observation),
            Self::Rest(waiting_for) => Plan {
                needs: Vec::new(),
                steps: Vec::new(),
                next: Next::Rest { waiting_for },
            },
            Self::Gone => Plan {
                needs: Vec::new(),
                steps: Vec::new(),
                next: Next::Gone,
            },
        }
    }
}
