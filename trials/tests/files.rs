//! Replay files: what was written is read, and whatever isn't understood is refused with its line.

use stageset_trials::schedule::{FileError, Level, Schedule, read, write};

#[test]
fn every_schedule_survives_being_written_and_read() {
    for seed in 0..500 {
        let schedule = Schedule::draw(seed, Level::Core);
        let text = write(&schedule, Level::Core, "D1");
        let (again, level, property) = read(&text).expect("what was written is read");
        assert_eq!(again, schedule, "seed {seed}");
        assert_eq!((level, &*property), (Level::Core, "D1"));
    }
}

#[test]
fn a_file_of_another_version_says_so() {
    let error = read("stageset-trials 99\nseed 1\n").expect_err("another version");
    assert_eq!(error, FileError::Version { found: "99".into() });
    let said = error.to_string();
    assert!(
        said.contains("version 99") && said.contains("version 3"),
        "{said}"
    );
    let error = read("kind: Pod\n").expect_err("no replay file");
    assert!(matches!(error, FileError::Header { .. }), "{error}");
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    for (line, said) in [
        ("at 3 melt-down", "unknown event"),
        ("at 3 fail 418", "unknown failure \"418\""),
        ("at three crash-after", "isn't a number"),
        ("at 3 source app revision 9", "there are 1 to 5"),
        ("at 3 spec turn", "unknown edit"),
        ("setup colour red", "unknown setup field \"colour\""),
        ("setup alone maybe", "neither true nor false"),
        ("setup stages 9", "1 to 3"),
        ("setup accounts many", "unknown accounts"),
        ("level moon", "unknown level"),
        ("colour red", "unknown field \"colour\""),
    ] {
        let text = format!("stageset-trials 3\nseed 1\n# a remark\n{line}\n");
        let error = read(&text).expect_err(line).to_string();
        assert!(error.starts_with("line 4: "), "{error}");
        assert!(error.contains(said), "{line}: {error}");
    }
    let error = read("stageset-trials 3\nat 9 stale\nat 3 stale\n").expect_err("order");
    assert!(error.to_string().contains("line 3"), "{error}");
}
