//! Runs of seeds, on all cores, and what they add up to.

use std::{
    collections::BTreeMap,
    io::Write as _,
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{
    checks::Verdict,
    ending,
    engine::Sim,
    people::Town,
    shop::{Entry, config},
    trouble::{Counts, Faults, Plant},
};

pub fn soak() -> bool {
    std::env::var("SATCHEL_SOAK").is_ok_and(|value| value == "1")
}

/// What came of one seed.
#[derive(Debug, Default)]
pub struct Life {
    pub counts: Counts,
    pub operations: u64,
    pub told: BTreeMap<&'static str, u64>,
    pub wrong: Option<String>,
}

/// A line on the terminal, past the test harness's capture.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "    sim {line}");
}

/// Runs seeds until one goes wrong; gives the smallest that was seen to.
pub fn seeds(
    name: &str,
    count: u64,
    run: impl Fn(u64, bool) -> Life + Sync,
) -> Option<(u64, String)> {
    if let Some(seed) = std::env::var("SATCHEL_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
    {
        let wrong = run(seed, true).wrong;
        return wrong.map(|what| (seed, what));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "how long it took, for the summary only"
    )]
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(1), AtomicBool::new(false));
    let told = Mutex::new(BTreeMap::<&str, u64>::new());
    let sums = Mutex::new((0_u64, 0_u64, Counts::default(), None::<(u64, String)>));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > count || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let run = || run(seed, false);
                    let life = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
                    let life = life.unwrap_or_else(|_| Life {
                        wrong: Some("it panicked".into()),
                        ..Life::default()
                    });
                    for (what, n) in &life.told {
                        *told.lock().unwrap().entry(what).or_insert(0) += n;
                    }
                    let mut sums = sums.lock().unwrap();
                    sums.0 += 1;
                    if sums.0.is_multiple_of(1_000) && sums.0 < count {
                        say(&format!("{name}: {} seeds so far", sums.0));
                    }
                    sums.1 += life.operations;
                    add(&mut sums.2, life.counts);
                    if let Some(what) = life.wrong {
                        stop.store(true, Ordering::Relaxed);
                        let first = sums.3.as_ref().is_none_or(|(known, _)| seed < *known);
                        if first {
                            sums.3 = Some((seed, what));
                        }
                    }
                }
            });
        }
    });
    let (seeds, operations, counts, wrong) = sums.into_inner().unwrap();
    let took = began.elapsed().as_secs_f64();
    say(&format!(
        "{name}: {seeds} seeds, {operations} operations, {} requests, {} commits, {} crashes, {} undone, {} evictions, {} alarms, {} dropped, {} late, {} duplicated; {:.0} events a second, {took:.1} s",
        counts.requests,
        counts.commits,
        counts.crashes,
        counts.undone,
        counts.evictions,
        counts.alarms,
        counts.dropped,
        counts.late,
        counts.duplicates,
        counts.events as f64 / took,
    ));
    let told = told.into_inner().unwrap();
    if !told.is_empty() {
        let told = told.iter().map(|(what, n)| format!("{what} {n}"));
        let told = told.collect::<Vec<_>>().join(", ");
        say(&format!("  clients were told: {told}"));
    }
    wrong
}

fn add(sum: &mut Counts, one: Counts) {
    sum.events += one.events;
    sum.requests += one.requests;
    sum.commits += one.commits;
    sum.crashes += one.crashes;
    sum.dropped += one.dropped;
    sum.duplicates += one.duplicates;
    sum.late += one.late;
    sum.evictions += one.evictions;
    sum.undone += one.undone;
    sum.alarms += one.alarms;
    sum.alarms_set += one.alarms_set;
}

/// How much goes wrong under a seed: some have a single trouble, some all of them.
fn troubles(sim: &Sim) -> Faults {
    let some = |most: u64| {
        if sim.chance(6_000) {
            sim.below(most) as u32
        } else {
            0
        }
    };
    Faults {
        crash_at_commit: some(400),
        refused_commit: some(300),
        lost_request: some(800),
        lost_answer: some(800),
        late_request: some(500),
        duplicate: some(1_000),
        late_alarm: some(500),
        evicted: some(2_000),
        skew_ms: [0, 1_000, 299_000][sim.below(3) as usize],
        true_alarms: sim.chance(2_000),
    }
}

const HOUR_MS: u64 = 3_600_000;

/// A town lives for some operations, then all is made whole, and everything is counted.
pub fn life(seed: u64, operations: u64, plant: Plant, trace: bool) -> Life {
    let sim = Sim::new(seed, config(), plant, trace);
    let wrong = live(&sim, operations).err();
    let wrong = sim.found().or(wrong);
    sim.end();
    Life {
        counts: sim.counts.get(),
        operations,
        told: sim.told.take(),
        wrong,
    }
}

/// Lets everything come to its end.
pub fn settle(sim: &Rc<Sim>) -> Verdict {
    if sim.run(sim.now() + 12 * HOUR_MS) && sim.found().is_none() {
        return Err("it never comes to rest".into());
    }
    sim.found().map_or(Ok(()), Err)
}

/// Nothing goes wrong from now on.
pub fn heal(sim: &Sim) {
    sim.faults.set(Faults::default());
    for object in sim.objects() {
        object.down_until.set(0);
    }
}

fn live(sim: &Rc<Sim>, operations: u64) -> Verdict {
    let town = Town::of(sim);
    sim.spawn(0, Rc::clone(&town).open());
    settle(sim)?;
    let faults = troubles(sim);
    sim.tell(|| format!("{faults:?}"));
    sim.faults.set(faults);
    let middle = sim.now() / 1_000 + 60;
    sim.spawn(0, Rc::clone(&town).live(operations));
    while sim.run(sim.now() + 24 * HOUR_MS) && sim.found().is_none() && !town.done.get() {}
    heal(sim);
    settle(sim)?;
    ending::everything(sim)?;
    sim.spawn(0, Rc::clone(&town).last());
    settle(sim)?;
    ending::everything(sim)?;
    town.caps_hold()?;
    for cut in [middle, u64::MAX >> 12] {
        let entry = Entry::of(sim);
        let kept: Rc<std::cell::RefCell<Option<Verdict>>> = Rc::default();
        let verdict = Rc::clone(&kept);
        sim.spawn(0, async move {
            let done = ending::audit(&entry, cut).await;
            *verdict.borrow_mut() = Some(done);
        });
        settle(sim)?;
        let verdict = kept.borrow_mut().take();
        verdict.unwrap_or_else(|| Err("an audit never ended".into()))?;
    }
    Ok(())
}
