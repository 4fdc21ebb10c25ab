//! What the parser holds back in memory, bounded.
//!
//! In YAML a list or mapping in brackets can be a key (`[a, b]: c`), which shows only behind its end.
//! Until then the parser keeps every token, some hundred bytes for a comma, and gives no event by which
//! the bounds of [`crate::Limits`] could count. So its input is counted: between two events it may read
//! no more than so many marks, and then sees the end of the text.

use std::cell::Cell;
use std::rc::Rc;

/// Whether a byte may begin or end a token. There are at most two tokens for each of them.
fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        b',' | b'['
            | b']'
            | b'{'
            | b'}'
            | b':'
            | b'?'
            | b'"'
            | b'\''
            | b'&'
            | b'*'
            | b'!'
            | b' '
            | b'\t'
            | b'\n'
            | b'\r'
    )
}

/// Whether so many marks may be held back anywhere. A quick look that says yes rather too often.
pub(super) fn may_be(text: &str, limit: usize) -> bool {
    if text.len() <= limit {
        return false;
    }
    let bytes = text.as_bytes();
    let brackets = bytes.iter().enumerate();
    let first = brackets
        .filter(|(_, byte)| matches!(byte, b'[' | b'{'))
        .find(|(at, _)| !is_value(&bytes[..*at]));
    first.is_some_and(|(at, _)| {
        bytes[at..]
            .iter()
            .filter(|byte| is_mark(**byte))
            .nth(limit)
            .is_some()
    })
}

/// Whether a bracket after this is the value of a key on its line, and so no key itself.
fn is_value(before: &[u8]) -> bool {
    let without_spaces = before.trim_ascii_end();
    if without_spaces.len() == before.len() || before.ends_with(b"\n") {
        return false;
    }
    let Some(key) = without_spaces.strip_suffix(b":") else {
        return false;
    };
    let gap = &before[without_spaces.len()..];
    let word = key
        .rsplit(|byte| byte.is_ascii_whitespace() || b",[]{}".contains(byte))
        .next()
        .unwrap_or_default();
    // `&a: [` is a list with an anchor that is named `a:`, and so with tags and aliases.
    gap.iter().all(|byte| *byte == b' ')
        && word.first().is_some_and(|first| !b"&*!-?:".contains(first))
}

/// How many marks were read since the last event, and how many may be.
#[derive(Clone)]
pub(super) struct Held {
    marks: Rc<Cell<usize>>,
    limit: usize,
}

impl Held {
    /// Counts from nothing again, unless the text was cut already.
    pub(super) fn event(&self) {
        if !self.is_beyond() {
            self.marks.set(0);
        }
    }

    /// Whether the text was cut.
    pub(super) fn is_beyond(&self) -> bool {
        self.marks.get() > self.limit
    }
}

/// A text that ends where too much of it is held back.
pub(super) struct Counted<'a> {
    text: std::str::Chars<'a>,
    held: Held,
}

impl<'a> Counted<'a> {
    pub(super) fn new(text: &'a str, limit: usize) -> (Self, Held) {
        let marks = Rc::default();
        let held = Held { marks, limit };
        let counted = Self {
            text: text.chars(),
            held: held.clone(),
        };
        (counted, held)
    }
}

impl Iterator for Counted<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.held.is_beyond() {
            return None;
        }
        let next = self.text.next()?;
        if u8::try_from(next).is_ok_and(is_mark) {
            self.held.marks.set(self.held.marks.get() + 1);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_no_key_is_passed_over() {
        let values = ["a: ", "x\n  a:   ", "- a: ", "\"a b\": ", "a b: ", "? a: "];
        for before in values {
            assert!(is_value(before.as_bytes()), "{before:?}");
        }
        let keys = [
            "", "- ", "? ", ": ", "- : ", "&a: ", "!a: ", "*a: ", "a:", "a:\n", "a: \n  ",
            "a: &b ", "a", "[", "{a: [", "--- ",
        ];
        for before in keys {
            assert!(!is_value(before.as_bytes()), "{before:?}");
        }
    }
}
