//! What a program reads and writes, with bounds.

use crate::redact::{self, without_secrets};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A child that does not read what it is given may end all the same.
pub(super) async fn write(
    bytes: &[u8],
    to: Option<impl AsyncWrite + Unpin>,
) -> std::io::Result<()> {
    if let Some(mut to) = to {
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    }
    Ok(())
}

/// Reads to the end, and keeps so many bytes.
pub(super) async fn read(
    from: Option<impl AsyncRead + Unpin>,
    to: &mut Vec<u8>,
    limit: usize,
    watch: &mut (dyn FnMut(&[u8]) + Send),
) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut buffer = vec![0; 8192];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        watch(bytes);
        let room = limit.saturating_sub(to.len()).min(bytes.len());
        to.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

/// Whether a stream reached its limit; what it holds then does not end in a piece of a secret.
pub(super) fn cut(bytes: &mut Vec<u8>, limit: usize) -> bool {
    let is_cut = bytes.len() >= limit;
    if is_cut {
        redact::whole_secrets(bytes);
    }
    is_cut
}

/// The last line that is not empty, without secrets, bounded, for messages.
pub fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    // As a whole: a secret can have several lines.
    let text = without_secrets(&text);
    let line = text.lines().rev().map(str::trim).find(|l| !l.is_empty());
    line.unwrap_or("(no output)").chars().take(300).collect()
}
