//! Texts with variables (A21, A24). The lines before the first `---` set them.

use stageset_render::{Limits, SubstitutionFault, Variables, expand};

use super::{Target, sight};

pub(super) const TARGET: Target = Target {
    name: "substitution",
    words: &[
        "${A}",
        "$${A}",
        "${A:-b}",
        "${A-b}",
        "${A:=b}",
        "${A:+b}",
        "${A:?b}",
        "${#A}",
        "${A#a*}",
        "${A##*/}",
        "${A%.*}",
        "${A%%.*}",
        "${A/a/b}",
        "${A//a/b}",
        "${A/#a/b}",
        "${A/%a/b}",
        "${A^}",
        "${A^^}",
        "${A,}",
        "${A,,}",
        "${A:1:2}",
        "${A:-${B:-${C:-d}}}",
        "*",
        "?",
        "[a-z]",
        "[!a]",
        "$",
        "{",
        "}",
        "A=canary\n",
        "B=a/b.c\n",
        "---\n",
    ],
    run,
};

/// A value that may stand in no message.
const CANARY: &str = "canary-7f3a";

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let input = String::from_utf8_lossy(input);
    let (settings, text) = input.split_once("---\n").unwrap_or(("", &input));
    let mut variables = Variables::default();
    let mut sights = Vec::new();
    for line in settings.lines().take(20) {
        if let Some((name, value)) = line.split_once('=')
            && let Err(error) = variables.set(name, value)
        {
            sights.push(sight(&error.to_string()));
        }
    }
    let set = variables.set("SECRET", CANARY);
    set.map_err(|error| error.to_string())?;
    let limits = Limits {
        substitution_bytes: 256 * 1024,
        substitution_steps: 500_000,
        ..Limits::default()
    };
    let outcome = expand(text, &variables, &limits);
    if expand(text, &variables, &limits) != outcome {
        return Err("expanded twice, and not the same".to_owned());
    }
    match outcome {
        Ok(expanded) => {
            if !text.contains('$') && expanded != text {
                return Err("a text without variables was changed".to_owned());
            }
            if expanded.len() > limits.substitution_bytes.max(text.len()) {
                return Err(format!("{} bytes", expanded.len()));
            }
            sights.push(1 + u64::from(expanded == text) + 2 * u64::from(expanded.is_empty()));
        }
        Err(fault) => sights.push(message(&fault, text)?),
    }
    Ok(sights)
}

fn message(fault: &SubstitutionFault, text: &str) -> Result<u64, String> {
    let said = fault.to_string();
    if said.contains(CANARY) && !text.contains(CANARY) {
        return Err(format!("a value stands in a message: {said}"));
    }
    Ok(sight(&said))
}
