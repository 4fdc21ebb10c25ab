//! Addresses that the controller listens on.

use std::fmt;

/// `host:port`, or nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
    /// Don't listen.
    Off,
    /// Listen here.
    On {
        /// Host name or address; empty = every address of this machine.
        host: String,
        /// TCP port. 0, "any free port", is taken only together with a host: it serves tests, where
        /// the address that was found is read from the log.
        port: u16,
    },
}

impl BindAddress {
    /// Every address of this machine.
    pub const fn any(port: u16) -> Self {
        Self::On {
            host: String::new(),
            port,
        }
    }

    /// Reads a flag: `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; `0` and nothing at
    /// all mean nowhere.
    ///
    /// # Errors
    /// A message for people when it is none of these, or the port isn't one of 1..65535.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text == "0" {
            return Ok(Self::Off);
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("must be host:port, or 0 or empty to switch it off")?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .ok_or("the host's bracket isn't closed")?,
            None if host.contains(':') => {
                return Err("an IPv6 host must stand in brackets, e.g. [::1]:8080".to_owned());
            }
            None => host,
        };
        match port.parse::<u16>() {
            Ok(port) if port > 0 || !host.is_empty() => Ok(Self::On {
                host: host.to_owned(),
                port,
            }),
            _ => Err("the port must be a number from 1 to 65535".to_owned()),
        }
    }

    /// What to bind, best first: an empty host means both IP versions where the machine has both.
    pub fn candidates(&self) -> Vec<(String, u16)> {
        match self {
            Self::Off => Vec::new(),
            Self::On { host, port } if host.is_empty() => {
                vec![("::".to_owned(), *port), ("0.0.0.0".to_owned(), *port)]
            }
            Self::On { host, port } => vec![(host.clone(), *port)],
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::On { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::On { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_operators_write_them() {
        for (text, printed) in [
            ("", "off"),
            ("0", "off"),
            (":8080", ":8080"),
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:8080", "[::1]:8080"),
            ("localhost:65535", "localhost:65535"),
        ] {
            let address = BindAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), printed, "{text:?}");
        }
        for bad in [
            "8080", ":0", ":65536", ":-1", ":", "host:", "::1:80", "[::1:80", ":http",
        ] {
            assert!(BindAddress::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
