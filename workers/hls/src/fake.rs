//! A world in memory: one packed film, one purchase.

use std::{cell::Cell, cell::RefCell, collections::BTreeMap, rc::Rc};

use satchel_crypto::{
    Key32, b32, b64,
    ed25519::{SigningKey, at_once},
};
use satchel_domain::id::{Digest, SessionId, WorkId};
use satchel_format::{
    ContentKey, Description, Front as Reading, Origin, Packer, Segment, Table, Terms, Use,
};
use satchel_wire::{
    ErrorCode, Result,
    capability::HlsCapability,
    streaming::{PathKey, PathWindow},
};

use crate::{Front, world::World};

pub(crate) const NOW_MS: u64 = 1_800_000_000_000;
pub(crate) const ISSUER: &str = "https://satchel.example";
const NONCE: [u8; 16] = [2; 16];

/// Runs a future that never waits for anything.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    at_once(future).expect("a fake never waits")
}

fn content_key() -> ContentKey {
    ContentKey::from_key(Key32::from_bytes([6; 32]))
}

fn table() -> Table {
    let segment = |plain_len, window, start_ms, init| Segment {
        plain_len,
        window,
        start_ms,
        init,
    };
    let segments = vec![
        segment(40, 0, 0, true),
        segment(100, 0, 0, false),
        segment(200, 1, 9_500, false),
        segment(50, 2, 19_500, false),
    ];
    Table::new(segments).unwrap()
}

/// A packed film.
pub(crate) fn film() -> Vec<u8> {
    let description = Description {
        work_nonce: NONCE,
        version: 1,
        issuer: Origin::parse(ISSUER).unwrap(),
        title: "Tide".into(),
        name: "tide.mp4".into(),
        media_type: "video/mp4".into(),
        mse: Some("video/mp4; codecs=\"avc1.42C01E, mp4a.40.2\"".into()),
        duration_ms: Some(24_750),
        terms: Terms {
            pay_more: false,
            usd_micros: 500_000,
            usage: Use::Stream,
        },
        created: 1_800_000_000,
    };
    let creator = SigningKey::from_seed(&Key32::from_bytes([1; 32]));
    let mut packer = Packer::new(description, creator, &content_key(), table(), vec![]).unwrap();
    let mut body = Vec::new();
    while let Some(len) = packer.next_len() {
        body.extend(packer.segment(&[9; 24], &vec![7; len as usize]).unwrap());
    }
    let (front, _) = packer.finish().unwrap();
    [front, body].concat()
}

pub(crate) fn front() -> Front {
    match Reading::read(&film()) {
        Ok(Reading::Ready(satchel)) => Rc::from(satchel),
        _ => unreachable!("a film of ours"),
    }
}

/// The key of a window.
pub(crate) fn window_key(window: u32) -> Key32 {
    let front = front();
    let work = &front.manifest().work;
    let root = content_key().window_root(work);
    root.window_key(work, window).key().clone()
}

/// A capability for the film.
pub(crate) fn path() -> HlsCapability {
    let front = front();
    HlsCapability {
        aud: ISSUER.into(),
        session: SessionId::parse(&format!("ses_{}", b32::encode(&[3; 20]))).unwrap(),
        handle: "pur_AbC-_9".into(),
        work: WorkId::parse(front.manifest().work.as_str()).unwrap(),
        version: 1,
        manifest: Digest::parse(&b64::encode(front.signed().digest())).unwrap(),
        exp: NOW_MS / 1000 + 3_600,
    }
}

/// Time passes where somebody waits.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) later_ms: Cell<u64>,
    pub(crate) waited_ms: Cell<u64>,
    pub(crate) looks: Cell<u32>,
    pub(crate) asks: RefCell<Vec<PathWindow>>,
    /// What is refused, how often, after how many seconds it is to be tried again.
    pub(crate) refuses: Cell<Option<(ErrorCode, u32, u64)>>,
    fronts: RefCell<BTreeMap<String, Front>>,
    keys: RefCell<BTreeMap<String, Key32>>,
    reads: RefCell<BTreeMap<String, u64>>,
}

impl Fake {
    pub(crate) fn token(&self, change: impl FnOnce(&mut HlsCapability)) -> String {
        let mut path = path();
        change(&mut path);
        path.issue(&self.hls_key().unwrap()).unwrap()
    }

    /// As 20 s later.
    pub(crate) fn forget_keys(&self) {
        self.keys.borrow_mut().clear();
    }
}

impl World for Fake {
    fn issuer(&self) -> &'static str {
        ISSUER
    }

    fn now_ms(&self) -> u64 {
        NOW_MS + self.later_ms.get()
    }

    fn hls_key(&self) -> Result<Key32> {
        Ok(Key32::from_bytes([8; 32]))
    }

    async fn wait(&self, ms: u64) {
        self.waited_ms.set(self.waited_ms.get() + ms);
        self.later_ms.set(self.later_ms.get() + ms);
    }

    fn known_front(&self, digest: &str) -> Option<Front> {
        self.fronts.borrow().get(digest).cloned()
    }

    fn remember_front(&self, digest: &str, front: &Front) {
        self.fronts
            .borrow_mut()
            .insert(digest.into(), Rc::clone(front));
    }

    async fn beginning(&self, _: &str, bytes: u64) -> Result<Vec<u8>> {
        self.looks.set(self.looks.get() + 1);
        let film = film();
        let end = usize::try_from(bytes).unwrap().min(film.len());
        Ok(film[..end].to_vec())
    }

    fn known_key(&self, name: &str) -> Option<Key32> {
        self.keys.borrow().get(name).cloned()
    }

    fn remember_key(&self, name: &str, key: Key32) {
        self.keys.borrow_mut().insert(name.into(), key);
    }

    fn known_read(&self, session: &str) -> Option<u64> {
        self.reads.borrow().get(session).copied()
    }

    fn remember_read(&self, session: &str, read_ms: u64) {
        self.reads.borrow_mut().insert(session.into(), read_ms);
    }

    async fn window(&self, asked: &PathWindow) -> Result<PathKey> {
        self.asks.borrow_mut().push(asked.clone());
        if let Some((code, times, wait_s)) = self.refuses.get() {
            self.refuses
                .set((times > 1).then_some((code, times - 1, wait_s)));
            return Err(satchel_wire::ApiError::from(code).retry_after(wait_s));
        }
        Ok(PathKey {
            key: b64::encode(window_key(asked.window).as_bytes()),
            read_ms: self.now_ms(),
        })
    }
}
