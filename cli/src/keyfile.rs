//! Files that hold one secret key: 32 bytes as base64url on one line, readable by their owner.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use satchel_crypto::{Key32, b64, ed25519::SigningKey};

use crate::{
    clock,
    fail::{Exit, Failure, Result},
    out::{self, Access},
    say,
};

/// A key file is a line of 43 characters; no need to read more than this.
const MAX_BYTES: u64 = 256;

/// Makes a new key and says its thumbprint.
pub fn create(path: &Path, json: bool) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(
            Failure::new(Exit::Usage, format!("{} is there already", path.display()))
                .next("A key can't be made again: keep the old one, or move it away first."),
        );
    }
    let seed = Key32::from_bytes(clock::random()?);
    out::write(
        path,
        Access::Owner,
        format!("{}\n", b64::encode(seed.as_bytes())).as_bytes(),
    )?;
    let public = SigningKey::from_seed(&seed).public();
    if json {
        let json = serde_json::json!({"x": public.to_b64(), "jkt": public.jkt()});
        return say::line(&json.to_string());
    }
    say::line(&format!("public key  {}", public.to_b64()))?;
    say::line(&format!("thumbprint  {}", public.jkt()))
}

/// Reads a key.
pub fn read(path: &Path) -> Result<SigningKey> {
    let file = File::open(path).map_err(|e| Failure::file("read", path, &e))?;
    check_private(path)?;
    let mut text = String::new();
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|e| Failure::file("read", path, &e))?;
    let seed = Key32::from_b64(text.trim()).map_err(|_| {
        Failure::new(Exit::Usage, format!("{} is not a key file", path.display()))
            .next("It should hold 32 bytes as base64url on one line: `satchel key FILE` makes one.")
    })?;
    Ok(SigningKey::from_seed(&seed))
}

/// Refuses a secret that others on this machine may read.
pub fn check_private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map_err(|e| Failure::file("read", path, &e))?;
        if mode.permissions().mode() & 0o077 != 0 {
            let what = format!("others on this machine may read {}", path.display());
            return Err(Failure::new(Exit::Usage, what).next("Run `chmod 600` on it first."));
        }
    }
    Ok(())
}
