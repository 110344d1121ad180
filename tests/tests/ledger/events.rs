//! What is still to happen, and in which order.

use std::{cell::RefCell, pin::Pin, rc::Rc};

use satchel_wire::Result;

pub type Answered = Rc<RefCell<Option<Result<Vec<u8>>>>>;

/// Where an answer goes.
#[derive(Clone)]
pub struct Asker {
    pub task: u64,
    pub slot: Answered,
}

/// What waits behind an output gate.
pub enum Outgoing {
    Request(Request),
    Answer(Asker, Result<Vec<u8>>),
    AlarmEnded,
}

#[derive(Clone)]
pub struct Request {
    pub to: usize,
    pub path: Rc<str>,
    pub body: Rc<[u8]>,
    pub asker: Option<Asker>,
}

pub enum Event {
    Poll(u64),
    Request(Request),
    Answer(Asker, Result<Vec<u8>>),
    Durable(usize, u64, u64),
    Alarm(usize, u64),
    Crash(usize),
}

pub struct Scheduled {
    pub at: u64,
    pub order: u64,
    pub event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

pub struct Task {
    pub future: Pin<Box<dyn Future<Output = ()>>>,
    /// The object it runs in, and whom it answers.
    pub owner: Option<usize>,
    pub asker: Option<Asker>,
}
