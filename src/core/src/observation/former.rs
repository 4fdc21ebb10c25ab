//! A recreated account is another one: nothing that the former one saw answers it (A07).

use crate::identity::Identity;
use crate::names::ServiceAccountName;

use super::{AccountState, Facts};

impl Facts {
    /// Forgets what an account saw, unless this is still the same one. For whoever has looked at an
    /// account, before that is recorded.
    pub fn forget_former(&mut self, name: &ServiceAccountName, state: &AccountState) {
        let before = self.accounts.get(name).map(|fact| &fact.value);
        let same = match (before, state) {
            (Some(AccountState::Exists { uid: before }), AccountState::Exists { uid: now }) => {
                before == now
            }
            // In between it may have been another one.
            (Some(_), AccountState::Exists { .. }) | (_, AccountState::Absent) => false,
            (None, AccountState::Exists { .. }) | (_, AccountState::Unreadable(_)) => true,
        };
        if same {
            return;
        }
        let keeps = |identity: &Identity| identity.local_account() != Some(name);
        self.objects.retain(|identity, _, _| keeps(identity));
        self.labelled.retain(|(identity, _), _| keeps(identity));
        self.variables.retain(|(identity, _), _| keeps(identity));
        self.reviews.retain(keeps);
        self.actions.forget_looks();
    }
}

#[cfg(test)]
mod tests {
    use crate::failure::{Fact, Failure, FailureClass};
    use crate::identity::{Target, Tenancy};
    use crate::names::{Namespace, ObjectName, StageName};
    use crate::object::ObjectKey;
    use crate::observation::{
        AccessState, Answer, Labelled, LiveState, Question, RulesState, Values, VariableState,
    };
    use crate::rights::{Right, Rules, Verb};
    use crate::spec::{VariableKind, VariableSource};
    use crate::time::Timestamp;

    use super::*;

    fn account(name: &str) -> ServiceAccountName {
        ServiceAccountName::new(name).unwrap()
    }

    fn identity(name: &str) -> Identity {
        let namespace = Namespace::new("shop").unwrap();
        Identity::resolve(
            Tenancy::Multi,
            &namespace,
            Some(&account(name)),
            &Target::Local,
        )
        .unwrap()
    }

    fn key() -> ObjectKey {
        ObjectKey {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("shop".into()),
            name: "a".into(),
        }
    }

    fn search() -> Labelled {
        Labelled {
            stage: StageName::new("app").unwrap(),
            group: String::new(),
            version: "v1".into(),
            kind: "ConfigMap".into(),
            plural: "configmaps".into(),
            namespace: Some("shop".into()),
        }
    }

    fn variables() -> VariableSource {
        VariableSource {
            kind: VariableKind::Secret,
            name: ObjectName::new("db").unwrap(),
        }
    }

    fn right() -> Right {
        Right {
            namespace: Some("shop".into()),
            group: String::new(),
            resource: "secrets".into(),
            verb: Verb::Get,
            name: String::new(),
        }
    }

    /// Everything that there is to be known, as this account saw it.
    fn saw(facts: &mut Facts, name: &str) {
        let (identity, at) = (identity(name), Timestamp::from_millis(0));
        facts.objects.entry(&identity, &key()).live = Some(Fact::seen(LiveState::Absent, at));
        let found = Fact::seen(Ok(Vec::new()), at);
        facts.labelled.insert((identity.clone(), search()), found);
        let found = VariableState::Found {
            values: Values::default(),
            version: "1".into(),
        };
        let source = (identity.clone(), variables());
        facts.variables.insert(source, Fact::seen(found, at));
        let rules = RulesState::Known(Rules::default().into());
        let reviews = &mut facts.reviews;
        reviews.insert_rules(&identity, "shop".into(), Fact::seen(rules, at));
        let access = Fact::seen(AccessState::Answered(true), at);
        reviews.insert_access(&identity, right(), access);
        let question = Question::Exists;
        facts
            .actions
            .looked(&identity, &key(), &question, Answer::Absent, at);
    }

    /// What is known as this account saw it.
    fn known(facts: &Facts, name: &str) -> [bool; 6] {
        let identity = identity(name);
        [
            facts.objects.get(&identity, &key()).is_some(),
            facts.labelled.get(&(identity.clone(), search())).is_some(),
            facts
                .variables
                .get(&(identity.clone(), variables()))
                .is_some(),
            facts.reviews.rules(&identity, "shop").is_some(),
            facts.reviews.access(&identity, &right()).is_some(),
            facts
                .actions
                .look(&identity, &key(), &Question::Exists)
                .is_some(),
        ]
    }

    fn exists(uid: &str) -> AccountState {
        AccountState::Exists { uid: uid.into() }
    }

    fn unreadable() -> AccountState {
        let class = FailureClass::Transient { retry_after: None };
        AccountState::Unreadable(Failure::new(class, "no answer"))
    }

    #[test]
    fn attack_a07_each_thing_that_a_former_account_saw_is_forgotten_and_nobody_elses() {
        for (before, now, same) in [
            (Some(exists("1")), exists("1"), true),
            (Some(exists("1")), exists("2"), false),
            (Some(exists("1")), AccountState::Absent, false),
            (Some(exists("1")), unreadable(), true),
            // Whoever was there in between isn't known.
            (Some(AccountState::Absent), exists("1"), false),
            (Some(unreadable()), exists("1"), false),
            (None, exists("1"), true),
            (None, unreadable(), true),
            (None, AccountState::Absent, false),
        ] {
            let mut facts = Facts::default();
            saw(&mut facts, "deployer");
            saw(&mut facts, "other");
            if let Some(state) = before.clone() {
                let fact = Fact::seen(state, Timestamp::from_millis(0));
                facts.accounts.insert(account("deployer"), fact);
            }
            facts.forget_former(&account("deployer"), &now);
            let what = format!("{before:?}, then {now:?}");
            assert_eq!(known(&facts, "deployer"), [same; 6], "{what}");
            // What actions asked is forgotten of all: it is asked again at once.
            assert_eq!(known(&facts, "other")[..5], [true; 5], "{what}");
        }
    }
}
