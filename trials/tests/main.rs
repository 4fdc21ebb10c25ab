//! Tests of the trials themselves.
