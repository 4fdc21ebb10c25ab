//! The tar side: one 512-byte header (v7, ustar, GNU) and the records of a PAX header.

/// Headers and contents come in blocks of this size.
pub(super) const BLOCK: usize = 512;

/// One header, its numbers read and its checksum verified.
pub(super) struct Header {
    /// Prefix and name, as the header itself has them.
    pub(super) name: Vec<u8>,
    /// Where a link points.
    pub(super) link: Vec<u8>,
    /// Size of the contents in bytes.
    pub(super) size: u64,
    /// The type flag; 0 is the old spelling of `'0'`.
    pub(super) flag: u8,
}

impl Header {
    /// Reads a header block. The error says what is wrong with it.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        verify_checksum(block)?;
        let mut name = until_nul(&block[..100]).to_vec();
        // GNU tar writes `ustar  ` and uses the place of the prefix for other things; `star`
        // marks its shorter prefix at the end of the block.
        if &block[257..263] == b"ustar\0" {
            let end = if &block[508..512] == b"tar\0" {
                476
            } else {
                500
            };
            let prefix = until_nul(&block[345..end]);
            if !prefix.is_empty() {
                name = [prefix, b"/", &name].concat();
            }
        }
        Ok(Self {
            name,
            link: until_nul(&block[157..257]).to_vec(),
            size: number(&block[124..136]).ok_or("its size is not a number")?,
            flag: block[156],
        })
    }
}

/// The header's checksum, of which old writers summed signed bytes.
fn verify_checksum(block: &[u8; BLOCK]) -> Result<(), &'static str> {
    let stored = number(&block[148..156]).ok_or("its checksum is not a number")?;
    let bytes = || {
        block.iter().enumerate().map(|(at, byte)| {
            if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            }
        })
    };
    let unsigned: u64 = bytes().map(u64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    if stored == unsigned || i64::try_from(stored) == Ok(signed) {
        Ok(())
    } else {
        Err("its checksum is wrong")
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in GNU's big-endian form for large ones.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        // Bit 0x40 is the sign.
        return rest.iter().try_fold(u64::from(first & 0x7f), |sum, byte| {
            if first & 0x40 != 0 {
                None
            } else {
                sum.checked_mul(256)?.checked_add((*byte).into())
            }
        });
    }
    let digits = field.trim_ascii_start();
    let end = digits
        .iter()
        .position(|byte| matches!(byte, 0 | b' '))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if rest.iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        matches!(byte, b'0'..=b'7').then_some(())?;
        sum.checked_mul(8)?.checked_add((byte - b'0').into())
    })
}

/// What a PAX header says of the entry after it, as far as it matters here.
#[derive(Default)]
pub(super) struct Pax {
    /// Its name.
    pub(super) path: Option<Vec<u8>>,
    /// Where it links to.
    pub(super) link: Option<Vec<u8>>,
    /// Its size.
    pub(super) size: Option<u64>,
    /// It is a sparse file in one of GNU's spellings.
    pub(super) sparse: bool,
}

impl Pax {
    /// Reads records of the form `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record.
    pub(super) fn parse(mut data: &[u8]) -> Result<Self, &'static str> {
        const MALFORMED: &str = "a record of its extended header is malformed";
        let mut pax = Self::default();
        while !data.is_empty() {
            let space = data
                .iter()
                .take(20)
                .position(|byte| *byte == b' ')
                .ok_or(MALFORMED)?;
            let length: usize = std::str::from_utf8(&data[..space])
                .ok()
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok())
                .filter(|length| *length > space + 1 && *length <= data.len())
                .ok_or(MALFORMED)?;
            let (record, rest) = data.split_at(length);
            data = rest;
            let record = record[space + 1..].strip_suffix(b"\n").ok_or(MALFORMED)?;
            let equals = record
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or(MALFORMED)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => pax.path = some(value),
                b"linkpath" => pax.link = some(value),
                b"size" => pax.size = decimal(value)?,
                _ if key.starts_with(b"GNU.sparse.") => pax.sparse = true,
                _ => {}
            }
        }
        Ok(pax)
    }

    /// Whether it says anything that would change how an entry is read.
    pub(super) fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && self.size.is_none() && !self.sparse
    }
}

/// An empty value takes a record back.
fn some(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

fn decimal(value: &[u8]) -> Result<Option<u64>, &'static str> {
    if value.is_empty() {
        return Ok(None);
    }
    std::str::from_utf8(value)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map(Some)
        .ok_or("the size in its extended header is not a number")
}
