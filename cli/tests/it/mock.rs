//! An issuer in this process: enough of docs/API.md to buy one work, with faults on demand. It
//! checks what it is sent with `satchel-wire`, as the real one does.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use satchel_crypto::{
    Key32, b64,
    ed25519::{SigningKey, Software, at_once},
    sha256,
};
use satchel_domain::{
    ledger::LedgerId,
    money::Msat,
    terms::{Terms, Use},
};
use satchel_wire::{
    ApiError, ErrorCode, delegation, operator,
    order::{self, Cnf, Order},
    proof,
    quote::QuotedRate,
    receipt::{Jwks, PublishedKey, Receipt},
    refund, signout,
};
use serde_json::{Value, json};

/// At this rate a dollar is 1,000 Bits.
const USD_MICROS_PER_BTC: u64 = 1_000_000_000;

/// What the issuer knows and does; tests change it to make it err.
pub(crate) struct State {
    pub(crate) origin: String,
    /// The record of the one work, from what `satchel pack --json` said.
    pub(crate) record: Value,
    pub(crate) content_key: String,
    pub(crate) price: u64,
    pub(crate) balance: u64,
    /// Orders by id: the token and the receipt it was answered with.
    pub(crate) orders: HashMap<String, (String, String)>,
    pub(crate) delegated: HashSet<String>,
    /// `METHOD path` of every request, in order.
    pub(crate) log: Vec<String>,
    /// Take the next so many orders, then hang up without an answer.
    pub(crate) hang_up_on_orders: u32,
    /// Refuse every order with this.
    pub(crate) refuse_orders: Option<ErrorCode>,
    /// Receipts with nothing behind them any more.
    pub(crate) refunded: HashSet<String>,
    /// Receipts are signed with a key that is not published.
    pub(crate) forge_receipts: bool,
    pub(crate) operator: Option<SigningKey>,
    pub(crate) commands: Vec<Value>,
    /// Leave the next so many orders and refunds undecided.
    pub(crate) pending: u32,
    /// The next copy is free.
    pub(crate) giveaway: bool,
    /// Delegations of another one are refused.
    pub(crate) epoch: u64,
    /// The journal, two lines a page.
    pub(crate) lines: Vec<Value>,
    /// What is left to refund.
    pub(crate) left: u64,
    /// Claims of refunds that were posted.
    pub(crate) refunds: Vec<Value>,
    /// Answers to an audit, by account or inbox.
    pub(crate) books: HashMap<String, Value>,
}

pub(crate) struct Mock {
    state: Arc<Mutex<State>>,
    pub(crate) origin: String,
}

enum Answer {
    Json(u16, Value),
    Csv(String, Option<String>),
    HangUp,
}

impl Mock {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let state = Arc::new(Mutex::new(State {
            origin: origin.clone(),
            record: Value::Null,
            content_key: String::new(),
            price: 500_000,
            balance: 0,
            orders: HashMap::new(),
            delegated: HashSet::new(),
            log: Vec::new(),
            hang_up_on_orders: 0,
            refuse_orders: None,
            refunded: HashSet::new(),
            forge_receipts: false,
            operator: None,
            commands: Vec::new(),
            pending: 0,
            giveaway: false,
            epoch: 0,
            lines: Vec::new(),
            left: 0,
            refunds: Vec::new(),
            books: HashMap::new(),
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &shared);
            }
        });
        Self { state, origin }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How often a path was asked.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state()
            .log
            .iter()
            .filter(|line| line.ends_with(path))
            .count()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let mut words = line.split_whitespace();
    let (method, path) = (
        words.next().unwrap().to_owned(),
        words.next().unwrap().to_owned(),
    );
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let len = headers
        .get("content-length")
        .map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);

    let mut state = state.lock().unwrap();
    state.log.push(format!("{method} {path}"));
    let answer = state.answer(&method, &path, &headers, &body);
    let (status, body, next) = match answer {
        Answer::Json(status, json) => (status, json.to_string(), None),
        Answer::Csv(text, next) => (200, text, next),
        Answer::HangUp => return,
    };
    let next = next.map_or(String::new(), |next| format!("link: {next}\r\n"));
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{next}connection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}

fn problem(code: ErrorCode) -> Answer {
    refusal(&code.into())
}

fn refusal(error: &ApiError) -> Answer {
    let problem = serde_json::to_value(error.problem()).unwrap();
    Answer::Json(error.code.status(), problem)
}

fn now_s() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test runs natively")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn receipt_key(forged: bool) -> SigningKey {
    SigningKey::from_seed(&Key32::from_bytes([if forged { 66 } else { 65 }; 32]))
}

impl State {
    fn answer(
        &mut self,
        method: &str,
        path: &str,
        headers: &HashMap<String, String>,
        body: &Value,
    ) -> Answer {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let proven = |token: Option<&str>| {
            let url = format!("{}{path}", self.origin);
            let expected = proof::Expected {
                method,
                url: &url,
                token,
                now_s: now_s(),
            };
            let sent = headers.get("dpop").map_or("", String::as_str);
            at_once(proof::verify(&Software, sent, &expected))
                .unwrap()
                .expect("a good proof")
                .key
        };
        match (method, path) {
            ("GET", "/.well-known/jwks.json") => {
                let key = PublishedKey::of("1", &receipt_key(false).public());
                Answer::Json(200, serde_json::to_value(Jwks { keys: vec![key] }).unwrap())
            }
            ("GET", path) if path.starts_with("/v1/works/") => {
                Answer::Json(200, self.record.clone())
            }
            ("POST", "/v1/quotes") => Answer::Json(200, self.quote()),
            ("POST", "/v1/orders") => self.order(&text("order")),
            ("POST", "/v1/keys") => {
                let token = headers["authorization"]
                    .strip_prefix("DPoP ")
                    .unwrap()
                    .to_owned();
                if !self.orders.values().any(|(_, receipt)| *receipt == token) {
                    return problem(ErrorCode::ReceiptInvalid);
                }
                if self.refunded.contains(&token) {
                    return problem(ErrorCode::NotEntitled);
                }
                let key = proven(Some(&token));
                assert!(self.delegated.contains(key.as_str()), "the receipt's key");
                Answer::Json(
                    200,
                    json!({
                        "work": self.record["work"], "version": 1, "content_key": self.content_key,
                        "a_member_of_later_days": true,
                    }),
                )
            }
            ("POST", "/v1/operator") => {
                let key = self.operator.as_ref().unwrap().public();
                let command = at_once(operator::verify(
                    &Software,
                    &text("command"),
                    &self.origin,
                    &key,
                    now_s(),
                ))
                .unwrap();
                let command = serde_json::to_value(command.unwrap()).unwrap();
                let answer = self.book(&command);
                self.commands.push(command);
                Answer::Json(200, answer)
            }
            ("POST", "/v1/refunds") => self.refund(&text("refund")),
            ("POST", path) if path.ends_with("/sign-out") => self.sign_out(&text("sign_out")),
            ("POST", path) if path.ends_with("/delegations") => {
                let known = at_once(delegation::verify(
                    &Software,
                    &text("delegation"),
                    &self.origin,
                    now_s(),
                ))
                .unwrap()
                .unwrap();
                assert!(path.contains(known.account.as_str()));
                if known.epoch != self.epoch {
                    let error = ApiError::from(ErrorCode::DelegationExpired);
                    return refusal(&error.with("epoch", self.epoch));
                }
                self.delegated.insert(known.key.key().unwrap().jkt());
                Answer::Json(
                    200,
                    json!({"account": known.account, "key": "", "expires": known.exp}),
                )
            }
            (_, path) if path.starts_with("/v1/accounts/") => {
                let key = proven(None);
                if !self.delegated.contains(key.as_str()) {
                    return problem(ErrorCode::WrongKey);
                }
                self.account(path, query, body)
            }
            _ => problem(ErrorCode::NotFound),
        }
    }

    fn sign_out(&mut self, token: &str) -> Answer {
        let signed = signout::verify(&Software, token, &self.origin, now_s());
        let signed = at_once(signed).unwrap().unwrap();
        assert_eq!(signed.epoch, self.epoch + 1);
        self.epoch = signed.epoch;
        self.delegated.clear();
        Answer::Json(200, json!({"account": signed.account, "epoch": self.epoch}))
    }

    fn refund(&mut self, token: &str) -> Answer {
        let claims = refund::read(token).expect("a refund").claims;
        claims.check_shape(&self.origin, now_s()).unwrap();
        let msat = claims.msat.get();
        if msat > self.left {
            let error = ApiError::from(ErrorCode::RefundExceeds);
            return refusal(&error.with("left_msat", self.left));
        }
        let pending = self.pending > 0;
        self.pending = self.pending.saturating_sub(1);
        if !pending {
            self.left -= msat;
            self.refunds.push(serde_json::to_value(&claims).unwrap());
        }
        let answer = json!({
            "status": if pending { "pending" } else { "posted" }, "replayed": false,
            "refund": format!("rfd_{}", "a".repeat(32)), "msat": msat, "fee_returned_msat": msat / 20,
        });
        Answer::Json(if pending { 202 } else { 200 }, answer)
    }

    /// What is read for an audit; all accounts are in one shard of the directory.
    fn book(&self, command: &Value) -> Value {
        let of = |name: &str| self.books[command[name].as_str().unwrap()].clone();
        match command["cmd"].as_str().unwrap() {
            "audit_directory" => {
                let mut accounts: Vec<&String> = self.books.keys().collect();
                accounts.retain(|name| !name.contains('/') && command["shard"] == 7);
                accounts.sort();
                json!({"accounts": accounts, "more": false})
            }
            "audit_account" => of("account"),
            "audit_inbox" => of("inbox"),
            _ => json!({"done": true}),
        }
    }

    /// Two lines of the journal, and where to go on.
    fn lines(&self, query: &str) -> (Vec<Value>, Option<usize>) {
        let after: usize = query.strip_prefix("after=").unwrap().parse().unwrap();
        let page = self.lines.iter().skip(after).take(2).cloned().collect();
        (page, (self.lines.len() > after + 2).then_some(after + 2))
    }

    fn account(&mut self, path: &str, query: &str, body: &Value) -> Answer {
        if path.ends_with("/transfers") {
            let (lines, next) = self.lines(query);
            let page = next.map_or_else(
                || json!({"transfers": lines}),
                |next| json!({"transfers": lines, "next": next}),
            );
            return Answer::Json(200, page);
        }
        if path.ends_with("/transfers.csv") {
            let (lines, next) = self.lines(query);
            let rows = lines.iter().map(|line| format!("{}\r\n", line["line"]));
            let link =
                next.map(|next| format!("<{}{path}?after={next}>; rel=\"next\"", self.origin));
            return Answer::Csv(format!("line\r\n{}", rows.collect::<String>()), link);
        }
        if path.ends_with("/test-money") {
            self.balance += body["msat"].as_u64().unwrap();
            return Answer::Json(
                200,
                json!({"balance_msat": self.balance, "replayed": false}),
            );
        }
        let account = path.rsplit('/').next();
        Answer::Json(
            200,
            json!({
                "account": account, "ledger": "test", "test_money": true,
                "balance_msat": self.balance,
                "pending_msat": 0, "incoming_msat": 0,
                "rate": {"usd_micros_per_btc": USD_MICROS_PER_BTC, "time": 1, "source": "test"},
                "epoch": self.epoch,
            }),
        )
    }

    fn terms(&self) -> Terms {
        Terms {
            giveaway: self.giveaway.then_some(3),
            limit: None,
            pay_more: false,
            usd_micros: self.price,
            usage: Use::Download,
        }
    }

    fn quote(&self) -> Value {
        let terms = self.terms();
        let price = if self.giveaway { 0 } else { self.price };
        json!({
            "quote": "quote", "work": self.record["work"], "version": self.record["version"],
            "title": "Tide", "terms": terms,
            "terms_digest": b64::encode(&sha256(terms.canonical().as_bytes())),
            "usd_micros": price, "msat": price * 100, "ledger": "test",
            "rate": {"usd_micros_per_btc": USD_MICROS_PER_BTC, "time": 1, "source": "test"},
            "expires": now_s() + 300,
        })
    }

    fn order(&mut self, token: &str) -> Answer {
        let unverified = order::read(token).expect("an order");
        let id = unverified.claims.order.as_str().to_owned();
        let posted = |receipt: &str, replayed| {
            let json = json!({
                "status": "posted", "replayed": replayed, "owned": false, "order": id,
                "receipt": receipt,
            });
            Answer::Json(200, json)
        };
        if let Some((known, receipt)) = self.orders.get(&id) {
            assert_eq!(known, token, "a retry is the same, word for word");
            return posted(receipt, true);
        }
        if let Some(code) = self.refuse_orders {
            return problem(code);
        }
        if self.pending > 0 {
            self.pending -= 1;
            return Answer::Json(202, json!({"status": "pending", "order": id}));
        }
        let kid = unverified.header.kid.clone().unwrap();
        if !self.delegated.contains(&kid) {
            return problem(ErrorCode::WrongKey);
        }
        let order = unverified.claims;
        order.check_shape(&self.origin, now_s()).unwrap();
        order.check_tag().unwrap();
        assert_eq!(order.cnf.jkt.as_str(), kid);
        let msat = order.msat.get();
        if self.balance < msat {
            return problem(ErrorCode::InsufficientBalance);
        }
        self.balance -= msat;
        let receipt = self.receipt(&order);
        self.orders
            .insert(id.clone(), (token.to_owned(), receipt.clone()));
        if self.hang_up_on_orders > 0 {
            self.hang_up_on_orders -= 1;
            return Answer::HangUp;
        }
        posted(&receipt, false)
    }

    fn receipt(&self, order: &Order) -> String {
        let digest = self.record["versions"][0]["manifest_digest"]
            .as_str()
            .unwrap();
        let receipt = Receipt {
            iss: self.origin.clone(),
            aud: self.origin.clone(),
            sub: order.cnf.jkt.clone(),
            jti: format!("rcp_{}", order.order.body()),
            iat: now_s(),
            work: order.work.clone(),
            version: order.version,
            manifest_digest: satchel_domain::id::Digest::parse(digest).unwrap(),
            rights: Use::Download,
            usd_micros: order.usd_micros,
            msat: Msat::new(order.msat.get()).unwrap(),
            ledger: LedgerId::Test,
            rate: QuotedRate {
                usd_micros_per_btc: USD_MICROS_PER_BTC,
                time: 1,
            },
            handle: "pur_x".to_owned(),
            cnf: Cnf {
                jkt: order.cnf.jkt.clone(),
            },
        };
        receipt
            .sign("1", &receipt_key(self.forge_receipts))
            .unwrap()
    }
}
