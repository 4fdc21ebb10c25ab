//! The divergences that are known: `e2e/conformance/known.txt`, one a line.

use anyhow::{Result, ensure};

/// The most that the list may hold.
const LIMIT: usize = 20;

/// A known divergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) verb: String,
    pub(crate) kind: String,
    pub(crate) field: String,
    pub(crate) reason: String,
}

/// Reads `verb kind field reason…`; `#` starts a comment.
pub(crate) fn parse(text: &str) -> Result<Vec<Known>> {
    let mut out = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        ensure!(
            words.len() > 3,
            "known.txt line {}: found `{line}`, wanted: verb kind field reason",
            at + 1
        );
        out.push(Known {
            verb: words[0].to_owned(),
            kind: words[1].to_owned(),
            field: words[2].to_owned(),
            reason: words[3..].join(" "),
        });
    }
    ensure!(
        out.len() <= LIMIT,
        "known.txt has {} entries, at most {LIMIT} are allowed: fix the simulator",
        out.len()
    );
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_list_is_valid() {
        parse(include_str!("../../../conformance/known.txt")).unwrap();
    }

    #[test]
    fn a_line_without_a_reason_is_refused_and_so_is_a_long_list() {
        assert_eq!(parse("# a\n\nget Role /a because\n").unwrap().len(), 1);
        let error = parse("get Role /a\n").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        assert!(parse(&"get Role /a because\n".repeat(21)).is_err());
    }
}
