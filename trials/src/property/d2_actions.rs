//! D2, for actions: what is on record as done for its scope isn't done again for it, across crashes and
//! restarts; and a request that mustn't be sent twice isn't, when nobody knows whether it was sent once,
//! unless somebody asks for it.

use std::collections::BTreeMap;

use super::Property;
use crate::event::Event;
use crate::log::{Act, Doing, Entry, What};
use crate::scene::Scene;
use crate::setup::{REVISIONS, STAGES, Step, actions};

/// Stage, action and what its completion is recorded for.
type Place = (usize, &'static str, String);

#[derive(Default)]
pub(super) struct Actions {
    /// No lease fences what is sent to others: a leader that stands still between the record and the
    /// request may send it after its successor did (docs/trials.md, known limits).
    two_leaders: bool,
    /// Requests that nobody knows the outcome of, and the process and life that sent them.
    unknown: BTreeMap<Place, (usize, u32)>,
    /// Somebody has asked for another try, which no status has answered yet.
    wished: bool,
}

impl Property for Actions {
    fn name(&self) -> &'static str {
        "D2"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        match &entry.what {
            What::World(Event::SecondLeader) => self.two_leaders = true,
            // Somebody has decided.
            What::World(Event::Request | Event::Again(_)) => {
                self.unknown.clear();
                self.wished = true;
            }
            What::Status(_) if entry.effect => {
                self.wished = false;
                // Another revision's run, for which it is on record as begun or isn't, has ended this one.
                self.unknown.retain(|(stage, action, key), _| {
                    let step = step(scene, *stage, action);
                    step.is_some_and(|step| scene.begun(*stage, step, key))
                });
            }
            What::Act(act) if !self.two_leaders => self.acted(act, entry, scene)?,
            _ => {}
        }
        Ok(())
    }
}

impl Actions {
    fn acted(&mut self, act: &Act, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        // Tidying up comes after the end, as often as it takes.
        if act.doing == Doing::DeleteJobs {
            return Ok(());
        }
        let Some(stage) = STAGES.iter().position(|stage| *stage == act.stage) else {
            return Err(format!("{}: there is no such stage", entry.what));
        };
        let Some(step) = step(scene, stage, &act.action) else {
            return Err(format!("{}: there is no such action", entry.what));
        };
        if let Some(revision) = revision_of(step, &act.key)
            && scene.done(stage, step, revision)
        {
            return Err(format!("{}, although it is on record as done", entry.what));
        }
        if step.repeatable || act.doing != Doing::Send {
            return Ok(());
        }
        let place = (stage, step.name, act.key.clone());
        let here = (entry.process, entry.life);
        if self
            .unknown
            .get(&place)
            .is_some_and(|sender| *sender != here)
        {
            return Err(format!(
                "{}, although nobody knows whether the last one arrived, and nobody asked for it",
                entry.what
            ));
        }
        // Of what is done on failure people are told no more than the failure, so any wish that isn't
        // answered counts for it, also one from just before it was sent.
        let asked_for = self.wished && step.phase == "onFailure";
        if entry.delivered {
            self.unknown.remove(&place);
        } else if entry.effect && !asked_for {
            self.unknown.insert(place, here);
        }
        Ok(())
    }
}

fn step(scene: &dyn Scene, stage: usize, name: &str) -> Option<Step> {
    let mut steps = actions(scene.setup(), stage).iter();
    steps.find(|step| step.name == name).copied()
}

/// The revision that a completion is recorded for; any will do for what is done once ever.
fn revision_of(step: Step, key: &str) -> Option<u8> {
    if step.lifetime {
        return Some(1);
    }
    (1..=REVISIONS).find(|revision| {
        let digest = stageset_core::object::sha256_hex(format!("r{revision}").as_bytes());
        digest.starts_with(key)
    })
}
