//! The arithmetic, on books with one fault each.

use super::*;
use satchel_domain::money::Msat;

const INBOX: &str = "seller/0/0";

fn m(msat: u64) -> Msat {
    Msat::new(msat).unwrap()
}

fn sum(name: &str, credit: u64, debit: u64) -> AuditSum {
    AuditSum {
        name: name.into(),
        credit: m(credit),
        debit: m(debit),
        count: 1,
    }
}

/// An account in one page, whose balances follow from its kinds.
fn account(kinds: &[(&str, u64, u64)]) -> AccountAudit {
    let credits: u64 = kinds.iter().map(|(_, credit, _)| credit).sum();
    let debits: u64 = kinds.iter().map(|(_, _, debit)| debit).sum();
    let kinds = kinds
        .iter()
        .map(|(name, credit, debit)| sum(name, *credit, *debit));
    let kinds: Vec<AuditSum> = kinds.collect();
    AccountAudit {
        balances: Balances {
            credits_posted: m(credits),
            debits_posted: m(debits),
            ..Balances::default()
        },
        lines: 5,
        upto: 5,
        balance: m(credits.saturating_sub(debits)),
        kinds,
        sold: vec![],
        sent: vec![],
        received: vec![],
        under_way: vec![],
        inboxes: vec![],
    }
}

/// A buyer with 1,000 who paid 300; a seller who got 285 of it and paid 100 back; the fee of 15,
/// of which 5 came back.
struct World {
    before: BTreeMap<&'static str, AccountAudit>,
    inbox: InboxAudit,
    after: BTreeMap<&'static str, AccountAudit>,
}

impl World {
    fn sound() -> Self {
        let mut buyer = account(&[
            ("test_money", 1_000, 0),
            ("purchase", 0, 300),
            ("refunded", 100, 0),
        ]);
        buyer.sold = vec![sum(INBOX, 0, 300)];
        buyer.received = vec![sum("rfd_a", 100, 0)];
        let mut seller = account(&[
            ("sales", 285, 0),
            ("refund", 0, 100),
            ("fee_returned", 5, 0),
        ]);
        seller.inboxes = vec![sum(INBOX, 285, 0)];
        seller.sent = vec![sum("rfd_a", 0, 100)];
        seller.received = vec![sum("rfd_a/fee", 5, 0)];
        let mut fees = account(&[("fees", 15, 0), ("fee_returned", 0, 5)]);
        fees.inboxes = vec![sum(INBOX, 15, 0)];
        fees.sent = vec![sum("rfd_a/fee", 0, 5)];
        let accounts = BTreeMap::from([("buyer", buyer), ("seller", seller), ("fees-7", fees)]);
        Self {
            before: accounts.clone(),
            inbox: InboxAudit {
                by_cut: m(300),
                all: m(300),
                count: 1,
                next: None,
                folded: m(300),
                waiting: m(0),
                folding_net: m(0),
                folding_fee: m(0),
                folding: None,
                folded_net: m(285),
                called: None,
            },
            after: accounts,
        }
    }

    /// The same change whenever the account is read.
    fn both(&mut self, name: &'static str, change: impl Fn(&mut AccountAudit)) {
        change(self.before.get_mut(name).unwrap());
        change(self.after.get_mut(name).unwrap());
    }

    fn report(&self) -> Report {
        let read = |pages: &BTreeMap<&'static str, AccountAudit>| {
            let accounts = pages.iter().map(|(name, page)| {
                let mut account = Account::default();
                assert_eq!(account.page(page), None);
                ((*name).to_owned(), account)
            });
            accounts.collect()
        };
        let mut inbox = Inbox::default();
        assert_eq!(inbox.page(&self.inbox), None);
        Read {
            cut: 0,
            before: read(&self.before),
            inboxes: BTreeMap::from([(INBOX.to_owned(), inbox)]),
            after: read(&self.after),
        }
        .report()
    }

    fn faults(&self) -> Vec<(String, i128)> {
        let findings = self.report().findings;
        findings.into_iter().map(|f| (f.at, f.msat)).collect()
    }
}

fn fault(at: &str, msat: i128) -> (String, i128) {
    (at.to_owned(), msat)
}

#[test]
fn sound_books_are_exact_to_the_millisatoshi() {
    let report = World::sound().report();
    assert_eq!(report.findings, []);
    assert_eq!((report.issued_msat, report.balances_msat), (1_000, 1_000));
    assert_eq!((report.moved_msat, report.waiting_msat), (0, 0));
    assert_eq!((report.accounts, report.inboxes), (3, 1));
}

#[test]
fn a_purchase_under_way_is_no_loss_and_is_told_apart() {
    let mut world = World::sound();
    world.both("buyer", |buyer| {
        *buyer = account(&[
            ("test_money", 1_000, 0),
            ("purchase", 0, 370),
            ("refunded", 100, 0),
        ]);
        buyer.sold = vec![sum(INBOX, 0, 370)];
        buyer.under_way = vec![sum(INBOX, 0, 70)];
        buyer.received = vec![sum("rfd_a", 100, 0)];
    });
    let report = world.report();
    assert_eq!((report.findings.len(), report.outboxes_msat), (0, 70));
    // Delivered after the buyer was read, before the inbox was: also right.
    world.inbox.by_cut = m(370);
    (world.inbox.all, world.inbox.waiting) = (m(370), m(70));
    world.after.get_mut("buyer").unwrap().under_way.clear();
    assert_eq!(world.faults(), []);
}

#[test]
fn a_lost_credit_is_found_at_its_inbox() {
    let mut world = World::sound();
    (world.inbox.by_cut, world.inbox.all) = (m(299), m(299));
    (world.inbox.folded, world.inbox.folded_net) = (m(299), m(284));
    world.both("seller", |seller| {
        seller.inboxes = vec![sum(INBOX, 284, 0)];
        seller.kinds[0] = sum("sales", 284, 0);
        seller.balances.credits_posted = m(289);
        seller.balance = m(189);
    });
    assert_eq!(world.faults(), [fault(INBOX, -1), fault("ledger", -1)]);
}

#[test]
fn a_double_credit_is_found_at_its_inbox() {
    let mut world = World::sound();
    (world.inbox.by_cut, world.inbox.all) = (m(600), m(600));
    world.inbox.waiting = m(300);
    assert_eq!(world.faults(), [fault(INBOX, 300), fault("ledger", 300)]);
}

#[test]
fn a_lost_fold_is_found_whether_net_or_fee() {
    let mut world = World::sound();
    world.both("seller", |seller| seller.inboxes.clear());
    assert_eq!(world.faults(), [fault(INBOX, -285)]);
    let mut world = World::sound();
    world.both("fees-7", |fees| {
        fees.inboxes = vec![sum(INBOX, 14, 0)];
    });
    assert_eq!(world.faults(), [fault(INBOX, -1)]);
}

#[test]
fn a_fold_that_came_home_twice_or_in_part_is_found() {
    let mut world = World::sound();
    world.both("seller", |seller| {
        seller.inboxes = vec![sum(INBOX, 570, 0)];
    });
    assert_eq!(world.faults(), [fault(INBOX, 285)]);
    let mut world = World::sound();
    (world.inbox.folded, world.inbox.folded_net) = (m(0), m(0));
    world.inbox.waiting = m(300);
    (world.inbox.folding_net, world.inbox.folding_fee) = (m(285), m(15));
    // Home already: its acknowledgement is on the way.
    assert_eq!(world.faults(), []);
    world.both("seller", |seller| {
        seller.inboxes = vec![sum(INBOX, 200, 0)];
    });
    assert_eq!(world.faults(), [fault(INBOX, 200)]);
}

#[test]
fn of_a_shared_sale_each_batch_comes_home_by_itself_and_none_in_part() {
    let mut world = World::sound();
    (world.inbox.folded, world.inbox.folded_net) = (m(15), m(0));
    (world.inbox.waiting, world.inbox.folding_net) = (m(285), m(285));
    world.inbox.folding = Some(vec![sum("seller", 200, 0), sum("friend", 85, 0)]);
    for (home, faults) in [
        (285, vec![]),
        (200, vec![]),
        (85, vec![]),
        (120, vec![fault(INBOX, 120)]),
    ] {
        world.both("seller", |seller| {
            seller.inboxes = vec![sum(INBOX, home, 0)];
        });
        assert_eq!(world.faults(), faults, "{home}");
    }
}

#[test]
fn folds_between_the_readings_are_no_fault() {
    let mut world = World::sound();
    // Home had nothing when it was first read, and has all now.
    let seller = world.before.get_mut("seller").unwrap();
    *seller = account(&[]);
    world.before.get_mut("fees-7").unwrap().inboxes.clear();
    world.before.get_mut("buyer").unwrap().received.clear();
    assert_eq!(world.faults(), []);
}

#[test]
fn a_removed_row_is_found_in_account_and_inbox() {
    let mut world = World::sound();
    world.both("buyer", |buyer| {
        buyer.kinds.remove(1);
        buyer.sold.clear();
    });
    let faults = world.faults();
    assert_eq!(faults, [fault("buyer", -300), fault(INBOX, 300)]);
    let mut world = World::sound();
    (world.inbox.all, world.inbox.by_cut) = (m(0), m(0));
    assert_eq!(world.faults(), [fault(INBOX, -300), fault(INBOX, -300)]);
}

#[test]
fn a_changed_balance_is_found() {
    let mut world = World::sound();
    world.both("seller", |seller| {
        seller.balances.credits_posted = m(291);
    });
    assert_eq!(world.faults(), [fault("seller", -1)]);
    let mut world = World::sound();
    world.both("seller", |seller| seller.balance = m(191));
    assert_eq!(world.faults(), [fault("seller", 1), fault("ledger", 1)]);
}

#[test]
fn a_refund_that_did_not_arrive_or_came_from_nowhere_is_found() {
    let mut world = World::sound();
    world.both("buyer", |buyer| buyer.received.clear());
    assert_eq!(world.faults(), [fault("rfd_a", -100)]);
    // Unless it is on its way.
    world.both("seller", |seller| {
        seller.under_way = vec![sum("rfd_a", 0, 100)];
    });
    world.both("buyer", |buyer| {
        buyer.kinds.remove(2);
        buyer.balances.credits_posted = m(1_000);
        buyer.balance = m(700);
    });
    let report = world.report();
    assert_eq!((report.findings.len(), report.sendings_msat), (0, 100));
    let mut world = World::sound();
    world.both("seller", |seller| seller.sent.clear());
    assert_eq!(world.faults(), [fault("rfd_a", 100)]);
    let mut world = World::sound();
    world.both("buyer", |buyer| buyer.received = vec![sum("rfd_a", 99, 0)]);
    assert_eq!(world.faults(), [fault("rfd_a", -1)]);
}

#[test]
fn pages_are_added_up_and_a_page_in_between_is_no_end() {
    let mut first = account(&[("test_money", 1_000, 0)]);
    (first.lines, first.upto) = (9, 5);
    first.inboxes = vec![sum(INBOX, 7, 0)];
    let mut last = account(&[("purchase", 0, 300)]);
    last.balances.credits_posted = m(1_000);
    (last.lines, last.upto, last.balance) = (9, 9, m(700));
    last.inboxes = vec![sum(INBOX, 7, 0)];
    let mut both = Account::default();
    assert_eq!(both.page(&first), Some(5));
    assert_eq!(both.page(&last), None);
    assert!(both.adds_up());
    assert_eq!(get(&both.inboxes, INBOX), 7);
}
