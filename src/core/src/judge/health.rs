//! Readiness by the kstatus rules.
