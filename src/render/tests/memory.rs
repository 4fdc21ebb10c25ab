//! What hostile input may take of memory, counted by the allocator: of each step from an artifact's
//! bytes to objects, what it takes beside what it was given.

use std::io::Write;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use peak_alloc::PeakAlloc;
use stageset_render::kustomize::{self, Options};
use stageset_render::{Digest, Limits, Object, Tree, Variables, build, substitute, unpack};

use crate::archive::{file, typed};

/// The budget of a step.
const BUDGET: usize = 256 * 1024 * 1024;

const MIB: usize = 1024 * 1024;

/// What a step does with the input that was made for it.
type Step = Box<dyn FnOnce() -> Result<String, String>>;

/// How a case ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is refused, by the name of the bound.
    Limit,
    /// It is refused for what is wrong with it, of which there is very much.
    Problems,
    /// It just fits.
    Fits,
}

/// Each case with what makes its input, and how it ends.
const CASES: &[(&str, fn(&str) -> Step, End)] = &[
    ("aliases", kustomization, End::Limit),
    ("mappings", kustomization, End::Limit),
    ("scalars", kustomization, End::Limit),
    ("patches", kustomization, End::Limit),
    ("generators", kustomization, End::Limit),
    ("long aliases", kustomization, End::Limit),
    ("long anchors", kustomization, End::Limit),
    ("long prefix", kustomization, End::Limit),
    ("long namespace", kustomization, End::Limit),
    ("long label", kustomization, End::Limit),
    ("long annotation", kustomization, End::Limit),
    ("long image", kustomization, End::Limit),
    ("long replacement", kustomization, End::Limit),
    ("long variable", kustomization, End::Limit),
    ("long mistakes", kustomization, End::Problems),
    ("long places", kustomization, End::Fits),
    ("prefixes of commas", kustomization, End::Limit),
    ("labels in lists", kustomization, End::Limit),
    ("images in a list", kustomization, End::Limit),
    ("names in a list", kustomization, End::Limit),
    ("namespaces in a list", kustomization, End::Limit),
    ("references in a list", kustomization, End::Limit),
    ("replacements in a list", kustomization, End::Limit),
    ("variables in a list", kustomization, End::Limit),
    ("records of transformers", kustomization, End::Limit),
    ("most mappings", kustomization, End::Fits),
    ("most of both", kustomization, End::Fits),
    ("most objects", kustomization, End::Fits),
    ("archive of long names", archive, End::Limit),
    ("archive of short names", archive, End::Limit),
    ("archive of files", archive, End::Limit),
    ("most in an archive", archive, End::Fits),
    ("folder of mappings", folder, End::Limit),
    ("folder of scalars", folder, End::Limit),
    ("folder of wide lists", folder, End::Limit),
    ("folder of anchors", folder, End::Limit),
    ("most wide JSON", folder, End::Fits),
    ("folder of mistakes", folder, End::Problems),
    ("folder of bad YAML", folder, End::Problems),
    ("folder of long aliases", folder, End::Limit),
    ("most in a folder", folder, End::Fits),
    ("variables that are lists", variables, End::Limit),
    ("variables that are long", variables, End::Problems),
    ("variables that aren't set", variables, End::Problems),
    ("variables below a long key", variables, End::Problems),
    ("most variables", variables, End::Fits),
];

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

/// A text of a MiB, repeated by aliases. Their number allows a hundred thousand, but this has to fail
/// on a machine that it doesn't take down.
fn long_aliases(name: &str, times: usize) -> String {
    let long = "x".repeat(MIB);
    let aliases = "*a,".repeat(times);
    format!("{}a: &a {long}\nb: [{aliases}]\n", config_map(name))
}

/// Builds of kustomizations.
fn kustomization(case: &str) -> Step {
    let long = "x".repeat(MIB);
    let mut files: Vec<(String, String)> = match case {
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
            let list = "{a: 1},".repeat(9 * MIB / 7);
            vec![("a.yaml".into(), format!("{}x: [{list}]\n", config_map("a")))]
        }
        "scalars" => {
            let list = "1,".repeat(4 * MIB / 2);
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
        "patches" | "long prefix" | "long namespace" | "long label" | "long annotation"
        | "long mistakes" | "long replacement" | "prefixes of commas" | "long variable"
        | "long image" => {
            let objects: String = (0..5000)
                .map(|n| {
                    format!(
                        "{}spec: {{v: $(v), containers: [{{name: a, image: a}}]}}\n---\n",
                        config_map(&format!("n{n}"))
                    )
                })
                .collect();
            let long =
                format!("apiVersion: v1\nkind: Long\nmetadata: {{name: long}}\nlong: {long}\n");
            vec![("a.yaml".into(), objects), ("long.yaml".into(), long)]
        }
        "long places" | "records of transformers" => {
            let folder = match case {
                "long places" => format!("{}/", "d".repeat(250)).repeat(15),
                _ => String::new(),
            };
            let objects = (0..9000).map(|n| format!("{}---\n", config_map(&format!("n{n}"))));
            vec![(format!("{folder}a.yaml"), objects.collect())]
        }
        // One object, in which a short text stands in a thousand places.
        "labels in lists" => {
            let list = "- {}\n".repeat(50_000);
            let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec:\n  \
                       volumeClaimTemplates:\n";
            vec![(
                "a.yaml".into(),
                format!("{set}{}", list.replace("- ", "  - ")),
            )]
        }
        "images in a list" => {
            let list = "- {image: a}\n".repeat(1000);
            vec![(
                "a.yaml".into(),
                format!("{}containers:\n{list}", config_map("a")),
            )]
        }
        "names in a list" => {
            let list = "- {name: a}\n".repeat(1000);
            let text =
                format!("apiVersion: e.com/v1\nkind: Of\nmetadata: {{name: a}}\nitems:\n{list}");
            vec![("a.yaml".into(), text)]
        }
        "namespaces in a list" => {
            let list = "- {kind: ServiceAccount, name: default}\n".repeat(1000);
            let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: \
                           a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}\n";
            vec![("a.yaml".into(), format!("{binding}subjects:\n{list}"))]
        }
        "references in a list" => {
            let list = "    - {name: a, configMap: {name: b}}\n".repeat(1000);
            let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  volumes:\n";
            vec![("a.yaml".into(), format!("{pod}{list}"))]
        }
        "replacements in a list" | "variables in a list" => {
            let long =
                format!("apiVersion: v1\nkind: Long\nmetadata: {{name: long}}\nlong: {long}\n");
            let text = format!("{}list:\n{}", config_map("a"), "- $(v)\n".repeat(1000));
            vec![("a.yaml".into(), text), ("long.yaml".into(), long)]
        }
        "long aliases" => vec![("a.yaml".into(), long_aliases("a", 400))],
        "long anchors" => {
            let (open, shut) = ("&a [".repeat(95), "]".repeat(95));
            let text = format!(
                "{}x: {open}{}{shut}\n",
                config_map("a"),
                "x".repeat(15 * MIB)
            );
            vec![("a.yaml".into(), text)]
        }
        "most of both" => (0..4)
            .map(|file| {
                let list = format!("{{a: {}}},", "x".repeat(200)).repeat(65_000);
                let text = format!("{}x: [{list}]\n", config_map(&format!("n{file}")));
                (format!("f{file}.yaml"), text)
            })
            .collect(),
        _ => vec![("long.txt".into(), "x".repeat(15 * MIB))],
    };
    let mut text = String::from("resources:\n");
    for (file, _) in files.iter().filter(|(file, _)| file.ends_with(".yaml")) {
        text.push_str(&format!("- {file}\n"));
    }
    match case {
        "patches" => {
            text.push_str(&format!(
                "patches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n    kind: ConfigMap\n    \
                 metadata: {{name: x}}\n    data: {{long: {long}}}\n"
            ));
        }
        "long prefix" => text.push_str(&format!("namePrefix: {long}\n")),
        "prefixes of commas" => text.push_str(&format!("namePrefix: '{}'\n", ",".repeat(13_000))),
        "long places" | "records of transformers" => {
            text.push_str("buildMetadata: [originAnnotations, transformerAnnotations]\npatches:\n");
            for _ in 0..if case.contains("records") { 600 } else { 1 } {
                text.push_str("- {target: {kind: Nothing}, patch: \"kind: A\\nmetadata: {name: a}\"}\n");
            }
        }
        "labels in lists" => text.push_str(&format!("commonLabels: {{a: {}}}\n", &long[..10_000])),
        "images in a list" => text.push_str(&format!("images: [{{name: a, newName: {long}}}]\n")),
        "names in a list" => {
            text.push_str(&format!("namePrefix: {long}\nconfigurations: [fields.yaml]\n"));
            let fields = "namePrefix: [{path: items/name, kind: Of}]\n";
            files.push(("fields.yaml".into(), fields.into()));
        }
        "namespaces in a list" => text.push_str(&format!("namespace: {long}\n")),
        "references in a list" => {
            text = String::from("resources: [base, a.yaml]\n");
            let base = format!("namePrefix: {long}\nresources: [b.yaml]\n");
            files.push(("base/kustomization.yaml".into(), base));
            files.push(("base/b.yaml".into(), config_map("b")));
        }
        "replacements in a list" => text.push_str(
            "replacements:\n- source: {kind: Long, fieldPath: long}\n  targets:\n  - select: {kind: \
             ConfigMap}\n    fieldPaths: ['list.*']\n",
        ),
        "variables in a list" => {
            text.push_str(
                "vars: [{name: v, objref: {apiVersion: v1, kind: Long, name: long}, fieldref: \
                 {fieldpath: long}}]\nconfigurations: [vars.yaml]\n",
            );
            files.push(("vars.yaml".into(), "varReference: [{path: list}]\n".into()));
        }
        "long namespace" => text.push_str(&format!("namespace: {long}\n")),
        "long label" => text.push_str(&format!("commonLabels: {{a: {long}}}\n")),
        "long annotation" => text.push_str(&format!("commonAnnotations: {{a: {long}}}\n")),
        "long image" => text.push_str(&format!("images: [{{name: a, newName: {long}}}]\n")),
        "long replacement" => text.push_str(
            "replacements:\n- source: {kind: Long, fieldPath: long}\n  targets:\n  - select: {kind: \
             ConfigMap}\n    fieldPaths: [spec.v]\n",
        ),
        "long variable" => {
            text.push_str(
                "vars: [{name: v, objref: {apiVersion: v1, kind: Long, name: long}, fieldref: \
                 {fieldpath: long}}]\nconfigurations: [vars.yaml]\n",
            );
            files.push(("vars.yaml".into(), "varReference: [{path: spec/v}]\n".into()));
        }
        "long mistakes" => text.push_str(&format!(
            "patches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n    - op: remove\n      path: \
             /{long}\n"
        )),
        "generators" => {
            text = String::from("secretGenerator:\n");
            for n in 0..10 {
                text.push_str(&format!("- name: s{n}\n  files: [long.txt]\n"));
            }
        }
        _ => {}
    }
    let kustomization = [("kustomization.yaml".to_owned(), text)];
    let tree = Tree::from_files(files.into_iter().chain(kustomization)).unwrap();
    Box::new(move || {
        kustomize::build(&tree, "", &Options::default())
            .map(|objects| format!("{} objects", objects.len()))
            .map_err(|problems| problems[0].to_string())
    })
}

/// Artifacts that inflate to almost as much as they may.
fn archive(case: &str) -> Step {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut inflated = 0;
    for n in 0.. {
        let entries = match case {
            // A path as long as it may be, spelled so that it has to be kept twice.
            "archive of long names" => {
                let name = format!("{}/./{n}", "d".repeat(4080));
                vec![
                    typed("././@LongLink", b'L').contents(name + "\0"),
                    file("x", "x"),
                ]
            }
            "archive of short names" if n < 250_000 => vec![file(&n.to_string(), "")],
            "archive of files" => vec![file(&n.to_string(), vec![0; 15 * MIB])],
            _ if n < 4 => vec![file(&n.to_string(), vec![0; 15 * MIB])],
            _ if n < 50_000 => vec![file(&format!("{n}/{}", "n".repeat(90)), "")],
            _ => vec![],
        };
        if entries.is_empty() || inflated > 500 * MIB {
            break;
        }
        for entry in entries {
            let bytes = entry.bytes();
            inflated += bytes.len();
            packed.write_all(&bytes).unwrap();
        }
    }
    packed.write_all(&[0; 1024]).unwrap();
    let packed = packed.finish().unwrap();
    Box::new(move || {
        unpack(&packed, &Digest::of(&packed), &Limits::default())
            .map(|tree| format!("{} files", tree.len()))
            .map_err(|error| error.to_string())
    })
}

/// Builds of folders without a kustomization, each file within the bounds of one.
fn folder(case: &str) -> Step {
    let files: Vec<String> = match case {
        "folder of mappings" => {
            let list = "{a: 1},".repeat(250_000);
            let text = |n| format!("{}x: [{list}]\n", config_map(&format!("n{n}")));
            (0..8).map(text).collect()
        }
        "folder of scalars" => {
            let list = "1,".repeat(1_000_000);
            let text = |n| format!("{}x: [{list}]\n", config_map(&format!("n{n}")));
            (0..16).map(text).collect()
        }
        "folder of mistakes" => (0..40).map(|_| "---\na: 1\n".repeat(9999)).collect(),
        // Nothing of these shows to those who count before the last bracket.
        "folder of wide lists" => vec![format!(
            "{}x:\n- [{}]\n",
            config_map("a"),
            "[],".repeat(700_000)
        )],
        "folder of anchors" => vec![format!(
            "{}x:\n- [{}]\n",
            config_map("a"),
            "&a ".repeat(900_000)
        )],
        "most wide JSON" => vec![format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {{\"name\": \"a\"}}, \"x\": [{}0]}}",
            "{\"a\": 1},".repeat(240_000)
        )],
        "folder of long aliases" => (0..30)
            .map(|n| long_aliases(&format!("n{n}"), 14))
            .collect(),
        "folder of bad YAML" => (0..5_000).map(|_| "a: [".repeat(700)).collect(),
        _ => (0..99)
            .map(|file| {
                let list = "{a: 1},".repeat(23);
                (0..100)
                    .map(|n| format!("{}x: [{list}]\n---\n", config_map(&format!("n{file}-{n}"))))
                    .collect()
            })
            .collect(),
    };
    let named = files.into_iter().enumerate();
    let named = named.map(|(n, text)| (format!("{}{n}.yaml", "f".repeat(100)), text));
    let tree = Tree::from_files(named).unwrap();
    Box::new(move || {
        build(&tree, "", &Limits::default())
            .map(|objects| format!("{} objects", objects.len()))
            .map_err(|problems| problems[0].to_string())
    })
}

/// Substitutions in objects.
fn variables(case: &str) -> Step {
    let (fields, value) = match case {
        "variables that are lists" => (
            "- ${v}\n".repeat(64),
            format!("[{}]", "{a: 1},".repeat(20_000)),
        ),
        "variables that are long" => ("- ${v}\n".repeat(100_000), "x".repeat(MIB)),
        "variables that aren't set" => ("- ${w}\n".repeat(1_000_000), String::new()),
        "variables below a long key" => ("- ${w}\n".repeat(1000), String::new()),
        _ => ("- ${v}\n".repeat(40), "x".repeat(MIB)),
    };
    let key = match case {
        "variables below a long key" => "k".repeat(MIB),
        _ => "x".to_owned(),
    };
    let text = format!("{}? {key}\n:\n{fields}", config_map("a"));
    let tree = Tree::from_files([("a.yaml", text)]).unwrap();
    let mut objects: Vec<Object> = build(&tree, "", &Limits::default()).unwrap();
    let mut variables = Variables::default();
    variables.set("v", value).unwrap();
    Box::new(move || {
        substitute(&mut objects, &variables, &Limits::default())
            .map(|()| format!("{} objects", objects.len()))
            .map_err(|problems| problems[problems.len() - 1].to_string())
    })
}

/// Counts what this process has allocated, and the most that it had.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[test]
#[ignore = "in a process of its own; hostile_input_stays_within_the_budget runs it"]
fn all_cases() {
    // While one case is worked on, the others can be left out.
    let only = std::env::var("STAGESET_MEMORY_CASE").unwrap_or_default();
    for (case, input, _) in CASES.iter().filter(|case| case.0.contains(&only)) {
        let step = input(case);
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let outcome = step();
        let taken = ALLOCATOR.peak_usage() - before;
        let said = outcome.unwrap_or_else(|said| said).replace('\n', " ");
        // Names that are long on purpose stand in the middle.
        let end = said.len().saturating_sub(300);
        let end = said.char_indices().map(|(at, _)| at).find(|at| *at >= end);
        let said = &said[end.unwrap_or_default()..];
        println!("\ncase {case}: {taken} bytes; {said}");
    }
}

/// Other tests would allocate in between, so the cases are built in a process that does nothing else.
#[test]
fn hostile_input_stays_within_the_budget() {
    assert_eq!(Limits::default(), Options::default().limits);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::all_cases", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for (case, _, end) in CASES {
        let start = format!("case {case}: ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        let (taken, said) = line.unwrap().split_once(" bytes; ").unwrap();
        println!("{case}: {taken} bytes; {said}");
        let taken: usize = taken.parse().unwrap();
        assert!(taken <= BUDGET, "{case} took {taken} bytes; {said}");
        assert!(
            *end == End::Problems || taken > BUDGET / 100,
            "{case} took {taken} bytes: it can't be hostile"
        );
        let limited = said.contains("limit of");
        assert!(
            *end == End::Problems || limited == (*end == End::Limit),
            "{case}: {said}"
        );
        let fits = said.ends_with(" objects") || said.ends_with(" files");
        assert_eq!(fits, *end == End::Fits, "{case}: {said}");
    }
}
