//! The modes of impersonation, in the order in which they are tried, and what the server
//! remembers of successes: the mode that last worked for each requestor, and for ten seconds each
//! constrained success. So a right that was taken away works on for up to ten seconds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::account;
use crate::{
    admission::names,
    rbac::{self, Attributes, Decision},
    request::User,
    server::Server,
    status::ApiError,
};

const AUTHENTICATION: &str = "authentication.k8s.io";

/// How long a constrained success is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(10);

/// From so many groups (or extra values) on, the wildcard is asked for first.
const MANY: usize = 4;

/// One way to impersonate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    Legacy,
}

const MODES: [Mode; 5] = [
    Mode::AssociatedNode,
    Mode::ArbitraryNode,
    Mode::ServiceAccount,
    Mode::UserInfo,
    Mode::Legacy,
];

impl Mode {
    /// As verbs name it; the old way has no name.
    fn name(self) -> &'static str {
        match self {
            Self::AssociatedNode => "associated-node",
            Self::ArbitraryNode => "arbitrary-node",
            Self::ServiceAccount => "serviceaccount",
            Self::UserInfo => "user-info",
            Self::Legacy => "",
        }
    }

    fn constrained(self) -> bool {
        self != Self::Legacy
    }

    /// Whether this mode can impersonate that user at all.
    fn supports(self, wanted: &User, requestor: &User) -> bool {
        let name_only =
            wanted.groups.is_empty() && wanted.uid.is_empty() && wanted.extra.is_empty();
        match self {
            Self::AssociatedNode => {
                name_only
                    && account(&requestor.name).is_some()
                    && node(&wanted.name).is_some_and(|node| {
                        let bound = requestor
                            .extra
                            .get("authentication.kubernetes.io/node-name");
                        bound.is_some_and(|names| *names == [node])
                    })
            }
            Self::ArbitraryNode => name_only && node(&wanted.name).is_some(),
            Self::ServiceAccount => name_only && account(&wanted.name).is_some(),
            Self::UserInfo => node(&wanted.name).is_none() && account(&wanted.name).is_none(),
            Self::Legacy => true,
        }
    }
}

/// The node of a node's user name.
fn node(user: &str) -> Option<&str> {
    user.strip_prefix("system:node:")
        .filter(|name| names::problem("", "nodes", name).is_none())
}

/// A constrained success: mode, requestor and wanted user, with the request where it counted.
type Success = (Mode, User, User, Option<Attributes>);

/// What the server remembers of impersonations.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The mode that last worked for a requestor, by user name.
    modes: BTreeMap<String, Mode>,
    successes: BTreeMap<Success, Timestamp>,
}

impl Memory {
    fn knows(&self, success: &Success, now: Timestamp) -> bool {
        self.successes
            .get(success)
            .is_some_and(|until| *until > now)
    }

    fn remember(&mut self, success: Success, now: Timestamp) {
        self.successes.retain(|_, until| *until > now);
        let until = now.checked_add(REMEMBERED).unwrap_or(now);
        self.successes.insert(success, until);
    }
}

/// The impersonated user, if some mode allows it; else the first refusal.
pub(super) fn check(
    server: &mut Server,
    requestor: &User,
    wanted: &User,
    attributes: &Attributes,
) -> Result<User, ApiError> {
    let last = server.impersonations.modes.get(&requestor.name).copied();
    let mut refusal = None;
    let rest = MODES.into_iter().filter(|mode| Some(*mode) != last);
    for mode in last.into_iter().chain(rest) {
        if !mode.supports(wanted, requestor) {
            continue;
        }
        let checked = if mode.constrained() {
            constrained(server, mode, requestor, wanted, attributes)
        } else {
            become_other(server, mode, requestor, wanted)
        };
        match checked {
            Ok(user) => {
                let name = requestor.name.clone();
                server.impersonations.modes.insert(name, mode);
                return Ok(user);
            }
            Err(error) => {
                refusal.get_or_insert(error);
            }
        }
    }
    Err(refusal.unwrap_or_else(|| ApiError::internal("all impersonation modes failed")))
}

/// `impersonate-on:MODE:VERB` on what the request is about, then `impersonate:MODE` on the user.
fn constrained(
    server: &mut Server,
    mode: Mode,
    requestor: &User,
    wanted: &User,
    attributes: &Attributes,
) -> Result<User, ApiError> {
    let success = |attributes| (mode, requestor.clone(), wanted.clone(), attributes);
    let whole = success(Some(attributes.clone()));
    let now = server.now;
    if server.impersonations.knows(&whole, now) {
        return Ok(identity(mode, wanted));
    }
    let mut on = attributes.clone();
    on.verb = format!("impersonate-on:{}:{}", mode.name(), attributes.verb);
    ask(server, requestor, &on)?;
    let user = success(None);
    if !server.impersonations.knows(&user, now) {
        become_other(server, mode, requestor, wanted)?;
        server.impersonations.remember(user, now);
    }
    server.impersonations.remember(whole, now);
    Ok(identity(mode, wanted))
}

/// The checks on each part of the wanted user.
fn become_other(
    server: &mut Server,
    mode: Mode,
    requestor: &User,
    wanted: &User,
) -> Result<User, ApiError> {
    let verb = if mode.constrained() {
        format!("impersonate:{}", mode.name())
    } else {
        "impersonate".to_owned()
    };
    // Only the old way knows users, accounts and groups as resources of the core group.
    let core = if mode.constrained() {
        AUTHENTICATION
    } else {
        ""
    };
    let mut who = Attributes::resource(&verb, core, "users");
    who.name.clone_from(&wanted.name);
    if mode.constrained()
        && let Some(node) = node(&wanted.name)
    {
        "nodes".clone_into(&mut who.resource);
        // A node's own agent may be on any node.
        let name = if mode == Mode::AssociatedNode {
            "*"
        } else {
            node
        };
        name.clone_into(&mut who.name);
    }
    if let Some((namespace, account)) = account(&wanted.name) {
        "serviceaccounts".clone_into(&mut who.resource);
        namespace.clone_into(&mut who.namespace);
        account.clone_into(&mut who.name);
    }
    ask(server, requestor, &who)?;
    if !wanted.uid.is_empty() {
        let mut uid = Attributes::resource(&verb, AUTHENTICATION, "uids");
        uid.name.clone_from(&wanted.uid);
        ask(server, requestor, &uid)?;
    }
    groups(server, mode, requestor, wanted, &verb)?;
    extra(server, mode, requestor, wanted, &verb)?;
    Ok(identity(mode, wanted))
}

fn groups(
    server: &mut Server,
    mode: Mode,
    requestor: &User,
    wanted: &User,
    verb: &str,
) -> Result<(), ApiError> {
    if wanted.groups.is_empty() {
        return Ok(());
    }
    let core = if mode.constrained() {
        AUTHENTICATION
    } else {
        ""
    };
    let mut group = Attributes::resource(verb, core, "groups");
    if mode.constrained() {
        if wanted.groups.iter().any(String::is_empty) {
            let why = "impersonating the empty string group is not allowed";
            return Err(rbac::forbidden(requestor, &group, why));
        }
        if wanted.groups.iter().any(|g| g == "system:masters") {
            "system:masters".clone_into(&mut group.name);
            let why = "impersonating the system:masters group is not allowed";
            return Err(rbac::forbidden(requestor, &group, why));
        }
        if wanted.groups.len() >= MANY {
            "*".clone_into(&mut group.name);
            if ask(server, requestor, &group).is_ok() {
                return Ok(());
            }
        }
    }
    for name in &wanted.groups {
        group.name.clone_from(name);
        ask(server, requestor, &group)?;
    }
    Ok(())
}

fn extra(
    server: &mut Server,
    mode: Mode,
    requestor: &User,
    wanted: &User,
    verb: &str,
) -> Result<(), ApiError> {
    if wanted.extra.is_empty() {
        return Ok(());
    }
    let mut attributes = Attributes::resource(verb, AUTHENTICATION, "userextras");
    if mode.constrained() {
        if let Some(why) = unfit_extra(wanted) {
            return Err(rbac::forbidden(requestor, &attributes, &why));
        }
        let values: usize = wanted.extra.values().map(Vec::len).sum();
        if wanted.extra.len() >= MANY || values >= MANY {
            "*".clone_into(&mut attributes.subresource);
            "*".clone_into(&mut attributes.name);
            if ask(server, requestor, &attributes).is_ok() {
                return Ok(());
            }
        }
    }
    for (key, values) in &wanted.extra {
        attributes.subresource.clone_from(key);
        for value in values {
            attributes.name.clone_from(value);
            ask(server, requestor, &attributes)?;
        }
    }
    Ok(())
}

/// What the constrained mode refuses whoever asks.
fn unfit_extra(wanted: &User) -> Option<String> {
    for (key, values) in &wanted.extra {
        if key.is_empty() {
            return Some("impersonating the empty string key in extra is not allowed".into());
        }
        if let Some(why) = names::domain_path_problem("extra.key", key) {
            return Some(format!(
                "impersonating an invalid key in extra is not allowed: {why}"
            ));
        }
        if key.to_lowercase() != *key {
            return Some(format!(
                "impersonating a non-lowercase key in extra is not allowed: {key:?}"
            ));
        }
        if values.iter().any(String::is_empty) {
            return Some("impersonating the empty string value in extra is not allowed".into());
        }
    }
    None
}

/// The wanted user with the groups that the server adds.
fn identity(mode: Mode, wanted: &User) -> User {
    let mut user = wanted.clone();
    if user.groups.is_empty() {
        if let Some((namespace, _)) = account(&wanted.name) {
            user.groups = vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
            ];
        } else if mode.constrained() && node(&wanted.name).is_some() {
            user.groups = vec!["system:nodes".into()];
        }
    }
    let mut add = |group: &str| {
        if !user.groups.iter().any(|g| g == group) {
            user.groups.push(group.to_owned());
        }
    };
    let unauthenticated = "system:unauthenticated";
    if wanted.name == "system:anonymous" {
        add(unauthenticated);
    } else if !wanted.groups.iter().any(|g| g == unauthenticated) {
        add("system:authenticated");
    }
    user
}

fn ask(server: &mut Server, requestor: &User, attributes: &Attributes) -> Result<(), ApiError> {
    match server.policy().decide(requestor, attributes) {
        Decision::Allowed(_) => Ok(()),
        Decision::Refused(reason) => Err(rbac::forbidden(requestor, attributes, &reason)),
    }
}
