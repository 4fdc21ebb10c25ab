//! Remembers what a driver tells, line by line.

use std::sync::Mutex;

use stageset_cluster::{Observer, Outcome, StageSetKey};
use stageset_core::plan::{Need, Operation, Plan};
use stageset_core::time::Timestamp;

#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }

    fn add(&self, at: Timestamp, stage_set: &StageSetKey, text: &str, outcome: &Outcome) {
        let end = match outcome {
            Outcome::Done => String::new(),
            Outcome::Failed(failure) => format!(" ✗ {failure}"),
        };
        self.0
            .lock()
            .unwrap()
            .push(format!("{at} {stage_set} {text}{end}"));
    }
}

impl Observer for Log {
    fn plan(&self, at: Timestamp, stage_set: &StageSetKey, plan: &Plan) {
        self.add(at, stage_set, &format!("> {}", plan.next), &Outcome::Done);
    }

    fn need(&self, at: Timestamp, stage_set: &StageSetKey, need: &Need, outcome: &Outcome) {
        self.add(at, stage_set, &format!("? {need}"), outcome);
    }

    fn operation(
        &self,
        at: Timestamp,
        stage_set: &StageSetKey,
        operation: &Operation,
        outcome: &Outcome,
    ) {
        self.add(at, stage_set, &format!("- {operation}"), outcome);
    }

    fn skipped_entries(&self, at: Timestamp, stage_set: &StageSetKey, stage: &str, count: usize) {
        self.add(
            at,
            stage_set,
            &format!("! skipped {count} entries of stage {stage}"),
            &Outcome::Done,
        );
    }

    fn defect(&self, at: Timestamp, stage_set: &StageSetKey, message: &str) {
        self.add(
            at,
            stage_set,
            &format!("! defect: {message}"),
            &Outcome::Done,
        );
    }
}
