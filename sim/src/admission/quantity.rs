//! Amounts such as `100m` or `1Gi`: what Kubernetes reads, and the one way in which it writes each.

use std::fmt;

/// The units of a billionth in one.
const ONE: i128 = 1_000_000_000;

/// How an amount was written, which is how it is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `k`, `M`, `m`, …
    Decimal,
    /// `Ki`, `Mi`, …
    Binary,
    /// `e3`
    Exponent,
}

/// An amount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    /// In billionths.
    nanos: i128,
    form: Form,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.nanos.partial_cmp(&other.nanos)
    }
}

const WRONG_FORM: &str = "quantities must match the regular expression \
    '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";
const WRONG_NUMBER: &str = "unable to parse numeric part of quantity";

/// Suffix, base and exponent.
const SUFFIXES: [(&str, i128, i32); 16] = [
    ("n", 10, -9),
    ("u", 10, -6),
    ("m", 10, -3),
    ("", 10, 0),
    ("k", 10, 3),
    ("M", 10, 6),
    ("G", 10, 9),
    ("T", 10, 12),
    ("P", 10, 15),
    ("E", 10, 18),
    ("Ki", 2, 10),
    ("Mi", 2, 20),
    ("Gi", 2, 30),
    ("Ti", 2, 40),
    ("Pi", 2, 50),
    ("Ei", 2, 60),
];

impl Quantity {
    /// Reads an amount. The error is the real server's.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        if number.is_empty()
            || !suffix
                .chars()
                .all(|c| "eEinumkKMGTP+-0123456789".contains(c))
        {
            return Err(WRONG_FORM);
        }
        let (form, base, exponent) = unit(suffix)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(WRONG_NUMBER);
        }
        let digits: i128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| WRONG_NUMBER)?;
        let scale = i32::try_from(fraction.len()).map_err(|_| WRONG_NUMBER)?;
        let nanos = if base == 2 {
            let unit = 1_i128 << exponent;
            scaled(digits.saturating_mul(unit), 9 - scale)
        } else {
            scaled(digits, 9 - scale + exponent)
        };
        Ok(Self {
            nanos: if negative { -nanos } else { nanos },
            form,
        })
    }

    pub(crate) fn is_negative(self) -> bool {
        self.nanos < 0
    }

    pub(crate) fn is_positive(self) -> bool {
        self.nanos > 0
    }

    /// So many whole ones.
    pub(crate) fn whole(number: i128) -> Self {
        Self {
            nanos: number.saturating_mul(ONE),
            form: Form::Decimal,
        }
    }

    /// The sum of two amounts, written as the first.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_add(other.nanos),
            form: self.form_with(other),
        }
    }

    /// What is left of an amount without another, written as the first.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(other.nanos),
            form: self.form_with(other),
        }
    }

    /// Nothing has no form of its own.
    fn form_with(self, other: Self) -> Form {
        if self.nanos == 0 {
            other.form
        } else {
            self.form
        }
    }

    pub(crate) fn larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

/// A number times a power of ten; what is smaller than a billionth rounds away from zero.
fn scaled(number: i128, exponent: i32) -> i128 {
    let power = 10_i128
        .checked_pow(exponent.unsigned_abs())
        .unwrap_or(i128::MAX);
    if exponent >= 0 {
        return number.saturating_mul(power);
    }
    let whole = number / power;
    whole + i128::from(number % power != 0)
}

fn unit(suffix: &str) -> Result<(Form, i128, i32), &'static str> {
    if let Some((_, base, exponent)) = SUFFIXES.iter().find(|(s, _, _)| *s == suffix) {
        let form = if *base == 2 {
            Form::Binary
        } else {
            Form::Decimal
        };
        return Ok((form, *base, *exponent));
    }
    let exponent = suffix
        .strip_prefix(['e', 'E'])
        .and_then(|rest| rest.parse().ok());
    match exponent {
        Some(exponent) => Ok((Form::Exponent, 10, exponent)),
        None => Err(WRONG_SUFFIX),
    }
}

impl fmt::Display for Quantity {
    /// No fraction, and the largest unit that allows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % ONE == 0;
        let large = self.nanos.abs() >= 1024 * ONE;
        if self.form == Form::Binary && whole && large {
            let mut number = self.nanos / ONE;
            let mut power = 0;
            while number % 1024 == 0 && power < 60 {
                number /= 1024;
                power += 10;
            }
            return write!(f, "{number}{}", suffix(2, power));
        }
        let (mut number, mut power) = (self.nanos, -9);
        while number % 1000 == 0 && power < 18 {
            number /= 1000;
            power += 3;
        }
        match (self.form, power) {
            (Form::Exponent, 0) => write!(f, "{number}"),
            (Form::Exponent, _) => write!(f, "{number}e{power}"),
            _ => write!(f, "{number}{}", suffix(10, power)),
        }
    }
}

fn suffix(base: i128, exponent: i32) -> &'static str {
    SUFFIXES
        .iter()
        .find(|(_, b, e)| *b == base && *e == exponent)
        .map_or("", |(s, _, _)| s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_one_way() {
        for (text, want) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1", "1"),
            ("1024Mi", "1Gi"),
            ("1000Ki", "1000Ki"),
            ("0.5Gi", "512Mi"),
            ("1.5Gi", "1536Mi"),
            ("512", "512"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("-1", "-1"),
            ("0Gi", "0"),
            (".5", "500m"),
            ("100n", "100n"),
            ("0.1n", "1n"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        assert_eq!(Quantity::parse("").unwrap_err(), WRONG_FORM);
        assert_eq!(Quantity::parse("1x").unwrap_err(), WRONG_FORM);
        assert_eq!(Quantity::parse("1kk").unwrap_err(), WRONG_SUFFIX);
        assert!(Quantity::parse("1Gi").unwrap() > Quantity::parse("1G").unwrap());
    }
}
