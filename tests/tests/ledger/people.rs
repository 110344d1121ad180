//! People who buy, sell, pay back and try what they should not, and a note of every answer they had:
//! what was acknowledged must stay so, what was refused for good must never happen.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use satchel_domain::{id::OrderId, money::Msat};
use satchel_ledger_worker::book;
use satchel_wire::{
    ApiError, ErrorCode,
    api::{Done, OrderStatus},
    internal::{Posted, Sending, Spread, StateChange, Transfer},
    order::Order,
};

use crate::{
    checks::is_posted,
    ending::order_row,
    engine::Sim,
    shop::{
        Entry, Person, Ware, delegation, msat, new_order, order_of, sign_order, sign_refund, terms,
    },
    tables::Sort,
};

/// An order, every document sent for it, and what came of it.
pub struct Note {
    pub buyer: usize,
    pub ware: usize,
    pub order: OrderId,
    pub token: String,
    pub acknowledged: Option<Transfer>,
    pub refused: Option<ApiError>,
    refunds: u32,
    tokens: Vec<(u32, String, u64)>,
}

/// Everybody and everything.
pub struct Town {
    pub sim: Rc<Sim>,
    pub entries: Vec<Rc<Entry>>,
    pub people: Vec<Person>,
    pub wares: RefCell<Vec<Ware>>,
    pub notes: RefCell<Vec<Note>>,
    pub funded: RefCell<Vec<(usize, String, u64)>>,
    /// Epoch, and whether a sign-out is under way.
    epochs: RefCell<Vec<u64>>,
    /// Capped grants: key, when, and for which epochs.
    pub grants: RefCell<BTreeMap<(String, u64), BTreeSet<u64>>>,
    pub done: Cell<bool>,
    sellers: usize,
    /// Works that will be on sale.
    coming: Cell<usize>,
}

/// Keys: 0 is the wallet's; these are capped.
const CAPPED: std::ops::Range<u32> = 1..3;
pub const CAP: u64 = 2_500;

/// Two works in three are shared with some others.
fn shared(sim: &Sim, mut ware: Ware, people: &[Person]) -> Ware {
    for _ in 0..sim.below(3) {
        let who = &people[sim.below(people.len() as u64) as usize];
        if who.account != ware.seller.account {
            ware = ware.with(who, 1 + sim.below(4_999) as u32);
        }
    }
    ware
}

impl Town {
    pub fn of(sim: &Rc<Sim>) -> Rc<Self> {
        let sellers = 2 + sim.below(2) as usize;
        let buyers = 3 + sim.below(4) as usize;
        let people = (0..sellers + buyers).map(|n| Person::of(&format!("person {n}")));
        let people: Vec<Person> = people.collect();
        let entries = (0..3).map(|_| Entry::of(sim)).collect();
        let wares = [
            (1_000, None, None),
            (700, None, None),
            (900, Some(3 + sim.below(6) as u32), None),
            (800, Some(6), Some(2)),
            (600, None, Some(2 + sim.below(3) as u32)),
            (333, None, None),
        ];
        let wares = wares
            .into_iter()
            .enumerate()
            .map(|(n, (price, limit, giveaway))| {
                let ware = Ware::of(
                    &format!("work {n}"),
                    people[n % sellers].clone(),
                    terms(price, limit, giveaway),
                );
                let ware = shared(sim, ware, &people);
                let name = Rc::from(ware.work.as_str());
                sim.limits.borrow_mut().insert(name, (limit, giveaway));
                ware
            });
        let wares = wares.collect();
        Rc::new(Self {
            sim: Rc::clone(sim),
            entries,
            epochs: RefCell::new(vec![0; people.len()]),
            people,
            wares: RefCell::new(wares),
            notes: RefCell::default(),
            funded: RefCell::default(),
            grants: RefCell::default(),
            done: Cell::new(false),
            sellers,
            coming: Cell::new(0),
        })
    }

    pub fn entry(&self) -> &Rc<Entry> {
        &self.entries[self.sim.below(self.entries.len() as u64) as usize]
    }

    pub fn anybody(&self) -> usize {
        self.sim.below(self.people.len() as u64) as usize
    }

    /// Everybody has a key and some money, everything is on sale.
    pub async fn open(self: Rc<Self>) {
        for who in 0..self.people.len() {
            for key in [0, 1] {
                self.grant(who, key).await;
            }
            self.fund(who, 4_000).await;
        }
        let wares = self.wares.borrow().clone();
        for ware in &wares {
            self.entry().put_on_sale(ware).await;
        }
    }

    async fn grant(&self, who: usize, key: u32) {
        let cap = CAPPED.contains(&key).then_some(CAP);
        for _ in 0..20 {
            let epoch = self.epochs.borrow()[who];
            let grant = delegation(&self.sim, &self.people[who], key, epoch, cap);
            let made = (self.people[who].jkt(key), grant.iat);
            self.grants
                .borrow_mut()
                .entry(made)
                .or_default()
                .insert(epoch);
            match self.entry().delegate(&grant).await {
                Ok(()) => return,
                Err(error) => {
                    if let Some(satchel_json::Value::Unsigned(epoch)) = error.member("epoch") {
                        self.epochs.borrow_mut()[who] = *epoch;
                    }
                    self.allow(&error, &[ErrorCode::DelegationExpired], "a delegation");
                }
            }
            self.sim.pause(1 + self.sim.below(3_000)).await;
        }
    }

    pub fn allow(&self, error: &ApiError, codes: &[ErrorCode], what: &str) {
        if error.code != ErrorCode::Unavailable && !codes.contains(&error.code) {
            let (code, detail) = (error.code.as_str(), &error.detail);
            self.sim
                .violate(format!("{what} is answered {code} ({detail:?})"));
        }
    }

    async fn fund(&self, who: usize, amount: u64) {
        let id = format!("fnd_{:x}", self.sim.below(u64::MAX));
        for _ in 0..6 {
            let done = self.entry().fund(&self.people[who], &id, amount).await;
            match done {
                Ok(_) => {
                    self.funded.borrow_mut().push((who, id.clone(), amount));
                    if self.sim.chance(3_000) {
                        let changed = self.entry().fund(&self.people[who], &id, amount + 1).await;
                        if changed.is_ok() {
                            self.sim.violate("a funding was changed".into());
                        }
                    }
                    return;
                }
                Err(error) => self.allow(
                    &error,
                    &[ErrorCode::WrongKey, ErrorCode::DelegationExpired],
                    "a funding",
                ),
            }
            self.sim.pause(self.sim.below(4_000)).await;
        }
    }

    /// Somebody buys something, or tries to.
    async fn buy(self: Rc<Self>, buyer: usize, ware: usize) {
        let (sim, who) = (&self.sim, &self.people[buyer]);
        let sold = self.wares.borrow()[ware].clone();
        let key = if sim.chance(2_500) { CAPPED.start } else { 0 };
        let price = match sold.terms.giveaway {
            Some(_) if sim.chance(5_000) => 0,
            _ if sim.chance(1_000) => sold.terms.usd_micros + sim.below(500),
            _ => sold.terms.usd_micros,
        };
        let order = new_order(sim, who, key, &sold, price);
        let token = sign_order(who, key, &order);
        let note = self.notes.borrow().len();
        self.notes.borrow_mut().push(Note {
            buyer,
            ware,
            order: order.order.clone(),
            token: token.clone(),
            acknowledged: None,
            refused: None,
            refunds: 0,
            tokens: Vec::new(),
        });
        let tries = 1 + sim.below(6);
        for _ in 0..tries {
            if sim.chance(1_500) {
                // A double click: two at once.
                let (town, token) = (Rc::clone(&self), token.clone());
                sim.spawn(sim.below(30), async move {
                    town.send(note, &token, false).await;
                });
            }
            if sim.chance(400) {
                self.changed(note, &order, key, &sold).await;
            }
            if self.send(note, &token, false).await {
                return;
            }
            sim.pause(sim.below(8_000)).await;
        }
    }

    /// The same id for something else.
    async fn changed(&self, note: usize, order: &Order, key: u32, sold: &Ware) {
        let who = &self.people[self.notes.borrow()[note].buyer];
        let price = order.msat.get() + 1 + self.sim.below(100);
        let other = order_of(&self.sim, order.order.clone(), who, key, sold, price);
        let token = sign_order(who, key, &other);
        self.send(note, &token, true).await;
    }

    /// Sends a document; gives whether there is nothing more to ask.
    pub async fn send(&self, note: usize, token: &str, changed: bool) -> bool {
        let (posted, refused) = {
            let note = &self.notes.borrow()[note];
            (note.acknowledged.is_some(), note.refused.is_some())
        };
        let answer = self.entry().order(token).await;
        if posted && answer.as_ref().is_ok_and(|posted| !posted.replayed) {
            self.sim.violate("a retry is not marked as one".into());
        }
        self.judge(note, changed, posted || refused, answer)
    }

    /// `known`: what becomes of the order was known when it was sent.
    fn judge(
        &self,
        at: usize,
        changed: bool,
        known: bool,
        answer: Result<Posted, ApiError>,
    ) -> bool {
        let mut notes = self.notes.borrow_mut();
        let note = &mut notes[at];
        let who = &self.people[note.buyer];
        match answer {
            Ok(Posted {
                transfer,
                replayed,
                owned,
            }) => {
                self.sim.told(match (replayed, owned) {
                    (true, _) => "posted before",
                    (false, true) => "owned",
                    (false, false) => "posted",
                });
                if let Some(first) = &note.acknowledged {
                    if *first != transfer {
                        self.sim.violate(format!("{} has two answers", note.order));
                    }
                } else if let Some(refused) = &note.refused {
                    let code = refused.code.as_str();
                    self.sim
                        .violate(format!("{} posted after {code}", note.order));
                }
                let row = order_row(&self.sim, who.account.as_str(), &note.order);
                if !row.is_some_and(|row| is_posted(row.state)) {
                    self.sim
                        .violate(format!("{} has a receipt and no row", note.order));
                }
                note.acknowledged = Some(transfer);
                true
            }
            Err(error) => {
                self.sim.told(error.code.as_str());
                let conflict = error.code == ErrorCode::OrderConflict;
                if note.acknowledged.is_some() {
                    // Which of the two documents came first shows in what was acknowledged.
                    let fine = error.code == ErrorCode::Unavailable || conflict || !known;
                    if !fine {
                        let code = error.code.as_str();
                        self.sim
                            .violate(format!("{} posted, then {code}", note.order));
                    }
                    return !changed && conflict;
                }
                let own = self.wares.borrow()[note.ware].seller.account == who.account;
                if own && !matches!(error.code, ErrorCode::OwnWork) {
                    self.allow(&error, REFUSALS, "an order for one's own work");
                }
                self.allow(&error, REFUSALS, "an order");
                if error.code == ErrorCode::SoldOut {
                    match &note.refused {
                        Some(before) if *before != error => {
                            self.sim
                                .violate(format!("{} refused in two ways", note.order));
                        }
                        _ => note.refused = Some(error.clone()),
                    }
                } else if note.refused.is_some()
                    && known
                    && error.code != ErrorCode::Unavailable
                    && !conflict
                {
                    let code = error.code.as_str();
                    self.sim
                        .violate(format!("{} sold out, then {code}", note.order));
                }
                !matches!(error.code, ErrorCode::Unavailable | ErrorCode::OrderPending)
            }
        }
    }

    /// A document from some time ago is sent again.
    async fn again(self: Rc<Self>) {
        let count = self.notes.borrow().len() as u64;
        if count == 0 {
            return;
        }
        let at = self.sim.below(count) as usize;
        let token = self.notes.borrow()[at].token.clone();
        self.send(at, &token, false).await;
    }

    /// Somebody who was paid pays back, in part or in full.
    async fn refund(self: Rc<Self>) {
        let sim = &self.sim;
        let bought: Vec<usize> = {
            let notes = self.notes.borrow();
            let bought = notes.iter().enumerate();
            bought
                .filter(|(_, note)| {
                    note.acknowledged.as_ref().is_some_and(|t| {
                        t.agreement.order == note.order && t.agreement.msat.get() > 0
                    })
                })
                .map(|(at, _)| at)
                .collect()
        };
        if bought.is_empty() {
            return;
        }
        let at = bought[sim.below(bought.len() as u64) as usize];
        let (token, amount) = {
            let mut notes = self.notes.borrow_mut();
            let note = &mut notes[at];
            let transfer = note.acknowledged.as_ref().unwrap();
            let paid = transfer.agreement.msat.get();
            let seller = self.wares.borrow()[note.ware].seller.clone();
            if !note.tokens.is_empty() && sim.chance(4_000) {
                let (_, token, amount) =
                    note.tokens[sim.below(note.tokens.len() as u64) as usize].clone();
                (token, amount)
            } else {
                note.refunds += 1;
                let amount = if sim.chance(4_000) {
                    paid
                } else {
                    1 + sim.below(paid)
                };
                let token = sign_refund(sim, &seller, &transfer.handle, note.refunds, amount);
                note.tokens.push((note.refunds, token.clone(), amount));
                (token, amount)
            }
        };
        for _ in 0..=sim.below(5) {
            match self.entry().refund(&token).await {
                Ok(out) => {
                    if out.msat != msat(amount) {
                        sim.violate("a refund of another amount".into());
                    }
                    if out.status == OrderStatus::Posted {
                        sim.told(match (out.replayed, out.fee_returned_msat == Msat::ZERO) {
                            (true, _) => "refunded before",
                            (false, true) => "refunded without a fee",
                            (false, false) => "refunded with the fee",
                        });
                        return;
                    }
                }
                Err(error) => {
                    sim.told(error.code.as_str());
                    self.allow(&error, REFUND_REFUSALS, "a refund");
                }
            }
            sim.pause(sim.below(6_000)).await;
        }
    }

    /// An operator moves money.
    async fn correct(self: Rc<Self>) {
        let sim = &self.sim;
        let (from, to) = (self.anybody(), self.anybody());
        if from == to {
            return;
        }
        let name = |n: usize| self.people[n].account.to_string();
        let sending = Sending {
            id: format!("cor_{:x}", sim.below(u64::MAX)),
            from: name(from),
            to: if sim.chance(2_000) {
                book::fees_of(&name(to))
            } else {
                name(to)
            },
            msat: msat(1 + sim.below(2_000)),
            time: 0,
            sale: None,
            reason: Some("because".into()),
            parts: None,
            told: None,
            fee_due: None,
            fee_back: None,
            left: None,
        };
        for _ in 0..=sim.below(4) {
            let sent = self
                .entry()
                .tell::<Done>(Sort::Account, &sending.from, "/send", &sending);
            match sent.await {
                Ok(_) => return sim.told("corrected"),
                Err(error) => self.allow(&error, &[ErrorCode::RefundUnfunded], "a correction"),
            }
            sim.pause(sim.below(6_000)).await;
        }
    }

    async fn sign_out(self: Rc<Self>, who: usize) {
        let epoch = self.epochs.borrow()[who] + 1;
        match self.entry().sign_out(&self.people[who], epoch).await {
            Ok(()) => {
                self.sim.told("signed out");
                self.epochs.borrow_mut()[who] = epoch;
            }
            Err(error) => self.allow(&error, &[ErrorCode::DelegationExpired], "a sign-out"),
        }
        self.grant(who, 0).await;
        self.grant(who, 1).await;
    }

    async fn take_down(self: Rc<Self>, ware: usize) {
        let work = self.wares.borrow()[ware].work.clone();
        for change in [StateChange::TakeDown, StateChange::Reinstate] {
            for _ in 0..20 {
                match self.entry().set_state(&work, change).await {
                    Ok(()) => break,
                    Err(error) => self.allow(&error, &[], "a change of state"),
                }
                self.sim.pause(1_000).await;
            }
            self.sim.pause(self.sim.below(60_000)).await;
        }
    }

    /// A new version at another price.
    async fn publish(self: Rc<Self>, ware: usize) {
        let mut next = self.wares.borrow()[ware].clone();
        next.version += 1;
        next.terms.usd_micros = 100 + self.sim.below(1_200);
        next.splits.clear();
        next = shared(&self.sim, next, &self.people);
        for _ in 0..20 {
            match self.entry().publish(&next).await {
                Ok(_) => {
                    let mut wares = self.wares.borrow_mut();
                    if wares[ware].version < next.version {
                        wares[ware] = next;
                    }
                    return;
                }
                Err(error) => self.allow(
                    &error,
                    &[
                        ErrorCode::WorkTakenDown,
                        ErrorCode::WorkConflict,
                        ErrorCode::NotReady,
                    ],
                    "a new version",
                ),
            }
            self.sim.pause(1_000).await;
        }
    }

    /// Something new is on sale.
    async fn introduce(self: Rc<Self>) {
        let sim = &self.sim;
        let n = self.wares.borrow().len() + self.coming.get();
        self.coming.set(self.coming.get() + 1);
        let few = |chance: u32| sim.chance(chance).then(|| 1 + sim.below(5) as u32);
        let offer = terms(100 + sim.below(1_500), few(3_500), few(2_500));
        let seller = self.people[n % self.sellers].clone();
        let ware = shared(
            sim,
            Ware::of(&format!("work {n}"), seller, offer),
            &self.people,
        );
        let name = Rc::from(ware.work.as_str());
        let copies = (offer.limit, offer.giveaway);
        sim.limits.borrow_mut().insert(name, copies);
        self.entry().put_on_sale(&ware).await;
        self.coming.set(self.coming.get() - 1);
        self.wares.borrow_mut().push(ware);
    }

    /// Mostly one of the newest.
    fn some_ware(&self) -> usize {
        let count = self.wares.borrow().len() as u64;
        let oldest = if self.sim.chance(8_000) {
            count.saturating_sub(6)
        } else {
            0
        };
        (oldest + self.sim.below(count - oldest)) as usize
    }

    async fn spread(self: Rc<Self>, ware: usize) {
        let work = self.wares.borrow()[ware].work.clone();
        let slots = Spread {
            slots: [2, 8, 64][self.sim.below(3) as usize],
        };
        let done = self
            .entry()
            .tell::<Done>(Sort::Work, work.as_str(), "/spread", &slots);
        let _ = done.await;
    }

    /// Everything that may happen, one after the other, with what goes wrong among it.
    pub async fn live(self: Rc<Self>, operations: u64) {
        let sim = Rc::clone(&self.sim);
        for _ in 0..operations {
            let gap = match sim.below(1_000) {
                0 => sim.below(3 * 24 * 3_600_000),
                1..=4 => sim.below(1_200_000),
                5..=200 => sim.below(4_000),
                201..=600 => sim.below(300),
                _ => 0,
            };
            sim.pause(gap).await;
            let town = Rc::clone(&self);
            let who = self.anybody();
            let ware = self.some_ware();
            match sim.below(1_000) {
                0..=489 => sim.spawn(0, town.buy(who, ware)),
                490..=549 => sim.spawn(0, town.introduce()),
                550..=679 => sim.spawn(0, town.again()),
                680..=759 => sim.spawn(0, town.refund()),
                760..=829 => {
                    let amount = 1 + sim.below(5_000);
                    sim.spawn(0, async move { town.fund(who, amount).await });
                }
                830..=859 => sim.spawn(0, town.correct()),
                860..=869 => sim.spawn(0, town.sign_out(who)),
                870..=889 => sim.spawn(0, async move { town.grant(who, 1).await }),
                890..=894 => sim.spawn(0, town.take_down(ware)),
                895..=904 => sim.spawn(0, town.publish(ware)),
                905..=909 => sim.spawn(0, town.spread(ware)),
                910..=959 => {
                    let objects = sim.objects();
                    let object = &objects[sim.below(objects.len() as u64) as usize];
                    if sim.faults.get().crash_at_commit > 0 {
                        sim.crash_later(object, sim.below(500));
                    }
                }
                _ => {
                    let objects = sim.objects();
                    let object = &objects[sim.below(objects.len() as u64) as usize];
                    if sim.faults.get().lost_request > 0 {
                        let long = [1_000, 20_000, 1_500_000][sim.below(3) as usize];
                        object.down_until.set(sim.now() + sim.below(long));
                    }
                }
            }
        }
        self.done.set(true);
    }
}

const REFUSALS: &[ErrorCode] = &[
    ErrorCode::OrderConflict,
    ErrorCode::WrongKey,
    ErrorCode::DelegationExpired,
    ErrorCode::OwnWork,
    ErrorCode::WorkTakenDown,
    ErrorCode::WorkUnpublished,
    ErrorCode::QuoteExpired,
    ErrorCode::QuoteInvalid,
    ErrorCode::OrderExpired,
    ErrorCode::CapExceeded,
    ErrorCode::InsufficientBalance,
    ErrorCode::OrderPending,
    ErrorCode::SoldOut,
];

const REFUND_REFUSALS: &[ErrorCode] = &[
    ErrorCode::RefundExceeds,
    ErrorCode::RefundUnfunded,
    ErrorCode::RefundConflict,
    ErrorCode::WrongKey,
    ErrorCode::DelegationExpired,
    ErrorCode::BadSignature,
];
