//! Authorities in a `caBundle`: ours added, others' kept, expired ones dropped. Pure.

use pem::{EncodeConfig, LineEnding, Pem, encode_config};
use stageset_core::time::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Most authorities that are kept. Every pod that ever ran leaves one behind until it expires; the
/// ones that were added longest ago go first, and a replica that still runs adds its own again.
pub const MOST: usize = 32;

const CERTIFICATE: &str = "CERTIFICATE";

/// The bundle with `ours` (DER) as its last authority and without `retired`; never empty. `None` if
/// it says so already.
///
/// What isn't a certificate is dropped: an API server ignores it at best.
pub fn with(bundle: &[u8], ours: &[u8], retired: Option<&[u8]>, now: Timestamp) -> Option<Vec<u8>> {
    let before = authorities(bundle);
    let mut after: Vec<Vec<u8>> = Vec::new();
    for authority in &before {
        let goes = is_expired(authority, now) || Some(authority.as_slice()) == retired;
        if !goes && !after.contains(authority) {
            after.push(authority.clone());
        }
    }
    if !after.iter().any(|authority| authority == ours) {
        after.push(ours.to_vec());
    }
    let surplus = after.len().saturating_sub(MOST);
    let mut dropped = 0;
    after.retain(|authority| {
        let goes = dropped < surplus && authority != ours;
        dropped += usize::from(goes);
        !goes
    });
    (after != before).then(|| encode(&after).into_bytes())
}

/// Whether the bundle trusts this authority (DER).
pub fn holds(bundle: &[u8], authority: &[u8]) -> bool {
    authorities(bundle).iter().any(|found| found == authority)
}

/// The certificates of a bundle, DER.
fn authorities(bundle: &[u8]) -> Vec<Vec<u8>> {
    // One block that can't be read must not cost the others: each is parsed for itself.
    let text = String::from_utf8_lossy(bundle);
    let begin = format!("-----BEGIN {CERTIFICATE}-----");
    let end = format!("-----END {CERTIFICATE}-----");
    text.split(&begin)
        .skip(1)
        .filter_map(|rest| {
            let body = rest.split(&end).next()?;
            let block = pem::parse(format!("{begin}{body}{end}\n")).ok()?;
            let der = block.into_contents();
            X509Certificate::from_der(&der).is_ok().then_some(der)
        })
        .collect()
}

fn is_expired(authority: &[u8], now: Timestamp) -> bool {
    X509Certificate::from_der(authority).is_ok_and(|(_, certificate)| {
        certificate.validity().not_after.timestamp() < now.as_millis().div_euclid(1000)
    })
}

fn encode(authorities: &[Vec<u8>]) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    authorities
        .iter()
        .map(|der| encode_config(&Pem::new(CERTIFICATE, der.clone()), lines))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::issue::issue;
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);

    fn authority(validity: u64) -> Vec<u8> {
        let issued = issue(&[], "test", NOW, Duration::from_secs(validity)).unwrap();
        issued.authority
    }

    fn text(authorities: &[&Vec<u8>]) -> Vec<u8> {
        let owned: Vec<Vec<u8>> = authorities.iter().map(|der| (*der).clone()).collect();
        encode(&owned).into_bytes()
    }

    #[test]
    fn ours_is_added_and_others_are_kept() {
        let (ours, other) = (authority(100), authority(100));
        assert_eq!(with(b"", &ours, None, NOW), Some(text(&[&ours])));
        assert_eq!(
            with(&text(&[&other]), &ours, None, NOW),
            Some(text(&[&other, &ours]))
        );
        assert_eq!(with(&text(&[&ours, &other]), &ours, None, NOW), None);
    }

    #[test]
    fn what_is_retired_or_expired_goes() {
        let (ours, old, other, short) =
            (authority(100), authority(100), authority(100), authority(1));
        let before = text(&[&old, &short, &other]);
        let later = NOW.plus(Duration::from_secs(10));
        assert_eq!(
            with(&before, &ours, Some(&old), later),
            Some(text(&[&other, &ours]))
        );
        // Ours stays even if it is the only one and named as retired by mistake.
        assert_eq!(
            with(&text(&[&ours]), &ours, Some(&ours), NOW),
            None,
            "a bundle without ours would trust nobody"
        );
    }

    #[test]
    fn rubbish_is_dropped_and_costs_nobody_else() {
        let (ours, other) = (authority(100), authority(100));
        let mut before =
            b"\n# comment\n-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n\xff\xfe"
                .to_vec();
        before.extend(text(&[&other]));
        before.extend(b"-----BEGIN CERTIFICATE-----");
        assert_eq!(
            with(&before, &ours, None, NOW),
            Some(text(&[&other, &ours]))
        );
    }

    #[test]
    fn the_bundle_stays_bounded_and_never_loses_ours() {
        let ours = authority(100);
        let others: Vec<Vec<u8>> = (0..MOST + 3).map(|_| authority(100)).collect();
        let all: Vec<&Vec<u8>> = std::iter::once(&ours).chain(&others).collect();
        let after = authorities(&with(&text(&all), &ours, None, NOW).unwrap());
        assert_eq!(after.len(), MOST);
        assert!(after.contains(&ours));
        assert!(!after.contains(&others[0]) && after.contains(&others[MOST + 2]));
    }
}
