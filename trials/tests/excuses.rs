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
    for excuse in [Excuse::NoAccount, Excuse::ForeignOwner(key)] {
        // A new one doesn't compile here: it needs its reason.
        let reason = match excuse {
            Excuse::NoAccount => "I2: nobody may act, and the condition says what to set",
            Excuse::ForeignOwner(_) => {
                "K13: nobody's object is taken, and the condition names whose it is"
            }
        };
        assert!(reason.len() > 20);
    }
}
