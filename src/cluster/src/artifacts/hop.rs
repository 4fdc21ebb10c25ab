//! One hop of a request to an address outside, and where it is led on.

use std::error::Error;

use http::header::LOCATION;
use http::{Request, Response, Uri};
use hyper::body::{Body, Incoming};

use super::dial::{self, Dialler};
use super::url::{self, RefusedUrl};
use super::{AddressPolicy, RefusedAddress};

/// Most redirects.
pub(crate) const REDIRECTS: usize = 10;

/// Why a hop failed, before any answer could be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HopFault {
    #[error(transparent)]
    Url(#[from] RefusedUrl),
    #[error(transparent)]
    Address(#[from] RefusedAddress),
    #[error("the server redirects without saying where to")]
    NoLocation,
    #[error("more than {REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("{0}")]
    Network(String),
}

impl HopFault {
    /// A refusal of ours somewhere in the chain, or else the chain in words.
    pub(crate) fn from_chain(error: &(dyn Error + 'static)) -> Self {
        match dial::refusal(error) {
            Ok(refused) => Self::Address(refused),
            Err(said) => Self::Network(said),
        }
    }

    /// Whether trying again can't help: we refuse to call.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Url(_) | Self::Address(_) => true,
            Self::NoLocation | Self::TooManyRedirects | Self::Network(_) => false,
        }
    }
}

/// A URL that may be called, as far as that can be told before its name is dialled: the dialler
/// doesn't resolve what is an address already.
pub(crate) fn checked(url: &str, policy: &AddressPolicy) -> Result<Uri, HopFault> {
    let (uri, address) = url::check(url)?;
    if let Some(address) = address {
        policy.check(address)?;
    }
    Ok(uri)
}

/// The answer to a request.
pub(crate) async fn answered<B>(
    client: &Dialler<B>,
    request: http::Result<Request<B>>,
) -> Result<Response<Incoming>, HopFault>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let request = request.map_err(|_| RefusedUrl::NotHttp)?;
    let answer = client.request(request).await;
    answer.map_err(|error| HopFault::from_chain(&error))
}

/// Where an answer leads on; `None` if it is no redirect.
pub(crate) fn led_on<B>(from: &Uri, answer: &Response<B>) -> Result<Option<String>, HopFault> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = answer
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.ok_or(HopFault::NoLocation)?;
    Ok(Some(url::redirected(from, location)))
}
