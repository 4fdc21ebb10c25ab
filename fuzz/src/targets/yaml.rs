//! YAML and JSON texts (A16).

use std::fmt::Write as _;

use stageset_render::{Limits, yaml};

use super::{Target, sight};

pub(super) const TARGET: Target = Target {
    name: "yaml",
    words: &[
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "&a ",
        "*a",
        "<<: *a",
        "? ",
        "- ",
        ": ",
        "|\n",
        ">-\n",
        "|2+\n",
        "!!str ",
        "!!binary ",
        "!local ",
        "!!set ",
        "\"\\x41\\U0001F600\"",
        "''",
        "# c\n",
        "{a: [b, {c: }]}",
        "[[[[",
        "{{{{",
        "0x1F",
        "0o17",
        "1_000",
        "1e400",
        ".inf",
        "2001-12-14",
        "2001-12-14 21:59:43.1",
        "~",
        "\t",
        "\r\n",
        "\r",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "  ",
    ],
    run,
};

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let limits = Limits {
        nodes: 50_000,
        alias_nodes: 5_000,
        ..Limits::default()
    };
    let read = yaml::documents(input, &limits);
    if yaml::documents(input, &limits) != read {
        return Err("read twice, and not the same".to_owned());
    }
    let mut sights = Vec::new();
    match read {
        Ok(documents) => {
            for document in documents {
                let text = document.value.to_string();
                let again = yaml::json_document(printable(&text).as_bytes(), &Limits::default());
                let again = again.map_err(|errors| format!("its JSON isn't read: {errors:?}"))?;
                if again.map(|document| document.value) != Some(document.value) {
                    return Err("read as JSON it is something else".to_owned());
                }
                let shape = text.chars().filter(|c| "{}[]:,\"".contains(*c)).take(60);
                sights.push(sight(&shape.collect::<String>().replace('"', "'")));
            }
        }
        Err(errors) => {
            if errors.is_empty() {
                return Err("refused, and nothing said".to_owned());
            }
            sights.extend(errors.iter().map(|error| sight(&error.fault.to_string())));
        }
    }
    if let Err(errors) = yaml::json_document(input, &limits) {
        sights.extend(errors.iter().map(|error| sight(&error.fault.to_string())));
    }
    Ok(sights)
}

/// JSON in which the characters that YAML has as escapes only are escapes, too. `serde_json` writes
/// those beyond ASCII as they are; they stand in texts alone.
fn printable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}
