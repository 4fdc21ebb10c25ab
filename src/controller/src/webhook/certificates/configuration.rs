//! The `ValidatingWebhookConfiguration` in the cluster: whom the API server trusts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use kube::Client;
use serde_json::Value;
use stageset_core::time::Timestamp;

use super::bundle;

/// Bound of one request.
const REQUEST: Duration = Duration::from_secs(15);
/// Attempts at a write that others get in the way of: replicas that start together.
const ATTEMPTS: usize = 5;

const RESOURCE: &str = "validatingwebhookconfigurations";
const GROUP: &str = "admissionregistration.k8s.io";

/// Why the API server can't be told whom to trust.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// It isn't there.
    #[error(
        "ValidatingWebhookConfiguration {0} doesn't exist: install it (the chart does with \
         webhook.enabled) or switch the webhook off with --enable-webhook=false"
    )]
    Absent(String),
    /// We may not.
    #[error(
        "the controller may not {verb} ValidatingWebhookConfiguration {name}: grant its ServiceAccount \
         get and update on {RESOURCE}.{GROUP} with this resourceName"
    )]
    Forbidden {
        /// What was tried.
        verb: &'static str,
        /// On which.
        name: String,
    },
    /// It has no webhook that could trust anybody.
    #[error("ValidatingWebhookConfiguration {0} has no webhooks")]
    Empty(String),
    /// Others kept changing it.
    #[error("ValidatingWebhookConfiguration {0} was changed by others again and again")]
    Contested(String),
    /// The API server said no, or nothing.
    #[error("ValidatingWebhookConfiguration {name}: {error}")]
    Request {
        /// Which.
        name: String,
        /// Why.
        #[source]
        error: Box<kube::Error>,
    },
    /// No answer within the bound.
    #[error(
        "ValidatingWebhookConfiguration {0}: no answer from the API server within {bound} s",
        bound = REQUEST.as_secs()
    )]
    Timeout(String),
}

/// One `ValidatingWebhookConfiguration`.
#[derive(Clone)]
pub struct Configuration {
    client: Client,
    name: String,
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configuration")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Configuration {
    /// The one of this name, through a client that acts as the controller.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Sees to it that every webhook of it trusts `ours` (DER) and no longer `retired`; true if that
    /// took a write.
    ///
    /// # Errors
    /// [`ConfigurationError`]; nothing was written then.
    pub async fn trust(
        &self,
        ours: &[u8],
        retired: Option<&[u8]>,
        now: impl Fn() -> Timestamp,
    ) -> Result<bool, ConfigurationError> {
        for _ in 0..ATTEMPTS {
            let mut configuration = self.send("get", Method::GET, None).await?;
            let changed = self.set(&mut configuration, ours, retired, now())?;
            if !changed {
                return Ok(false);
            }
            // The resourceVersion that was read goes along: nobody's write is lost.
            match self.send("update", Method::PUT, Some(&configuration)).await {
                Ok(_) => return Ok(true),
                Err(ConfigurationError::Request { error, .. }) if status(&error) == Some(409) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ConfigurationError::Contested(self.name.clone()))
    }

    fn set(
        &self,
        configuration: &mut Value,
        ours: &[u8],
        retired: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, ConfigurationError> {
        let webhooks = configuration
            .get_mut("webhooks")
            .and_then(Value::as_array_mut)
            .filter(|webhooks| !webhooks.is_empty())
            .ok_or_else(|| ConfigurationError::Empty(self.name.clone()))?;
        let mut changed = false;
        for webhook in webhooks {
            let Some(client) = webhook
                .get_mut("clientConfig")
                .and_then(Value::as_object_mut)
            else {
                continue;
            };
            let before = client
                .get("caBundle")
                .and_then(Value::as_str)
                .and_then(|text| STANDARD.decode(text).ok())
                .unwrap_or_default();
            if let Some(after) = bundle::with(&before, ours, retired, now) {
                client.insert("caBundle".to_owned(), STANDARD.encode(after).into());
                changed = true;
            }
        }
        Ok(changed)
    }

    async fn send(
        &self,
        verb: &'static str,
        method: Method,
        body: Option<&Value>,
    ) -> Result<Value, ConfigurationError> {
        let name = || self.name.clone();
        let request = Request::builder()
            .method(method)
            .uri(format!("/apis/{GROUP}/v1/{RESOURCE}/{}", self.name))
            .header("content-type", "application/json")
            .body(
                body.map(ToString::to_string)
                    .unwrap_or_default()
                    .into_bytes(),
            )
            .map_err(|error| ConfigurationError::Request {
                name: name(),
                error: Box::new(kube::Error::HttpError(error)),
            })?;
        match tokio::time::timeout(REQUEST, self.client.request::<Value>(request)).await {
            Err(_) => Err(ConfigurationError::Timeout(name())),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(match status(&error) {
                Some(404) => ConfigurationError::Absent(name()),
                Some(403) => ConfigurationError::Forbidden { verb, name: name() },
                _ => ConfigurationError::Request {
                    name: name(),
                    error: Box::new(error),
                },
            }),
        }
    }
}

fn status(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}
