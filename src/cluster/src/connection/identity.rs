//! As whom: the one layer that says so to the API server.
//!
//! Every request carries a [`RequestIdentity`] as an extension; this layer turns it into the
//! `Impersonate-User` header and is the only code that does. A request without the extension isn't
//! sent, so forgetting it fails closed (A01). No group headers: the API server derives a service
//! account's groups from its name.

use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{HeaderName, HeaderValue, Request};
use stageset_core::identity::Identity;
use stageset_core::names::{Namespace, ServiceAccountName};
use tower::{BoxError, Layer, Service};

/// As whom a request is made. Every request carries one as an extension; one without isn't sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestIdentity {
    /// As the controller, on its own records and for what it may read for everybody.
    Controller,
    /// As a StageSet's tenant.
    As(Identity),
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
#[derive(Debug, Clone, Copy, Default)]
pub struct IdentityLayer;

impl<S> Layer<S> for IdentityLayer {
    type Service = Identified<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Identified { inner }
    }
}

/// Sends requests as the identity that they carry, and no others.
#[derive(Debug, Clone)]
pub struct Identified<S> {
    inner: S,
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
        match identify(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request).err_into()),
            Err(refusal) => Either::Right(ready(Err(refusal.into()))),
        }
    }
}

/// Turns the extension into the header.
fn identify<B>(request: &mut Request<B>) -> Result<(), NotSent> {
    let foreign = request
        .headers()
        .keys()
        .find(|name| name.as_str().starts_with(IMPERSONATE_PREFIX));
    if let Some(name) = foreign {
        return Err(NotSent::ForeignHeader(name.to_string()));
    }
    match request.extensions_mut().remove::<RequestIdentity>() {
        None => Err(NotSent::NoIdentity),
        Some(RequestIdentity::Controller) => Ok(()),
        Some(RequestIdentity::As(identity)) => {
            // None only in single-tenant mode, which the core alone grants.
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
    use stageset_core::identity::Tenancy;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn tenant(namespace: &str, account: &str) -> RequestIdentity {
        let namespace = Namespace::new(namespace).unwrap();
        let account = ServiceAccountName::new(account).unwrap();
        RequestIdentity::As(Identity::resolve(Tenancy::Multi, &namespace, Some(&account)).unwrap())
    }

    fn single_tenant() -> RequestIdentity {
        let namespace = Namespace::new("a").unwrap();
        RequestIdentity::As(Identity::resolve(Tenancy::Single, &namespace, None).unwrap())
    }

    /// The headers that reach the server, or why nothing does.
    async fn sent(request: Request<()>) -> Result<Vec<(String, String)>, String> {
        let server = service_fn(|request: Request<()>| async move {
            let headers = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            assert!(request.extensions().get::<RequestIdentity>().is_none());
            Ok::<_, BoxError>(headers)
        });
        IdentityLayer
            .layer(server)
            .oneshot(request)
            .await
            .map_err(|error| error.to_string())
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
    fn blank_foreign_and_smuggled_users_are_refused() {
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
