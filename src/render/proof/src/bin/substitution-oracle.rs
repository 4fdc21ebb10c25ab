//! Compares our substitution with the Go library that Flux uses, on generated texts.
//!
//! `substitution-oracle SEED COUNT`; any difference makes it end with 1.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use stageset_render::{Limits, SubstitutionFault, Variables, expand};
use stageset_render_proof::generate::expressions;
use stageset_render_proof::original::Original;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Differences on purpose. A text of the original with U+FFFD stands for one that isn't UTF-8.
fn known(
    text: &str,
    ours: &Result<String, SubstitutionFault>,
    original: &Result<String, String>,
) -> Option<&'static str> {
    match (ours, original) {
        (Err(SubstitutionFault::CutsCharacter { .. }), Ok(theirs))
            if theirs.contains('\u{fffd}') =>
        {
            Some("an offset within a character is a problem; the library makes broken text of it")
        }
        (Ok(_), Ok(theirs)) if theirs.contains('\u{fffd}') => {
            Some("patterns match whole characters; the library makes broken text of half ones")
        }
        (_, Err(error)) if error == "missing closing brace" && has_bare_operator(text) => Some(
            "-, + and ? without a colon are fallbacks (reconcile.md §9 l); the library refuses them",
        ),
        _ => None,
    }
}

/// `${name-`, `${name+` or `${name?` somewhere.
fn has_bare_operator(text: &str) -> bool {
    text.match_indices("${").any(|(at, _)| {
        let rest =
            text[at + 2..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        rest.len() < text.len() - at - 2 && rest.starts_with(['-', '+', '?'])
    })
}

fn run(arguments: &[String]) -> Result<usize> {
    let [seed, count] = arguments else {
        bail!("usage: substitution-oracle SEED COUNT");
    };
    let first: u64 = seed.parse().context("SEED is a number")?;
    let count: u64 = count.parse().context("COUNT is a number")?;
    let mut original = Original::start()?;
    let limits = Limits::default();
    let (mut expanded, mut refused, mut different) = (0, 0, 0);
    let mut differences: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in first..first.saturating_add(count) {
        let generated = expressions::text(seed);
        let mut variables = Variables::default();
        for (name, value) in &generated.variables {
            variables.set(name, value)?;
        }
        let ours = expand(&generated.text, &variables, &limits);
        let theirs = original.substitute(&generated.text, &generated.variables)?;
        match &theirs {
            Ok(_) => expanded += 1,
            Err(_) => refused += 1,
        }
        let same = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if same {
            continue;
        }
        if let Some(reason) = known(&generated.text, &ours, &theirs) {
            *differences.entry(reason).or_default() += 1;
            continue;
        }
        different += 1;
        if different <= 20 {
            println!(
                "DIFFERENT {seed}: {:?} with {:?}\n  ours     {ours:?}\n  original {theirs:?}",
                generated.text, generated.variables
            );
        }
    }
    println!(
        "{count} text(s): the library expanded {expanded}, refused {refused}; {different} different, \
         {} different as known",
        differences.values().sum::<usize>()
    );
    for (reason, count) in differences {
        println!("  known {count:6}  {reason}");
    }
    Ok(different)
}
