//! From a YAML document to a kubeconfig that can be used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Allowed, Credential, Kubeconfig, KubeconfigProblem as Problem};

type Fields = Map<String, Value>;

/// Reads a kubeconfig. Only the current context, its cluster and its user are looked at: whatever else
/// the file holds has no effect.
///
/// # Errors
/// The first [`KubeconfigProblem`](Problem) that stands in the way, in the order of what is most
/// dangerous: programs, files and other identities before mere mistakes.
pub fn parse(document: &Value, allowed: Allowed) -> Result<Kubeconfig, Problem> {
    let config = document.as_object().ok_or(Problem::NotAKubeconfig)?;
    for (field, expected) in [("apiVersion", "v1"), ("kind", "Config")] {
        if set(config, field).is_some_and(|found| found != expected) {
            return Err(Problem::NotAKubeconfig);
        }
    }
    let context = context(config)?;
    known(
        context,
        "the context",
        &["cluster", "user", "namespace", "extensions"],
    )?;
    let user =
        named(config, "users", "user", text(context, "user")?)?.ok_or(Problem::UnknownUser)?;
    let credential = credential(user)?;
    let cluster = named(config, "clusters", "cluster", text(context, "cluster")?)?
        .ok_or(Problem::UnknownCluster)?;
    let (server, authority, insecure) = trust(cluster, allowed)?;
    let server_name = text(cluster, "tls-server-name")?;
    if server_name.is_some_and(|name| !is_host(name)) {
        return Err(Problem::Shape("tls-server-name"));
    }
    Ok(Kubeconfig {
        server,
        server_name: server_name.map(str::to_owned),
        authority,
        insecure,
        credential,
    })
}

/// The one context that counts.
fn context(config: &Fields) -> Result<&Fields, Problem> {
    let contexts = list(config, "contexts")?;
    let name = match text(config, "current-context")? {
        Some(current) => current,
        None => match contexts {
            [] => return Err(Problem::NoContext),
            [only] => only["name"].as_str().ok_or(Problem::Shape("contexts"))?,
            _ => return Err(Problem::NoCurrentContext),
        },
    };
    if contexts.is_empty() {
        return Err(Problem::NoContext);
    }
    named(config, "contexts", "context", Some(name))?.ok_or(Problem::UnknownContext)
}

/// The entry of this name in a list of `{name, FIELD}`.
fn named<'a>(
    config: &'a Fields,
    field: &'static str,
    entry: &'static str,
    name: Option<&str>,
) -> Result<Option<&'a Fields>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let mut found = list(config, field)?
        .iter()
        .filter(|item| item["name"].as_str() == Some(name));
    let Some(item) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(Problem::Ambiguous(field));
    }
    item[entry]
        .as_object()
        .map(Some)
        .ok_or(Problem::Shape(entry))
}

/// The server, its CA, and whether its certificate goes unchecked.
fn trust(cluster: &Fields, allowed: Allowed) -> Result<(String, Option<Vec<u8>>, bool), Problem> {
    if set(cluster, "proxy-url").is_some() {
        return Err(Problem::Proxy);
    }
    file(
        cluster,
        "certificate-authority",
        "certificate-authority-data",
    )?;
    let insecure = match set(cluster, "insecure-skip-tls-verify") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) if allowed.insecure => true,
        Some(Value::Bool(true)) => return Err(Problem::Insecure),
        Some(_) => return Err(Problem::Shape("insecure-skip-tls-verify")),
    };
    known(
        cluster,
        "the cluster",
        &[
            "server",
            "certificate-authority-data",
            "insecure-skip-tls-verify",
            "tls-server-name",
            "disable-compression",
            "extensions",
        ],
    )?;
    let server = text(cluster, "server")?.ok_or(Problem::NoServer)?;
    let server = server_url(server).ok_or(Problem::Server)?;
    let authority = pem(cluster, "certificate-authority-data", "CERTIFICATE")?;
    if insecure && authority.is_some() {
        return Err(Problem::InsecureWithAuthority);
    }
    Ok((server, authority, insecure))
}

/// The user's one credential.
fn credential(user: &Fields) -> Result<Credential, Problem> {
    if set(user, "exec").is_some() {
        return Err(Problem::Exec);
    }
    if set(user, "auth-provider").is_some() {
        return Err(Problem::AuthProvider);
    }
    for field in ["as", "as-uid", "as-groups", "as-user-extra"] {
        if set(user, field).is_some() {
            return Err(Problem::Impersonates(field));
        }
    }
    file(user, "tokenFile", "token")?;
    file(user, "client-certificate", "client-certificate-data")?;
    file(user, "client-key", "client-key-data")?;
    known(
        user,
        "the user",
        &[
            "token",
            "client-certificate-data",
            "client-key-data",
            "username",
            "password",
            "extensions",
        ],
    )?;
    let token = text(user, "token")?;
    let certificate = pem(user, "client-certificate-data", "CERTIFICATE")?;
    let key = pem(user, "client-key-data", "PRIVATE KEY")?;
    let (username, password) = (text(user, "username")?, text(user, "password")?);
    let pair = |has, lacks| Problem::Half { has, lacks };
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Credential::Certificate { certificate, key }),
        (Some(_), None) => return Err(pair("client-certificate-data", "client-key-data")),
        (None, Some(_)) => return Err(pair("client-key-data", "client-certificate-data")),
        (None, None) => None,
    };
    let basic = match (username, password) {
        (Some(username), Some(password)) => Some(Credential::Basic {
            username: printable(username, "username")?,
            password: printable(password, "password")?,
        }),
        (Some(_), None) => return Err(pair("username", "password")),
        (None, Some(_)) => return Err(pair("password", "username")),
        (None, None) => None,
    };
    let token = token
        .map(|token| printable(token, "token").map(Credential::Token))
        .transpose()?;
    let mut credentials = [token, certificate, basic].into_iter().flatten();
    let first = credentials.next().ok_or(Problem::NoCredential)?;
    if credentials.next().is_some() {
        return Err(Problem::SeveralCredentials);
    }
    Ok(first)
}

/// `https://host[:port][/path]`, as it stands but in lower case up to the path.
fn server_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    if !path.bytes().all(plain) || path.split('/').any(|part| matches!(part, "." | "..")) {
        return None;
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<core::net::Ipv6Addr>().ok()?;
        (host, port)
    } else {
        let (host, port) = authority
            .find(':')
            .map_or((authority, ""), |at| authority.split_at(at));
        is_host(host).then_some(())?;
        (host, port)
    };
    let port_is_one = port.is_empty()
        || port
            .strip_prefix(':')
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|port| port > 0);
    (!host.is_empty() && port_is_one)
        .then(|| format!("https://{}{path}", authority.to_ascii_lowercase()))
}

/// A DNS name, in which underscores occur too, or an IPv4 address. TLS takes no other name for a server.
fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A text that can stand in a header.
fn printable(text: &str, field: &'static str) -> Result<String, Problem> {
    if text.chars().any(char::is_control) || !text.is_ascii() && field == "token" {
        return Err(Problem::Characters(field));
    }
    Ok(text.to_owned())
}

/// Base64 of PEM of this kind.
fn pem(fields: &Fields, field: &'static str, label: &str) -> Result<Option<Vec<u8>>, Problem> {
    let Some(found) = text(fields, field)? else {
        return Ok(None);
    };
    let packed: String = found.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(packed)
        .map_err(|_| Problem::Base64(field))?;
    let is_pem = std::str::from_utf8(&bytes)
        .is_ok_and(|pem| pem.contains("-----BEGIN ") && pem.contains(&format!("{label}-----")));
    if is_pem {
        Ok(Some(bytes))
    } else {
        Err(Problem::Pem(field))
    }
}

/// Refuses a path.
fn file(fields: &Fields, field: &'static str, instead: &'static str) -> Result<(), Problem> {
    match set(fields, field) {
        None => Ok(()),
        Some(_) => Err(Problem::File { field, instead }),
    }
}

/// Refuses fields that aren't in the list: what isn't known can't be known to be harmless.
fn known(fields: &Fields, what: &'static str, names: &[&str]) -> Result<(), Problem> {
    // Those that are refused by name were looked at before, and are let pass when they are empty.
    let mut unknown = fields
        .keys()
        .filter(|name| !names.contains(&name.as_str()) && set(fields, name).is_some());
    match unknown.next() {
        None => Ok(()),
        Some(_) => Err(Problem::UnknownField(what)),
    }
}

/// A text that is set; empty counts as unset, as kubectl has it.
fn text<'a>(fields: &'a Fields, field: &'static str) -> Result<Option<&'a str>, Problem> {
    match set(fields, field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::Shape(field)),
    }
}

fn list<'a>(fields: &'a Fields, field: &'static str) -> Result<&'a [Value], Problem> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Problem::Shape(field)),
    }
}

/// A field that says something: neither absent, nor null, nor empty.
fn set<'a>(fields: &'a Fields, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    })
}
