//! An authority and the serving certificate that it signs: ECDSA P-256, the authority's key thrown
//! away as soon as it has signed.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use stageset_core::time::Timestamp;
use time::OffsetDateTime;

/// Clocks that lag behind ours by so much still take the certificate.
const BACKDATED: Duration = Duration::from_secs(60);

/// A fresh certificate and whom to trust for it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The authority's certificate, DER.
    pub authority: Vec<u8>,
    /// The serving certificate, PEM.
    pub chain: String,
    /// Its private key, PEM.
    pub key: String,
    /// When another one is due: a third of the validity is left then.
    pub renew_at: Timestamp,
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Keys or names that don't do.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A validity beyond the calendar.
    #[error("a certificate could not be made: its validity reaches beyond the calendar")]
    Calendar,
}

/// Makes both for these DNS names.
///
/// # Errors
/// [`IssueError`].
pub fn issue(
    names: &[String],
    owner: &str,
    now: Timestamp,
    validity: Duration,
) -> Result<Issued, IssueError> {
    let from = date(now.as_millis().saturating_sub(millis(BACKDATED)))?;
    let until = date(now.plus(validity).as_millis())?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name = common_name(&format!("{owner} webhook authority"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    (authority.not_before, authority.not_after) = (from, until);
    let authority_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut serving = CertificateParams::new(names.to_vec())?;
    serving.distinguished_name = common_name(names.first().map_or(owner, String::as_str));
    serving.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    serving.use_authority_key_identifier_extension = true;
    (serving.not_before, serving.not_after) = (from, until);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let chain = serving.signed_by(&key, &issuer)?.pem();
    Ok(Issued {
        authority: certificate.der().to_vec(),
        chain,
        key: key.serialize_pem(),
        renew_at: now.plus(validity * 2 / 3),
    })
}

/// The names by which the API server calls a Service.
pub fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
    ]
}

fn common_name(text: &str) -> DistinguishedName {
    // X.520 allows 64 characters.
    let short: String = text.chars().take(64).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, short);
    name
}

fn date(millis: i64) -> Result<OffsetDateTime, IssueError> {
    OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).map_err(|_| IssueError::Calendar)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::*;

    const VALIDITY: Duration = Duration::from_secs(9000);

    #[test]
    fn a_certificate_for_the_service_signed_by_its_authority() {
        let now = Timestamp::from_millis(1_900_000_000_000);
        let names = service_names("hook", "system");
        let issued = issue(&names, "stageset-controller", now, VALIDITY).unwrap();
        assert_eq!(issued.renew_at, now.plus(Duration::from_secs(6000)));

        let (_, authority) = X509Certificate::from_der(&issued.authority).unwrap();
        assert!(authority.is_ca());
        let chain = ::pem::parse(&issued.chain).unwrap();
        let (_, serving) = X509Certificate::from_der(chain.contents()).unwrap();
        assert!(!serving.is_ca());
        assert_eq!(serving.issuer(), authority.subject());
        for certificate in [&serving, &authority] {
            let validity = certificate.validity();
            assert_eq!(validity.not_before.timestamp(), 1_900_000_000 - 60);
            assert_eq!(validity.not_after.timestamp(), 1_900_000_000 + 9000);
        }
        let alternative = serving.subject_alternative_name().unwrap().unwrap();
        let found: Vec<String> = alternative
            .value
            .general_names
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "DNSName(hook.system.svc)",
                "DNSName(hook.system.svc.cluster.local)"
            ]
        );
        assert!(issued.key.contains("PRIVATE KEY"));
    }

    #[test]
    fn two_never_share_a_key_and_an_endless_validity_is_refused() {
        let now = Timestamp::from_millis(0);
        let one = issue(&[], "a", now, VALIDITY).unwrap();
        let other = issue(&[], "a", now, VALIDITY).unwrap();
        assert_ne!(one.key, other.key);
        assert_ne!(one.authority, other.authority);
        let endless = issue(&[], "a", now, Duration::from_secs(u64::MAX / 4));
        assert!(endless.is_err());
    }
}
