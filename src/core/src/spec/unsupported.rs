//! The one table of fields that this version refuses by name.
//!
//! A field is refused when it is *used*: present, and not merely spelling out what its absence
//! means (an empty list, `false`, a default). The table shrinks as behaviour is built; a test
//! proves that every field of the schema is either here or in [`supported_fields`], so that none
//! is ever ignored.

use stageset_api::choice::Choice;
use stageset_api::stageset::{
    Dependency, OnTimeout, Stage, StagePromotion, StageSetSpec, WindowScope,
};

use super::problems::{Problems, UNSUPPORTED, set};

/// A field that is refused when it is used.
struct Unsupported<T> {
    /// Path below the spec or the stage.
    field: &'static str,
    /// Whether the field is used.
    used: fn(&T) -> bool,
    /// What to do instead.
    advice: &'static str,
}

const REMOVE: &str = "remove it, or use a controller version that supports it";

/// Fields of the spec.
const SPEC: &[Unsupported<StageSetSpec>] = &[
    Unsupported {
        field: "onTimeout",
        used: |spec| is(spec.on_timeout.as_ref(), OnTimeout::Rollback),
        advice: "with the value Rollback; set Hold or remove it",
    },
    Unsupported {
        field: "decryption",
        used: |spec| spec.decryption.is_some(),
        advice: REMOVE,
    },
    Unsupported {
        field: "version",
        used: |spec| spec.version.is_some(),
        advice: REMOVE,
    },
    Unsupported {
        field: "migrations",
        used: |spec| !spec.migrations.is_empty(),
        advice: REMOVE,
    },
    Unsupported {
        field: "migrationsSourceRef",
        used: |spec| spec.migrations_source_ref.is_some(),
        advice: REMOVE,
    },
    Unsupported {
        field: "rollbackOnFailure",
        used: |spec| spec.rollback_on_failure == Some(true),
        advice: "set it to false or remove it",
    },
    Unsupported {
        field: "onRollback",
        used: |spec| !spec.on_rollback.is_empty(),
        advice: REMOVE,
    },
    Unsupported {
        field: "updateWindows",
        used: |spec| !spec.update_windows.is_empty(),
        advice: REMOVE,
    },
    Unsupported {
        field: "windowScope",
        used: |spec| is(spec.window_scope.as_ref(), WindowScope::All),
        advice: "with the value All; remove it",
    },
    Unsupported {
        field: "errorBudget",
        used: |spec| spec.error_budget.is_some(),
        advice: REMOVE,
    },
];

/// Fields of a dependency.
const DEPENDENCY: &[Unsupported<Dependency>] = &[Unsupported {
    field: "minVersion",
    used: |dependency| set(dependency.min_version.as_ref()).is_some(),
    advice: "versions aren't tracked yet; remove it",
}];

/// Fields of a stage.
const STAGE: &[Unsupported<Stage>] = &[
    Unsupported {
        field: "migrationAnchor",
        used: |stage| set(stage.migration_anchor.as_ref()).is_some(),
        advice: REMOVE,
    },
    Unsupported {
        field: "onTimeout",
        used: |stage| is(stage.on_timeout.as_ref(), OnTimeout::Rollback),
        advice: "with the value Rollback; set Hold or remove it",
    },
    Unsupported {
        field: "applyHelmHookResources",
        used: |stage| stage.apply_helm_hook_resources == Some(false),
        advice: "with the value false; set it to true or remove it",
    },
    Unsupported {
        field: "promotion",
        used: |stage| stage.promotion.as_ref().is_some_and(has_gates),
        advice: REMOVE,
    },
    Unsupported {
        field: "errorBudget",
        used: |stage| stage.error_budget.is_some(),
        advice: REMOVE,
    },
];

/// Paths below `spec` of the fields whose every value has its effect in this version, `onTimeout`
/// apart (see the table).
pub const fn supported_fields() -> &'static [&'static str] {
    &[
        "interval",
        "retryInterval",
        "driftDetectionInterval",
        "timeout",
        "suspend",
        "serviceAccountName",
        "kubeConfig",
        "dependsOn[].name",
        "dependsOn[].namespace",
        "stages[].name",
        "stages[].sourceRef",
        "stages[].path",
        "stages[].serviceAccountName",
        "stages[].patches",
        "stages[].postBuild",
        "stages[].prune",
        "stages[].timeout",
        "stages[].actions",
        "stages[].readyChecks.timeout",
        "stages[].readyChecks.disableWait",
        "stages[].readyChecks.checks",
        "stages[].readyChecks.exprs",
        "stages[].force",
        "stages[].conflictPolicy",
    ]
}

fn is<W: PartialEq>(choice: Option<&Choice<W>>, word: W) -> bool {
    choice.is_some_and(|choice| *choice == Choice::Known(word))
}

fn has_gates(promotion: &StagePromotion) -> bool {
    promotion.soak.is_some()
        || promotion.require_manual_promotion == Some(true)
        || promotion.analysis.is_some()
        || promotion.fast_track.is_some()
        || promotion.restart_gate.is_some()
        || promotion.event_gate.is_some()
}

/// Refuses every unsupported field that is used.
pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    refuse("spec", spec, SPEC, problems);
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        let at = format!("spec.dependsOn[{index}]");
        refuse(&at, dependency, DEPENDENCY, problems);
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        refuse(&format!("spec.stages[{index}]"), stage, STAGE, problems);
    }
}

fn refuse<T>(at: &str, value: &T, table: &[Unsupported<T>], problems: &mut Problems) {
    for entry in table.iter().filter(|entry| (entry.used)(value)) {
        let message = format!("is not supported by this version: {}", entry.advice);
        problems.add(UNSUPPORTED, format!("{at}.{}", entry.field), message);
    }
}

/// Paths below `spec` of the fields in the table.
#[cfg(test)]
pub(super) fn unsupported_fields() -> Vec<String> {
    let spec = SPEC.iter().map(|entry| entry.field.to_owned());
    let stage = STAGE
        .iter()
        .map(|entry| format!("stages[].{}", entry.field));
    let dependency = DEPENDENCY
        .iter()
        .map(|entry| format!("dependsOn[].{}", entry.field));
    spec.chain(dependency).chain(stage).collect()
}
