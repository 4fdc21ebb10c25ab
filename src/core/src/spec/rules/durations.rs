//! Durations, wherever they stand (G8): Go's syntax, and positive or at least not negative where
//! anything else makes no sense. Where the contract counts zero and less as unset, they pass.

use stageset_api::duration::{DurationText, GoDuration};
use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, show};
use super::actions;

/// What a duration may be.
#[derive(Clone, Copy, PartialEq)]
enum Least {
    /// Anything; zero and less count as unset.
    Any,
    /// Zero or more.
    Zero,
    /// More than zero.
    Positive,
}

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    let mut judge = |field: String, text: Option<&DurationText>, least: Least| {
        let Some(text) = text else {
            return;
        };
        let message = match (text.parse(), least) {
            (Err(fault), _) => fault.to_string(),
            (Ok(span), Least::Positive) if span.positive().is_none() => {
                format!("{} is not positive", show(&text.0))
            }
            (Ok(span), Least::Zero) if span < GoDuration::default() => {
                format!("{} is negative", show(&text.0))
            }
            _ => return,
        };
        problems.add("G8", field, message);
    };

    judge(
        "spec.interval".to_owned(),
        spec.interval.as_ref(),
        Least::Any,
    );
    judge(
        "spec.retryInterval".to_owned(),
        spec.retry_interval.as_ref(),
        Least::Any,
    );
    judge(
        "spec.driftDetectionInterval".to_owned(),
        spec.drift_detection_interval.as_ref(),
        Least::Any,
    );
    judge("spec.timeout".to_owned(), spec.timeout.as_ref(), Least::Any);
    for (index, window) in spec.update_windows.iter().enumerate() {
        // V30 says that it must be positive.
        let field = format!("spec.updateWindows[{index}].duration");
        judge(field, window.duration.as_ref(), Least::Any);
    }
    if let Some(budget) = &spec.error_budget {
        judge(
            "spec.errorBudget.interval".to_owned(),
            budget.interval.as_ref(),
            Least::Any,
        );
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        let at = format!("spec.stages[{index}]");
        judge(format!("{at}.timeout"), stage.timeout.as_ref(), Least::Any);
        if let Some(checks) = &stage.ready_checks {
            judge(
                format!("{at}.readyChecks.timeout"),
                checks.timeout.as_ref(),
                Least::Any,
            );
        }
        if let Some(budget) = &stage.error_budget {
            judge(
                format!("{at}.errorBudget.interval"),
                budget.interval.as_ref(),
                Least::Any,
            );
        }
        if let Some(promotion) = &stage.promotion {
            let at = format!("{at}.promotion");
            judge(format!("{at}.soak"), promotion.soak.as_ref(), Least::Zero);
            if let Some(analysis) = &promotion.analysis {
                judge(
                    format!("{at}.analysis.interval"),
                    analysis.interval.as_ref(),
                    Least::Any,
                );
            }
            if let Some(fast_track) = &promotion.fast_track {
                judge(
                    format!("{at}.fastTrack.after"),
                    fast_track.after.as_ref(),
                    Least::Zero,
                );
            }
        }
    }
    for found in actions::all(spec) {
        let at = found.field();
        judge(
            format!("{at}.timeout"),
            found.action.timeout.as_ref(),
            Least::Zero,
        );
        if let Some(wait) = &found.action.wait {
            judge(
                format!("{at}.wait.duration"),
                wait.duration.as_ref(),
                Least::Positive,
            );
            judge(
                format!("{at}.wait.timeout"),
                wait.timeout.as_ref(),
                Least::Zero,
            );
        }
    }
}
