//! Patterns of the trim operators: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a character.
//!
//! No regular expressions and no backtracking: all prefixes that match are found in one walk whose
//! steps are the text's length times the pattern's.

enum Token {
    /// Any text.
    Any,
    /// Any one character.
    One,
    /// This character.
    Is(char),
    /// A character of these ranges, or one of none of them.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern. One that can't be read matches nothing, as in Flux's library.
pub(super) struct Glob(Vec<Token>);

impl Glob {
    pub(super) fn parse(pattern: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => Token::Is(chars.next()?),
                '[' => {
                    let negated = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
                        let low = bound(&mut chars)?;
                        let high = match chars.next_if_eq(&'-') {
                            Some(_) => bound(&mut chars)?,
                            None => low,
                        };
                        ranges.push((low, high));
                    }
                    Token::Class { negated, ranges }
                }
                c => Token::Is(c),
            });
        }
        Some(Self(tokens))
    }

    /// How many steps [`Glob::prefix`] takes at most for a text of this length.
    pub(super) fn steps(&self, length: usize) -> usize {
        (self.0.len() + 1).saturating_mul(length + 1)
    }

    /// The number of characters of the shortest or the longest prefix that matches and isn't empty.
    pub(super) fn prefix(&self, text: &[char], longest: bool) -> Option<usize> {
        let end = self.0.len();
        // Which tokens could be the next one, after what was read so far.
        let mut next = vec![false; end + 1];
        next[0] = true;
        self.pass_over_any(&mut next);
        let mut found = None;
        for (read, c) in text.iter().enumerate() {
            let mut after = vec![false; end + 1];
            for (at, token) in self.0.iter().enumerate().filter(|(at, _)| next[*at]) {
                match token {
                    Token::Any => after[at] = true,
                    Token::One => after[at + 1] = true,
                    Token::Is(is) => after[at + 1] |= is == c,
                    Token::Class { negated, ranges } => {
                        let within = ranges.iter().any(|(low, high)| low <= c && c <= high);
                        after[at + 1] |= within != *negated;
                    }
                }
            }
            self.pass_over_any(&mut after);
            if after[end] {
                found = Some(read + 1);
                if !longest {
                    return found;
                }
            }
            if !after.contains(&true) {
                return found;
            }
            next = after;
        }
        found
    }

    /// `*` may stand for nothing.
    fn pass_over_any(&self, next: &mut [bool]) {
        for (at, token) in self.0.iter().enumerate() {
            if next[at] && matches!(token, Token::Any) {
                next[at + 1] = true;
            }
        }
    }
}

/// A character of a class.
fn bound(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let c = match chars.next()? {
        '-' | ']' => return None,
        '\\' => chars.next()?,
        c => c,
    };
    // The class must be closed.
    chars.peek().map(|_| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(pattern: &str, text: &str, longest: bool) -> Option<usize> {
        let text: Vec<char> = text.chars().collect();
        Glob::parse(pattern)?.prefix(&text, longest)
    }

    #[test]
    fn patterns_match_prefixes() {
        let table = [
            ("*.", "a.b.c", Some(2), Some(4)),
            ("*", "abc", Some(1), Some(3)),
            ("", "abc", None, None),
            ("a?c", "abcd", Some(3), Some(3)),
            ("[a-c]*", "bx", Some(1), Some(2)),
            ("[^a-c]", "bx", None, None),
            ("[^a-c]", "xb", Some(1), Some(1)),
            ("\\*", "*a", Some(1), Some(1)),
            ("[a", "a", None, None),
            ("[]a]", "]", None, None),
            ("a\\", "a", None, None),
            ("?", "é!", Some(1), Some(1)),
            ("*a*a*b", "aaaaaaaaab", Some(10), Some(10)),
        ];
        for (pattern, text, shortest, longest) in table {
            assert_eq!(prefix(pattern, text, false), shortest, "{pattern} {text}");
            assert_eq!(prefix(pattern, text, true), longest, "{pattern} {text}");
        }
    }
}
