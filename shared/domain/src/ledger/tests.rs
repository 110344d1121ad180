//! What is decided on orders, and in which order.

use super::*;

fn b64(c: char) -> String {
    format!("{}A", c.to_string().repeat(42))
}

fn agreement() -> Agreement {
    Agreement {
        order: OrderId::parse(&format!("ord_{}", "a".repeat(32))).unwrap(),
        account: AccountId::parse(&b64('b')).unwrap(),
        work: WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap(),
        version: 1,
        terms_digest: Digest::parse(&b64('t')).unwrap(),
        usd_micros: 250_000,
        msat: Msat::new(250_000).unwrap(),
        cnf: Thumbprint::parse(&b64('k')).unwrap(),
        ledger: LedgerId::Test,
    }
}

fn quoted(order: &Agreement) -> Quoted {
    Quoted {
        work: order.work.clone(),
        version: order.version,
        terms_digest: order.terms_digest.clone(),
        usd_micros: order.usd_micros,
        msat: order.msat,
        ledger: order.ledger,
        expires: 1_300,
    }
}

struct World {
    known: Option<Agreement>,
    delegation: Option<Delegation>,
    epoch: u64,
    owned: bool,
    under_way: bool,
    work: Option<Offer>,
    quote: Option<Quoted>,
    order_expires: u64,
    spent: (u64, u64),
    balance: u64,
}

impl World {
    fn good(order: &Agreement) -> Self {
        Self {
            known: None,
            delegation: Some(Delegation {
                epoch: 0,
                issued: 0,
                expires: 2_000,
                spend: true,
                read: true,
                max_order: None,
                max_total: None,
                max_day: None,
                backup: None,
            }),
            epoch: 0,
            owned: false,
            under_way: false,
            work: Some(Offer {
                state: WorkState::Published,
                version: 1,
                payee: AccountId::parse(&b64('p')).unwrap(),
                limited: false,
            }),
            spent: (0, 0),
            quote: Some(quoted(order)),
            order_expires: 1_300,
            balance: 1_000_000,
        }
    }

    fn decide(&self, order: &Agreement) -> Result<Decision, Reject> {
        let facts = Facts {
            known: self.known.as_ref(),
            delegation: self.delegation.as_ref(),
            spent: Spent {
                total: Msat::new(self.spent.0).unwrap(),
                day: Msat::new(self.spent.1).unwrap(),
            },
            epoch: self.epoch,
            owned: self.owned,
            under_way: self.under_way,
            work: self.work.as_ref(),
            quote: self.quote.as_ref(),
            order_expires: self.order_expires,
            ledger: LedgerId::Test,
            balances: Balances {
                credits_posted: Msat::new(self.balance).unwrap(),
                ..Balances::default()
            },
            fee_bps: 500,
            now_s: 1_000,
        };
        decide(order, &facts)
    }
}

#[test]
fn a_good_order_is_debited_once_and_the_fee_is_five_percent() {
    let order = agreement();
    let Ok(Decision::Post { balances, fee }) = World::good(&order).decide(&order) else {
        panic!("not posted")
    };
    assert_eq!(balances.debits_posted.get(), 250_000);
    assert_eq!(balances.available().unwrap().get(), 750_000);
    assert_eq!(fee.get(), 12_500);
}

/// Breaks one thing after another, the last in precedence first: the answer must always be
/// the one that comes first.
#[test]
fn errors_come_in_the_documented_order() {
    let order = agreement();
    let mut w = World::good(&order);
    w.balance = 249_999;
    let (available, needed) = (Msat::new(249_999).unwrap(), order.msat);
    assert_eq!(
        w.decide(&order),
        Err(Reject::InsufficientBalance { available, needed })
    );
    w.delegation.as_mut().unwrap().max_order = Some(Msat::new(249_999).unwrap());
    assert_eq!(w.decide(&order), Err(Reject::CapExceeded));
    w.order_expires = 1_000;
    assert_eq!(w.decide(&order), Err(Reject::OrderExpired));
    w.quote.as_mut().unwrap().expires = 1_000;
    assert_eq!(w.decide(&order), Err(Reject::QuoteExpired));
    w.quote.as_mut().unwrap().msat = Msat::new(1).unwrap();
    assert_eq!(w.decide(&order), Err(Reject::QuoteInvalid));
    w.quote = None;
    assert_eq!(w.decide(&order), Err(Reject::QuoteInvalid));
    w.work.as_mut().unwrap().state = WorkState::Unpublished;
    assert_eq!(
        w.decide(&order),
        Err(Reject::NotOnSale(WorkState::Unpublished))
    );
    w.work.as_mut().unwrap().payee = order.account.clone();
    assert_eq!(w.decide(&order), Err(Reject::OwnWork));
    w.under_way = true;
    assert_eq!(w.decide(&order), Err(Reject::UnderWay));
    w.owned = true;
    assert_eq!(w.decide(&order), Ok(Decision::Reissue));
    w.work.as_mut().unwrap().state = WorkState::TakenDown;
    assert_eq!(
        w.decide(&order),
        Err(Reject::NotOnSale(WorkState::TakenDown))
    );
    w.work = None;
    assert_eq!(w.decide(&order), Err(Reject::UnknownWork));
    w.delegation.as_mut().unwrap().spend = false;
    assert_eq!(w.decide(&order), Err(Reject::ScopeMissing));
    w.epoch = 1;
    assert_eq!(w.decide(&order), Err(Reject::DelegationExpired));
    w.delegation = None;
    assert_eq!(w.decide(&order), Err(Reject::WrongKey));
    w.known = Some(Agreement {
        version: 2,
        ..order.clone()
    });
    assert_eq!(w.decide(&order), Err(Reject::OrderConflict("version")));
    w.known = Some(order.clone());
    assert_eq!(w.decide(&order), Ok(Decision::Replay));
}

#[test]
fn a_changed_retry_names_the_member_that_changed() {
    let a = agreement();
    let other = AccountId::parse(&b64('x')).unwrap();
    let cases: [(Agreement, &str); 5] = [
        (
            Agreement {
                account: other,
                ..a.clone()
            },
            "account",
        ),
        (
            Agreement {
                usd_micros: 1,
                ..a.clone()
            },
            "usd_micros",
        ),
        (
            Agreement {
                msat: Msat::new(1).unwrap(),
                ..a.clone()
            },
            "msat",
        ),
        (
            Agreement {
                cnf: Thumbprint::parse(&b64('x')).unwrap(),
                ..a.clone()
            },
            "cnf",
        ),
        (
            Agreement {
                ledger: LedgerId::Live,
                ..a.clone()
            },
            "ledger",
        ),
    ];
    for (changed, member) in cases {
        assert_eq!(a.first_difference(&changed), Some(member));
    }
}

#[test]
fn counted_and_free_copies_are_reserved_first() {
    let order = agreement();
    let mut w = World::good(&order);
    w.work.as_mut().unwrap().limited = true;
    let Ok(Decision::Reserve { balances, fee }) = w.decide(&order) else {
        panic!("not reserved")
    };
    assert_eq!(
        (balances.debits_pending.get(), fee.get()),
        (250_000, 12_500)
    );
    assert_eq!(balances.available().unwrap().get(), 750_000);
    let posted = balances.post(order.msat).unwrap();
    assert_eq!(
        (posted.debits_pending, posted.debits_posted),
        (Msat::ZERO, order.msat)
    );
    assert_eq!(
        balances
            .void(order.msat)
            .unwrap()
            .available()
            .unwrap()
            .get(),
        1_000_000
    );

    let free = Agreement {
        msat: Msat::ZERO,
        usd_micros: 0,
        ..order
    };
    let mut w = World::good(&free);
    w.balance = 0;
    assert!(
        matches!(w.decide(&free), Ok(Decision::Reserve { .. })),
        "an empty wallet takes a free copy"
    );
}

#[test]
fn a_key_spends_no_more_than_its_total() {
    let order = agreement();
    let mut w = World::good(&order);
    w.delegation.as_mut().unwrap().max_total = Some(Msat::new(600_000).unwrap());
    w.spent = (350_000, 0);
    assert!(w.decide(&order).is_ok());
    w.spent = (350_001, 0);
    assert_eq!(w.decide(&order), Err(Reject::CapExceeded));
}

#[test]
fn a_key_spends_no_more_than_its_share_of_a_day() {
    let order = agreement();
    let mut w = World::good(&order);
    w.delegation.as_mut().unwrap().max_day = Some(Msat::new(600_000).unwrap());
    w.spent = (9_000_000, 350_000);
    assert!(w.decide(&order).is_ok(), "only the day counts");
    w.spent = (350_001, 350_001);
    assert_eq!(w.decide(&order), Err(Reject::CapExceeded));
}

#[test]
fn a_debit_never_makes_a_balance_negative() {
    let b = Balances {
        credits_posted: Msat::new(5).unwrap(),
        ..Balances::default()
    };
    assert!(b.debit(Msat::new(5).unwrap()).is_ok());
    assert_eq!(b.debit(Msat::new(6).unwrap()), Err(OutOfRange));
}
