//! Saboteurs: small deliberate bugs, each of which some promise must catch, or the promises are worth
//! nothing.
//!
//! A saboteur sits at a boundary: of the core, where it bends what the core is told ([`told`]) or what
//! it answers ([`answers`]); or of the driver, where it bends what is sent to the API server and what
//! comes back (`wire/door.rs`), as a bug behind that boundary would. So production code holds no hook
//! at all, and no build of the controller can have one.

mod answers;
mod told;

use std::fmt;

use stageset_core::observation::Observation;
use stageset_core::plan::Plan;

use crate::schedule::{Level, Schedule};

macro_rules! saboteurs {
    ($($name:ident: $what:literal,)*) => {
        /// A deliberate bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Saboteur {
            $(
                #[doc = $what]
                $name,
            )*
        }

        impl Saboteur {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it does.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

saboteurs! {
    PruneAsController: "drops the header on deletions",
    ApplyAsController: "drops the header on applies",
    HealthAsController: "reads health as the controller",
    DryRunAsController: "makes dry runs as the controller",
    PruneReadAsController: "reads what is to be pruned as the controller",
    RetryDeniedAsController: "retries a 403 as the controller",
    OneAccountForAll: "delivers every stage as the first one's account",
    NoAccountMeansController: "takes a StageSet without an account for its own",
    RefuseSingleTenant: "acts for nobody without an account, whatever it was started with",
    IgnoreNamedAccounts: "acts as itself wherever it may, whatever account is named",
    IgnoreAgain: "doesn't do once more what it is asked to",
    AlwaysAgain: "does once more what it is asked to, and again and again",
    IgnoreShard: "works in namespaces that aren't on its list",
    RecordedAccount: "delivers as whoever delivered before, whoever is named now",
    UnreadableAccountIsFine: "goes on when the account can't be read",
    AbsentAccountIsFine: "goes on when the account doesn't exist",
    UnreadableInventoriesAreEmpty: "takes inventories that can't be read for empty ones",
    UnreadableIsAbsent: "takes an object that can't be read for gone",
    OthersCache: "reuses what another account was shown",
    HotRetry: "retries failures without a pause",
    DeleteUnlabelled: "deletes what carries others' labels",
    WriteKept: "changes what is to be left alone once it is there",
    DeleteKept: "deletes what is to be kept",
    DeleteUnseen: "deletes without the version that was looked at",
    InventoryAfterApply: "writes the inventory after the apply",
    ReplaceInventory: "replaces the inventory by the new set before pruning",
    ShrinkEarly: "shrinks the inventory before the deletion is seen",
    KeepOldUid: "leaves an old uid recorded while creating anew",
    DropRemovedStage: "drops a removed stage's inventory at once",
    ForgetFinalizer: "never puts the finalizer on",
    SkipTeardown: "takes the finalizer off without tearing down",
    HurryTeardown: "forces a teardown through at once",
    EndlessTeardown: "never forces a teardown through",
    IgnoreDeletion: "doesn't notice that the StageSet is being deleted",
    StaleReadiness: "starts the next stage on stale readiness",
    NoWait: "starts the next stage without waiting",
    IgnoreDrift: "takes an edited object for settled",
    NeverRefresh: "never looks again at what it has seen",
    RefreshAlways: "takes nothing that it has seen for fresh",
    StatusEveryTime: "writes the status in every pass",
    NoStatus: "forgets to write the status",
    WriteEveryTime: "writes settled objects again",
    PollHot: "polls every second at rest",
    OverwriteRecords: "writes records without the version they rest on",
    TellSecrets: "tells a Secret's content in an event",
    ActTwice: "deletes an object twice in one plan",
    HoldInThePast: "waits until a moment that is over",
    ForgetDone: "forgets which actions are done",
    ForgetLedger: "forgets what the StageLedger holds",
    SendAgain: "sends again what may have arrived",
    SkipActions: "leaves actions out",
    SkipChecks: "doesn't look at what else a stage has to wait for",
    SkipExpressions: "doesn't ask what objects have to say in their own words",
    IgnoreDependency: "takes every dependency for ready",
    SkipTakeover: "applies over kubectl's fields without taking them over",
    ActOnLostLease: "acts on a lost lease",
    FallBackToLocal: "falls back to the local cluster on a remote error",
    ShareTheCache: "answers one tenant from what another one was shown",
    ActAsNeighbour: "acts for one tenant as the account of another",
    DropTheHeader: "loses the header of a deletion on the way",
    RetryAsController: "sends a refused request again without the header",
    ForgetPreconditions: "leaves the preconditions of a deletion out",
    IgnoreVersions: "sends records without the version they rest on",
}

impl fmt::Display for Saboteur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Saboteur {
    /// The level at which it sits.
    pub const fn level(self) -> Level {
        match self {
            Self::ActOnLostLease
            | Self::FallBackToLocal
            | Self::ShareTheCache
            | Self::ActAsNeighbour
            | Self::DropTheHeader
            | Self::RetryAsController
            | Self::ForgetPreconditions
            | Self::IgnoreVersions => Level::Wire,
            _ => Level::Core,
        }
    }

    /// Decides as the core would if it had this bug.
    pub fn decide(self, observation: &mut Observation) -> Plan {
        self.bend_facts(observation);
        let mut plan = stageset_core::reconcile(observation);
        self.bend_plan(observation, &mut plan);
        plan
    }
}

/// What caught a saboteur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// The promise.
    pub property: &'static str,
    /// How many seeds that took.
    pub seeds: u64,
}

/// Runs seeds with a saboteur until a promise catches it. A seed that breaks something by itself, or
/// that couldn't be run, catches nobody.
pub fn catch(saboteur: Saboteur, first: u64, most: u64) -> Option<Caught> {
    let level = saboteur.level();
    (0..most).find_map(|number| {
        let schedule = Schedule::draw(first.wrapping_add(number), level);
        let outcome = match level {
            Level::Core => crate::pure::sabotaged(&schedule, saboteur),
            Level::Wire => crate::wire::sabotaged(&schedule, saboteur),
        };
        let violation = outcome.violation?;
        let honest = crate::sweep::run(&schedule, level, false);
        let caught = violation.property != "trial" && honest.violation.is_none();
        caught.then_some(Caught {
            property: violation.property,
            seeds: number + 1,
        })
    })
}
