//! Every input of the corpus, and that the fuzzer finds what there is to find.

use stageset_fuzz::corpus::inputs;
use stageset_fuzz::fuzz::run;
use stageset_fuzz::mutate::mutate;
use stageset_fuzz::random::Random;
use stageset_fuzz::targets::{TARGETS, Target};

#[test]
fn no_input_of_the_corpus_breaks_anything() {
    for target in TARGETS {
        for (name, input) in inputs(target.name).unwrap() {
            if let Err(broken) = run(target, &input) {
                panic!("{}/{name}: {broken}", target.name);
            }
        }
    }
}

/// A thousand inputs a target: what CI can afford on every change, the same each time.
#[test]
fn a_thousand_changes_of_the_corpus_break_nothing() {
    for target in TARGETS {
        let mut random = Random::new(7);
        let pool: Vec<Vec<u8>> = inputs(target.name)
            .unwrap()
            .into_iter()
            .map(|i| i.1)
            .collect();
        for _ in 0..1000 {
            let input = random.pick(&pool).unwrap().clone();
            let other = random.pick(&pool).unwrap();
            let input = mutate(&mut random, &input, other, target.words);
            if let Err(broken) = run(target, &input) {
                panic!(
                    "{}: {broken}: {}",
                    target.name,
                    String::from_utf8_lossy(&input)
                );
            }
        }
    }
}

#[test]
fn a_panic_and_a_broken_promise_are_found() {
    fn panics(input: &[u8]) -> Result<Vec<u64>, String> {
        assert!(!input.contains(&b'!'), "found it");
        Ok(vec![])
    }
    fn breaks(_: &[u8]) -> Result<Vec<u64>, String> {
        Err("a promise".to_owned())
    }
    let target = |run| Target {
        name: "none",
        words: &["!"],
        run,
    };
    assert_eq!(
        run(&target(panics), b"!").unwrap_err(),
        "it panicked: found it"
    );
    assert_eq!(run(&target(breaks), b"").unwrap_err(), "a promise");
    // And the mutations reach the bad case.
    let mut random = Random::new(1);
    let reached = (0..1000).any(|_| {
        let input = mutate(&mut random, b"{}", b"[]", &["!"]);
        run(&target(panics), &input).is_err()
    });
    assert!(reached);
}

#[test]
fn one_seed_gives_one_run() {
    let made = |seed| {
        let mut random = Random::new(seed);
        (0..100)
            .map(|_| mutate(&mut random, b"{\"a\":1}", b"x: y", &["word"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(made(3), made(3));
    assert_ne!(made(3), made(4));
}
