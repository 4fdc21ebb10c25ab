//! Inputs made of inputs.

use crate::random::Random;

/// Longest input that is made.
const LONGEST: usize = 64 * 1024;

/// Values at which readers stumble, whatever they read.
const ODD: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e999",
    "9223372036854775808",
    "18446744073709551616",
    "\"\"",
    "{}",
    "[]",
    "[[[[[[[[",
    "\u{0}",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{202e}",
    "é",
    "../",
    "a/b",
    ":",
    ",",
    "{",
    "}",
    "\"",
    "\\",
    "\n",
    "\t",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "? ",
    "- ",
    "---\n",
    "1h",
    "-1s",
    "0s",
    "system:masters",
    "2026-11-25T12:00:00Z",
];

/// One input made of `input`, of `other` and of the target's own words.
pub fn mutate(random: &mut Random, input: &[u8], other: &[u8], words: &[&str]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(9) {
            0 => flip(random, &mut bytes),
            1 => {
                let end = (at + 1 + random.below(32)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            2 => insert(&mut bytes, at, &[(random.next() & 0xff) as u8]),
            3 | 4 => {
                let word = random.pick(words).copied().unwrap_or_default();
                insert(&mut bytes, at, word.as_bytes());
            }
            5 => {
                let odd = random.pick(ODD).copied().unwrap_or_default();
                insert(&mut bytes, at, odd.as_bytes());
            }
            6 => {
                let from = random.below(other.len() + 1);
                let to = (from + 1 + random.below(128)).min(other.len());
                insert(&mut bytes, at, &other[from.min(to)..to]);
            }
            7 => value(random, &mut bytes),
            _ => {
                let end = (at + 1 + random.below(64)).min(bytes.len());
                let piece = bytes[at.min(end)..end].to_vec();
                let most = if random.below(20) == 0 { 500 } else { 3 };
                let times = 1 + random.below(most);
                insert(&mut bytes, at, &piece.repeat(times));
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn flip(random: &mut Random, bytes: &mut [u8]) {
    let at = random.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// Puts an odd value in the place of a quoted text or a number, so that the rest stays readable.
fn value(random: &mut Random, bytes: &mut Vec<u8>) {
    let quotes: Vec<usize> = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'"')
        .map(|(at, _)| at)
        .collect();
    let first = random.below(quotes.len());
    if let [from, to, ..] = quotes.get(first..).unwrap_or_default() {
        let odd = random.pick(ODD).copied().unwrap_or_default();
        bytes.splice(*from..=*to, odd.bytes());
    }
}
