//! The flags of the validating webhook, and what they amount to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use stageset_core::names::Namespace;

use super::{BindAddress, value};

/// What clap reads.
#[derive(Debug, Clone, Args)]
pub(super) struct WebhookFlags {
    /// Serve the validating webhook.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", value_parser = value::boolean)]
    enable_webhook: bool,

    /// Where the webhook's certificate comes from: cert-manager (files in --webhook-cert-dir that
    /// somebody renews) or self-signed (made here and put into the webhook configuration).
    #[arg(long, value_name = "MODE", default_value = "cert-manager", value_parser = Mode::parse)]
    webhook_cert_mode: Mode,

    /// Folder of tls.crt and tls.key in the mode cert-manager.
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/tmp/k8s-webhook-server/serving-certs"
    )]
    webhook_cert_dir: PathBuf,

    /// Address that the webhook listens on; empty = every address of this machine.
    #[arg(long, value_name = "HOST", default_value = "")]
    webhook_host: String,

    /// Port that the webhook listens on.
    #[arg(long, value_name = "PORT", default_value = "9443", value_parser = value::port)]
    webhook_port: u16,

    /// How long a self-signed certificate is valid; it is renewed when a third of that is left.
    #[arg(long, value_name = "DURATION", default_value = "8760h", value_parser = value::positive)]
    webhook_cert_validity: Duration,

    /// Service by whose name the API server calls the webhook.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "stageset-controller-webhook"
    )]
    webhook_service_name: String,

    /// Namespace of that Service; empty = the controller's own.
    #[arg(long, value_name = "NAMESPACE", default_value = "")]
    webhook_service_namespace: String,

    /// `ValidatingWebhookConfiguration` that the self-signed authority is put into.
    #[arg(long, value_name = "NAME", default_value = "")]
    webhook_validating_config_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    CertManager,
    SelfSigned,
}

impl Mode {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "cert-manager" => Ok(Self::CertManager),
            "self-signed" => Ok(Self::SelfSigned),
            _ => Err("must be cert-manager or self-signed".to_owned()),
        }
    }
}

/// A webhook that is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Where it listens; never off.
    pub address: BindAddress,
    /// Where its certificate comes from.
    pub certificate: CertificateSource,
}

/// Where the webhook's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// `tls.crt` and `tls.key` in this folder, renewed by somebody else.
    Files(PathBuf),
    /// Made by this process.
    SelfSigned(SelfSigned),
}

/// A certificate that this process makes and renews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfSigned {
    /// How long it is valid; at least a minute.
    pub validity: Duration,
    /// The Service that the API server calls.
    pub service_name: String,
    /// The Service's namespace; `None` = the controller's own.
    pub service_namespace: Option<Namespace>,
    /// The `ValidatingWebhookConfiguration` that has to trust it.
    pub configuration: String,
}

/// Shortest validity: below it, publishing takes up too much of a certificate's life.
const SHORTEST_VALIDITY: Duration = Duration::from_secs(60);

impl WebhookFlags {
    /// The flags checked against each other; `None` = no webhook.
    pub(super) fn check(self) -> Result<Option<WebhookOptions>, String> {
        if !self.enable_webhook {
            return Ok(None);
        }
        let certificate = match self.webhook_cert_mode {
            Mode::CertManager if self.webhook_cert_dir.as_os_str().is_empty() => {
                return Err(
                    "--webhook-cert-dir must name a folder with --webhook-cert-mode=cert-manager"
                        .to_owned(),
                );
            }
            Mode::CertManager => CertificateSource::Files(self.webhook_cert_dir),
            Mode::SelfSigned => CertificateSource::SelfSigned(SelfSigned {
                validity: if self.webhook_cert_validity < SHORTEST_VALIDITY {
                    return Err("--webhook-cert-validity must be at least 1m".to_owned());
                } else {
                    self.webhook_cert_validity
                },
                // A Service's name follows the rules of a namespace's, so far as a DNS name cares.
                service_name: Namespace::new(self.webhook_service_name)
                    .map_err(|error| format!("--webhook-service-name: {error}"))?
                    .to_string(),
                service_namespace: Some(self.webhook_service_namespace)
                    .filter(|name| !name.is_empty())
                    .map(Namespace::new)
                    .transpose()
                    .map_err(|error| format!("--webhook-service-namespace: {error}"))?,
                configuration: configuration(&self.webhook_validating_config_name)?,
            }),
        };
        Ok(Some(WebhookOptions {
            address: BindAddress::On {
                host: self.webhook_host,
                port: self.webhook_port,
            },
            certificate,
        }))
    }
}

fn configuration(name: &str) -> Result<String, String> {
    const FLAG: &str = "--webhook-validating-config-name";
    if name.is_empty() {
        return Err(format!(
            "{FLAG} must name the ValidatingWebhookConfiguration with --webhook-cert-mode=self-signed \
             (or set --webhook-cert-mode=cert-manager, or --enable-webhook=false)"
        ));
    }
    value::object_name(name).map_err(|error| format!("{FLAG}: {error}"))
}

impl Default for WebhookOptions {
    /// What an empty command line means.
    fn default() -> Self {
        Self {
            address: BindAddress::any(9443),
            certificate: CertificateSource::Files(PathBuf::from(
                "/tmp/k8s-webhook-server/serving-certs",
            )),
        }
    }
}
