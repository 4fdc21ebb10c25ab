//! Promotion gates (V28).

use std::collections::BTreeSet;

use stageset_api::choice::{Choice, Words, allowed};
use stageset_api::duration::GoDuration;
use stageset_api::stageset::{
    Analysis, EventGate, FastTrack, LabelSelector, RestartGate, StagePromotion, StageSetSpec,
};

use super::super::problems::{Problems, SCHEMA, set, show};
use super::{metrics, selectors};

const RULE: &str = "V28";

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for (index, stage) in spec.stages.iter().enumerate() {
        let Some(promotion) = &stage.promotion else {
            continue;
        };
        let mut gate = Gate {
            at: format!("spec.stages[{index}].promotion"),
            who: format!("stage {}: ", show(&stage.name)),
            problems,
        };
        if let Some(fast_track) = &promotion.fast_track {
            gate.fast_track(promotion, fast_track);
        }
        if let Some(analysis) = &promotion.analysis {
            gate.analysis(analysis);
        }
        if let Some(restarts) = &promotion.restart_gate {
            gate.restarts(restarts);
        }
        if let Some(events) = &promotion.event_gate {
            gate.events(events);
        }
    }
}

/// The gates of one stage, and where their problems go.
struct Gate<'a> {
    at: String,
    who: String,
    problems: &'a mut Problems,
}

impl Gate<'_> {
    fn add(&mut self, field: &str, message: &str) {
        self.problems.add(
            RULE,
            format!("{}.{field}", self.at),
            format!("{}{message}", self.who),
        );
    }

    /// Ending a soak early needs a soak.
    fn fast_track(&mut self, promotion: &StagePromotion, fast_track: &FastTrack) {
        let soak = promotion.soak.as_ref().and_then(|soak| soak.parse().ok());
        if soak.and_then(GoDuration::positive).is_none() {
            self.add("fastTrack", "fastTrack needs a soak of more than zero");
        }
        let at = format!("{}.fastTrack", self.at);
        let who = format!("{}fastTrack: ", self.who);
        metrics::source(
            RULE,
            &format!("{at}.source"),
            &who,
            &fast_track.source,
            self.problems,
        );
        metrics::number(
            RULE,
            &format!("{at}.max"),
            &who,
            &fast_track.max,
            self.problems,
        );
    }

    fn analysis(&mut self, analysis: &Analysis) {
        self.word("analysis.onFailure", analysis.on_failure.as_ref());
        self.word("analysis.onSourceError", analysis.on_source_error.as_ref());
        self.not_negative("analysis.failureLimit", analysis.failure_limit);
        self.names(
            "analysis",
            analysis.checks.iter().map(|check| check.name.as_str()),
        );
        for (index, check) in analysis.checks.iter().enumerate() {
            let at = format!("{}.analysis.checks[{index}]", self.at);
            let who = format!("{}analysis check {}: ", self.who, show(&check.name));
            metrics::source(
                RULE,
                &format!("{at}.source"),
                &who,
                &check.source,
                self.problems,
            );
            let bounds = [
                ("min", set(check.threshold.min.as_ref())),
                ("max", set(check.threshold.max.as_ref())),
            ];
            if bounds.iter().all(|(_, text)| text.is_none()) {
                let message = format!("{who}the threshold needs min or max");
                self.problems.add(RULE, format!("{at}.threshold"), message);
            }
            for (bound, text) in bounds {
                if let Some(text) = text {
                    let field = format!("{at}.threshold.{bound}");
                    metrics::number(RULE, &field, &who, text, self.problems);
                }
            }
        }
    }

    fn restarts(&mut self, gate: &RestartGate) {
        self.word("restartGate.onFailure", gate.on_failure.as_ref());
        self.names(
            "restartGate",
            gate.checks.iter().map(|check| check.name.as_str()),
        );
        for (index, check) in gate.checks.iter().enumerate() {
            let at = format!("restartGate.checks[{index}]");
            self.selector(&at, &check.name, &check.selector);
            self.word(&format!("{at}.onFailure"), check.on_failure.as_ref());
            self.not_negative(&format!("{at}.maxRestarts"), check.max_restarts);
        }
    }

    fn events(&mut self, gate: &EventGate) {
        self.word("eventGate.onFailure", gate.on_failure.as_ref());
        self.names(
            "eventGate",
            gate.checks.iter().map(|check| check.name.as_str()),
        );
        for (index, check) in gate.checks.iter().enumerate() {
            let at = format!("eventGate.checks[{index}]");
            self.selector(&at, &check.name, &check.selector);
            self.word(&format!("{at}.onFailure"), check.on_failure.as_ref());
            self.not_negative(&format!("{at}.maxEvents"), check.max_events);
            if check.reasons.is_empty() {
                let message = format!("eventGate check {} needs reasons", show(&check.name));
                self.add(&format!("{at}.reasons"), &message);
            }
        }
    }

    /// Checks exist, and each has its own name.
    fn names<'n>(&mut self, gate: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for (index, name) in names.enumerate() {
            count += 1;
            let field = format!("{gate}.checks[{index}].name");
            if name.is_empty() {
                self.add(&field, &format!("{gate} check at {index} needs a name"));
            } else if !seen.insert(name) {
                self.add(
                    &field,
                    &format!("{gate} check name {} is taken", show(name)),
                );
            }
        }
        if count == 0 {
            self.add(
                &format!("{gate}.checks"),
                &format!("{gate} needs at least one check"),
            );
        }
    }

    fn selector(&mut self, at: &str, name: &str, selector: &LabelSelector) {
        let gate = at.split_once('.').map_or(at, |(gate, _)| gate);
        for fault in selectors::faults(selector) {
            let message = format!("{gate} check {}: {fault}", show(name));
            self.add(&format!("{at}.selector"), &message);
        }
    }

    fn word<W: Words>(&mut self, field: &str, choice: Option<&Choice<W>>) {
        if let Some(Choice::Unknown(found)) = choice {
            let message = format!("{field} {} is none of {}", show(found), allowed::<W>());
            self.add(field, &message);
        }
    }

    /// The schema's minimum.
    fn not_negative(&mut self, field: &str, number: Option<i32>) {
        if let Some(number) = number.filter(|number| *number < 0) {
            let message = format!("{}{number} is below 0", self.who);
            self.problems
                .add(SCHEMA, format!("{}.{field}", self.at), message);
        }
    }
}
