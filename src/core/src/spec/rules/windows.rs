//! Update windows (V30).
//!
//! A time zone must look like an IANA name; whether it exists is for whoever has the tables.

use stageset_api::choice::{Choice, allowed};
use stageset_api::duration::GoDuration;
use stageset_api::stageset::{StageSetSpec, UpdateWindow, WindowType};

use super::super::problems::{Problems, set, show};
use crate::time::Timestamp;

const RULE: &str = "V30";

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for (index, window) in spec.update_windows.iter().enumerate() {
        let at = format!("spec.updateWindows[{index}]");
        unknown_type(&at, window, problems);
        not_one_kind(&at, window, problems);
        bad_recurrence(&at, window, problems);
        bad_span(&at, window, problems);
    }
}

fn unknown_type(at: &str, window: &UpdateWindow, problems: &mut Problems) {
    if let Choice::Unknown(found) = &window.type_ {
        let message = format!("{} is none of {}", show(found), allowed::<WindowType>());
        problems.add(RULE, format!("{at}.type"), message);
    }
}

/// Recurring or absolute, and the whole of it.
fn not_one_kind(at: &str, window: &UpdateWindow, problems: &mut Problems) {
    let recurring = [
        set(window.schedule.as_ref()).is_some(),
        window.duration.is_some(),
    ];
    let absolute = [window.from.is_some(), window.to.is_some()];
    let any = |half: [bool; 2]| half[0] || half[1];
    let message = match (any(recurring), any(absolute)) {
        (true, true) => "schedule and duration exclude from and to; keep one pair",
        (false, false) => "schedule and duration, or from and to, are needed",
        (true, false) if recurring != [true; 2] => "schedule and duration need each other",
        (false, true) if absolute != [true; 2] => "from and to need each other",
        _ => return,
    };
    problems.add(RULE, at, message);
}

fn bad_recurrence(at: &str, window: &UpdateWindow, problems: &mut Problems) {
    if let Some(schedule) = set(window.schedule.as_ref())
        && let Err(fault) = cron(schedule)
    {
        let message = format!(
            "{} is not a cron expression: {fault}; write minute hour day month weekday",
            show(schedule)
        );
        problems.add(RULE, format!("{at}.schedule"), message);
    }
    // What doesn't parse is G8's.
    if let Some(text) = &window.duration
        && let Ok(span) = text.parse()
        && GoDuration::positive(span).is_none()
    {
        let message = format!("{} is not positive", show(&text.0));
        problems.add(RULE, format!("{at}.duration"), message);
    }
    if let Some(zone) = set(window.time_zone.as_ref()).filter(|zone| !is_zone(zone)) {
        let message = format!(
            "{} is no time zone such as Europe/Berlin or UTC",
            show(zone)
        );
        problems.add(RULE, format!("{at}.timeZone"), message);
    }
}

fn bad_span(at: &str, window: &UpdateWindow, problems: &mut Problems) {
    let mut ends = [None, None];
    for (end, (field, time)) in ends
        .iter_mut()
        .zip([("from", &window.from), ("to", &window.to)])
    {
        let Some(time) = time else {
            continue;
        };
        *end = Timestamp::parse(time.as_str());
        if end.is_none() {
            let message = format!(
                "{} is no time such as 2026-12-24T18:00:00Z",
                show(time.as_str())
            );
            problems.add(RULE, format!("{at}.{field}"), message);
        }
    }
    if let [Some(from), Some(to)] = ends
        && to <= from
    {
        problems.add(
            RULE,
            format!("{at}.to"),
            format!("{to} is not after from, {from}"),
        );
    }
}

/// `Area/Place`, at most 64 characters. `Local` would be the controller's own zone.
fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-_".contains(&b))
    };
    text.len() <= 64
        && text != "Local"
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.split('/').all(part)
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Checks a cron expression with five fields.
fn cron(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(format!("it has {} fields instead of 5", fields.len()));
    };
    cron_field("minute", minute, 0, 59, &[])?;
    cron_field("hour", hour, 0, 23, &[])?;
    cron_field("day", day, 1, 31, &[])?;
    cron_field("month", month, 1, 12, &MONTHS)?;
    cron_field("weekday", weekday, 0, 7, &DAYS)
}

/// A list of `*`, `?`, values and ranges, each with an optional step.
fn cron_field(name: &str, text: &str, low: u32, high: u32, words: &[&str]) -> Result<(), String> {
    let fault = || format!("{name} {} is out of {low}-{high} or malformed", show(text));
    let value = |text: &str| -> Result<u32, String> {
        let named = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(text));
        let number = match named.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => index + low,
            None if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| fault())?
            }
            None => return Err(fault()),
        };
        if (low..=high).contains(&number) {
            Ok(number)
        } else {
            Err(fault())
        }
    };
    for item in text.split(',') {
        let (range, step) = item
            .split_once('/')
            .map_or((item, None), |(r, s)| (r, Some(s)));
        if let Some(step) = step {
            let digits = step.bytes().all(|b| b.is_ascii_digit());
            let step: u32 = step.parse().map_err(|_| fault())?;
            if !digits || step == 0 {
                return Err(fault());
            }
        }
        if matches!(range, "*" | "?") {
            continue;
        }
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (value(from)?, value(to)?),
            None => (value(range)?, high),
        };
        if from > to {
            return Err(fault());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{cron, is_zone};

    #[test]
    fn cron_has_five_fields_in_range() {
        for good in [
            "* * * * *",
            "0 22 * * 1-5",
            "*/15 0-6 1,15 JAN-mar sun",
            "5/10 ? * * 7",
            "59 23 31 12 0",
        ] {
            assert_eq!(cron(good), Ok(()), "{good:?}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "@daily",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "1,, * * * *",
            "1- * * * *",
            "* * * * mo",
            "+1 * * * *",
            "*/+1 * * * *",
            "99999999999 * * * *",
        ] {
            assert!(cron(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn zones_look_like_zones() {
        for good in [
            "UTC",
            "Europe/Berlin",
            "Etc/GMT+5",
            "America/Argentina/Buenos_Aires",
        ] {
            assert!(is_zone(good), "{good:?}");
        }
        for bad in [
            "Local",
            "/etc/localtime",
            "../x",
            "Europe//Berlin",
            "+05:00",
            "a b",
            "Europe/",
        ] {
            assert!(!is_zone(bad), "{bad:?}");
        }
    }
}
