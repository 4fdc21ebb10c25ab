//! Flags of the reference implementation whose behaviour this version doesn't have.
//!
//! They are known, so that a command line written for that controller gets an answer that names the
//! flag instead of "unknown". A value that switches the behaviour off asks for nothing that is
//! missing and is accepted, because charts pass such values: `false` for a boolean, the empty text
//! for everything else.
//!
//! The table shrinks as the behaviour is built.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::value;

/// What a flag takes, and so which value switches it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// true or false; off = false.
    Switch,
    /// A text, number or list; off = empty.
    Value,
}

use Takes::{Switch, Value};

/// Name and what it takes, in the order of the flag reference.
const FLAGS: &[(&str, Takes)] = &[
    ("object-level-kms", Switch),
    ("require-verified-migration-sources", Switch),
    ("require-pinned-migration-sources", Switch),
    ("require-image-verification", Switch),
    ("image-verification-trusted-root", Value),
    ("image-verification-insecure-registry", Value),
    ("rollback-store-path", Value),
    ("rollback-store-s3-endpoint", Value),
    ("rollback-store-s3-bucket", Value),
    ("rollback-store-s3-prefix", Value),
    ("rollback-store-s3-region", Value),
    ("rollback-store-s3-access-key", Value),
    ("rollback-store-s3-secret-key", Value),
    ("rollback-store-s3-session-token", Value),
    ("rollback-store-s3-sse-kms-key", Value),
    ("rollback-store-s3-use-ssl", Switch),
    ("rollback-store-s3-anonymous", Switch),
    ("rollback-store-s3-sse", Value),
    ("enable-mcp", Switch),
    ("mcp-bind-address", Value),
    ("mcp-allow-mutations", Switch),
];

/// Names of all of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    FLAGS.iter().map(|(name, _)| *name)
}

/// Adds them to the command, out of sight of `--help`.
pub(super) fn declare(command: Command) -> Command {
    FLAGS.iter().fold(command, |command, &(name, takes)| {
        let arg = Arg::new(name)
            .long(name)
            .hide(true)
            .action(ArgAction::Append);
        command.arg(match takes {
            Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(value::boolean),
            Value => arg.num_args(1).value_parser(clap::value_parser!(String)),
        })
    })
}

/// The refusal of the first flag that asks for something.
pub(super) fn check(matches: &ArgMatches) -> Result<(), String> {
    for &(name, takes) in FLAGS {
        let wanted = match takes {
            Switch => matches
                .get_many::<bool>(name)
                .is_some_and(|mut values| values.any(|on| *on)),
            Value => matches
                .get_many::<String>(name)
                .is_some_and(|mut values| values.any(|v| !v.is_empty())),
        };
        if wanted {
            let off = match takes {
                Switch => "=false",
                Value => "=",
            };
            return Err(format!(
                "--{name} is not supported by this version; leave it out or write --{name}{off}"
            ));
        }
    }
    Ok(())
}
