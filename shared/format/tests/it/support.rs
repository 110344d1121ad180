//! What the tests of this crate share: packing and opening whole satchels in memory, and taking
//! them apart and putting them together wrongly.
use satchel_crypto::{Key32, ed25519::SigningKey, jws, sha256};
use satchel_format::{
    ContentKey, Description, FormatError, Front, Layout, Origin, Packer, Satchel, Segment, Table,
    Terms, Use, manifest::PROTECTED_HEADER, merkle, open::plain_parts,
};
use serde_json::Value;

pub(crate) fn creator(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Key32::from_bytes([seed; 32]))
}

pub(crate) fn content_key(seed: u8) -> ContentKey {
    ContentKey::from_key(Key32::from_bytes([seed; 32]))
}

/// A salt that differs for each name and segment and is the same in every run.
pub(crate) fn salt(name: &str, segment: u32) -> [u8; 24] {
    let digest = sha256(format!("{name} {segment}").as_bytes());
    *digest.first_chunk().unwrap()
}

/// Bytes without a short period, so that swapped chunks differ.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| ((i * 31 + i / 251 * 7) % 251) as u8)
        .collect()
}

pub(crate) fn description() -> Description {
    Description {
        work_nonce: [2; 16],
        version: 1,
        issuer: Origin::parse("http://localhost:8787").unwrap(),
        title: "Tide".to_owned(),
        name: "tide.bin".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        mse: None,
        duration_ms: None,
        terms: Terms {
            pay_more: false,
            usd_micros: 500_000,
            usage: Use::Download,
        },
        created: 1_800_000_000,
    }
}

/// Segments of these lengths, one window each.
pub(crate) fn table(lens: &[u32]) -> Table {
    let segment = |(window, len): (u32, &u32)| Segment {
        plain_len: *len,
        window,
        start_ms: 0,
        init: false,
    };
    Table::new((0..).zip(lens).map(segment).collect()).unwrap()
}

/// A satchel in its parts, so that tests can change each.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) token: String,
    pub(crate) table: Vec<u8>,
    pub(crate) preview: Vec<u8>,
    pub(crate) segments: Vec<Vec<u8>>,
}

impl Parts {
    pub(crate) fn pack(name: &str, description: Description, table: Table, preview: &[u8]) -> Self {
        Self::pack_contents(name, description, table, preview, bytes)
    }

    pub(crate) fn pack_contents(
        name: &str,
        description: Description,
        table: Table,
        preview: &[u8],
        contents: impl Fn(usize) -> Vec<u8>,
    ) -> Self {
        let plain = contents(usize::try_from(table.size()).unwrap());
        let mut packer = Packer::new(
            description,
            creator(1),
            &content_key(3),
            table.clone(),
            preview.to_vec(),
        )
        .unwrap();
        let front_len = packer.front_len();
        let (mut rest, mut segments) = (&plain[..], Vec::new());
        while let Some(len) = packer.next_len() {
            let (segment, after) = rest.split_at(len as usize);
            let index = u32::try_from(segments.len()).unwrap();
            segments.push(packer.segment(&salt(name, index), segment).unwrap());
            rest = after;
        }
        let (front, signed) = packer.finish().unwrap();
        assert_eq!(front.len() as u64, front_len);
        let parts = Self {
            token: signed.token().to_owned(),
            table: table.packed(leaves(&segments)).unwrap().encode(),
            preview: preview.to_vec(),
            segments,
        };
        assert_eq!(parts.file(), [front, parts.segments.concat()].concat());
        parts
    }

    /// The file with a layout that fits the parts, right or wrong.
    pub(crate) fn file(&self) -> Vec<u8> {
        let layout = Layout::plan(
            u32::try_from(self.token.len()).unwrap(),
            u32::try_from(self.table.len() / ENTRY).unwrap(),
            u32::try_from(self.preview.len()).unwrap(),
        )
        .unwrap();
        let mut file = layout.encode().to_vec();
        file.extend(self.token.as_bytes());
        file.extend(&self.table);
        file.resize(layout.header_len() as usize, 0);
        file.extend(&self.preview);
        file.extend(self.segments.concat());
        file
    }

    pub(crate) fn claims(&self) -> Value {
        let parsed = jws::Parsed::parse(&self.token).unwrap();
        serde_json::from_slice(&parsed.payload).unwrap()
    }

    /// Signs other claims, as only somebody with the creator's key could.
    pub(crate) fn sign(&mut self, claims: &str) {
        self.token = jws::sign(&creator(1), PROTECTED_HEADER, claims.as_bytes());
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut claims = self.claims();
        change(&mut claims);
        self.sign(&claims.to_string());
    }

    /// Signs table and body as they now are.
    pub(crate) fn sign_contents(&mut self) {
        for (entry, leaf) in self.table.chunks_mut(ENTRY).zip(leaves(&self.segments)) {
            entry[16..].copy_from_slice(&leaf);
        }
        let (table, root) = (sha256(&self.table), root(&self.segments));
        self.change(|claims| {
            claims["table_digest"] = satchel_crypto::b64::encode(&table).into();
            claims["merkle_root"] = satchel_crypto::b64::encode(&root).into();
        });
    }
}

/// Bytes of a table entry: sixteen of fields, then the segment's hash.
pub(crate) const ENTRY: usize = 48;

pub(crate) fn leaves(segments: &[Vec<u8>]) -> Vec<[u8; 32]> {
    let leaf = |segment: &Vec<u8>| merkle::Leaf::of(segment);
    segments.iter().map(leaf).collect()
}

pub(crate) fn root(segments: &[Vec<u8>]) -> [u8; 32] {
    let mut tree = merkle::Tree::default();
    for leaf in leaves(segments) {
        tree.push(leaf);
    }
    tree.root()
}

/// The satchel in a file's first bytes; a file that ends too early is cut short.
pub(crate) fn front(file: &[u8]) -> Result<Satchel, FormatError> {
    match Front::read(file)? {
        Front::Ready(satchel) => Ok(*satchel),
        Front::Need(_) => Err(FormatError::FileSize),
    }
}

/// Everything but decrypting: what anybody can check.
pub(crate) fn verify(file: &[u8]) -> Result<Satchel, FormatError> {
    let satchel = front(file)?;
    satchel.check_file_size(file.len() as u64)?;
    let range = satchel.layout().preview();
    satchel.check_preview(&file[range.start as usize..range.end as usize])?;
    for index in 0..satchel.table().count() {
        let leaf = merkle::Leaf::of(segment(&satchel, file, index));
        satchel.check_segment(index, &leaf)?;
    }
    Ok(satchel)
}

pub(crate) fn segment<'a>(satchel: &Satchel, file: &'a [u8], index: u32) -> &'a [u8] {
    let range = satchel.segment_range(index).unwrap();
    &file[range.start as usize..range.end as usize]
}

/// Everything: the plaintext, or the first fault.
pub(crate) fn open(file: &[u8], key: &ContentKey) -> Result<Vec<u8>, FormatError> {
    let satchel = verify(file)?;
    let unlocked = satchel.unlock(key)?;
    let mut plain = Vec::new();
    for index in 0..satchel.table().count() {
        let sealed = segment(&satchel, file, index);
        let opened = unlocked.open_segment(index, sealed);
        // Where it lies, a segment opens to the same, or not for the same reason.
        let mut bytes = sealed.to_vec();
        let in_place = unlocked.open_in_place(index, &mut bytes);
        let in_place = in_place.map(|()| plain_parts(&bytes).collect::<Vec<_>>().concat());
        assert_eq!(in_place, opened);
        plain.extend(opened?);
    }
    Ok(plain)
}
