//! The wallet file: seeds, trusted issuers, and every order from before it was sent.
//!
//! `{v, issuer, trusted, root_seed, device_seed, delegated, orders}`, 0600, replaced as a whole.
//! An order stands here before anybody else sees it, so that whatever happens afterwards the same
//! order is sent again and nothing is paid twice.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Read as _,
    path::{Path, PathBuf},
};

use satchel_crypto::{Key32, b64, ed25519::SigningKey};
use satchel_domain::{
    id::{AccountId, OrderId, Thumbprint},
    ledger::LedgerId,
    money::Msat,
};
use satchel_format::{Origin, WorkId};
use serde::Serialize;

use crate::{
    clock,
    fail::{Exit, Failure, Result},
    keyfile,
    out::{self, Access},
};

/// Version of the wallet file.
const VERSION: u64 = 1;
/// Longest wallet file that is read, in bytes: some ten thousand orders.
const MAX_BYTES: u64 = 64 << 20;
/// Names the wallet file where no option does.
pub const VARIABLE: &str = "SATCHEL_WALLET";

/// The file's contents.
#[derive(Debug, Serialize)]
struct Contents {
    v: u64,
    /// Where the account is.
    issuer: Origin,
    /// Issuers the owner has agreed to deal with.
    trusted: Vec<Origin>,
    root_seed: String,
    device_seed: String,
    /// Until when each issuer knows this device's key, Unix seconds.
    delegated: BTreeMap<Origin, u64>,
    orders: BTreeMap<OrderId, Bought>,
}
satchel_json::read!(Contents {
    v,
    issuer,
    trusted,
    root_seed,
    device_seed,
    delegated,
    orders,
    ..
});

/// An order, kept from before it was sent.
#[derive(Debug, Clone, Serialize)]
pub struct Bought {
    /// To whom.
    pub issuer: Origin,
    /// For what.
    pub work: WorkId,
    /// Which version.
    pub version: u64,
    /// The signed order, sent again word for word.
    pub order: String,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// Price in millisatoshi.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
    /// When it was signed, Unix seconds.
    pub time: u64,
    /// The receipt, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}
satchel_json::read!(Bought {
    issuer,
    work,
    version,
    order,
    usd_micros,
    msat,
    ledger,
    time,
    receipt,
    ..
});

/// A wallet, locked for this process as long as it lives.
#[derive(Debug)]
pub struct Wallet {
    path: PathBuf,
    contents: Contents,
    root: SigningKey,
    device: SigningKey,
    _lock: File,
}

impl Wallet {
    /// Makes a new wallet; an existing one is never replaced.
    pub fn create(path: &Path, issuer: Origin) -> Result<Self> {
        let lock = lock(path)?;
        if path.symlink_metadata().is_ok() {
            return Err(
                Failure::new(Exit::Usage, format!("{} is there already", path.display()))
                    .next("A wallet holds money and purchases: choose another name."),
            );
        }
        let contents = Contents {
            v: VERSION,
            trusted: vec![issuer.clone()],
            issuer,
            root_seed: b64::encode(&clock::random::<32>()?),
            device_seed: b64::encode(&clock::random::<32>()?),
            delegated: BTreeMap::new(),
            orders: BTreeMap::new(),
        };
        let wallet = Self::new(path, contents, lock)?;
        wallet.save()?;
        Ok(wallet)
    }

    /// Opens a wallet named by an option or by [`VARIABLE`].
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let variable = std::env::var_os(VARIABLE).map(PathBuf::from);
        let path = path.map(Path::to_owned).or(variable).ok_or_else(|| {
            Failure::new(Exit::Usage, "which wallet?").next(format!(
                "Give --wallet FILE or set {VARIABLE}; `satchel wallet new` makes one."
            ))
        })?;
        let failure = |e| Failure::file("read", &path, &e);
        let mut text = String::new();
        let file = File::open(&path).map_err(failure)?;
        keyfile::check_private(&path)?;
        let lock = lock(&path)?;
        file.take(MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(failure)?;
        let contents: Contents =
            satchel_json::from_slice(text.as_bytes()).map_err(|_| not_a_wallet(&path))?;
        if contents.v != VERSION {
            let what = format!("{} was made by a newer satchel", path.display());
            return Err(Failure::new(Exit::Usage, what));
        }
        Self::new(&path, contents, lock)
    }

    fn new(path: &Path, contents: Contents, lock: File) -> Result<Self> {
        let key = |seed: &str| match Key32::from_b64(seed) {
            Ok(seed) => Ok(SigningKey::from_seed(&seed)),
            Err(_) => Err(not_a_wallet(path)),
        };
        let (root, device) = (key(&contents.root_seed)?, key(&contents.device_seed)?);
        Ok(Self {
            path: path.to_owned(),
            contents,
            root,
            device,
            _lock: lock,
        })
    }

    fn save(&self) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.contents)
            .map_err(|_| Failure::new(Exit::Machine, "the wallet can't be written"))?;
        text.push(b'\n');
        out::write(&self.path, Access::Owner, &text)
    }

    /// Where the account is.
    #[must_use]
    pub fn issuer(&self) -> &Origin {
        &self.contents.issuer
    }

    /// The account: thumbprint of the root key.
    pub fn account(&self) -> Result<AccountId> {
        AccountId::parse(&self.root.public().jkt()).map_err(|_| not_a_wallet(&self.path))
    }

    /// The root key, which signs delegations and nothing else.
    #[must_use]
    pub fn root(&self) -> &SigningKey {
        &self.root
    }

    /// This device's key: signs orders and proofs, and receipts are for it.
    #[must_use]
    pub fn device(&self) -> &SigningKey {
        &self.device
    }

    /// Thumbprint of the device key.
    pub fn device_jkt(&self) -> Result<Thumbprint> {
        Thumbprint::parse(&self.device.public().jkt()).map_err(|_| not_a_wallet(&self.path))
    }

    /// Whether the owner has agreed to deal with this issuer.
    #[must_use]
    pub fn trusts(&self, issuer: &Origin) -> bool {
        self.contents.trusted.contains(issuer)
    }

    /// The owner agrees to deal with this issuer from now on.
    pub fn trust(&mut self, issuer: &Origin) -> Result<()> {
        self.contents.trusted.push(issuer.clone());
        self.save()
    }

    /// Until when this issuer knows the device key.
    #[must_use]
    pub fn delegated_until(&self, issuer: &Origin) -> u64 {
        self.contents.delegated.get(issuer).copied().unwrap_or(0)
    }

    /// Remembers until when this issuer knows the device key.
    pub fn set_delegated(&mut self, issuer: &Origin, until: u64) -> Result<()> {
        self.contents.delegated.insert(issuer.clone(), until);
        self.save()
    }

    /// The order for a version of a work, the newest first, those with a receipt before others.
    #[must_use]
    pub fn order_for(
        &self,
        issuer: &Origin,
        work: &WorkId,
        version: u64,
    ) -> Option<(OrderId, Bought)> {
        let fits = |bought: &Bought| {
            bought.issuer == *issuer && bought.work == *work && bought.version == version
        };
        let orders = self
            .contents
            .orders
            .iter()
            .filter(|(_, bought)| fits(bought));
        let best = orders.max_by_key(|(_, bought)| (bought.receipt.is_some(), bought.time));
        best.map(|(order, bought)| (order.clone(), bought.clone()))
    }

    /// Keeps an order; on disk before this returns.
    pub fn keep(&mut self, order: OrderId, bought: Bought) -> Result<()> {
        self.contents.orders.insert(order, bought);
        self.save()
    }

    /// Forgets an order the issuer has told us it did not accept.
    pub fn forget(&mut self, order: &OrderId) -> Result<()> {
        self.contents.orders.remove(order);
        self.save()
    }
}

fn not_a_wallet(path: &Path) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("{} is not a wallet file", path.display()),
    )
}

/// Two commands at once would lose one's orders, so the second is turned away. The lock lies
/// beside the wallet because the wallet itself is replaced when it is saved.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options
        .open(&name)
        .map_err(|e| Failure::file("write", &name, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Failure::new(
            Exit::Machine,
            "another satchel command is using this wallet",
        )
        .next("Wait until it has ended.")),
        Err(fs::TryLockError::Error(error)) => Err(Failure::file("lock", &name, &error)),
    }
}
