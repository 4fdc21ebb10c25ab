//! What a timeout means (V30).

use stageset_api::choice::{Choice, allowed};
use stageset_api::stageset::{OnTimeout, StageSetSpec};

use super::super::problems::{Problems, show};

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    unknown_answer("spec", spec.on_timeout.as_ref(), problems);
    for (index, stage) in spec.stages.iter().enumerate() {
        unknown_answer(
            &format!("spec.stages[{index}]"),
            stage.on_timeout.as_ref(),
            problems,
        );
    }
}

fn unknown_answer(at: &str, found: Option<&Choice<OnTimeout>>, problems: &mut Problems) {
    if let Some(Choice::Unknown(found)) = found {
        let message = format!("{} is none of {}", show(found), allowed::<OnTimeout>());
        problems.add("V30", format!("{at}.onTimeout"), message);
    }
}
