//! Every reason has its runbook page, and every page its reason.

use std::collections::BTreeSet;
use std::path::Path;

use stageset_api::reason::Reason;

#[test]
fn every_reason_has_a_page_that_says_what_it_means_how_to_see_why_and_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbooks");
    let mut expected = BTreeSet::from(["README.md".to_owned()]);
    for reason in Reason::ALL {
        let file = format!("{}.md", reason.as_str().to_lowercase());
        assert!(
            reason
                .runbook()
                .ends_with(&format!("/{}/", reason.as_str().to_lowercase()))
        );
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
        "pages without a reason, or the other way round"
    );
}
