//! Manifests whose YAML is odd: scalars of every spelling, anchors, merge keys, comments, block
//! scalars, tabs, line ends. What they mean is left to the parsers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Generated;
use crate::random::Random;

/// Scalars, as they stand without quotes.
const PLAIN: &[&str] = &[
    "a",
    "a b",
    "true",
    "True",
    "TRUE",
    "tRue",
    "yes",
    "Yes",
    "no",
    "on",
    "off",
    "Off",
    "y",
    "N",
    "null",
    "Null",
    "NULL",
    "~",
    "",
    "0",
    "1",
    "-1",
    "+1",
    "01",
    "007",
    "08",
    "0o17",
    "0x1F",
    "0XAB",
    "0b101",
    "-0x10",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "1.5",
    "1.",
    ".5",
    "-.5",
    "+.5",
    "1e3",
    "1E3",
    "1e-3",
    "1.5e+3",
    "1e",
    ".inf",
    "-.inf",
    "+.Inf",
    ".NaN",
    ".nan",
    "inf",
    "nan",
    "1:30",
    "190:20:30",
    "1:30.5",
    "2001-12-14",
    "2001-12-14T21:59:43Z",
    "2001-12-14 21:59:43",
    "2001-1-1",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0.1",
    "1.0",
    "100000000000000000000.5",
    "1e21",
    "12e03",
    "=",
    "<",
    "a:b",
    "a#b",
    "a: b",
    "-",
    "- a",
    ":a",
    "@a",
    "`a",
    "%a",
    "!!str 1",
    "!!int \"1\"",
    "!!float 1",
    "!!bool \"true\"",
    "!!null \"\"",
    "!!binary aGk=",
    "! a",
    "!local a",
    "&a x",
    "\"\\x41\\u00e9\\n\"",
    "'it''s'",
    "\"tab\\there\"",
    "[a, b]",
    "[a, b,]",
    "{a: b}",
    "{a}",
    "{a: }",
    "[a: b]",
    "[]",
    "{}",
    "\"a\":",
    "é",
    "日本",
    "a\tb",
    "a # c",
    "a  b",
    "*missing",
    "null null",
    "0.",
    "0e0",
    "-0",
    "-0.0",
    "0x",
    "0o8",
    "0o",
    "1,000",
    "1 000",
    "$a",
    "a\\nb",
    "\"\\q\"",
    "'a",
    "\"a",
    "a]",
    "a}",
    "---",
    "--- a",
    "|",
    ">",
    "? a",
];

/// The manifest of a seed.
pub fn manifest(seed: u64) -> Generated {
    let mut random = Random::new(seed);
    let mut text = String::new();
    if random.percent(3) {
        text.push('\u{feff}');
    }
    if random.percent(10) {
        text.push_str(random.pick(&[
            "---\n",
            "--- # c\n",
            "# c\n---\n",
            "%YAML 1.1\n---\n",
            "\n\n",
        ]));
    }
    text.push_str("apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\nspec:\n");
    for index in 0..=random.below(3) {
        entry(&mut random, index, &mut text);
    }
    if random.percent(6) {
        text.push_str(random.pick(&[
            "---\n",
            "...\n",
            "---\n# nothing\n",
            "...\n---\n",
            "--- \n",
            "---\nnull\n",
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\n",
        ]));
    }
    if random.percent(4) {
        text = text.replace('\n', "\r\n");
    }
    if random.percent(2) {
        text = text.replace('\n', "\r");
    }
    if random.percent(4) {
        text.truncate(text.trim_end().len());
    }
    let kustomization = "resources: [r.yaml]\n".as_bytes().to_vec();
    let files = [
        ("kustomization.yaml", kustomization),
        ("r.yaml", text.into_bytes()),
    ];
    Generated {
        files: files
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .collect::<BTreeMap<_, _>>(),
        path: String::new(),
    }
}

fn entry(random: &mut Random, index: usize, text: &mut String) {
    let plain = random.pick(PLAIN);
    // Writing into a text can't fail.
    let _ = match random.below(18) {
        0..=5 => writeln!(text, "  k{index}: {plain}"),
        6 => writeln!(text, "  {}: v", random.pick(PLAIN)),
        7 => writeln!(text, "  k{index}: &x {plain}\n  l{index}: *x"),
        8 => writeln!(
            text,
            "  k{index}: &x\n    a: {plain}\n    b: 2\n  l{index}:\n    <<: *x\n    b: 3"
        ),
        9 => {
            let head = random.pick(&[
                "|", "|-", "|+", ">", ">-", ">+", "|2", "|1-", ">-2", "|0", "| # c",
            ]);
            let body = random.pick(&[
                "    one\n    two\n",
                "    one\n\n    two\n\n",
                "    one\n      deep\n    two\n",
                "  one\n",
                "     one\n    two\n",
                "    # no comment\n",
                "    trailing  \n",
                "\n    one\n",
                "    a: {b\n",
                "\tone\n",
                "",
            ]);
            write!(text, "  k{index}: {head}\n{body}")
        }
        10 => writeln!(text, "  k{index}:\n  - {plain}\n  - {}", random.pick(PLAIN)),
        11 => writeln!(
            text,
            "  k{index}:\n    - {plain}\n    -  a: {}\n       b: 2",
            random.pick(PLAIN)
        ),
        12 => writeln!(text, "  k{index}: [{plain}, {}]", random.pick(PLAIN)),
        13 => writeln!(
            text,
            "  k{index}: {{a: {plain}, {}: b}}",
            random.pick(PLAIN)
        ),
        14 => writeln!(text, "  same: {plain}\n  same: 2"),
        15 => writeln!(text, "  k{index}: {plain} # comment\n  # another\n"),
        16 => writeln!(
            text,
            "  {}: {plain}",
            random.pick(&["? k", "\"k\"", "'k'", "k ", "&k k", "<<", "!!str 1", "[a]"])
        ),
        _ => writeln!(
            text,
            "  k{index}:\n    {plain}\n{}l{index}: x",
            random.pick(&["  ", " ", "\t", "   "])
        ),
    };
}
