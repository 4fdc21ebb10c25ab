//! Texts with `${…}` expressions, right ones and nearly right ones.

use std::collections::BTreeMap;

use crate::random::Random;

/// A text and the variables for it.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The text.
    pub text: String,
    /// The variables by name.
    pub variables: BTreeMap<String, String>,
}

const NAMES: &[&str] = &["a", "b", "path", "EMPTY", "missing", "_x1"];
const VALUES: &[&str] = &[
    "abcABC123ABCabc",
    "/home/x/file.tar.gz",
    "path/to/file",
    "",
    "é",
    "ßİ straße ﬁ",
    "a.b.c",
    "  spaced  ",
    "${a}",
    "$$",
    "*[x]?\\",
    "0",
    "aaaa",
];
const WORDS: &[&str] = &[
    "x", "abc", "*", "*/", "/*", ".*", "*.", "?", "[a-c]", "[^a]*", "ABC", "-", " ", ":", "$",
    "$$", "\\/", "\\\\", "\\", "/", "}", "1", "3", "-2", "-1", "0", "100", "+1", "é", "a", "", "{",
    "#", "%", "^", "\n", "'", "\"", "b*", "[", "]", "a*a", "[a", "\\*", "1x",
];
const OPERATORS: &[&str] = &[
    ":-", ":=", ":?", ":+", "=", ",", ",,", "^", "^^", ",^", "#", "##", "%", "%%", "/", "//", "/#",
    "/%", ":", ":", ":", "", "", ":-", "/", "//", "#", "%", "!", "-", "+", "?", "@",
];

/// The text of a seed.
pub fn text(seed: u64) -> Generated {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut variables = BTreeMap::new();
    for name in NAMES.iter().filter(|name| **name != "missing") {
        let value = if *name == "EMPTY" {
            ""
        } else {
            random.pick(VALUES)
        };
        variables.insert((*name).to_owned(), value.to_owned());
    }
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        if random.percent(40) {
            text.push_str(random.pick(WORDS));
        }
        expression(&mut random, 2, &mut text);
        if random.percent(30) {
            text.push_str(random.pick(WORDS));
        }
    }
    Generated { text, variables }
}

fn expression(random: &mut Random, depth: usize, text: &mut String) {
    if random.percent(4) {
        text.push('$');
    }
    text.push_str("${");
    if random.percent(6) {
        text.push('#');
    }
    if random.percent(98) {
        let name = if random.percent(80) {
            random.pick(&NAMES[..4])
        } else {
            random.pick(NAMES)
        };
        text.push_str(name);
    }
    let operator = random.pick(OPERATORS);
    text.push_str(operator);
    match operator {
        "/" | "//" | "/#" | "/%" => {
            argument(random, depth, text);
            if random.percent(95) {
                text.push('/');
            }
            if random.percent(85) {
                argument(random, depth, text);
            }
        }
        ":" => {
            number(random, depth, text);
            if random.percent(50) {
                text.push(':');
                number(random, depth, text);
            }
        }
        "" | "," | ",," | "^" | "^^" | ",^" => {
            if random.percent(3) {
                argument(random, depth, text);
            }
        }
        _ => {
            for _ in 0..random.pick(&[0, 1, 1, 1, 2]) {
                argument(random, depth, text);
            }
        }
    }
    if random.percent(97) {
        text.push('}');
    }
}

fn argument(random: &mut Random, depth: usize, text: &mut String) {
    if depth > 0 && random.percent(15) {
        expression(random, depth - 1, text);
    } else {
        text.push_str(random.pick(WORDS));
    }
}

fn number(random: &mut Random, depth: usize, text: &mut String) {
    if random.percent(15) {
        argument(random, depth, text);
    } else {
        let number = random.pick(&["0", "1", "2", "5", " -3", "-1", "-2", "100", "${#a}"]);
        text.push_str(number);
    }
}
