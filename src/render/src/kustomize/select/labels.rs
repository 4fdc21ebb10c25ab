//! Label selectors: `a=b,c!=d,e in (f,g),!h,i>1`.

use crate::kustomize::problem::Fault;
use crate::kustomize::resource::Resource;

/// All of these must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::kustomize) struct LabelSelector {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
}

impl LabelSelector {
    pub(in crate::kustomize) fn parse(text: &str) -> Result<Self, Fault> {
        Parser {
            tokens: tokens(text).into_iter().peekable(),
        }
        .terms()
        .map_err(|expected| Fault::Unexpected {
            found: format!("the selector {text:?}"),
            expected: expected.to_owned(),
        })
    }

    pub(in crate::kustomize) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the object's labels (or annotations) are what is asked for.
    pub(in crate::kustomize) fn matches(&self, resource: &Resource, field: &str) -> bool {
        self.terms.iter().all(|term| {
            let value = resource.meta_entry(field, &term.key);
            match (&term.test, value) {
                (Test::Exists, value) => value.is_some(),
                (Test::Absent, value) => value.is_none(),
                (Test::In(values), Some(value)) => values.iter().any(|own| *own == value),
                (Test::NotIn(values), Some(value)) => values.iter().all(|own| *own != value),
                (Test::NotIn(_), None) => true,
                (Test::Greater(than), Some(value)) => {
                    value.parse::<i64>().is_ok_and(|value| value > *than)
                }
                (Test::Less(than), Some(value)) => {
                    value.parse::<i64>().is_ok_and(|value| value < *than)
                }
                _ => false,
            }
        })
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<", "\0"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || "=!(),<>".contains(c))
            .unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    tokens
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn terms(mut self) -> Result<LabelSelector, &'static str> {
        let mut terms = Vec::new();
        if self.tokens.peek().is_none() {
            return Ok(LabelSelector { terms });
        }
        loop {
            terms.push(self.term()?);
            match self.tokens.next() {
                None => return Ok(LabelSelector { terms }),
                Some(Token::Sign(",")) => {}
                Some(_) => return Err("terms that are separated by commas"),
            }
        }
    }

    fn term(&mut self) -> Result<Term, &'static str> {
        let absent = self.tokens.next_if_eq(&Token::Sign("!")).is_some();
        let Some(Token::Word(key)) = self.tokens.next() else {
            return Err("a key at the beginning of each term");
        };
        if !is_key(&key) {
            return Err("keys that are label names, such as app.kubernetes.io/name");
        }
        let ends = matches!(self.tokens.peek(), None | Some(Token::Sign(",")));
        let test = if absent {
            if !ends {
                return Err("nothing after a key with '!'");
            }
            Test::Absent
        } else if ends {
            Test::Exists
        } else {
            self.test()?
        };
        Ok(Term { key, test })
    }

    fn test(&mut self) -> Result<Test, &'static str> {
        match self.tokens.next() {
            Some(Token::Sign("=" | "==")) => Ok(Test::In(vec![self.value()?])),
            Some(Token::Sign("!=")) => Ok(Test::NotIn(vec![self.value()?])),
            Some(Token::Sign(">")) => self.number().map(Test::Greater),
            Some(Token::Sign("<")) => self.number().map(Test::Less),
            Some(Token::Word(word)) if word == "in" => self.values().map(Test::In),
            Some(Token::Word(word)) if word == "notin" => self.values().map(Test::NotIn),
            _ => Err("one of =, ==, !=, in, notin, > and < after a key"),
        }
    }

    /// A value, which may be empty.
    fn value(&mut self) -> Result<String, &'static str> {
        match self.tokens.peek() {
            None | Some(Token::Sign("," | ")")) => Ok(String::new()),
            Some(Token::Word(word)) if is_value(word) => {
                let word = word.clone();
                self.tokens.next();
                Ok(word)
            }
            _ => Err("values that are label values"),
        }
    }

    fn number(&mut self) -> Result<i64, &'static str> {
        self.value()?
            .parse()
            .map_err(|_| "a whole number after > and <")
    }

    fn values(&mut self) -> Result<Vec<String>, &'static str> {
        const EXPECTED: &str = "values in parentheses after in and notin";
        if self.tokens.next() != Some(Token::Sign("(")) {
            return Err(EXPECTED);
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            match self.tokens.next() {
                Some(Token::Sign(",")) => {}
                Some(Token::Sign(")")) => return Ok(values),
                _ => return Err(EXPECTED),
            }
        }
    }
}

/// `[prefix/]name`.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    let subdomain = |text: &str| {
        text.len() <= 253
            && text.split('.').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !part.starts_with('-')
                    && !part.ends_with('-')
            })
    };
    (!key.contains('/') || subdomain(prefix)) && !name.is_empty() && is_value(name)
}

fn is_value(value: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
