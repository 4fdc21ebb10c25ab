//! As whom: the one layer that says so to the API server.
//!
//! Every request carries a [`RequestIdentity`] as an extension; this layer turns it into the
//! `Impersonate-User` header and is the only code that does. A request without the extension isn't
//! sent, so forgetting it fails closed (A01). No group headers: the API server derives a service
//! account's groups from its name.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{HeaderName, HeaderValue, Request};
use stageset_core::identity::{Identity, Remote, Target};
use stageset_core::names::{Namespace, ServiceAccountName};
use tower::{BoxError, Layer, Service};

/// As whom a request is made. Every request carries one as an extension; one without isn't sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestIdentity {
    /// As the controller, on its own records and for what it may read for everybody.
    Controller,
    /// As a StageSet's tenant.
    As(Identity),
    /// Discovery of a remote cluster, as whoever its kubeconfig is: the same for all that use it
    /// (K05).
    Discovery(Arc<Remote>),
}

/// The header that names the user to act as.
pub const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
/// What every header of impersonation begins with.
const IMPERSONATE_PREFIX: &str = "impersonate-";

/// A request that isn't sent, because it isn't clear as whom. Each is a defect of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// No extension.
    #[error("a request without an identity isn't sent (a defect of the controller: report it)")]
    NoIdentity,
    /// It is meant for another cluster (A06).
    #[error(
        "a request meant for {meant} isn't sent to {side} (a defect of the controller: report it)"
    )]
    WrongCluster {
        /// Whom it was meant for.
        meant: String,
        /// Where it came.
        side: Target,
    },
    /// The caller set a header of its own.
    #[error(
        "a request that already carries {0} isn't sent (a defect of the controller: report it)"
    )]
    ForeignHeader(String),
    /// The identity isn't that of a service account.
    #[error("{0:?} isn't the user name of a ServiceAccount; the request isn't sent")]
    NotAnAccount(String),
}

/// Puts [`Identified`] around a service.
#[derive(Debug, Clone)]
pub struct IdentityLayer {
    side: Target,
}

impl IdentityLayer {
    /// For the connection to this cluster.
    pub fn new(side: Target) -> Self {
        Self { side }
    }
}

impl<S> Layer<S> for IdentityLayer {
    type Service = Identified<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Identified {
            inner,
            side: self.side.clone(),
        }
    }
}

/// Sends requests as the identity that they carry, and no others; and only those that are meant for
/// the cluster at the other end.
#[derive(Debug, Clone)]
pub struct Identified<S> {
    inner: S,
    side: Target,
}

impl<S, B> Service<Request<B>> for Identified<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<
        futures::future::ErrInto<S::Future, BoxError>,
        Ready<Result<Self::Response, Self::Error>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        use futures::TryFutureExt as _;
        match identify(&mut request, &self.side) {
            Ok(()) => Either::Left(self.inner.call(request).err_into()),
            Err(refusal) => Either::Right(ready(Err(refusal.into()))),
        }
    }
}

/// Turns the extension into the header.
fn identify<B>(request: &mut Request<B>, side: &Target) -> Result<(), NotSent> {
    let foreign = request
        .headers()
        .keys()
        .find(|name| name.as_str().starts_with(IMPERSONATE_PREFIX));
    if let Some(name) = foreign {
        return Err(NotSent::ForeignHeader(name.to_string()));
    }
    let wrong_cluster = |meant: String| {
        Err(NotSent::WrongCluster {
            meant,
            side: side.clone(),
        })
    };
    match request.extensions_mut().remove::<RequestIdentity>() {
        None => Err(NotSent::NoIdentity),
        Some(RequestIdentity::Controller) => match side {
            Target::Local => Ok(()),
            // Its name and rights are nobody's business elsewhere.
            Target::Remote(_) => wrong_cluster("the local cluster".to_owned()),
        },
        Some(RequestIdentity::Discovery(remote)) => match side {
            Target::Remote(here) if **here == *remote => Ok(()),
            Target::Remote(_) | Target::Local => wrong_cluster(Target::Remote(remote).to_string()),
        },
        Some(RequestIdentity::As(identity)) if identity.target() != side => {
            wrong_cluster(identity.target().to_string())
        }
        Some(RequestIdentity::As(identity)) => {
            // None in single-tenant mode, and where the kubeconfig acts itself; the core alone grants
            // either.
            let Some(user) = identity.impersonated_user() else {
                return Ok(());
            };
            let value = header_value(&user)?;
            request.headers_mut().insert(IMPERSONATE_USER, value);
            Ok(())
        }
    }
}

/// The header's value, with the name's shape checked once more: the last line of defence against a
/// blank, foreign or smuggled user (A02, A05).
fn header_value(user: &str) -> Result<HeaderValue, NotSent> {
    let refused = || NotSent::NotAnAccount(user.to_owned());
    let (namespace, account) = user
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        .ok_or_else(refused)?;
    Namespace::new(namespace).map_err(|_| refused())?;
    ServiceAccountName::new(account).map_err(|_| refused())?;
    HeaderValue::from_str(user).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use stageset_core::identity::{KubeconfigReference, Tenancy};
    use stageset_core::names::SecretName;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn tenant(namespace: &str, account: &str) -> RequestIdentity {
        let namespace = Namespace::new(namespace).unwrap();
        let account = ServiceAccountName::new(account).unwrap();
        let identity =
            Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Target::Local);
        RequestIdentity::As(identity.unwrap())
    }

    fn remote(namespace: &str, revision: &str) -> Arc<Remote> {
        Arc::new(Remote {
            namespace: Namespace::new(namespace).unwrap(),
            kubeconfig: KubeconfigReference {
                name: SecretName::new("prod").unwrap(),
                key: "value".into(),
            },
            revision: revision.into(),
            cluster: "c".into(),
        })
    }

    fn towards(remote: &Arc<Remote>, account: Option<&str>) -> RequestIdentity {
        let account = account.map(|account| ServiceAccountName::new(account).unwrap());
        let target = Target::Remote(Arc::clone(remote));
        let identity =
            Identity::resolve(Tenancy::Multi, &remote.namespace, account.as_ref(), &target);
        RequestIdentity::As(identity.unwrap())
    }

    fn single_tenant() -> RequestIdentity {
        let namespace = Namespace::new("a").unwrap();
        let identity = Identity::resolve(Tenancy::Single, &namespace, None, &Target::Local);
        RequestIdentity::As(identity.unwrap())
    }

    /// The headers that reach the server, or why nothing does.
    async fn sent(request: Request<()>) -> Result<Vec<(String, String)>, String> {
        sent_to(Target::Local, request).await
    }

    async fn sent_to(side: Target, request: Request<()>) -> Result<Vec<(String, String)>, String> {
        let server = service_fn(|request: Request<()>| async move {
            let headers = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            assert!(request.extensions().get::<RequestIdentity>().is_none());
            Ok::<_, BoxError>(headers)
        });
        IdentityLayer::new(side)
            .layer(server)
            .oneshot(request)
            .await
            .map_err(|error| error.to_string())
    }

    /// A connection that is broken before anything was asked of it.
    struct Broken;

    impl Service<Request<()>> for Broken {
        type Response = ();
        type Error = BoxError;
        type Future = Ready<Result<(), BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("broken".into()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            panic!("asked although it wasn't ready")
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_of_a_connection_that_is_not_ready() {
        let mut request = Request::new(());
        request.extensions_mut().insert(RequestIdentity::Controller);
        let identified = IdentityLayer::new(Target::Local).layer(Broken);
        let failed = identified.oneshot(request).await.unwrap_err();
        assert_eq!(failed.to_string(), "broken");
    }

    #[tokio::test]
    async fn each_identity_becomes_its_header_and_no_other() {
        let table = [
            (RequestIdentity::Controller, None),
            (single_tenant(), None),
            (
                tenant("payments", "deployer"),
                Some("system:serviceaccount:payments:deployer"),
            ),
            (tenant("a", "b.c-d"), Some("system:serviceaccount:a:b.c-d")),
        ];
        for (identity, user) in table {
            let mut request = Request::new(());
            request.extensions_mut().insert(identity.clone());
            let expected: Vec<_> = user
                .map(|user| ("impersonate-user".to_owned(), user.to_owned()))
                .into_iter()
                .collect();
            assert_eq!(sent(request).await, Ok(expected), "{identity:?}");
        }
    }

    /// Every identity at every connection: it is sent to the cluster that it is meant for, or nowhere
    /// (I7, A06).
    #[tokio::test]
    async fn attack_a06_no_request_reaches_another_cluster() {
        let (eu, eu_renewed, us) = (remote("a", "1"), remote("a", "2"), remote("b", "1"));
        let sides = [None, Some(&eu), Some(&eu_renewed), Some(&us)];
        let tenant_of = |remote: &Arc<Remote>| towards(remote, Some("b"));
        let table = [
            (RequestIdentity::Controller, None),
            (tenant("a", "b"), None),
            (single_tenant(), None),
            (tenant_of(&eu), Some(&eu)),
            (towards(&eu, None), Some(&eu)),
            (RequestIdentity::Discovery(Arc::clone(&eu)), Some(&eu)),
            (tenant_of(&eu_renewed), Some(&eu_renewed)),
            (towards(&us, None), Some(&us)),
            (RequestIdentity::Discovery(Arc::clone(&us)), Some(&us)),
        ];
        for (identity, meant) in table {
            for side in sides {
                let mut request = Request::new(());
                request.extensions_mut().insert(identity.clone());
                let target =
                    side.map_or(Target::Local, |remote| Target::Remote(Arc::clone(remote)));
                let answer = sent_to(target, request).await;
                assert_eq!(
                    answer.is_ok(),
                    meant == side,
                    "{identity:?} at {side:?}: {answer:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn remotely_an_account_is_a_header_and_a_kubeconfig_is_none() {
        let eu = remote("a", "1");
        for (identity, expected) in [
            (towards(&eu, Some("b")), Some("system:serviceaccount:a:b")),
            (towards(&eu, None), None),
            (RequestIdentity::Discovery(Arc::clone(&eu)), None),
        ] {
            let mut request = Request::new(());
            request.extensions_mut().insert(identity);
            let sent = sent_to(Target::Remote(Arc::clone(&eu)), request)
                .await
                .unwrap();
            let expected: Vec<_> = expected
                .map(|user| ("impersonate-user".to_owned(), user.to_owned()))
                .into_iter()
                .collect();
            assert_eq!(sent, expected);
        }
    }

    #[tokio::test]
    async fn a_request_without_an_identity_is_not_sent() {
        assert!(
            sent(Request::new(()))
                .await
                .unwrap_err()
                .contains("without an identity")
        );
    }

    #[tokio::test]
    async fn impersonation_headers_of_others_are_not_sent() {
        for name in [
            "Impersonate-User",
            "impersonate-group",
            "Impersonate-Uid",
            "Impersonate-Extra-x",
        ] {
            for identity in [
                RequestIdentity::Controller,
                tenant("a", "b"),
                single_tenant(),
            ] {
                let mut request = Request::builder()
                    .header(name, "system:masters")
                    .body(())
                    .unwrap();
                request.extensions_mut().insert(identity);
                let refusal = sent(request).await.unwrap_err();
                assert!(refusal.contains(&name.to_lowercase()), "{refusal}");
            }
        }
    }

    #[test]
    fn attack_a02_a05_blank_foreign_and_smuggled_users_are_refused() {
        for user in [
            "",
            " ",
            "\t",
            "admin",
            "system:masters",
            "system:serviceaccount:",
            "system:serviceaccount::",
            "system:serviceaccount:a:",
            "system:serviceaccount::b",
            "system:serviceaccount:a: ",
            "system:serviceaccount:a:b:c",
            "system:serviceaccount:a:b\r\nImpersonate-Group: system:masters",
            "system:serviceaccount:a:b\n",
            "system:serviceaccount:a:%62",
            "system:serviceaccount:a/b:c",
            "system:serviceaccount:a:b/c",
            "system:serviceaccount:a:dépl",
        ] {
            assert!(header_value(user).is_err(), "{user:?} was accepted");
        }
        assert!(header_value(&format!("system:serviceaccount:a:{}", "b".repeat(254))).is_err());
        assert!(header_value("system:serviceaccount:a:b").is_ok());
    }
}
