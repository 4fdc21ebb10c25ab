//! Keys and certificates of one control plane: made afresh, thrown away with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

/// A certificate authority and the files that it wrote.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, both as files and as PEM text.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate's file.
    pub cert_file: PathBuf,
    /// The private key's file.
    pub key_file: PathBuf,
    /// The certificate, PEM.
    pub cert: String,
    /// The private key, PEM (PKCS #8).
    pub key: String,
}

impl Authority {
    /// Makes an authority that keeps its files in `dir`.
    ///
    /// # Errors
    /// When a key can't be made or a file not written.
    pub fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject("stageset-e2e", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = Self {
            dir: dir.to_owned(),
            issuer,
        };
        fs::write(authority.file(), authority.pem())?;
        Ok(authority)
    }

    /// The authority's certificate file.
    pub fn file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A serving certificate for the given names and addresses.
    ///
    /// # Errors
    /// When a name isn't valid or a file can't be written.
    pub fn server(&self, name: &str, hosts: &[&str]) -> Result<Pair> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = subject(name, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, &params)
    }

    /// A client certificate: `user` becomes the Kubernetes user, `group` its group.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&user.replace(':', "-"), &params)
    }

    fn sign(&self, name: &str, params: &CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?.pem();
        let pair = Pair {
            cert_file: self.dir.join(format!("{name}.crt")),
            key_file: self.dir.join(format!("{name}.key")),
            cert,
            key: key.serialize_pem(),
        };
        fs::write(&pair.cert_file, &pair.cert).context("writing a certificate")?;
        fs::write(&pair.key_file, &pair.key).context("writing a key")?;
        Ok(pair)
    }
}

/// Makes the key that signs `ServiceAccount` tokens and returns its private and public key file.
///
/// # Errors
/// When the key can't be made or written.
pub fn service_account_key(dir: &Path) -> Result<(PathBuf, PathBuf)> {
    let key = KeyPair::generate()?;
    let files = (dir.join("sa.key"), dir.join("sa.pub"));
    fs::write(&files.0, key.serialize_pem())?;
    fs::write(&files.1, key.public_key_pem())?;
    Ok(files)
}

fn subject(name: &str, group: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    if let Some(group) = group {
        subject.push(DnType::OrganizationName, group);
    }
    subject
}
