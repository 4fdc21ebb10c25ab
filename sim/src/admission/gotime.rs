//! Times as Go reads them, and what it says of a text that is none.

use jiff::Timestamp;

/// Reads RFC 3339; with `micro`, six digits after the second are a must.
pub(crate) fn parse(text: &str, micro: bool) -> Result<Timestamp, String> {
    let form = if micro {
        "2006-01-02T15:04:05.000000Z07:00"
    } else {
        "2006-01-02T15:04:05Z07:00"
    };
    let fail = |rest: &str, part: &str| {
        Err(format!(
            "parsing time {text:?} as {form:?}: cannot parse {rest:?} as {part:?}"
        ))
    };
    let mut rest = text;
    for (part, digits) in [
        ("2006", 4),
        ("-", 0),
        ("01", 2),
        ("-", 0),
        ("02", 2),
        ("T", 0),
        ("15", 2),
        (":", 0),
        ("04", 2),
        (":", 0),
        ("05", 2),
    ] {
        let fits = if digits == 0 {
            rest.starts_with(part)
        } else {
            rest.len() >= digits && rest.bytes().take(digits).all(|b| b.is_ascii_digit())
        };
        if !fits {
            return fail(rest, part);
        }
        rest = &rest[digits.max(usize::from(digits == 0))..];
    }
    let fraction: usize = rest
        .strip_prefix('.')
        .map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
    if micro && fraction != 6 {
        return fail(rest, ".000000");
    }
    if fraction > 0 {
        rest = &rest[fraction + 1..];
    }
    let zone = rest.as_bytes();
    let offset = zone.len() == 6
        && matches!(zone[0], b'+' | b'-')
        && zone[3] == b':'
        && [1, 2, 4, 5].iter().all(|i| zone[*i].is_ascii_digit());
    if rest != "Z" && !offset {
        return fail(rest, "Z07:00");
    }
    text.parse()
        .map_err(|_| format!("parsing time {text:?}: day out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_says_where_a_time_ends() {
        assert!(parse("2026-01-01T00:00:00Z", false).is_ok());
        assert!(parse("2026-01-01T00:00:00.5+02:00", false).is_ok());
        assert!(parse("2026-01-01T00:00:00.000000Z", true).is_ok());
        assert_eq!(
            parse("soon", false).unwrap_err(),
            "parsing time \"soon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"soon\" as \"2006\""
        );
        let error = parse("2026-01-01T02:00:00+02:00", true).unwrap_err();
        assert!(
            error.ends_with("cannot parse \"+02:00\" as \".000000\""),
            "{error}"
        );
        let error = parse("2026-01-01", false).unwrap_err();
        assert!(error.ends_with("cannot parse \"\" as \"T\""), "{error}");
    }
}
