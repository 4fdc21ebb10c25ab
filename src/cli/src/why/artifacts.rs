//! Artifacts, downloaded from where a person sits: a name of the cluster means nothing there, so what
//! a Service serves is asked for through the API server's proxy, with the person's own rights.

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use kube::client::Body;
use stageset_cluster::artifacts::{ArtifactSource, HttpArtifacts};
use stageset_cluster::{Connection, RequestIdentity};
use stageset_core::failure::{Failure, FailureClass};

/// The API server's proxy for Services, and direct downloads for everything else.
pub(super) struct PersonsArtifacts {
    pub connection: Connection,
    pub direct: HttpArtifacts,
}

impl ArtifactSource for PersonsArtifacts {
    fn fetch<'a>(&'a self, url: &'a str, limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        match Proxied::of(url) {
            Some(proxied) => Box::pin(self.through_the_proxy(proxied, limit)),
            None => self.direct.fetch(url, limit),
        }
    }
}

impl PersonsArtifacts {
    async fn through_the_proxy(&self, proxied: Proxied, limit: u64) -> Result<Bytes, Failure> {
        let fail = |class, said: &str| {
            let Proxied {
                namespace, service, ..
            } = &proxied;
            let message = format!(
                "downloading from Service {namespace}/{service} through the API server's proxy: {said}"
            );
            Failure::new(class, message)
        };
        let transient = FailureClass::Transient { retry_after: None };
        let request = Request::get(&proxied.path)
            .body(Body::empty())
            .map_err(|error| fail(FailureClass::Terminal, &error.to_string()))?;
        let client = self.connection.client(RequestIdentity::Controller);
        let response = client
            .send(request)
            .await
            .map_err(|error| fail(transient.clone(), &error.to_string()))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN => {
                return Err(fail(
                    FailureClass::Denied,
                    "you need the right to get services/proxy in its namespace",
                ));
            }
            status => return Err(fail(transient, &format!("it answered {status}"))),
        }
        let mut body = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| fail(transient.clone(), &error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                if (bytes.len() as u64).saturating_add(data.len() as u64) > limit {
                    let said = format!("it is larger than the limit of {limit} bytes");
                    return Err(fail(FailureClass::Terminal, &said));
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes.freeze())
    }
}

/// A path of the API server that leads to a Service.
#[derive(Debug, PartialEq, Eq)]
struct Proxied {
    namespace: String,
    service: String,
    path: String,
}

impl Proxied {
    /// `SCHEME://SERVICE.NAMESPACE.svc[.DOMAIN][:PORT]/PATH`; nothing for any other URL.
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?;
        let authority = uri.authority()?;
        let labels: Vec<&str> = authority.host().trim_end_matches('.').split('.').collect();
        let [service, namespace, "svc", domain @ ..] = labels.as_slice() else {
            return None;
        };
        if !domain.is_empty() && domain != ["cluster", "local"] {
            return None;
        }
        let port = match (uri.port_u16(), scheme) {
            (Some(port), _) => port,
            (None, "https") => 443,
            (None, _) => 80,
        };
        let rest = uri.path_and_query()?.as_str();
        Some(Self {
            namespace: (*namespace).to_owned(),
            service: (*service).to_owned(),
            path: format!(
                "/api/v1/namespaces/{namespace}/services/{scheme}:{service}:{port}/proxy{rest}"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use stageset_cluster::artifacts::AddressPolicy;

    use super::*;

    #[test]
    fn a_service_is_reached_through_the_api_server() {
        let path = |url: &str| Proxied::of(url).map(|proxied| proxied.path);
        let base = "/api/v1/namespaces/flux-system/services/";
        assert_eq!(
            path(
                "http://source-controller.flux-system.svc.cluster.local./gitrepository/a/b.tar.gz"
            ),
            Some(format!(
                "{base}http:source-controller:80/proxy/gitrepository/a/b.tar.gz"
            ))
        );
        assert_eq!(
            path("https://store.flux-system.svc:8443/a?b=c"),
            Some(format!("{base}https:store:8443/proxy/a?b=c"))
        );
        assert_eq!(
            path("https://store.flux-system.svc"),
            Some(format!("{base}https:store:443/proxy/"))
        );
        for elsewhere in [
            "http://127.0.0.1/a.tar.gz",
            "https://example.com/a.tar.gz",
            "http://a.b.svc.example.com/a.tar.gz",
            "http://a.b.svc.cluster/a.tar.gz",
            "http://a.b.service/a.tar.gz",
            "http://svc/a.tar.gz",
            "a.tar.gz",
        ] {
            assert_eq!(path(elsewhere), None, "{elsewhere}");
        }
    }

    /// What is answered to a download with this limit, of a Service that serves these bytes.
    async fn fetched(
        status: StatusCode,
        served: &'static [u8],
        limit: u64,
    ) -> Result<Bytes, Failure> {
        let service = tower::service_fn(move |_: Request<Body>| async move {
            let mut response = http::Response::new(http_body_util::Full::new(Bytes::from(served)));
            *response.status_mut() = status;
            Ok::<_, std::convert::Infallible>(response)
        });
        let artifacts = PersonsArtifacts {
            connection: Connection::from_service(service),
            direct: HttpArtifacts::new(AddressPolicy::default()).unwrap(),
        };
        artifacts
            .fetch("http://store.flux.svc/a.tar.gz", limit)
            .await
    }

    #[tokio::test]
    async fn what_a_service_serves_is_taken_up_to_the_limit_and_its_refusals_are_told_apart() {
        let taken = fetched(StatusCode::OK, b"1234", 4).await;
        assert_eq!(taken.unwrap(), "1234");
        for (status, limit, class, said) in [
            (
                StatusCode::OK,
                3,
                FailureClass::Terminal,
                "larger than the limit of 3 bytes",
            ),
            (
                StatusCode::FORBIDDEN,
                4,
                FailureClass::Denied,
                "the right to get services/proxy",
            ),
            (
                StatusCode::NOT_FOUND,
                4,
                FailureClass::Transient { retry_after: None },
                "it answered 404",
            ),
        ] {
            let failure = fetched(status, b"1234", limit).await.unwrap_err();
            assert_eq!(failure.class, class, "{failure}");
            assert!(failure.message.contains(said), "{failure}");
            assert!(failure.message.contains("Service flux/store"), "{failure}");
        }
    }
}
