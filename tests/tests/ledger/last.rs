//! What people still ask once all is whole again: every document once more, and every copy that is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use satchel_ledger_worker::{
    book,
    rows::{Kind, TRANSFERS, TransferRow},
};
use satchel_wire::{ErrorCode, internal::StateChange};

use crate::{
    checks::{Verdict, entry_of, is_posted, must},
    people::{CAP, Town},
    shop::{Person, Ware, delegation, new_order, sign_order},
    tables::Sort,
};

impl Town {
    /// Once all is whole: every document again, and every copy that is left is sold.
    pub async fn last(self: Rc<Self>) {
        let count = self.notes.borrow().len();
        for at in 0..count {
            let token = self.notes.borrow()[at].token.clone();
            self.send(at, &token, false).await;
        }
        let funded = self.funded.borrow().clone();
        for (who, id, amount) in funded {
            let done = self.entry().fund(&self.people[who], &id, amount).await;
            let signed_out = done
                .as_ref()
                .is_err_and(|error| error.code == ErrorCode::DelegationExpired);
            if !signed_out && !done.is_ok_and(|out| out.replayed) {
                self.sim.violate(format!("a funding of {amount} is gone"));
            }
        }
        let wares = self.wares.borrow().clone();
        let limited = wares.iter().filter(|ware| ware.terms.limit.is_some());
        for ware in limited.rev().take(4) {
            // A takedown may have arrived after its end.
            let back = self
                .entry()
                .set_state(&ware.work, StateChange::Reinstate)
                .await;
            back.unwrap();
            for entry in &self.entries {
                entry.forget(&ware.work);
            }
            self.sell_out(ware).await;
        }
    }

    /// No capped key has spent more than it was granted.
    pub fn caps_hold(&self) -> Verdict {
        let mut spent: BTreeMap<(String, u64), u64> = BTreeMap::new();
        let objects = self.sim.objects();
        for object in objects.iter().filter(|object| object.sort == Sort::Account) {
            for row in object.data().all(&TRANSFERS).values() {
                let row = TransferRow::of((**row).clone()).unwrap();
                if row.kind == Kind::Purchase
                    && is_posted(row.state)
                    && let Some(grant) = entry_of(&row).capped
                {
                    *spent.entry((grant.key, grant.issued)).or_insert(0) += row.msat.get();
                }
            }
        }
        let grants = self.grants.borrow();
        for (grant, sum) in spent {
            // Two grants of one second look the same.
            let made = grants.get(&grant).map_or(0, BTreeSet::len) as u64;
            must!(sum <= made * CAP, "{grant:?} spent {sum}");
        }
        Ok(())
    }

    /// Copies that nobody owns can still be had.
    async fn sell_out(&self, ware: &Ware) {
        // A request for a copy may have come late, for an order that was given up: its account is not
        // asked about it before it is that old.
        self.sim.pause(1_000 * (book::STALE_RESERVE_S + 1)).await;
        let (limit, mut refused) = (ware.terms.limit.unwrap_or(0), 0);
        for n in 0..limit + 12 {
            let fan = Person::of(&format!("fan {n} of {}", ware.work));
            let grant = delegation(&self.sim, &fan, 0, 0, None);
            self.entry().delegate(&grant).await.unwrap();
            let price = ware.terms.usd_micros;
            self.entry().fund(&fan, "fnd", price).await.unwrap();
            let order = new_order(&self.sim, &fan, 0, ware, price);
            let token = sign_order(&fan, 0, &order);
            match self.entry().order(&token).await {
                Ok(_) => {}
                Err(error) if error.code == ErrorCode::SoldOut => refused += 1,
                Err(error) => self.allow(&error, &[], "an order of a fan"),
            }
            if refused > 2 {
                break;
            }
            self.sim.pause(4_000).await;
        }
        let sold = self
            .sim
            .known(Sort::Work, ware.work.as_str())
            .map_or(0, |work| {
                let data = work.data();
                let rows = data.all(&satchel_ledger_worker::rows::STOCK).values();
                rows.filter(|row| crate::checks::int(row, 0) & 3 == 2)
                    .count()
            });
        if sold != limit as usize {
            self.sim
                .violate(format!("{sold} of {limit} copies could be sold"));
        }
    }
}
