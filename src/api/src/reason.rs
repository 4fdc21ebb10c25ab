//! Reasons of the Ready condition, and the pointer to their runbooks.

use std::fmt;
use std::str::FromStr;

/// Where the runbooks are; a reason in lower case and a slash follow.
pub const RUNBOOKS: &str = "https://stageset.projects.metio.wtf/runbooks/";

/// A text that is no reason of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a reason that the controller sets")]
pub struct UnknownReason {
    found: String,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Why a StageSet is ready or not (`api.md` §8).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in the condition.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// True: everything is applied, verified and pruned, or a new revision is held over a deployed one.
    Succeeded,
    /// `spec.suspend`.
    Suspended,
    /// The spec breaks a rule.
    InvalidSpec,
    /// A source exists but isn't ready.
    SourceNotReady,
    /// A source or its artifact doesn't exist.
    ArtifactNotFound,
    /// A source can't be told.
    ResolveFailed,
    /// The account lacks a right, or the API server doesn't know the kind.
    RBACDenied,
    /// A dependency isn't usable yet.
    DependencyNotReady,
    /// The dependencies form a cycle.
    Stalled,
    /// The version is missing or not semver.
    InvalidVersion,
    /// The desired version is below the deployed one.
    DowngradeNotAllowed,
    /// A crossed migration can't be reversed.
    DowngradeRequiresMigration,
    /// A migration's anchor names no stage.
    MigrationStageNotFound,
    /// The ladder from a source can't be read.
    MigrationArtifactInvalid,
    /// The ladder's source isn't verified.
    MigrationSourceNotVerified,
    /// The ladder's source isn't pinned.
    MigrationSourceNotPinned,
    /// A major version is crossed without a migration.
    MigrationCoverageMissing,
    /// The transition waits for approval.
    AwaitingApproval,
    /// A migration failed.
    MigrationFailed,
    /// A migration failed too often.
    MigrationDirty,
    /// An action of a stage with Lifetime actions failed too often.
    ActionDirty,
    /// A stage failed.
    StageFailed,
    /// A stage isn't healthy yet, and its time is up.
    StageProgressing,
    /// An image was rejected.
    ImageUnverified,
    /// There is nothing to roll back to.
    PreviousRevisionUnavailable,
    /// The update window is closed.
    UpdateDeferred,
    /// The error budget is used up.
    BudgetExhausted,
    /// The error budget can't be read.
    BudgetSourceUnavailable,
    /// A stage soaks.
    Soaking,
    /// A stage waits for a manual promotion.
    AwaitingPromotion,
    /// A promotion gate is shut.
    PromotionBlocked,
}

impl Reason {
    /// The runbook's address.
    pub fn runbook(self) -> String {
        [RUNBOOKS, &self.as_str().to_ascii_lowercase(), "/"].concat()
    }

    /// The message with the pointer to the runbook, which every reason but `Succeeded` and
    /// `Suspended` carries.
    pub fn with_runbook(self, message: &str) -> String {
        match self {
            Self::Succeeded | Self::Suspended => message.to_owned(),
            _ => [message, " (runbook: ", &self.runbook(), ")"].concat(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|r| r.as_str() == text)
            .ok_or_else(|| UnknownReason {
                found: text.to_owned(),
            })
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_reasons_are_one_to_one() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        assert!("succeeded".parse::<Reason>().is_err());
        assert_eq!(Reason::ALL.len(), 31);
    }

    #[test]
    fn only_success_and_suspension_need_no_runbook() {
        assert_eq!(Reason::Succeeded.with_runbook("done"), "done");
        assert_eq!(Reason::Suspended.with_runbook("off"), "off");
        assert_eq!(
            Reason::RBACDenied.with_runbook("no"),
            "no (runbook: https://stageset.projects.metio.wtf/runbooks/rbacdenied/)"
        );
        let bare = Reason::ALL
            .iter()
            .filter(|r| r.with_runbook("m") == "m")
            .count();
        assert_eq!(bare, 2);
    }
}
