//! Tests of the trials themselves: that they pass, that they can fail, that they repeat.

mod excuses;
mod faults;
mod files;
mod repeat;
mod seeds;
