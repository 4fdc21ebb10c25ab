//! What a hostile kustomization may take of memory: each case is built in a process of its own,
//! which tells the most that it had.

use std::process::Command;

use stageset_render::kustomize::{self, Options};
use stageset_render::{Limits, Tree};

/// The budget of a build.
const BUDGET_KIB: u64 = 256 * 1024;

const CASE: &str = "STAGESET_MEMORY_CASE";

const CASES: [&str; 5] = ["mappings", "scalars", "documents", "patches", "generators"];

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

fn tree(case: &str) -> Tree {
    let mib = 1024 * 1024;
    let files: Vec<(String, String)> = match case {
        // What takes most in memory for what it is in the file.
        "mappings" => {
            let list = "{a: 1},".repeat(15 * mib / 7);
            vec![("a.yaml".into(), format!("{}x: [{list}]\n", config_map("a")))]
        }
        "scalars" => {
            let list = "1,".repeat(15 * mib / 2);
            vec![("a.yaml".into(), format!("{}x: [{list}]\n", config_map("a")))]
        }
        "documents" => (0..4)
            .map(|file| {
                let list = "{a: 1},".repeat(200);
                let texts = (0..9000)
                    .map(|n| format!("{}x: [{list}]\n---\n", config_map(&format!("n{file}-{n}"))));
                (format!("f{file}.yaml"), texts.collect::<String>())
            })
            .collect(),
        // One long value, patched into many objects.
        "patches" => {
            let objects: String = (0..5000)
                .map(|n| format!("{}---\n", config_map(&format!("n{n}"))))
                .collect();
            vec![("a.yaml".into(), objects)]
        }
        _ => vec![("long.txt".into(), "x".repeat(15 * mib))],
    };
    let mut text = String::from("resources:\n");
    for (file, _) in files.iter().filter(|(file, _)| file.ends_with(".yaml")) {
        text.push_str(&format!("- {file}\n"));
    }
    match case {
        "patches" => {
            let long = "x".repeat(mib);
            text.push_str(&format!(
                "patches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n    kind: ConfigMap\n    \
                 metadata: {{name: x}}\n    data: {{long: {long}}}\n"
            ));
        }
        "generators" => {
            text = String::from("secretGenerator:\n");
            for n in 0..100 {
                text.push_str(&format!("- name: s{n}\n  files: [long.txt]\n"));
            }
        }
        _ => {}
    }
    let kustomization = [("kustomization.yaml".to_owned(), text)];
    Tree::from_files(files.into_iter().chain(kustomization)).unwrap()
}

/// A line of this process's status, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "one case in a process of its own; hostile_kustomizations_stay_within_the_budget runs it"]
fn one_case() {
    let case = std::env::var(CASE).unwrap();
    let tree = tree(&case);
    let before = status("VmRSS:");
    let problems = kustomize::build(&tree, "", &Options::default()).unwrap_err();
    println!("taken {}", status("VmHWM:").saturating_sub(before));
    println!("said {}", problems[0]);
}

#[test]
fn hostile_kustomizations_stay_within_the_budget() {
    assert_eq!(Limits::default(), Options::default().limits);
    for case in CASES {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "memory::one_case", "--ignored", "--nocapture"])
            .env(CASE, case)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{case}: {text}");
        let line = |word: &str| {
            let found = text.lines().find_map(|line| line.split_once(word));
            found.unwrap_or_else(|| panic!("{case}: {text}")).1
        };
        let taken: u64 = line("taken ").parse().unwrap();
        let said = line("said ");
        println!("{case}: {taken} KiB; {said}");
        assert!(taken <= BUDGET_KIB, "{case} took {taken} KiB; {said}");
        assert!(said.contains("limit"), "{case}: {said}");
    }
}
