//! Error budgets of the rollout and of stages.

use stageset_api::choice::{Choice, allowed};
use stageset_api::stageset::{BudgetSourceError, ErrorBudget, StageSetSpec};

use super::super::problems::{Problems, set, show};
use super::metrics;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    if let Some(budget) = &spec.error_budget {
        budget_rules("spec.errorBudget", budget, problems);
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        if let Some(budget) = &stage.error_budget {
            budget_rules(
                &format!("spec.stages[{index}].errorBudget"),
                budget,
                problems,
            );
        }
    }
}

fn budget_rules(at: &str, budget: &ErrorBudget, problems: &mut Problems) {
    // V26: a source that can be asked.
    metrics::source("V26", &format!("{at}.source"), "", &budget.source, problems);
    bad_thresholds(at, budget, problems);
    unknown_answer(at, budget, problems);
}

/// V27, G6: thresholds are numbers, and the way back isn't below the way in.
fn bad_thresholds(at: &str, budget: &ErrorBudget, problems: &mut Problems) {
    let field = format!("{at}.freezeThreshold");
    let freeze = metrics::number("V27", &field, "", &budget.freeze_threshold, problems);
    let Some(text) = set(budget.resume_threshold.as_ref()) else {
        return;
    };
    let field = format!("{at}.resumeThreshold");
    let resume = metrics::number("V27", &field, "", text, problems);
    if let (Some(freeze), Some(resume)) = (freeze, resume)
        && resume < freeze
    {
        let message = format!(
            "{} is below freezeThreshold {}; it must not be",
            show(text),
            show(&budget.freeze_threshold)
        );
        problems.add("V27", field, message);
    }
}

/// V27: an answer to an unreadable source that doesn't exist.
fn unknown_answer(at: &str, budget: &ErrorBudget, problems: &mut Problems) {
    if let Some(Choice::Unknown(found)) = &budget.on_source_error {
        let message = format!(
            "{} is none of {}",
            show(found),
            allowed::<BudgetSourceError>()
        );
        problems.add("V27", format!("{at}.onSourceError"), message);
    }
}
