//! What a read that failed forbids, and until when (I5).

use super::{Cluster, secret, sight};
use crate::event::Event;
use crate::log::What;
use crate::property::i5_fails_closed::FailsClosed;
use crate::schedule::Level;

/// What I5 says of a read as an account that wasn't found, after something happened to the world.
fn after(level: Level, event: Option<What>) -> Result<(), String> {
    let mut cluster = Cluster::new(FailsClosed::new(level));
    let absent = What::Account("deployer".to_owned(), None);
    assert_eq!(cluster.answers(0, absent, 404), Ok(()));
    if let Some(event) = event {
        assert_eq!(cluster.happens(event), Ok(()));
    }
    cluster.says(0, What::Get(secret(), None))
}

#[test]
fn an_account_that_was_not_found_is_not_delivered_as() {
    let other = What::World(Event::RecreateAccount("operator".to_owned()));
    for level in [Level::Core, Level::Wire] {
        assert!(after(level, None).is_err());
        assert!(after(level, Some(other.clone())).is_err());
    }
}

/// On the wire a watch may have told that it is there; at level core every look is a request.
#[test]
fn a_watch_may_tell_that_an_account_is_there_again() {
    let back = What::World(Event::RecreateAccount("deployer".to_owned()));
    for event in [back, What::Healed] {
        assert_eq!(after(Level::Wire, Some(event.clone())), Ok(()));
        assert!(after(Level::Core, Some(event)).is_err());
    }
}

/// At level core nothing else tells whether it is there.
#[test]
fn a_read_that_failed_says_nothing_of_an_account_that_is_watched() {
    for (level, fails) in [(Level::Core, true), (Level::Wire, false)] {
        let mut cluster = Cluster::new(FailsClosed::new(level));
        let failed = What::Account("deployer".to_owned(), None);
        assert_eq!(cluster.answers(0, failed, 500), Ok(()));
        let said = cluster.says(0, What::Get(secret(), None));
        assert_eq!(said.is_err(), fails, "{level:?}");
    }
}

/// Who has made one since, as nothing was recorded, knows them: it was the first. At level core they are
/// read before that.
#[test]
fn what_a_process_has_recorded_itself_it_need_not_read() {
    for (level, fails) in [(Level::Core, true), (Level::Wire, false)] {
        let mut cluster = Cluster::new(FailsClosed::new(level));
        let account = What::Account("deployer".to_owned(), Some("u1".to_owned()));
        assert_eq!(cluster.answers(0, account, 200), Ok(()));
        assert_eq!(cluster.answers(0, What::Inventories, 409), Ok(()));
        let deleted = What::Delete(secret(), Some(sight("u2")), Some("u2".to_owned()));
        assert!(cluster.says(0, deleted.clone()).is_err());
        assert_eq!(cluster.records(0, &[&secret()]), Ok(()));
        assert_eq!(cluster.says(0, deleted).is_err(), fails, "{level:?}");
    }
}
