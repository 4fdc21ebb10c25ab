//! Why a kubeconfig can't be used: one sentence each, with what to do, and nothing of its content.

/// Why a kubeconfig can't be used. Holds names of fields only, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum KubeconfigProblem {
    /// Not even YAML.
    #[error("it isn't YAML: put a whole kubeconfig there")]
    NotYaml,
    /// YAML of something else.
    #[error("it isn't a kubeconfig (apiVersion v1, kind Config): put a whole kubeconfig there")]
    NotAKubeconfig,
    /// A field of the wrong shape.
    #[error("{0} has the wrong shape for a kubeconfig")]
    Shape(&'static str),
    /// A field that kubeconfigs don't have, or that isn't known to be harmless.
    #[error(
        "{0} has a field that isn't known here; only self-contained kubeconfigs are used: leave \
         just the cluster's server and certificate-authority-data and the user's credentials"
    )]
    UnknownField(&'static str),
    /// No contexts.
    #[error(
        "it has no context: name a cluster and a user in contexts, and the context in current-context"
    )]
    NoContext,
    /// Several contexts, and none is chosen.
    #[error(
        "it has several contexts and no current-context: set current-context, or leave one context \
         (kubectl config view --raw --minify)"
    )]
    NoCurrentContext,
    /// `current-context` names none of them.
    #[error("its current-context names a context that isn't there")]
    UnknownContext,
    /// Two entries of one name.
    #[error("it has several {0} of the name that its context uses: leave one")]
    Ambiguous(&'static str),
    /// The context's cluster isn't there.
    #[error("its context names a cluster that isn't there")]
    UnknownCluster,
    /// The context's user isn't there.
    #[error("its context names a user that isn't there")]
    UnknownUser,
    /// No server.
    #[error("its cluster has no server: set it to the API server's https URL")]
    NoServer,
    /// The server isn't an https URL.
    #[error(
        "its server isn't an https URL of the form https://host:port, whose host is an address or a DNS \
         name, without user, query or fragment"
    )]
    Server,
    /// The certificate isn't checked.
    #[error(
        "insecure-skip-tls-verify is refused: put the server's CA into certificate-authority-data \
         (an operator can allow it with --allow-insecure-kubeconfigs)"
    )]
    Insecure,
    /// Skips the check and names a CA.
    #[error("insecure-skip-tls-verify and certificate-authority-data exclude each other")]
    InsecureWithAuthority,
    /// A proxy.
    #[error("proxy-url is refused: the API server has to be reachable without a proxy")]
    Proxy,
    /// A file's path.
    #[error(
        "{field} names a file, and files of the controller are never read: put the content into \
         {instead} (kubectl config view --raw --flatten)"
    )]
    File {
        /// The field.
        field: &'static str,
        /// The one that holds the content itself.
        instead: &'static str,
    },
    /// Base64 that isn't.
    #[error("{0} isn't base64")]
    Base64(&'static str),
    /// Base64 of something that isn't PEM.
    #[error("{0} doesn't hold PEM")]
    Pem(&'static str),
    /// A program to run.
    #[error(
        "its user has exec, and no program is ever run for a kubeconfig: use a token or a client \
         certificate"
    )]
    Exec,
    /// A plugin.
    #[error(
        "its user has auth-provider, which isn't supported: use a token or a client certificate"
    )]
    AuthProvider,
    /// Impersonates somebody itself.
    #[error(
        "its user has {0}: whom to act as is said by serviceAccountName, never by the kubeconfig; \
         remove it"
    )]
    Impersonates(&'static str),
    /// No credential.
    #[error(
        "its user has no credentials: set token, or client-certificate-data and client-key-data, or \
         username and password"
    )]
    NoCredential,
    /// More than one kind of credential.
    #[error("its user has more than one kind of credentials: leave one")]
    SeveralCredentials,
    /// Half of a pair.
    #[error("its user has {has} without {lacks}")]
    Half {
        /// What is there.
        has: &'static str,
        /// What isn't.
        lacks: &'static str,
    },
    /// A credential that can't stand in a header.
    #[error("its {0} holds characters that can't be sent in a header")]
    Characters(&'static str),
}
