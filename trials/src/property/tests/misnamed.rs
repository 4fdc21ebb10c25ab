//! Entries that hold another object's uid: what D1 excuses of that to two leaders, and what it doesn't.

use super::{Cluster, secret, sight};
use crate::event::Event;
use crate::log::{Sight, What};
use crate::property::d1_nothing_lost::NothingLost;

/// What two leaders do to one object and its entry, after one has recorded it: who, and what.
enum Deed {
    /// The object goes, or a stranger makes one of the name.
    Goes,
    Stranger(&'static str),
    /// A process reads the inventories.
    Lists(usize),
    /// A process writes the object.
    Makes(usize, &'static str),
    /// A process records the object with this uid.
    Names(usize, &'static str),
    /// A process drops the entry.
    Drops(usize),
}

/// What D1 says to the last of these deeds; the others are in order.
fn after(leaders: bool, deeds: &[Deed]) -> Result<(), String> {
    let mut cluster = Cluster::new(NothingLost::default());
    let key = secret();
    assert_eq!(cluster.says(0, What::Inventories), Ok(()));
    assert_eq!(cluster.says(0, What::Finalizer(true)), Ok(()));
    assert_eq!(cluster.records(0, &[&key]), Ok(()));
    if leaders {
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
    }
    let mut said = Ok(());
    for deed in deeds {
        assert_eq!(said, Ok(()));
        said = match deed {
            Deed::Goes => {
                cluster.objects.clear();
                Ok(())
            }
            Deed::Stranger(uid) => {
                let unlabelled = Sight {
                    owner: None,
                    ..sight(uid)
                };
                cluster.objects.insert(key.clone(), unlabelled);
                Ok(())
            }
            Deed::Lists(process) => cluster.says(*process, What::Inventories),
            Deed::Makes(process, uid) => cluster.makes(*process, &key, uid),
            Deed::Names(process, uid) => {
                cluster.uids.insert(key.clone(), (*uid).to_owned());
                cluster.records(*process, &[&key])
            }
            Deed::Drops(process) => cluster.records(*process, &[]),
        };
    }
    said
}

/// The seed 5958693 of level core.
#[test]
fn a_uid_recorded_without_knowing_that_another_leader_made_the_object_anew_misleads() {
    use Deed::{Drops, Goes, Makes, Names};
    let made_by = |maker| {
        [
            Makes(0, "u1"),
            Goes,
            Makes(maker, "u2"),
            Names(0, "u1"),
            Drops(1),
        ]
    };
    assert_eq!(after(true, &made_by(1)), Ok(()));
    // A single leader, and one of two that made both, knows better.
    assert!(after(false, &made_by(1)).is_err());
    assert!(after(true, &made_by(0)).is_err());
    // What it has written itself since its look tells it nothing.
    let looked_before_own = [
        Makes(0, "u1"),
        Names(0, "u0"),
        Goes,
        Makes(1, "u2"),
        Names(0, "u1"),
        Drops(1),
    ];
    assert_eq!(after(true, &looked_before_own), Ok(()));
    // It looked before the other one last wrote the inventory.
    let looked_before = [
        Makes(0, "u1"),
        Names(1, "u0"),
        Goes,
        Makes(1, "u2"),
        Names(0, "u1"),
        Drops(1),
    ];
    assert!(after(true, &looked_before).is_err());
    // The object that stands when the entry is dropped isn't the one that this befell.
    let another = [
        Makes(0, "u1"),
        Goes,
        Makes(1, "u2"),
        Names(0, "u1"),
        Goes,
        Makes(1, "u3"),
        Drops(1),
    ];
    assert!(after(true, &another).is_err());
    // Somebody put the entry right.
    let put_right = [
        Makes(0, "u1"),
        Goes,
        Makes(1, "u2"),
        Names(0, "u1"),
        Names(1, "u2"),
        Drops(1),
    ];
    assert!(after(true, &put_right).is_err());
}

/// The seed 16156878068390989725 of level core.
#[test]
fn an_object_made_without_knowing_that_another_leader_recorded_a_uid_is_taken_for_a_strangers() {
    use Deed::{Drops, Lists, Makes, Names, Stranger};
    let recorded_by = |recorder| {
        [
            Lists(1),
            Makes(0, "u1"),
            Names(recorder, "u1"),
            Stranger("u2"),
            Makes(1, "u2"),
            Drops(0),
        ]
    };
    assert_eq!(after(true, &recorded_by(0)), Ok(()));
    assert!(after(false, &recorded_by(0)).is_err());
    assert!(after(true, &recorded_by(1)).is_err());
    // It has read the inventories since.
    let listed = [
        Makes(0, "u1"),
        Names(0, "u1"),
        Lists(1),
        Stranger("u2"),
        Makes(1, "u2"),
        Drops(0),
    ];
    assert!(after(true, &listed).is_err());
    // The object was ours already: whoever wrote it last changed nothing about its name.
    let ours = [
        Lists(1),
        Makes(0, "u2"),
        Names(0, "u1"),
        Makes(1, "u2"),
        Drops(0),
    ];
    assert!(after(true, &ours).is_err());
}
