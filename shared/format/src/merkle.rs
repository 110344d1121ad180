//! RFC 9162 §2.1.1 Merkle tree hash over the segments' ciphertexts, built leaf by leaf.

use satchel_crypto::hash::{Sha256Stream, sha256_parts};

const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The hash of one leaf while its bytes arrive.
pub struct Leaf(Sha256Stream);

impl Leaf {
    /// An empty leaf.
    #[must_use]
    pub fn new() -> Self {
        let mut hash = Sha256Stream::new();
        hash.update(&LEAF);
        Self(hash)
    }

    /// Adds the next bytes of the segment.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The leaf's hash: SHA-256(00 ‖ bytes).
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finish()
    }

    /// The hash of a leaf that lies in memory as a whole.
    #[must_use]
    pub fn of(bytes: &[u8]) -> [u8; 32] {
        let mut leaf = Self::new();
        leaf.update(bytes);
        leaf.finish()
    }
}

impl Default for Leaf {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Leaf(..)")
    }
}

/// A growing tree: keeps one hash per complete subtree, at most 32 of them.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Roots of complete subtrees, largest first, with the number of leaves below each.
    roots: Vec<(u32, [u8; 32])>,
}

impl Tree {
    /// Adds the next leaf's hash.
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut merged = (1_u32, leaf);
        while let Some((leaves, left)) = self.roots.pop_if(|(leaves, _)| *leaves == merged.0) {
            merged = (leaves.saturating_mul(2), node(&left, &merged.1));
        }
        self.roots.push(merged);
    }

    /// The tree hash of all leaves so far; SHA-256 of nothing for none, as the RFC says.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let mut roots = self.roots.iter().rev().map(|(_, root)| *root);
        let Some(smallest) = roots.next() else {
            return sha256_parts(&[]);
        };
        roots.fold(smallest, |right, left| node(&left, &right))
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256_parts(&[&NODE, left, right])
}

#[cfg(test)]
mod tests {
    use satchel_crypto::b64;

    use super::*;

    /// The definition, word for word: split at the largest power of two below n.
    fn by_definition(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => sha256_parts(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn tree_grown_leaf_by_leaf_is_that_of_the_definition() {
        let mut tree = Tree::default();
        let mut leaves = Vec::new();
        for i in 0..70_u8 {
            assert_eq!(tree.root(), by_definition(&leaves), "{i} leaves");
            leaves.push(Leaf::of(&[i]));
            tree.push(Leaf::of(&[i]));
        }
    }

    #[test]
    fn leaves_and_nodes_are_told_apart() {
        let (a, b) = (Leaf::of(b"a"), Leaf::of(b"b"));
        assert_ne!(node(&a, &b), Leaf::of(&[a, b].concat()));
        let mut leaf = Leaf::new();
        leaf.update(b"sat");
        leaf.update(b"chel");
        assert_eq!(leaf.finish(), Leaf::of(b"satchel"));
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        // The tree of RFC 6962's reference implementation (merkletree test data), leaf 0 is empty.
        let mut tree = Tree::default();
        assert_eq!(
            b64::encode(&tree.root()),
            "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
        );
        for (leaf, root) in [
            (&b""[..], "bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB0"),
            (&[0x00], "-sVCA-fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU"),
            (&[0x10], "rra8_idLcKFPsGel5VeCZNsPqbUa9eC6FZFY8yngbnc"),
        ] {
            tree.push(Leaf::of(leaf));
            assert_eq!(b64::encode(&tree.root()), root);
        }
    }
}
