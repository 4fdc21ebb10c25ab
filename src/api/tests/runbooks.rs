//! Every reason and every alert has its runbook page, and every page its reason or alert.

use std::collections::BTreeSet;
use std::path::Path;

use stageset_api::reason::Reason;

/// The alerts of the chart, by their names in its template.
fn alerts(root: &Path) -> Vec<String> {
    let template = root.join("charts/stageset-controller/templates/monitoring.yaml");
    let text = std::fs::read_to_string(template).unwrap();
    let named = text
        .split("\"alert\" \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    named.map(str::to_owned).collect()
}

#[test]
fn everything_has_a_page_that_says_what_it_means_how_to_see_why_and_what_to_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("docs/runbooks");
    let mut expected = BTreeSet::from(["README.md".to_owned()]);
    for reason in Reason::ALL {
        assert!(
            reason
                .runbook()
                .ends_with(&format!("/{}/", reason.as_str().to_lowercase()))
        );
    }
    let alerts = alerts(&root);
    assert!(alerts.len() >= 7, "{alerts:?}");
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str().to_owned());
    for reason in reasons.chain(alerts) {
        let file = format!("{}.md", reason.to_lowercase());
        let text = std::fs::read_to_string(folder.join(&file))
            .unwrap_or_else(|error| panic!("docs/runbooks/{file}: {error}"));
        assert!(text.starts_with(&format!("# {reason}\n")), "{file}");
        for heading in ["## What it means", "## How to see why", "## What to do"] {
            let (_, after) = text
                .split_once(&format!("\n{heading}\n\n"))
                .unwrap_or_else(|| panic!("{file} has no {heading:?}"));
            let said = after.split("\n## ").next().unwrap_or_default();
            assert!(
                said.trim().len() > 30,
                "{file}: {heading} says next to nothing"
            );
        }
        expected.insert(file);
    }
    let found: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        found, expected,
        "pages without a reason or alert, or the other way round"
    );
}
