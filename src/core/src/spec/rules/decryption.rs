//! How encrypted files are decrypted.

use stageset_api::choice::Choice;
use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, show};

/// V24: the one backend there is, and a Secret that can be found.
pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    let Some(decryption) = &spec.decryption else {
        return;
    };
    if let Choice::Unknown(provider) = &decryption.provider {
        let message = format!("{} is no decryption provider; only sops is", show(provider));
        problems.add("V24", "spec.decryption.provider", message);
    }
    if let Some(secret) = decryption.secret_ref.as_ref().filter(|s| s.name.is_empty()) {
        let message = format!(
            "{} names no Secret; name one or remove secretRef",
            show(&secret.name)
        );
        problems.add("V24", "spec.decryption.secretRef.name", message);
    }
}
