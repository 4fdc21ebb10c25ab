//! The audit trail: one record for every request, in order.

use jiff::Timestamp;

/// What one request was, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who authenticated.
    pub user: String,
    /// As whom it asked to act (`Impersonate-User`), whether that was allowed or not.
    pub impersonated: Option<String>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or the
    /// lower-case HTTP method outside resources.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural resource name; empty outside resources.
    pub resource: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// Namespace, or empty.
    pub namespace: String,
    /// Object name, or empty.
    pub name: String,
    /// The request's path.
    pub path: String,
    /// `dryRun=All` was asked for.
    pub dry_run: bool,
    /// HTTP status code.
    pub code: u16,
    /// `reason` of the `Status`, or empty.
    pub reason: String,
    /// `message` of the `Status`, or empty.
    pub message: String,
    /// `fieldManager` as given, or empty.
    pub field_manager: String,
    /// Server-side apply (as against another kind of patch).
    pub apply: bool,
}
