//! The life of a work: draft → published → unpublished | taken down.

use serde::Serialize;

/// Where a work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    /// Registered; bytes or key may still be missing.
    Draft,
    /// On sale.
    Published,
    /// Withdrawn by its creator: no new sales, owners keep it.
    Unpublished,
    /// Withdrawn by the operator: nothing is released any more.
    TakenDown,
}
satchel_json::read_names!(WorkState { Draft = "draft", Published = "published", Unpublished = "unpublished", TakenDown = "taken_down" });

/// What somebody wants to do to a work's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The creator publishes (a first or a new version).
    Publish,
    /// The creator withdraws it.
    Unpublish,
    /// The operator takes it down.
    TakeDown,
    /// The operator puts it back.
    Reinstate,
}

/// The change is not possible from this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFrom(pub WorkState);

impl WorkState {
    /// The state after `change`; `has_version` says whether anything was ever published. Asking
    /// again for the state a work is in changes nothing.
    pub fn after(self, change: Change, has_version: bool) -> Result<Self, NotFrom> {
        match (change, self) {
            (Change::Publish, Self::TakenDown)
            | (Change::Unpublish, Self::TakenDown | Self::Draft) => Err(NotFrom(self)),
            (Change::Publish, _) => Ok(Self::Published),
            (Change::Unpublish, _) => Ok(Self::Unpublished),
            (Change::TakeDown, _) => Ok(Self::TakenDown),
            (Change::Reinstate, Self::TakenDown) if has_version => Ok(Self::Published),
            (Change::Reinstate, Self::TakenDown) => Ok(Self::Draft),
            (Change::Reinstate, other) => Ok(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creator_cannot_lift_a_takedown() {
        let down = WorkState::Published.after(Change::TakeDown, true).unwrap();
        assert_eq!(
            down.after(Change::Publish, true),
            Err(NotFrom(WorkState::TakenDown))
        );
        assert_eq!(
            down.after(Change::Unpublish, true),
            Err(NotFrom(WorkState::TakenDown))
        );
        assert_eq!(
            down.after(Change::Reinstate, true),
            Ok(WorkState::Published)
        );
        assert_eq!(down.after(Change::Reinstate, false), Ok(WorkState::Draft));
    }
}
