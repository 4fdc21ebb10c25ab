//! Downloads over HTTP: no credentials, no proxy, no compression, bounded in time, size and
//! redirects; each hop's address is checked where it is dialled, so that a name can't be one thing
//! when checked and another when called (A18).

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_LENGTH, LOCATION, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use stageset_core::failure::{Failure, FailureClass};

use super::dial::{self, Dialler, NoTrust, Resolve};
use super::url::{self, RefusedUrl};
use super::{AddressPolicy, ArtifactSource, RefusedAddress};
use crate::requests::clean;

/// Bound of a whole download, redirects included.
const TOTAL: Duration = Duration::from_secs(300);
/// Most redirects.
const REDIRECTS: usize = 10;

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
            let (uri, address) = url::check(&url)?;
            // The dialler doesn't resolve what is an address already.
            if let Some(address) = address {
                self.policy.check(address)?;
            }
            let response = self.get(&uri).await?;
            let status = response.status();
            if status == StatusCode::OK {
                return read(response, limit).await;
            }
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Err(Fault::Status(status));
            }
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            url = url::redirected(&uri, location.ok_or(Fault::NoLocation)?);
        }
        Err(Fault::TooManyRedirects)
    }

    async fn get(&self, uri: &Uri) -> Result<Response<Incoming>, Fault> {
        let request = Request::get(uri)
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, "stageset-controller")
            .body(Empty::new())
            .map_err(|_| RefusedUrl::NotHttp)?;
        self.client
            .request(request)
            .await
            .map_err(|error| Fault::from_chain(&error))
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
        let frame = frame.map_err(|error| Fault::from_chain(&error))?;
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
    Url(#[from] RefusedUrl),
    #[error(transparent)]
    Address(#[from] RefusedAddress),
    #[error("it is larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the server redirects without saying where to")]
    NoLocation,
    #[error("more than {REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("it took longer than {} s", TOTAL.as_secs())]
    TimedOut,
    #[error("{0}")]
    Network(String),
}

impl Fault {
    /// A refusal of ours somewhere in the chain, or else the chain in words.
    fn from_chain(error: &(dyn Error + 'static)) -> Self {
        match dial::refusal(error) {
            Ok(refused) => Self::Address(refused),
            Err(said) => Self::Network(said),
        }
    }

    fn class(&self) -> FailureClass {
        match self {
            Self::Url(_) | Self::Address(_) | Self::TooLarge { .. } => FailureClass::Terminal,
            Self::Status(_)
            | Self::NoLocation
            | Self::TooManyRedirects
            | Self::TimedOut
            | Self::Network(_) => FailureClass::Transient { retry_after: None },
        }
    }
}

#[cfg(test)]
mod tests;
