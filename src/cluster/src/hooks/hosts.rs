//! The hosts that http actions may call: globs, matched without a regular expression (A24).

use std::str::FromStr;

/// `--allowed-action-hosts`: without any, every host that the address rules allow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<HostGlob>);

/// A text that is no host glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no host: write a host name, in which * stands for any text and ? for one character"
)]
pub struct InvalidHost(String);

/// A host name in which `*` stands for any text and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostGlob(String);

impl FromStr for HostGlob {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let glob = normal(text.trim());
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._*?:[]".contains(c);
        if glob.is_empty() || glob.len() > 253 || !glob.chars().all(fits) {
            return Err(InvalidHost(text.to_owned()));
        }
        Ok(Self(glob))
    }
}

impl AllowedHosts {
    /// These globs.
    ///
    /// # Errors
    /// [`InvalidHost`] for the first that isn't one.
    pub fn parse<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidHost> {
        let globs = globs.into_iter().map(str::parse);
        Ok(Self(globs.collect::<Result<_, _>>()?))
    }

    /// Whether the host, as a URL has it, may be called.
    pub fn allow(&self, host: &str) -> bool {
        let host = normal(host);
        self.0.is_empty()
            || self
                .0
                .iter()
                .any(|glob| matches(glob.0.as_bytes(), host.as_bytes()))
    }
}

/// Names in lower case, without the dot of the root and the brackets of an IPv6 address.
fn normal(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.trim_end_matches('.').to_ascii_lowercase()
}

/// Glob matching in one pass with one way back: at most the product of the lengths.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                back = Some((g, t));
                g += 1;
            }
            Some(&b) if b == b'?' || Some(&b) == text.get(t) => {
                g += 1;
                t += 1;
            }
            _ => match back {
                Some((star, at)) => {
                    back = Some((star, at + 1));
                    g = star + 1;
                    t = at + 1;
                }
                None => return false,
            },
        }
    }
    glob.iter().skip(g).all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_hosts() {
        let hosts =
            AllowedHosts::parse(["hooks.example.org", "*.svc", "a?.b", "10.0.0.*"]).unwrap();
        for allowed in [
            "hooks.example.org",
            "HOOKS.example.org.",
            "x.y.svc",
            "ab.b",
            "10.0.0.7",
        ] {
            assert!(hosts.allow(allowed), "{allowed}");
        }
        for refused in [
            "example.org",
            "evil-hooks.example.org",
            "svc",
            "hooks.example.org.evil",
            "a.b",
            "abc.b",
            "",
        ] {
            assert!(!hosts.allow(refused), "{refused}");
        }
        assert!(AllowedHosts::default().allow("anything"));
        for bad in ["", " ", "a/b", "http://a", "a b", "ä", "a@b"] {
            assert!(AllowedHosts::parse([bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn attack_a24_a_glob_of_stars_ends() {
        let stars = format!("{}b", "*a".repeat(100));
        let hosts = AllowedHosts::parse([stars.as_str()]).unwrap();
        assert!(!hosts.allow(&"a".repeat(250)));
    }
}
