//! The simulator: virtual time, events in a queue, tasks polled one at a time, messages, crashes.
//! Everything that happens is drawn from one seed, so that a seed repeats what happened.

use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use satchel_ledger_worker::host::Config;
use satchel_wire::{ErrorCode, Result, error::Problem};

use crate::{
    events::{Answered, Asker, Event, Outgoing, Request, Scheduled, Task},
    host::Life,
    object::{Alarm, Object},
    rng::Rng,
    store::is_head,
    tables::Sort,
    trouble::{Counts, Crash, Faults, Plant},
};

/// Where the clock begins: some day in 2027.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// Most copies of a work: all, and free ones.
type Copies = (Option<u32>, Option<u32>);

pub struct Sim {
    pub config: Config,
    pub plant: Plant,
    pub faults: Cell<Faults>,
    pub counts: Cell<Counts>,
    /// Crashes what the event of this number concerns, just before it.
    pub gap: Cell<Option<u64>>,
    pub trace: bool,
    now: Cell<u64>,
    rng: RefCell<Rng>,
    queue: RefCell<BinaryHeap<Reverse<Scheduled>>>,
    order: Cell<u64>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    last_task: Cell<u64>,
    current: Cell<(u64, Option<usize>)>,
    objects: RefCell<Vec<Rc<Object>>>,
    names: RefCell<BTreeMap<(Sort, Rc<str>), usize>>,
    doomed: RefCell<Vec<(usize, Crash)>>,
    found: RefCell<Option<String>>,
    /// What retired accounts hold, had come in, and bought.
    pub retired: Cell<[u64; 3]>,
    /// How often clients were told what.
    pub told: RefCell<BTreeMap<&'static str, u64>>,
    /// Copies of works: all, and free ones.
    pub limits: RefCell<BTreeMap<Rc<str>, Copies>>,
}

impl Sim {
    pub fn new(seed: u64, config: Config, plant: Plant, trace: bool) -> Rc<Self> {
        Rc::new(Self {
            config,
            plant,
            faults: Cell::default(),
            counts: Cell::default(),
            gap: Cell::new(None),
            trace,
            now: Cell::new(EPOCH_MS),
            rng: RefCell::new(Rng::of(seed)),
            queue: RefCell::default(),
            order: Cell::new(0),
            tasks: RefCell::default(),
            last_task: Cell::new(0),
            current: Cell::new((0, None)),
            objects: RefCell::default(),
            names: RefCell::default(),
            doomed: RefCell::default(),
            found: RefCell::default(),
            retired: Cell::default(),
            told: RefCell::default(),
            limits: RefCell::default(),
        })
    }

    pub fn now(&self) -> u64 {
        self.now.get()
    }

    pub fn below(&self, n: u64) -> u64 {
        self.rng.borrow_mut().below(n)
    }

    pub fn chance(&self, per_myriad: u32) -> bool {
        self.rng.borrow_mut().chance(per_myriad)
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        self.rng.borrow_mut().bytes()
    }

    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.trace {
            let at = self.now() - EPOCH_MS;
            eprintln!("{:>9}.{:03} {}", at / 1_000, at % 1_000, what());
        }
    }

    /// A client was told something.
    pub fn told(&self, what: &'static str) {
        *self.told.borrow_mut().entry(what).or_insert(0) += 1;
    }

    /// Notes what must never be; the first counts.
    pub fn violate(&self, what: String) {
        self.tell(|| format!("VIOLATION {what}"));
        self.found.borrow_mut().get_or_insert(what);
    }

    pub fn found(&self) -> Option<String> {
        self.found.borrow().clone()
    }

    pub fn clock_of(&self, object: &Object) -> u64 {
        self.now().checked_add_signed(object.skew.get()).unwrap()
    }

    pub fn object(&self, sort: Sort, name: &str) -> Rc<Object> {
        let known = self.names.borrow().get(&(sort, Rc::from(name))).copied();
        let mut objects = self.objects.borrow_mut();
        if let Some(id) = known {
            return Rc::clone(&objects[id]);
        }
        let name: Rc<str> = Rc::from(name);
        let object = Rc::new(Object::new(objects.len(), sort, Rc::clone(&name)));
        self.names.borrow_mut().insert((sort, name), object.id);
        objects.push(Rc::clone(&object));
        object
    }

    pub fn known(&self, sort: Sort, name: &str) -> Option<Rc<Object>> {
        let id = self.names.borrow().get(&(sort, Rc::from(name))).copied()?;
        Some(Rc::clone(&self.objects.borrow()[id]))
    }

    pub fn objects(&self) -> Vec<Rc<Object>> {
        self.objects.borrow().clone()
    }

    fn schedule(&self, at: u64, event: Event) {
        let order = self.order.get() + 1;
        self.order.set(order);
        let at = at.max(self.now());
        self.queue
            .borrow_mut()
            .push(Reverse(Scheduled { at, order, event }));
    }

    /// Starts a task that belongs to no object: a client's.
    pub fn spawn(&self, after_ms: u64, future: impl Future<Output = ()> + 'static) {
        self.start(after_ms, Box::pin(future), None, None);
    }

    fn start(
        &self,
        after_ms: u64,
        future: Pin<Box<dyn Future<Output = ()>>>,
        owner: Option<usize>,
        asker: Option<Asker>,
    ) {
        let id = self.last_task.get() + 1;
        self.last_task.set(id);
        let task = Task {
            future,
            owner,
            asker,
        };
        self.tasks.borrow_mut().insert(id, task);
        self.schedule(self.now() + after_ms, Event::Poll(id));
    }

    /// Lets time pass for the task that calls it, and others run.
    pub fn pause(&self, ms: u64) -> impl Future<Output = ()> + use<> {
        let (task, _) = self.current.get();
        self.schedule(self.now() + ms, Event::Poll(task));
        let mut passed = false;
        std::future::poll_fn(move |_| {
            if std::mem::replace(&mut passed, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    /// Asks an object; from within another one, behind that one's output gate.
    pub fn ask(
        &self,
        from: Option<&Object>,
        to: &Object,
        path: &str,
        body: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>>> + use<> {
        let slot = Answered::default();
        let asker = Asker {
            task: self.current.get().0,
            slot: Rc::clone(&slot),
        };
        let request = Request {
            to: to.id,
            path: Rc::from(path),
            body: Rc::from(body),
            asker: Some(asker),
        };
        match from {
            Some(from) => self.leave(from, Outgoing::Request(request)),
            None => self.send(request),
        }
        std::future::poll_fn(move |_| match slot.borrow_mut().take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
    }

    fn leave(&self, object: &Object, what: Outgoing) {
        if object.all_durable() {
            self.out(object, what);
        } else {
            let gate = (object.committed.get(), what);
            object.held.borrow_mut().push_back(gate);
        }
    }

    fn out(&self, object: &Object, what: Outgoing) {
        match what {
            Outgoing::Request(request) => self.send(request),
            Outgoing::Answer(asker, answer) => self.send_answer(asker, answer),
            Outgoing::AlarmEnded => {
                object.ringing.set(None);
                object.failed_alarms.set(0);
                self.arm(object);
            }
        }
    }

    /// A message's way: mostly some milliseconds, sometimes seconds.
    fn way(&self) -> u64 {
        match self.below(100) {
            0 => self.below(3_000),
            1..=9 => self.below(200),
            _ => 1 + self.below(12),
        }
    }

    fn send(&self, request: Request) {
        self.count(|counts| counts.requests += 1);
        let faults = self.faults.get();
        if self.chance(faults.duplicate) {
            self.count(|counts| counts.duplicates += 1);
            let late = if self.chance(5_000) {
                self.below(900_000)
            } else {
                self.way()
            };
            let copy = Request {
                asker: None,
                ..request.clone()
            };
            self.schedule(self.now() + late, Event::Request(copy));
        }
        let lost = self.chance(faults.lost_request);
        if lost || self.chance(faults.late_request) {
            // The asker hears of an error at once or after a while; the request may still arrive.
            if lost {
                self.count(|counts| counts.dropped += 1);
            } else {
                self.count(|counts| counts.late += 1);
                let copy = Request {
                    asker: None,
                    ..request.clone()
                };
                self.schedule(self.now() + self.below(60_000), Event::Request(copy));
            }
            self.fail(request.asker, self.below(10_000));
            return;
        }
        self.schedule(self.now() + self.way(), Event::Request(request));
    }

    fn fail(&self, asker: Option<Asker>, after_ms: u64) {
        if let Some(asker) = asker {
            let error = Err(ErrorCode::Unavailable.into());
            self.schedule(self.now() + after_ms, Event::Answer(asker, error));
        }
    }

    fn send_answer(&self, asker: Asker, answer: Result<Vec<u8>>) {
        if self.chance(self.faults.get().lost_answer) {
            self.count(|counts| counts.dropped += 1);
            self.fail(Some(asker), self.below(10_000));
        } else {
            self.schedule(self.now() + self.way(), Event::Answer(asker, answer));
        }
    }

    pub fn crash_at_commit(&self) -> Option<Crash> {
        if !self.chance(self.faults.get().crash_at_commit) {
            return None;
        }
        Some(match self.below(3) {
            0 => Crash::Before,
            1 => Crash::Volatile,
            _ => Crash::Durable,
        })
    }

    pub fn refuses_commit(&self) -> bool {
        let refused = self.chance(self.faults.get().refused_commit);
        if refused {
            self.count(|counts| counts.undone += 1);
        }
        refused
    }

    pub fn doom(&self, object: &Object, crash: Crash) {
        self.doomed.borrow_mut().push((object.id, crash));
    }

    /// Crashes an object after some time.
    pub fn crash_later(&self, object: &Object, after_ms: u64) {
        self.schedule(self.now() + after_ms, Event::Crash(object.id));
    }

    /// The open transaction of an object is done; it will be durable soon.
    pub fn commit(&self, object: &Object, wake: Option<u64>) {
        if object.writes() == 0 && wake.is_none() {
            return;
        }
        self.count(|counts| counts.commits += 1);
        let torn = (self.plant == Plant::TornCommit).then_some(is_head as fn(&_) -> bool);
        let writes = object.close(torn);
        let parts: u64 = if torn.is_some() { 2 } else { 1 };
        for part in 0..parts {
            let number = object.committed.get() + 1 + part - parts;
            let at = object.durable_at.get().max(self.now() + self.below(12));
            object.durable_at.set(at);
            self.schedule(at, Event::Durable(object.id, object.lives.get(), number));
        }
        if let Some(local) = wake {
            self.count(|counts| counts.alarms_set += 1);
            let due = if self.faults.get().true_alarms {
                local
            } else {
                local.checked_add_signed(-object.skew.get()).unwrap()
            };
            object.set_alarm(Some(Alarm { local, due }));
            object.alarm_commit.set(object.committed.get());
            self.arm(object);
        }
        if let Err(what) = crate::checks::after_commit(self, object, &writes) {
            self.violate(format!("{}: {what}", object.name));
        }
    }

    fn arm(&self, object: &Object) {
        if let Some(alarm) = object.alarm() {
            let faults = self.faults.get();
            let late = if self.chance(faults.late_alarm) {
                self.below(60_000)
            } else {
                1 + self.below(20)
            };
            let at = alarm.due.max(self.now()) + late;
            self.schedule(at, Event::Alarm(object.id, object.alarm_set.get()));
        }
    }

    fn live(self: &Rc<Self>, object: &Rc<Object>) -> Rc<Life> {
        let mut life = object.life.borrow_mut();
        let life = life.get_or_insert_with(|| {
            let most = self.faults.get().skew_ms;
            if most > 0 {
                let skew = i64::try_from(self.below(2 * most + 1)).unwrap();
                object.skew.set(skew - i64::try_from(most).unwrap());
            }
            Rc::new(Life::of(self, object))
        });
        Rc::clone(life)
    }

    fn crash(&self, object: &Object, crash: Crash) {
        if object.life.borrow().is_none() {
            return;
        }
        self.count(|counts| counts.crashes += 1);
        self.tell(|| format!("crash {:?} of {:?} {}", crash, object.sort, object.name));
        let committed = object.committed.get();
        if crash == Crash::Durable {
            object.harden(committed);
        } else if self.plant == Plant::TornCommit && committed > object.durable.get() {
            // Between the parts of the latest transaction.
            object.harden(committed - self.below(2));
        }
        object.life.borrow_mut().take();
        object.lives.set(object.lives.get() + 1);
        object.running.set(0);
        object.lose();
        let gone: Vec<u64> = {
            let tasks = self.tasks.borrow();
            let owned = tasks
                .iter()
                .filter(|(_, task)| task.owner == Some(object.id));
            owned.map(|(id, _)| *id).collect()
        };
        for id in gone {
            let task = self.tasks.borrow_mut().remove(&id);
            self.fail(task.and_then(|task| task.asker), self.below(2_000));
        }
        for (_, held) in std::mem::take(&mut *object.held.borrow_mut()) {
            if let Outgoing::Answer(asker, _) = held {
                self.fail(Some(asker), self.below(2_000));
            }
        }
        self.arm(object);
    }

    fn poll(&self, id: u64) {
        let Some(mut task) = self.tasks.borrow_mut().remove(&id) else {
            return;
        };
        self.current.set((id, task.owner));
        let mut context = Context::from_waker(Waker::noop());
        if task.future.as_mut().poll(&mut context).is_pending() {
            self.tasks.borrow_mut().insert(id, task);
        }
        let doomed = std::mem::take(&mut *self.doomed.borrow_mut());
        for (id, crash) in doomed {
            let object = Rc::clone(&self.objects.borrow()[id]);
            self.crash(&object, crash);
        }
    }

    fn serve(self: &Rc<Self>, request: Request) {
        let object = Rc::clone(&self.objects.borrow()[request.to]);
        if object.down_until.get() > self.now() {
            self.fail(request.asker, self.below(3_000));
            return;
        }
        let second = self.now() / 1_000;
        let (at, n) = object.second.get();
        let n = if at == second { n + 1 } else { 1 };
        object.second.set((second, n));
        object.busiest.set(object.busiest.get().max(n));
        object.requests.set(object.requests.get() + 1);
        if object.running.get() == 0
            && object.all_durable()
            && self.chance(self.faults.get().evicted)
        {
            self.count(|counts| counts.evictions += 1);
            object.life.borrow_mut().take();
            object.lives.set(object.lives.get() + 1);
        }
        self.tell(|| {
            let body = String::from_utf8_lossy(&request.body);
            let body: String = body.chars().take(300).collect();
            format!(
                "{:?} {} {} {body}",
                object.sort,
                short(&object.name),
                request.path
            )
        });
        let life = self.live(&object);
        object.running.set(object.running.get() + 1);
        let (sim, asker) = (Rc::clone(self), request.asker.clone());
        let owner = object.id;
        let run = async move {
            let answer = life.serve(&request.path, &request.body).await;
            sim.tell(|| {
                let answer = match &answer {
                    Ok(body) => String::from_utf8_lossy(body).chars().take(120).collect(),
                    Err(error) => format!("{} {:?}", error.code.as_str(), error.detail),
                };
                format!(
                    "  {:?} {} {} -> {answer}",
                    object.sort,
                    short(&object.name),
                    request.path
                )
            });
            if let Err(error) = &answer
                && error.code == ErrorCode::Internal
            {
                sim.violate(format!(
                    "{} answers internal to {}",
                    object.name, request.path
                ));
            }
            // As problem documents cross.
            let answer = answer.map_err(|error| {
                let problem = serde_json::to_vec(&error.problem()).unwrap();
                satchel_json::from_slice::<Problem>(&problem)
                    .unwrap()
                    .into()
            });
            object.running.set(object.running.get() - 1);
            if let Some(asker) = request.asker {
                sim.leave(&object, Outgoing::Answer(asker, answer));
            }
        };
        self.start(0, Box::pin(run), Some(owner), asker);
    }

    fn ring(self: &Rc<Self>, id: usize, set: u64) {
        let object = Rc::clone(&self.objects.borrow()[id]);
        if set != object.alarm_set.get() || object.ringing.get().is_some() {
            return;
        }
        let Some(alarm) = object.alarm() else { return };
        if object.alarm_commit.get() > object.durable.get() || object.down_until.get() > self.now()
        {
            let wait = object.durable_at.get().max(object.down_until.get());
            self.schedule(wait.max(self.now() + 1), Event::Alarm(id, set));
            return;
        }
        self.count(|counts| counts.alarms += 1);
        self.tell(|| format!("alarm of {:?} {}", object.sort, short(&object.name)));
        object.ringing.set(Some(alarm));
        object.set_alarm(None);
        let life = self.live(&object);
        object.running.set(object.running.get() + 1);
        let sim = Rc::clone(self);
        let run = async move {
            let done = life.alarm().await;
            object.running.set(object.running.get() - 1);
            if done.is_ok() {
                sim.leave(&object, Outgoing::AlarmEnded);
                return;
            }
            let failed = object.failed_alarms.get() + 1;
            object.ringing.set(None);
            sim.tell(|| format!("alarm of {} failed for the {failed}. time", object.name));
            if failed > 6 {
                // The runtime forgets it.
                object.failed_alarms.set(0);
            } else {
                object.failed_alarms.set(failed);
                if object.alarm().is_none() {
                    let due = sim.now() + (1_000 << failed);
                    let local = sim.clock_of(&object);
                    object.set_alarm(Some(Alarm { local, due }));
                }
            }
            sim.arm(&object);
        };
        self.start(0, Box::pin(run), Some(id), None);
    }

    fn concerns(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Poll(id) => self.tasks.borrow().get(id).and_then(|task| task.owner),
            Event::Answer(asker, _) => {
                let tasks = self.tasks.borrow();
                tasks.get(&asker.task).and_then(|task| task.owner)
            }
            Event::Request(request) => Some(request.to),
            Event::Durable(id, ..) | Event::Alarm(id, _) | Event::Crash(id) => Some(*id),
        }
    }

    /// Runs until nothing is left to happen, or until that time; gives whether something is left.
    pub fn run(self: &Rc<Self>, until: u64) -> bool {
        let (mut moment, mut at_once) = (0, 0_u64);
        loop {
            if self.found.borrow().is_some() {
                return true;
            }
            let next = {
                let mut queue = self.queue.borrow_mut();
                match queue.peek() {
                    None => {
                        return false;
                    }
                    Some(Reverse(next)) if next.at > until => {
                        self.now.set(until);
                        return true;
                    }
                    Some(_) => queue.pop().unwrap().0,
                }
            };
            self.now.set(next.at.max(self.now()));
            at_once = if moment == next.at { at_once + 1 } else { 0 };
            moment = next.at;
            if at_once > 1_000_000 {
                self.violate("a million events in one millisecond".into());
            }
            let number = self.counts.get().events;
            self.count(|counts| counts.events += 1);
            if self.gap.get() == Some(number)
                && let Some(id) = self.concerns(&next.event)
            {
                let object = Rc::clone(&self.objects.borrow()[id]);
                self.crash(&object, Crash::Volatile);
            }
            match next.event {
                Event::Poll(id) => self.poll(id),
                Event::Request(request) => self.serve(request),
                Event::Answer(asker, answer) => {
                    // A task that died, or had an answer already, hears nothing.
                    *asker.slot.borrow_mut() = Some(answer);
                    self.poll(asker.task);
                }
                Event::Durable(id, life, number) => {
                    let object = Rc::clone(&self.objects.borrow()[id]);
                    if object.lives.get() == life {
                        object.harden(number);
                        self.open_gate(&object);
                    }
                }
                Event::Alarm(id, set) => self.ring(id, set),
                Event::Crash(id) => {
                    let object = Rc::clone(&self.objects.borrow()[id]);
                    self.crash(&object, Crash::Volatile);
                }
            }
        }
    }

    /// Ends everything: what refers to each other in a circle is let go.
    pub fn end(&self) {
        self.tasks.borrow_mut().clear();
        self.queue.borrow_mut().clear();
        for object in self.objects() {
            object.life.borrow_mut().take();
            object.held.borrow_mut().clear();
        }
    }

    fn open_gate(&self, object: &Object) {
        loop {
            let mut held = object.held.borrow_mut();
            let ready = held
                .front()
                .is_some_and(|(gate, _)| *gate <= object.durable.get());
            if !ready {
                return;
            }
            let (_, what) = held.pop_front().unwrap();
            drop(held);
            self.out(object, what);
        }
    }
}

/// The last letters of a name are enough to tell it.
pub fn short(name: &str) -> &str {
    name.get(name.len().saturating_sub(14)..).unwrap_or(name)
}
