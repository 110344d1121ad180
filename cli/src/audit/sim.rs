//! A ledger in miniature that is in use while it is audited: whatever happens between two readings,
//! nothing sound is called wrong; and what is wrong is found.

use std::collections::{BTreeMap, BTreeSet};

use satchel_domain::{ledger::Balances, money::Msat};
use satchel_wire::internal::{AccountAudit, AuditSum, InboxAudit};

use crate::audit::{Account, Inbox, Read, Report};

const PAGE: usize = 3;
const NAMES: [&str; 4] = ["ann", "ben", "cleo", "fees-7"];

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

struct Line {
    kind: &'static str,
    credit: u64,
    debit: u64,
    time: u64,
    /// The inbox of a purchase, the id of a sending.
    peer: String,
    under_way: bool,
}

#[derive(Default)]
struct Book {
    lines: Vec<Line>,
    /// By inbox.
    home: BTreeMap<String, u64>,
    /// Set aside for sendings: id, amount, time, whether it has been taken.
    pending: Vec<(String, u64, u64, bool)>,
}

impl Book {
    fn balance(&self) -> u64 {
        let credits: u64 = self.lines.iter().map(|line| line.credit).sum();
        credits - self.lines.iter().map(|line| line.debit).sum::<u64>()
    }

    fn available(&self) -> u64 {
        self.balance() - self.set_aside()
    }

    fn set_aside(&self) -> u64 {
        self.pending.iter().map(|(_, msat, ..)| msat).sum()
    }

    fn push(&mut self, kind: &'static str, credit: u64, debit: u64, time: u64, peer: &str) {
        self.lines.push(Line {
            kind,
            credit,
            debit,
            time,
            peer: peer.to_owned(),
            under_way: kind == "purchase",
        });
    }

    fn page(&self, cut: u64, after: usize) -> AccountAudit {
        let upto = self.lines.len().min(after + PAGE);
        let lines = &self.lines[after..upto];
        let of = |kinds: &[&str], debits: bool| {
            let fitting = lines.iter().filter(|line| {
                kinds.contains(&line.kind) && (line.debit > 0) == debits && line.time <= cut
            });
            fitting
                .map(|line| sum(&line.peer, line.credit, line.debit))
                .collect::<Vec<_>>()
        };
        let waits = |line: &&Line| line.under_way && line.time <= cut;
        let orders = self.lines.iter().filter(waits);
        let mut todo: Vec<AuditSum> = orders.map(|line| sum(&line.peer, 0, line.debit)).collect();
        todo.extend(self.pending.iter().map(|(id, msat, ..)| sum(id, 0, *msat)));
        if after > 0 {
            todo.clear();
        }
        let upto_now = &self.lines[..upto];
        let before: u64 = upto_now.iter().map(|line| line.credit).sum();
        let spent: u64 = upto_now.iter().map(|line| line.debit).sum();
        AccountAudit {
            balances: Balances {
                credits_posted: m(self.lines.iter().map(|line| line.credit).sum()),
                debits_posted: m(self.lines.iter().map(|line| line.debit).sum()),
                debits_pending: m(self.set_aside()),
                ..Balances::default()
            },
            lines: self.lines.len() as u64,
            upto: upto as u64,
            balance: m(before - spent),
            kinds: lines
                .iter()
                .map(|line| sum(line.kind, line.credit, line.debit))
                .collect(),
            sold: of(&["purchase"], true),
            sent: of(&["refund"], true),
            received: of(&["refund"], false),
            under_way: todo,
            inboxes: if after == 0 {
                let home = self.home.iter();
                home.map(|(inbox, msat)| sum(inbox, *msat, 0)).collect()
            } else {
                vec![]
            },
        }
    }
}

struct Batch {
    net: u64,
    fee: u64,
    net_home: bool,
    fee_home: bool,
}

#[derive(Default)]
struct Box_ {
    /// Gross and time of the debit.
    credits: Vec<(u64, u64)>,
    open: u64,
    batch: Option<Batch>,
    folded_net: u64,
    folded_fee: u64,
}

impl Box_ {
    fn read(&self, cut: u64) -> InboxAudit {
        let (net, fee) = self.batch.as_ref().map_or((0, 0), |b| (b.net, b.fee));
        let by_cut = self.credits.iter().filter(|(_, time)| *time <= cut);
        InboxAudit {
            by_cut: m(by_cut.map(|(gross, _)| gross).sum()),
            all: m(self.credits.iter().map(|(gross, _)| gross).sum()),
            count: self.credits.len() as u64,
            next: None,
            folded: m(self.folded_net + self.folded_fee),
            waiting: m(self.open + net + fee),
            folding_net: m(net),
            folding_fee: m(fee),
            folding: None,
            folded_net: m(self.folded_net),
            called: None,
        }
    }
}

struct World {
    seed: u64,
    now: u64,
    books: BTreeMap<&'static str, Book>,
    boxes: BTreeMap<String, Box_>,
    refunds: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            now: 1_000,
            books: NAMES.iter().map(|name| (*name, Book::default())).collect(),
            boxes: BTreeMap::new(),
            refunds: 0,
        };
        for name in ["ann", "ben", "cleo"] {
            world.book(name).push("test_money", 10_000, 0, 1_000, "");
        }
        world
    }

    fn book(&mut self, name: &str) -> &mut Book {
        self.books.get_mut(name).unwrap()
    }

    /// A number below `n`: the steps need not be good randomness, only different ones.
    fn below(&mut self, n: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % n
    }

    fn person(&mut self) -> &'static str {
        NAMES[usize::try_from(self.below(3)).unwrap()]
    }

    /// One thing happens, if it can.
    fn step(&mut self) {
        self.now += self.below(3);
        let (who, whom) = (self.person(), self.person());
        let (msat, now) = (1 + self.below(90), self.now);
        match self.below(6) {
            0 | 1 if who != whom && self.book(who).available() >= msat => {
                let inbox = format!("{whom}/0/{}", self.below(2));
                self.book(who).push("purchase", 0, msat, now, &inbox);
                self.boxes.entry(inbox).or_default();
            }
            2 => self.deliver(who),
            3 => self.fold(whom),
            4 if who != whom && self.book(who).available() >= msat => {
                self.refunds += 1;
                let id = format!("rfd_{}_{whom}", self.refunds);
                self.book(who).pending.push((id, msat, now, false));
            }
            _ => self.fold(who),
        }
    }

    /// Something of `who`'s outbox arrives.
    fn deliver(&mut self, who: &str) {
        let now = self.now;
        if self.below(2) == 0 {
            return self.send(who, now);
        }
        let Some(line) = self.book(who).lines.iter_mut().find(|line| line.under_way) else {
            return;
        };
        line.under_way = false;
        let (peer, msat, time) = (line.peer.clone(), line.debit, line.time);
        let inbox = self.boxes.get_mut(&peer).unwrap();
        inbox.credits.push((msat, time));
        inbox.open += msat;
    }

    /// The receiver takes what was set aside; then it is posted.
    fn send(&mut self, who: &str, now: u64) {
        let Some((id, msat, time, taken)) = self.book(who).pending.first_mut() else {
            return;
        };
        let (id, msat, time) = (id.clone(), *msat, *time);
        if *taken {
            self.book(who).pending.remove(0);
            self.book(who).push("refund", 0, msat, time, &id);
        } else {
            *taken = true;
            let to = id.rsplit('_').next().unwrap().to_owned();
            self.book(&to).push("refund", msat, 0, now, &id);
        }
    }

    /// A batch of one of `whom`'s inboxes takes its next step.
    fn fold(&mut self, whom: &str) {
        let (name, now) = (format!("{whom}/0/{}", self.below(2)), self.now);
        let fees_first = self.below(2) == 0;
        let Some(inbox) = self.boxes.get_mut(&name) else {
            return;
        };
        let Some(batch) = &mut inbox.batch else {
            if inbox.open > 0 {
                let fee = inbox.open / 20;
                inbox.batch = Some(Batch {
                    net: inbox.open - fee,
                    fee,
                    net_home: false,
                    fee_home: false,
                });
                inbox.open = 0;
            }
            return;
        };
        let (net, fee) = (batch.net, batch.fee);
        if !batch.net_home && (batch.fee_home || !fees_first) {
            batch.net_home = true;
            let book = self.book(whom);
            *book.home.entry(name.clone()).or_default() += net;
            book.push("sales", net, 0, now, &name);
        } else if !batch.fee_home {
            batch.fee_home = true;
            let book = self.book("fees-7");
            *book.home.entry(name.clone()).or_default() += fee;
            book.push("fees", fee, 0, now, &name);
        } else {
            inbox.folded_net += net;
            inbox.folded_fee += fee;
            inbox.batch = None;
        }
    }

    fn account(&mut self, name: &str, cut: u64, busy: u64) -> Account {
        let mut read = Account::default();
        let mut after = 0;
        loop {
            let page = self.book(name).page(cut, after);
            let next = read.page(&page);
            self.steps(busy);
            match next {
                Some(next) => after = usize::try_from(next).unwrap(),
                None => return read,
            }
        }
    }

    fn steps(&mut self, busy: u64) {
        for _ in 0..busy {
            self.step();
        }
    }

    /// Audits it; between two readings `busy` things happen.
    fn audit(&mut self, busy: u64) -> Report {
        let cut = self.now - 5;
        let mut read = Read {
            cut,
            ..Read::default()
        };
        for name in NAMES {
            let account = self.account(name, cut, busy);
            read.before.insert(name.to_owned(), account);
        }
        let names: BTreeSet<String> = read
            .before
            .values()
            .flat_map(Account::inboxes)
            .cloned()
            .collect();
        for name in names {
            let mut inbox = Inbox::default();
            inbox.page(&self.boxes[&name].read(cut));
            read.inboxes.insert(name, inbox);
            self.steps(busy);
        }
        for name in NAMES {
            let account = self.account(name, u64::MAX, busy);
            read.after.insert(name.to_owned(), account);
        }
        read.report()
    }
}

#[test]
fn a_ledger_in_use_is_never_called_wrong() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        world.steps(200);
        for busy in [0, 1, 4] {
            let report = world.audit(busy);
            assert_eq!(report.findings, [], "seed {seed}, {busy} steps between");
            if busy == 0 {
                let found = report.balances_msat + report.outboxes_msat + report.waiting_msat;
                assert!(found.abs_diff(report.issued_msat) <= report.moved_msat);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_found_in_a_ledger_at_rest() {
    type Fault = fn(&mut World) -> Option<()>;
    let faults: [(&str, Fault); 6] = [
        ("a lost credit", |world| {
            let inbox = world.boxes.values_mut().find(|i| !i.credits.is_empty())?;
            inbox.credits.pop().map(drop)
        }),
        ("a double credit", |world| {
            let inbox = world.boxes.values_mut().find(|i| !i.credits.is_empty())?;
            let (gross, time) = inbox.credits[0];
            inbox.credits.push((gross, time));
            inbox.open += gross;
            Some(())
        }),
        ("a lost fold", |world| {
            let book = world.books.get_mut("ann")?;
            let (inbox, msat) = book.home.iter().next().map(|(i, m)| (i.clone(), *m))?;
            book.home.insert(inbox, msat - 1);
            Some(())
        }),
        ("a removed row", |world| {
            let book = world.books.get_mut("ben")?;
            let at = book.lines.iter().position(|line| line.debit > 0)?;
            book.lines.remove(at);
            Some(())
        }),
        ("a refund that is lost", |world| {
            let lines = &mut world.books.get_mut("cleo")?.lines;
            let at = lines
                .iter()
                .position(|l| l.kind == "refund" && l.credit > 0)?;
            lines.remove(at);
            Some(())
        }),
        ("money from nowhere", |world| {
            let now = world.now;
            world.book("ann").push("sales", 1, 0, now, "");
            Some(())
        }),
    ];
    for (name, fault) in faults {
        let mut found = 0;
        for seed in 0..40 {
            let mut world = World::new(seed);
            world.steps(300);
            // At rest: everything has arrived.
            for _ in 0..900 {
                let who = world.person();
                world.deliver(who);
                world.fold(who);
            }
            world.now += 100;
            let report = world.audit(0);
            assert_eq!((report.findings.len(), report.moved_msat), (0, 0));
            if fault(&mut world).is_none() {
                continue;
            }
            found += 1;
            let report = world.audit(0);
            assert!(!report.ok, "{name}, seed {seed}: {report:?}");
        }
        assert!(found > 20, "{name} was tried {found} times");
    }
}
