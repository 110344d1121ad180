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
    ErrorCode, delegation, operator,
    order::{self, Cnf, Order},
    proof,
    quote::QuotedRate,
    receipt::{Jwks, PublishedKey, Receipt},
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
}

pub(crate) struct Mock {
    state: Arc<Mutex<State>>,
    pub(crate) origin: String,
}

enum Answer {
    Json(u16, Value),
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
    let Answer::Json(status, json) = answer else {
        return;
    };
    let json = json.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        json.len()
    );
    let mut stream = stream;
    drop(stream.write_all(format!("{head}{json}").as_bytes()));
}

fn problem(code: ErrorCode) -> Answer {
    let problem = satchel_wire::ApiError::from(code).problem();
    Answer::Json(code.status(), serde_json::to_value(problem).unwrap())
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
                self.commands
                    .push(serde_json::to_value(command.unwrap()).unwrap());
                Answer::Json(200, json!({"done": true}))
            }
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
                self.account(path, body)
            }
            _ => problem(ErrorCode::NotFound),
        }
    }

    fn account(&mut self, path: &str, body: &Value) -> Answer {
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
            }),
        )
    }

    fn terms(&self) -> Terms {
        Terms {
            giveaway: None,
            limit: None,
            pay_more: false,
            usd_micros: self.price,
            usage: Use::Download,
        }
    }

    fn quote(&self) -> Value {
        let terms = self.terms();
        json!({
            "quote": "quote", "work": self.record["work"], "version": self.record["version"],
            "title": "Tide", "terms": terms,
            "terms_digest": b64::encode(&sha256(terms.canonical().as_bytes())),
            "usd_micros": self.price, "msat": self.price * 100, "ledger": "test",
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
