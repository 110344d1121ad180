//! Files of the built site that pages refer to, and this deployment's origins.

/// Code of the frame and the work page.
pub(crate) const FRAME_JS: &str = env!("SATCHEL_FRAME_JS");
/// Style of the frame.
pub(crate) const FRAME_CSS: &str = env!("SATCHEL_FRAME_CSS");
/// Style of the work page.
pub(crate) const WORK_CSS: &str = env!("SATCHEL_WORK_CSS");
/// What website owners paste a reference to.
pub(crate) const WIDGET_JS: &str = include_str!(concat!(env!("OUT_DIR"), "/widget.js"));
/// Hands a batch of cards to the script; the one script of ours that stands in a page, named there by its hash.
pub(crate) const BATCH_JS: &str = include_str!(concat!(env!("OUT_DIR"), "/batch.js"));
/// The same script as [`WIDGET_JS`], under a name that never changes its content.
pub(crate) const PINNED_JS: &str = env!("SATCHEL_PINNED_JS");
/// Its `integrity`.
pub(crate) const PINNED_INTEGRITY: &str = env!("SATCHEL_PINNED_INTEGRITY");

/// The origins of this deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// The public one.
    pub issuer: String,
    /// The wallet's.
    pub wallet: String,
}

impl Site {
    /// Where a work's own page is.
    pub(crate) fn work_page(&self, work: &str) -> String {
        format!("{}/w/{work}", self.issuer)
    }

    /// The issuer's host, as people know it.
    pub(crate) fn host(&self) -> &str {
        self.issuer
            .split_once("://")
            .map_or(self.issuer.as_str(), |(_, host)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_on_our_own_origin() {
        for address in [FRAME_JS, FRAME_CSS, WORK_CSS] {
            assert!(address.starts_with("/assets/"), "{address}");
        }
    }

    #[test]
    fn the_widget_script_is_small() {
        // Its budget, 4 KB compressed, is checked on the built file (tools/sizes.mjs).
        assert!(
            !WIDGET_JS.is_empty() && WIDGET_JS.len() < 12_000,
            "{}",
            WIDGET_JS.len()
        );
    }
}
