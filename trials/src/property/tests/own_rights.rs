//! What an account must be allowed for what its actions change (I3).

use super::Cluster;
use crate::log::{Act, Doing, What};
use crate::property::i3_own_rights::OwnRights;

/// The seed 66336 of level wire: what an action applied was there from the revision before.
#[test]
fn whoever_applies_what_is_there_needs_no_right_to_create() {
    for (revoked, code, permitted) in [
        ("delete", 201, true),
        ("create", 201, false),
        ("create", 200, true),
        ("patch", 200, false),
        ("patch", 201, false),
    ] {
        let mut cluster = Cluster::new(OwnRights);
        cluster.revoked.insert(revoked);
        let probe = What::Act(Act {
            stage: "base".to_owned(),
            action: "probe".to_owned(),
            key: "1".to_owned(),
            doing: Doing::Apply,
            kind: "ConfigMap".to_owned(),
        });
        let said = cluster.answers(0, probe, code);
        assert_eq!(said.is_ok(), permitted, "{revoked}, {code}: {said:?}");
    }
}
