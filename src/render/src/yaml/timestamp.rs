//! Times without quotes: kustomize writes them in full.

/// The full form of a time as go-yaml reads one, if a text is one: `2001-1-1` is
/// `2001-01-01T00:00:00Z`.
pub(super) fn full(text: &str) -> Option<String> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 4)?;
    rest.take("-")?;
    let month = rest.digits(1, 2)?;
    rest.take("-")?;
    let day = rest.digits(1, 2)?;
    if !(1..=12).contains(&month) || day == 0 || day > length(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.0.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    // With a space there is no zone.
    let zoned = rest.take("T").or_else(|| rest.take("t")).is_some();
    if !zoned {
        rest.take(" ")?;
    }
    let hour = rest.digits(1, 2)?;
    rest.take(":")?;
    let minute = rest.digits(1, 2)?;
    rest.take(":")?;
    let second = rest.digits(1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = rest.fraction()?;
    let zone = if zoned { rest.zone()? } else { "Z".to_owned() };
    rest.0
        .is_empty()
        .then(|| format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

fn length(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self
            .0
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        (count >= least).then(|| digits.parse().ok()).flatten()
    }

    /// A fraction of a second, in nanoseconds at most, without zeros at the end.
    fn fraction(&mut self) -> Option<String> {
        if self.take(".").or_else(|| self.take(",")).is_none() {
            return Some(String::new());
        }
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let digits = digits.get(..9).unwrap_or(digits).trim_end_matches('0');
        match (count, digits) {
            (0, _) => None,
            (_, "") => Some(String::new()),
            (_, digits) => Some(format!(".{digits}")),
        }
    }

    fn zone(&mut self) -> Option<String> {
        if self.take("Z").is_some() {
            return Some("Z".to_owned());
        }
        let sign = match self.take("+") {
            Some(()) => '+',
            None => self.take("-").map(|()| '-')?,
        };
        let hours = self.digits(2, 2)?;
        self.take(":")?;
        let minutes = self.digits(2, 2)?;
        match (hours, minutes) {
            (25.., _) | (_, 60..) => None,
            (0, 0) => Some("Z".to_owned()),
            _ => Some(format!("{sign}{hours:02}:{minutes:02}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::full;

    /// Right: what `kustomize build` 5.8.2 printed, or that it kept the text.
    #[test]
    fn times_are_what_kustomize_writes() {
        let table = [
            ("2001-12-14", Some("2001-12-14T00:00:00Z")),
            ("2001-1-1", Some("2001-01-01T00:00:00Z")),
            ("0001-01-01", Some("0001-01-01T00:00:00Z")),
            ("2001-1-1T1:2:3Z", Some("2001-01-01T01:02:03Z")),
            (
                "2001-12-14t21:59:43.10-05:00",
                Some("2001-12-14T21:59:43.1-05:00"),
            ),
            ("2001-12-14 21:59:43.1", Some("2001-12-14T21:59:43.1Z")),
            ("2001-12-14T21:59:43+00:00", Some("2001-12-14T21:59:43Z")),
            (
                "2001-12-14T21:59:43.123456789Z",
                Some("2001-12-14T21:59:43.123456789Z"),
            ),
            ("2001-12-14T21:59:43", None),
            ("2001-12-14 21:59:43Z", None),
            ("2001-12-14 21:59:43.10 -5", None),
            ("2001-13-01", None),
            ("2001-02-30", None),
            ("20010101", None),
            ("2001-01-01x", None),
        ];
        for (text, expected) in table {
            assert_eq!(full(text).as_deref(), expected, "{text}");
        }
    }
}
