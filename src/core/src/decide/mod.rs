//! The decision.
use crate::observation::Observation;
use crate::plan::{Next, Plan};

/// Decides what to do next.
pub fn reconcile(_observation: &Observation) -> Plan {
    Plan { needs: Vec::new(), steps: Vec::new(), next: Next::Gone }
}
