//! The reasons for which a release may stand still although nothing is broken: these and no others.

use stageset_core::object::ObjectKey;
use stageset_trials::property::rest::Excuse;

#[test]
fn only_these_excuse_a_release_that_stands_still() {
    let key = ObjectKey {
        name: "n".into(),
        kind: "Secret".into(),
        namespace: None,
        group: String::new(),
    };
    for excuse in [
        Excuse::NoAccount,
        Excuse::ForeignOwner(key.clone()),
        Excuse::OutOfBounds(key),
    ] {
        // A new one doesn't compile here: it needs its reason.
        let reason = match excuse {
            Excuse::NoAccount => "I2: nobody may act, and the condition says what to set",
            Excuse::ForeignOwner(_) => {
                "K13: nobody's object is taken, and the condition names whose it is"
            }
            Excuse::OutOfBounds(_) => {
                "A14: nothing is sent for it, and the condition says what to add to the list"
            }
        };
        assert!(reason.len() > 20);
    }
}
