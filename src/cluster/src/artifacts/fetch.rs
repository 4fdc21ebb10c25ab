//! Downloads over HTTP: no credentials, no proxy, no compression, bounded in time, size and
//! redirects; each hop's address is checked where it is dialled, so that a name can't be one thing
//! when checked and another when called (A18).

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_LENGTH, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use stageset_core::failure::{Failure, FailureClass};

use super::dial::{self, Dialler, NoTrust, Resolve};
use super::hop::{self, HopFault, REDIRECTS};
use super::{AddressPolicy, ArtifactSource, url};
use crate::requests::clean;

/// Bound of a whole download, redirects included.
const TOTAL: Duration = Duration::from_secs(300);

/// The production [`ArtifactSource`].
#[derive(Clone)]
pub struct HttpArtifacts {
    policy: Arc<AddressPolicy>,
    client: Dialler<Empty<Bytes>>,
}

impl HttpArtifacts {
    /// With the machine's certificate authorities and resolver.
    ///
    /// # Errors
    /// [`NoTrust`] if the machine's certificate authorities can't be used.
    pub fn new(policy: AddressPolicy) -> Result<Self, NoTrust> {
        Self::with_resolver(policy, dial::system_resolver())
    }

    /// With a resolver of the caller's.
    ///
    /// # Errors
    /// [`NoTrust`] if the machine's certificate authorities can't be used.
    pub fn with_resolver(policy: AddressPolicy, resolve: Resolve) -> Result<Self, NoTrust> {
        let policy = Arc::new(policy);
        let client = dial::dialler(Arc::clone(&policy), resolve)?;
        Ok(Self { policy, client })
    }

    async fn download(&self, first: &str, limit: u64) -> Result<Bytes, Fault> {
        let mut url = first.to_owned();
        for _ in 0..=REDIRECTS {
            let uri = hop::checked(&url, &self.policy)?;
            let request = Request::get(&uri)
                .header(ACCEPT, "*/*")
                .header(USER_AGENT, "stageset-controller")
                .body(Empty::new());
            let response = hop::answered(&self.client, request).await?;
            let status = response.status();
            if status == StatusCode::OK {
                return read(response, limit).await;
            }
            url = hop::led_on(&uri, &response)?.ok_or(Fault::Status(status))?;
        }
        Err(HopFault::TooManyRedirects.into())
    }
}

impl ArtifactSource for HttpArtifacts {
    fn fetch<'a>(&'a self, url: &'a str, limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        Box::pin(async move {
            let downloaded = tokio::time::timeout(TOTAL, self.download(url, limit))
                .await
                .unwrap_or(Err(Fault::TimedOut));
            downloaded.map_err(|fault| {
                let message = format!("downloading {}: {fault}", url::for_people(url));
                Failure::new(fault.class(), clean(&message))
            })
        })
    }
}

/// Reads a body up to the limit.
async fn read(response: Response<Incoming>, limit: u64) -> Result<Bytes, Fault> {
    let too_large = Fault::TooLarge { limit };
    let announced = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large);
    }
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| HopFault::from_chain(&error))?;
        if let Ok(data) = frame.into_data() {
            if (bytes.len() as u64).saturating_add(data.len() as u64) > limit {
                return Err(too_large);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Hop(#[from] HopFault),
    #[error("it is larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("it took longer than {} s", TOTAL.as_secs())]
    TimedOut,
}

impl Fault {
    fn class(&self) -> FailureClass {
        match self {
            Self::TooLarge { .. } => FailureClass::Terminal,
            Self::Hop(fault) if fault.is_final() => FailureClass::Terminal,
            Self::Hop(_) | Self::Status(_) | Self::TimedOut => {
                FailureClass::Transient { retry_after: None }
            }
        }
    }
}

#[cfg(test)]
mod tests;
