//! What releases make use of beyond stages of objects.

use std::fmt;

use serde_json::{Value, json};

use super::{Accounts, SETTINGS, STAGES, Setup};
use crate::schedule::Level;

/// Something that a release makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Actions before, after and on failure of stages, each verb and both scopes: see [`actions`].
    Actions,
    /// `dependsOn` another StageSet.
    Dependency,
    /// A variable in every manifest, from a ConfigMap.
    Variables,
    /// Rights can be reviewed.
    Reviews,
    /// `kubectl apply` has made the first object of each stage.
    Takeover,
    /// Secrets are immutable, and the conflict policy says to create them anew.
    Recreate,
    /// Delivered to another cluster, by a kubeconfig (level wire).
    Remote,
    /// `readyChecks.checks`: each stage waits for an object that isn't its own.
    Gates,
    /// `readyChecks.exprs`: what Deployments and `ConfigMaps` have to say in their own words.
    Expressions,
    /// `readyChecks.disableWait` of the first stage.
    Unwaited,
    /// A drift interval, a retry interval and a time-out of its own, all short.
    Paced,
    /// Another tenant has a release with the same names in a namespace of its own (level wire).
    Neighbour,
    /// The controller runs with `--single-tenant` and acts as itself where no account is named; where one
    /// is, as that.
    SingleTenant,
    /// The user has the release delivered as another account, and back.
    Successor,
    /// Services, and Secrets that aren't created anew, are left alone once they are there: `KeepExisting`.
    Kept,
    /// The user renames stages, or has two of them swap their names.
    Renamed,
    /// The controller works in a list of namespaces only: see [`Setup::shard`].
    Sharded,
    /// The user asks for the actions of a stage once more.
    Again,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Actions,
        Self::Dependency,
        Self::Variables,
        Self::Reviews,
        Self::Takeover,
        Self::Recreate,
        Self::Remote,
        Self::Gates,
        Self::Expressions,
        Self::Unwaited,
        Self::Paced,
        Self::Neighbour,
        Self::SingleTenant,
        Self::Successor,
        Self::Kept,
        Self::Renamed,
        Self::Sharded,
        Self::Again,
    ];

    /// As written in replay files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Dependency => "dependency",
            Self::Variables => "variables",
            Self::Reviews => "reviews",
            Self::Takeover => "takeover",
            Self::Recreate => "recreate",
            Self::Remote => "remote",
            Self::Gates => "gates",
            Self::Expressions => "expressions",
            Self::Unwaited => "unwaited",
            Self::Paced => "paced",
            Self::Neighbour => "neighbour",
            Self::SingleTenant => "single-tenant",
            Self::Successor => "successor",
            Self::Kept => "kept",
            Self::Renamed => "renamed",
            Self::Sharded => "sharded",
            Self::Again => "again",
        }
    }

    /// How many of a thousand runs have it.
    pub(super) const fn per_mille(self) -> u64 {
        match self {
            Self::Reviews => 500,
            Self::Actions => 250,
            Self::Dependency | Self::Variables | Self::Takeover | Self::Recreate | Self::Remote => {
                150
            }
            Self::Gates => 200,
            Self::Expressions => 350,
            Self::Unwaited | Self::Paced => 120,
            Self::SingleTenant => 80,
            Self::Again => 400,
            Self::Successor | Self::Kept | Self::Renamed | Self::Sharded => 150,
            Self::Neighbour => 200,
        }
    }

    /// Whether it came later than most: it has draws of its own, so that what earlier seeds drew beside it
    /// stays what it was.
    pub(super) const fn is_late(self) -> bool {
        matches!(
            self,
            Self::Gates
                | Self::Expressions
                | Self::Unwaited
                | Self::Paced
                | Self::Neighbour
                | Self::SingleTenant
                | Self::Successor
                | Self::Kept
                | Self::Renamed
                | Self::Sharded
                | Self::Again
        )
    }

    /// Whether a release of this shape can have it at this level.
    pub(super) fn fits(self, setup: &Setup, level: Level) -> bool {
        match self {
            // Variables are read as the StageSet's own account: without one they are refused (K01).
            Self::Variables => setup.accounts == Accounts::Shared,
            // Abroad the user of the kubeconfig would act, as without it.
            Self::SingleTenant => !setup.has(Self::Remote),
            // Whose release that of nobody is would have to be told apart moment by moment.
            Self::Successor => !setup.is_nobodys(),
            Self::Again => setup.has(Self::Actions),
            // What is done is on record by the stage's name.
            Self::Renamed => !setup.has(Self::Actions),
            // The pure server is one cluster. Without an account the user of the kubeconfig acts, which is
            // none of those whose rights the promises know.
            Self::Remote => level == Level::Wire && setup.accounts != Accounts::None,
            // The pure server has one StageSet.
            Self::Neighbour => level == Level::Wire,
            // Level wire's server answers reviews anyway.
            Self::Reviews => level == Level::Core,
            Self::Actions
            | Self::Dependency
            | Self::Takeover
            | Self::Recreate
            | Self::Gates
            | Self::Expressions
            | Self::Unwaited
            | Self::Paced
            | Self::Kept
            | Self::Sharded => true,
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The namespace of another tenant.
pub const NEIGHBOUR: &str = "billing";
/// The account of its release.
pub const CLERK: &str = "clerk";
/// The object that witnesses the completion of a Lifetime action, and that others patch.
pub const ANCHOR: &str = "anchor";
/// A transient object that an action applies.
pub const PROBE: &str = "probe";
/// An object that an action deletes; each stage has its own.
pub const LEFTOVER: &str = "leftover";
/// The account of a release with [`Feature::Successor`] after the user has changed it.
pub const SUCCESSOR: &str = "successor";
/// An object that a stage waits for and that isn't its own; each stage has one.
pub const GATE: &str = "gate";
/// The annotation with which a `ConfigMap` isn't ready, where expressions are asked.
pub const CLOSED: &str = "closed";
/// The Secret with the kubeconfig of the remote cluster.
pub const KUBECONFIG: &str = "abroad";
/// The name of something of an action that each stage has its own of.
pub fn own(what: &str, stage: usize) -> String {
    format!("{what}-{}", STAGES[stage])
}

/// An action of the trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// `pre`, `post` or `onFailure`.
    pub phase: &'static str,
    /// Once ever rather than once for each revision.
    pub lifetime: bool,
    /// Whether it may be carried out twice when nobody knows whether it was carried out once.
    pub repeatable: bool,
}

const fn step(name: &'static str, phase: &'static str) -> Step {
    Step {
        name,
        phase,
        lifetime: false,
        repeatable: true,
    }
}

const FIRST: [Step; 5] = [
    Step {
        repeatable: false,
        ..step("announce", "pre")
    },
    Step {
        lifetime: true,
        ..step("migrate", "pre")
    },
    step("settle", "post"),
    step("tune", "post"),
    Step {
        repeatable: false,
        ..step("alarm", "onFailure")
    },
];

const LATER: [Step; 4] = [
    step("clear", "pre"),
    step("probe", "pre"),
    step("reach", "post"),
    step("tell", "post"),
];

/// The actions of a stage: all six verbs, two requests that mustn't be sent twice, one Lifetime action
/// with a witness, and an alarm on failure.
pub fn actions(setup: &Setup, stage: usize) -> &'static [Step] {
    match (setup.has(Feature::Actions), stage) {
        (false, _) => &[],
        (true, 0) => &FIRST,
        (true, _) => &LATER,
    }
}

/// What features add to the spec of a stage.
pub(super) fn add_to_stage(setup: &Setup, stage: usize, spec: &mut Value) {
    if setup.has(Feature::Variables) {
        spec["postBuild"] = json!({
            "substituteFrom": [{ "kind": "ConfigMap", "name": SETTINGS }],
        });
    }
    add_conflict_policy(setup, stage, spec);
    let mut checks = json!({});
    if setup.has(Feature::Gates) {
        let gate = own(GATE, stage);
        checks["checks"] = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": gate }]);
    }
    if setup.has(Feature::Expressions) {
        checks["exprs"] = json!([{
            "apiVersion": "apps/v1", "kind": "Deployment",
            "inProgress": "!has(status.availableReplicas)",
            "current": "status.availableReplicas >= spec.replicas",
        }, {
            "apiVersion": "v1", "kind": "ConfigMap",
            "current": format!("!has(metadata.annotations.{CLOSED})"),
        }]);
    }
    if stage == 0 && setup.has(Feature::Unwaited) {
        checks["disableWait"] = true.into();
    }
    if checks != json!({}) {
        spec["readyChecks"] = checks;
    }
    let actions = actions(setup, stage);
    if actions.is_empty() {
        return;
    }
    let mut lists = json!({});
    for phase in ["pre", "post", "onFailure"] {
        let of_phase = actions.iter().filter(|action| action.phase == phase);
        let list: Vec<Value> = of_phase
            .map(|action| written(setup, stage, *action))
            .collect();
        if !list.is_empty() {
            lists[phase] = list.into();
        }
    }
    spec["actions"] = lists;
}

/// What isn't changed in place: the three ways to have it created anew, and what is left alone.
fn add_conflict_policy(setup: &Setup, stage: usize, spec: &mut Value) {
    let mut rules = Vec::new();
    if setup.has(Feature::Kept) {
        for kind in setup.kept_kinds() {
            rules.push(json!({ "target": { "kind": kind }, "action": "KeepExisting" }));
        }
    }
    let mut policy = json!({});
    if setup.has(Feature::Recreate) {
        match stage {
            0 => policy["default"] = "Recreate".into(),
            1 => rules.push(json!({ "target": { "kind": "Secret" }, "action": "Recreate" })),
            _ => spec["force"] = true.into(),
        }
    }
    if !rules.is_empty() {
        policy["rules"] = rules.into();
    }
    if policy != json!({}) {
        spec["conflictPolicy"] = policy;
    }
}

/// An action as a user would write it.
fn written(setup: &Setup, stage: usize, step: Step) -> Value {
    let source = json!({ "name": setup.source(stage) });
    let configmap = |name: &str| json!({ "kind": "ConfigMap", "name": name });
    let post = |path: &str| json!({ "url": format!("https://hooks.example.org/{}/{path}", STAGES[stage]) });
    let mut action = match step.name {
        "announce" | "alarm" => json!({ "http": post(step.name) }),
        "migrate" => json!({
            "job": { "sourceRef": source, "path": format!("{}-jobs", STAGES[stage]) },
            "completionAnchor": { "apiVersion": "v1", "kind": "ConfigMap", "name": ANCHOR },
        }),
        "settle" => json!({ "wait": { "duration": "3s" } }),
        "tune" => json!({ "patch": {
            "target": configmap(ANCHOR),
            "patch": "data:\n  tuned: \"true\"\n",
        }}),
        "clear" => json!({ "delete": { "target": configmap(&own(LEFTOVER, stage)) } }),
        "probe" => json!({ "apply": {
            "sourceRef": source, "path": format!("{}-probe", STAGES[stage]), "wait": true,
        }}),
        "reach" => json!({ "wait": {
            "target": configmap(ANCHOR), "expr": "has(metadata.name)", "timeout": "60s",
        }}),
        _ => {
            let mut request = post(step.name);
            request["method"] = "PUT".into();
            json!({ "http": request, "retries": 1 })
        }
    };
    action["name"] = step.name.into();
    if step.lifetime {
        action["scope"] = "Lifetime".into();
    }
    action
}

/// The Job of an action, valid on a real API server too.
pub fn job() -> Value {
    let main = json!({ "name": "main", "image": "example.org/migrate:1" });
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": "migrate" },
        "spec": {
            "template": { "spec": { "restartPolicy": "Never", "containers": [main] } },
        },
    })
}

/// The transient object of an action.
pub fn probe(stage: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": own(PROBE, stage) }, "data": { "probe": "yes" },
    })
}
