//! `Work`: what is sold: record, terms, wrapped keys, state.

use satchel_crypto::{b64, sha256};
use satchel_domain::{
    id::{Digest, WorkId},
    ledger::LedgerId,
    terms::Terms,
    work::{Change, WorkState},
};
use satchel_edge::{Tables, Value, internal, json, serve_object};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Done, Record},
    internal::{PublishWork, RegisterWork, Registered, StateChange, VersionKeys, WorkSnapshot},
};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::book::WorkBook;

const SCHEMA: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS work (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)",
];

/// The object.
#[durable_object(fetch)]
pub struct Work {
    sql: Tables,
}

impl DurableObject for Work {
    fn new(state: State, _: Env) -> Self {
        Self {
            sql: Tables::of(&state, SCHEMA),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            let method = call.method().to_owned();
            let segments: Vec<String> = call.segments().into_iter().map(Into::into).collect();
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            match (method.as_str(), &segments[..]) {
                ("GET", [""]) => json(&self.known()?.snapshot),
                ("POST", ["register", work, ledger]) => {
                    self.register(work, ledger, call.json().await?)
                }
                ("POST", ["intake"]) => self.intake(call.json().await?),
                ("POST", ["publish"]) => self.publish(call.json().await?),
                ("POST", ["state"]) => self.change(call.json::<StateChange>().await?),
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
        .await
    }
}

impl Work {
    fn load(&self) -> Result<Option<WorkBook>> {
        let row = self.sql.row("SELECT body FROM work", vec![])?;
        row.map(|row| row.json(0)).transpose()
    }

    fn known(&self) -> Result<WorkBook> {
        self.load()?.ok_or_else(|| ErrorCode::UnknownWork.into())
    }

    fn save(&self, book: &WorkBook) -> Result<()> {
        let body = satchel_json::to_string(book).map_err(internal)?;
        self.sql.run(
            "INSERT OR REPLACE INTO work VALUES (0, ?)",
            vec![Value::Text(body)],
        )?;
        Ok(())
    }

    fn register(&self, work: &str, ledger: &str, new: RegisterWork) -> Result<Response> {
        if let Some(book) = self.load()? {
            // Once on sale, terms and title change by publishing; the same announcement is harmless.
            if book.same_as(&new) {
                return json(&Registered {
                    created: false,
                    record: book.snapshot.record,
                });
            }
            return Err(ErrorCode::WorkConflict.into());
        }
        let RegisterWork {
            creator,
            title,
            media_type,
            terms,
            payee,
        } = new;
        let record = Record {
            work: WorkId::parse(work).map_err(internal)?,
            state: WorkState::Draft,
            creator,
            title,
            media_type,
            terms_digest: digest(&terms)?,
            terms,
            version: 0,
            versions: Vec::new(),
            ledger: if ledger == "live" {
                LedgerId::Live
            } else {
                LedgerId::Test
            },
        };
        let snapshot = WorkSnapshot {
            record: record.clone(),
            payee,
            keys: Vec::new(),
        };
        self.save(&WorkBook { snapshot })?;
        json(&Registered {
            created: true,
            record,
        })
    }

    fn intake(&self, keys: VersionKeys) -> Result<Response> {
        let mut book = self.known()?;
        book.take_in(keys)?;
        self.save(&book)?;
        json(&Done { done: true })
    }

    fn publish(&self, new: PublishWork) -> Result<Response> {
        let mut book = self.known()?;
        let PublishWork {
            version,
            title,
            terms,
        } = new;
        let keys = book
            .snapshot
            .keys(version.version)
            .ok_or(ErrorCode::NotReady)?;
        if keys.manifest_digest != version.manifest_digest {
            return Err(ApiError::new(
                ErrorCode::NotReady,
                "its key belongs to another manifest",
            ));
        }
        let record = &mut book.snapshot.record;
        match record
            .versions
            .iter()
            .find(|old| old.version == version.version)
        {
            Some(old) if *old == version => {}
            Some(_) => return Err(ErrorCode::WorkConflict.into()),
            None if version.version == record.version.saturating_add(1) => {
                record.version = version.version;
                record.versions.push(version);
            }
            None => {
                let detail = format!("the next version is {}", record.version.saturating_add(1));
                return Err(ApiError::new(ErrorCode::WorkConflict, detail));
            }
        }
        record.state = record
            .state
            .after(Change::Publish, true)
            .map_err(|_| ErrorCode::WorkTakenDown)?;
        record.title = title;
        record.terms_digest = digest(&terms)?;
        record.terms = terms;
        if let Some(latest) = record.versions.last() {
            record.media_type.clone_from(&latest.media_type);
        }
        let record = record.clone();
        self.save(&book)?;
        json(&record)
    }

    fn change(&self, change: StateChange) -> Result<Response> {
        let mut book = self.known()?;
        let record = &mut book.snapshot.record;
        let published = record.version > 0;
        record.state = record
            .state
            .after(change.into(), published)
            .map_err(internal_state)?;
        self.save(&book)?;
        json(&Done { done: true })
    }
}

fn internal_state(_: satchel_domain::work::NotFrom) -> ApiError {
    ErrorCode::WorkConflict.into()
}

fn digest(terms: &Terms) -> Result<Digest> {
    Digest::parse(&b64::encode(&sha256(terms.canonical().as_bytes()))).map_err(internal)
}
