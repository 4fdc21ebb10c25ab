//! What all doors of a wire run share: the world, the schedule, the properties, who lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;
use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;
use stageset_sim::SimulatedCluster;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::door::{Answer, full, status};
use super::sight::Asked;
use super::world::World;
use crate::event::{Event, Watch};
use crate::log::{Entry, What, Who};
use crate::property::rest::Excused;
use crate::property::{Property, Violation};
use crate::saboteurs::Saboteur;
use crate::scene::Scene as _;
use crate::setup::NAMESPACE;

/// What a run knows.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) properties: Vec<Box<dyn Property>>,
    pub(super) events: Vec<(u64, Event)>,
    pub(super) next: usize,
    /// What is to happen to the next request: nothing was asked when it was due.
    pub(super) carried: Vec<Event>,
    pub(super) happened: u64,
    /// What has happened, if it is to be kept.
    pub(super) kinds: Vec<Event>,
    pub(super) boundary: u64,
    pub(super) requests: u64,
    pub(super) effects: u64,
    /// Requests that are about the release: the lease is renewed and watches begin anew at rest, too.
    pub(super) asked: u64,
    pub(super) faults: bool,
    pub(super) forced: bool,
    pub(super) excused: Excused,
    pub(super) violation: Option<Violation>,
    /// The life that each process is in.
    pub(super) lives: Vec<u32>,
    pub(super) paused: Vec<Instant>,
    /// Until when the watches of each process tell nothing.
    pub(super) lagging: Vec<Instant>,
    /// How far off the clock of each process is, from its next start on.
    pub(super) skews: Vec<i64>,
    /// What becomes of the next watch events of a process.
    pub(super) watch_faults: Vec<(usize, Watch)>,
    /// Watches that the server has forgotten, by process and path.
    pub(super) expired: BTreeSet<(usize, String)>,
    /// What the controller's own reads were answered with before.
    pub(super) memory: BTreeMap<String, (StatusCode, Bytes)>,
    /// A deliberate bug of the driver, and what it needs.
    pub(super) saboteur: Option<Saboteur>,
    pub(super) shared: BTreeMap<String, (StatusCode, Bytes)>,
    pub(super) leases: BTreeMap<usize, Bytes>,
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
        for event in std::mem::take(&mut self.carried) {
            match event {
                Event::Late(seconds) | Event::Jump(seconds) => faults.late = seconds,
                event => faults.fault = Some(event),
            }
        }
        while let Some(event) = self.due(faults.number) {
            match event {
                Event::Late(seconds) | Event::Jump(seconds) => faults.late = seconds,
                event if event.is_of_request() => faults.fault = Some(event),
                event if faults.late > 0 => faults.meanwhile.push(event),
                event => self.happen(&event),
            }
        }
        faults
    }

    /// Nothing was asked for a while. That is a boundary too: what comes over the world doesn't wait for
    /// somebody to look, and what is to come over a request waits for the next.
    pub(super) fn nothing_asked(&mut self) {
        let number = self.boundary;
        self.boundary += 1;
        while let Some(event) = self.due(number) {
            if event.is_of_request() || matches!(event, Event::Jump(_)) {
                self.carried.push(event);
            } else {
                self.happen(&event);
            }
        }
    }

    /// The next event that is due at this boundary, if there is one left.
    fn due(&mut self, boundary: u64) -> Option<Event> {
        let (at, event) = self.events.get(self.next)?;
        if *at > boundary {
            return None;
        }
        let event = event.clone();
        self.next += 1;
        self.happened += 1;
        if self.keep {
            self.kinds.push(event.clone());
        }
        Some(event)
    }

    /// Lets something happen to the world or to a process.
    pub(super) fn happen(&mut self, event: &Event) {
        match event {
            Event::Pause(process, seconds) => {
                if let Some(until) = self.paused.get_mut(*process) {
                    *until = Instant::now() + Duration::from_secs(*seconds);
                }
            }
            Event::Lag(process, seconds) => {
                if let Some(until) = self.lagging.get_mut(*process) {
                    *until = Instant::now() + Duration::from_secs(*seconds);
                }
            }
            Event::Watch(process, fault) => self.watch_faults.push((*process, *fault)),
            Event::Skew(process, seconds) if *process < self.lives.len() => {
                // A clock that is wrong from the start on: the pod comes back on another node.
                self.skews[*process] = *seconds;
                self.kill(*process);
            }
            Event::SecondLeader if self.lives.len() == 1 && !self.world.setup.alone => {
                self.lives.push(0);
                self.paused.push(Instant::now());
                self.lagging.push(Instant::now());
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

    /// Two looks at what is the same see the same.
    pub(super) fn stands(&self) -> [u64; 4] {
        let revision = |cluster: &SimulatedCluster| cluster.with_server(|server| server.revision());
        let abroad = self.world.remote.as_ref().map_or(0, revision);
        let happened = self.happened;
        [
            self.requests,
            happened,
            revision(&self.world.cluster),
            abroad,
        ]
    }

    pub(super) fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// How long the watches of a process still tell nothing.
    pub(super) fn lag(&self, process: usize) -> Duration {
        self.lagging.get(process).map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// What becomes of an event of a process's watches.
    pub(super) fn watch_fault(&mut self, process: usize) -> Option<Watch> {
        if !self.faults {
            return None;
        }
        let index = self
            .watch_faults
            .iter()
            .position(|(of, _)| *of == process)?;
        Some(self.watch_faults.remove(index).1)
    }

    /// Whether the server has forgotten where this watch stood. It says so once.
    pub(super) fn has_expired(&mut self, process: usize, uri: &http::Uri) -> bool {
        self.expired.remove(&(process, uri.path().to_owned()))
    }

    /// What a lagging server answers to a read of the controller's: what it answered before.
    pub(super) fn earlier(&self, parts: &Parts, asked: &Asked) -> Option<(StatusCode, Bytes)> {
        if !may_lag(parts, asked) {
            return None;
        }
        self.memory.get(&parts.uri.to_string()).cloned()
    }

    pub(super) fn remember(
        &mut self,
        parts: &Parts,
        asked: &Asked,
        status: StatusCode,
        said: &Bytes,
    ) {
        if may_lag(parts, asked) && status.is_success() {
            let kept = (status, said.clone());
            self.memory.insert(parts.uri.to_string(), kept);
        }
    }

    pub(super) fn tell_world(&mut self, what: What) {
        let entry = Entry {
            number: self.boundary,
            at: self.world.now(),
            began: self.world.now(),
            process: usize::MAX,
            life: 0,
            who: Who::World,
            what,
            code: 0,
            delivered: false,
            effect: false,
            abroad: false,
            versions: None,
            heard: None,
        };
        self.hold_against(entry);
    }

    pub(super) fn hold_against(&mut self, entry: Entry) {
        // Renewing the lease is how a leader rests.
        if entry.effect && !matches!(entry.what, What::Lease(_)) {
            self.effects += 1;
        }
        let rests = matches!(entry.what, What::Lease(_) | What::Kind(_));
        if entry.who != Who::World && !rests {
            self.asked += 1;
        }
        if let What::Announce(reason, _) = &entry.what {
            self.forced |= reason == "TeardownForced";
        }
        if self.violation.is_none() {
            let world = &self.world;
            self.excused.look(&entry, world);
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
    pub(super) fn admission(&self, method: &Method, asked: &Asked) -> Option<Answer> {
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

/// Reads that are answered as they once were. Not those of inventories: the driver asks the API server for
/// what is, and no such list is ever old (docs/ci.md, 5655014).
fn may_lag(parts: &Parts, asked: &Asked) -> bool {
    parts.method == Method::GET
        && !asked.watch
        && !parts.headers.contains_key("impersonate-user")
        && asked.plural == "externalartifacts"
}

/// What saboteurs of the driver need.
impl Stage {
    pub(super) fn cached(&self, place: &str) -> Option<(StatusCode, Bytes)> {
        self.shared.get(place).cloned()
    }

    pub(super) fn cache(&mut self, place: String, kept: (StatusCode, Bytes)) {
        self.shared.insert(place, kept);
    }

    pub(super) fn uncache(&mut self, path: &str) {
        self.shared.retain(|place, _| !place.contains(path));
    }

    /// Whoever once held the lease is told that it still does.
    pub(super) fn believe_in_the_lease(
        &mut self,
        process: usize,
        method: &Method,
        sent: &Bytes,
        answer: Result<Answer, tower::BoxError>,
    ) -> Result<Answer, tower::BoxError> {
        let succeeded = answer
            .as_ref()
            .is_ok_and(|answer| answer.status().is_success());
        let writes = method != Method::GET;
        if writes && succeeded {
            self.leases.insert(process, sent.clone());
            return answer;
        }
        let Some(held) = self.leases.get(&process) else {
            return answer;
        };
        let told = if writes { sent } else { held };
        Ok(Answer::new(full(told.clone())))
    }
}
