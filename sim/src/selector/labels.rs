//! The text form of a label selector: `a=1,b in (x,y),!c`.

use std::collections::BTreeSet;

use super::{LabelSelector, Requirement};
use crate::admission::names;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
    Wrong,
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    text: String,
}

fn keyword(text: &str) -> Option<Kind> {
    Some(match text {
        ")" => Kind::Close,
        "," => Kind::Comma,
        "!" => Kind::Not,
        "==" => Kind::DoubleEquals,
        "=" => Kind::Equals,
        ">" => Kind::Greater,
        "in" => Kind::In,
        "<" => Kind::Less,
        "!=" => Kind::NotEquals,
        "notin" => Kind::NotIn,
        "(" => Kind::Open,
        _ => return None,
    })
}

fn is_special(c: char) -> bool {
    "=!(),><".contains(c)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else {
            out.push(Token {
                kind: Kind::End,
                text: String::new(),
            });
            return out;
        };
        let token = if is_special(first) {
            special(rest)
        } else {
            let end = rest
                .find(|c| is_special(c) || is_space(c))
                .unwrap_or(rest.len());
            let text = &rest[..end];
            let kind = keyword(text).unwrap_or(Kind::Identifier);
            (kind, text.to_owned(), end)
        };
        let (kind, text, length) = token;
        rest = &rest[length..];
        out.push(Token { kind, text });
    }
}

/// The longest operator at the start of a text.
fn special(text: &str) -> (Kind, String, usize) {
    let end = text.find(|c| !is_special(c)).unwrap_or(text.len());
    let mut found = None;
    for length in 1..=end {
        match keyword(&text[..length]) {
            Some(kind) => found = Some((kind, text[..length].to_owned(), length)),
            None if found.is_some() => break,
            None => {}
        }
    }
    found.unwrap_or_else(|| {
        let why = format!("error expected: keyword found '{}'", &text[..end]);
        (Kind::Wrong, why, end)
    })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    /// The next token; where a value is expected, `in` and `notin` are values.
    fn peek(&self, values: bool) -> Token {
        let mut token = self.tokens[self.at.min(self.tokens.len() - 1)].clone();
        if values && matches!(token.kind, Kind::In | Kind::NotIn) {
            token.kind = Kind::Identifier;
        }
        token
    }

    fn take(&mut self, values: bool) -> Token {
        let token = self.peek(values);
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.take(true);
        let negated = token.kind == Kind::Not;
        if negated {
            token = self.take(true);
        }
        if token.kind != Kind::Identifier {
            return Err(format!("found '{}', expected: identifier", token.text));
        }
        let key = token.text;
        let problems = names::label_key(&key);
        if !problems.is_empty() {
            let what = problems.join("; ");
            return Err(format!("<nil>: Invalid value: {key:?}: {what}"));
        }
        let ended = matches!(self.peek(true).kind, Kind::End | Kind::Comma);
        if negated {
            return Ok(Requirement::Missing(key));
        }
        if ended {
            return Ok(Requirement::Exists(key));
        }
        let operator = self.take(false);
        let values = match operator.kind {
            Kind::In | Kind::NotIn => self.values()?,
            Kind::Equals | Kind::DoubleEquals | Kind::NotEquals | Kind::Greater | Kind::Less => {
                self.exact()?
            }
            _ => {
                return Err(format!(
                    "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                    operator.text
                ));
            }
        };
        check(&key, operator.kind, &values)?;
        let number = || values.first().and_then(|v| v.parse().ok()).unwrap_or(0);
        Ok(match operator.kind {
            Kind::NotIn | Kind::NotEquals => Requirement::NotIn(key, values),
            Kind::Greater => Requirement::Greater(key, number()),
            Kind::Less => Requirement::Less(key, number()),
            _ => Requirement::In(key, values),
        })
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        let open = self.take(true);
        if open.kind != Kind::Open {
            return Err(format!("found '{}' expected: '('", open.text));
        }
        let next = self.peek(true);
        match next.kind {
            Kind::Identifier | Kind::Comma => {
                let values = self.identifiers()?;
                if self.take(true).kind != Kind::Close {
                    return Err(format!("found '{}', expected: ')'", next.text));
                }
                Ok(values)
            }
            Kind::Close => {
                self.take(true);
                Ok(BTreeSet::from([String::new()]))
            }
            _ => Err(format!(
                "found '{}', expected: ',', ')' or identifier",
                next.text
            )),
        }
    }

    fn identifiers(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            let token = self.take(true);
            match token.kind {
                Kind::Identifier => {
                    values.insert(token.text);
                    let next = self.peek(true);
                    match next.kind {
                        Kind::Comma => {}
                        Kind::Close => return Ok(values),
                        _ => return Err(format!("found '{}', expected: ',' or ')'", next.text)),
                    }
                }
                Kind::Comma => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek(true).kind {
                        Kind::Close => {
                            values.insert(String::new());
                            return Ok(values);
                        }
                        Kind::Comma => {
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                _ => {
                    return Err(format!(
                        "found '{}', expected: ',', or identifier",
                        token.text
                    ));
                }
            }
        }
    }

    fn exact(&mut self) -> Result<BTreeSet<String>, String> {
        if matches!(self.peek(true).kind, Kind::End | Kind::Comma) {
            return Ok(BTreeSet::from([String::new()]));
        }
        let token = self.take(true);
        if token.kind == Kind::Identifier {
            Ok(BTreeSet::from([token.text]))
        } else {
            Err(format!("found '{}', expected: identifier", token.text))
        }
    }
}

/// Values must be label values, and numbers where they are compared.
fn check(key: &str, operator: Kind, values: &BTreeSet<String>) -> Result<(), String> {
    let mut problems = Vec::new();
    for (i, value) in values.iter().enumerate() {
        if matches!(operator, Kind::Greater | Kind::Less) && value.parse::<i64>().is_err() {
            problems.push(format!(
                "values[{i}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be \
                 an integer"
            ));
        }
    }
    for (i, value) in values.iter().enumerate() {
        let found = names::label_value(value);
        if !found.is_empty() {
            let what = found.join("; ");
            problems.push(format!(
                "values[{i}][{key}]: Invalid value: {value:?}: {what}"
            ));
        }
    }
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

/// Reads a selector. The error is the real server's.
pub(super) fn parse(text: &str) -> Result<LabelSelector, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    let mut requirements = Vec::new();
    loop {
        let token = parser.peek(true);
        match token.kind {
            Kind::Identifier | Kind::Not => {
                let requirement = parser
                    .requirement()
                    .map_err(|why| format!("unable to parse requirement: {why}"))?;
                requirements.push(requirement);
                let after = parser.take(true);
                match after.kind {
                    Kind::End => return Ok(LabelSelector(requirements)),
                    Kind::Comma => {
                        let next = parser.peek(true);
                        if !matches!(next.kind, Kind::Identifier | Kind::Not) {
                            return Err(format!(
                                "found '{}', expected: identifier after ','",
                                next.text
                            ));
                        }
                    }
                    _ => {
                        return Err(format!(
                            "found '{}', expected: ',' or 'end of string'",
                            after.text
                        ));
                    }
                }
            }
            Kind::End => return Ok(LabelSelector(requirements)),
            _ => {
                return Err(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    token.text
                ));
            }
        }
    }
}
