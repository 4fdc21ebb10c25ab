//! What was seen: each divergence as it happens, and the sums at the end.

use std::collections::BTreeMap;

use stageset_e2e::answers::compare::Difference;
use stageset_e2e::answers::in_short;

use crate::known::Known;
use crate::operation::Operation;

/// Of a thousand operations so many may fall under one known divergence.
const KNOWN_PER_MILLE: usize = 1;

/// How many fields of one divergence are printed.
const FIELDS: usize = 6;

/// Counts, and prints what it counts.
#[derive(Debug)]
pub(crate) struct Report {
    known: Vec<Known>,
    operations: usize,
    divergences: usize,
    unknown: usize,
    codes: BTreeMap<u16, usize>,
    fields: BTreeMap<(String, String, String), usize>,
}

impl Report {
    pub(crate) fn new(known: Vec<Known>) -> Self {
        Self {
            known,
            operations: 0,
            divergences: 0,
            unknown: 0,
            codes: BTreeMap::new(),
            fields: BTreeMap::new(),
        }
    }

    /// Counts one operation with its differences and prints them unless all of them are known.
    pub(crate) fn add(&mut self, operation: &Operation, code: u16, differences: &[Difference]) {
        self.operations += 1;
        *self.codes.entry(code).or_default() += 1;
        if differences.is_empty() {
            return;
        }
        self.divergences += 1;
        let fields: std::collections::BTreeSet<String> =
            differences.iter().map(Difference::field).collect();
        let mut all_known = true;
        for field in fields {
            all_known &= self
                .known_entry(operation.verb, operation.kind, &field)
                .is_some();
            let key = (operation.verb.to_owned(), operation.kind.to_owned(), field);
            *self.fields.entry(key).or_default() += 1;
        }
        if all_known {
            return;
        }
        self.unknown += 1;
        // In one piece, for other lanes print as well.
        let mut text = format!(
            "#{} {} {} {} {}\n",
            self.operations,
            operation.verb,
            operation.method,
            operation.uri(),
            in_short(Some(&operation.body))
        );
        for difference in differences.iter().take(FIELDS) {
            let (real, simulated) = (&difference.real, &difference.simulated);
            text += &format!("    {}\n", difference.path);
            text += &format!("      real      {}\n", in_short(real.as_ref()));
            text += &format!("      simulated {}\n", in_short(simulated.as_ref()));
        }
        if differences.len() > FIELDS {
            text += &format!("    … and {} fields more\n", differences.len() - FIELDS);
        }
        print!("{text}");
    }

    fn known_entry(&self, verb: &str, kind: &str, field: &str) -> Option<&Known> {
        self.known
            .iter()
            .find(|known| known.verb == verb && known.kind == kind && known.field == field)
    }

    /// Adds what another one counted.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.operations += other.operations;
        self.divergences += other.divergences;
        self.unknown += other.unknown;
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        for (field, count) in other.fields {
            *self.fields.entry(field).or_default() += count;
        }
    }

    /// Prints the sums; true when nothing unknown was seen and nothing known too often.
    pub(crate) fn finish(&self, mode: &str, seed: u64) -> bool {
        let limit = (self.operations * KNOWN_PER_MILLE / 1000).max(1);
        let mut good = self.unknown == 0;
        println!(
            "{mode}: seed {seed}, {} operations, {} divergent, {} of them not in known.txt",
            self.operations, self.divergences, self.unknown
        );
        let codes: Vec<String> = self
            .codes
            .iter()
            .map(|(code, count)| format!("{code}: {count}"))
            .collect();
        println!("  real answers: {}", codes.join(", "));
        for ((verb, kind, field), count) in &self.fields {
            let what = match self.known_entry(verb, kind, field) {
                None => "unknown".to_owned(),
                Some(known) if *count > limit => {
                    good = false;
                    format!("known, but more than {limit}: {}", known.reason)
                }
                Some(known) => format!("known: {}", known.reason),
            };
            println!("  {count:>5} {verb} {kind} {field} ({what})");
        }
        good
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn difference() -> [Difference; 1] {
        [Difference {
            path: "/items/0/x".to_owned(),
            real: None,
            simulated: Some(Value::Null),
        }]
    }

    #[test]
    fn an_unknown_divergence_fails_the_run() {
        let operation = Operation::new("get", "Role", "GET", "/x");
        let mut report = Report::new(Vec::new());
        report.add(&operation, 200, &[]);
        assert!(report.finish("objects", 1));
        report.add(&operation, 200, &difference());
        assert!(!report.finish("objects", 1));
    }

    #[test]
    fn a_known_divergence_passes_until_there_are_too_many() {
        let operation = Operation::new("get", "Role", "GET", "/x");
        let known = crate::known::parse("get Role /items/*/x because").unwrap();
        let mut report = Report::new(known);
        report.add(&operation, 200, &difference());
        assert!(report.finish("objects", 1));
        report.add(&operation, 200, &difference());
        assert!(!report.finish("objects", 1));
    }
}
