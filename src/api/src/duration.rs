//! Go's duration strings: what every Kubernetes API means by a duration.
//!
//! Reading follows Go's rules to the letter (units `ns`, `us`, `µs`, `μs`, `ms`, `s`, `m`, `h`,
//! fractions, signs, a bare `0`, overflow at ±2^63 ns), so a spec means the same to us as to any
//! tool written in Go; writing gives Go's canonical form (`1h30m0s`, `1.5s`, `0s`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the schema demands of a duration field: everything that parses, overflow apart.
pub const PATTERN: &str = r"^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// Largest magnitude, of negative durations only: 2^63 ns.
const LIMIT: u64 = 1 << 63;

const NANOS_PER_MICRO: u64 = 1_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MINUTE: u64 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: u64 = 60 * NANOS_PER_MINUTE;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a duration: {why}; write for example 90s, 10m or 1h30m")]
pub struct InvalidDuration {
    found: String,
    why: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("it is empty")]
    Empty,
    #[error("a number is missing")]
    NoNumber,
    #[error("the unit is missing")]
    NoUnit,
    #[error("unknown unit {0:?}")]
    UnknownUnit(String),
    #[error("it is longer than 292 years")]
    Overflow,
}

/// A signed span of time in whole nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

impl GoDuration {
    /// A span of so many nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A span of so many seconds, at most about 292 years.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as i64 * 1_000_000_000)
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The span if it is positive: the contract treats zero and less as "not set".
    pub fn positive(self) -> Option<Duration> {
        u64::try_from(self.0)
            .ok()
            .filter(|n| *n > 0)
            .map(Duration::from_nanos)
    }
}

impl From<Duration> for GoDuration {
    /// Spans beyond Go's range become the longest span there is.
    fn from(span: Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// The leading digits of a text, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// Digits after the point as a number and its power of ten; digits beyond 63 bits don't count.
fn fraction(digits: &str) -> (u64, f64) {
    let mut value = 0_u64;
    let mut scale = 1.0_f64;
    for digit in digits.bytes().map(|b| u64::from(b - b'0')) {
        match value.checked_mul(10).and_then(|v| v.checked_add(digit)) {
            Some(next) if next <= LIMIT && value <= (LIMIT - 1) / 10 => value = next,
            _ => break,
        }
        scale *= 10.0;
    }
    (value, scale)
}

fn unit(name: &str) -> Result<u64, Fault> {
    Ok(match name {
        "" => return Err(Fault::NoUnit),
        "ns" => 1,
        "us" | "µs" | "μs" => NANOS_PER_MICRO,
        "ms" => NANOS_PER_MILLI,
        "s" => NANOS_PER_SECOND,
        "m" => NANOS_PER_MINUTE,
        "h" => NANOS_PER_HOUR,
        other => return Err(Fault::UnknownUnit(other.chars().take(20).collect())),
    })
}

/// One number with its unit in nanoseconds, and what follows it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go reckons fractions in float64; the same rounding is wanted, and the values are positive"
)]
fn term(text: &str) -> Result<(u64, &str), Fault> {
    let (whole, rest) = digits(text);
    let (part, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && part.is_empty() {
        return Err(Fault::NoNumber);
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole
            .parse()
            .ok()
            .filter(|w| *w <= LIMIT)
            .ok_or(Fault::Overflow)?
    };
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let size = unit(name)?;
    let mut nanos = whole
        .checked_mul(size)
        .filter(|n| *n <= LIMIT)
        .ok_or(Fault::Overflow)?;
    let (value, scale) = fraction(part);
    if value > 0 {
        nanos += (value as f64 * (size as f64 / scale)) as u64;
    }
    if nanos > LIMIT {
        return Err(Fault::Overflow);
    }
    Ok((nanos, rest))
}

fn parse(text: &str) -> Result<i64, Fault> {
    let (negative, mut rest) = match text.as_bytes().first() {
        None => return Err(Fault::Empty),
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(Fault::NoNumber);
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (nanos, after) = term(rest)?;
        total = total
            .checked_add(nanos)
            .filter(|t| *t <= LIMIT)
            .ok_or(Fault::Overflow)?;
        rest = after;
    }
    if negative {
        return Ok(0_i64.checked_sub_unsigned(total).unwrap_or(i64::MIN));
    }
    i64::try_from(total).map_err(|_| Fault::Overflow)
}

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).map_err(|why| InvalidDuration {
            found: text.chars().take(64).collect(),
            why,
        })
    }
}

/// `nanos` in `unit`, with a fraction but without trailing zeros.
fn decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let rest = nanos % unit;
    if rest > 0 {
        let width = usize::try_from(unit.ilog10()).unwrap_or(9);
        let digits = format!("{rest:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(name)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => f.write_str("0s"),
            n if n < NANOS_PER_MICRO => write!(f, "{n}ns"),
            n if n < NANOS_PER_MILLI => decimal(f, n, NANOS_PER_MICRO, "µs"),
            n if n < NANOS_PER_SECOND => decimal(f, n, NANOS_PER_MILLI, "ms"),
            n => {
                if n >= NANOS_PER_HOUR {
                    write!(f, "{}h", n / NANOS_PER_HOUR)?;
                }
                if n >= NANOS_PER_MINUTE {
                    write!(f, "{}m", n % NANOS_PER_HOUR / NANOS_PER_MINUTE)?;
                }
                decimal(f, n % NANOS_PER_MINUTE, NANOS_PER_SECOND, "s")
            }
        }
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A duration field of a spec as it was written; a rule about it can name what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationText(pub String);

impl DurationText {
    /// The span.
    ///
    /// # Errors
    /// [`InvalidDuration`] when the text isn't one.
    pub fn parse(&self) -> Result<GoDuration, InvalidDuration> {
        self.0.parse()
    }
}

impl From<GoDuration> for DurationText {
    fn from(span: GoDuration) -> Self {
        Self(span.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Option<i64> {
        text.parse::<GoDuration>().ok().map(GoDuration::as_nanos)
    }

    #[test]
    fn reads_what_go_reads() {
        for (text, want) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("-5s", -5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("300ms", 300_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1.000000001s", 1_000_000_001),
            ("10us", 10_000),
            ("10µs", 10_000),
            ("10μs", 10_000),
            ("1m1m", 120_000_000_000),
            ("0.9ns", 0),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.9806932672330554537h", 3_530_495_762_038),
            ("9223372036854775807ns", i64::MAX),
            ("9223372036.854775807s", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("-2562047h47m16.854775808s", i64::MIN),
            ("9007199254.740993s", 9_007_199_254_740_993_000),
        ] {
            assert_eq!(nanos(text), Some(want), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "",
            "3",
            "-",
            "+",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "1w",
            "1 s",
            " 1s",
            "1s ",
            "1.2.3s",
            "--1s",
            "1e3s",
            "1S",
            "1h-5m",
            "９s",
            "9223372036854775808ns",
            "9223372036854775.808us",
            "9223372036854ms775us808ns",
            "-9223372036854775809ns",
            "3000000h",
            "99999999999999999999999s",
            "\u{85}85",
            "ﾀs",
        ] {
            assert_eq!(nanos(text), None, "{text:?} was accepted");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanos, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (3_600_000_000_000, "1h0m0s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            let span = GoDuration::from_nanos(nanos);
            assert_eq!(span.to_string(), want);
            assert_eq!(want.parse(), Ok(span));
        }
    }

    #[test]
    fn a_fault_is_named_and_kept_short() {
        let fault = "10 minutes".parse::<GoDuration>().unwrap_err().to_string();
        assert!(fault.contains("unknown unit \" minutes\""), "{fault}");
        let fault = "9"
            .repeat(1_000_000)
            .parse::<GoDuration>()
            .unwrap_err()
            .to_string();
        assert!(fault.len() < 300 && fault.contains("292 years"), "{fault}");
    }

    #[test]
    fn zero_and_less_count_as_unset() {
        assert_eq!(GoDuration::from_nanos(-1).positive(), None);
        assert_eq!(GoDuration::from_nanos(0).positive(), None);
        assert_eq!(
            GoDuration::from_secs(2).positive(),
            Some(Duration::from_secs(2))
        );
    }
}
