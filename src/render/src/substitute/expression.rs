//! The grammar of expressions, as Flux's library reads it.
//!
//! ```text
//! text        plain text, `$$` for `$`, and expressions
//! expression  ${#name} ${name} ${name OPERATOR …}
//! fallback    = := :- :? :+ - ? +   then texts and expressions up to `}`
//! case        , ,, ^ ^^
//! trim        # ## % %%             then one text or one expression
//! replace     / // /# /%            one text or expression, `/`, one text or expression or nothing
//! slice       :offset:length        each one text or expression
//! ```
//!
//! In `replace`, `\/` and `\\` stand for the second character and `$$` for `$`; its pattern may
//! contain `}`. Runs of the separators `/` and `:` count as one. The library can't read the
//! operators `-`, `+` and `?` without a colon; here they are fallbacks, as `reconcile.md` has it.

use super::error::SubstitutionFault;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Expression(Box<Expression>),
}

/// `${…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub name: String,
    pub operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operator {
    Plain,
    Length,
    Fallback(Vec<Part>),
    LowerFirst,
    Lower,
    UpperFirst,
    Upper,
    /// `,^` and `^,`: the value as it is.
    NoCase,
    TrimStart {
        longest: bool,
        pattern: Part,
    },
    TrimEnd {
        longest: bool,
        pattern: Part,
    },
    Replace {
        what: Replace,
        pattern: Part,
        with: Option<Part>,
    },
    Slice {
        offset: Part,
        length: Option<Part>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replace {
    First,
    All,
    Start,
    End,
}

/// Characters of an expression that a message repeats.
const SHOWN: usize = 60;

/// Reads a text.
pub(super) fn parse(text: &str, depth: usize) -> Result<Vec<Part>, SubstitutionFault> {
    let mut reader = Reader {
        text,
        at: 0,
        began: 0,
        depth,
        limit: depth,
    };
    let mut parts = Vec::new();
    let mut plain = String::new();
    while let Some(c) = reader.peek() {
        if reader.eat("${") {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            reader.began = reader.at - 2;
            parts.push(reader.expression()?);
        } else if reader.eat("$$") {
            plain.push('$');
        } else {
            plain.push(c);
            reader.at += c.len_utf8();
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the outermost expression began.
    began: usize,
    /// How much deeper expressions may nest.
    depth: usize,
    limit: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn error(&self, what: &'static str) -> SubstitutionFault {
        let expression = &self.text[self.began..];
        let shown: String = expression.chars().take(SHOWN).collect();
        let cut = if shown.len() < expression.len() {
            "…"
        } else {
            ""
        };
        SubstitutionFault::Syntax {
            expression: shown + cut,
            what,
        }
    }

    fn close(&mut self) -> Result<(), SubstitutionFault> {
        if self.eat("}") {
            Ok(())
        } else {
            Err(self.error("'}' is missing, or something stands before it that no operator takes"))
        }
    }

    fn name(&mut self) -> Result<String, SubstitutionFault> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphabetic() || c.is_numeric() || c == '_'))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("the name of a variable must follow '${'"));
        }
        let name = rest[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    /// What follows `${`.
    fn expression(&mut self) -> Result<Part, SubstitutionFault> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(SubstitutionFault::TooDeep { limit: self.limit });
        };
        self.depth = depth;
        let expression = if self.eat("#") {
            let name = self.name()?;
            self.close()?;
            Expression {
                name,
                operator: Operator::Length,
            }
        } else {
            let name = self.name()?;
            let operator = self.operator()?;
            Expression { name, operator }
        };
        self.depth += 1;
        Ok(Part::Expression(Box::new(expression)))
    }

    fn operator(&mut self) -> Result<Operator, SubstitutionFault> {
        if self.eat("}") {
            return Ok(Operator::Plain);
        }
        for fallback in [":=", ":-", ":?", ":+", "=", "-", "?", "+"] {
            if self.eat(fallback) {
                return self.fallback();
            }
        }
        for (token, operator) in [
            (",,", Operator::Lower),
            ("^^", Operator::Upper),
            (",^", Operator::NoCase),
            ("^,", Operator::NoCase),
            (",", Operator::LowerFirst),
            ("^", Operator::UpperFirst),
        ] {
            if self.eat(token) {
                self.close()?;
                return Ok(operator);
            }
        }
        for (token, longest) in [("##", true), ("#", false)] {
            if self.eat(token) {
                let pattern = self.argument(|c| c == '}', false)?;
                self.close()?;
                return Ok(Operator::TrimStart { longest, pattern });
            }
        }
        for (token, longest) in [("%%", true), ("%", false)] {
            if self.eat(token) {
                let pattern = self.argument(|c| c == '}', false)?;
                self.close()?;
                return Ok(Operator::TrimEnd { longest, pattern });
            }
        }
        for (token, what) in [
            ("//", Replace::All),
            ("/#", Replace::Start),
            ("/%", Replace::End),
            ("/", Replace::First),
        ] {
            if self.eat(token) {
                return self.replace(what);
            }
        }
        if self.eat(":") {
            return self.slice();
        }
        Err(self.error("'}' or an operator must follow the name"))
    }

    fn fallback(&mut self) -> Result<Operator, SubstitutionFault> {
        let mut parts = Vec::new();
        while !self.eat("}") {
            parts.push(self.argument(|c| c == '}', false)?);
        }
        Ok(Operator::Fallback(parts))
    }

    fn replace(&mut self, what: Replace) -> Result<Operator, SubstitutionFault> {
        let pattern = self.argument(|c| c == '/', true)?;
        if !self.eat("/") {
            return Err(self.error("'/' and the new text must follow what is replaced"));
        }
        while self.eat("/") {}
        let with = if self.peek() == Some('}') {
            None
        } else {
            Some(self.argument(|c| c == '}', true)?)
        };
        self.close()?;
        Ok(Operator::Replace {
            what,
            pattern,
            with,
        })
    }

    fn slice(&mut self) -> Result<Operator, SubstitutionFault> {
        // The library refuses this one, and no offset begins like it.
        if self.peek().is_some_and(|c| !c.is_ascii()) {
            return Err(self.error("an offset is a number"));
        }
        let offset = self.argument(|c| c == ':' || c == '}', false)?;
        if self.eat("}") {
            return Ok(Operator::Slice {
                offset,
                length: None,
            });
        }
        if !self.eat(":") {
            return Err(self.error("'}' or ':' must follow an offset"));
        }
        while self.eat(":") {}
        let length = self.argument(|c| c == '}', false)?;
        self.close()?;
        Ok(Operator::Slice {
            offset,
            length: Some(length),
        })
    }

    /// One text that isn't empty, up to an expression or an ending character, or one expression.
    fn argument(
        &mut self,
        ends: fn(char) -> bool,
        escapes: bool,
    ) -> Result<Part, SubstitutionFault> {
        if self.eat("${") {
            return self.expression();
        }
        let began = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if self.rest().starts_with("${") {
                break;
            }
            if escapes {
                let escape = [("$$", '$'), ("\\/", '/'), ("\\\\", '\\')]
                    .into_iter()
                    .find(|(token, _)| self.rest().starts_with(token));
                if let Some((token, character)) = escape {
                    self.at += token.len();
                    text.push(character);
                    continue;
                }
            }
            if ends(c) {
                break;
            }
            text.push(c);
            self.at += c.len_utf8();
        }
        if self.at == began {
            return Err(self.error("an operator lacks its text, or '}' is missing"));
        }
        Ok(Part::Text(text))
    }
}
