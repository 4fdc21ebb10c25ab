//! Patterns in selectors and image names: regular expressions, compiled once, within a bound.

use regex::{Regex, RegexBuilder};

use super::problem::Fault;

/// How much a compiled expression may take, in bytes.
const COMPILED: usize = 256 * 1024;

/// How long an expression may be, in bytes.
const LENGTH: usize = 4096;

/// What a text is held against.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Nothing was asked for.
    Any,
    /// Exactly this: by far the most.
    Literal(String),
    Expression(Regex),
}

impl Pattern {
    /// The pattern for the whole of a text, as in selectors.
    pub(super) fn anchored(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b':'))
        {
            return Ok(Self::Literal(text.to_owned()));
        }
        compile(&format!("^(?:{text})$"), text).map(Self::Expression)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == text,
            Self::Expression(regex) => regex.is_match(text),
        }
    }
}

/// A bounded expression. Its own text stands in messages.
pub(super) fn compile(expression: &str, text: &str) -> Result<Regex, Fault> {
    let fault = |message: String| Fault::Pattern {
        pattern: text.chars().take(200).collect(),
        message,
    };
    if text.len() > LENGTH {
        return Err(fault(format!("it is longer than {LENGTH} bytes")));
    }
    RegexBuilder::new(expression)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .build()
        .map_err(|error| {
            let message = match error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                // The last line says what is wrong; those before draw the expression.
                error => error
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned(),
            };
            fault(message)
        })
}
