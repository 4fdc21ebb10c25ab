//! Colour, where it is wanted.

use std::io::IsTerminal as _;

use crate::arguments::Color;

/// What a piece of text is, so that one place decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is.
    Plain,
    /// In the background.
    Faint,
    /// As hoped.
    Good,
    /// Somebody has to act.
    Bad,
    /// Something came into being.
    Create,
    /// Something changed.
    Change,
    /// Something went away.
    Delete,
    /// The scenario acts.
    World,
}

/// Whether to colour at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(bool);

impl Paint {
    /// What the command line says; `auto` is: on a terminal, unless `NO_COLOR` is set.
    pub(super) fn new(color: Color) -> Self {
        Self(match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        })
    }

    /// The text in its colour.
    pub(super) fn apply(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Plain => "",
            Style::Faint => "2",
            Style::Good => "1;32",
            Style::Bad => "1;31",
            Style::Create => "32",
            Style::Change => "33",
            Style::Delete => "35",
            Style::World => "36",
        };
        if self.0 && !code.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
