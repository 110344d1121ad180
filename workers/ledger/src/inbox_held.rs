//! What an inbox holds, and for whom: a sequence of batches for each account, and one for each shop.

use satchel_domain::{
    id::{AccountId, OrderId},
    money::Msat,
};
use satchel_edge::{Value, internal};
use satchel_wire::{ErrorCode, Result};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) number: u64,
    pub(crate) msat: Msat,
    pub(crate) count: u64,
}

/// What goes to one account: each has its own sequence of batches, so that one that is down holds up no
/// other. One with nothing waiting is forgotten; its numbers go on from the inbox's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) to: String,
    pub(crate) open: Msat,
    pub(crate) count: u64,
    /// Of the newest batch.
    pub(crate) number: u64,
    pub(crate) folding: Option<Batch>,
}

/// Words of a line, and the numbers at its end.
fn words<const N: usize>(line: &str) -> Result<(Vec<&str>, [u64; N])> {
    let mut words: Vec<&str> = line.split(' ').collect();
    let mut numbers = [0; N];
    for number in numbers.iter_mut().rev() {
        let word = words.pop().unwrap_or_default();
        *number = word.parse().map_err(internal)?;
    }
    Ok((words, numbers))
}

impl Leg {
    /// `to open count number`, and the batch's `number msat count`, zeros where there is none.
    fn read(line: &str) -> Result<Self> {
        let (words, [open, count, number, batch, msat, folded]) = words(line)?;
        Ok(Self {
            to: words.concat(),
            open: Msat::new(open)?,
            count,
            number,
            folding: Some(Batch {
                number: batch,
                msat: Msat::new(msat)?,
                count: folded,
            })
            .filter(|_| batch > 0),
        })
    }

    fn line(&self) -> String {
        let batch = self.folding.unwrap_or(Batch {
            number: 0,
            msat: Msat::ZERO,
            count: 0,
        });
        let (open, msat) = (self.open.get(), batch.msat.get());
        let (to, count, number) = (&self.to, self.count, self.number);
        format!(
            "{to} {open} {count} {number} {} {msat} {}",
            batch.number, batch.count
        )
    }
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) creator: String,
    /// That batch, until it is acknowledged.
    pub(crate) telling: String,
    /// Not in a batch or on a page yet.
    pub(crate) fresh: String,
    /// Of the newest batch.
    pub(crate) number: u64,
    /// Pages of `feed` that come before `fresh`: from this on, to below that.
    pub(crate) page: u64,
    pub(crate) pages: u64,
}

impl Feed {
    /// `creator telling fresh number page pages`.
    fn read(line: &str) -> Result<Self> {
        let (words, [number, page, pages]) = words(line)?;
        let word = |at: usize| words.get(at).copied().unwrap_or_default().to_owned();
        Ok(Self {
            creator: word(0),
            telling: word(1),
            fresh: word(2),
            number,
            page,
            pages,
        })
    }

    fn line(&self) -> String {
        let (creator, telling, fresh) = (&self.creator, &self.telling, &self.fresh);
        let (number, page, pages) = (self.number, self.page, self.pages);
        format!("{creator} {telling} {fresh} {number} {page} {pages}")
    }

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

/// What waits here, as it is stored.
#[derive(Debug, Serialize)]
struct Stored {
    name: String,
    payee: String,
    number: u64,
    legs: Option<Vec<String>>,
    feeds: Option<Vec<String>>,
    folded: Option<Waiting>,
    work: Option<String>,
    since: Option<u64>,
    /// What the version before kept in place of `legs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<Waiting>,
    /// Its batch, on its way to seller and operator under `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    folding: Option<Waiting>,
}
satchel_json::read!(Stored {
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

/// What waits here.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Its own name, by which it numbers its batches: of the first version, the object's id.
    pub(crate) name: String,
    pub(crate) payee: String,
    /// Of the newest batch to any account.
    pub(crate) number: u64,
    pub(crate) legs: Vec<Leg>,
    pub(crate) feeds: Vec<Feed>,
    /// What accounts have acknowledged.
    pub(crate) folded: Waiting,
    /// The work of the last credit.
    pub(crate) work: Option<String>,
    /// When the first that waits for the next batch came, Unix milliseconds.
    pub(crate) since: Option<u64>,
}

impl Held {
    pub(crate) fn load(tables: &impl Tables) -> Result<Option<Self>> {
        let Some(columns) = tables.get(&HELD, ONE)? else {
            return Ok(None);
        };
        let stored: Stored = decode(Taken::of(columns).text()?.as_bytes())?;
        let mut held = Self {
            name: stored.name,
            payee: stored.payee,
            number: stored.number,
            legs: Vec::new(),
            feeds: Vec::new(),
            folded: stored.folded.unwrap_or_default(),
            work: stored.work,
            since: stored.since,
        };
        for line in stored.legs.iter().flatten() {
            held.legs.push(Leg::read(line)?);
        }
        for line in stored.feeds.iter().flatten() {
            held.feeds.push(Feed::read(line)?);
        }
        if stored.legs.is_none() {
            // Brought up to date: the same batches, under the same number.
            let number = held.number;
            let open = stored.open.unwrap_or_default();
            let folding = stored.folding.unwrap_or_default();
            for (to, open_msat, msat) in [
                (held.payee.clone(), open.net, folding.net),
                (held.fees(), open.fee, folding.fee),
            ] {
                held.legs.push(Leg {
                    to,
                    open: open_msat,
                    count: open.count,
                    number,
                    folding: stored.folding.map(|sum| Batch {
                        number,
                        msat,
                        count: sum.count,
                    }),
                });
            }
        }
        Ok(Some(held))
    }

    pub(crate) fn save(mut self, tables: &impl Tables) -> Result<()> {
        self.legs.retain(Leg::waits);
        let stored = Stored {
            name: self.name,
            payee: self.payee,
            number: self.number,
            legs: Some(self.legs.iter().map(Leg::line).collect()),
            feeds: Some(self.feeds.iter().map(Feed::line).collect()),
            folded: Some(self.folded),
            work: self.work,
            since: self.since,
            open: None,
            folding: None,
        };
        let body = satchel_json::to_string(&stored).map_err(internal)?;
        tables.put(&HELD, ONE, vec![Value::Text(body)])
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

    pub(crate) fn leg(&self, to: &str) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.to == to)
    }

    pub(crate) fn waits(&self) -> bool {
        self.legs.iter().any(Leg::waits) || self.feeds.iter().any(Feed::waits)
    }

    /// Adds to what an account gets.
    pub(crate) fn give(&mut self, to: &str, msat: Msat) -> Result<()> {
        let legs = &mut self.legs;
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
        let feeds = &mut self.feeds;
        if !feeds.iter().any(|feed| feed.creator == creator) {
            feeds.push(Feed {
                creator: creator.to_owned(),
                telling: String::new(),
                fresh: String::new(),
                number: 0,
                page: 0,
                pages: 0,
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
        for leg in &mut self.legs {
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
        for feed in &mut self.feeds {
            fresh |= feed.freeze(tables)?;
        }
        Ok((fresh, crowded))
    }

    /// Strikes off what was acknowledged, by account and number, or by shop.
    pub(crate) fn acknowledge(&mut self, to: &str, shop: bool, number: u64) -> Result<()> {
        if shop {
            let mut feeds = self.feeds.iter_mut();
            if let Some(feed) = feeds.find(|feed| feed.creator == to && feed.number == number) {
                feed.telling.clear();
            }
            return Ok(());
        }
        let (fees, home) = (self.fees(), to == self.payee);
        let mut legs = self.legs.iter_mut();
        let Some(leg) = legs.find(|leg| leg.to == to) else {
            return Ok(());
        };
        if let Some(batch) = leg.folding.take_if(|batch| batch.number == number) {
            let folded = &mut self.folded;
            let side = if to == fees {
                &mut folded.fee
            } else {
                &mut folded.net
            };
            *side = side.plus(batch.msat)?;
            if home {
                folded.count = folded.count.saturating_add(batch.count);
            }
        }
        Ok(())
    }
}

/// What a shop is told, as its rows say. As `ShopSales` would be written: none of it needs quoting.
pub(crate) fn news<H: Host>(host: &H, held: &Held, feed: &Feed) -> Result<String> {
    let handle_key = &host.config()?.handle_key;
    let mut sales = Vec::new();
    for order in feed.telling.as_bytes().chunks(ORDER_CHARS) {
        let order = String::from_utf8_lossy(order);
        let order = OrderId::parse(&format!("{}{order}", OrderId::PREFIX)).map_err(internal)?;
        let row = host.tables().get(&CREDITS, &book::order_key(&order)?)?;
        let mut row = Taken::of(row.ok_or_else(|| internal("a sale is gone"))?);
        let (gross, fee, time) = (row.int()?, row.int()?, row.int()?);
        row.int()?;
        let told = row.text()?;
        let mut told = told.split(' ');
        let mut next = || told.next().unwrap_or_default();
        let (buyer, work, version, usd_micros) = (next(), next(), next(), next());
        let buyer = AccountId::parse(buyer).map_err(internal)?;
        let handle = book::purchase_handle(handle_key, &buyer, &order)?;
        let given = gross == 0;
        sales.push(format!(
            r#"{{"order":"{order}","handle":"{handle}","work":"{work}","version":{version},"usd_micros":{usd_micros},"msat":{gross},"fee_msat":{fee},"time":{time},"free":{given}}}"#,
        ));
    }
    let (source, number, sales) = (&held.name, feed.number, sales.join(","));
    Ok(format!(
        r#"{{"source":"{source}","number":{number},"sales":[{sales}],"refunds":[]}}"#
    ))
}
