//! What was seen: each divergence as it happens, and the sums.

use std::collections::BTreeMap;

use stageset_e2e::answers::compare::Difference;
use stageset_e2e::answers::in_short;

use crate::excluded::Excluded;

/// How many fields of one divergence are printed.
const FIELDS: usize = 6;

/// Counts, and prints what it counts.
#[derive(Debug, Default)]
pub(crate) struct Report {
    of: String,
    requests: usize,
    changes: usize,
    watches: usize,
    events: usize,
    unheard: usize,
    divergences: usize,
    codes: BTreeMap<u16, usize>,
    excluded: BTreeMap<Excluded, usize>,
}

impl Report {
    pub(crate) fn new(of: &str) -> Self {
        Self {
            of: of.to_owned(),
            ..Self::default()
        }
    }

    /// A watch that began.
    pub(crate) fn watch(&mut self) {
        self.watches += 1;
    }

    /// An event of a watch that isn't followed any further: it isn't compared.
    pub(crate) fn unheard(&mut self) {
        self.unheard += 1;
    }

    /// A watch that isn't followed any further, and why.
    pub(crate) fn unfollowed(&mut self, excluded: Excluded) {
        *self.excluded.entry(excluded).or_default() += 1;
    }

    /// An event of a watch.
    pub(crate) fn told(
        &mut self,
        line: usize,
        what: &str,
        differences: &[Difference],
        excluded: Option<Excluded>,
    ) {
        self.events += 1;
        self.count(line, what, differences, excluded);
    }

    /// An answer to a request.
    pub(crate) fn answer(
        &mut self,
        line: usize,
        who: &str,
        what: &str,
        real: u16,
        differences: &[Difference],
        excluded: Option<Excluded>,
    ) {
        self.requests += 1;
        *self.codes.entry(real).or_default() += 1;
        self.count(line, &format!("{what} ({who})"), differences, excluded);
    }

    fn count(
        &mut self,
        line: usize,
        what: &str,
        differences: &[Difference],
        excluded: Option<Excluded>,
    ) {
        match excluded {
            Some(excluded) if !differences.is_empty() => {
                *self.excluded.entry(excluded).or_default() += 1;
            }
            _ => self.diverge(line, what, differences),
        }
    }

    /// What a change of the simulated cluster came to on the real one.
    pub(crate) fn change(&mut self, line: usize, path: &str, differences: &[Difference]) {
        self.changes += 1;
        self.diverge(line, &format!("change of {path}"), differences);
    }

    fn diverge(&mut self, line: usize, what: &str, differences: &[Difference]) {
        if differences.is_empty() {
            return;
        }
        self.divergences += 1;
        println!("{}, line {line}: {what}", self.of);
        for difference in differences.iter().take(FIELDS) {
            println!("    {}", difference.path);
            println!("      real      {}", in_short(difference.real.as_ref()));
            println!(
                "      simulated {}",
                in_short(difference.simulated.as_ref())
            );
        }
        if differences.len() > FIELDS {
            println!("    … and {} fields more", differences.len() - FIELDS);
        }
    }

    /// Adds what another one counted.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.requests += other.requests;
        self.changes += other.changes;
        self.watches += other.watches;
        self.events += other.events;
        self.unheard += other.unheard;
        self.divergences += other.divergences;
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        for (excluded, count) in other.excluded {
            *self.excluded.entry(excluded).or_default() += count;
        }
    }

    /// Prints the sums; true when nothing differed.
    pub(crate) fn finish(&self) -> bool {
        let codes: Vec<String> = self
            .codes
            .iter()
            .map(|(code, count)| format!("{code}: {count}"))
            .collect();
        println!(
            "{}: {} requests compared (real answers {}), {} changes by the cluster itself, {} events of {} \
             watches ({} not); {} divergent",
            self.of,
            self.requests,
            codes.join(", "),
            self.changes,
            self.events,
            self.watches,
            self.unheard,
            self.divergences
        );
        for (excluded, count) in &self.excluded {
            println!(
                "  {count} not compared, or different for a reason: {}",
                excluded.reason()
            );
        }
        self.divergences == 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn differences() -> [Difference; 1] {
        [Difference {
            path: "/a".to_owned(),
            real: None,
            simulated: Some(Value::Null),
        }]
    }

    #[test]
    fn a_difference_fails_the_replay_unless_there_is_a_reason() {
        let mut report = Report::new("a test");
        report.answer(0, "a", "GET /", 200, &[], None);
        let reason = Some(Excluded::DefinitionUnderWay);
        report.answer(1, "a", "GET /", 200, &differences(), reason);
        assert!(report.finish());
        report.answer(2, "a", "GET /", 200, &differences(), None);
        assert!(!report.finish());
    }

    #[test]
    fn a_change_that_comes_out_otherwise_fails_the_sum_too() {
        let mut report = Report::new("a test");
        report.change(0, "/api/v1/namespaces/a", &differences());
        let mut sum = Report::new("all");
        sum.absorb(report);
        assert!(!sum.finish());
    }
}
