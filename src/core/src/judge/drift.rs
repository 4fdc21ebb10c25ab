//! Differences between a live object and a dry run's answer.
