//! What failures of a remote cluster mean, in sentences that hold nothing of its kubeconfig (A21).
//!
//! A library's own words may quote the host, which stands in a Secret; so each way to fail has a
//! sentence of its own here.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Remote;

use crate::artifacts::{RefusedAddress, Unresolved};
use crate::connection::NotSent;
use crate::requests::clean;

/// Shorter texts of a kubeconfig are no secret, and taking them out would garble every message.
const SHORTEST: usize = 4;

/// The cluster, for people: by its Secret, never by its address.
pub(super) fn cluster(remote: &Remote) -> String {
    format!(
        "the remote cluster of Secret {}/{}",
        remote.namespace, remote.kubeconfig.name
    )
}

/// What it means that no answer came.
pub(super) fn unsent(remote: &Remote, error: &(dyn Error + 'static)) -> Failure {
    let cluster = cluster(remote);
    let (class, sentence) = cause(error);
    Failure::new(class, format!("{cluster} can't be reached: {sentence}"))
}

/// A 401.
pub(super) fn unauthorized(remote: &Remote) -> Failure {
    Failure::new(
        FailureClass::Denied,
        format!(
            "{} doesn't accept the kubeconfig's credentials (401): renew the token or certificate \
             in the Secret",
            cluster(remote)
        ),
    )
}

fn cause(error: &(dyn Error + 'static)) -> (FailureClass, String) {
    let transient = FailureClass::Transient { retry_after: None };
    let chain = chain(error);
    // What has a type of its own says most, wherever it stands.
    for error in &chain {
        if let Some(refusal) = error.downcast_ref::<NotSent>() {
            return (FailureClass::Denied, clean(&refusal.to_string()));
        }
        if let Some(refused) = error.downcast_ref::<RefusedAddress>() {
            return (
                FailureClass::Rejected,
                format!(
                    "its address is {}, which isn't called (an operator can open the range with \
                     --allow-remote-addresses)",
                    refused.what()
                ),
            );
        }
        if error.is::<Unresolved>() {
            let sentence = "its host name can't be resolved: check the kubeconfig's server";
            return (transient, sentence.to_owned());
        }
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return (transient, by_tls(tls).to_owned());
        }
    }
    let innermost = chain
        .iter()
        .rev()
        .find_map(|error| error.downcast_ref::<io::Error>());
    let sentence = innermost.map_or("the connection failed", |error| by_io(error.kind()));
    (transient, sentence.to_owned())
}

/// An error and everything that it wraps.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let mut chain = Vec::new();
    let mut link = Some(error);
    while let Some(error) = link {
        chain.push(error);
        // An io::Error's source is that of what it wraps, which itself would be passed over.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        link = match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    chain
}

fn by_io(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => {
            "nobody listens at its address (connection refused): check server and port"
        }
        io::ErrorKind::TimedOut => "it doesn't answer (connecting timed out)",
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "it ended the connection",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no route to its address"
        }
        _ => "the connection failed",
    }
}

fn by_tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate isn't signed by the kubeconfig's CA: check \
                 certificate-authority-data"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate isn't valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name: check server, or set tls-server-name"
            }
            _ => "its certificate can't be trusted",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => "it refuses the kubeconfig's client certificate: renew it",
        rustls::Error::InvalidMessage(_) => "it doesn't speak TLS",
        _ => "no TLS connection could be made",
    }
}

/// The texts that are long enough to be taken out, longest first, so that none leaves a rest.
pub(super) fn worth_hiding(secrets: Vec<String>) -> Vec<String> {
    let mut worth: Vec<String> = secrets
        .into_iter()
        // PEM is quoted line by line if at all.
        .flat_map(|secret| secret.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| line.trim().to_owned())
        .filter(|line| line.len() >= SHORTEST && !line.starts_with("-----"))
        .collect();
    worth.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    worth.dedup();
    worth
}

/// A message without these texts.
pub(super) fn hidden(message: &str, secrets: &[String]) -> String {
    secrets.iter().fold(message.to_owned(), |text, secret| {
        if text.contains(secret.as_str()) {
            text.replace(secret.as_str(), "[hidden]")
        } else {
            text
        }
    })
}
