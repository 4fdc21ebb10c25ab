//! What an artifact's URL may be, and where a redirect leads.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

/// Why a URL isn't called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedUrl {
    #[error("it isn't an absolute http or https URL")]
    NotHttp,
    #[error("it holds a user name or password, which doesn't belong into a URL")]
    Credentials,
    #[error("{0:?} is a number and not an address in its usual form")]
    OddAddress(String),
}

/// A URL that may be called as far as its form goes, with the address if its host is one.
pub(crate) fn check(url: &str) -> Result<(Uri, Option<IpAddr>), RefusedUrl> {
    let uri: Uri = url.parse().map_err(|_| RefusedUrl::NotHttp)?;
    let http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    let authority = uri
        .authority()
        .filter(|_| http)
        .ok_or(RefusedUrl::NotHttp)?;
    if authority.as_str().contains('@') {
        return Err(RefusedUrl::Credentials);
    }
    let host = authority.host();
    let bare = bare(host);
    if bare.is_empty() {
        return Err(RefusedUrl::NotHttp);
    }
    let address = odd_or_address(host).map_err(|()| RefusedUrl::OddAddress(bare.to_owned()))?;
    Ok((uri, address))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The address that a host is, if it is one; an error if it is a number that resolvers read as an
/// address: "127.1", "0x7f000001", "017700000001", "2130706433".
pub(crate) fn odd_or_address(host: &str) -> Result<Option<IpAddr>, ()> {
    let bare = bare(host);
    if let Ok(address) = bare.parse() {
        return Ok(Some(address));
    }
    let last = bare
        .trim_end_matches('.')
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    if number || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(());
    }
    Ok(None)
}

/// Where a `Location` header leads from `base`.
pub(crate) fn redirected(base: &Uri, location: &str) -> String {
    let scheme = base.scheme_str().unwrap_or("http");
    let authority = base.authority().map_or("", |authority| authority.as_str());
    // Only a scheme can have a colon before the first slash, question mark or hash.
    let head = location.split(['/', '?', '#']).next().unwrap_or_default();
    if head.contains(':') {
        return location.to_owned();
    }
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    if location.starts_with('/') {
        return format!("{scheme}://{authority}{location}");
    }
    let path = base.path();
    if location.starts_with('?') {
        return format!("{scheme}://{authority}{path}{location}");
    }
    let folder = path
        .rfind('/')
        .map_or("/", |end| path.get(..=end).unwrap_or("/"));
    format!("{scheme}://{authority}{folder}{location}")
}

/// The URL for messages: without its query, where presigned URLs keep their signatures, and without
/// credentials.
pub(crate) fn for_people(url: &str) -> String {
    let head = url.split(['?', '#']).next().unwrap_or_default();
    match head.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit('@').next().unwrap_or_default();
            crate::requests::clean(&format!("{scheme}://{host}/{path}"))
        }
        None => crate::requests::clean(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_urls_are_called() {
        for bad in [
            "",
            "/a",
            "a.tar.gz",
            "file:///etc/passwd",
            "ftp://a/b",
            "gopher://a/",
            "http://",
            "http:///a",
            "http://user@host/a",
            "http://user:pass@host/a",
            "http://127.1/a",
            "http://2130706433/a",
            "http://0x7f000001/a",
            "http://0X7F.1/a",
            "http://017700000001/a",
            "http://0177.0.0.1/a",
            "http://127.0.0.1./a",
            "http://1.2.3.4.5/a",
        ] {
            assert!(check(bad).is_err(), "{bad:?} was accepted");
        }
        for good in [
            "http://a/b",
            "https://a.b:8443/c?d=e",
            "http://source.flux-system.svc./x",
        ] {
            assert_eq!(check(good).map(|(_, address)| address), Ok(None), "{good}");
        }
        let address = |url| check(url).unwrap().1.unwrap().to_string();
        assert_eq!(address("http://10.0.0.1:80/a"), "10.0.0.1");
        assert_eq!(address("http://[::ffff:127.0.0.1]/a"), "::ffff:127.0.0.1");
    }

    #[test]
    fn redirects_are_resolved() {
        let base: Uri = "https://a.b:8443/c/d?e".parse().unwrap();
        for (location, url) in [
            ("http://x/y", "http://x/y"),
            ("FILE:/etc/passwd", "FILE:/etc/passwd"),
            ("//x/y", "https://x/y"),
            ("/y?z", "https://a.b:8443/y?z"),
            ("y:z", "y:z"),
            ("y/z", "https://a.b:8443/c/y/z"),
            ("?q", "https://a.b:8443/c/d?q"),
        ] {
            assert_eq!(redirected(&base, location), url);
        }
    }

    #[test]
    fn messages_hold_no_signature_and_no_password() {
        assert_eq!(for_people("https://u:p@a/b?sig=c#d"), "https://a/b");
        assert_eq!(for_people("nonsense?x"), "nonsense");
    }
}
