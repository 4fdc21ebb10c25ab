//! What the deletion of an object that is to be created anew is judged by.

use super::{Cluster, secret, sight};
use crate::log::{Sight, What};
use crate::property::i8_owned_deletes::OwnedDeletes;

/// The seed 701862 of level core: a source offered another revision than the one being delivered.
#[test]
fn what_is_created_anew_is_judged_by_the_revision_that_the_process_delivers() {
    for (revision, code, permitted) in [
        (2, 422, true),
        // Nobody has said that it can't be changed in place.
        (2, 200, false),
        // It is as this revision has it: nothing asks for another one.
        (1, 422, false),
        // This revision doesn't have it: what leaves the release must carry our labels.
        (5, 422, false),
    ] {
        let mut cluster = Cluster::new(OwnedDeletes::default());
        let key = secret();
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        let offered = What::Source("base".to_owned(), Some(revision));
        assert_eq!(cluster.says(0, offered), Ok(()));
        let unlabelled = Sight {
            owner: None,
            ..sight("u1")
        };
        let tried = What::DryRun(key.clone(), Some(unlabelled.clone()));
        assert_eq!(cluster.answers(0, tried, code), Ok(()));
        let delete = What::Delete(key, Some(unlabelled), Some("u1".to_owned()));
        let said = cluster.says(0, delete);
        assert_eq!(
            said.is_ok(),
            permitted,
            "revision {revision}, {code}: {said:?}"
        );
    }
}
