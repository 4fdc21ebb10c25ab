//! Values of flags: booleans and durations as Go writes them, counts, address ranges.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use stageset_api::duration::GoDuration;
use stageset_core::names::Namespace;

/// Go's `strconv.ParseBool`.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(super) fn not_negative(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error| format!("{error}"))?;
    u64::try_from(duration.as_nanos())
        .map(Duration::from_nanos)
        .map_err(|_| "must not be negative".to_owned())
}

pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match not_negative(text) {
        Ok(duration) if duration.is_zero() => Err("must be greater than zero".to_owned()),
        Err(error) if error == "must not be negative" => {
            Err("must be greater than zero".to_owned())
        }
        other => other,
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if count >= 1 => Ok(count),
        _ => Err("must be a whole number of at least 1".to_owned()),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("must be a number from 1 to 65535".to_owned()),
    }
}

/// The name of an object: labels of a DNS name, parted by dots.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let label = |label: &str| Namespace::new(label).is_ok();
    if text.len() > 253 || !text.split('.').all(label) {
        return Err(
            "must be the name of an object: lower case letters, digits, - and .".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Why a text is no address range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not an address range: {why}; write for example 127.0.0.0/8 or ::1/128")]
pub struct InvalidCidr {
    found: String,
    why: &'static str,
}

/// A range of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    /// First address of the range.
    pub network: IpAddr,
    /// Number of leading bits that are fixed.
    pub prefix: u8,
}

impl Cidr {
    /// Reads `ADDRESS/BITS`.
    ///
    /// # Errors
    /// [`InvalidCidr`] for anything else, and for an address with bits set beyond the prefix, which
    /// is more often a slip than a wish.
    pub fn parse(text: &str) -> Result<Self, InvalidCidr> {
        let refuse = |why| InvalidCidr {
            found: text.to_owned(),
            why,
        };
        let (address, bits) = text
            .split_once('/')
            .ok_or_else(|| refuse("/BITS is missing"))?;
        let network: IpAddr = address
            .parse()
            .map_err(|_| refuse("what stands before the / is no IP address"))?;
        let prefix: u8 = bits
            .parse()
            .map_err(|_| refuse("what stands after the / is no number of bits"))?;
        let beyond = match network {
            IpAddr::V4(_) if prefix > 32 => return Err(refuse("IPv4 addresses have 32 bits")),
            IpAddr::V6(_) if prefix > 128 => return Err(refuse("IPv6 addresses have 128 bits")),
            IpAddr::V4(v4) => u128::from(v4.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0)),
            IpAddr::V6(v6) => v6.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0),
        };
        if beyond != 0 {
            return Err(refuse("the address has bits set beyond the prefix"));
        }
        Ok(Self { network, prefix })
    }

    /// One element of the flag's list; blanks between commas are no element.
    pub(super) fn parse_flag(text: &str) -> Result<Option<Self>, InvalidCidr> {
        match text.trim() {
            "" => Ok(None),
            range => Self::parse(range).map(Some),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_ranges() {
        for good in [
            "127.0.0.0/8",
            "127.0.0.1/32",
            "::1/128",
            "0.0.0.0/0",
            "::/0",
            "fe80::/10",
        ] {
            assert_eq!(
                Cidr::parse(good).map(|c| c.to_string()).as_deref(),
                Ok(good)
            );
        }
        for bad in [
            "",
            "127.0.0.1",
            "127.0.0.1/8",
            "127.0.0.0/33",
            "::/129",
            "x/8",
            "1.0.0.0/x",
            "::1/0",
        ] {
            assert!(Cidr::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
