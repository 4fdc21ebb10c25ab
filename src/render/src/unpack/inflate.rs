//! The gzip side: one bounded stream of inflated bytes.

use std::io::{ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::UnpackError;

/// Inflated bytes, counted against a limit.
///
/// One gzip member only. Concatenated members are legal gzip, but no source writes them, and
/// millions of empty ones would be a cheap way to burn time.
pub(super) struct Inflate<'a> {
    decoder: GzDecoder<&'a [u8]>,
    limit: u64,
    /// Inflated bytes handed out so far.
    pub(super) offset: u64,
    /// The entry being read, for messages.
    pub(super) entry: Option<String>,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(bytes: &'a [u8], limit: u64) -> Result<Self, UnpackError> {
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            return Err(UnpackError::NotGzip);
        }
        Ok(Self {
            decoder: GzDecoder::new(bytes),
            limit,
            offset: 0,
            entry: None,
        })
    }

    /// Fills the buffer as far as the stream goes; fewer bytes mean that it ended.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, UnpackError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.decoder.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.offset += count as u64;
                    if self.offset > self.limit {
                        return Err(UnpackError::StreamTooLarge {
                            entry: self.entry.clone(),
                            limit: self.limit,
                        });
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(UnpackError::Truncated {
                        entry: self.entry.clone(),
                    });
                }
                Err(source) => {
                    return Err(UnpackError::CorruptGzip {
                        entry: self.entry.clone(),
                        source,
                    });
                }
            }
        }
        Ok(filled)
    }

    /// Fills the whole buffer, or says that the stream ended too early.
    pub(super) fn fill_all(&mut self, buffer: &mut [u8]) -> Result<(), UnpackError> {
        if self.fill(buffer)? < buffer.len() {
            return Err(UnpackError::Truncated {
                entry: self.entry.clone(),
            });
        }
        Ok(())
    }

    /// Reads on without keeping anything.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), UnpackError> {
        let mut scratch = [0_u8; 8192];
        while count > 0 {
            let step = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(scratch.len());
            self.fill_all(&mut scratch[..step])?;
            count -= step as u64;
        }
        Ok(())
    }

    /// Reads to the end, which checks the stream's own checksum too: only zero bytes may follow
    /// the archive's end marker, and nothing the gzip stream.
    pub(super) fn finish(mut self) -> Result<(), UnpackError> {
        self.entry = None;
        let mut scratch = [0_u8; 8192];
        loop {
            let count = self.fill(&mut scratch)?;
            if scratch[..count].iter().any(|byte| *byte != 0) {
                return Err(UnpackError::TrailingBytes { of: "archive" });
            }
            if count < scratch.len() {
                break;
            }
        }
        if self.decoder.into_inner().is_empty() {
            Ok(())
        } else {
            Err(UnpackError::TrailingBytes { of: "gzip stream" })
        }
    }
}
