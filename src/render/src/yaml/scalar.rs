//! What a scalar means: the rules of go-yaml v3, which kustomize reads with, checked against
//! kustomize 5.8.2.
//!
//! In short: YAML 1.2's core schema, plus octals as `0777`, binary, and underscores in numbers;
//! `yes`, `on` and their like are strings; `2001-01-01` is a time, which is written in full. One
//! difference on purpose: floats without a fraction are integers (kustomize prints `1.0` as `1`,
//! which is then read as an integer).

use serde_json::Number;

use super::timestamp;

/// What a plain scalar resolves to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    /// `null`, `~`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(Number),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// `.inf` or `.nan`, which JSON can't say.
    NotFinite,
    /// A date, or a time with its date.
    Time,
    /// Everything else.
    Text,
}

/// Which words are booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `true` and `false`: objects and strategic merge patches.
    Objects,
    /// `y`, `n`, `yes`, `no`, `on` and `off` as well: kustomization files and what else kustomize reads
    /// with another library.
    Settings,
}

/// Resolves a plain scalar without a tag.
pub(super) fn resolve(text: &str, dialect: Dialect) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::Settings => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::Settings => {
            return Scalar::Bool(false);
        }
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return Scalar::NotFinite,
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Scalar::Text;
    }
    if dialect == Dialect::Objects && timestamp::full(text).is_some() {
        return Scalar::Time;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(number) = integer(&plain) {
        return Scalar::Int(number);
    }
    // Beyond the range of a double, kustomize keeps the text.
    match plain.parse::<f64>() {
        Ok(float) if is_float(&plain) && float.is_finite() => Scalar::Float(float),
        _ => Scalar::Text,
    }
}

/// The JSON number for a float: an integer where its shortest decimal form is one, as when Go
/// prints it and reads it again.
pub(super) fn number(float: f64) -> Option<Number> {
    let text = float.to_string();
    let integer = text.parse::<i64>().map(Number::from).ok();
    integer
        .or_else(|| text.parse::<u64>().map(Number::from).ok())
        .or_else(|| Number::from_f64(float))
}

fn integer(plain: &str) -> Option<Number> {
    let (sign, digits) = match plain.as_bytes().first()? {
        b'-' => (Some('-'), &plain[1..]),
        b'+' => (Some('+'), &plain[1..]),
        _ => (None, plain),
    };
    let prefix = digits.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (digits, radix) = match prefix.as_str() {
        "0x" => (&digits[2..], 16),
        "0o" => (&digits[2..], 8),
        "0b" => (&digits[2..], 2),
        _ if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match sign {
        Some('-') => 0_i64.checked_sub_unsigned(magnitude).map(Number::from),
        Some(_) => i64::try_from(magnitude).ok().map(Number::from),
        None => Some(Number::from(magnitude)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(plain: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_ok
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match resolve(text, Dialect::Objects) {
            Scalar::Null => "null".into(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Float(float) => number(float).unwrap().to_string(),
            Scalar::NotFinite => "not finite".into(),
            Scalar::Time => "a time".into(),
            Scalar::Text => format!("{text:?}"),
        }
    }

    /// Left: the scalar. Right: what `kustomize build` 5.8.2 printed for it.
    #[test]
    fn scalars_mean_what_kustomize_reads() {
        let table = [
            ("yes", "\"yes\""),
            ("on", "\"on\""),
            ("y", "\"y\""),
            ("tRUE", "\"tRUE\""),
            ("TRUE", "true"),
            ("False", "false"),
            ("NULL", "null"),
            ("~", "null"),
            ("", "null"),
            ("0777", "511"),
            ("0o777", "511"),
            ("0O17", "15"),
            ("0b11", "3"),
            ("0B1", "1"),
            ("-0b11", "-3"),
            ("-0o17", "-15"),
            ("0x1F", "31"),
            ("-0x10", "-16"),
            ("0xFFFFFFFFFFFFFFFF", "18446744073709551615"),
            ("0xFFFFFFFFFFFFFFFFF", "\"0xFFFFFFFFFFFFFFFFF\""),
            ("0x", "\"0x\""),
            ("08", "8"),
            ("0_7", "7"),
            ("1_000", "1000"),
            ("1__0", "10"),
            ("_1", "\"_1\""),
            ("+12", "12"),
            ("-0", "0"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("12e03", "12000"),
            ("1e21", "1e+21"),
            ("1e400", "\"1e400\""),
            (".5", "0.5"),
            ("5.", "5"),
            ("+.5", "0.5"),
            (".5_0", "0.5"),
            ("1.5_0", "1.5"),
            ("1234567890123456789e0", "1234567890123456800"),
            ("1e19", "10000000000000000000"),
            ("1e-7", "1e-7"),
            ("123456789.5", "123456789.5"),
            ("1.23456789012345678", "1.2345678901234567"),
            ("123456789012345678", "123456789012345678"),
            ("18446744073709551615", "18446744073709551615"),
            ("99999999999999999999", "1e+20"),
            (".inf", "not finite"),
            (".nan", "not finite"),
            ("12:30:45", "\"12:30:45\""),
            ("1:2", "\"1:2\""),
            ("=", "\"=\""),
            ("+", "\"+\""),
            (".", "\".\""),
            ("..", "\"..\""),
            ("2001-01-01", "a time"),
            ("2001-01-01T00:00:00Z", "a time"),
            ("2001-01-01T00:00:00", "\"2001-01-01T00:00:00\""),
            // Never a number, whatever Rust's own parser would say.
            ("inf", "\"inf\""),
            ("-inf", "\"-inf\""),
            ("+nan", "\"+nan\""),
            ("0x+1", "\"0x+1\""),
            ("++1", "\"++1\""),
            ("1e", "\"1e\""),
            ("1.2.3", "\"1.2.3\""),
        ];
        for (text, expected) in table {
            assert_eq!(json(text), expected, "{text}");
        }
    }
}
