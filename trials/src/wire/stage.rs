//! What all doors of a wire run share: the world, the schedule, the properties, who lives.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use stageset_core::object::ObjectKey;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::door::status;
use super::sight::Asked;
use super::world::World;
use crate::event::Event;
use crate::log::{Entry, What, Who};
use crate::property::rest::Excused;
use crate::property::{Property, Violation};
use crate::scene::Scene as _;
use crate::setup::NAMESPACE;

/// What a run knows.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) properties: Vec<Box<dyn Property>>,
    pub(super) events: Vec<(u64, Event)>,
    pub(super) next: usize,
    pub(super) happened: u64,
    pub(super) boundary: u64,
    pub(super) requests: u64,
    pub(super) effects: u64,
    pub(super) faults: bool,
    pub(super) forced: bool,
    pub(super) excused: Excused,
    pub(super) violation: Option<Violation>,
    /// The life that each process is in.
    pub(super) lives: Vec<u32>,
    pub(super) paused: Vec<Instant>,
    /// Told of processes that die or are to be started.
    pub(super) casting: mpsc::UnboundedSender<usize>,
    pub(super) keep: bool,
    pub(super) log: Vec<Entry>,
}

/// What the events of a boundary do to its request.
pub(super) struct Faults {
    pub(super) number: u64,
    pub(super) fault: Option<Event>,
    pub(super) late: u64,
    pub(super) meanwhile: Vec<Event>,
}

impl Stage {
    /// What is to happen at this boundary.
    pub(super) fn boundary_events(&mut self) -> Faults {
        let mut faults = Faults {
            number: self.boundary,
            fault: None,
            late: 0,
            meanwhile: Vec::new(),
        };
        self.boundary += 1;
        self.requests += 1;
        if !self.faults {
            return faults;
        }
        while let Some((at, event)) = self.events.get(self.next).cloned() {
            if at > faults.number {
                break;
            }
            self.next += 1;
            self.happened += 1;
            match event {
                Event::Late(seconds) | Event::Jump(seconds) => faults.late = seconds,
                event if event.is_of_request() => faults.fault = Some(event),
                event if faults.late > 0 => faults.meanwhile.push(event),
                event => self.happen(&event),
            }
        }
        faults
    }

    /// Lets something happen to the world or to a process.
    pub(super) fn happen(&mut self, event: &Event) {
        self.excused.note(event);
        match event {
            Event::Pause(process, seconds) => {
                if let Some(until) = self.paused.get_mut(*process) {
                    *until = Instant::now() + Duration::from_secs(*seconds);
                }
            }
            Event::SecondLeader if self.lives.len() == 1 => {
                self.lives.push(0);
                self.paused.push(Instant::now());
                // The run has gone when nobody listens.
                let _ = self.casting.send(1);
            }
            event => {
                // What the API server refuses doesn't happen.
                let _ = self.world.happen(event);
            }
        }
        self.tell_world(What::World(event.clone()));
    }

    pub(super) fn tell_world(&mut self, what: What) {
        let entry = Entry {
            number: self.boundary,
            at: self.world.now(),
            process: usize::MAX,
            life: 0,
            who: Who::World,
            what,
            code: 0,
            delivered: false,
            effect: false,
            versions: None,
        };
        self.hold_against(entry);
    }

    pub(super) fn hold_against(&mut self, entry: Entry) {
        if entry.effect {
            self.effects += 1;
        }
        if let What::Announce(reason, _) = &entry.what {
            self.forced |= reason == "TeardownForced";
        }
        if self.violation.is_none() {
            let world = &self.world;
            self.violation = self.properties.iter_mut().find_map(|property| {
                let said = property.look(&entry, world).err()?;
                Some(Violation {
                    property: property.name(),
                    said,
                })
            });
        }
        if self.keep {
            self.log.push(entry);
        }
    }

    /// How long a process still stands still.
    pub(super) fn pause(&self, process: usize) -> Duration {
        self.paused.get(process).map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// A process dies; the run starts it anew.
    pub(super) fn kill(&mut self, process: usize) {
        if let Some(life) = self.lives.get_mut(process) {
            *life += 1;
        }
        // The run has gone when nobody listens.
        let _ = self.casting.send(process);
    }

    /// What admission says, which the simulated server has no webhooks for.
    pub(super) fn admission(
        &self,
        method: &Method,
        asked: &Asked,
    ) -> Option<
        http::Response<http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, tower::BoxError>>,
    > {
        let (kind, ..) = asked.tenant_kind()?;
        asked.name.as_ref()?;
        if method == Method::DELETE && self.world.deny_deletes {
            let said = "admission webhook \"guard\" denied the request: no deletes today";
            return Some(status(403, said));
        }
        if method == Method::PATCH && self.world.rejected.contains(kind) {
            return Some(status(422, "admission refuses this kind"));
        }
        None
    }

    /// The record that a request is about, as it stands now.
    pub(super) fn record_before(&self, asked: &Asked) -> Option<Value> {
        let kind = match asked.plural.as_str() {
            "stagesets" => "StageSet",
            "stageinventories" => "StageInventory",
            _ => return None,
        };
        let name = asked.name.as_deref()?;
        self.world
            .cluster
            .get("stages.metio.wtf/v1", kind, NAMESPACE, name)
    }

    /// Another manager answers our write with one of its own.
    pub(super) fn fight(&mut self, key: &ObjectKey) {
        if let Some(left) = self.world.fights.get_mut(key) {
            *left -= 1;
            if *left == 0 {
                self.world.fights.remove(key);
            }
            // What isn't there any more can't be fought over.
            let _ = self.world.meddle(key);
        }
    }
}
