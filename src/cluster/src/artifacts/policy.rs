//! Which addresses a request of ours to the outside may go to (A18): everything but loopback,
//! link-local, multicast and unspecified ones, whatever way they are written; private ranges are
//! allowed, since that is where a cluster's source-controller stands.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The policy, with the ranges that an operator opened by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    opened: Vec<Range>,
    purpose: Purpose,
}

/// What is called; each has a flag of its own to open ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// Downloads of artifacts.
    #[default]
    Artifacts,
    /// Requests of http actions.
    Actions,
}

impl Purpose {
    fn refuses(self) -> &'static str {
        match self {
            Self::Artifacts => {
                "which artifacts aren't downloaded from; an operator can open the range with \
                 --allow-artifact-addresses"
            }
            Self::Actions => {
                "which http actions don't call; an operator can open the range with \
                 --allow-action-addresses"
            }
        }
    }
}

/// An address that may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}, {}", purpose.refuses())]
pub struct RefusedAddress {
    /// The address.
    pub address: IpAddr,
    what: &'static str,
    purpose: Purpose,
}

impl RefusedAddress {
    /// What kind of address it is, e.g. "a loopback address".
    pub fn what(&self) -> &'static str {
        self.what
    }
}

/// A text that is no address range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address range: write for example 127.0.0.0/8 or ::1/128")]
pub struct InvalidRange(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    network: IpAddr,
    prefix: u8,
}

impl AddressPolicy {
    /// The policy with these ranges opened, each an address and its number of fixed bits.
    pub fn opening(ranges: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        let opened = ranges
            .into_iter()
            .map(|(network, prefix)| Range { network, prefix });
        Self {
            opened: opened.collect(),
            purpose: Purpose::default(),
        }
    }

    /// The same policy for something else.
    #[must_use]
    pub fn of(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// The policy with ranges opened as `--allow-artifact-addresses` lists them: CIDRs separated by
    /// commas; empty opens nothing.
    ///
    /// # Errors
    /// [`InvalidRange`] for the first part that isn't one.
    pub fn parse(list: &str) -> Result<Self, InvalidRange> {
        let parts = list
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let opened = parts.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self {
            opened,
            purpose: Purpose::default(),
        })
    }

    /// Whether an address may be called.
    ///
    /// # Errors
    /// [`RefusedAddress`] if it, or an IPv4 address written inside it, may not.
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        let inner = embedded(address);
        let opened = |address| self.opened.iter().any(|range| range.holds(address));
        if opened(address) || inner.is_some_and(opened) {
            return Ok(());
        }
        match refused(address).or_else(|| inner.and_then(refused)) {
            Some(what) => Err(RefusedAddress {
                address,
                what,
                purpose: self.purpose,
            }),
            None => Ok(()),
        }
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 or 6to4.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else {
        return None;
    };
    let bits = v6.to_bits();
    let v4 = |bits: u128| {
        let low = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(u32::MAX);
        Some(IpAddr::V4(Ipv4Addr::from_bits(low)))
    };
    match (bits >> 32, bits >> 112) {
        // ::ffff:a.b.c.d and 64:ff9b::a.b.c.d
        (0xffff | 0x0064_ff9b_0000_0000_0000_0000, _) => v4(bits),
        // ::a.b.c.d; :: and ::1 are themselves.
        (0, _) if bits > 1 => v4(bits),
        // 2002:aabb:ccdd::
        (_, 0x2002) => v4(bits >> 80),
        _ => None,
    }
}

fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => refused_v6(v6),
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    if first == 0 {
        Some("an unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if address.is_link_local() {
        Some("a link-local address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if first >= 240 {
        Some("a reserved or broadcast address")
    } else {
        None
    }
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        Some("an unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if address.is_unicast_link_local() {
        Some("a link-local address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else {
        None
    }
}

impl Range {
    fn holds(self, address: IpAddr) -> bool {
        let shared = |differs: u128, bits: u32| {
            let free = bits.saturating_sub(u32::from(self.prefix));
            differs.checked_shr(free).unwrap_or(0) == 0
        };
        match (self.network, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => shared(u128::from(a.to_bits() ^ b.to_bits()), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => shared(a.to_bits() ^ b.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || InvalidRange(text.to_owned());
        let (network, prefix) = text.split_once('/').ok_or_else(refuse)?;
        let network: IpAddr = network.parse().map_err(|_| refuse())?;
        let prefix: u8 = prefix.parse().map_err(|_| refuse())?;
        if prefix > if network.is_ipv4() { 32 } else { 128 } {
            return Err(refuse());
        }
        Ok(Self { network, prefix })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn attack_a18_special_addresses_are_refused_however_they_are_written() {
        let policy = AddressPolicy::default();
        for refused in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
        ] {
            assert!(policy.check(ip(refused)).is_err(), "{refused} was allowed");
        }
        for allowed in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "8.8.8.8",
            "fd00::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::808:808",
        ] {
            assert_eq!(policy.check(ip(allowed)), Ok(()), "{allowed}");
        }
    }

    #[test]
    fn named_ranges_are_opened_and_no_others() {
        let policy = AddressPolicy::parse("127.0.0.0/30, ::1/128,").unwrap();
        for allowed in ["127.0.0.1", "127.0.0.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(policy.check(ip(allowed)), Ok(()), "{allowed}");
        }
        for refused in [
            "127.0.0.4",
            "169.254.169.254",
            "fe80::1",
            "::ffff:127.0.0.4",
        ] {
            assert!(policy.check(ip(refused)).is_err(), "{refused} was allowed");
        }
        assert_eq!(
            AddressPolicy::parse("0.0.0.0/0")
                .unwrap()
                .check(ip("127.0.0.1")),
            Ok(())
        );
        assert!(
            AddressPolicy::parse("::/0")
                .unwrap()
                .check(ip("127.0.0.1"))
                .is_err()
        );
        for bad in [
            "127.0.0.1",
            "127.0.0.0/33",
            "::/129",
            "localhost/8",
            "a",
            "1.2.3.4/-1",
        ] {
            assert!(AddressPolicy::parse(bad).is_err(), "{bad} was read");
        }
        assert_eq!(AddressPolicy::parse(" "), Ok(AddressPolicy::default()));
    }
}
