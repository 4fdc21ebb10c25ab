//! I5: a read that decides policy fails closed when it fails. Nothing is asked of the tenant's world
//! unless the last read of the account found it; no deletion for pruning unless the inventories were
//! read; no content is written but what the source was last seen to offer.

use std::collections::BTreeMap;

use super::Property;
use crate::event::Event;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;
use crate::schedule::Level;
use crate::setup::{Feature, is_user};

pub(super) struct FailsClosed {
    level: Level,
    /// By process, life and account: its uid, if the last read found it.
    accounts: BTreeMap<(usize, u32), BTreeMap<String, Option<String>>>,
    inventories: BTreeMap<(usize, u32), bool>,
    sources: BTreeMap<(usize, u32, String), Option<u8>>,
}

impl FailsClosed {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            accounts: BTreeMap::new(),
            inventories: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    fn account_was_found(&self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        let Who::User(name) = &entry.who else {
            return Ok(());
        };
        let setup = scene.setup();
        if setup.has(Feature::Remote) {
            // There the API server decides (K02).
            return Ok(());
        }
        let mut accounts = (0..setup.stages).flat_map(|stage| setup.accounts_of(stage));
        let account = accounts.find(|account| is_user(name, account));
        let Some(account) = account else {
            return Ok(());
        };
        let read = self.accounts.get(&(entry.process, entry.life));
        let read = read.and_then(|accounts| accounts.get(account));
        match (read, self.level) {
            (Some(Some(_)), _) => Ok(()),
            // On the wire accounts are known from a watch.
            (None, Level::Wire) => Ok(()),
            (Some(None) | None, _) => Err(format!(
                "{} as {account}, whose last read didn't find it",
                entry.what
            )),
        }
    }

    /// A watch may tell that an account is there again, and then nobody reads it.
    fn may_be_back(&mut self, what: &What) {
        for accounts in self.accounts.values_mut() {
            accounts.retain(|name, found| match what {
                What::World(Event::RecreateAccount(back)) if back != name => true,
                _ => found.is_some(),
            });
        }
    }

    fn content_was_offered(&self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        let What::Apply(key, _, Some(after)) = &entry.what else {
            return Ok(());
        };
        let (setup, table) = (scene.setup(), scene.table());
        let offered = table.holders(key).iter().any(|stage| {
            let source = setup.source(*stage).to_owned();
            match self.sources.get(&(entry.process, entry.life, source)) {
                Some(Some(revision)) => {
                    let mut levels = table.all_levels(*stage, *revision).iter();
                    levels.any(|contents| contents.get(key) == Some(&after.content))
                }
                Some(None) => false,
                None => self.level == Level::Wire,
            }
        });
        if offered {
            Ok(())
        } else {
            Err(format!(
                "{}: the source wasn't last seen to offer that",
                entry.what
            ))
        }
    }
}

impl Property for FailsClosed {
    fn name(&self) -> &'static str {
        "I5"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        let (process, life) = (entry.process, entry.life);
        match &entry.what {
            What::World(Event::RecreateAccount(_)) | What::Healed if self.level == Level::Wire => {
                self.may_be_back(&entry.what);
            }
            What::Account(name, uid) => {
                let found = uid.clone().filter(|_| entry.succeeded());
                let accounts = self.accounts.entry((process, life)).or_default();
                if self.level == Level::Wire && !entry.succeeded() && entry.code != 404 {
                    // It says nothing of the account, and a watch may.
                    accounts.remove(name);
                } else {
                    accounts.insert(name.clone(), found);
                }
            }
            What::Inventories => {
                self.inventories.insert((process, life), entry.succeeded());
            }
            What::Inventory(..) if self.level == Level::Wire && entry.succeeded() => {
                self.inventories.insert((process, life), true);
            }
            What::Source(name, revision) => {
                let revision = revision.filter(|_| entry.succeeded());
                self.sources.insert((process, life, name.clone()), revision);
            }
            _ => {}
        }
        if !entry.is_tenants() {
            return Ok(());
        }
        self.account_was_found(entry, scene)?;
        if !entry.effect {
            return Ok(());
        }
        if matches!(entry.what, What::Delete(..))
            && self.inventories.get(&(process, life)) == Some(&false)
        {
            return Err(format!(
                "{}, although the inventories couldn't be read",
                entry.what
            ));
        }
        self.content_was_offered(entry, scene)
    }
}
