//! What is believed of what a cluster serves, when an answer speaks against it.

use stageset_core::failure::FailureClass;
use stageset_core::identity::{Identity, Target};
use stageset_core::object::Reference;
use stageset_core::observation::{Facts, KindState};

use crate::observe::Outcome;
use crate::ports::Ports;

/// A kind that turned out not to be served as discovery said is asked for anew.
pub(super) fn forget_if_unknown(
    outcome: &Outcome,
    facts: &mut Facts,
    ports: &Ports,
    identity: &Identity,
    reference: &Reference,
) {
    if let Outcome::Failed(failure) = outcome
        && failure.class == FailureClass::UnknownKind
    {
        discover_anew(facts, ports, identity.target(), reference);
    }
}

fn discover_anew(facts: &mut Facts, ports: &Ports, target: &Target, reference: &Reference) {
    match target {
        Target::Local => ports.discovery.forget(&reference.key.group),
        Target::Remote(remote) => {
            // One that isn't connected to any more is discovered anew anyway.
            if let Ok(cluster) = ports.remotes.reach(remote) {
                cluster.discovery().forget(&reference.key.group);
            }
        }
    }
    facts.kinds.remove(target, &reference.gvk());
}

/// An object of a kind that wasn't served was written, so its definition, of the same release, must
/// stand by now. Were "not served" believed any longer, the object would be taken for gone (D1).
pub(super) fn ask_again_whether_served(
    facts: &mut Facts,
    ports: &Ports,
    identity: &Identity,
    reference: &Reference,
) {
    let served = facts
        .kinds
        .get(identity.target(), &reference.gvk())
        .is_none_or(|fact| matches!(fact.value, KindState::Served { .. }));
    if !served {
        discover_anew(facts, ports, identity.target(), reference);
    }
}
