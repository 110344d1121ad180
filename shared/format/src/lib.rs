//! The `.satchel` file (docs/FORMAT.md): one encrypted work with its price tag in front.
//!
//! In scope: layout, segment table, signed manifest, key schedule, Merkle root, packing and
//! opening. Every parser is total: any bytes give a value or a [`FormatError`], never a panic, and
//! no length is believed before it is compared with its limit. Nothing here reads a file, a clock
//! or randomness: bytes in, bytes out, so the same code serves a browser, a worker and the command
//! line. Out of scope: remuxing media into fragments (the studio's), and who may have which key.
#![forbid(unsafe_code)]

pub mod error;
pub mod header;
pub mod keys;
pub mod manifest;
pub mod merkle;
pub mod open;
pub mod origin;
pub mod pack;
pub mod plan;
pub mod preview;
pub mod range;
pub mod table;
pub mod work;

pub use error::FormatError;
pub use header::Layout;
pub use keys::{ContentKey, SegmentKey, WindowKey, WindowRoot};
pub use manifest::{Manifest, SignedManifest, Terms, Use};
pub use open::{Front, Satchel, SegmentReader, Unlocked};
pub use origin::Origin;
pub use pack::{Description, Frame, Packer};
pub use preview::PreviewType;
pub use range::Touched;
pub use table::{Segment, Table};
pub use work::WorkId;
