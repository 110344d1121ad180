//! `satchel magnet`: a BitTorrent v2 link (BEP 52) of a finished satchel, and its `.torrent`.
//!
//! Whoever has the link finds the encrypted bytes at anybody who shares them; what they cost is in
//! them. Memory: 32 bytes per piece.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::{Path, PathBuf},
};

use clap::Args;
use satchel_crypto::hash::sha256_parts;
use serde_json::json;

use crate::{
    fail::{Exit, Failure, Result},
    file::SatchelFile,
    out::{self, Target},
    say::{self, Progress},
};

/// Bytes of a leaf of the hash tree (BEP 52).
const BLOCK_BYTES: usize = 16 * 1024;
/// A file is cut into about this many pieces at most, as long as pieces are not too long.
const PIECES: u64 = 2_048;
const MAX_PIECE_BYTES: u64 = 16 << 20;
/// Of the multihash in `urn:btmh`: SHA-256, 32 bytes.
const MULTIHASH: &str = "1220";

type Hash = [u8; 32];

/// What the user asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// The satchel; `-` is stdin.
    pub file: PathBuf,
    /// Name of the shared file, which is part of what the link names. Otherwise the satchel's own,
    /// or for stdin that of its contents with `.satchel` at the end.
    #[arg(long, value_parser = file_name)]
    pub name: Option<String>,
    /// Bytes of a piece, a power of two from 16,384; otherwise chosen by the file's size.
    #[arg(long, value_name = "BYTES", value_parser = piece_length)]
    pub piece_length: Option<u64>,
    /// Write a `.torrent` as well.
    #[arg(long, value_name = "FILE")]
    pub torrent: Option<PathBuf>,
    /// Replace the `.torrent` if it is there already.
    #[arg(long, requires = "torrent")]
    pub force: bool,
}

fn piece_length(text: &str) -> std::result::Result<u64, String> {
    match text.parse::<u64>() {
        Ok(bytes) if bytes.is_power_of_two() && bytes >= BLOCK_BYTES as u64 => Ok(bytes),
        _ => Err("a power of two from 16384".to_owned()),
    }
}

/// Runs the command.
pub fn magnet(options: &Options, json: bool) -> Result<()> {
    let target = options.torrent.as_deref();
    let target = target
        .map(|path| Target::new(path, options.force))
        .transpose()?;
    // A link to a file that is cut short would spread it.
    let file = SatchelFile::open(&options.file)?;
    let name = name(options, &file.satchel.manifest().name)?;
    let name = name.as_str();
    let length = file.satchel.file_size();
    let piece = options.piece_length.unwrap_or_else(|| chosen(length));
    let tree = hash(file.whole()?, &options.file, length, piece)?;
    let info = info(name, length, piece, &tree.root);
    let hash = hex(&sha256_parts(&[&info]));
    let link = format!(
        "magnet:?xt=urn:btmh:{MULTIHASH}{hash}&dn={}&xl={length}",
        escaped(name)
    );
    if let Some(target) = &target {
        let torrent = torrent(&info, &tree);
        target.write(|out| {
            out.write_all(&torrent)
                .map_err(|e| Failure::new(Exit::Machine, format!("can't write the torrent: {e}")))
        })?;
    }
    if json {
        return say::line(
            &json!({"magnet": link, "info_hash": hash, "piece_length": piece, "length": length})
                .to_string(),
        );
    }
    say::line(&link)
}

fn file_name(text: &str) -> std::result::Result<String, String> {
    let is_name = !text.is_empty()
        && !matches!(text, "." | "..")
        && !text.contains(['/', '\\'])
        && !text.contains(char::is_control);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "not a file name".to_owned())
}

/// The name in the link; `contents` is what the work's own file is called.
fn name(options: &Options, contents: &str) -> Result<String> {
    if let Some(name) = &options.name {
        return Ok(name.clone());
    }
    if out::is_pipe(&options.file) {
        let stem = contents.rsplit_once('.').map_or(contents, |(stem, _)| stem);
        let stem = if stem.is_empty() { contents } else { stem };
        return Ok(format!("{stem}.satchel"));
    }
    let own = options.file.file_name().and_then(|name| name.to_str());
    own.map(str::to_owned)
        .ok_or_else(|| Failure::new(Exit::Usage, "this file has no name that can be written"))
}

/// The smallest power of two that gives at most [`PIECES`] pieces.
fn chosen(length: u64) -> u64 {
    length
        .div_ceil(PIECES)
        .max(BLOCK_BYTES as u64)
        .checked_next_power_of_two()
        .unwrap_or(MAX_PIECE_BYTES)
        .min(MAX_PIECE_BYTES)
}

/// The hash tree over a file's blocks.
#[derive(Debug)]
struct Tree {
    root: Hash,
    /// The hashes of the pieces; empty where there is only one.
    layer: Vec<Hash>,
}

fn hash(file: File, path: &Path, length: u64, piece: u64) -> Result<Tree> {
    let failure = |e| Failure::file("read", path, &e);
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut progress = Progress::new("hashing", length);
    let (mut pieces, mut blocks) = (Padded::default(), Padded::default());
    let mut layer = Vec::new();
    let mut block = vec![0; BLOCK_BYTES];
    let (mut left, mut in_piece) = (length, 0_u64);
    let depth = piece.ilog2().saturating_sub(BLOCK_BYTES.ilog2());
    while left > 0 {
        let len = usize::try_from(left)
            .unwrap_or(BLOCK_BYTES)
            .min(BLOCK_BYTES);
        let part = block.get_mut(..len).unwrap_or_default();
        reader.read_exact(part).map_err(failure)?;
        blocks.push(sha256_parts(&[part]));
        left = left.saturating_sub(len as u64);
        in_piece = in_piece.saturating_add(len as u64);
        progress.add(len as u64);
        if in_piece == piece || left == 0 {
            // A file of one piece is padded to its own size only, any other piece to a whole one.
            let only = layer.is_empty() && left == 0;
            let whole = std::mem::take(&mut blocks);
            let root = whole.root(if only { None } else { Some(depth) });
            pieces.push_at(root, depth);
            layer.push(root);
            in_piece = 0;
        }
    }
    let single = layer.len() == 1;
    let root = match layer.first() {
        Some(root) if single => *root,
        _ => pieces.root(None),
    };
    if single {
        layer.clear();
    }
    Ok(Tree { root, layer })
}

/// A binary tree that grows leaf by leaf and is padded with zero leaves to a power of two.
#[derive(Debug, Default)]
struct Padded {
    /// At each level the complete subtree that still waits for its right neighbour.
    levels: Vec<Option<Hash>>,
}

impl Padded {
    fn push(&mut self, leaf: Hash) {
        self.push_at(leaf, 0);
    }

    /// Adds a subtree of `2^level` leaves; all that came before were at least as large.
    fn push_at(&mut self, hash: Hash, level: u32) {
        let mut at = level as usize;
        let mut hash = hash;
        loop {
            if self.levels.len() <= at {
                self.levels.resize(at.saturating_add(1), None);
            }
            let Some(slot) = self.levels.get_mut(at) else {
                return;
            };
            match slot.take() {
                None => {
                    *slot = Some(hash);
                    return;
                }
                Some(left) => hash = node(&left, &hash),
            }
            at = at.saturating_add(1);
        }
    }

    /// The root, at `depth` levels above the leaves or as few as hold them.
    fn root(self, depth: Option<u32>) -> Hash {
        let waiting = self.levels.iter().flatten().count();
        let top = self.levels.len().saturating_sub(1);
        let least = if waiting > 1 {
            top.saturating_add(1)
        } else {
            top
        };
        let depth = depth.map_or(least, |depth| depth as usize);
        let mut zeros = [0; 32];
        let mut carry: Option<Hash> = None;
        for level in 0..depth {
            let here = self.levels.get(level).copied().flatten();
            carry = match (here, carry) {
                (Some(left), Some(right)) => Some(node(&left, &right)),
                (Some(only), None) | (None, Some(only)) => Some(node(&only, &zeros)),
                (None, None) => None,
            };
            zeros = node(&zeros, &zeros);
        }
        let here = self.levels.get(depth).copied().flatten();
        here.or(carry).unwrap_or(zeros)
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256_parts(&[left, right])
}

/// The info dictionary (BEP 52), bencoded (BEP 3): keys in order of their bytes.
fn info(name: &str, length: u64, piece: u64, root: &Hash) -> Vec<u8> {
    let mut out = b"d".to_vec();
    text(&mut out, b"file tree");
    out.push(b'd');
    text(&mut out, name.as_bytes());
    out.push(b'd');
    text(&mut out, b"");
    out.push(b'd');
    text(&mut out, b"length");
    number(&mut out, length);
    text(&mut out, b"pieces root");
    text(&mut out, root);
    out.extend(b"eee");
    text(&mut out, b"meta version");
    number(&mut out, 2);
    text(&mut out, b"name");
    text(&mut out, name.as_bytes());
    text(&mut out, b"piece length");
    number(&mut out, piece);
    out.push(b'e');
    out
}

/// The whole `.torrent`: the info dictionary and the pieces' hashes, without a tracker.
fn torrent(info: &[u8], tree: &Tree) -> Vec<u8> {
    let mut out = b"d".to_vec();
    text(&mut out, b"info");
    out.extend(info);
    text(&mut out, b"piece layers");
    out.push(b'd');
    if !tree.layer.is_empty() {
        text(&mut out, &tree.root);
        text(&mut out, &tree.layer.concat());
    }
    out.extend(b"ee");
    out
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(format!("{}:", bytes.len()).as_bytes());
    out.extend(bytes);
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend(format!("i{value}e").as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).collect()
}

fn digits(byte: u8) -> impl Iterator<Item = char> {
    [byte >> 4, byte & 15]
        .into_iter()
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
}

/// Percent-encoded as a query's value: only unreserved characters stay (RFC 3986 §2.3).
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend(digits(byte).map(|digit| digit.to_ascii_uppercase()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEP 52 word for word: leaves padded with zeros to a power of two, hashed pairwise.
    fn by_definition(leaves: &[Hash], depth: u32) -> Hash {
        let mut row = leaves.to_vec();
        row.resize(1 << depth, [0; 32]);
        while row.len() > 1 {
            row = row.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
        }
        row[0]
    }

    #[test]
    fn tree_grown_leaf_by_leaf_is_that_of_the_definition() {
        for count in 1..40_u8 {
            let leaves: Vec<Hash> = (0..count).map(|i| sha256_parts(&[&[i]])).collect();
            let least = leaves.len().next_power_of_two().ilog2();
            for depth in [None, Some(least), Some(least + 2)] {
                let mut tree = Padded::default();
                for leaf in &leaves {
                    tree.push(*leaf);
                }
                let want = by_definition(&leaves, depth.unwrap_or(least));
                assert_eq!(tree.root(depth), want, "{count} leaves, {depth:?}");
            }
        }
    }

    #[test]
    fn pieces_are_few_and_never_too_long() {
        for (length, piece) in [
            (1, 16_384),
            (32 << 20, 16_384),
            ((32 << 20) + 1, 32_768),
            (10 << 30, 8 << 20),
            (1 << 40, 16 << 20),
            (u64::MAX, 16 << 20),
        ] {
            assert_eq!(chosen(length), piece, "{length}");
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b&c=ü.satchel"), "a%20b%26c%3D%C3%BC.satchel");
    }
}
