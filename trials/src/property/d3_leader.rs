//! D3, for leaders: no request that changes anything sets out from a process while another one holds
//! the lease. Level wire alone has leases; level core lets two processes act side by side on purpose.

use stageset_core::time::Timestamp;

use super::Property;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;

#[derive(Default)]
pub(super) struct Leader {
    /// Who wrote the lease last, and since when it has been theirs.
    holder: Option<(usize, Timestamp)>,
}

impl Property for Leader {
    fn name(&self) -> &'static str {
        "D3"
    }

    fn look(&mut self, entry: &Entry, _: &dyn Scene) -> Result<(), String> {
        if !entry.effect || entry.who == Who::World {
            return Ok(());
        }
        if let What::Lease(holder) = &entry.what {
            self.holder = match self.holder {
                // Given back: whoever wants it takes it.
                _ if holder.is_empty() => None,
                Some((process, since)) if process == entry.process => Some((process, since)),
                _ => Some((entry.process, entry.at)),
            };
            return Ok(());
        }
        match self.holder {
            Some((holder, since)) if holder != entry.process && entry.began > since => {
                Err(format!(
                    "{} by process {}, while process {holder} holds the lease",
                    entry.what, entry.process
                ))
            }
            _ => Ok(()),
        }
    }
}
