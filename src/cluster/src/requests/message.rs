//! Cleans what servers say before people read it: in one line, bounded, without control characters.

/// Longest message that is passed on, in bytes.
const LIMIT: usize = 1024;

/// The text in one line of at most 1 KiB, without control characters and without marks that reorder
/// or hide text.
pub fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut blank = true;
    for c in text.chars() {
        let hidden = matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        );
        if hidden {
            continue;
        }
        if c.is_control() || c.is_whitespace() {
            if !blank {
                out.push(' ');
            }
            blank = true;
            continue;
        }
        if out.len() + c.len_utf8() > LIMIT - '…'.len_utf8() {
            out.push('…');
            return out;
        }
        out.push(c);
        blank = false;
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_bounded_line() {
        assert_eq!(clean(" a\r\n\tb\u{1b}[31mc\0 \u{202e}d "), "a b [31mc d");
        let long = clean(&"ä".repeat(2000));
        assert!(
            long.len() <= LIMIT && long.ends_with('…'),
            "{} bytes",
            long.len()
        );
        assert_eq!(clean(""), "");
    }
}
