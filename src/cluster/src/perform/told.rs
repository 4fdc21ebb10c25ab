//! Which events were told already: one that is told again counts up, instead of standing there once
//! for each retry.

use std::collections::VecDeque;

use serde_json::{Value, json};
use stageset_core::failure::Failure;
use stageset_core::plan::Event;

use super::record::Recorded;
use super::{Perform, event};
use crate::requests::Target;

/// Events that one StageSet's memory keeps; older ones begin anew when they come back.
const KEPT: usize = 8;

/// The events of one StageSet that were told last, by this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(VecDeque<Once>);

#[derive(Debug, Clone)]
struct Once {
    /// What it is about and what it says.
    mark: String,
    /// The name of its object.
    name: String,
    /// How often it was told.
    count: u32,
}

impl Told {
    fn take(&mut self, mark: &str) -> Option<Once> {
        let place = self.0.iter().position(|once| once.mark == mark)?;
        self.0.remove(place)
    }

    fn keep(&mut self, once: Once) {
        self.0.truncate(KEPT - 1);
        self.0.push_front(once);
        self.0.shrink_to_fit();
    }
}

/// Tells people, as the controller.
pub(super) async fn announce(
    perform: Perform<'_>,
    regarding: Value,
    event: &Event,
    told: &mut Told,
) -> Result<Recorded, Failure> {
    let at = perform.ports.clock.now();
    let events = Target::collection("events.k8s.io/v1", "events", Some(&perform.key.namespace));
    let mark = event::mark(&regarding, event);
    if let Some(before) = told.take(&mark) {
        let count = before.count.saturating_add(1);
        let series = json!({ "series": {
            "count": count,
            "lastObservedTime": event::micro_time(at),
        } });
        let standing = events.clone().named(&before.name);
        let requests = perform.as_controller();
        match requests.merge_patch(&standing, &series).await {
            Ok(_) => {
                told.keep(Once { count, ..before });
                return Ok(Recorded::Nothing);
            }
            // Events go after an hour; this one is told anew.
            Err(failure) if standing.is_missing_itself(&failure) => {}
            Err(failure) => {
                told.keep(before);
                return Err(failure);
            }
        }
    }
    let instance = &perform.ports.settings.instance;
    let object = event::object(&regarding, event, at, instance);
    perform.as_controller().leave(&events, &object).await?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    told.keep(Once {
        mark,
        name: name.unwrap_or_default().to_owned(),
        count: 1,
    });
    Ok(Recorded::Nothing)
}
