//! A decision that panics is a defect of ours, and ends nothing but itself (A23).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What comes of a decision, or what its panic said. Whatever it was working on is not to be used, but
/// decisions change nothing.
pub(super) fn caught<T>(decide: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decide)).map_err(|panic| said_by(&*panic))
}

fn said_by(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_a23_a_decision_that_panics_ends_itself_alone() {
        assert_eq!(caught(|| 3), Ok(3));
        let fixed = caught(|| -> u8 { panic!("a defect") });
        assert_eq!(fixed, Err("a defect".to_owned()));
        let made = caught(|| -> u8 { panic!("stage {} is odd", 3) });
        assert_eq!(made, Err("stage 3 is odd".to_owned()));
        let silent = caught(|| -> u8 { std::panic::panic_any(3) });
        assert_eq!(silent, Err("a panic without a message".to_owned()));
    }
}
