//! Who may ask again for what another account was denied (I4).

use stageset_core::object::ObjectKey;

use super::{Cluster, secret, sight};
use crate::event::Event;
use crate::log::{What, Who};
use crate::property::i4_denied::Denied;

/// What I4 says of a read as another account than the one that was denied it, after these were planted.
fn asked_again(key: &ObjectKey, planted: &[usize]) -> Result<(), String> {
    let mut cluster = Cluster::new(Denied::default());
    for stage in planted {
        assert_eq!(cluster.happens(What::World(Event::Plant(*stage))), Ok(()));
    }
    assert_eq!(
        cluster.answers(0, What::Get(key.clone(), None), 401),
        Ok(())
    );
    let other = Who::User("system:serviceaccount:payments:operator".to_owned());
    cluster.holds(0, other, What::Get(key.clone(), Some(sight("u1"))), 200)
}

/// The seed 10671696744164859795 of level core: by then, the first of the inventories held it no more.
#[test]
fn what_was_planted_into_several_inventories_may_be_looked_at_as_each_account() {
    let victim = ObjectKey {
        name: "victim".to_owned(),
        ..secret()
    };
    for (planted, permitted) in [
        (&[][..], false),
        (&[0], false),
        (&[0, 0], false),
        (&[1, 0], true),
    ] {
        assert_eq!(
            asked_again(&victim, planted).is_ok(),
            permitted,
            "{planted:?}"
        );
    }
    // What is of the release is not what was planted.
    assert!(asked_again(&secret(), &[1, 0]).is_err());
}
