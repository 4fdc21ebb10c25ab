//! The hand-made builds of `corpus/`, each compared with what the original made of it.

use stageset_render_proof::corpus::{all, pending};
use stageset_render_proof::outcome::Outcome;

#[test]
fn every_case_builds_what_kustomize_builds() {
    let pending = pending().unwrap();
    let (mut failures, mut passes_though_pending, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for entry in all().unwrap() {
        let case = &entry.case;
        let ours = Outcome::ours(&case.tree().unwrap(), &case.path);
        let expected = case.ours.as_ref().or(case.original.as_ref());
        let expected = expected.unwrap_or_else(|| {
            panic!(
                "{} has no recorded outcome: run `just render-record`",
                entry.name
            )
        });
        assert_eq!(
            case.ours.is_some(),
            case.differs.is_some(),
            "{}: `differs:` and a section of ours belong together",
            entry.name
        );
        let mut difference = ours.difference(&Outcome::recorded(expected).unwrap());
        if let Outcome::Failed(error) = &ours {
            let unsaid = case.says.iter().find(|says| !error.contains(*says));
            difference =
                difference.or(unsaid.map(|says| format!("{error:?} doesn't say {says:?}")));
        }
        match (difference, pending.contains_key(&entry.name)) {
            (Some(difference), false) => failures.push(format!("{}: {difference}", entry.name)),
            (None, true) => passes_though_pending.push(entry.name.clone()),
            _ => {}
        }
        names.push(entry.name);
    }
    for name in pending.keys() {
        assert!(
            names.contains(name),
            "corpus/PENDING names {name}, which isn't there"
        );
    }
    if !passes_though_pending.is_empty() {
        println!("remove from corpus/PENDING, they pass: {passes_though_pending:#?}");
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases differ:\n{}",
        failures.len(),
        names.len(),
        failures.join("\n")
    );
}
