//! A16 of `attacks.md`: what a kustomization writes in many places is counted where it is written.
//!
//! Each case writes a long text in a hundred places in one way only, so that a build which doesn't
//! count that way isn't stopped.

use stageset_render::kustomize::{self, Options};
use stageset_render::{Limits, Tree};

const PLACES: usize = 100;

/// Bytes of the text.
const LONG: usize = 10_000;

/// More than what is read and a few copies, less than all that is written.
fn bytes() -> Limits {
    Limits {
        build_bytes: 300_000,
        ..Limits::default()
    }
}

/// Less than twice of it.
fn twice() -> Limits {
    Limits {
        build_bytes: PLACES * LONG * 3 / 2,
        ..Limits::default()
    }
}

fn nodes() -> Limits {
    Limits {
        build_nodes: 30_000,
        ..Limits::default()
    }
}

type Files = Vec<(String, String)>;

fn files<const N: usize>(files: [(&str, String); N]) -> Files {
    files
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect()
}

fn object(name: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{rest}---\n")
}

fn objects(rest: &str) -> String {
    (0..PLACES)
        .map(|index| object(&format!("n{index}"), rest))
        .collect()
}

/// An object of which a text is the value of `long`.
fn holder(long: &str) -> String {
    format!("apiVersion: v1\nkind: Long\nmetadata: {{name: long}}\nlong: {long}\n")
}

fn many(kustomization: &str) -> Files {
    files([
        (
            "kustomization.yaml",
            format!("resources: [a.yaml]\n{kustomization}"),
        ),
        ("a.yaml", objects("containers: [{name: a, image: a}]\n")),
    ])
}

/// References to one object, whose name a base makes long.
fn references(referrer: &str, reference: &str, target: &str) -> Files {
    let long = "x".repeat(LONG);
    files([
        ("kustomization.yaml", "resources: [base, a.yaml]\n".into()),
        ("a.yaml", format!("{referrer}{}", reference.repeat(PLACES))),
        (
            "base/kustomization.yaml",
            format!("namePrefix: {long}\nresources: [b.yaml]\n"),
        ),
        ("base/b.yaml", target.into()),
    ])
}

fn cases() -> Vec<(&'static str, Limits, Files)> {
    let long = "x".repeat(LONG);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  volumes:\n";
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\n\
                   roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}\nsubjects:\n";
    let listed = "apiVersion: e.com/v1\nkind: Of\nmetadata: {name: a}\nitems:\n";
    let folder = format!("{}/", "d".repeat(250)).repeat(15);
    let variable = "vars: [{name: v, objref: {apiVersion: v1, kind: Long, name: long}, fieldref: \
                    {fieldpath: long}}]\nconfigurations: [vars.yaml]\nresources: [a.yaml, long.yaml]\n";
    let replacement = "replacements:\n- source: {kind: Long, fieldPath: long}\n  targets:\n  - select: \
                       {kind: ConfigMap}\n    fieldPaths: [x]\n    options: {create: true}\n\
                       resources: [a.yaml, long.yaml]\n";
    let value = format!(
        "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {{name: t}}\nvalue: {long}\n\
         targets:\n- fieldPath: spec/text\n  selector: {{kind: ConfigMap}}\n"
    );
    let copied = "    - {op: copy, from: /long, path: /b}\n".repeat(PLACES);
    vec![
        (
            "a namespace",
            bytes(),
            many(&format!("namespace: {long}\n")),
        ),
        (
            "a prefix remembered",
            nodes(),
            many(&format!("namePrefix: '{}'\n", ",".repeat(1000))),
        ),
        (
            "a prefix written",
            bytes(),
            files([
                (
                    "kustomization.yaml",
                    format!("namePrefix: {long}\nconfigurations: [f.yaml]\nresources: [a.yaml]\n"),
                ),
                (
                    "f.yaml",
                    "namePrefix: [{path: items/name, kind: Of}]\n".into(),
                ),
                (
                    "a.yaml",
                    format!("{listed}{}", "- {name: a}\n".repeat(PLACES)),
                ),
            ]),
        ),
        (
            "a label",
            bytes(),
            many(&format!("commonLabels: {{a: {long}}}\n")),
        ),
        (
            "labels' mappings",
            nodes(),
            many(&format!(
                "commonAnnotations: {{{}}}\n",
                (0..400)
                    .map(|index| format!("a{index}: b,"))
                    .collect::<String>()
            )),
        ),
        (
            "an image",
            bytes(),
            many(&format!("images: [{{name: a, newName: {long}}}]\n")),
        ),
        (
            "a reference",
            bytes(),
            references(
                pod,
                "  - {name: a, configMap: {name: b}}\n",
                &object("b", ""),
            ),
        ),
        (
            "a subject",
            bytes(),
            references(
                binding,
                "- {kind: ServiceAccount, name: b}\n",
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: b}\n",
            ),
        ),
        (
            "a variable",
            bytes(),
            files([
                ("kustomization.yaml", variable.into()),
                ("vars.yaml", "varReference: [{path: x}]\n".into()),
                ("a.yaml", objects("x: $(v)\n")),
                ("long.yaml", holder(&long)),
            ]),
        ),
        (
            "a replacement",
            bytes(),
            files([
                ("kustomization.yaml", replacement.into()),
                ("a.yaml", objects("")),
                ("long.yaml", holder(&long)),
            ]),
        ),
        (
            "a value",
            bytes(),
            files([
                (
                    "kustomization.yaml",
                    "resources: [a.yaml]\ntransformers: [t.yaml]\n".into(),
                ),
                ("a.yaml", objects("")),
                ("t.yaml", value),
            ]),
        ),
        (
            "an origin",
            bytes(),
            files([
                (
                    "kustomization.yaml",
                    format!("buildMetadata: [originAnnotations]\nresources: ['{folder}a.yaml']\n"),
                ),
                (&format!("{folder}a.yaml"), objects("")),
            ]),
        ),
        (
            "a record of a transformer",
            bytes(),
            many(&format!(
                "buildMetadata: [originAnnotations, transformerAnnotations]\npatches:\n{}",
                "- {target: {kind: Nothing}, patch: \"kind: A\\nmetadata: {name: a}\"}\n"
                    .repeat(60)
            )),
        ),
        (
            "a patch",
            bytes(),
            many(&format!(
                "patches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n    kind: ConfigMap\n    \
                 metadata: {{name: x}}\n    data: {{long: {long}}}\n"
            )),
        ),
        // Those that rename keep what they replace.
        (
            "a long name kept",
            bytes(),
            files([
                (
                    "kustomization.yaml",
                    format!(
                        "resources: [a.yaml]\npatches:\n{}",
                        "- {target: {kind: Nothing}, patch: \"kind: A\\nmetadata: {name: a}\"}\n"
                            .repeat(PLACES)
                    ),
                ),
                ("a.yaml", object(&long, "")),
            ]),
        ),
        // Read and applied: each alone would fit.
        (
            "a patch for one object",
            twice(),
            files([
                (
                    "kustomization.yaml",
                    format!(
                        "resources: [a.yaml]\npatches:\n{}",
                        "- path: p.yaml\n".repeat(PLACES)
                    ),
                ),
                ("a.yaml", object("a", "")),
                ("p.yaml", object("a", &format!("data: {{a: {long}}}\n"))),
            ]),
        ),
        (
            "a patch in JSON",
            bytes(),
            many(&format!(
                "patches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n    - {{op: add, path: /x, \
                 value: {long}}}\n"
            )),
        ),
        (
            "a copy by a patch in JSON",
            bytes(),
            files([
                (
                    "kustomization.yaml",
                    format!(
                        "resources: [a.yaml]\npatches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n{copied}"
                    ),
                ),
                ("a.yaml", object("a", &format!("long: {long}\n"))),
            ]),
        ),
        // Read and generated: each alone would fit.
        (
            "a generated file",
            twice(),
            files([
                (
                    "kustomization.yaml",
                    format!(
                        "configMapGenerator:\n{}",
                        (0..PLACES)
                            .map(|index| format!("- {{name: g{index}, files: [long.txt]}}\n"))
                            .collect::<String>()
                    ),
                ),
                ("long.txt", long.clone()),
            ]),
        ),
    ]
}

fn build(files: &Files, limits: Limits) -> Result<usize, String> {
    let tree = Tree::from_files(files.clone()).unwrap();
    let options = Options {
        limits,
        ..Options::default()
    };
    kustomize::build(&tree, "", &options)
        .map(|objects| objects.len())
        .map_err(|problems| {
            let said = problems.last().unwrap().to_string();
            said.chars()
                .rev()
                .take(300)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect()
        })
}

#[test]
fn attack_a16_what_is_written_in_many_places_is_counted_there() {
    let mut wrong = Vec::new();
    for (case, limits, files) in cases() {
        let within = build(&files, Limits::default());
        let beyond = build(&files, limits);
        let stopped =
            |said: &String| said.contains("limit of") && said.contains("read and written");
        if within.is_err() || !beyond.as_ref().is_err_and(stopped) {
            wrong.push(format!("{case}: within {within:?}, beyond {beyond:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
