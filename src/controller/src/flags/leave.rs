//! `--leave-namespaces`: the namespaces that have left the list of `--watch-namespaces`.

use stageset_core::names::Namespace;

use super::{Exit, namespaces};

/// Where this release gives its claims up (K24).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Leave {
    /// Nowhere: no namespace has left the list.
    #[default]
    Nothing,
    /// In these, none of which is listed.
    Namespaces(Vec<Namespace>),
    /// `*`: in every namespace that isn't listed. There was no list before, or nobody knows it.
    AllOthers,
}

impl Leave {
    /// Reads the flag's value beside the namespaces that stay.
    pub(super) fn parse(text: &str, watched: &[Namespace]) -> Result<Self, Exit> {
        const FLAG: &str = "--leave-namespaces";
        let leave = if text.trim() == "*" {
            Self::AllOthers
        } else {
            match namespaces(text, FLAG)? {
                list if list.is_empty() => return Ok(Self::Nothing),
                list => Self::Namespaces(list),
            }
        };
        if watched.is_empty() {
            return Err(Exit::Refused(format!(
                "{FLAG}: no namespace has left an empty list; set --watch-namespaces to those that \
                 stay"
            )));
        }
        if let Self::Namespaces(list) = &leave
            && let Some(both) = list.iter().find(|namespace| watched.contains(namespace))
        {
            return Err(Exit::Refused(format!(
                "{FLAG}: {both} stands in --watch-namespaces as well; take it out of one of the two"
            )));
        }
        Ok(leave)
    }
}
