//! Versions and constraints on them, as texts.
//!
//! A version is semver with three numbers; a leading `v` is tolerated. Constraints have the form
//! that Go's tools use (`>=1.2 <2`, `~1.4`, `^1 || >=3.0.0-rc.1`, `1.x`, `1.2 - 1.4`); here only
//! their shape is judged.

use semver::Version;

/// The version that a text is.
pub(super) fn version(text: &str) -> Option<Version> {
    Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

/// Whether a text is a constraint.
pub(super) fn is_constraint(text: &str) -> bool {
    text.split("||").all(is_conjunction)
}

fn is_conjunction(text: &str) -> bool {
    let spaced = text.replace(',', " ");
    let mut tokens = spaced.split_whitespace().peekable();
    let mut terms = 0;
    while let Some(token) = tokens.next() {
        let version = token.trim_start_matches(['<', '>', '=', '!', '~', '^']);
        let operator = token.strip_suffix(version).unwrap_or_default();
        let known = [
            "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^",
        ];
        if !known.contains(&operator) {
            return false;
        }
        let version = match version {
            "" => match tokens.next() {
                Some(next) => next,
                None => return false,
            },
            found => found,
        };
        if !is_partial(version) {
            return false;
        }
        if operator.is_empty() && tokens.peek() == Some(&"-") {
            tokens.next();
            if !tokens.next().is_some_and(is_partial) {
                return false;
            }
        }
        terms += 1;
    }
    terms > 0
}

/// One to three numbers or wildcards; a pre-release needs all three.
fn is_partial(text: &str) -> bool {
    if version(text).is_some() {
        return true;
    }
    let parts: Vec<&str> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
    let number = |p: &str| !p.is_empty() && p.len() <= 19 && p.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 3
        && parts
            .iter()
            .all(|p| matches!(*p, "x" | "X" | "*") || number(p))
}

#[cfg(test)]
mod tests {
    use super::{is_constraint, version};

    #[test]
    fn constraints_have_the_form_of_gos() {
        for good in [
            ">=1.2.3",
            ">= 1.2.3",
            "=1.2.3",
            "!=1.0.0",
            "~1.4",
            "~>1.4",
            "^1",
            "1.x",
            "*",
            "1.2.*",
            ">=1.2 <2",
            ">=1.2, <2",
            "^1 || >=3.0.0-rc.1",
            "1.2 - 1.4",
            "1.2.3",
            "v1.2.3",
            "=>1",
        ] {
            assert!(is_constraint(good), "{good:?}");
        }
        for bad in [
            "", " ", "||", "1 ||", "latest", ">", ">=", ">>1", "1.2.3.4", "1..2", ">=a", "1 -",
            "- 1", "1.2.3 &&", "==1",
        ] {
            assert!(!is_constraint(bad), "{bad:?}");
        }
    }

    #[test]
    fn versions_have_three_numbers() {
        for good in ["1.2.3", "v1.2.3", "1.2.3-rc.1+b"] {
            assert!(version(good).is_some(), "{good:?}");
        }
        for bad in [
            "", "v", "1", "1.2", "1.2.3.4", "01.2.3", "vv1.2.3", "latest", " 1.2.3",
        ] {
            assert!(version(bad).is_none(), "{bad:?}");
        }
    }
}
