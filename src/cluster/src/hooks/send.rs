//! Sending: no credentials but those that the action names, no proxy, no compression.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::plan::for_people;
use stageset_core::spec::Method;

use super::{AllowedHosts, HookCall, Hooks};
use crate::artifacts::dial::{self, Dialler, NoTrust, Resolve};
use crate::artifacts::hop::{self, HopFault, REDIRECTS};
use crate::artifacts::{AddressPolicy, Purpose};
use crate::requests::clean;

/// So much of an answer is read, so that the server can finish its sentence.
const DRAINED: usize = 64 * 1024;
/// So much of it is shown.
const SHOWN: usize = 512;

/// Tells requests of one completion apart from others.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The production [`Hooks`].
#[derive(Clone)]
pub struct HttpHooks {
    hosts: AllowedHosts,
    policy: Arc<AddressPolicy>,
    client: Dialler<Full<Bytes>>,
}

impl HttpHooks {
    /// With the machine's certificate authorities and resolver.
    ///
    /// # Errors
    /// [`NoTrust`] if the machine's certificate authorities can't be used.
    pub fn new(hosts: AllowedHosts, policy: AddressPolicy) -> Result<Self, NoTrust> {
        Self::with_resolver(hosts, policy, dial::system_resolver())
    }

    /// With a resolver of the caller's.
    ///
    /// # Errors
    /// [`NoTrust`] if the machine's certificate authorities can't be used.
    pub fn with_resolver(
        hosts: AllowedHosts,
        policy: AddressPolicy,
        resolve: Resolve,
    ) -> Result<Self, NoTrust> {
        let policy = Arc::new(policy.of(Purpose::Actions));
        let client = dial::dialler(Arc::clone(&policy), resolve)?;
        Ok(Self {
            hosts,
            policy,
            client,
        })
    }

    async fn follow(&self, call: &HookCall) -> Result<(), Fault> {
        let mut url = call.url.clone();
        let mut method = call.method;
        let mut body = call.body.clone();
        let mut first: Option<Uri> = None;
        for _ in 0..=REDIRECTS {
            let uri = self.checked(&url)?;
            if let Some(first) = &first
                && call.holds_secrets
                && !same_place(first, &uri)
            {
                return Err(Fault::SecretElsewhere);
            }
            let response = self.request(call, &uri, method, body.clone()).await?;
            let status = response.status();
            if call.expected.contains(&status.as_u16()) {
                return judge(call, response).await;
            }
            let Some(next) = hop::led_on(&uri, &response)? else {
                return judge(call, response).await;
            };
            // As browsers and everybody after them do it.
            if status == StatusCode::SEE_OTHER
                || (matches!(status.as_u16(), 301 | 302) && method == Method::Post)
            {
                if method != Method::Head {
                    method = Method::Get;
                }
                body = None;
            }
            first.get_or_insert(uri);
            url = next;
        }
        Err(HopFault::TooManyRedirects.into())
    }

    /// Form, host and address of a hop. Names are checked where they are dialled.
    fn checked(&self, url: &str) -> Result<Uri, Fault> {
        let uri = hop::checked(url, &self.policy)?;
        let host = uri.host().unwrap_or_default();
        if !self.hosts.allow(host) {
            return Err(Fault::Host(clean(host)));
        }
        Ok(uri)
    }

    async fn request(
        &self,
        call: &HookCall,
        uri: &Uri,
        method: Method,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, Fault> {
        let mut request = Request::builder()
            .method(method.as_str())
            .uri(uri)
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, "stageset-controller")
            .header(IDEMPOTENCY_KEY, &call.idempotency_key);
        let own = |wanted: &HeaderName| {
            let name = wanted.as_str();
            call.headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if let Some(body) = &body
            && !own(&CONTENT_TYPE)
        {
            let json = serde_json::from_slice::<serde_json::Value>(body).is_ok();
            let kind = if json {
                "application/json"
            } else {
                "text/plain; charset=utf-8"
            };
            request = request.header(CONTENT_TYPE, kind);
        }
        for (name, value) in &call.headers {
            let mut value =
                HeaderValue::from_bytes(value).map_err(|_| Fault::Header(name.clone()))?;
            value.set_sensitive(true);
            request = request.header(name.as_str(), value);
        }
        let request = request.body(Full::new(body.unwrap_or_default()));
        Ok(hop::answered(&self.client, request).await?)
    }
}

impl Hooks for HttpHooks {
    fn send(&self, call: HookCall) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let sent = tokio::time::timeout(call.timeout, self.follow(&call))
                .await
                .unwrap_or(Err(Fault::TimedOut(call.timeout.as_secs_f32())));
            sent.map_err(|fault| {
                let (method, place) = (call.method.as_str(), for_people(&call.url));
                Failure::new(fault.class(), clean(&format!("{method} {place}: {fault}")))
            })
        })
    }
}

/// Whether two hops go to one server, and no less safely.
fn same_place(first: &Uri, other: &Uri) -> bool {
    let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
    let port = |uri: &Uri| {
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        uri.port_u16().unwrap_or(default)
    };
    host(first) == host(other)
        && port(first) == port(other)
        && first.scheme_str() == other.scheme_str()
}

async fn judge(call: &HookCall, response: Response<Incoming>) -> Result<(), Fault> {
    let status = response.status();
    let said = drained(response).await;
    let good = if call.expected.is_empty() {
        status.is_success()
    } else {
        call.expected.contains(&status.as_u16())
    };
    if good {
        return Ok(());
    }
    let said = if call.holds_secrets {
        // A server may well repeat what it was sent.
        "; its answer isn't shown, since the request held Secret material".to_owned()
    } else if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    };
    Err(Fault::Status { status, said })
}

/// Reads an answer as far as it is read, and gives its beginning. That it ends badly doesn't matter:
/// the status has been said.
async fn drained(response: Response<Incoming>) -> String {
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            let room = DRAINED.saturating_sub(bytes.len());
            bytes.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        }
        if bytes.len() >= DRAINED {
            break;
        }
    }
    let shown = bytes.get(..SHOWN.min(bytes.len())).unwrap_or_default();
    clean(&String::from_utf8_lossy(shown))
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Hop(#[from] HopFault),
    #[error(
        "host {0} isn't one that http actions may call: an operator can add it to --allowed-action-hosts"
    )]
    Host(String),
    #[error("the value for header {0} holds characters that a header can't")]
    Header(String),
    #[error(
        "the server redirects elsewhere, and what holds Secret material goes to no other host: name the right one"
    )]
    SecretElsewhere,
    #[error("the server answered {status}{said}")]
    Status { status: StatusCode, said: String },
    #[error("no answer within {0} s")]
    TimedOut(f32),
}

impl Fault {
    fn class(&self) -> FailureClass {
        match self {
            Self::Host(_) | Self::Header(_) | Self::SecretElsewhere => FailureClass::Terminal,
            Self::Hop(fault) if fault.is_final() => FailureClass::Terminal,
            Self::Status { status, .. }
                if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) =>
            {
                FailureClass::Terminal
            }
            Self::Hop(_) | Self::Status { .. } | Self::TimedOut(_) => {
                FailureClass::Transient { retry_after: None }
            }
        }
    }
}

#[cfg(test)]
mod tests;
