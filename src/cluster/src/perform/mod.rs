//! An operation becomes a write.
//!
//! - [`tenant`] writes to the tenant's world, as the tenant and never otherwise (I1);
//! - [`action`] what an action does, as the tenant as well;
//! - [`ledger`] writes to the StageLedger;
//! - [`record`] writes to the controller's own records, as the controller;
//! - [`event`] what people see with `kubectl events`, [`told`] what they were told already.
//!
//! Every write carries a precondition (D3). What an answer shows becomes a fact or the session's
//! view at once, so that the next decision rests on it without another read.

mod action;
mod event;
mod ledger;
mod record;
mod tenant;
mod told;

pub(crate) use record::{Known, Recorded, record, without_managed_fields};
pub(crate) use tenant::tenant;
pub(crate) use told::Told;

use crate::gather::Bodies;
use crate::ports::Ports;
use crate::records::inventory::Owner;
use crate::requests::Requests;
use crate::session::StageSetKey;

/// For whom operations are carried out.
#[derive(Clone, Copy)]
pub(crate) struct Perform<'a> {
    pub ports: &'a Ports,
    pub key: &'a StageSetKey,
    /// uid of the StageSet.
    pub uid: &'a str,
    /// Whose bodies are kept.
    pub bodies: &'a Bodies,
}

impl<'a> Perform<'a> {
    fn as_controller(self) -> Requests<'a> {
        let Ports {
            connection, budget, ..
        } = self.ports;
        Requests::as_controller(connection, budget, &self.key.namespace)
    }

    fn owner(self) -> Owner<'a> {
        Owner {
            namespace: &self.key.namespace,
            name: &self.key.name,
            uid: self.uid,
        }
    }
}
