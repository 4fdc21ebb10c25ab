//! What an expression is worth, within bounds.

use super::Variables;
use super::error::SubstitutionFault;
use super::expression::{Expression, Operator, Part, Replace};
use super::glob::Glob;
use crate::Limits;

/// Evaluates parts.
pub(super) struct Evaluation<'a> {
    variables: &'a Variables,
    limits: &'a Limits,
    /// Steps of patterns so far.
    steps: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(variables: &'a Variables, limits: &'a Limits) -> Self {
        Self {
            variables,
            limits,
            steps: 0,
        }
    }

    /// The text of parts.
    pub(super) fn text(&mut self, parts: &[Part]) -> Result<String, SubstitutionFault> {
        let mut text = String::new();
        for part in parts {
            let part = self.part(part)?;
            self.bound(text.len().saturating_add(part.len()))?;
            text.push_str(&part);
        }
        Ok(text)
    }

    fn part(&mut self, part: &Part) -> Result<String, SubstitutionFault> {
        match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Expression(expression) => self.expression(expression),
        }
    }

    /// Arguments come before the variable itself, so that of two missing variables the inner one is
    /// named, as by Flux's library.
    fn expression(&mut self, expression: &Expression) -> Result<String, SubstitutionFault> {
        let name = &expression.name;
        let variables = self.variables;
        let value = || match variables.get(name) {
            Some(value) => Ok(value),
            None => Err(SubstitutionFault::Missing { name: name.clone() }),
        };
        let text = match &expression.operator {
            Operator::Plain | Operator::NoCase => value()?.to_owned(),
            Operator::Length => value()?.len().to_string(),
            Operator::Fallback(parts) => {
                let fallback = self.text(parts)?;
                match variables.get(name) {
                    None | Some("") => fallback,
                    Some(value) => value.to_owned(),
                }
            }
            Operator::Lower => value()?.chars().map(lower).collect(),
            Operator::Upper => value()?.chars().map(upper).collect(),
            Operator::LowerFirst => first(value()?, lower),
            Operator::UpperFirst => first(value()?, upper),
            Operator::TrimStart { longest, pattern } => {
                let pattern = self.part(pattern)?;
                let value: Vec<char> = value()?.chars().collect();
                let trimmed = self.trim(&pattern, &value, *longest)?;
                value[trimmed..].iter().collect()
            }
            Operator::TrimEnd { longest, pattern } => {
                let pattern = self.part(pattern)?;
                // Both backwards, as the library does it: a class read backwards is none.
                let pattern: String = pattern.chars().rev().collect();
                let value: Vec<char> = value()?.chars().rev().collect();
                let trimmed = self.trim(&pattern, &value, *longest)?;
                value[trimmed..].iter().rev().collect()
            }
            Operator::Replace {
                what,
                pattern,
                with,
            } => {
                let pattern = self.part(pattern)?;
                let with = with.as_ref().map(|with| self.part(with)).transpose()?;
                self.replace(value()?, *what, &pattern, with.as_deref())?
            }
            Operator::Slice { offset, length } => {
                let offset = self.part(offset)?;
                let length = length.as_ref().map(|part| self.part(part)).transpose()?;
                slice(value()?, &offset, length.as_deref())
                    .ok_or_else(|| SubstitutionFault::CutsCharacter { name: name.clone() })?
                    .to_owned()
            }
        };
        self.bound(text.len())?;
        Ok(text)
    }

    fn bound(&self, bytes: usize) -> Result<(), SubstitutionFault> {
        let limit = self.limits.substitution_bytes;
        if bytes > limit {
            return Err(SubstitutionFault::TooLarge { limit });
        }
        Ok(())
    }

    /// How many characters of the beginning a pattern takes away.
    fn trim(
        &mut self,
        pattern: &str,
        value: &[char],
        longest: bool,
    ) -> Result<usize, SubstitutionFault> {
        let Some(glob) = Glob::parse(pattern) else {
            return Ok(0);
        };
        self.steps = self.steps.saturating_add(glob.steps(value.len()));
        let limit = self.limits.substitution_steps;
        if self.steps > limit {
            return Err(SubstitutionFault::TooManySteps { limit });
        }
        Ok(glob.prefix(value, longest).unwrap_or(0))
    }

    fn replace(
        &self,
        value: &str,
        what: Replace,
        pattern: &str,
        with: Option<&str>,
    ) -> Result<String, SubstitutionFault> {
        let new = with.unwrap_or_default();
        let times = match what {
            Replace::All => value.matches(pattern).count(),
            _ => 1,
        };
        self.bound(value.len().saturating_add(new.len().saturating_mul(times)))?;
        Ok(match what {
            Replace::All => value.replace(pattern, new),
            Replace::First => value.replacen(pattern, new, 1),
            // Without a new text these two do nothing: that is the library's rule.
            Replace::Start => match (value.strip_prefix(pattern), with) {
                (Some(rest), Some(new)) => format!("{new}{rest}"),
                _ => value.to_owned(),
            },
            Replace::End => match (value.strip_suffix(pattern), with) {
                (Some(rest), Some(new)) => format!("{rest}{new}"),
                _ => value.to_owned(),
            },
        })
    }
}

/// A slice by byte offsets; `None` if it would cut a character. Offsets that are no numbers leave the
/// value as it is.
fn slice<'a>(value: &'a str, offset: &str, length: Option<&str>) -> Option<&'a str> {
    let size = i64::try_from(value.len()).ok()?;
    let Ok(offset) = offset.parse::<i64>() else {
        return Some(value);
    };
    let start = if offset < 0 {
        size.saturating_add(offset).max(0)
    } else {
        offset
    };
    let end = match length {
        None => size,
        Some(length) => match length.parse::<i64>() {
            Err(_) => return Some(value),
            Ok(length) if length < 0 => size.saturating_add(length),
            Ok(length) => start.saturating_add(length).min(size),
        },
    };
    if start >= size || end <= start {
        return Some("");
    }
    value.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

fn first(value: &str, change: fn(char) -> char) -> String {
    let mut chars = value.chars();
    let first = chars.next().map(change);
    first.into_iter().chain(chars).collect()
}

/// One character for one, as Go has it: `ß` stays `ß`.
fn upper(c: char) -> char {
    let mut full = c.to_uppercase();
    match (full.next(), full.next(), u32::from(c)) {
        (Some(one), None, _) => one,
        // Greek letters with a iota below have a capital of one character, too.
        (_, _, 0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => shifted(c, 8),
        (_, _, 0x1fb3 | 0x1fc3 | 0x1ff3) => shifted(c, 9),
        _ => c,
    }
}

fn lower(c: char) -> char {
    let mut full = c.to_lowercase();
    match (full.next(), full.next()) {
        (Some(one), None) => one,
        (Some(one), _) if c == 'İ' => one,
        _ => c,
    }
}

fn shifted(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}
