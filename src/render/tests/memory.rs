//! What a hostile kustomization may take of memory, counted by the allocator.

use std::process::Command;

use peak_alloc::PeakAlloc;
use stageset_render::kustomize::{self, Options};
use stageset_render::{Limits, Tree};

/// The budget of a build.
const BUDGET: usize = 256 * 1024 * 1024;

const CASES: [&str; 7] = [
    "aliases",
    "mappings",
    "scalars",
    "patches",
    "generators",
    "most mappings",
    "most objects",
];

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

fn tree(case: &str) -> Tree {
    let mib = 1024 * 1024;
    let files: Vec<(String, String)> = match case {
        // What just fits.
        "most mappings" => {
            let list = "{a: 1},".repeat(260_000);
            vec![("a.yaml".into(), format!("{}x: [{list}]\n", config_map("a")))]
        }
        "most objects" => (0..2)
            .map(|file| {
                let list = "{a: 1},".repeat(24);
                let texts = (0..4999)
                    .map(|n| format!("{}x: [{list}]\n---\n", config_map(&format!("n{file}-{n}"))));
                (format!("f{file}.yaml"), texts.collect::<String>())
            })
            .collect(),
        // What takes most in memory for what it is in the file.
        "mappings" => {
            let list = "{a: 1},".repeat(9 * mib / 7);
            vec![("a.yaml".into(), format!("{}x: [{list}]\n", config_map("a")))]
        }
        "scalars" => {
            let list = "1,".repeat(4 * mib / 2);
            vec![("a.yaml".into(), format!("{}x: [{list}]\n", config_map("a")))]
        }
        // Each document within the bound of aliases, all of them together far beyond any.
        "aliases" => {
            let texts = (0..9000).map(|n| {
                let (a, b) = ("{},".repeat(100), "*a,".repeat(100));
                format!(
                    "{}a: &a [{a}]\nb: &b [{b}]\nc: [*b,*b,*b,*b]\n---\n",
                    config_map(&format!("n{n}"))
                )
            });
            vec![("a.yaml".into(), texts.collect())]
        }
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
            for n in 0..10 {
                text.push_str(&format!("- name: s{n}\n  files: [long.txt]\n"));
            }
        }
        _ => {}
    }
    let kustomization = [("kustomization.yaml".to_owned(), text)];
    Tree::from_files(files.into_iter().chain(kustomization)).unwrap()
}

/// Counts what this process has allocated, and the most that it had.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[test]
#[ignore = "in a process of its own; hostile_kustomizations_stay_within_the_budget runs it"]
fn all_cases() {
    for case in CASES {
        let tree = tree(case);
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let outcome = kustomize::build(&tree, "", &Options::default());
        let taken = ALLOCATOR.peak_usage() - before;
        let said = match outcome {
            Ok(objects) => format!("{} objects", objects.len()),
            Err(problems) => problems[0].to_string(),
        };
        println!("\ncase {case}: {taken} bytes; {said}");
    }
}

/// Other tests would allocate in between, so the cases are built in a process that does nothing else.
#[test]
fn hostile_kustomizations_stay_within_the_budget() {
    assert_eq!(Limits::default(), Options::default().limits);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::all_cases", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for case in CASES {
        let start = format!("case {case}: ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        let (taken, said) = line.unwrap().split_once(" bytes; ").unwrap();
        println!("{case}: {taken} bytes; {said}");
        let taken: usize = taken.parse().unwrap();
        assert!(taken <= BUDGET, "{case} took {taken} bytes; {said}");
        assert!(
            taken > BUDGET / 100,
            "{case} took {taken} bytes: it can't be hostile"
        );
        let fits = case.starts_with("most");
        assert_eq!(said.contains("limit"), !fits, "{case}: {said}");
    }
}
