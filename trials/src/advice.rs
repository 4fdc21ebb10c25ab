//! What the condition tells a person to do, and somebody then does: what only people may decide holds a
//! release up until they have, and what they are told must help.

use stageset_core::object::ObjectKey;

use crate::event::Event;
use crate::scene::Scene;

/// What the condition advises now, if anything.
pub fn advice(scene: &dyn Scene) -> Option<Event> {
    let message = scene.stage_set()?.message;
    if message.contains("requestedAt to a new value") {
        // What may have been done, and must not be done twice.
        return Some(Event::Request);
    }
    if message.contains("delete it yourself to have it tried once more") {
        // Of two leaders, one that lagged made it anew as it was before.
        let refused = |key: &ObjectKey| message.contains(&format!("{key} was delivered anew"));
        let (key, _) = scene.objects().into_iter().find(|(key, _)| refused(key))?;
        return Some(Event::Delete(format!("{}/{}", key.kind, key.name)));
    }
    if !message.contains("Take the annotation off it") {
        return None;
    }
    // What is to be kept isn't deleted to be created anew.
    let protected = |key: &dyn std::fmt::Display| {
        message.contains(&format!(
            "{key} is annotated stages.metio.wtf/prune: disabled"
        ))
    };
    let mut objects = scene.objects().into_iter();
    let (key, _) = objects.find(|(key, object)| object.keep && protected(key))?;
    Some(Event::Unkeep(format!("{}/{}", key.kind, key.name)))
}
