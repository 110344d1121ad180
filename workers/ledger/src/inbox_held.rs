//! What an inbox holds, and for whom: a sequence of batches for each account, and one for each shop.

use satchel_domain::{
    id::{AccountId, OrderId, WorkId},
    money::Msat,
};
use satchel_edge::{Value, internal};
use satchel_wire::{
    ErrorCode, Result,
    shop::{ShopSale, ShopSales},
};
use serde::Serialize;

use crate::{
    book::{self, Waiting, fees_of},
    host::{Host, Tables, decode},
    rows::{CREDITS, FEED, HELD, ONE, Taken},
};

/// Sales are gathered this long before they are folded home.
pub(crate) const GATHER_MS: u64 = 1_000;
/// Orders that a shop is told at once, and their characters.
const TOLD_AT_ONCE: usize = 100;
const ORDER_CHARS: usize = 32;

/// A batch for one account, frozen under its number until it is acknowledged, so that a retry sends the
/// very same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Batch {
    pub(crate) number: u64,
    pub(crate) msat: Msat,
    pub(crate) count: u64,
}
satchel_json::read!(Batch {
    number,
    msat,
    count,
    ..
});

/// What goes to one account: each has its own sequence of batches, so that one that is down holds up no
/// other. One with nothing waiting is forgotten; its numbers go on from the inbox's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Leg {
    pub(crate) to: String,
    pub(crate) open: Msat,
    pub(crate) count: u64,
    /// Of the newest batch.
    pub(crate) number: u64,
    pub(crate) folding: Option<Batch>,
}
satchel_json::read!(Leg {
    to,
    open,
    count,
    number,
    folding,
    ..
});

impl Leg {
    pub(crate) fn waits(&self) -> bool {
        self.count > 0 || self.folding.is_some()
    }

    pub(crate) fn waiting(&self) -> Result<Msat> {
        Ok(self.open.plus(self.folded_next())?)
    }

    pub(crate) fn folded_next(&self) -> Msat {
        self.folding.map_or(Msat::ZERO, |batch| batch.msat)
    }
}

/// What a creator's shop is to be told: orders, 32 characters each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Feed {
    pub(crate) creator: String,
    /// Of the newest batch.
    pub(crate) number: u64,
    /// That batch, until it is acknowledged.
    pub(crate) telling: String,
    /// Pages of `feed` that come before `fresh`: from this on, to below that.
    pub(crate) page: u64,
    pub(crate) pages: u64,
    /// Not in a batch or on a page yet.
    pub(crate) fresh: String,
}
satchel_json::read!(Feed {
    creator,
    number,
    telling,
    page,
    pages,
    fresh,
    ..
});

impl Feed {
    pub(crate) fn waits(&self) -> bool {
        !self.telling.is_empty() || !self.fresh.is_empty() || self.page < self.pages
    }

    pub(crate) fn page_key(&self, page: u64) -> Vec<u8> {
        [self.creator.as_bytes(), &page.to_be_bytes()].concat()
    }

    pub(crate) fn add(&mut self, tables: &impl Tables, order: &str) -> Result<()> {
        self.fresh.push_str(order);
        if self.fresh.len() < TOLD_AT_ONCE.saturating_mul(ORDER_CHARS) {
            return Ok(());
        }
        let page = vec![Value::Text(std::mem::take(&mut self.fresh))];
        tables.put(&FEED, &self.page_key(self.pages), page)?;
        self.pages = self.pages.saturating_add(1);
        Ok(())
    }

    /// Makes the next batch, if the one before was acknowledged.
    pub(crate) fn freeze(&mut self, tables: &impl Tables) -> Result<bool> {
        if !self.telling.is_empty() || !self.waits() {
            return Ok(false);
        }
        self.telling = if self.page < self.pages {
            let key = self.page_key(self.page);
            let row = tables.get(&FEED, &key)?;
            let row = row.ok_or_else(|| internal("a page for a shop is gone"))?;
            tables.delete(&FEED, &key)?;
            self.page = self.page.saturating_add(1);
            Taken::of(row).text()?
        } else {
            std::mem::take(&mut self.fresh)
        };
        self.number = self.number.saturating_add(1);
        Ok(true)
    }
}

/// What waits here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Held {
    /// Its own name, by which it numbers its batches: of the first version, the object's id.
    pub(crate) name: String,
    pub(crate) payee: String,
    /// Of the newest batch to any account.
    pub(crate) number: u64,
    pub(crate) legs: Option<Vec<Leg>>,
    pub(crate) feeds: Option<Vec<Feed>>,
    /// What accounts have acknowledged.
    pub(crate) folded: Option<Waiting>,
    /// The work of the last credit.
    pub(crate) work: Option<String>,
    /// When the first that waits for the next batch came, Unix milliseconds.
    pub(crate) since: Option<u64>,
    /// What the version before kept in place of `legs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<Waiting>,
    /// Its batch, on its way to seller and operator under `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folding: Option<Waiting>,
}
satchel_json::read!(Held {
    name,
    payee,
    number,
    legs,
    feeds,
    folded,
    work,
    since,
    open,
    folding,
    ..
});

impl Held {
    pub(crate) fn load(tables: &impl Tables) -> Result<Option<Self>> {
        let Some(columns) = tables.get(&HELD, ONE)? else {
            return Ok(None);
        };
        let mut held: Self = decode(Taken::of(columns).text()?.as_bytes())?;
        // Brought up to date: the same batches, under the same number.
        let (open, folding) = (held.open.take(), held.folding.take());
        if held.legs.is_none() {
            let (fees, number) = (held.fees(), held.number);
            let leg = |to: &String, of: fn(Waiting) -> Msat| Leg {
                to: to.clone(),
                open: open.map_or(Msat::ZERO, of),
                count: open.map_or(0, |sum| sum.count),
                number,
                folding: folding.map(|sum| Batch {
                    number,
                    msat: of(sum),
                    count: sum.count,
                }),
            };
            held.legs = Some(vec![
                leg(&held.payee, |sum| sum.net),
                leg(&fees, |sum| sum.fee),
            ]);
        }
        Ok(Some(held))
    }

    /// The operator's account. A batch that the first version sent there must not go to another.
    pub(crate) fn fees(&self) -> String {
        if self.is_old() {
            book::OLD_FEES.to_owned()
        } else {
            fees_of(&self.payee)
        }
    }

    /// Whether the first version made it.
    pub(crate) fn is_old(&self) -> bool {
        !self.name.contains('/')
    }

    pub(crate) fn legs(&self) -> &[Leg] {
        self.legs.as_deref().unwrap_or_default()
    }

    pub(crate) fn feeds(&self) -> &[Feed] {
        self.feeds.as_deref().unwrap_or_default()
    }

    pub(crate) fn waits(&self) -> bool {
        self.legs().iter().any(Leg::waits) || self.feeds().iter().any(Feed::waits)
    }

    pub(crate) fn save(mut self, tables: &impl Tables) -> Result<()> {
        if let Some(legs) = &mut self.legs {
            legs.retain(Leg::waits);
        }
        let body = satchel_json::to_string(&self).map_err(internal)?;
        tables.put(&HELD, ONE, vec![Value::Text(body)])
    }

    /// Adds to what an account gets.
    pub(crate) fn give(&mut self, to: &str, msat: Msat) -> Result<()> {
        let legs = self.legs.get_or_insert_default();
        if !legs.iter().any(|leg| leg.to == to) {
            legs.push(Leg {
                to: to.to_owned(),
                open: Msat::ZERO,
                count: 0,
                number: self.number,
                folding: None,
            });
        }
        let leg = legs.iter_mut().find(|leg| leg.to == to);
        let leg = leg.ok_or(ErrorCode::Internal)?;
        leg.open = leg.open.plus(msat)?;
        leg.count = leg.count.saturating_add(1);
        Ok(())
    }

    /// Notes that a shop is to be told of an order.
    pub(crate) fn tell(&mut self, tables: &impl Tables, creator: &str, order: &str) -> Result<()> {
        let feeds = self.feeds.get_or_insert_default();
        if !feeds.iter().any(|feed| feed.creator == creator) {
            feeds.push(Feed {
                creator: creator.to_owned(),
                number: 0,
                telling: String::new(),
                page: 0,
                pages: 0,
                fresh: String::new(),
            });
        }
        let feed = feeds.iter_mut().find(|feed| feed.creator == creator);
        feed.ok_or(ErrorCode::Internal)?.add(tables, order)
    }

    /// Makes batches of what waits, for whoever has acknowledged the one before; gives whether any was
    /// made, and whether sales are many a second.
    pub(crate) fn freeze(&mut self, tables: &impl Tables, now_ms: u64) -> Result<(bool, bool)> {
        let number = self.number.saturating_add(1);
        let (mut fresh, mut crowded) = (false, false);
        let since = self.since.unwrap_or(0);
        for leg in self.legs.iter_mut().flatten() {
            if leg.folding.is_some() || leg.count == 0 {
                continue;
            }
            if leg.to == self.payee {
                // What piled up while home was out of reach is no sign of many sales a second.
                let gathered = now_ms.saturating_sub(since).max(GATHER_MS);
                let in_a_second = leg.count.saturating_mul(1_000);
                crowded = in_a_second >= book::HOT.saturating_mul(gathered);
            }
            (leg.number, fresh) = (number, true);
            leg.folding = Some(Batch {
                number,
                msat: std::mem::take(&mut leg.open),
                count: std::mem::take(&mut leg.count),
            });
        }
        if fresh {
            self.number = number;
        }
        for feed in self.feeds.iter_mut().flatten() {
            fresh |= feed.freeze(tables)?;
        }
        Ok((fresh, crowded))
    }

    /// Strikes off what was acknowledged, by account and number, or by shop.
    pub(crate) fn acknowledge(&mut self, to: &str, shop: bool, number: u64) -> Result<()> {
        if shop {
            let mut feeds = self.feeds.iter_mut().flatten();
            if let Some(feed) = feeds.find(|feed| feed.creator == to && feed.number == number) {
                feed.telling.clear();
            }
            return Ok(());
        }
        let (fees, home) = (self.fees(), to == self.payee);
        let mut legs = self.legs.iter_mut().flatten();
        let Some(leg) = legs.find(|leg| leg.to == to) else {
            return Ok(());
        };
        if let Some(batch) = leg.folding.take_if(|batch| batch.number == number) {
            let mut folded = self.folded.unwrap_or_default();
            let side = if to == fees {
                &mut folded.fee
            } else {
                &mut folded.net
            };
            *side = side.plus(batch.msat)?;
            if home {
                folded.count = folded.count.saturating_add(batch.count);
            }
            self.folded = Some(folded);
        }
        Ok(())
    }
}

/// What a shop is told, as its rows say.
pub(crate) fn news<H: Host>(host: &H, held: &Held, feed: &Feed) -> Result<ShopSales> {
    let handle_key = &host.config()?.handle_key;
    let mut sales = Vec::new();
    for order in feed.telling.as_bytes().chunks(ORDER_CHARS) {
        let order = String::from_utf8_lossy(order);
        let order = OrderId::parse(&format!("{}{order}", OrderId::PREFIX)).map_err(internal)?;
        let row = host.tables().get(&CREDITS, &book::order_key(&order)?)?;
        let mut row = Taken::of(row.ok_or_else(|| internal("a sale is gone"))?);
        let (msat, fee_msat, time) = (row.msat()?, row.msat()?, row.int()?);
        row.int()?;
        let told = row.text()?;
        let mut told = told.split(' ');
        let mut next = || told.next().unwrap_or_default();
        let (buyer, work) = (AccountId::parse(next()), WorkId::parse(next()));
        let buyer = buyer.map_err(internal)?;
        sales.push(ShopSale {
            handle: book::purchase_handle(handle_key, &buyer, &order)?,
            order,
            work: work.map_err(internal)?,
            version: next().parse().map_err(internal)?,
            usd_micros: next().parse().map_err(internal)?,
            msat,
            fee_msat,
            time,
            free: msat == Msat::ZERO,
        });
    }
    Ok(ShopSales {
        source: held.name.clone(),
        number: feed.number,
        sales,
        refunds: Vec::new(),
    })
}
