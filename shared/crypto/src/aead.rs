//! AES-256-GCM for bulk data: RustCrypto's, or ring's where the feature `native` asks for it, which
//! is three times as fast on a processor with AES instructions. Both give the same bytes.

/// Bytes of a nonce (NIST SP 800-38D §5.2.1.1).
pub(crate) const NONCE_BYTES: usize = 12;
/// Bytes of a tag.
pub(crate) const TAG_BYTES: usize = 16;

/// The input is too long, or the tag does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

pub(crate) use chosen::Aead;

#[cfg(not(feature = "native"))]
mod chosen {
    use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce, Tag};

    use super::{NONCE_BYTES, Refused, TAG_BYTES};

    pub(crate) struct Aead(Aes256Gcm);

    impl Aead {
        pub(crate) fn new(key: &[u8; 32]) -> Self {
            Self(Aes256Gcm::new(key.into()))
        }

        /// Encrypts in place and gives the tag.
        pub(crate) fn seal(
            &self,
            nonce: [u8; NONCE_BYTES],
            chunk: &mut [u8],
        ) -> Result<[u8; TAG_BYTES], Refused> {
            let nonce = Nonce::from(nonce);
            let tag = self.0.encrypt_inout_detached(&nonce, b"", chunk.into());
            tag.map(Into::into).map_err(|_| Refused)
        }

        /// Decrypts in place; after an error the chunk holds nothing of use.
        pub(crate) fn open(
            &self,
            nonce: [u8; NONCE_BYTES],
            chunk: &mut [u8],
            tag: &[u8; TAG_BYTES],
        ) -> Result<(), Refused> {
            let nonce = Nonce::from(nonce);
            let tag = Tag::from(*tag);
            let opened = self
                .0
                .decrypt_inout_detached(&nonce, b"", chunk.into(), &tag);
            opened.map_err(|_| Refused)
        }
    }
}

#[cfg(feature = "native")]
mod chosen {
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

    use super::{NONCE_BYTES, Refused, TAG_BYTES};

    pub(crate) struct Aead(LessSafeKey);

    impl Aead {
        pub(crate) fn new(key: &[u8; 32]) -> Self {
            #[expect(clippy::expect_used, reason = "32 bytes are the length of this key")]
            let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes");
            Self(LessSafeKey::new(key))
        }

        /// Encrypts in place and gives the tag.
        pub(crate) fn seal(
            &self,
            nonce: [u8; NONCE_BYTES],
            chunk: &mut [u8],
        ) -> Result<[u8; TAG_BYTES], Refused> {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = self
                .0
                .seal_in_place_separate_tag(nonce, Aad::empty(), chunk);
            tag.map_err(|_| Refused)?
                .as_ref()
                .try_into()
                .map_err(|_| Refused)
        }

        /// Decrypts in place; after an error the chunk holds nothing of use.
        pub(crate) fn open(
            &self,
            nonce: [u8; NONCE_BYTES],
            chunk: &mut [u8],
            tag: &[u8; TAG_BYTES],
        ) -> Result<(), Refused> {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = Tag::from(*tag);
            let opened = self
                .0
                .open_in_place_separate_tag(nonce, Aad::empty(), tag, chunk, 0..);
            opened.map(|_| ()).map_err(|_| Refused)
        }
    }
}
